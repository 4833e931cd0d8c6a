// A piece of configuration: an element of a validated XML file with its attributes, children and the place it came from. A
// value type: cheap to copy, read-only, any thread. Made by config/loader.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace clrbus {

class Config {
public:
    Config();

    std::string_view name() const;  // local name of the element
    std::string_view namespace_uri() const;
    const Where& where() const;                                    // file, line, column, path
    const std::map<std::string, std::string>& namespaces() const;  // prefixes in scope, for XPath expressions

    bool has(std::string_view attribute) const;
    std::string get(std::string_view attribute, std::string_view fallback = {}) const;
    std::string require(std::string_view attribute) const;  // throws Error(kConfig, "CONF-010") when absent or empty
    std::int64_t get_int(std::string_view attribute, std::int64_t fallback) const;
    bool get_bool(std::string_view attribute, bool fallback) const;
    std::chrono::milliseconds get_duration(std::string_view attribute, std::chrono::milliseconds fallback) const;
    std::string text() const;  // trimmed text content
    const std::map<std::string, std::string>& attributes() const;

    std::vector<Config> children() const;
    std::vector<Config> children(std::string_view name) const;
    Config child(std::string_view name) const;  // empty Config when absent
    explicit operator bool() const { return static_cast<bool>(node_); }

    [[noreturn]] void fail(std::string_view code, std::string why) const;  // Error(kConfig) at this element
    [[noreturn]] void fail(std::string_view code, std::string_view attribute, std::string why) const;

    struct Element;  // config/element.hpp
    const Element& element() const { return *node_; }
    explicit Config(std::shared_ptr<const Element> node) : node_(std::move(node)) {}

private:
    std::shared_ptr<const Element> node_;  // shared by all copies
};

}  // namespace clrbus
