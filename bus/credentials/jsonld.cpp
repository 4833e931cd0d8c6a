#include "credentials/jsonld.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>

#include "core/error.hpp"
#include "credentials/json_access.hpp"

namespace clrbus::credentials {

namespace json = boost::json;

namespace {

constexpr const char kContextCredentials[] =
#include "credentials/contexts/credentials-v2.inc"
    ;
constexpr const char kContextClr[] =
#include "credentials/contexts/clr-2.0.1.inc"
    ;
constexpr const char kContextOpenBadges[] =
#include "credentials/contexts/ob-3.0.3.inc"
    ;
constexpr const char kContextExtensions[] =
#include "credentials/contexts/ob-extensions.inc"
    ;

constexpr std::string_view kRdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
constexpr std::string_view kXsd = "http://www.w3.org/2001/XMLSchema#";

const std::map<std::string, json::value, std::less<>>& jsonld_contexts() {
    static const auto* const contexts = new std::map<std::string, json::value, std::less<>>{
        {"https://www.w3.org/ns/credentials/v2", json::parse(kContextCredentials)},
        {"https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json", json::parse(kContextClr)},
        {"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json", json::parse(kContextOpenBadges)},
        {"https://purl.imsglobal.org/spec/ob/v3p0/extensions.json", json::parse(kContextExtensions)}};
    return *contexts;
}

struct JsonLdTerm {
    std::string iri;   // an IRI, a keyword, or empty: the term is switched off
    std::string type;  // an IRI, @id, @vocab, @json, or empty
    bool graph = false, list = false;
    const json::value* context = nullptr;  // property- or type-scoped; lives as long as the process
};

struct JsonLdContext {
    std::map<std::string, JsonLdTerm, std::less<>> terms;
    std::string vocabulary;
    std::shared_ptr<const JsonLdContext> previous;  // to go back to for nodes below, when this one is type-scoped
};
using JsonLdContextPtr = std::shared_ptr<const JsonLdContext>;

bool jsonld_is_keyword(std::string_view text) {
    return text.starts_with('@');
}

// An active context, what is laid over it, and whether it goes down to nodes below.
using JsonLdKey = std::tuple<const JsonLdContext*, const json::value*, bool>;

constexpr std::size_t kJsonLdSharedMost = 1000;

struct JsonLdShared {
    std::mutex mutex;
    std::map<JsonLdKey, JsonLdContextPtr> contexts;  // shared with the readers that use them
    std::vector<JsonLdContextPtr> kept;              // the active contexts of the keys
    const JsonLdContextPtr empty = std::make_shared<JsonLdContext>();
};

JsonLdShared& jsonld_shared() {
    static auto* const shared = new JsonLdShared;
    return *shared;
}

class JsonLdReader {
public:
    std::vector<RdfQuad> run(const json::value& document) {
        if (!document.is_object()) fail("expected an object");
        node(document.get_object(), jsonld_shared().empty, nullptr, {});
        return std::move(quads_);
    }

private:
    [[noreturn]] void fail(std::string why) const {
        Where where;
        for (const std::string& name : path_) where.path += "/" + name;
        throw Error(Fault::kPoison, "JSONLD-001", "reading a credential as linked data", where, std::move(why));
    }

    // ── contexts ──
    JsonLdContextPtr process(const JsonLdContextPtr& active, const json::value& local, bool propagate, bool from_document) {
        JsonLdContextPtr out = active;
        const auto one = [&](const json::value& value) {
            if (value.is_null()) {
                auto empty = std::make_shared<JsonLdContext>();
                if (!propagate) empty->previous = out;
                kept_.push_back(empty);
                out = std::move(empty);
            } else if (value.is_string()) {
                const auto known = jsonld_contexts().find(std::string_view(value.get_string()));
                if (known == jsonld_contexts().end()) fail("it names a context that is not known here");
                out = cached(out, known->second.as_object().at("@context"), propagate);
            } else if (value.is_object() && !from_document) {
                out = cached(out, value, propagate);
            } else {
                fail("a context stands in it that is not a known one's address");
            }
        };
        if (value_array(local) != nullptr)
            for (const json::value& value : *value_array(local)) one(value);
        else
            one(local);
        return out;
    }

    static const json::array* value_array(const json::value& value) { return value.if_array(); }

    // The same pair comes for every achievement of every record, and reading a context costs more than all else: what was read
    // is kept, for this document and, up to a bound, for the life of the process (a hostile document can make many).
    JsonLdContextPtr cached(const JsonLdContextPtr& active, const json::value& definition, bool propagate) {
        const JsonLdKey key{active.get(), &definition, propagate};
        JsonLdContextPtr& known = cache_[key];
        if (known != nullptr) return known;
        JsonLdShared& shared = jsonld_shared();
        {
            const std::scoped_lock lock(shared.mutex);
            if (const auto found = shared.contexts.find(key); found != shared.contexts.end()) return known = found->second;
        }
        known = define(active, definition.get_object(), propagate);
        kept_.push_back(active);  // the key's address must not be used again
        const std::scoped_lock lock(shared.mutex);
        if (shared.contexts.size() < kJsonLdSharedMost) {
            shared.kept.push_back(active);
            known = shared.contexts.try_emplace(key, known).first->second;
        }
        return known;
    }

    JsonLdContextPtr define(const JsonLdContextPtr& active, const json::object& definitions, bool propagate) {
        auto out = std::make_shared<JsonLdContext>(*active);
        if (!propagate && out->previous == nullptr) out->previous = active;
        if (const auto vocabulary = definitions.find("@vocab"); vocabulary != definitions.end())
            out->vocabulary = vocabulary->value().is_string() ? std::string(vocabulary->value().get_string()) : std::string();
        std::map<std::string, bool> defined;
        for (const auto& member : definitions)
            if (!jsonld_is_keyword(member.key())) define_term(*out, definitions, std::string(member.key()), defined);
        return out;
    }

    void define_term(JsonLdContext& context, const json::object& definitions, const std::string& name,
                     std::map<std::string, bool>& defined) {
        const auto [state, fresh] = defined.try_emplace(name, false);
        if (!fresh) {
            if (!state->second) fail("a context defines a term by itself");
            return;
        }
        context.terms.erase(name);
        const json::value& value = definitions.at(name);
        JsonLdTerm term;
        std::string id = name;
        bool has_id = false;
        if (value.is_string()) {
            id = std::string(value.get_string());
            has_id = true;
        } else if (const json::object* object = value.if_object()) {
            if (const auto member = object->find("@id"); member != object->end() && member->value().is_string()) {
                id = std::string(member->value().get_string());
                has_id = true;
            }
            if (const auto type = object->find("@type"); type != object->end())
                term.type = expand(context, std::string_view(type->value().as_string()), true, &definitions, &defined);
            if (const auto container = object->find("@container"); container != object->end())
                set_container(term, container->value());
            if (const auto scoped = object->find("@context"); scoped != object->end()) term.context = &scoped->value();
        }
        if (has_id && id != name)
            term.iri = expand(context, id, true, &definitions, &defined);
        else if (const auto colon = name.find(':'); colon != name.npos)
            term.iri = expand(context, name, false, &definitions, &defined);
        else if (!context.vocabulary.empty())
            term.iri = context.vocabulary + name;
        context.terms.insert_or_assign(name, std::move(term));
        defined[name] = true;
    }

    void set_container(JsonLdTerm& term, const json::value& value) const {
        const auto one = [&](std::string_view text) {
            if (text == "@graph")
                term.graph = true;
            else if (text == "@list")
                term.list = true;
            else if (text != "@set")
                fail("a context uses a container that is not supported");
        };
        if (value.is_string())
            one(value.get_string());
        else
            for (const json::value& each : value.as_array()) one(each.as_string());
    }

    // IRI expansion (JSON-LD 1.1 API, section 5.2), without a base: what stays relative is the caller's to refuse.
    std::string expand(JsonLdContext& context, std::string_view text, bool vocabulary, const json::object* definitions,
                       std::map<std::string, bool>* defined) {
        if (jsonld_is_keyword(text)) return std::string(text);
        if (definitions != nullptr && definitions->contains(text) && !defined->contains(std::string(text)))
            define_term(context, *definitions, std::string(text), *defined);
        return expand_known(context, text, vocabulary, definitions, defined);
    }

    std::string expand_known(JsonLdContext& context, std::string_view text, bool vocabulary, const json::object* definitions,
                             std::map<std::string, bool>* defined) {
        if (const auto term = context.terms.find(text);
            term != context.terms.end() && (vocabulary || jsonld_is_keyword(term->second.iri)))
            if (vocabulary || jsonld_is_keyword(term->second.iri)) return term->second.iri;
        if (const auto colon = text.find(':'); colon != text.npos && colon > 0) {
            const std::string_view prefix = text.substr(0, colon);
            const std::string_view rest = text.substr(colon + 1);
            if (prefix == "_" || rest.starts_with("//")) return std::string(text);
            if (definitions != nullptr && definitions->contains(prefix) && !defined->contains(std::string(prefix)))
                define_term(context, *definitions, std::string(prefix), *defined);
            if (const auto term = context.terms.find(prefix);
                term != context.terms.end() && !term->second.iri.empty() && is_prefix(term->second))
                return term->second.iri + std::string(rest);
            return std::string(text);
        }
        return vocabulary && !context.vocabulary.empty() ? context.vocabulary + std::string(text) : std::string(text);
    }

    // A simple term whose IRI ends in a character that begins a new part.
    static bool is_prefix(const JsonLdTerm& term) {
        constexpr std::string_view ends = ":/?#[]@";
        return term.context == nullptr && term.type.empty() && ends.find(term.iri.back()) != ends.npos;
    }

    std::string expand_vocabulary(const JsonLdContext& context, std::string_view text) {
        return jsonld_is_keyword(text) ? std::string(text)
                                       : expand_known(const_cast<JsonLdContext&>(context), text, true, nullptr, nullptr);
    }

    std::string absolute(std::string iri, std::string_view what) const {
        if (iri.find(':') == std::string::npos || iri.find_first_of(" <>\"{}|\\^`") != std::string::npos)
            fail(std::string(what) + " is not an absolute IRI");
        return iri;
    }

    // ── nodes ──
    RdfTerm blank() { return {RdfTerm::Kind::kBlank, "b" + std::to_string(blanks_++), {}, {}}; }
    static RdfTerm iri(std::string value) {
        if (value.starts_with("_:")) return {RdfTerm::Kind::kBlank, "x" + value.substr(2), {}, {}};
        return {RdfTerm::Kind::kIri, std::move(value), {}, {}};
    }
    static RdfTerm rdf(std::string_view name) { return {RdfTerm::Kind::kIri, std::string(kRdf) + std::string(name), {}, {}}; }
    void emit(const RdfTerm& subject, RdfTerm predicate, RdfTerm object, const RdfTerm& graph) {
        quads_.push_back({subject, std::move(predicate), std::move(object), graph});
    }

    std::string keyword_of(const JsonLdContext& context, std::string_view name) {
        if (jsonld_is_keyword(name)) return std::string(name);
        const auto term = context.terms.find(name);
        return term != context.terms.end() && jsonld_is_keyword(term->second.iri) ? term->second.iri : std::string();
    }

    RdfTerm node(const json::object& object, JsonLdContextPtr context, const json::value* property_scoped,
                 const RdfTerm& graph) {
        if (path_.size() > 64) fail("it is nested too deeply");
        const bool only_id = object.size() == 1 && keyword_of(*context, object.begin()->key()) == "@id";
        if (context->previous != nullptr && !only_id) context = context->previous;
        if (property_scoped != nullptr) context = process(context, *property_scoped, true, false);
        if (const auto local = object.find("@context"); local != object.end())
            context = process(context, local->value(), true, true);
        const JsonLdContextPtr type_context = context;
        std::vector<std::string> types;
        for (const auto& member : object)
            if (keyword_of(*context, member.key()) == "@type") collect(member.value(), types);
        std::vector<std::string> sorted = types;
        std::sort(sorted.begin(), sorted.end());
        for (const std::string& type : sorted) {
            const auto term = type_context->terms.find(type);
            if (term != type_context->terms.end() && term->second.context != nullptr)
                context = process(context, *term->second.context, false, false);
        }
        RdfTerm subject;
        for (const auto& member : object)
            if (keyword_of(*context, member.key()) == "@id") subject = iri(absolute(string_of(member.value()), "an id"));
        if (subject.kind == RdfTerm::Kind::kNone) subject = blank();
        for (const std::string& type : types) {
            path_.push_back("type");
            emit(subject, rdf("type"), iri(absolute(expand_vocabulary(*type_context, type), "a type")), graph);
            path_.pop_back();
        }
        for (const auto& member : object) property(subject, member, context, graph);
        return subject;
    }

    void property(const RdfTerm& subject, const json::key_value_pair& member, const JsonLdContextPtr& context,
                  const RdfTerm& graph) {
        path_.emplace_back(member.key());
        const std::string name = expand_vocabulary(*context, member.key());
        if (jsonld_is_keyword(name)) {
            if (name != "@id" && name != "@type" && name != "@context") fail("this JSON-LD keyword is not supported here");
        } else {
            const RdfTerm predicate = iri(absolute(name, "a member that no context defines"));
            const auto known = context->terms.find(member.key());
            static const JsonLdTerm plain;
            const JsonLdTerm& term = known == context->terms.end() ? plain : known->second;
            const json::array single{member.value()};
            const json::array& values = member.value().is_array() ? member.value().get_array() : single;
            if (term.list)
                emit(subject, predicate, list(values, term, context, graph), graph);
            else
                for (const json::value& value : values)
                    if (auto object = object_of(value, term, context, graph))
                        emit(subject, predicate, std::move(*object), graph);
        }
        path_.pop_back();
    }

    RdfTerm list(const json::array& values, const JsonLdTerm& term, const JsonLdContextPtr& context, const RdfTerm& graph) {
        RdfTerm out = rdf("nil");
        for (auto value = values.rbegin(); value != values.rend(); ++value) {
            auto object = object_of(*value, term, context, graph);
            if (!object) continue;
            RdfTerm cell = blank();
            emit(cell, rdf("first"), std::move(*object), graph);
            emit(cell, rdf("rest"), std::move(out), graph);
            out = std::move(cell);
        }
        return out;
    }

    std::optional<RdfTerm> object_of(const json::value& value, const JsonLdTerm& term, const JsonLdContextPtr& context,
                                     const RdfTerm& graph) {
        if (value.is_null()) return std::nullopt;
        if (value.is_array()) fail("an array in an array");
        if (const json::object* object = value.if_object()) {
            for (const auto& member : *object)
                if (const std::string keyword = keyword_of(*context, member.key());
                    keyword == "@value" || keyword == "@list" || keyword == "@set" || keyword == "@graph")
                    fail("this JSON-LD keyword is not supported here");
            if (term.type == "@json") fail("JSON literals are not supported here");
            if (!term.graph) return node(*object, context, term.context, graph);
            RdfTerm name = blank();
            node(*object, context, term.context, name);
            return name;
        }
        if (value.is_string() && (term.type == "@id" || term.type == "@vocab")) {
            const std::string_view text = value.get_string();
            return iri(absolute(term.type == "@vocab" ? expand_scoped(context, term, text) : std::string(text), "a reference"));
        }
        if (term.graph) fail("expected an object");
        return literal(value, term);
    }

    // A @vocab value is read in the property's own context.
    std::string expand_scoped(const JsonLdContextPtr& context, const JsonLdTerm& term, std::string_view text) {
        if (term.context == nullptr) return expand_vocabulary(*context, text);
        return expand_vocabulary(*process(context, *term.context, true, false), text);
    }

    RdfTerm literal(const json::value& value, const JsonLdTerm& term) const {
        std::string datatype = jsonld_is_keyword(term.type) ? std::string() : term.type;
        const auto typed = [&](std::string text, std::string_view fallback) {
            return RdfTerm{RdfTerm::Kind::kLiteral, std::move(text), datatype.empty() ? std::string(fallback) : datatype, {}};
        };
        if (value.is_string()) return typed(std::string(value.get_string()), kXsdString);
        if (value.is_bool()) return typed(value.get_bool() ? "true" : "false", std::string(kXsd) + "boolean");
        const double number = value.to_number<double>();
        if (std::fmod(number, 1.0) == 0.0 && std::fabs(number) < 1e21 && datatype != std::string(kXsd) + "double") {
            char text[64];
            std::snprintf(text, sizeof text, "%.0f", number == 0.0 ? 0.0 : number);
            return typed(text, std::string(kXsd) + "integer");
        }
        return typed(canonical_double(number), std::string(kXsd) + "double");
    }

    static std::string canonical_double(double number) {
        char text[64];
        std::snprintf(text, sizeof text, "%.15E", number);
        std::string mantissa(text);
        const auto e = mantissa.find('E');
        std::string exponent = std::to_string(std::stoi(mantissa.substr(e + 1)));
        mantissa.resize(e);
        while (mantissa.ends_with('0') && !mantissa.ends_with(".0")) mantissa.pop_back();
        return mantissa + "E" + exponent;
    }

    void collect(const json::value& value, std::vector<std::string>& out) const {
        if (value.is_array())
            for (const json::value& each : value.get_array()) out.push_back(string_of(each));
        else
            out.push_back(string_of(value));
    }
    std::string string_of(const json::value& value) const {
        if (!value.is_string()) fail("expected a string");
        return std::string(value.get_string());
    }

    std::vector<RdfQuad> quads_;
    std::vector<std::string> path_;
    std::size_t blanks_ = 0;
    std::map<JsonLdKey, JsonLdContextPtr> cache_;
    std::vector<JsonLdContextPtr> kept_;
};

}  // namespace

std::vector<RdfQuad> to_rdf(const json::value& document) {
    return JsonLdReader().run(document);
}

bool is_known_context(std::string_view url) {
    return jsonld_contexts().contains(url);
}

}  // namespace clrbus::credentials
