#include "config/config.hpp"

#include <charconv>
#include <utility>

#include "config/element.hpp"
#include "core/clock.hpp"

namespace clrbus {
namespace {

const std::string& empty_text() {
    static const std::string text;
    return text;
}

}  // namespace

Config::Config() = default;

std::string_view Config::name() const {
    return node_ ? std::string_view(node_->name) : std::string_view{};
}
std::string_view Config::namespace_uri() const {
    return node_ ? std::string_view(node_->namespace_uri) : std::string_view{};
}

const Where& Config::where() const {
    static const Where nowhere;
    return node_ ? node_->where : nowhere;
}

const std::map<std::string, std::string>& Config::namespaces() const {
    static const std::map<std::string, std::string> none;
    return node_ ? node_->namespaces : none;
}

const std::map<std::string, std::string>& Config::attributes() const {
    static const std::map<std::string, std::string> none;
    return node_ ? node_->attributes : none;
}

bool Config::has(std::string_view attribute) const {
    return node_ && node_->attributes.count(std::string(attribute)) != 0;
}

std::string Config::get(std::string_view attribute, std::string_view fallback) const {
    if (!node_) return std::string(fallback);
    const auto at = node_->attributes.find(std::string(attribute));
    return at == node_->attributes.end() ? std::string(fallback) : at->second;
}

std::string Config::require(std::string_view attribute) const {
    std::string value = get(attribute);
    if (value.empty()) fail("CONF-010", attribute, "is missing or empty");
    return value;
}

std::int64_t Config::get_int(std::string_view attribute, std::int64_t fallback) const {
    if (!has(attribute)) return fallback;
    const std::string text = get(attribute);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        fail("CONF-011", attribute, "'" + text + "' is not a whole number");
    return value;
}

bool Config::get_bool(std::string_view attribute, bool fallback) const {
    if (!has(attribute)) return fallback;
    const std::string text = get(attribute);
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    fail("CONF-012", attribute, "'" + text + "' is neither true nor false");
}

std::chrono::milliseconds Config::get_duration(std::string_view attribute, std::chrono::milliseconds fallback) const {
    if (!has(attribute)) return fallback;
    try {
        return from_iso_duration(get(attribute));
    } catch (const Error&) {
        fail("CONF-013", attribute, "'" + get(attribute) + "' is not a duration (expected PT2S, PT24H, P7D or P7Y)");
    }
}

std::string Config::text() const {
    return node_ ? node_->text : empty_text();
}

std::vector<Config> Config::children() const {
    std::vector<Config> out;
    if (!node_) return out;
    for (const auto& child : node_->children) out.emplace_back(child);
    return out;
}

std::vector<Config> Config::children(std::string_view name) const {
    std::vector<Config> out;
    if (!node_) return out;
    for (const auto& child : node_->children) {
        if (child->name == name) out.emplace_back(child);
    }
    return out;
}

Config Config::child(std::string_view name) const {
    if (node_) {
        for (const auto& child : node_->children) {
            if (child->name == name) return Config(child);
        }
    }
    return Config();
}

void Config::fail(std::string_view code, std::string why) const {
    throw Error(Fault::kConfig, code, "<" + std::string(name()) + ">", where(), std::move(why));
}

void Config::fail(std::string_view code, std::string_view attribute, std::string why) const {
    fail(code, std::string(attribute) + ": " + std::move(why));
}

}  // namespace clrbus
