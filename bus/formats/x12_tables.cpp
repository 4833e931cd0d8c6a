#include "formats/x12_tables.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "core/error.hpp"
#include "xml/parser.hpp"
#include "xml/schemas.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kX12DeepestTable = 12;
constexpr std::size_t kX12Unbounded = static_cast<std::size_t>(-1);

[[noreturn]] void x12_bad_table(const std::string& file, Node node, std::string why, std::string expected) {
    Where where;
    where.file = file;
    where.line = node.line();
    where.path = node.path();
    Error error(Fault::kConfig, "X12-022", "reading a table of X12", std::move(where), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

std::size_t x12_number(Node node, const char* attribute, std::size_t fallback) {
    const std::string text = node.attribute(attribute);
    if (text == "unbounded") return kX12Unbounded;
    return text.empty() ? fallback : std::stoul(text);
}

std::vector<std::string> x12_codes(Node node) {
    std::vector<std::string> out;
    std::istringstream in(node.attribute("codes"));
    for (std::string code; in >> code;) out.push_back(code);
    std::sort(out.begin(), out.end());
    return out;
}

std::string x12_two_digits(std::size_t number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
}

X12Element::Type x12_type(const std::string& name) {
    using Type = X12Element::Type;
    if (name == "ID") return Type::kCode;
    if (name == "R") return Type::kDecimal;
    if (name == "DT") return Type::kDate;
    if (name == "TM") return Type::kTime;
    return name == "AN" ? Type::kText : Type::kWhole;
}

// One file's names.
struct X12Names {
    std::map<std::string, const X12Element*> elements;
    std::map<std::string, const X12SegmentSpec*> segments;
};

void x12_read_use(X12Use& use, Node node, std::string name, const X12Names& names, const std::string& file) {
    const auto found = names.elements.find(node.attribute("element"));
    if (found == names.elements.end())
        x12_bad_table(file, node, "element '" + node.attribute("element") + "' is not defined above",
                      "an <element> or <composite> of that id");
    use.name = std::move(name);
    use.element = found->second;
    use.required = node.attribute("required") == "true" || node.attribute("required") == "1";
    use.repeat = x12_number(node, "repeat", 1);
    use.codes = x12_codes(node);
}

std::vector<X12Item> x12_read_items(Node parent, const X12Names& names, const std::string& file, std::size_t depth) {
    if (depth > kX12DeepestTable) x12_bad_table(file, parent, "loops are nested too deep", "at most 12");
    std::vector<X12Item> out;
    for (Node node = parent.first_child(); node; node = node.next()) {
        X12Item item;
        item.id = node.attribute("id");
        item.min = x12_number(node, "min", 0);
        item.max = x12_number(node, "max", 1);
        if (item.min > item.max) x12_bad_table(file, node, "min is more than max", "min at most max");
        if (node.name() == "loop") {
            item.loop_name = item.id + "-loop";
            item.items = x12_read_items(node, names, file, depth + 1);
            if (item.items.front().id != item.id || item.items.front().is_loop() || item.items.front().max != 1)
                x12_bad_table(file, node, "loop '" + item.id + "' does not begin with its segment",
                              "one segment '" + item.id + "' first");
        } else {
            const auto found = names.segments.find(item.id);
            if (found == names.segments.end())
                x12_bad_table(file, node, "segment '" + item.id + "' is not defined above", "a <segment> of that id");
            item.segment = found->second;
        }
        out.push_back(std::move(item));
    }
    return out;
}

}  // namespace

std::shared_ptr<const X12Tables> X12Tables::load(const std::vector<std::filesystem::path>& files,
                                                 const std::filesystem::path& schema) {
    XmlParser parser(Schemas::load({schema}));
    auto out = std::make_shared<X12Tables>();
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        try {
            const Document document = parser.parse(bytes, file.string());
            out->read(document.root(), file.string());
        } catch (const Error& e) {
            if (e.fault() == Fault::kConfig) throw;
            Error error(Fault::kConfig, "X12-022", "reading a table of X12", e.where(), e.why());
            error.expected(e.expected());
            throw error;
        }
    }
    return out;
}

void X12Tables::read(Node root, const std::string& file) {
    X12Names names;
    for (Node node = root.first_child(); node; node = node.next()) {
        const std::string id = node.attribute("id");
        if (node.name() == "element" || node.name() == "composite") {
            X12Element element;
            element.id = id;
            element.name = node.attribute("name");
            element.type = node.name() == "composite" ? X12Element::Type::kComposite : x12_type(node.attribute("type"));
            element.min = x12_number(node, "min", 0);
            element.max = x12_number(node, "max", 0);
            element.codes = x12_codes(node);
            for (Node part = node.first_child(); part; part = part.next()) {
                X12Element::Part use;
                x12_read_use(use, part, std::to_string(element.parts.size() + 1), names, file);
                if (use.element->type == X12Element::Type::kComposite)
                    x12_bad_table(file, part, "a composite in a composite", "simple elements");
                element.parts.push_back(std::move(use));
            }
            elements_.push_back(std::move(element));
            if (!names.elements.emplace(id, &elements_.back()).second)
                x12_bad_table(file, node, "element '" + id + "' is there twice", "each id once");
        } else if (node.name() == "segment") {
            X12SegmentSpec segment;
            segment.id = id;
            segment.name = node.attribute("name");
            for (Node use = node.first_child(); use; use = use.next()) {
                segment.uses.emplace_back();
                x12_read_use(segment.uses.back(), use, id + x12_two_digits(segment.uses.size()), names, file);
            }
            segments_.push_back(std::move(segment));
            if (!names.segments.emplace(id, &segments_.back()).second)
                x12_bad_table(file, node, "segment '" + id + "' is there twice", "each id once");
        } else {
            X12Set set;
            set.id = id;
            set.group = node.attribute("group");
            set.name = node.attribute("name");
            set.release = root.attribute("release");
            if (find(id, set.release) != nullptr)
                x12_bad_table(file, node, "set '" + id + "' of release " + set.release + " is there twice",
                              "one table for each set and release");
            set.items = x12_read_items(node, names, file, 0);
            sets_.push_back(std::move(set));
        }
    }
}

// The most exact release wins.
const X12Set* X12Tables::find(std::string_view id, std::string_view version) const {
    const X12Set* best = nullptr;
    for (const X12Set& set : sets_) {
        if (set.id != id || !version.starts_with(set.release)) continue;
        if (best == nullptr || best->release.size() < set.release.size()) best = &set;
    }
    return best;
}

}  // namespace clrbus
