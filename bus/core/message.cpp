#include "core/message.hpp"

#include <cstring>

#include "core/amqp_types.hpp"
#include "core/error.hpp"

namespace clrbus {

using amqp_types::Value;

Message Message::from_encoded(std::string bytes) {
    Message message;
    if (bytes.size() > 0xf0000000U) throw Error(Fault::kPoison, "AMQP-100", "reading an AMQP message", "larger than 4 GB");
    const std::string_view all = bytes;
    std::size_t at = 0;
    int previous = -1;  // rank of the section before: sections come in this order
    bool body_seen = false;
    while (at < all.size()) {
        const std::size_t section = at;
        const std::uint64_t code = amqp_types::section_code(all, at);  // at moves behind the descriptor
        const int rank = static_cast<int>(code) - 0x70;
        const bool repeats = rank == previous && (code == 0x75 || code == 0x76);
        if (code < 0x70 || code > 0x78) amqp_types::fail("AMQP-101", at, "a section that no message has");
        const bool body = code >= 0x75 && code <= 0x77;
        if ((rank <= previous && !repeats) || (body && body_seen && !repeats))
            amqp_types::fail("AMQP-102", at, "sections out of order");
        Value value = amqp_types::read(all, at);  // at moves behind the value; checked for truncation and depth
        value.section = section;
        if (code <= 0x72) {
            message.start_ = at;
        } else if (code == 0x73) {
            if (!value.is_list()) amqp_types::fail("AMQP-103", at, "properties that are no list");
            message.offsets_.properties = static_cast<std::uint32_t>(value.offset);
            message.offsets_.properties_size = static_cast<std::uint32_t>(value.size);
        } else if (code == 0x74) {
            if (!value.is_map()) amqp_types::fail("AMQP-103", at, "application properties that are no map");
            message.offsets_.application = static_cast<std::uint32_t>(value.offset);
            message.offsets_.application_size = static_cast<std::uint32_t>(value.size);
        } else if (body) {
            if (body_seen) {
                if (code == 0x75) message.offsets_.body_kind = BodyKind::kSeveralData;
            } else {
                message.offsets_.body = static_cast<std::uint32_t>(value.payload);
                message.offsets_.body_size = static_cast<std::uint32_t>(value.payload_size);
                if (code == 0x75) {
                    if (!value.is_binary()) amqp_types::fail("AMQP-103", at, "a data section that is not binary");
                    message.offsets_.body_kind = BodyKind::kData;
                } else if (code == 0x77 && value.is_string()) {
                    message.offsets_.body_kind = BodyKind::kString;
                } else if (code == 0x77 && value.is_binary()) {
                    message.offsets_.body_kind = BodyKind::kBinary;
                } else {
                    message.offsets_.body_kind = BodyKind::kStructured;
                }
                message.offsets_.sections = static_cast<std::uint32_t>(value.section);
            }
            body_seen = true;
        }
        previous = rank;
    }
    if (!body_seen) amqp_types::fail("AMQP-104", at, "no body section");
    message.bytes_ = std::make_shared<const std::string>(std::move(bytes));
    return message;
}

namespace {

// The index-th field of the properties list, as text.
std::string properties_field(std::string_view all, std::uint32_t offset, std::size_t index) {
    if (offset == 0) return {};
    std::size_t at = offset;
    const auto list = amqp_types::enter(all, at);
    for (std::size_t i = 0; i < list.count; ++i) {
        const Value value = amqp_types::read(all, at);
        if (i == index) return amqp_types::to_text(all, value);
    }
    return {};
}

}  // namespace

// Field numbers of section 3.2.4.
std::string Message::message_id() const {
    return bytes_ ? properties_field(*bytes_, offsets_.properties, 0) : "";
}
std::string Message::to() const {
    return bytes_ ? properties_field(*bytes_, offsets_.properties, 2) : "";
}
std::string Message::subject() const {
    return bytes_ ? properties_field(*bytes_, offsets_.properties, 3) : "";
}
std::string Message::reply_to() const {
    return bytes_ ? properties_field(*bytes_, offsets_.properties, 4) : "";
}
std::string Message::correlation_id() const {
    return bytes_ ? properties_field(*bytes_, offsets_.properties, 5) : "";
}
std::string Message::content_type() const {
    return bytes_ ? properties_field(*bytes_, offsets_.properties, 6) : "";
}
std::string Message::content_encoding() const {
    return bytes_ ? properties_field(*bytes_, offsets_.properties, 7) : "";
}
std::string Message::group_id() const {
    return bytes_ ? properties_field(*bytes_, offsets_.properties, 10) : "";
}

std::vector<std::pair<std::string, std::string>> Message::application_properties() const {
    std::vector<std::pair<std::string, std::string>> out;
    if (!bytes_ || offsets_.application == 0) return out;
    std::size_t at = offsets_.application;
    const auto map = amqp_types::enter(*bytes_, at);
    for (std::size_t i = 0; i + 1 < map.count; i += 2) {
        const Value name = amqp_types::read(*bytes_, at);
        const Value value = amqp_types::read(*bytes_, at);
        if (value.is_simple()) out.emplace_back(amqp_types::to_text(*bytes_, name), amqp_types::to_text(*bytes_, value));
    }
    return out;
}

std::optional<std::string> Message::application_property(std::string_view name) const {
    for (auto& [key, value] : application_properties()) {
        if (key == name) return std::move(value);
    }
    return std::nullopt;
}

std::string_view Message::body() const {
    switch (offsets_.body_kind) {
        case BodyKind::kData:
        case BodyKind::kString:
        case BodyKind::kBinary:
            return std::string_view(*bytes_).substr(offsets_.body, offsets_.body_size);
        default:
            return {};
    }
}

std::string Message::body_copy() const {
    if (offsets_.body_kind != BodyKind::kSeveralData) return std::string(body());
    std::string out;
    const std::string_view all = *bytes_;
    for (std::size_t at = offsets_.sections; at < all.size();) {
        if (amqp_types::section_code(all, at) != 0x75) break;
        const Value value = amqp_types::read(all, at);
        out.append(all.substr(value.payload, value.payload_size));
    }
    return out;
}

namespace {

void put_u32(std::string& out, std::size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

// str8/str32 (0xa1/0xb1) or sym8/sym32 (0xa3/0xb3), vbin8/vbin32 (0xa0/0xb0).
void put_variable(std::string& out, unsigned char small, std::string_view text) {
    if (text.size() < 256) {
        out += static_cast<char>(small);
        out += static_cast<char>(text.size());
    } else {
        out += static_cast<char>(small + 0x10);
        put_u32(out, text.size());
    }
    out += text;
}

void put_section(std::string& out, unsigned char code) {
    out += '\0';
    out += '\x53';
    out += static_cast<char>(code);
}

void put_compound(std::string& out, unsigned char code32, std::size_t count, const std::string& items) {
    out += static_cast<char>(code32);
    put_u32(out, items.size() + 4);
    put_u32(out, count);
    out += items;
}

}  // namespace

MessageBuilder& MessageBuilder::message_id(std::string_view id) {
    id_ = id;
    return *this;
}
MessageBuilder& MessageBuilder::to(std::string_view address) {
    to_ = address;
    return *this;
}
MessageBuilder& MessageBuilder::subject(std::string_view text) {
    subject_ = text;
    return *this;
}
MessageBuilder& MessageBuilder::reply_to(std::string_view address) {
    reply_to_ = address;
    return *this;
}
MessageBuilder& MessageBuilder::correlation_id(std::string_view id) {
    correlation_ = id;
    return *this;
}
MessageBuilder& MessageBuilder::content_type(std::string_view type) {
    content_type_ = type;
    return *this;
}
MessageBuilder& MessageBuilder::content_encoding(std::string_view encoding) {
    content_encoding_ = encoding;
    return *this;
}
MessageBuilder& MessageBuilder::property(std::string_view name, std::string_view value) {
    properties_.emplace_back(name, value);
    return *this;
}

Message MessageBuilder::build(std::string_view body) const {
    std::string out;
    out.reserve(body.size() + 256);
    std::string items;
    std::size_t count = 0;
    std::size_t empties = 0;  // nulls are written only in front of a field that is there
    const auto field = [&](unsigned char code, const std::string& text) {
        if (text.empty()) {
            ++empties;
            return;
        }
        items.append(empties, '\x40');
        count += empties + 1;
        empties = 0;
        put_variable(items, code, text);
    };
    field(0xa1, id_);
    ++empties;  // user-id
    field(0xa1, to_);
    field(0xa1, subject_);
    field(0xa1, reply_to_);
    field(0xa1, correlation_);
    field(0xa3, content_type_);
    field(0xa3, content_encoding_);
    if (count != 0) {
        put_section(out, 0x73);
        put_compound(out, 0xd0, count, items);
    }
    if (!properties_.empty()) {
        std::string entries;
        for (const auto& [name, value] : properties_) {
            put_variable(entries, 0xa1, name);
            put_variable(entries, 0xa1, value);
        }
        put_section(out, 0x74);
        put_compound(out, 0xd1, properties_.size() * 2, entries);
    }
    put_section(out, 0x75);
    put_variable(out, 0xa0, body);
    return Message::from_encoded(std::move(out));
}

}  // namespace clrbus
