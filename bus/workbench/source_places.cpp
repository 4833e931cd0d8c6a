#include "workbench/source_places.hpp"

#include <algorithm>
#include <map>

namespace clrbus::workbench {
namespace {

constexpr std::string_view kPlacesBlank = " \t\r\n";

// Walks over the bytes and counts lines and characters.
class PlacesCursor {
public:
    explicit PlacesCursor(std::string_view text) : text_(text) {}

    bool done() const { return at_ >= text_.size(); }
    char now() const { return text_[at_]; }
    bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }
    SourcePlace place() const { return place_; }
    void step() {
        const char c = text_[at_++];
        if (c == '\n') {
            ++place_.line;
            place_.column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
            ++place_.column;
        }
    }
    void skip(std::string_view any_of) {
        while (!done() && any_of.find(now()) != std::string_view::npos) step();
    }
    std::string until(std::string_view any_of) {
        const std::size_t begin = at_;
        while (!done() && any_of.find(now()) == std::string_view::npos) step();
        return std::string(text_.substr(begin, at_ - begin));
    }
    void past(std::string_view end) {
        while (!done() && !starts(end)) step();
        for (std::size_t i = 0; i < end.size() && !done(); ++i) step();
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
    SourcePlace place_{1, 1};
};

std::string places_local(const std::string& name) {
    return name.substr(name.find(':') + 1);  // npos + 1 = 0
}

// An element while the file is read: its place among those of its name is known when its parent ends.
struct PlacesNode {
    std::string name;
    std::size_t parent = 0, position = 0;
    std::map<std::string, std::size_t> children;  // how many of each name
};

}  // namespace

SourcePlaces::SourcePlaces(std::string_view xml) {
    std::vector<PlacesNode> nodes(1);  // the document
    std::vector<std::size_t> open{0};
    PlacesCursor in(xml);
    while (!in.done()) {
        in.until("<");
        if (in.done()) break;
        if (in.starts("<!--")) {
            in.past("-->");
        } else if (in.starts("<![CDATA[")) {
            in.past("]]>");
        } else if (in.starts("<?")) {
            in.past("?>");
        } else if (in.starts("<!") || in.starts("</")) {
            if (in.starts("</") && open.size() > 1) open.pop_back();
            in.past(">");
        } else {
            Element element;
            element.at = in.place();
            in.step();
            PlacesNode node;
            node.name = places_local(in.until(" \t\r\n/>"));
            node.parent = open.back();
            node.position = ++nodes[open.back()].children[node.name];
            bool empty = false;
            while (!in.done()) {
                in.skip(kPlacesBlank);
                if (in.done() || in.now() == '>') break;
                if (in.now() == '/') {
                    empty = true;
                    in.step();
                    continue;
                }
                Attribute attribute;
                attribute.at = in.place();
                attribute.name = in.until("= \t\r\n/>");
                in.skip("= \t\r\n");
                if (in.done() || (in.now() != '"' && in.now() != '\'')) break;
                const char quote = in.now();
                in.step();
                attribute.value_at = in.place();
                attribute.value = in.until(std::string_view(&quote, 1));
                if (!in.done()) in.step();
                element.attributes.push_back(std::move(attribute));
            }
            element.last_line = in.place().line;
            if (!in.done()) in.step();
            nodes.push_back(std::move(node));
            elements_.push_back(std::move(element));
            if (!empty) open.push_back(nodes.size() - 1);
        }
    }
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        const PlacesNode& node = nodes[i];
        std::string path = node.parent == 0 ? "" : elements_[node.parent - 1].path;
        path += "/" + node.name;
        if (nodes[node.parent].children[node.name] > 1) path += "[" + std::to_string(node.position) + "]";
        elements_[i - 1].path = std::move(path);
    }
}

const SourcePlaces::Element* SourcePlaces::find(std::string_view path) const {
    const auto at = std::find_if(elements_.begin(), elements_.end(), [path](const Element& e) { return e.path == path; });
    return at == elements_.end() ? nullptr : &*at;
}

std::optional<SourcePlace> SourcePlaces::element(std::string_view path) const {
    const Element* found = find(path);
    return found == nullptr ? std::nullopt : std::optional(found->at);
}

std::optional<SourcePlace> SourcePlaces::attribute(std::string_view path, std::string_view name) const {
    if (const Element* found = find(path)) {
        for (const Attribute& one : found->attributes)
            if (one.name == name) return one.at;
    }
    return std::nullopt;
}

std::optional<SourcePlace> SourcePlaces::in_value(std::string_view path, std::string_view name, std::uint64_t character) const {
    if (const Element* found = find(path)) {
        for (const Attribute& one : found->attributes) {
            if (one.name != name) continue;
            if (one.value.find_first_of("&\n") != std::string::npos) return one.value_at;
            return SourcePlace{one.value_at.line, one.value_at.column + std::max<std::uint64_t>(1, character) - 1};
        }
    }
    return std::nullopt;
}

std::string SourcePlaces::path_at(std::uint64_t line) const {
    const Element* best = nullptr;
    for (const Element& one : elements_) {
        if (one.at.line <= line && line <= one.last_line) best = &one;
    }
    return best == nullptr ? std::string() : best->path;
}

std::optional<SourcePlace> SourcePlaces::value_with(std::string_view path, std::string_view text) const {
    if (const Element* found = find(path)) {
        for (const Attribute& one : found->attributes) {
            const std::size_t at = one.value.find(text);
            if (at == std::string::npos) continue;
            if (one.value.find('\n') < at) return one.value_at;
            return SourcePlace{one.value_at.line, one.value_at.column + at};
        }
    }
    return std::nullopt;
}

}  // namespace clrbus::workbench
