// Reading of AMQP 1.0 encoded values (part 1, types) without building anything: lengths, kinds and offsets. Used by Message.
// Every function checks bounds and throws Error(kPoison, "AMQP-1xx") with the byte offset. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clrbus::amqp_types {

struct Value {
    std::uint8_t code = 0x40;  // constructor; of the value behind a descriptor
    std::size_t offset = 0;    // of the constructor
    std::size_t size = 0;      // constructor included
    std::size_t payload = 0;   // of fixed and variable width values: the bytes
    std::size_t payload_size = 0;
    std::size_t section = 0;  // where the descriptor of a section starts; set by read after section_code
    bool described = false;

    bool is_list() const { return code == 0x45 || code == 0xc0 || code == 0xd0; }
    bool is_map() const { return code == 0xc1 || code == 0xd1; }
    bool is_array() const { return code == 0xe0 || code == 0xf0; }
    bool is_binary() const { return code == 0xa0 || code == 0xb0; }
    bool is_string() const { return code == 0xa1 || code == 0xb1; }
    bool is_symbol() const { return code == 0xa3 || code == 0xb3; }
    bool is_simple() const { return !described && !is_list() && !is_map() && !is_array(); }
};

[[noreturn]] void fail(std::string_view code, std::size_t offset, std::string_view what);

// The descriptor code of the section at `at` (smallulong or ulong descriptor), which moves behind it.
std::uint64_t section_code(std::string_view all, std::size_t& at);

// The value at `at`, which moves behind it; nested values are walked (depth at most 64).
Value read(std::string_view all, std::size_t& at);

struct Compound {
    std::size_t count = 0;
    std::size_t end = 0;
};
// Steps into the list or map at `at`: `at` moves to its first element.
Compound enter(std::string_view all, std::size_t& at);

// A simple value as text: strings and symbols as they are, binary in hex, uuid as text, numbers in decimal, true/false, null as
// "".
std::string to_text(std::string_view all, const Value& value);

}  // namespace clrbus::amqp_types
