#include "amqp/performative.hpp"

#include <span>
#include <utility>

#include "core/error.hpp"

namespace clrbus::amqp {
namespace {

using amqp_types::Value;

enum class Kind : std::uint8_t {
    kBool,
    kUbyte,
    kUshort,
    kUint,
    kUlong,
    kString,
    kSymbol,
    kBinary,
    kMap,
    kSymbols,
    kAny,
    kError,
    kState,
    kSource,
    kTarget,
};

struct Field {
    const char* name;
    Kind kind;
    bool mandatory = false;
};

constexpr Field kOpenFields[] = {
    {"container-id", Kind::kString, true},    {"hostname", Kind::kString},
    {"max-frame-size", Kind::kUint},          {"channel-max", Kind::kUshort},
    {"idle-time-out", Kind::kUint},           {"outgoing-locales", Kind::kSymbols},
    {"incoming-locales", Kind::kSymbols},     {"offered-capabilities", Kind::kSymbols},
    {"desired-capabilities", Kind::kSymbols}, {"properties", Kind::kMap},
};
constexpr Field kBeginFields[] = {
    {"remote-channel", Kind::kUshort},
    {"next-outgoing-id", Kind::kUint, true},
    {"incoming-window", Kind::kUint, true},
    {"outgoing-window", Kind::kUint, true},
    {"handle-max", Kind::kUint},
    {"offered-capabilities", Kind::kSymbols},
    {"desired-capabilities", Kind::kSymbols},
    {"properties", Kind::kMap},
};
constexpr Field kAttachFields[] = {
    {"name", Kind::kString, true},
    {"handle", Kind::kUint, true},
    {"role", Kind::kBool, true},
    {"snd-settle-mode", Kind::kUbyte},
    {"rcv-settle-mode", Kind::kUbyte},
    {"source", Kind::kSource},
    {"target", Kind::kTarget},
    {"unsettled", Kind::kMap},
    {"incomplete-unsettled", Kind::kBool},
    {"initial-delivery-count", Kind::kUint},
    {"max-message-size", Kind::kUlong},
    {"offered-capabilities", Kind::kSymbols},
    {"desired-capabilities", Kind::kSymbols},
    {"properties", Kind::kMap},
};
constexpr Field kFlowFields[] = {
    {"next-incoming-id", Kind::kUint},
    {"incoming-window", Kind::kUint, true},
    {"next-outgoing-id", Kind::kUint, true},
    {"outgoing-window", Kind::kUint, true},
    {"handle", Kind::kUint},
    {"delivery-count", Kind::kUint},
    {"link-credit", Kind::kUint},
    {"available", Kind::kUint},
    {"drain", Kind::kBool},
    {"echo", Kind::kBool},
    {"properties", Kind::kMap},
};
constexpr Field kTransferFields[] = {
    {"handle", Kind::kUint, true},     {"delivery-id", Kind::kUint}, {"delivery-tag", Kind::kBinary},
    {"message-format", Kind::kUint},   {"settled", Kind::kBool},     {"more", Kind::kBool},
    {"rcv-settle-mode", Kind::kUbyte}, {"state", Kind::kState},      {"resume", Kind::kBool},
    {"aborted", Kind::kBool},          {"batchable", Kind::kBool},
};
constexpr Field kDispositionFields[] = {
    {"role", Kind::kBool, true}, {"first", Kind::kUint, true}, {"last", Kind::kUint},
    {"settled", Kind::kBool},    {"state", Kind::kState},      {"batchable", Kind::kBool},
};
constexpr Field kDetachFields[] = {{"handle", Kind::kUint, true}, {"closed", Kind::kBool}, {"error", Kind::kError}};
constexpr Field kEndFields[] = {{"error", Kind::kError}};

// Composite values inside performatives.
constexpr Field kErrorFields[] = {{"condition", Kind::kSymbol, true}, {"description", Kind::kString}, {"info", Kind::kMap}};
constexpr Field kSourceFields[] = {
    {"address", Kind::kAny},
    {"durable", Kind::kUint},
    {"expiry-policy", Kind::kSymbol},
    {"timeout", Kind::kUint},
    {"dynamic", Kind::kBool},
    {"dynamic-node-properties", Kind::kMap},
    {"distribution-mode", Kind::kSymbol},
    {"filter", Kind::kMap},
    {"default-outcome", Kind::kAny},
    {"outcomes", Kind::kSymbols},
    {"capabilities", Kind::kSymbols},
};
constexpr Field kTargetFields[] = {
    {"address", Kind::kAny},          {"durable", Kind::kUint}, {"expiry-policy", Kind::kSymbol},
    {"timeout", Kind::kUint},         {"dynamic", Kind::kBool}, {"dynamic-node-properties", Kind::kMap},
    {"capabilities", Kind::kSymbols},
};
constexpr Field kCoordinatorFields[] = {{"capabilities", Kind::kSymbols}};
constexpr Field kReceivedFields[] = {{"section-number", Kind::kUint, true}, {"section-offset", Kind::kUlong, true}};
constexpr Field kRejectedFields[] = {{"error", Kind::kError}};
constexpr Field kModifiedFields[] = {
    {"delivery-failed", Kind::kBool}, {"undeliverable-here", Kind::kBool}, {"message-annotations", Kind::kMap}};

struct Table {
    const char* name;
    std::span<const Field> fields;
};

std::optional<Table> performative_table(std::uint64_t code) {
    switch (code) {
        case 0x10:
            return Table{"open", kOpenFields};
        case 0x11:
            return Table{"begin", kBeginFields};
        case 0x12:
            return Table{"attach", kAttachFields};
        case 0x13:
            return Table{"flow", kFlowFields};
        case 0x14:
            return Table{"transfer", kTransferFields};
        case 0x15:
            return Table{"disposition", kDispositionFields};
        case 0x16:
            return Table{"detach", kDetachFields};
        case 0x17:
            return Table{"end", kEndFields};
        case 0x18:
            return Table{"close", kEndFields};
        default:
            return std::nullopt;
    }
}

[[noreturn]] void bad_field(const char* where, const char* field, const char* why) {
    throw Violation("amqp:decode-error", "decode", std::string(where) + ": " + field + " " + why);
}

[[noreturn]] void missing_field(const char* where, const char* field) {
    throw Violation("amqp:invalid-field", "invalid-field", std::string(where) + ": " + field + " is missing");
}

bool is_type(std::uint8_t code, Kind kind) {
    switch (kind) {
        case Kind::kBool:
            return code == 0x41 || code == 0x42 || code == 0x56;
        case Kind::kUbyte:
            return code == 0x50;
        case Kind::kUshort:
            return code == 0x60;
        case Kind::kUint:
            return code == 0x70 || code == 0x52 || code == 0x43;
        case Kind::kUlong:
            return code == 0x80 || code == 0x53 || code == 0x44;
        case Kind::kString:
            return code == 0xa1 || code == 0xb1;
        case Kind::kSymbol:
            return code == 0xa3 || code == 0xb3;
        case Kind::kBinary:
            return code == 0xa0 || code == 0xb0;
        case Kind::kMap:
            return code == 0xc1 || code == 0xd1;
        default:
            return true;
    }
}

// Everything that one performative brings, counted: a few bytes can announce many values, and each costs memory later.
class Checker {
public:
    Checker(std::string_view frame, std::uint32_t max_nodes) : frame_(frame), left_(max_nodes) {}

    void fields(const Table& table, std::size_t at, std::array<Value, Performative::kMaxFields>& out, std::size_t& count) {
        const auto list = amqp_types::enter(frame_, at);
        if (list.count > table.fields.size()) bad_field(table.name, "list", "has more fields than the specification");
        for (std::size_t i = 0; i < list.count; ++i) {
            out[i] = amqp_types::read(frame_, at);
            field(table, table.fields[i], out[i]);
        }
        count = list.count;
        for (std::size_t i = list.count; i < table.fields.size(); ++i) {
            if (table.fields[i].mandatory) missing_field(table.name, table.fields[i].name);
        }
    }

private:
    void spend(std::size_t nodes) {
        if (nodes > left_) throw Violation("amqp:resource-limit-exceeded", "nodes", "too many values in one performative");
        left_ -= nodes;
    }

    // The walk of amqp_types has checked bounds and depth already.
    void count_nodes(const Value& value) {
        spend(1);
        if (value.is_array()) {
            spend(array_count(value));
        } else if (value.is_list() || value.is_map()) {
            std::size_t at = inner(value);
            const auto items = amqp_types::enter(frame_, at);
            if (value.is_map() && items.count % 2 != 0)
                throw Violation("amqp:decode-error", "decode", "a map with an odd count");
            for (std::size_t i = 0; i < items.count; ++i) count_nodes(amqp_types::read(frame_, at));
        }
    }

    // Where the constructor of the value behind its descriptors stands.
    std::size_t inner(const Value& value) const {
        std::size_t at = value.offset;
        while (frame_[at] == '\0') {
            ++at;
            amqp_types::read(frame_, at);
        }
        return at;
    }

    // Arrays of simple values alone: the count of an inner array costs no byte of the frame, but memory later.
    std::size_t array_count(const Value& value) const {
        const std::size_t at = inner(value);
        const std::size_t width = static_cast<std::uint8_t>(frame_[at]) == 0xf0 ? 4 : 1;
        const auto element = static_cast<std::uint8_t>(frame_[at + 1 + 2 * width]);
        if (element == 0x00 || element == 0x45 || element >= 0xc0)
            throw Violation("amqp:resource-limit-exceeded", "nodes", "an array of compound values in a performative");
        std::size_t count = 0;
        for (std::size_t i = 0; i < width; ++i) count = count << 8 | static_cast<std::uint8_t>(frame_[at + 1 + width + i]);
        return count;
    }

    void field(const Table& table, const Field& spec, const Value& value) {
        if (value.code == 0x40 && !value.described) {
            if (spec.mandatory) missing_field(table.name, spec.name);
            return;
        }
        const bool composite =
            spec.kind == Kind::kError || spec.kind == Kind::kState || spec.kind == Kind::kSource || spec.kind == Kind::kTarget;
        if (composite) {
            check_composite(table, spec, value);
            return;
        }
        if (spec.kind == Kind::kAny) {
            count_nodes(value);
            return;
        }
        if (value.described) bad_field(table.name, spec.name, "has a descriptor");
        if (spec.kind == Kind::kSymbols) {
            if (!value.is_symbol() && !value.is_array())
                bad_field(table.name, spec.name, "is no symbol and no array of symbols");
            if (value.is_array()) {
                const std::size_t at = inner(value);
                const std::size_t element = at + (static_cast<std::uint8_t>(frame_[at]) == 0xf0 ? 9 : 3);
                const auto code = static_cast<std::uint8_t>(frame_[element]);
                if (code != 0xa3 && code != 0xb3)
                    bad_field(table.name, spec.name, "is an array of something else than symbols");
            }
            count_nodes(value);
            return;
        }
        if (!is_type(value.code, spec.kind)) bad_field(table.name, spec.name, "has the wrong type");
        if (spec.kind == Kind::kMap) count_nodes(value);
    }

    void check_composite(const Table& table, const Field& spec, const Value& value) {
        if (!value.described || !value.is_list()) bad_field(table.name, spec.name, "is no described list");
        std::size_t at = value.offset;
        const std::uint64_t code = amqp_types::section_code(frame_, at);
        if (frame_[at] == '\0') bad_field(table.name, spec.name, "has two descriptors");
        std::optional<Table> inside;
        switch (spec.kind) {
            case Kind::kError:
                if (code == 0x1d) inside = Table{"error", kErrorFields};
                break;
            case Kind::kSource:
                if (code == 0x28) inside = Table{"source", kSourceFields};
                break;
            case Kind::kTarget:
                if (code == 0x29) inside = Table{"target", kTargetFields};
                if (code == 0x30) inside = Table{"coordinator", kCoordinatorFields};
                break;
            default:
                if (code == 0x23) inside = Table{"received", kReceivedFields};
                if (code == 0x24) inside = Table{"accepted", {}};
                if (code == 0x25) inside = Table{"rejected", kRejectedFields};
                if (code == 0x26) inside = Table{"released", {}};
                if (code == 0x27) inside = Table{"modified", kModifiedFields};
                if (code == 0x33 || code == 0x34)
                    throw Violation("amqp:not-implemented", "transaction", "transactions are not offered here");
                break;
        }
        if (!inside) bad_field(table.name, spec.name, "has a descriptor that is not known here");
        spend(1);
        std::array<Value, Performative::kMaxFields> ignored;
        std::size_t count = 0;
        fields(*inside, at, ignored, count);
    }

    std::string_view frame_;
    std::size_t left_;
};

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
}

}  // namespace

std::size_t frame_length(std::string_view bytes, std::uint32_t max_frame, std::uint8_t type) {
    if (bytes.size() < 8) return 0;
    const std::uint64_t size = big_endian(bytes.substr(0, 4));
    const std::size_t doff = static_cast<std::uint8_t>(bytes[4]);
    if (size > max_frame) throw Violation("amqp:connection:framing-error", "frame-size", "a frame larger than max-frame-size");
    if (size < 8 || doff < 2 || doff * 4 > size)
        throw Violation("amqp:connection:framing-error", "frame-header", "a frame header that contradicts itself");
    if (static_cast<std::uint8_t>(bytes[5]) != type)
        throw Violation("amqp:connection:framing-error", "frame-type", "a frame of a type that does not belong here");
    return static_cast<std::size_t>(size);
}

std::optional<Performative> Performative::read(std::string_view frame, std::uint32_t max_nodes) {
    Performative out;
    out.frame_ = frame;
    out.channel_ = static_cast<std::uint16_t>(big_endian(frame.substr(6, 2)));
    std::size_t at = static_cast<std::size_t>(static_cast<std::uint8_t>(frame[4])) * 4;
    if (at == frame.size()) return std::nullopt;
    try {
        const std::uint64_t code = amqp_types::section_code(frame, at);
        const auto table = performative_table(code);
        if (!table) throw Violation("amqp:decode-error", "decode", "a frame body that is no performative");
        out.code_ = static_cast<Code>(code);
        std::size_t end = at;
        const Value list = amqp_types::read(frame, end);
        if (list.described || !list.is_list()) throw Violation("amqp:decode-error", "decode", "a performative that is no list");
        Checker(frame, max_nodes).fields(*table, at, out.fields_, out.count_);
        out.payload_ = frame.substr(end);
    } catch (const Error& e) {
        throw Violation("amqp:decode-error", "decode", "a performative that does not decode: " + e.why());
    }
    if (out.code_ != Code::kTransfer && !out.payload_.empty())
        throw Violation("amqp:decode-error", "decode", "bytes behind a performative");
    return out;
}

bool Performative::has(std::size_t field) const {
    return field < count_ && (fields_[field].code != 0x40 || fields_[field].described);
}

std::uint64_t Performative::number(std::size_t field, std::uint64_t fallback) const {
    if (!has(field)) return fallback;
    const Value& value = fields_[field];
    if (value.code == 0x41) return 1;
    if (value.code == 0x42) return 0;
    return big_endian(frame_.substr(value.payload, value.payload_size));
}

std::string_view Performative::text(std::size_t field) const {
    if (!has(field)) return {};
    return frame_.substr(fields_[field].payload, fields_[field].payload_size);
}

}  // namespace clrbus::amqp
