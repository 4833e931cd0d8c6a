// One AMQP frame taken apart and checked against the field tables of the specification (part 2.7 and 3.4, 3.5, 4.5): every
// field of the right type, every mandatory one there, nothing behind the performative but a transfer's payload. Pure; any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "core/amqp_types.hpp"

namespace clrbus::amqp {

// What a peer did wrong. Thrown inside this room; becomes the close that the peer reads.
class Violation : public std::exception {
public:
    // condition: of the specification ("amqp:decode-error"). reason: label of the counter, one of a fixed set.
    Violation(std::string condition, std::string_view reason, std::string text)
        : condition_(std::move(condition)), reason_(reason), text_(std::move(text)) {}
    const std::string& condition() const noexcept { return condition_; }
    std::string_view reason() const noexcept { return reason_; }
    const char* what() const noexcept override { return text_.c_str(); }

private:
    std::string condition_;
    std::string_view reason_;  // a literal
    std::string text_;
};

enum class Code : std::uint8_t {
    kOpen = 0x10,
    kBegin = 0x11,
    kAttach = 0x12,
    kFlow = 0x13,
    kTransfer = 0x14,
    kDisposition = 0x15,
    kDetach = 0x16,
    kEnd = 0x17,
    kClose = 0x18,
};

// Views into the frame that was read.
class Performative {
public:
    static constexpr std::size_t kMaxFields = 14;

    // frame: whole, header included, type 0. Nothing for an empty frame (a heartbeat). max_nodes: Limits. Throws Violation.
    static std::optional<Performative> read(std::string_view frame, std::uint32_t max_nodes);

    Code code() const { return code_; }
    std::uint16_t channel() const { return channel_; }
    std::string_view payload() const { return payload_; }  // of a transfer

    bool has(std::size_t field) const;
    std::uint64_t number(std::size_t field, std::uint64_t fallback = 0) const;
    bool flag(std::size_t field) const { return number(field) != 0; }
    std::string_view text(std::size_t field) const;  // string, symbol, binary

private:
    Code code_ = Code::kOpen;
    std::uint16_t channel_ = 0;
    std::string_view frame_, payload_;
    std::array<amqp_types::Value, kMaxFields> fields_{};
    std::size_t count_ = 0;
};

// The length of the frame at the start of bytes, 0 when its header is not complete. Throws Violation when it is smaller than
// its header or larger than max_frame, or when the header lies.
std::size_t frame_length(std::string_view bytes, std::uint32_t max_frame, std::uint8_t type);

}  // namespace clrbus::amqp
