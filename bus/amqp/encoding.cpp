#include "amqp/encoding.hpp"

namespace clrbus::amqp {
namespace {

void put_number(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

}  // namespace

void ListWriter::item(std::string_view encoded) {
    items_.append(nulls_, '\x40');
    count_ += nulls_ + 1;
    nulls_ = 0;
    items_ += encoded;
}

void ListWriter::variable(unsigned char small, std::string_view bytes) {
    std::string out;
    if (bytes.size() < 256) {
        out += static_cast<char>(small);
        put_number(out, bytes.size(), 1);
    } else {
        out += static_cast<char>(small + 0x10);
        put_number(out, bytes.size(), 4);
    }
    item(out.append(bytes));
}

ListWriter& ListWriter::null() {
    ++nulls_;
    return *this;
}

ListWriter& ListWriter::boolean(bool value) {
    item(value ? "\x41" : "\x42");
    return *this;
}

ListWriter& ListWriter::ubyte(std::uint8_t value) {
    std::string out = "\x50";
    put_number(out, value, 1);
    item(out);
    return *this;
}

ListWriter& ListWriter::ushort(std::uint16_t value) {
    std::string out = "\x60";
    put_number(out, value, 2);
    item(out);
    return *this;
}

ListWriter& ListWriter::uint(std::uint32_t value) {
    std::string out = "\x70";
    put_number(out, value, 4);
    item(out);
    return *this;
}

ListWriter& ListWriter::ulong(std::uint64_t value) {
    std::string out = "\x80";
    put_number(out, value, 8);
    item(out);
    return *this;
}

ListWriter& ListWriter::string(std::string_view text) {
    variable(0xa1, text);
    return *this;
}

ListWriter& ListWriter::symbol(std::string_view text) {
    variable(0xa3, text);
    return *this;
}

ListWriter& ListWriter::binary(std::string_view bytes) {
    variable(0xa0, bytes);
    return *this;
}

ListWriter& ListWriter::symbols(const std::vector<std::string>& texts) {
    std::string elements;
    for (const std::string& text : texts) {
        put_number(elements, text.size(), 4);
        elements += text;
    }
    std::string out = "\xf0";
    put_number(out, elements.size() + 5, 4);
    put_number(out, texts.size(), 4);
    out += '\xb3';
    item(out.append(elements));
    return *this;
}

ListWriter& ListWriter::raw(std::string_view encoded) {
    item(encoded);
    return *this;
}

std::string ListWriter::described(std::uint8_t code) const {
    std::string out{'\0', '\x53', static_cast<char>(code)};
    if (count_ == 0) return out += '\x45';
    out += '\xd0';
    put_number(out, items_.size() + 4, 4);
    put_number(out, count_, 4);
    return out += items_;
}

std::string frame(std::uint8_t type, std::uint16_t channel, std::string_view body) {
    std::string out;
    put_number(out, body.size() + 8, 4);
    out += '\x02';
    put_number(out, type, 1);
    put_number(out, channel, 2);
    return out.append(body);
}

std::string header_section(std::uint32_t delivery_count) {
    ListWriter list;
    list.boolean(true).null().null().boolean(delivery_count == 0).uint(delivery_count);
    return list.described(0x70);
}

}  // namespace clrbus::amqp
