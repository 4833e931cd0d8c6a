#include "core/amqp_types.hpp"

#include <bit>
#include <cstdio>
#include <cstring>

#include "core/error.hpp"

namespace clrbus::amqp_types {
namespace {

constexpr int kMaxDepth = 64;

void need(std::string_view all, std::size_t at, std::size_t size) {
    if (size > all.size() || at > all.size() - size) fail("AMQP-105", at, "cut short");
}

std::uint64_t big_endian(std::string_view all, std::size_t at, std::size_t size) {
    need(all, at, size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<std::uint8_t>(all[at + i]);
    return value;
}

void walk_items(std::string_view all, std::size_t at, std::size_t end, std::size_t count, int depth);
Value read_value(std::string_view all, std::size_t& at, int depth);

// Size of the payload behind a fixed width constructor (table 1-1): 0x4_ 0, 0x5_ 1, 0x6_ 2, 0x7_ 4, 0x8_ 8, 0x9_ 16 bytes.
bool fixed_width(std::uint8_t code, std::size_t& width) {
    switch (code) {
        case 0x40:
        case 0x41:
        case 0x42:
        case 0x43:
        case 0x44:
            width = 0;
            return true;
        case 0x50:
        case 0x51:
        case 0x52:
        case 0x53:
        case 0x54:
        case 0x55:
        case 0x56:
            width = 1;
            return true;
        case 0x60:
        case 0x61:
            width = 2;
            return true;
        case 0x70:
        case 0x71:
        case 0x72:
        case 0x73:
        case 0x74:
            width = 4;
            return true;
        case 0x80:
        case 0x81:
        case 0x82:
        case 0x83:
        case 0x84:
            width = 8;
            return true;
        case 0x94:
        case 0x98:
            width = 16;
            return true;
        default:
            return false;
    }
}

bool variable_width(std::uint8_t code, std::size_t& length_size) {
    switch (code) {
        case 0xa0:
        case 0xa1:
        case 0xa3:
            length_size = 1;
            return true;
        case 0xb0:
        case 0xb1:
        case 0xb3:
            length_size = 4;
            return true;
        default:
            return false;
    }
}

void walk_array(std::string_view all, std::size_t at, std::size_t end, std::size_t count, int depth) {
    if (depth > kMaxDepth) fail("AMQP-106", at, "nested deeper than 64");
    if (at >= end) fail("AMQP-105", at, "an array without an element constructor");
    const std::uint8_t code = static_cast<std::uint8_t>(all[at]);
    if (code == 0x00) {  // described elements: the descriptor once, then a constructor
        ++at;
        read_value(all, at, depth + 1);
        if (at >= end) fail("AMQP-105", at, "an array without an element constructor");
    }
    const std::uint8_t element = static_cast<std::uint8_t>(all[at++]);
    std::size_t width = 0;
    if (fixed_width(element, width)) {
        // Elements of no width cost nothing to send: the count alone must not cost time or memory.
        if (width != 0 && count > (end - at) / width) fail("AMQP-105", at, "an array beyond its end");
        at += width * count;
    } else if (variable_width(element, width)) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t size = big_endian(all, at, width);
            at += width;
            need(all.substr(0, end), at, size);
            at += size;
        }
    } else if (element == 0x45) {
        // list0: no bytes at all
    } else if (element == 0xc0 || element == 0xd0 || element == 0xc1 || element == 0xd1 || element == 0xe0 || element == 0xf0) {
        const std::size_t field = (element & 0x10) != 0 ? 4 : 1;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t size = big_endian(all, at, field);
            at += field;
            need(all.substr(0, end), at, size);
            if (size < field) fail("AMQP-105", at, "a size that does not hold its count");
            const std::size_t items = big_endian(all, at, field);
            if ((element & 0xf0) == 0xe0 || (element & 0xf0) == 0xf0) {
                walk_array(all, at + field, at + size, items, depth + 1);
            } else {
                walk_items(all, at + field, at + size, items, depth + 1);
            }
            at += size;
        }
    } else {
        fail("AMQP-107", at, "an unknown type");
    }
    if (at != end) fail("AMQP-105", at, "an array that does not end where it says");
}

void walk_items(std::string_view all, std::size_t at, std::size_t end, std::size_t count, int depth) {
    if (depth > kMaxDepth) fail("AMQP-106", at, "nested deeper than 64");
    const std::string_view within = all.substr(0, end);
    if (count > end - at) fail("AMQP-105", at, "more items than bytes");
    for (std::size_t i = 0; i < count; ++i) read_value(within, at, depth + 1);
    if (at != end) fail("AMQP-105", at, "a list or map that does not end where it says");
}

Value read_value(std::string_view all, std::size_t& at, int depth) {
    if (depth > kMaxDepth) fail("AMQP-106", at, "nested deeper than 64");
    Value value;
    value.offset = at;
    need(all, at, 1);
    std::uint8_t code = static_cast<std::uint8_t>(all[at++]);
    while (code == 0x00) {  // described
        value.described = true;
        read_value(all, at, ++depth);
        need(all, at, 1);
        code = static_cast<std::uint8_t>(all[at++]);
        if (depth > kMaxDepth) fail("AMQP-106", at, "nested deeper than 64");
    }
    value.code = code;
    std::size_t width = 0;
    if (fixed_width(code, width)) {
        need(all, at, width);
        value.payload = at;
        value.payload_size = width;
        at += width;
    } else if (variable_width(code, width)) {
        const std::size_t size = big_endian(all, at, width);
        at += width;
        need(all, at, size);
        value.payload = at;
        value.payload_size = size;
        at += size;
    } else if (code == 0x45) {
        value.payload = at;
    } else if (code == 0xc0 || code == 0xd0 || code == 0xc1 || code == 0xd1 || code == 0xe0 || code == 0xf0) {
        const std::size_t field = (code & 0x10) != 0 ? 4 : 1;
        const std::size_t size = big_endian(all, at, field);
        at += field;
        need(all, at, size);
        if (size < field) fail("AMQP-105", at, "a size that does not hold its count");
        const std::size_t count = big_endian(all, at, field);
        if (value.is_array()) {
            walk_array(all, at + field, at + size, count, depth + 1);
        } else {
            if (value.is_map() && count % 2 != 0) fail("AMQP-108", at, "a map with an odd number of items");
            walk_items(all, at + field, at + size, count, depth + 1);
        }
        value.payload = at;
        value.payload_size = size;
        at += size;
    } else {
        fail("AMQP-107", at, "an unknown type");
    }
    value.size = at - value.offset;
    return value;
}

}  // namespace

void fail(std::string_view code, std::size_t offset, std::string_view what) {
    Where where;
    where.offset = static_cast<std::int64_t>(offset);
    throw Error(Fault::kPoison, code, "reading an AMQP message", where, std::string(what));
}

std::uint64_t section_code(std::string_view all, std::size_t& at) {
    need(all, at, 3);
    if (all[at] != '\0') fail("AMQP-101", at, "bytes that are no section");
    const std::uint8_t type = static_cast<std::uint8_t>(all[at + 1]);
    if (type == 0x53) {
        at += 3;
        return static_cast<std::uint8_t>(all[at - 1]);
    }
    if (type == 0x80) {
        const std::uint64_t code = big_endian(all, at + 2, 8);
        at += 10;
        return code;
    }
    fail("AMQP-101", at, "a section with an unknown descriptor");
}

Value read(std::string_view all, std::size_t& at) {
    return read_value(all, at, 0);
}

Compound enter(std::string_view all, std::size_t& at) {
    Compound out;
    need(all, at, 1);
    const std::uint8_t code = static_cast<std::uint8_t>(all[at++]);
    if (code == 0x45) {
        out.end = at;
        return out;
    }
    const std::size_t field = (code & 0x10) != 0 ? 4 : 1;
    const std::size_t size = big_endian(all, at, field);
    out.count = big_endian(all, at + field, field);
    out.end = at + field + size;
    at += 2 * field;
    return out;
}

std::string to_text(std::string_view all, const Value& value) {
    const std::string_view bytes = all.substr(value.payload, value.payload_size);
    const auto hex = [bytes] {
        static constexpr char kHex[] = "0123456789abcdef";
        std::string out;
        for (const char c : bytes) {
            out += kHex[static_cast<std::uint8_t>(c) >> 4];
            out += kHex[static_cast<std::uint8_t>(c) & 15];
        }
        return out;
    };
    const auto integer = [&]() -> std::int64_t {
        std::uint64_t v = big_endian(all, value.payload, value.payload_size);
        const int unused = 64 - static_cast<int>(8 * value.payload_size);
        return unused == 64 ? 0 : static_cast<std::int64_t>(v << unused) >> unused;
    };
    switch (value.code) {
        case 0xa1:
        case 0xb1:
        case 0xa3:
        case 0xb3:
            return std::string(bytes);
        case 0xa0:
        case 0xb0:
            return hex();
        case 0x41:
            return "true";
        case 0x42:
            return "false";
        case 0x56:
            return bytes[0] != 0 ? "true" : "false";
        case 0x43:
        case 0x44:
            return "0";
        case 0x50:
        case 0x60:
        case 0x70:
        case 0x80:
        case 0x52:
        case 0x53:
            return std::to_string(big_endian(all, value.payload, value.payload_size));
        case 0x51:
        case 0x61:
        case 0x71:
        case 0x81:
        case 0x54:
        case 0x55:
        case 0x83:
            return std::to_string(integer());
        case 0x73:
            return std::to_string(big_endian(all, value.payload, 4));
        case 0x72:
            return std::to_string(std::bit_cast<float>(static_cast<std::uint32_t>(big_endian(all, value.payload, 4))));
        case 0x82:
            return std::to_string(std::bit_cast<double>(big_endian(all, value.payload, 8)));
        case 0x98: {
            std::string text = hex();
            for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, 1, '-');
            return text;
        }
        default:
            return {};
    }
}

}  // namespace clrbus::amqp_types
