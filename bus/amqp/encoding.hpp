// Writing of the few AMQP values that this room encodes itself: SASL frames and the header section of an outgoing message.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::amqp {

// One list, field by field; nulls at the end are left out.
class ListWriter {
public:
    ListWriter& null();
    ListWriter& boolean(bool value);
    ListWriter& ubyte(std::uint8_t value);
    ListWriter& ushort(std::uint16_t value);
    ListWriter& uint(std::uint32_t value);
    ListWriter& ulong(std::uint64_t value);
    ListWriter& string(std::string_view text);
    ListWriter& symbol(std::string_view text);
    ListWriter& binary(std::string_view bytes);
    ListWriter& symbols(const std::vector<std::string>& texts);  // an array
    ListWriter& raw(std::string_view encoded);                   // one value, encoded already

    // The list behind the descriptor of that code.
    std::string described(std::uint8_t code) const;

private:
    void variable(unsigned char small, std::string_view bytes);
    void item(std::string_view encoded);

    std::string items_;
    std::size_t count_ = 0;
    std::size_t nulls_ = 0;
};

// A frame of that type (0 AMQP, 1 SASL) around its body.
std::string frame(std::uint8_t type, std::uint16_t channel, std::string_view body);

// The header section of a message from a durable queue: durable, first-acquirer, delivery-count.
std::string header_section(std::uint32_t delivery_count);

}  // namespace clrbus::amqp
