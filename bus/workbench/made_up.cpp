#include "workbench/made_up.hpp"

#include <algorithm>
#include <cctype>

#include "crypto/hash.hpp"
#include "formats/json.hpp"

namespace clrbus::workbench {
namespace {

// Few values that come again and again say what kind a thing is, not who: they stay.
bool is_choice(const Leaf& leaf) {
    return !leaf.many && !leaf.values.empty() && leaf.values.size() <= 30 && leaf.filled >= leaf.values.size() * 2;
}

bool stays(const Leaf& leaf) {
    switch (leaf.shape) {
        case Shape::kEmpty:
        case Shape::kDate:
        case Shape::kInstant:
        case Shape::kFlag:
        case Shape::kDecimal:
            return true;
        case Shape::kInteger:
            return leaf.longest < 5;
        default:
            return is_choice(leaf);
    }
}

std::string made_up_text(const std::string& text, Shape shape) {
    const std::string hash = crypto::sha256_hex(text);
    if (shape == Shape::kEmail) return "someone." + hash.substr(0, 6) + "@example.edu";
    if (shape == Shape::kUrl) return "https://example.edu/" + hash.substr(0, 8);
    std::string out;
    std::size_t at = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const int nibble = std::isdigit(static_cast<unsigned char>(hash[at % hash.size()])) != 0
                               ? hash[at % hash.size()] - '0'
                               : hash[at % hash.size()] - 'a' + 10;
        ++at;
        if (std::isdigit(byte) != 0) {
            out += out.empty() && c == '0' ? '0' : static_cast<char>('0' + (nibble + 1) % 9 + (out.empty() ? 1 : 0));
        } else if (byte >= 0x80) {
            if ((byte & 0xC0) != 0x80) out += "e";
        } else if (std::isalpha(byte) != 0) {
            out += static_cast<char>((std::isupper(byte) != 0 ? 'A' : 'a') + nibble);
        } else {
            out += c;
        }
    }
    return out;
}

const Leaf* attribute_leaf(const Element* element, const std::string& name) {
    if (element == nullptr) return nullptr;
    const auto found =
        std::find_if(element->attributes.begin(), element->attributes.end(), [&](const auto& a) { return a.name == name; });
    return found == element->attributes.end() ? nullptr : &found->leaf;
}

const Element* child_of(const Element* element, Node node) {
    if (element == nullptr) return nullptr;
    const auto found = std::find_if(element->children.begin(), element->children.end(), [&](const auto& e) {
        return e->name == node.name() && e->namespace_uri == node.namespace_uri();
    });
    return found == element->children.end() ? nullptr : found->get();
}

void copy_made_up(TreeBuilder& builder, Node node, const Element* element, bool json) {
    if (node.namespace_uri().empty()) {
        builder.start(node.name());
    } else {
        builder.start(node.name(), node.namespace_uri());
    }
    std::string type;
    for (const auto& a : node.attributes()) {
        if (!a.namespace_uri.empty()) continue;
        if (json && a.name == "type") type = a.value;
        const Leaf* leaf = attribute_leaf(element, a.name);
        const bool keep = (json && (a.name == "type" || a.name == "array")) || (leaf != nullptr && stays(*leaf));
        builder.attribute(a.name, keep ? a.value : made_up_text(a.value, leaf != nullptr ? leaf->shape : Shape::kText));
    }
    if (!node.first_child()) {
        const std::string text = node.text();
        const bool keep = text.empty() || type == "boolean" || (element != nullptr && stays(element->leaf));
        if (!text.empty())
            builder.text(keep ? text : made_up_text(text, element != nullptr ? element->leaf.shape : Shape::kText));
    }
    for (Node child = node.first_child(); child; child = child.next())
        copy_made_up(builder, child, child_of(element, child), json);
    builder.end();
}

std::string csv_field(const std::string& text, char delimiter) {
    if (text.find_first_of(std::string("\"\r\n") + delimiter) == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + "\"";
}

std::string write_csv_rows(const std::vector<Document>& records, char delimiter) {
    std::string out;
    const auto line = [&](Node row, bool header) {
        bool first = true;
        for (Node cell = row.first_child(); cell; cell = cell.next()) {
            if (!first) out += delimiter;
            first = false;
            out += csv_field(header ? original_name(cell.name()) : cell.text(), delimiter);
        }
        out += '\n';
    };
    if (!records.empty()) line(records.front().root(), true);
    for (const Document& record : records) line(record.root(), false);
    return out;
}

std::vector<std::string> path_steps(const std::string& path) {
    std::vector<std::string> out;
    std::size_t at = 0;
    while (at < path.size()) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        out.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

}  // namespace

Document made_up(const Document& record, const Sample& sample) {
    TreeBuilder builder;
    copy_made_up(builder, record.root(), &sample.root, sample.format == "json");
    return builder.finish();
}

std::string write_records(const std::vector<Document>& records, const Sample& sample) {
    if (sample.format == "csv") {
        const char delimiter = sample.delimiter == "tab" ? '\t' : sample.delimiter.empty() ? ',' : sample.delimiter[0];
        return write_csv_rows(records, delimiter);
    }
    std::string out;
    if (sample.format == "xml") {
        if (sample.whole) return records.front().write() + "\n";
        auto around = path_steps(sample.record);
        around.pop_back();
        for (const auto& name : around) out += "<" + name + ">";
        for (const Document& record : records) out += "\n" + record.write();
        out += "\n";
        for (auto name = around.rbegin(); name != around.rend(); ++name) out += "</" + *name + ">";
        return out + "\n";
    }
    if (sample.whole) return write_json(records.front()) + "\n";
    if (sample.record == "lines") {
        for (const Document& record : records) out += write_json(record) + "\n";
        return out;
    }
    const auto steps = path_steps(sample.record);
    for (const auto& name : steps) out += "{\"" + original_name(name) + "\":";
    out += "[";
    for (std::size_t i = 0; i < records.size(); ++i) out += (i == 0 ? "\n" : ",\n") + write_json(records[i]);
    out += "\n]" + std::string(steps.size(), '}');
    return out + "\n";
}

}  // namespace clrbus::workbench
