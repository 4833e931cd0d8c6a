#include "clr/terms.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "crypto/hash.hpp"

namespace clrbus::clr {

namespace {

constexpr std::array<std::string_view, 31> kAchievementTypes{"Achievement",
                                                             "ApprenticeshipCertificate",
                                                             "Assessment",
                                                             "Assignment",
                                                             "AssociateDegree",
                                                             "Award",
                                                             "Badge",
                                                             "BachelorDegree",
                                                             "Certificate",
                                                             "CertificateOfCompletion",
                                                             "Certification",
                                                             "CommunityService",
                                                             "Competency",
                                                             "Course",
                                                             "CoCurricular",
                                                             "Degree",
                                                             "Diploma",
                                                             "DoctoralDegree",
                                                             "Fieldwork",
                                                             "GeneralEducationDevelopment",
                                                             "JourneymanCertificate",
                                                             "LearningProgram",
                                                             "License",
                                                             "Membership",
                                                             "ProfessionalDoctorate",
                                                             "QualityAssuranceCredential",
                                                             "MasterCertificate",
                                                             "MasterDegree",
                                                             "MicroCredential",
                                                             "ResearchDoctorate",
                                                             "SecondarySchoolDiploma"};
constexpr std::array<std::string_view, 7> kAlignmentTypes{"ceasn:Competency",  "ceterms:Credential",     "CFItem", "CFRubric",
                                                          "CFRubricCriterion", "CFRubricCriterionLevel", "CTDL"};

template <std::size_t N>
bool term_in(const std::array<std::string_view, N>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

std::string extension_term(std::string_view text) {
    if (text.starts_with("ext:")) text.remove_prefix(4);
    std::string out = "ext:";
    for (const char c : text)
        out += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-' ? c : '-';
    return out.size() > 4 ? out : "ext:other";
}

std::string achievement_type(std::string_view type) {
    return term_in(kAchievementTypes, type) ? std::string(type) : extension_term(type);
}

std::string alignment_type(std::string_view type) {
    if (type.empty() || term_in(kAlignmentTypes, type)) return std::string(type);
    return extension_term(type);
}

std::string identity_type(std::string_view scheme) {
    if (scheme == "email") return "emailAddress";
    if (scheme == "sis-id" || scheme == "institution-id") return "sisSourcedId";
    if (scheme == "login") return "userName";
    return extension_term(scheme);
}

bool is_uri(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == text.npos || colon == 0 || colon + 1 == text.size() || std::isalpha(static_cast<unsigned char>(text[0])) == 0)
        return false;
    for (const char c : text.substr(0, colon))
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '+' && c != '-' && c != '.') return false;
    return std::none_of(text.begin(), text.end(), [](unsigned char c) {
        return c <= 0x20 || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' || c == '{' ||
               c == '|' || c == '}';
    });
}

bool is_language(std::string_view text) {
    const auto letters = [&](std::size_t least, std::size_t most, auto test) {
        std::size_t n = 0;
        while (n < text.size() && test(static_cast<unsigned char>(text[n])) != 0) ++n;
        if (n < least || n > most) return false;
        text.remove_prefix(n);
        return true;
    };
    if (!letters(2, 4, ::islower)) return false;
    if (text.size() >= 5 && text[0] == '-' && std::isupper(static_cast<unsigned char>(text[1])) != 0 &&
        std::islower(static_cast<unsigned char>(text[2])) != 0)
        text.remove_prefix(2), static_cast<void>(letters(3, 3, ::islower));
    if (text.empty()) return true;
    if (text[0] != '-') return false;
    text.remove_prefix(1);
    const bool digits = !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0;
    return (digits ? letters(3, 3, ::isdigit) : letters(2, 2, ::isupper)) && text.empty();
}

bool is_email(std::string_view text) {
    const auto at = text.find('@');
    return at != text.npos && at > 0 && at + 1 < text.size() && text.find('@', at + 1) == text.npos &&
           text.find(' ') == text.npos;
}

std::string slug(std::string_view text) {
    std::string out;
    bool lost = false;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 && byte < 0x80)
            out += static_cast<char>(std::tolower(byte));
        else if (!out.empty() && out.back() != '-')
            out += '-';
        lost = lost || byte >= 0x80;
    }
    while (out.ends_with('-')) out.pop_back();
    if (out.size() > 60) out.resize(60), lost = true;
    // Two texts that differ only in what a slug cannot hold must not become one.
    if (lost || out.empty()) out += (out.empty() ? "x" : "-") + crypto::sha256_hex(text).substr(0, 8);
    return out;
}

std::string type_title(std::string_view type) {
    if (type.starts_with("ext:")) type.remove_prefix(4);
    std::string out;
    for (const char c : type) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isupper(byte) != 0 && !out.empty()) {
            out += ' ';
            out += static_cast<char>(std::tolower(byte));
        } else {
            out += c == '-' || c == '_' ? ' ' : c;
        }
    }
    if (out == "Co curricular") return "Co-curricular activity";
    return out;
}

}  // namespace clrbus::clr
