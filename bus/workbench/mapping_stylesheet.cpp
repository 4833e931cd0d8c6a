// A mapping sheet as an XSLT stylesheet, and back.
#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "core/text.hpp"
#include "workbench/mapping.hpp"
#include "xml/parser.hpp"

namespace clrbus::workbench {
namespace {

// Text in an attribute of a literal result element: braces are doubled there.
std::string literal_attribute(std::string_view text) {
    std::string out;
    for (const char c : xml_escaped(text)) {
        out += c;
        if (c == '{' || c == '}') out += c;
    }
    return out;
}

// A quoted XPath string in an attribute; text with both quotes is put together.
std::string xpath_text(const std::string& text) {
    if (text.find('\'') == std::string::npos) return "'" + xml_escaped(text) + "'";
    if (text.find('"') == std::string::npos) return "&quot;" + xml_escaped(text) + "&quot;";
    std::string out = "concat(";
    std::string part;
    for (const char c : text) {
        if (c != '\'') {
            part += c;
            continue;
        }
        out += "'" + xml_escaped(part) + "', &quot;'&quot;, ";
        part.clear();
    }
    return out + "'" + xml_escaped(part) + "')";
}

std::vector<std::string> parted(const std::string& text, char separator) {
    std::vector<std::string> out;
    std::size_t at = 0;
    while (at <= text.size()) {
        const std::size_t end = std::min(text.find(separator, at), text.size());
        if (end > at) out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

// One element of the message that is being built: attributes and text come from rows.
struct Place {
    std::string name, brackets;
    std::vector<std::pair<std::string, const MappingRow*>> attributes;
    const MappingRow* text = nullptr;
    std::vector<std::unique_ptr<Place>> children;
};

Place& below(Place& parent, const std::string& step) {
    const std::size_t open = step.find('[');
    const std::string name = step.substr(0, open);
    const std::string brackets = open == std::string::npos ? "" : step.substr(open + 1, step.size() - open - 2);
    for (const auto& child : parent.children) {
        if (child->name == name && child->brackets == brackets) return *child;
    }
    parent.children.push_back(std::make_unique<Place>());
    parent.children.back()->name = name;
    parent.children.back()->brackets = brackets;
    return *parent.children.back();
}

// The steps of a target; a slash within brackets separates nothing.
std::vector<std::string> steps_of(const std::string& target) {
    std::vector<std::string> out(1);
    bool inside = false;
    for (const char c : target) {
        if (c == '[') inside = true;
        if (c == ']') inside = false;
        if (c == '/' && !inside) {
            out.emplace_back();
        } else {
            out.back() += c;
        }
    }
    return out;
}

std::string plain_target(const std::string& target) {
    const std::size_t open = target.find('['), close = target.rfind(']');
    return open == std::string::npos ? target : target.substr(0, open + 1) + target.substr(close);
}

class StylesheetWriter {
public:
    StylesheetWriter(const MappingSheet& sheet, const std::string& root) : sheet_(sheet), root_(root) {
        const auto& targets = mapping_targets(sheet.kind);
        for (const MappingRow& row : sheet.rows) {
            if (row.rule != "ignore" && row.rule != "missing") rows_.push_back(&row);
            if (row.target == "achievement" && row.rule == "each") each_ = row.source;
        }
        const auto place = [&](const MappingRow* row) {
            const std::string plain = plain_target(row->target);
            return std::find_if(targets.begin(), targets.end(), [&](const MappingTarget& t) { return t.path == plain; }) -
                   targets.begin();
        };
        std::stable_sort(rows_.begin(), rows_.end(), [&](const auto* a, const auto* b) { return place(a) < place(b); });
    }

    std::string body() {
        out_ = "  <xsl:template match=\"/\">\n    <xsl:variable name=\"record\" select=\"/*\"/>\n";
        for (const std::string& target : missing_targets(sheet_)) {
            out_ += "    <xsl:message terminate=\"yes\">MAP-002|error|/|the mapping has no source for " + target +
                    " yet</xsl:message>\n";
        }
        variables(false, "    ");
        Place message;
        message.name = sheet_.kind;
        for (const MappingRow* row : rows_) place(message, *row);
        for (const char* must : {"learner", "achievement"}) {
            if (sheet_.kind == "statement") below(message, must);
        }
        out_ += "    <" + sheet_.kind + " source=\"" + literal_attribute(sheet_.source) + "\"";
        if (sheet_.kind == "statement") out_ += " covers=\"" + sheet_.covers + "\"";
        out_ += ">\n";
        inner(message, "      ");
        out_ += "    </" + sheet_.kind + ">\n  </xsl:template>\n";
        return std::move(out_);
    }

private:
    static bool of_achievement(const MappingRow& row) { return row.target.rfind("achievement/", 0) == 0; }

    static void place(Place& message, const MappingRow& row) {
        if (row.target == "achievement") {
            below(message, "achievement");
            return;
        }
        Place* at = &message;
        for (const std::string& step : steps_of(row.target)) {
            if (step.front() == '@') {
                at->attributes.emplace_back(step.substr(1), &row);
                return;
            }
            at = &below(*at, step);
        }
        at->text = &row;
    }

    std::string source(const std::string& path, bool inside) const {
        if (inside && path == each_) return ".";
        if (inside && path.rfind(each_ + "/", 0) == 0) return xml_escaped(path.substr(each_.size() + 1));
        return "$record/" + xml_escaped(path);
    }

    std::string variable(const MappingRow& row) const {
        const auto found = std::find(rows_.begin(), rows_.end(), &row);
        return "v" + std::to_string(found - rows_.begin() + 1);
    }

    void variables(bool inside, const std::string& indent) {
        for (const MappingRow* row : rows_) {
            if (row->rule == "each" || row->rule == "constant") continue;
            const bool here = !each_.empty() && of_achievement(*row);
            if (here != inside) continue;
            one_variable(*row, inside, indent);
            if (required(*row)) {
                out_ += indent + "<xsl:if test=\"$" + variable(*row) +
                        " = ''\"><xsl:message terminate=\"yes\">MAP-001|error|/" +
                        xml_escaped(root_ + (row->source.empty() ? "" : "/" + row->source)) + "|empty, and " +
                        xml_escaped(row->target) + " needs it</xsl:message></xsl:if>\n";
            }
        }
    }

    bool required(const MappingRow& row) const {
        const std::string plain = plain_target(row.target);
        if (plain.back() == ']') return false;  // an identifier may be absent when there is another
        const auto& targets = mapping_targets(sheet_.kind);
        return std::any_of(targets.begin(), targets.end(),
                           [&](const MappingTarget& t) { return t.path == plain && t.required; });
    }

    void one_variable(const MappingRow& row, bool inside, const std::string& indent) {
        const std::string name = variable(row);
        const std::string s = source(row.source, inside);
        const std::string text = "normalize-space(" + s + ")";
        const auto select = [&](const std::string& expression) {
            out_ += indent + "<xsl:variable name=\"" + name + "\" select=\"" + expression + "\"/>\n";
        };
        const auto guarded = [&](const std::string& expression) {
            out_ += indent + "<xsl:variable name=\"" + name + "\"><xsl:if test=\"" + text + " != ''\"><xsl:value-of select=\"" +
                    expression + "\"/></xsl:if></xsl:variable>\n";
        };
        const std::string instant = "f:date-time(translate(" + text + ", ' ', 'T'), $zone)";
        if (row.rule == "text") return select("string(" + s + ")");
        if (row.rule == "date") {
            if (row.argument.empty()) return select("substring(" + text + ", 1, 10)");
            return select("f:parse-date(" + text + ", " + xpath_text(row.argument) + ")");
        }
        if (row.rule == "instant") return guarded(instant);
        if (row.rule == "version") {
            out_ += indent + "<xsl:variable name=\"" + name + "\"><xsl:choose><xsl:when test=\"f:matches(" + text +
                    ", '^[0-9]{1,18}$')\"><xsl:value-of select=\"" + text + "\"/></xsl:when><xsl:when test=\"" + text +
                    " != ''\"><xsl:value-of select=\"concat(substring(f:utc(" + instant +
                    "), 1, 19), 'Z')\"/></xsl:when></xsl:choose></xsl:variable>\n";
            return;
        }
        if (row.rule == "number") return select("f:number(" + text + ")");
        if (row.rule == "lower" || row.rule == "upper") return select("f:" + row.rule + "(" + text + ")");
        if (row.rule == "code") {
            const std::size_t colon = row.argument.find(':');
            const std::string column = colon == std::string::npos ? "name" : row.argument.substr(colon + 1);
            return select("f:code(" + xpath_text(row.argument.substr(0, colon)) + ", " + text + ", " + xpath_text(column) +
                          ")");
        }
        if (row.rule == "map") return mapped(row, name, text, indent);
        if (row.rule == "join") return joined_sources(row, inside, name, indent);
        if (row.rule == "xpath") return select(xml_escaped(row.argument));
        select(text);
    }

    void mapped(const MappingRow& row, const std::string& name, const std::string& text, const std::string& indent) {
        out_ += indent + "<xsl:variable name=\"" + name + "\"><xsl:choose>";
        std::string otherwise;
        for (const std::string& pair : parted(row.argument, ';')) {
            const std::size_t equals = pair.find('=');
            const std::string from = pair.substr(0, equals), to = equals == std::string::npos ? "" : pair.substr(equals + 1);
            if (from == "*") {
                otherwise = to;
            } else {
                out_ += "<xsl:when test=\"" + text + " = " + xpath_text(from) + "\">" + xml_escaped(to) + "</xsl:when>";
            }
        }
        if (otherwise.empty()) {
            // A value that nobody named is not guessed.
            out_ += "<xsl:when test=\"" + text + " != ''\"><xsl:message terminate=\"yes\">MAP-003|error|/" +
                    xml_escaped(root_ + "/" + row.source) + "|a value that the mapping of " + xml_escaped(row.target) +
                    " does not name</xsl:message></xsl:when>";
        } else {
            out_ += "<xsl:otherwise>" + xml_escaped(otherwise) + "</xsl:otherwise>";
        }
        out_ += "</xsl:choose></xsl:variable>\n";
    }

    void joined_sources(const MappingRow& row, bool inside, const std::string& name, const std::string& indent) {
        const std::string between = xpath_text(row.argument.empty() ? "|" : row.argument);
        std::string all;
        const auto sources = parted(row.source, ' ');
        for (const std::string& one : sources) {
            all += (all.empty() ? "" : ", " + between + ", ") + ("normalize-space(" + source(one, inside) + ")");
        }
        out_ += indent + "<xsl:variable name=\"" + name + "\" select=\"" + (sources.size() > 1 ? "concat(" + all + ")" : all) +
                "\"/>\n";
    }

    // What decides whether the place is written: the variables of it and below; constants alone write nothing.
    void deciding(const Place& place, std::vector<std::string>& variables_found, bool& always) const {
        const auto look = [&](const MappingRow* row) {
            if (row->rule != "constant" && row->rule != "each") variables_found.push_back("$" + variable(*row));
        };
        for (const auto& [name, row] : place.attributes) look(row);
        if (place.text != nullptr) look(place.text);
        for (const auto& child : place.children) deciding(*child, variables_found, always);
        if (place.name == "learner" || place.name == "achievement") always = true;
        if (place.text != nullptr && place.text->rule == "constant") always = true;
    }

    void attribute(const std::string& name, const MappingRow& row, const std::string& indent) {
        if (row.rule == "constant") {
            out_ += indent + "<xsl:attribute name=\"" + name + "\">" + xml_escaped(row.argument) + "</xsl:attribute>\n";
        } else if (required(row)) {
            out_ += indent + "<xsl:attribute name=\"" + name + "\"><xsl:value-of select=\"$" + variable(row) +
                    "\"/></xsl:attribute>\n";
        } else {
            out_ += indent + "<xsl:if test=\"$" + variable(row) + " != ''\"><xsl:attribute name=\"" + name +
                    "\"><xsl:value-of select=\"$" + variable(row) + "\"/></xsl:attribute></xsl:if>\n";
        }
    }

    void inner(const Place& place, const std::string& indent) {
        for (const auto& [name, row] : place.attributes) attribute(name, *row, indent);
        for (const auto& child : place.children) element(*child, indent);
    }

    void element(const Place& place, std::string indent) {
        if (place.text != nullptr && place.text->rule == "each") {
            out_ += indent + "<xsl:for-each select=\"" +
                    source(place.text->source, !each_.empty() && of_achievement(*place.text)) +
                    "[normalize-space() != '']\"><" + place.name + "><xsl:value-of select=\"normalize-space()\"/></" +
                    place.name + "></xsl:for-each>\n";
            return;
        }
        const bool repeated = place.name == "achievement" && !each_.empty();
        if (repeated) {
            out_ += indent + "<xsl:for-each select=\"$record/" + xml_escaped(each_) + "\">\n";
            indent += "  ";
            variables(true, indent);
        }
        std::vector<std::string> names;
        bool always = false;
        deciding(place, names, always);
        const std::string outer = indent;
        if (!always && !names.empty()) {
            std::string all;
            for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
            out_ += indent + "<xsl:if test=\"" + (names.size() > 1 ? "concat(" + all + ")" : all) + " != ''\">\n";
            indent += "  ";
        }
        open(place, indent);
        if (!always && !names.empty()) out_ += outer + "</xsl:if>\n";
        if (repeated) out_ += outer.substr(2) + "</xsl:for-each>\n";
    }

    void open(const Place& place, const std::string& indent) {
        const std::size_t bar = place.brackets.find('|');
        const std::string first = literal_attribute(place.brackets.substr(0, bar));
        const std::string second = bar == std::string::npos ? "" : literal_attribute(place.brackets.substr(bar + 1));
        if (place.name == "identifier" || place.name == "other-identifier") {
            const std::string value =
                place.text->rule == "constant" ? literal_attribute(place.text->argument) : "{$" + variable(*place.text) + "}";
            out_ +=
                indent + "<" + place.name + " scheme=\"" + first + "\" issuer=\"" + second + "\" value=\"" + value + "\"/>\n";
            return;
        }
        out_ += indent + "<" + place.name;
        if (place.name == "result") out_ += " type=\"" + first + "\" name=\"" + second + "\"";
        if (place.name == "evidence") out_ += " name=\"" + first + "\"";
        if (place.text != nullptr) {
            out_ += place.text->rule == "constant" ? ">" + xml_escaped(place.text->argument)
                                                   : "><xsl:value-of select=\"$" + variable(*place.text) + "\"/>";
            out_ += "</" + place.name + ">\n";
            return;
        }
        out_ += ">\n";
        inner(place, indent + "  ");
        out_ += indent + "</" + place.name + ">\n";
    }

    const MappingSheet& sheet_;
    std::string root_;
    std::vector<const MappingRow*> rows_;  // that write something, in the order of the message
    std::string each_;                     // the source of the repeated achievement, "" for one
    std::string out_;
};

std::string sheet_element(const MappingSheet& sheet, const std::string& root) {
    std::string out = "  <m:mapping kind=\"" + sheet.kind + "\" source=\"" + xml_escaped(sheet.source) + "\"" +
                      (sheet.covers.empty() ? "" : " covers=\"" + sheet.covers + "\"") + " root=\"" + xml_escaped(root) +
                      "\">\n";
    for (const auto& [prefix, uri] : sheet.prefixes)
        out += "    <m:namespace prefix=\"" + xml_escaped(prefix) + "\" uri=\"" + xml_escaped(uri) + "\"/>\n";
    for (const MappingRow& row : sheet.rows) {
        out += "    <m:row";
        const auto attribute = [&out](const char* name, const std::string& value) {
            if (!value.empty()) out += std::string(" ") + name + "=\"" + xml_escaped(value) + "\"";
        };
        attribute("target", row.target);
        attribute("source", row.source);
        attribute("rule", row.rule);
        attribute("argument", row.argument);
        attribute("note", row.note);
        out += "/>\n";
    }
    return out + "  </m:mapping>\n";
}

}  // namespace

std::string write_mapping_stylesheet(const MappingSheet& sheet, const std::string& root) {
    const std::string body = StylesheetWriter(sheet, root).body();
    std::string out =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<!-- Written from the mapping sheet that it carries: 'clrbus mapping show' takes the sheet out as CSV, 'clrbus "
        "mapping write'\n"
        "     puts it back. Once the template is edited by hand, it is a stylesheet like any other and the sheet is history. "
        "-->\n"
        "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" "
        "xmlns=\"urn:clrbus:learner-record:1\"\n"
        "                xmlns:f=\"urn:clrbus:functions:1\" xmlns:m=\"urn:clrbus:mapping:1\"";
    std::string excluded = "f m";
    for (const auto& [prefix, uri] : sheet.prefixes) {
        out += "\n                xmlns:" + prefix + "=\"" + xml_escaped(uri) + "\"";
        excluded += " " + prefix;
    }
    out += " exclude-result-prefixes=\"" + excluded + "\">\n";
    out += "  <xsl:output method=\"xml\" encoding=\"UTF-8\" indent=\"no\"/>\n  <xsl:param name=\"zone\" select=\"'UTC'\"/>\n\n";
    out += sheet_element(sheet, root) + "\n" + body + "</xsl:stylesheet>\n";
    return out;
}

MappingSheet read_mapping_stylesheet(std::string_view xsl, const std::string& file, std::string& root, bool& edited) {
    const Document document = XmlParser().parse(xsl, file);
    Node mapping;
    for (const Node child : document.root().children("mapping")) {
        if (child.namespace_uri() == "urn:clrbus:mapping:1") mapping = child;
    }
    if (!mapping) {
        throw Error(Fault::kConfig, "WORK-011", "reading the mapping", Where{.file = file},
                    "the stylesheet carries no mapping sheet")
            .expected("a stylesheet that 'clrbus new system' or 'clrbus mapping write' wrote");
    }
    MappingSheet sheet;
    sheet.kind = mapping.attribute("kind");
    sheet.source = mapping.attribute("source");
    sheet.covers = mapping.attribute("covers");
    root = mapping.attribute("root");
    for (Node child = mapping.first_child(); child; child = child.next()) {
        if (child.name() == "namespace") sheet.prefixes[child.attribute("prefix")] = child.attribute("uri");
        if (child.name() == "row") {
            sheet.rows.push_back({child.attribute("target"), child.attribute("source"), child.attribute("rule"),
                                  child.attribute("argument"), child.attribute("note"), child.line()});
        }
    }
    check_mapping(sheet, file);
    edited = write_mapping_stylesheet(sheet, root) != xsl;
    return sheet;
}

}  // namespace clrbus::workbench
