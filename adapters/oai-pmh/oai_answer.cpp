#include "adapters_oai_pmh/oai_answer.hpp"

#include <algorithm>
#include <charconv>

#include "core/clock.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "xml/parser.hpp"

namespace clrbus::adapters::oai_pmh {

namespace {

constexpr std::string_view kOaiNamespace = "http://www.openarchives.org/OAI/2.0/";
constexpr std::string_view kOaiErrors[] = {
    "badArgument",    "badResumptionToken", "badVerb",           "cannotDisseminateFormat",
    "idDoesNotExist", "noRecordsMatch",     "noMetadataFormats", "noSetHierarchy"};

Error no_answer(const std::string& why) {
    return Error(Fault::kAway, "HARV-012", "reading an answer", why);
}

std::string oai_time(const std::string& text) {
    try {
        return to_rfc3339(from_rfc3339(text));
    } catch (const Error&) {
        throw no_answer("responseDate is no time");
    }
}

void read_errors(const Node& root, OaiAnswer& out) {
    for (const Node& one : root.children("error")) {
        const std::string code = one.attribute("code");
        if (std::find(std::begin(kOaiErrors), std::end(kOaiErrors), code) == std::end(kOaiErrors))
            throw Error(Fault::kAway, "HARV-013", "reading an answer", "the repository says that something is wrong");
        out.error = code;
    }
    if (!out.error.empty() && out.error != "noRecordsMatch" && out.error != "badResumptionToken")
        throw Error(Fault::kAway, "HARV-013", "reading an answer", "the repository says " + out.error);
}

void read_list(const Node& list, OaiAnswer& out) {
    for (const Node& record : list.children("record")) {
        const Node head = record.child("header");
        OaiRecord one{head ? head.child_text("identifier") : "", head ? head.child_text("datestamp") : "", ""};
        if (one.identifier.empty() || one.datestamp.empty()) throw no_answer("a record without identifier or datestamp");
        one.body = "<OAI-PMH xmlns=\"" + std::string(kOaiNamespace) + "\"><GetRecord>" + Document::write(record) +
                   "</GetRecord></OAI-PMH>";
        out.records.push_back(std::move(one));
    }
    out.token = list.child_text("resumptionToken");
    // Blanks around it are none of it.
    out.token.erase(0, std::min(out.token.find_first_not_of(" \t\r\n"), out.token.size()));
    while (!out.token.empty() && std::string_view(" \t\r\n").find(out.token.back()) != std::string_view::npos)
        out.token.pop_back();
}

bool is_forbidden(unsigned value) {
    return value == 0 || (value < 0x20 && value != '\t' && value != '\n' && value != '\r') ||
           (value >= 0xD800 && value < 0xE000) || value == 0xFFFE || value == 0xFFFF || value > 0x10FFFF;
}

// The length of a reference to a forbidden character at the beginning of text; 0 when there is none.
std::size_t forbidden_reference(std::string_view text) {
    if (text.substr(0, 2) != "&#") return 0;
    const bool hex = text.size() > 2 && text[2] == 'x';
    const std::size_t from = hex ? 3 : 2, end = text.substr(0, 16).find(';');
    if (end == std::string_view::npos || end == from) return 0;
    unsigned value = 0;
    const auto [rest, error] = std::from_chars(text.data() + from, text.data() + end, value, hex ? 16 : 10);
    return error == std::errc{} && rest == text.data() + end && is_forbidden(value) ? end + 1 : 0;
}

}  // namespace

std::string without_control_characters(const std::string& xml, std::size_t& changed) {
    std::string out;
    out.reserve(xml.size());
    for (std::size_t i = 0; i < xml.size(); ++i) {
        const auto c = static_cast<unsigned char>(xml[i]);
        const std::size_t reference = c == '&' ? forbidden_reference(std::string_view(xml).substr(i, 16)) : 0;
        if (reference == 0 && (c >= 0x20 || !is_forbidden(c))) {
            out += xml[i];
            continue;
        }
        ++changed;
        if (reference != 0) i += reference - 1;
    }
    return out;
}

OaiAnswer read_oai_answer(const std::string& body, const std::string& verb, bool repair) {
    std::size_t changed = 0;
    Document document;
    try {
        document = XmlParser().parse(repair ? without_control_characters(body, changed) : body);
    } catch (const Error& error) {
        throw no_answer("no XML: " + error.code());
    }
    if (changed != 0) counter("clrbus_harvest_characters_removed_total").add(static_cast<std::int64_t>(changed));
    const Node root = document.root();
    if (root.name() != "OAI-PMH" || root.namespace_uri() != kOaiNamespace) throw no_answer("not of OAI-PMH 2.0");
    OaiAnswer out;
    out.response_date = oai_time(root.child_text("responseDate"));
    read_errors(root, out);
    if (!out.error.empty()) return out;
    const Node answer = root.child(verb);
    if (!answer) throw no_answer("it holds no " + verb);
    if (verb == "Identify") {
        out.granularity = answer.child_text("granularity");
        out.deleted_record = answer.child_text("deletedRecord");
    } else {
        read_list(answer, out);
    }
    return out;
}

}  // namespace clrbus::adapters::oai_pmh
