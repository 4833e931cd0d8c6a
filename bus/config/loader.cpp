#include "config/loader.hpp"

#include <cstdio>
#include <fstream>
#include <utility>

#include "config/element.hpp"
#include "core/text.hpp"
#include "xml/document.hpp"
#include "xml/parser.hpp"
#include "xml/schemas.hpp"

namespace clrbus {
namespace {

using ElementPtr = std::shared_ptr<const Config::Element>;

ElementPtr element_of(Node node, const std::string& file) {
    auto element = std::make_shared<Config::Element>();
    element->name = node.name();
    element->namespace_uri = node.namespace_uri();
    element->where.file = file;
    element->where.line = node.line();
    element->where.path = node.path();
    element->namespaces = node.namespaces();
    for (const auto& attribute : node.attributes()) {
        if (attribute.namespace_uri.empty()) element->attributes.emplace(attribute.name, attribute.value);
    }
    for (Node child = node.first_child(); child; child = child.next()) element->children.push_back(element_of(child, file));
    if (element->children.empty()) element->text = trimmed(node.text());
    return element;
}

// What tells siblings of one name apart.
std::string identity_of(const Config::Element& element) {
    for (const char* attribute : {"id", "name", "scheme", "protocol"}) {
        if (const auto at = element.attributes.find(attribute); at != element.attributes.end())
            return attribute + ("=" + at->second);
    }
    return {};
}

ElementPtr laid_over(const Config::Element& base, const Config::Element& over) {
    auto out = std::make_shared<Config::Element>(base);
    for (const auto& [name, value] : over.attributes) out->attributes[name] = value;
    if (!over.text.empty()) out->text = over.text;
    out->where = over.where;
    for (const ElementPtr& child : over.children) {
        // <institution id="…"> stands once: its attributes replace, the id among them.
        ElementPtr* met = nullptr;
        std::size_t of_name = 0;
        for (ElementPtr& candidate : out->children) {
            if (candidate->name != child->name) continue;
            ++of_name;
            if (identity_of(*candidate) == identity_of(*child)) met = &candidate;
        }
        if (met == nullptr && of_name == 1 && child->name == "institution") {
            for (ElementPtr& candidate : out->children) {
                if (candidate->name == child->name) met = &candidate;
            }
        }
        if (met != nullptr) {
            *met = laid_over(**met, *child);
        } else {
            out->children.push_back(child);
        }
    }
    return out;
}

Error as_configuration(const Error& e) {
    Error out(Fault::kConfig, e.code(), e.doing(), e.where(), e.why());
    if (!e.expected().empty()) out.expected(e.expected());
    return out;
}

}  // namespace

std::string read_file(const std::filesystem::path& file, std::uintmax_t most) {
    Where where;
    where.file = file.string();
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
        throw Error(Fault::kConfig, "CONF-001", "reading a file", where, "there is no such file");
    }
    if (std::filesystem::file_size(file, error) > most) {
        throw Error(Fault::kConfig, "CONF-001", "reading a file", where, "larger than " + std::to_string(most) + " bytes");
    }
    std::ifstream in(file, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (!in.good() && !in.eof()) throw Error(Fault::kConfig, "CONF-001", "reading a file", where, "cannot be read");
    return bytes;
}

ConfigLoader::ConfigLoader(std::shared_ptr<const Schemas> schemas) : schemas_(std::move(schemas)) {}

Config ConfigLoader::load(const std::filesystem::path& file) const {
    const std::string bytes = read_file(file);
    try {
        XmlParser parser(schemas_);
        const Document document = parser.parse(bytes, file.string());
        return Config(element_of(document.root(), file.string()));
    } catch (const Error& e) {
        throw as_configuration(e).file(file.string());
    }
}

Config ConfigLoader::overlay(const Config& base, const Config& over) {
    if (base.name() != over.name() || base.namespace_uri() != over.namespace_uri()) {
        over.fail("CONF-014", "an overlay has the root element of what it lies over");
    }
    return Config(laid_over(base.element(), over.element()));
}

}  // namespace clrbus
