#include "records/identifiers.hpp"

#include <algorithm>

namespace clrbus::records {
namespace {

constexpr std::size_t kRepeatedDigits = 4;  // shorter ones (22) are real numbers of small systems

std::string lower_trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

bool case_matters(std::string_view scheme) {
    return scheme != "email" && scheme != "login" && scheme != "eppn" && scheme != "orcid";
}

// Alone it names nobody: too widely known, shared or guessable.
bool never_matches(std::string_view scheme) {
    return scheme == "ssn-keyed" || scheme == "ssn" || scheme == "name" || scheme == "birth-date";
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

}  // namespace

IdentifierRules::IdentifierRules(const Vault& vault, const std::vector<std::string>& placeholders,
                                 const std::vector<std::string>& match_schemes)
    : vault_(vault) {
    for (const std::string& value : placeholders) placeholders_.insert(lower_trimmed(value));
    std::copy_if(match_schemes.begin(), match_schemes.end(), std::back_inserter(match_),
                 [](const std::string& scheme) { return !never_matches(scheme); });
}

bool IdentifierRules::is_placeholder(std::string_view value) const {
    const std::string plain = lower_trimmed(value);
    if (placeholders_.count(plain) != 0) return true;
    std::string digits;
    for (const char c : plain) {
        if (c == '-' || c == ' ' || c == '.') continue;
        if (c < '0' || c > '9') return false;
        digits += c;
    }
    if (digits.empty()) return true;  // nothing, or punctuation alone
    if (placeholders_.count(digits) != 0) return true;
    const bool repeated = digits.find_first_not_of(digits.front()) == std::string::npos;
    return repeated && (digits.front() == '0' || digits.size() >= kRepeatedDigits);
}

std::string IdentifierRules::hash(std::string_view scheme, std::string_view issuer, std::string_view value) const {
    if (case_matters(scheme)) return vault_.hash("identifier", scheme, issuer, trimmed(value));
    return vault_.hash("identifier", scheme, issuer, lower_trimmed(value));
}

std::vector<IdentifierRules::Known> IdentifierRules::known(const std::vector<ApplyHeader::Identifier>& identifiers,
                                                           const std::vector<std::string>* allowed) const {
    std::vector<Known> result;
    for (const ApplyHeader::Identifier& id : identifiers) {
        if (is_placeholder(id.value)) continue;
        std::size_t rank = 0;
        if (allowed != nullptr) {
            if (never_matches(id.scheme)) continue;
            rank = static_cast<std::size_t>(std::find(allowed->begin(), allowed->end(), id.scheme) - allowed->begin());
            if (rank == allowed->size()) continue;
        }
        Known known{hash(id.scheme, id.issuer, id.value), std::find(match_.begin(), match_.end(), id.scheme) != match_.end(),
                    rank};
        const auto same = [&](const Known& other) { return other.hash == known.hash; };
        if (std::none_of(result.begin(), result.end(), same)) result.push_back(std::move(known));
    }
    return result;
}

std::vector<IdentifierRules::Known> IdentifierRules::matching(const ApplyHeader& header) const {
    return known(header.identifiers, header.match.empty() ? &match_ : &header.match);
}

}  // namespace clrbus::records
