#include "contract/option_table.hpp"

#include <map>
#include <stdexcept>

#include "config/loader.hpp"
#include "xml/document.hpp"
#include "xml/parser.hpp"

namespace clrbus::contract {

namespace {

std::string value_text(const Node& attribute) {
    std::string values;
    for (const Node& type : attribute.children("simpleType"))
        for (const Node& restriction : type.children("restriction"))
            for (const Node& one : restriction.children("enumeration"))
                values += (values.empty() ? "" : ", ") + one.attribute("value");
    if (!values.empty()) return values;
    static const std::map<std::string, std::string> kTypes{
        {"Text", "text"},     {"Duration", "duration (PT5S)"},         {"xs:boolean", "true, false"},
        {"xs:anyURI", "URL"}, {"xs:positiveInteger", "number from 1"}, {"xs:nonNegativeInteger", "number from 0"}};
    const auto known = kTypes.find(attribute.attribute("type"));
    if (known == kTypes.end()) throw std::runtime_error("no word for the type " + attribute.attribute("type"));
    return known->second;
}

std::string meaning_text(const Node& node) {
    const std::string text = node.child("annotation") ? node.child("annotation").child_text("documentation") : std::string();
    if (text.empty()) throw std::runtime_error(node.path() + " has no documentation");
    std::string cell;
    for (const char c : text) cell += c == '|' ? '/' : c;
    return cell;
}

}  // namespace

std::string option_table(const std::filesystem::path& schema) {
    XmlParser parser;
    const Document document = parser.parse(read_file(schema), schema.string());
    std::string table;
    for (const Node& element : document.root().children("element")) {
        table += "`" + element.attribute("name") + "`: " + meaning_text(element) + "\n\n";
        table += "| option | value | without it | meaning |\n|---|---|---|---|\n";
        for (const Node& type : element.children("complexType")) {
            for (const Node& attribute : type.children("attribute")) {
                const std::string without =
                    attribute.attribute("use") == "required" ? "needed" : attribute.attribute("default");
                table += "| `" + attribute.attribute("name") + "` | " + value_text(attribute) + " | " +
                         (without.empty() || without == "needed" ? without : "`" + without + "`") + " | " +
                         meaning_text(attribute) + " |\n";
            }
        }
    }
    return table;
}

std::string with_table(const std::string& readme, const std::string& table) {
    const std::size_t begin = readme.find(kTableBegin);
    const std::size_t end = readme.find(kTableEnd);
    if (begin == std::string::npos || end == std::string::npos || end < begin)
        throw std::runtime_error("the marks of the option table are missing");
    const std::size_t from = begin + std::string(kTableBegin).size();
    return readme.substr(0, from) + table + readme.substr(end);
}

}  // namespace clrbus::contract
