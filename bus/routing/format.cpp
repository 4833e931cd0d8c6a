#include "routing/format.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "config/config.hpp"
#include "formats/csv_writer.hpp"
#include "formats/json.hpp"
#include "routing/assets.hpp"

namespace clrbus {
namespace {

// Blank separated; names as in expressions (JOB_x0020_CODE).
std::vector<std::string> format_names(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string name; in >> name;) out.push_back(original_name(name));
    return out;
}

// NAME=VALUE, blank separated.
std::vector<std::pair<std::string, std::string>> format_pairs(const Config& element, const char* attribute) {
    std::vector<std::pair<std::string, std::string>> out;
    std::istringstream in(element.get(attribute));
    for (std::string pair; in >> pair;) {
        const std::size_t at = pair.find('=');
        if (at == std::string::npos || at == 0 || at + 1 == pair.size())
            element.fail("ROUTE-028", attribute, "'" + pair + "' is no NAME=VALUE");
        out.emplace_back(original_name(pair.substr(0, at)), pair.substr(at + 1));
    }
    return out;
}

CsvOptions csv_options(const Config& element) {
    CsvOptions out;
    const std::string delimiter = element.get("delimiter"), quote = element.get("quote");
    if (delimiter == "tab") {
        out.delimiter = '\t';
    } else if (delimiter == "auto") {
        out.delimiter = '\0';
    } else if (!delimiter.empty()) {
        if (delimiter.size() != 1 || delimiter == "\n" || delimiter == "\r")
            element.fail("ROUTE-028", "delimiter", "is one ASCII character, \"tab\" or \"auto\"");
        out.delimiter = delimiter[0];
    }
    if (quote == "none") {
        out.quote = '\0';
    } else if (!quote.empty()) {
        if (quote.size() != 1 || quote[0] == out.delimiter || quote == "\n" || quote == "\r")
            element.fail("ROUTE-028", "quote", "is one ASCII character other than the delimiter, or \"none\"");
        out.quote = quote[0];
    }
    out.encoding = element.get("encoding");
    out.header = element.get("header", "yes") != "no";
    out.header_line = static_cast<std::uint64_t>(element.get_int("header-line", 1));
    out.lenient_header = element.get("header") == "lenient";
    out.footer = static_cast<std::size_t>(element.get_int("footer", 0));
    out.pad_ragged = element.get("ragged") == "pad";
    out.columns = format_names(element.get("columns"));
    out.escape_formulas = element.get("formulas") == "escape";
    for (auto& [name, value] : format_pairs(element, "rename")) out.rename[name] = original_name(value);
    for (auto& [name, value] : format_pairs(element, "width")) {
        const bool digits = value.find_first_not_of("0123456789") == std::string::npos && value.size() <= 5;
        if (!digits || std::stoul(value) == 0) element.fail("ROUTE-028", "width", "'" + value + "' is no number of characters");
        out.widths[name] = std::stoul(value);
    }
    if (!out.header && out.columns.empty())
        element.fail("ROUTE-028", "columns", "a file without a header needs the names of its columns");
    if (!out.header && out.header_line != 1) element.fail("ROUTE-028", "header-line", "there is no header");
    return out;
}

}  // namespace

FormatPlan FormatPlan::read(const Config& element, RouteAssets& assets) {
    FormatPlan out;
    const std::string format = element.get("format", "xml");
    out.path = element.get("path");
    const auto only = [&](std::string_view attribute, std::initializer_list<std::string_view> formats) {
        if (element.has(attribute) && std::find(formats.begin(), formats.end(), format) == formats.end())
            element.fail("ROUTE-028", attribute, "format \"" + format + "\" has no such option");
    };
    only("encoding", {"csv", "x12"});
    only("tables", {"x12"});
    only("layout", {"fixed"});
    for (const char* attribute :
         {"delimiter", "quote", "header", "header-line", "footer", "ragged", "columns", "rename", "width", "formulas"})
        only(attribute, {"csv"});
    if (format == "json") out.format = out.path == "lines" ? Format::kJsonLines : Format::kJson;
    if (format == "json-lines") out.format = Format::kJsonLines;
    if (format == "csv") {
        out.format = Format::kCsv;
        out.csv = csv_options(element);
    }
    if (format == "x12") {
        out.format = Format::kX12;
        out.x12.encoding = element.get("encoding");
        if (element.has("tables")) out.x12.tables = assets.x12_tables(element, element.require("tables"));
    }
    if (format == "fixed") {
        out.format = Format::kFixed;
        out.fixed.layout = assets.fixed_layout(element, element.require("layout"));
    }
    return out;
}

Document FormatPlan::parse(std::string_view bytes) const {
    switch (format) {
        case Format::kX12:
            return parse_x12(bytes, x12);
        case Format::kFixed:
            return parse_fixed(bytes, fixed);
        case Format::kCsv:
            return parse_csv(bytes, csv);
        default:
            return parse_json(bytes);
    }
}

std::string FormatPlan::write(const Document& document) const {
    switch (format) {
        case Format::kXml:
            return document.write();
        case Format::kX12:
            return write_x12(document, x12);
        case Format::kFixed:
            return write_fixed(document, fixed);
        case Format::kCsv:
            return write_csv(document, csv);
        case Format::kJsonLines:
            return write_json(document) + "\n";
        case Format::kJson:
            return write_json(document);
    }
    return {};
}

std::string_view FormatPlan::media_type() const {
    switch (format) {
        case Format::kXml:
            return "application/xml";
        case Format::kX12:
            return "application/EDI-X12";
        case Format::kFixed:
            return "text/plain";
        case Format::kCsv:
            return "text/csv";
        case Format::kJsonLines:
            return "application/x-ndjson";
        case Format::kJson:
            return "application/json";
    }
    return {};
}

}  // namespace clrbus
