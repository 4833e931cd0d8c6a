#include "workbench/field_effects.hpp"

#include <algorithm>

#include "routing/step.hpp"
#include "xml/parser.hpp"

namespace clrbus::workbench {
namespace {

// What came out, by place: how it ended, and the texts of each place of each output.
struct Outcome {
    std::string ended;
    std::map<std::string, std::string> places;
};

void gather_places(Node node, const std::string& path, std::map<std::string, std::string>& places) {
    for (const auto& a : node.attributes()) places[path + "/@" + a.name] += a.value + '\n';
    if (!node.first_child()) {
        places[path] += node.text() + '\n';
        return;
    }
    for (Node child = node.first_child(); child; child = child.next()) {
        gather_places(child, path + "/" + std::string(child.name()), places);
    }
}

Outcome outcome_of(const CompiledRoute& route, Work& work) {
    Outcome out;
    try {
        apply_steps(route.steps(), work);
        out.ended = "filtered " + work.filtered;
        for (const Put& put : work.outputs) {
            out.ended += "\n" + put.queue;
            const std::string body = put.message.body_copy();
            if (body.empty() || body[0] != '<') {
                out.places[put.queue] += body;
                continue;
            }
            const Document document = XmlParser().parse(body);
            gather_places(document.root(), "/" + std::string(document.root().name()), out.places);
        }
    } catch (const Error& e) {
        out.ended = "dead " + e.code() + " " + e.where().path;
    }
    return out;
}

// Each text of the document has a number; found: the numbers of each path, order: the paths as they come.
struct Places {
    std::map<std::string, std::vector<std::size_t>> found;
    std::map<std::string, Leaf> leaves;
    std::vector<std::string> order;
    std::size_t number = 0;

    void add(const std::string& path, const std::string& text) {
        auto& list = found[path];
        if (list.empty()) order.push_back(path);
        list.push_back(number++);
        leaves[path].see(text);
    }
    void list(Node node, const std::string& path) {
        for (const auto& a : node.attributes()) {
            if (a.namespace_uri.empty()) add(path + "/@" + a.name, a.value);
        }
        if (!node.first_child()) {
            if (!node.text().empty()) add(path, node.text());
            return;
        }
        for (Node child = node.first_child(); child; child = child.next()) list(child, path + "/" + std::string(child.name()));
    }
};

// Another text that would be as good: digits stay digits, letters letters.
std::string another_text(const std::string& text) {
    std::string out = text;
    for (char& c : out) {
        if ((c >= '1' && c <= '8') || (c >= 'a' && c < 'z') || (c >= 'A' && c < 'Z')) c = static_cast<char>(c + 1);
    }
    return out == text ? text + "1" : out;
}

// other: the text to put there; "" = one like that which stands there.
void copy_changed(TreeBuilder& builder, Node node, const std::vector<std::size_t>& change, const std::string& other,
                  std::size_t& number) {
    const auto text_of = [&](const std::string& text) {
        if (!std::binary_search(change.begin(), change.end(), number++)) return text;
        return other.empty() ? another_text(text) : other;
    };
    if (node.namespace_uri().empty()) {
        builder.start(node.name());
    } else {
        builder.start(node.name(), node.namespace_uri());
    }
    for (const auto& a : node.attributes()) {
        if (a.namespace_uri.empty()) builder.attribute(a.name, text_of(a.value));
    }
    if (!node.first_child() && !node.text().empty()) builder.text(text_of(node.text()));
    for (Node child = node.first_child(); child; child = child.next()) copy_changed(builder, child, change, other, number);
    builder.end();
}

void compare(const Outcome& untouched, const Outcome& changed, FieldEffect& effect) {
    if (changed.ended != untouched.ended) {
        effect.decides = true;
        return;
    }
    for (const auto& [place, texts] : changed.places) {
        const auto before = untouched.places.find(place);
        if (before == untouched.places.end() || before->second != texts) effect.targets.insert(place);
    }
    for (const auto& [place, texts] : untouched.places) {
        if (changed.places.count(place) == 0) effect.targets.insert(place);
    }
}

bool of_json_mapping(const std::string& path) {
    const std::size_t slash = path.rfind("/@");
    return slash != std::string::npos && (path.substr(slash) == "/@type" || path.substr(slash) == "/@array") &&
           path.rfind("/json", 0) == 0;
}

}  // namespace

std::vector<FieldEffect> field_effects(const CompiledRoute& route, const Work& work, const Document& input, std::size_t most) {
    Places places;
    places.list(input.root(), "/" + std::string(input.root().name()));
    if (places.order.size() > most) places.order.resize(most);
    const auto run = [&](const std::vector<std::size_t>& change, const std::string& other) {
        TreeBuilder builder;
        std::size_t number = 0;
        copy_changed(builder, input.root(), change, other, number);
        Work again{.route = route, .id = work.id, .body = work.body, .headers = work.headers, .document = builder.finish()};
        again.parsed = true;
        again.validated = true;
        again.number = work.number;
        return outcome_of(route, again);
    };
    const Outcome untouched = run({}, "");
    std::vector<FieldEffect> out;
    for (const std::string& path : places.order) {
        if (of_json_mapping(path)) continue;
        FieldEffect effect;
        effect.path = path;
        effect.leaf = places.leaves[path];
        // A code that means nothing changed into another that means nothing shows no effect: then a plain number, then a word.
        for (const char* other : {"", "3", "Y"}) {
            compare(untouched, run(places.found[path], other), effect);
            if (!effect.nothing()) break;
        }
        out.push_back(std::move(effect));
    }
    return out;
}

}  // namespace clrbus::workbench
