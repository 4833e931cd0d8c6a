#include "workbench/findings.hpp"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "config/loader.hpp"
#include "workbench/mapping.hpp"
#include "xml/schemas.hpp"
#include "xml/transformer.hpp"

namespace clrbus::workbench {
namespace {

constexpr std::pair<std::string_view, std::string_view> kExpectations[] = {
    {"ADAPT-001", "a longer time"},
    {"CHECK-001", "the namespace of an adapter: urn:clrbus:adapter:NAME:1"},
    {"CHECK-003", "an endpoint element that goes this way"},
    {"CODE-001", "a folder of CSV files"},
    {"CODE-002", "UTF-8"},
    {"CODE-003", "CSV: a field with a quotation mark stands in quotation marks, each mark doubled"},
    {"CODE-004", "a header of two or more different names"},
    {"CODE-005", "as many fields as the header has"},
    {"CODE-006", "each key once"},
    {"CONF-001", "a file that can be read"},
    {"CONF-010", "a value"},
    {"CONF-011", "a whole number"},
    {"CONF-012", "true or false"},
    {"CONF-013", "PT2S, PT24H, P7D or P7Y"},
    {"CONF-014", "the same root element in both files"},
    {"CONF-020", "one of the two"},
    {"CONF-021", "an environment variable that is set"},
    {"CONF-022", "a value in the file or variable"},
    {"CONF-023", "both or none"},
    {"CONF-024", "TLS, or 127.0.0.1"},
    {"CONF-025", "loopback, or users and tokens of its own"},
    {"CONF-026", "password-file, password-env or certificate"},
    {"CONF-030", "one file or one env, each name once"},
    {"CONF-031", "a regular file that its owner alone may read (chmod 600)"},
    {"CONF-032", "an environment variable that is set"},
    {"CONF-033", "a value in the file or variable"},
    {"CONF-034", "the name of a <secret>"},
    {"CONF-040", "each name once"},
    {"HTC-001", "https://HOST[:PORT]/PATH, without a user"},
    {"HTC-002", "https://"},
    {"HTC-005", "secret=\"the name of a <secret>\", where the authentication has one"},
    {"HTL-013", "a <listen protocol=\"https\" port=\"…\"/> in the configuration"},
    {"LINK-020", "amqps://HOST:PORT"},
    {"LINK-021", "user with password-file, certificate-file, or anonymous=\"true\""},
    {"LINK-011", "a <broker url=\"…\"/>"},
    {"ROUTE-010", "a path below the folder"},
    {"ROUTE-011", "the name of a file below the folder"},
    {"ROUTE-012", "one split, as the first step"},
    {"ROUTE-013", "a step of xsd/routes.xsd"},
    {"ROUTE-014", "one parse"},
    {"ROUTE-015", "a path"},
    {"ROUTE-016", "lower case letters, digits, '-', '.' and '_'"},
    {"ROUTE-017", "a <to> that the message comes to"},
    {"ROUTE-018", "an id of its own for each route"},
    {"ROUTE-019", "format=\"xml\" or \"json\", or a split"},
    {"ROUTE-020", "one of the two"},
    {"ROUTE-021", "a header of your own: none that begins with clrbus-"},
    {"ROUTE-022", "<records/>, <route id=\"…\"/>, or the endpoint element of an adapter"},
    {"ROUTE-023", "<split format=\"csv\"/> with quotes as the first step"},
    {"ROUTE-024", "columns=\"…\" of csv, elements=\"…\" of xml or x12, members=\"…\" of json, fields=\"…\" of fixed"},
    {"ROUTE-025", "nothing behind it"},
    {"ROUTE-026", "the id of a route"},
    {"ROUTE-027", "a way that ends"},
    {"ROUTE-028", "a value that xsd/routes.xsd describes, with this format"},
    {"ROUTE-029", "a <parse> in front of it"},
    {"ROUTE-050", "an id of its own for each step in which messages wait"},
    {"ROUTE-051", "a step behind it"},
    {"ROUTE-052", "one of for and until"},
    {"ROUTE-053", "PT1S, PT1M, PT1H"},
    {"ROUTE-054", "count, until, after-first or after-last"},
    {"ROUTE-055", "mode=\"batch\" with a size, or mode=\"stream\" without"},
    {"ROUTE-060", "order=\"key\" with one of order-key and order-header"},
    {"ROUTE-061", "order by key without it"},
    {"ROUTE-062", "a parse or validate as the first step"},
    {"ROUTE-064", "a name of its own for each key"},
    {"ROUTE-130", "a name of its own for each different endpoint"},
    {"ROUTE-137", "the endpoint element of an adapter"},
    {"XPATH-001", "XPath 1.0"},
    {"XSL-001", "a file below the transforms folder"},
    {"XSL-002", "XSLT 1.0"},
    {"XSL-003", "a function of XPath 1.0, XSLT 1.0, EXSLT or urn:clrbus:functions:1"},
    {"XSL-004", "a pure transform: what it needs comes as a parameter"},
    {"XSL-005", "the arguments that bus/xml/README.md names"},
    {"XSL-006", "the name of a CSV file in the codes folder"},
    {"XSD-005", "an attribute of this element"},
    {"XSD-006", "the attribute"},
    {"XSD-050", "a file that can be read"},
    {"XSD-051", "an XML schema without a DOCTYPE"},
    {"XSD-052", "a file beside the schema"},
    {"XSD-054", "a schema of XSD 1.0"},
    {"XSD-055", "a schema of XSD 1.0"},
};

// The name in the first quotation marks of a text, without the mark of a variable's property.
std::string finding_quoted(const std::string& text) {
    const std::size_t from = text.find('\'');
    const std::size_t end = from == std::string::npos ? from : text.find('\'', from + 1);
    return end == std::string::npos ? std::string() : text.substr(from + 1, end - from - 1);
}

// The function in "there is no function f:trimm() (there are: trim, upper)", or 'trimm' among those of XPath; "" when the text
// is none of that.
std::string nearest_function(const std::string& text) {
    constexpr std::string_view kStart = "there is no function ", kKnown = "(there are: ";
    const std::size_t from = text.find(kStart);
    if (from == std::string::npos) return {};
    std::string name = text.substr(from + kStart.size());
    std::vector<std::string> known{
        "boolean",  "ceiling",   "concat",      "contains", "count",         "false",     "floor",           "id",
        "lang",     "last",      "local-name",  "name",     "not",           "number",    "normalize-space", "namespace-uri",
        "position", "round",     "starts-with", "string",   "string-length", "substring", "substring-after", "substring-before",
        "sum",      "translate", "true"};
    if (const std::size_t list = text.find(kKnown); list != std::string::npos) {
        known.clear();
        std::string names = text.substr(list + kKnown.size());
        names.erase(std::min(names.find(')'), names.size()));
        for (std::size_t at = 0; at < names.size();) {
            const std::size_t end = std::min(names.find(", ", at), names.size());
            known.push_back(names.substr(at, end - at));
            at = end + 2;
        }
    }
    if (name.starts_with("'")) name.erase(0, 1);
    name.erase(std::min(name.find_first_of("('"), name.size()));
    if (const std::size_t colon = name.find(':'); colon != std::string::npos) name.erase(0, colon + 1);
    return workbench::nearest(name, known);
}

std::vector<std::string> finding_list(std::string text) {
    std::vector<std::string> out;
    if (text.starts_with("one of ")) text.erase(0, 7);
    while (!text.empty()) {
        const std::size_t end = text.find(", ");
        out.push_back(text.substr(0, end));
        text.erase(0, end == std::string::npos ? end : end + 2);
    }
    return out;
}

// "when: character 5: why": the attribute, and the character of its value (0: none).
std::pair<std::string, std::uint64_t> finding_attribute(const std::string& why) {
    const std::size_t colon = why.find(": ");
    if (colon == std::string::npos || why.find_first_of(" '") < colon) return {};
    constexpr std::string_view kCharacter = "character ";
    std::uint64_t character = 0;
    if (why.compare(colon + 2, kCharacter.size(), kCharacter) == 0)
        character = std::strtoull(why.c_str() + colon + 2 + kCharacter.size(), nullptr, 10);
    return {why.substr(0, colon), character};
}

}  // namespace

std::string_view expectation(std::string_view code) {
    if (code.starts_with("XML-")) return "well-formed XML without a DOCTYPE";
    for (const auto& [known, text] : kExpectations)
        if (known == code) return text;
    return {};
}

const SourcePlaces& Findings::places(const std::string& file) {
    auto& found = places_[file];
    if (!found) {
        std::string bytes;
        try {
            bytes = read_file(file, 64U << 20);
        } catch (const Error&) {
            bytes.clear();  // a finding of its own says so
        }
        found = std::make_unique<SourcePlaces>(bytes);
    }
    return *found;
}

void Findings::place(Finding& finding, const Where& where, const std::string& attribute, std::uint64_t character) {
    finding.file = where.file;
    finding.line = where.line;
    finding.column = where.column;
    if (finding.file.empty()) return;
    const std::string extension = std::filesystem::path(where.file).extension().string();
    const bool readable = finding.code.rfind("XML-", 0) != 0;  // in one that is not well-formed the parser's place is the place
    if (readable && (extension == ".xml" || extension == ".xsl" || extension == ".xsd")) {
        const SourcePlaces& known = places(where.file);
        std::string path = where.path, name = attribute;
        if (const std::size_t at = path.find("/@"); at != std::string::npos) {
            name = path.substr(at + 2);
            path.erase(at);
        }
        if (path.empty() && where.column == 0) path = known.path_at(where.line);
        std::optional<SourcePlace> at = character > 0 ? known.in_value(path, name, character) : known.attribute(path, name);
        if (!at && finding.code == "XSL-002") {
            const std::size_t from = finding.text.find("the expression '"), end = finding.text.find("' is not XPath 1.0");
            if (from != std::string::npos && end != std::string::npos)
                at = known.value_with(path, finding.text.substr(from + 16, end - from - 16));
        }
        if (!at && attribute.empty() && finding.code.starts_with("ROUTE-01")) {
            // The attribute whose value the text quotes.
            if (const std::string quoted = finding_quoted(finding.text); !quoted.empty()) at = known.value_with(path, quoted);
        }
        if (!at) at = known.element(path);
        if (at) {
            finding.line = at->line;
            finding.column = at->column;
        }
    }
    finding.line = std::max<std::uint64_t>(1, finding.line);
    finding.column = std::max<std::uint64_t>(1, finding.column);
}

void Findings::take(Finding finding) {
    if (finding.expected.empty()) finding.expected = expectation(finding.code);
    if (finding.expected.empty()) {
        // Adapters say what an option takes: "<pickup>: match: a name holds no '/'".
        const std::size_t colon = finding.text.rfind(": ");
        finding.expected = finding.text.substr(colon == std::string::npos ? 0 : colon + 2);
    }
    if (const auto names = names_.find(finding.code); names != names_.end() && finding.nearest.empty()) {
        std::string name = finding_quoted(finding.text);
        if (const std::size_t variable = finding.text.rfind('$'); name.empty() && variable != std::string::npos)
            name = finding.text.substr(variable);
        finding.nearest = workbench::nearest(name, names->second());
    }
    if (finding.nearest.empty() && (finding.code == "XSL-003" || finding.code == "XPATH-001"))
        finding.nearest = nearest_function(finding.text);
    const auto same = [&](const Finding& one) {
        return one.code == finding.code && one.file == finding.file && one.line == finding.line &&
               one.column == finding.column && one.text == finding.text;
    };
    if (std::none_of(all_.begin(), all_.end(), same)) all_.push_back(std::move(finding));
}

void Findings::add(const Error& error, const std::string& route, const Config& near) {
    if (const auto* several = dynamic_cast<const StylesheetError*>(&error); several != nullptr && !several->all().empty()) {
        for (const Error& one : several->all()) add(one, route, near);
        return;
    }
    if (const auto* several = dynamic_cast<const ValidationError*>(&error)) {
        for (const Violation& one : several->violations()) {
            Finding finding{Finding::Severity::kError, one.code, {}, route, 0, 0, one.what, one.expected, {}};
            std::string attribute;
            if (one.code == "XSD-005") {
                const std::size_t from = one.what.rfind("('"), end = one.what.rfind("')");
                if (from != std::string::npos && from < end) attribute = one.what.substr(from + 2, end - from - 2);
                if (const auto names = names_.find("attribute"); names != names_.end())
                    finding.nearest = workbench::nearest(attribute, names->second());
                if (finding.nearest == attribute) finding.nearest.clear();  // of another element
            }
            if (one.code == "XSD-003") {
                std::vector<std::string> allowed = finding_list(one.expected);
                finding.nearest = workbench::nearest(finding_quoted(one.what), allowed);
                if (const auto names = names_.find("element"); finding.nearest.empty() && names != names_.end())
                    finding.nearest = workbench::nearest(finding_quoted(one.what), names->second());
            }
            Where where = one.where;
            if (where.file.empty()) where.file = error.where().file;
            place(finding, where, attribute, 0);
            take(std::move(finding));
        }
        return;
    }
    Finding finding{Finding::Severity::kError, error.code(), {}, route, 0, 0, {}, error.expected(), {}};
    finding.text = error.doing().empty() ? error.why() : error.doing() + ": " + error.why();
    const auto [attribute, character] = finding_attribute(error.why());
    const bool placed = error.where().known() || !near;
    place(finding, placed ? error.where() : near.where(), attribute, character);
    take(std::move(finding));
}

void Findings::add(Finding::Severity severity, std::string_view code, const Config& element, std::string_view attribute,
                   std::string text, std::string expected, const std::string& route) {
    Finding finding{severity, std::string(code), {}, route, 0, 0, std::move(text), std::move(expected), {}};
    place(finding, element.where(), std::string(attribute), 0);
    take(std::move(finding));
}

void Findings::add(Finding::Severity severity, std::string_view code, const std::filesystem::path& file, SourcePlace place,
                   std::string text, std::string expected) {
    take({severity,
          std::string(code),
          file.string(),
          {},
          std::max<std::uint64_t>(1, place.line),
          std::max<std::uint64_t>(1, place.column),
          std::move(text),
          std::move(expected),
          {}});
}

const std::vector<Finding>& Findings::sorted() {
    std::stable_sort(all_.begin(), all_.end(), [](const Finding& a, const Finding& b) {
        return std::tie(a.file, a.line, a.column, a.code) < std::tie(b.file, b.line, b.column, b.code);
    });
    return all_;
}

bool Findings::good() const {
    return std::none_of(all_.begin(), all_.end(), [](const Finding& one) { return one.severity == Finding::Severity::kError; });
}

}  // namespace clrbus::workbench
