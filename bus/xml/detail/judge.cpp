#include "xml/detail/judge.hpp"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>
#include <libxml/xmlschemas.h>

#include <memory>
#include <new>

#include "xml/detail/library.hpp"
#include "xml/detail/schema_unit.hpp"
#include "xml/detail/text.hpp"
#include "xml/detail/tree.hpp"

namespace clrbus::xml_detail {

namespace {

constexpr std::size_t kMostNames = 8;
constexpr std::size_t kLongestExpected = 300;

struct JudgeKind {
    const char* code;
    const char* what;  // behind "element 'x'"
};

std::string_view judge_after(std::string_view text, std::string_view mark) {
    const std::size_t at = text.rfind(mark);
    return at == std::string_view::npos ? std::string_view() : text.substr(at + mark.size());
}

// 'x' between the first quotes.
std::string judge_quoted(std::string_view text) {
    const std::size_t from = text.find('\'');
    if (from == std::string_view::npos) return {};
    const std::size_t to = text.find('\'', from + 1);
    return to == std::string_view::npos ? std::string() : std::string(text.substr(from + 1, to - from - 1));
}

// "( {urn:x}A, B )." -> "one of A, B"
std::string judge_names(std::string_view list) {
    std::vector<std::string> names;
    std::string name;
    std::size_t more = 0;
    int braces = 0;
    for (const char c : list) {
        if (c == '{') ++braces;
        const bool separator = braces == 0 && (c == ',' || c == ' ' || c == '(' || c == ')' || c == '\n');
        if (!separator && braces == 0) name += c;
        if (c == '}') --braces;
        if (!separator) continue;
        if (!name.empty() && name != "." && name != "of" && name != "one" && name != "is") {
            if (names.size() < kMostNames) {
                names.push_back(name.starts_with("##") ? "any other element" : name);
            } else {
                ++more;
            }
        }
        name.clear();
        if (c == ')') break;
    }
    std::string text = names.size() > 1 ? "one of " : "";
    for (std::size_t i = 0; i < names.size(); ++i) text += (i != 0 ? ", " : "") + names[i];
    if (more != 0) text += " and " + std::to_string(more) + " more";
    return text;
}

std::string judge_short(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '.' || text.back() == ' ')) text.pop_back();
    if (text.size() > kLongestExpected) {
        std::size_t end = kLongestExpected;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
        text = text.substr(0, end) + " …";
    }
    return text;
}

// What a facet wants. The document's value stands before the marks, so the last mark is the schema's.
std::string judge_facet(int code, std::string_view text) {
    const auto limit = [&](std::string_view mark) { return judge_quoted(judge_after(text, mark)); };
    switch (code) {
        case XML_SCHEMAV_CVC_ENUMERATION_VALID: {
            std::string set(judge_after(text, "is not an element of the set {"));
            if (const std::size_t end = set.rfind('}'); end != std::string::npos) set.resize(end);
            return set.empty() ? "one of the values that the schema lists" : "one of " + judge_short(set);
        }
        case XML_SCHEMAV_CVC_PATTERN_VALID: {
            std::string pattern(judge_after(text, "is not accepted by the pattern "));
            return "the pattern " + judge_short(pattern);
        }
        case XML_SCHEMAV_CVC_LENGTH_VALID:
            return "a length of " + limit("differs from the allowed length of ");
        case XML_SCHEMAV_CVC_MINLENGTH_VALID:
            return "a length of at least " + limit("underruns the allowed minimum length of ");
        case XML_SCHEMAV_CVC_MAXLENGTH_VALID:
            return "a length of at most " + limit("exceeds the allowed maximum length of ");
        case XML_SCHEMAV_CVC_MININCLUSIVE_VALID:
            return "at least " + limit("is less than the minimum value allowed (");
        case XML_SCHEMAV_CVC_MAXINCLUSIVE_VALID:
            return "at most " + limit("is greater than the maximum value allowed (");
        case XML_SCHEMAV_CVC_MINEXCLUSIVE_VALID:
            return "more than " + limit("must be greater than ");
        case XML_SCHEMAV_CVC_MAXEXCLUSIVE_VALID:
            return "less than " + limit("must be less than ");
        case XML_SCHEMAV_CVC_TOTALDIGITS_VALID:
            return "at most " + limit("has more digits than are allowed (") + " digits";
        case XML_SCHEMAV_CVC_FRACTIONDIGITS_VALID:
            return "at most " + limit("has more fractional digits than are allowed (") + " digits behind the point";
        default: {
            const std::string type = judge_quoted(judge_after(text, "is not a valid value of the "));
            return "a value of " + (type.empty() ? std::string("the type that the schema gives it") : "type " + type);
        }
    }
}

JudgeKind judge_kind(int code, bool missing) {
    switch (code) {
        case XML_SCHEMAV_CVC_ELT_1:
            return {"XSD-001", "is not declared as a root"};
        case XML_SCHEMAV_ELEMENT_CONTENT:
            return missing ? JudgeKind{"XSD-002", "ends too early: a child element is missing"}
                           : JudgeKind{"XSD-003", "is not allowed here"};
        case XML_SCHEMAV_CVC_ELT_5_2_1:
        case XML_SCHEMAV_CVC_TYPE_3_1_1:
            return {"XSD-005", "has attributes that its type does not allow"};
        case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_1:
            return {"XSD-007", "must be empty"};
        case XML_SCHEMAV_CVC_TYPE_3_1_2:
        case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_2:
            return {"XSD-003", "has child elements but holds a simple value"};
        case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_3:
            return {"XSD-007", "holds text between its child elements"};
        case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_4:
            return {"XSD-003", "is not allowed here"};
        case XML_SCHEMAV_CVC_COMPLEX_TYPE_3_1:
        case XML_SCHEMAV_CVC_COMPLEX_TYPE_3_2_1:
        case XML_SCHEMAV_CVC_COMPLEX_TYPE_3_2_2:
            return {"XSD-005", "has an attribute that is not allowed"};
        case XML_SCHEMAV_CVC_COMPLEX_TYPE_4:
            return {"XSD-006", "lacks a required attribute"};
        case XML_SCHEMAV_CVC_IDC:
            return {"XSD-008", "breaks a rule on keys"};
        case XML_SCHEMAV_CVC_ELT_2:
        case XML_SCHEMAV_CVC_ELT_3_1:
        case XML_SCHEMAV_CVC_ELT_3_2_1:
        case XML_SCHEMAV_CVC_ELT_3_2_2:
        case XML_SCHEMAV_CVC_ELT_4_1:
        case XML_SCHEMAV_CVC_ELT_4_2:
        case XML_SCHEMAV_CVC_ELT_4_3:
        case XML_SCHEMAV_CVC_TYPE_2:
            return {"XSD-009", "has a type or nil mark that is not allowed"};
        case XML_SCHEMAV_CVC_WILDCARD:
            return {"XSD-003", "is not declared in any schema"};
        default:
            return {"XSD-004", "has a value that is not valid"};
    }
}

Violation judge_violation(const Complaint& complaint, std::string_view file) {
    const auto* node = static_cast<const xmlNode*>(complaint.node);
    std::string_view text = complaint.text;
    Violation violation;
    violation.where.file = file;
    std::string attribute;
    if (node != nullptr && node->type == XML_ATTRIBUTE_NODE) {
        attribute = reinterpret_cast<const char*>(node->name);
        node = node->parent;
    } else if (text.starts_with("Element '")) {
        const std::string_view rest = text.substr(text.find('\'', 9) + 1);
        if (rest.starts_with(", attribute '")) attribute = judge_quoted(rest);
    }
    std::string name = "?";
    if (node != nullptr) {
        name = shown_name(reinterpret_cast<const char*>(node->name));
        violation.where.path = path_of(node);
        violation.where.line = line_of(node);
        violation.where.column = column_of(node);
    }
    const std::string_view wanted = complaint.code == XML_SCHEMAV_ELEMENT_CONTENT || complaint.code == XML_SCHEMAV_CVC_WILDCARD
                                        ? judge_after(text, "Expected is ")
                                        : std::string_view();
    const bool missing = text.find("Missing child element") != std::string_view::npos;
    const JudgeKind kind = judge_kind(complaint.code, missing);
    violation.code = kind.code;
    violation.what = "element '" + name + "' " + kind.what;
    if (!wanted.empty()) violation.expected = judge_names(wanted);
    if (violation.code == "XSD-003" && violation.expected.empty()) violation.expected = "no further element";
    if (violation.code == "XSD-004") violation.expected = judge_facet(complaint.code, text);
    if (violation.code == "XSD-005" || violation.code == "XSD-006") {
        // "The attribute 'x' is required but missing": the schema's or the document's name, not a value.
        const std::string named = judge_quoted(judge_after(text, "The attribute "));
        if (!named.empty()) violation.what += " ('" + shown_name(named) + "')";
    } else if (violation.code == "XSD-008") {
        const std::string rule = judge_quoted(judge_after(text, "identity-constraint "));
        const bool twice = text.find("Duplicate key-sequence") != std::string_view::npos;
        violation.what =
            "element '" + name + (twice ? "' repeats a key that must be unique" : "' lacks or refers to a missing key");
        if (!rule.empty()) violation.expected = "the rule '" + rule + "'";
    } else if (!attribute.empty()) {
        violation.where.path += "/@" + shown_name(attribute);
        if (violation.code == "XSD-004") {
            violation.what =
                "attribute '" + shown_name(attribute) + "' of element '" + name + "' has a value that is not valid";
        }
    }
    return violation;
}

}  // namespace

std::string shown_name(std::string_view name) {
    std::string shown;
    for (std::size_t at = 0; at < name.size() && shown.size() < 120;) {
        const std::size_t from = at;
        const char32_t c = next_character(name, at);
        if (c < 0x20 || c == 0x7F || c == 0x2028 || c == 0x2029) {
            shown += '?';
        } else {
            shown.append(name, from, at - from);
        }
    }
    if (shown.size() >= 120) shown += "…";
    return shown;
}

std::vector<Violation> judge_tree(const SchemaUnit& unit, xmlDoc* document, std::string_view file) {
    Complaints complaints(4 * kMostViolations);
    const std::unique_ptr<xmlSchemaValidCtxt, void (*)(xmlSchemaValidCtxt*)> context(xmlSchemaNewValidCtxt(unit.tree_schema()),
                                                                                     xmlSchemaFreeValidCtxt);
    if (!context) throw std::bad_alloc();
    xmlSchemaSetValidStructuredErrors(context.get(), reinterpret_cast<xmlStructuredErrorFunc>(&Complaints::take), &complaints);
    const int result = xmlSchemaValidateDoc(context.get(), document);
    std::vector<Violation> violations;
    if (result == 0) return violations;
    for (const Complaint& complaint : complaints.list()) {
        Violation violation = judge_violation(complaint, file);
        // A facet is followed by a second message on the type of the same value.
        if (!violations.empty() && violation.code == "XSD-004" && violations.back().code == violation.code &&
            violations.back().where.path == violation.where.path) {
            continue;
        }
        violations.push_back(std::move(violation));
        if (violations.size() == kMostViolations) break;
    }
    if (violations.empty()) {
        Violation unknown;
        unknown.where = place(std::string(file));
        unknown.code = "XSD-019";
        unknown.what = "the document is not valid";
        violations.push_back(std::move(unknown));
    }
    return violations;
}

ValidationError violations_error(std::vector<Violation> violations) {
    const Violation& first = violations.front();
    Error error(Fault::kPoison, first.code, "validating", first.where, first.what);
    if (!first.expected.empty()) error.expected(first.expected);
    return ValidationError(std::move(error), std::move(violations));
}

}  // namespace clrbus::xml_detail
