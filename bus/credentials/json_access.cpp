#include "credentials/json_access.hpp"

#include <boost/json.hpp>

#include "core/error.hpp"

namespace clrbus::credentials {

namespace json = boost::json;

namespace {

[[noreturn]] void json_fail(std::size_t offset, std::string why) {
    Where where;
    where.offset = static_cast<std::int64_t>(offset);
    throw Error(Fault::kPoison, "CRED-002", "reading JSON", where, std::move(why));
}

// Counts the members that the text has: the tree keeps the last of two with one name, and a reader of the same bytes may keep
// the first. parse_json compares it with what the tree holds.
std::size_t json_members(const json::value& value) {
    std::size_t count = 0;
    if (const auto* object = value.if_object()) {
        count = object->size();
        for (const auto& member : *object) count += json_members(member.value());
    } else if (const auto* array = value.if_array()) {
        for (const auto& element : *array) count += json_members(element);
    }
    return count;
}

// Colons outside strings: one for each member of valid JSON.
std::size_t json_colons(std::string_view text) {
    std::size_t count = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == ':') {
            ++count;
        }
    }
    return count;
}

}  // namespace

json::value parse_json(std::string_view text) {
    json::parse_options options;
    options.max_depth = 64;
    json::stream_parser parser({}, options);
    json::error_code error;
    const std::size_t used = parser.write(text.data(), text.size(), error);
    if (!error) parser.finish(error);
    if (error) json_fail(used, "it is not valid JSON: " + error.message());
    json::value out = parser.release();
    if (json_members(out) != json_colons(text)) json_fail(text.size(), "a member stands twice in one object");
    return out;
}

const json::value* find_at(const json::value& document, std::initializer_list<std::string_view> path) {
    const json::value* at = &document;
    for (const std::string_view name : path) {
        const json::object* object = at->if_object();
        if (object == nullptr) return nullptr;
        const auto member = object->find(name);
        if (member == object->end()) return nullptr;
        at = &member->value();
    }
    return at;
}

std::optional<std::string> text_at(const json::value& document, std::initializer_list<std::string_view> path) {
    const json::value* value = find_at(document, path);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
}

bool holds_text(const json::value& document, std::string_view member, std::string_view text) {
    const json::value* value = find_at(document, {member});
    if (value == nullptr) return false;
    if (value->is_string()) return value->get_string() == text;
    if (!value->is_array()) return false;
    for (const json::value& element : value->get_array())
        if (element.is_string() && element.get_string() == text) return true;
    return false;
}

std::optional<std::string> issuer_id(const json::value& document) {
    if (auto text = text_at(document, {"issuer"})) return text;
    return text_at(document, {"issuer", "id"});
}

}  // namespace clrbus::credentials
