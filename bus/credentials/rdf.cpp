#include "credentials/rdf.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace clrbus::credentials {

namespace {

void rdf_escape(std::string& out, std::string_view text) {
    static constexpr char hex[] = "0123456789ABCDEF";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '\t':
                out += "\\t";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\f':
                out += "\\f";
                break;
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            default:
                if (byte < 0x20 || byte == 0x7f) {
                    out += "\\u00";
                    out += hex[byte >> 4];
                    out += hex[byte & 15];
                } else {
                    out += c;
                }
        }
    }
}

template <class Label>
void rdf_term(std::string& out, const RdfTerm& term, const Label& label) {
    switch (term.kind) {
        case RdfTerm::Kind::kNone:
            return;
        case RdfTerm::Kind::kIri:
            (out += '<').append(term.value) += '>';
            return;
        case RdfTerm::Kind::kBlank:
            (out += "_:") += label(term.value);
            return;
        case RdfTerm::Kind::kLiteral:
            out += '"';
            rdf_escape(out, term.value);
            out += '"';
            if (!term.language.empty())
                (out += '@') += term.language;
            else if (!term.datatype.empty() && term.datatype != kXsdString)
                (out += "^^<").append(term.datatype) += '>';
            return;
    }
}

template <class Label>
std::string rdf_line(const RdfQuad& quad, const Label& label) {
    std::string out;
    rdf_term(out, quad.subject, label);
    out += ' ';
    rdf_term(out, quad.predicate, label);
    out += ' ';
    rdf_term(out, quad.object, label);
    if (quad.graph.kind != RdfTerm::Kind::kNone) {
        out += ' ';
        rdf_term(out, quad.graph, label);
    }
    return out += " .\n";
}

// Gives new names in the order of asking.
class RdfIssuer {
public:
    explicit RdfIssuer(std::string prefix) : prefix_(std::move(prefix)) {}
    const std::string& issue(const std::string& blank) {
        const auto [entry, made] = names_.try_emplace(blank, prefix_ + std::to_string(order_.size()));
        if (made) order_.push_back(blank);
        return entry->second;
    }
    const std::string* find(const std::string& blank) const {
        const auto known = names_.find(blank);
        return known == names_.end() ? nullptr : &known->second;
    }
    const std::vector<std::string>& order() const { return order_; }

private:
    std::string prefix_;
    std::map<std::string, std::string> names_;
    std::vector<std::string> order_;
};

// Section 4 of RDFC-1.0, with its names.
class RdfCanonicalizer {
public:
    RdfCanonicalizer(const std::vector<RdfQuad>& quads, std::size_t work) : quads_(quads.begin(), quads.end()), work_(work) {}

    std::string run() {
        for (const RdfQuad& quad : quads_)
            for (const RdfTerm* term : {&quad.subject, &quad.object, &quad.graph})
                if (term->kind == RdfTerm::Kind::kBlank) mentions_[term->value].insert(&quad);
        std::map<std::string, std::vector<std::string>> by_hash;
        for (const auto& [blank, quads] : mentions_) by_hash[hash_first_degree(blank)].push_back(blank);
        for (const auto& [hash, blanks] : by_hash)
            if (blanks.size() == 1) canonical_.issue(blanks.front());
        for (const auto& [hash, blanks] : by_hash)
            if (blanks.size() > 1) settle(blanks);
        std::vector<std::string> lines;
        const auto label = [this](const std::string& blank) -> const std::string& { return *canonical_.find(blank); };
        for (const RdfQuad& quad : quads_) lines.push_back(rdf_line(quad, label));
        std::sort(lines.begin(), lines.end());
        std::string out;
        for (const std::string& line : lines) out += line;
        return out;
    }

private:
    struct Found {
        std::string hash;
        RdfIssuer issuer;
    };

    void spend(std::size_t steps) {
        if (steps > work_)
            throw Error(Fault::kPoison, "RDF-001", "canonicalizing a credential", "its unnamed nodes are too much alike");
        work_ -= steps;
    }

    const std::string& hash_first_degree(const std::string& blank) {
        std::string& known = first_degree_[blank];
        if (!known.empty()) return known;
        std::vector<std::string> lines;
        for (const RdfQuad* quad : mentions_.at(blank))
            lines.push_back(
                rdf_line(*quad, [&](const std::string& other) -> std::string_view { return other == blank ? "a" : "z"; }));
        std::sort(lines.begin(), lines.end());
        crypto::Sha256 hash;
        for (const std::string& line : lines) hash.update(line);
        return known = hash.hex();
    }

    // Blank nodes that look alike on their own: told apart by what is around them.
    void settle(const std::vector<std::string>& blanks) {
        std::vector<Found> found;
        for (const std::string& blank : blanks) {
            if (canonical_.find(blank) != nullptr) continue;
            RdfIssuer issuer("b");
            issuer.issue(blank);
            found.push_back(hash_n_degree(blank, std::move(issuer), 0));
        }
        std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.hash < b.hash; });
        for (const Found& each : found)
            for (const std::string& blank : each.issuer.order()) canonical_.issue(blank);
    }

    std::string hash_related(const std::string& related, const RdfQuad& quad, const RdfIssuer& issuer, char position) {
        std::string input(1, position);
        if (position != 'g') (input += '<').append(quad.predicate.value) += '>';
        if (const std::string* name = canonical_.find(related))
            (input += "_:") += *name;
        else if (const std::string* temporary = issuer.find(related))
            (input += "_:") += *temporary;
        else
            input += hash_first_degree(related);
        return crypto::sha256_hex(input);
    }

    Found hash_n_degree(const std::string& blank, RdfIssuer issuer, int depth) {
        if (depth > 200) spend(work_ + 1);
        spend(1 + mentions_.at(blank).size());
        std::map<std::string, std::vector<std::string>> related;
        for (const RdfQuad* quad : mentions_.at(blank)) {
            const auto add = [&](const RdfTerm& term, char position) {
                if (term.kind == RdfTerm::Kind::kBlank && term.value != blank)
                    related[hash_related(term.value, *quad, issuer, position)].push_back(term.value);
            };
            add(quad->subject, 's');
            add(quad->object, 'o');
            add(quad->graph, 'g');
        }
        std::string data;
        for (auto& [hash, blanks] : related) {
            data += hash;
            std::string chosen_path;
            RdfIssuer chosen = issuer;
            std::sort(blanks.begin(), blanks.end());
            do {
                spend(blanks.size());
                RdfIssuer copy = issuer;
                const std::string path = walk(blanks, copy, chosen_path, depth);
                if (!path.empty() && (chosen_path.empty() || path < chosen_path)) {
                    chosen_path = path;
                    chosen = std::move(copy);
                }
            } while (std::next_permutation(blanks.begin(), blanks.end()));
            data += chosen_path;
            issuer = std::move(chosen);
        }
        return {crypto::sha256_hex(data), std::move(issuer)};
    }

    // The path of one order of the related nodes; empty when it cannot become the least.
    std::string walk(const std::vector<std::string>& blanks, RdfIssuer& copy, const std::string& chosen_path, int depth) {
        std::string path;
        std::vector<std::string> recursion;
        const auto hopeless = [&] { return !chosen_path.empty() && path.size() >= chosen_path.size() && path > chosen_path; };
        for (const std::string& each : blanks) {
            if (const std::string* name = canonical_.find(each)) {
                (path += "_:") += *name;
            } else {
                if (copy.find(each) == nullptr) recursion.push_back(each);
                (path += "_:") += copy.issue(each);
            }
            if (hopeless()) return {};
        }
        for (const std::string& each : recursion) {
            Found found = hash_n_degree(each, copy, depth + 1);
            (path += "_:") += copy.issue(each);
            (path += '<').append(found.hash) += '>';
            copy = std::move(found.issuer);
            if (hopeless()) return {};
        }
        return path;
    }

    const std::set<RdfQuad> quads_;  // each once
    std::size_t work_;
    std::map<std::string, std::set<const RdfQuad*>> mentions_;
    std::map<std::string, std::string> first_degree_;
    RdfIssuer canonical_{"c14n"};
};

}  // namespace

std::string to_nquad(const RdfQuad& quad) {
    return rdf_line(quad, [](const std::string& blank) -> const std::string& { return blank; });
}

std::string canonical_nquads(const std::vector<RdfQuad>& quads, std::size_t work) {
    return RdfCanonicalizer(quads, work).run();
}

}  // namespace clrbus::credentials
