// A shared, immutable, encoded bare AMQP 1.0 message (properties, application-properties, body, footer: sections 0x73..0x78)
// plus the offsets that our own section walker found. Cheap to copy, any thread. Nobody re-encodes a message in order to move
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clrbus {

class Message {
public:
    Message() = default;  // empty: no bytes; body() is ""

    // Walks the sections of an encoded message. Header (0x70) and delivery/message annotations (0x71, 0x72) in front are cut
    // off: what remains is the bare message, byte for byte. Throws Error(kPoison, "AMQP-1xx") with the offset when the bytes
    // are not a message: unknown section, wrong order, truncated, no body, deeper than 64 levels.
    static Message from_encoded(std::string bytes);

    std::string_view bytes() const { return bytes_ ? std::string_view(*bytes_).substr(start_) : std::string_view{}; }

    // The properties of section 3.2.4; empty when absent. message-id as text: a ulong in decimal, a uuid as text, binary in
    // hex.
    std::string message_id() const;
    std::string to() const;
    std::string subject() const;
    std::string correlation_id() const;
    std::string reply_to() const;
    std::string content_type() const;
    std::string content_encoding() const;
    std::string group_id() const;

    // Application properties, section 3.2.5: simple values as text (booleans true/false, numbers in decimal).
    std::optional<std::string> application_property(std::string_view name) const;
    std::vector<std::pair<std::string, std::string>> application_properties() const;

    // The payload. One data section or an amqp-value of string or binary: a view into bytes(). Several data sections: joined,
    // by body_copy(). Anything else (map, list, sequences): body_kind() says so and body() is empty.
    enum class BodyKind : std::uint8_t { kNone, kData, kSeveralData, kString, kBinary, kStructured };
    BodyKind body_kind() const { return offsets_.body_kind; }
    std::string_view body() const;
    std::string body_copy() const;

    std::size_t size() const { return bytes().size(); }

private:
    friend class MessageBuilder;
    struct Offsets {
        std::uint32_t properties = 0, properties_size = 0;  // the list's bytes, from its constructor; 0 = absent
        std::uint32_t application = 0, application_size = 0;
        std::uint32_t body = 0, body_size = 0;  // payload of the first body section
        std::uint32_t sections = 0;             // start of the first body section
        BodyKind body_kind = BodyKind::kNone;
    };
    std::shared_ptr<const std::string> bytes_;  // shared by every copy of this message
    std::size_t start_ = 0;
    Offsets offsets_;
};

// Encodes a bare message with one data section. Fields that stay empty are not written.
class MessageBuilder {
public:
    MessageBuilder& message_id(std::string_view id);
    MessageBuilder& to(std::string_view address);
    MessageBuilder& subject(std::string_view text);
    MessageBuilder& reply_to(std::string_view address);
    MessageBuilder& correlation_id(std::string_view id);
    MessageBuilder& content_type(std::string_view type);
    MessageBuilder& content_encoding(std::string_view encoding);
    MessageBuilder& property(std::string_view name, std::string_view value);  // application property, string
    Message build(std::string_view body) const;

private:
    std::string id_, to_, subject_, reply_to_, correlation_, content_type_, content_encoding_;
    std::vector<std::pair<std::string, std::string>> properties_;
};

}  // namespace clrbus
