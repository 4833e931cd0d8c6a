#include "trace/visit.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace clrbus::trace {
namespace {

constexpr std::array<std::string_view, kVisitStates> kStateNames{
    "waiting", "delivered", "filtered", "split",     "aggregated", "duplicate", "dead",     "discarded", "expired",
    "parked",  "went-on",   "applied",  "unchanged", "superseded", "held",      "replayed", "corrected"};

constexpr std::size_t kQueueMost = 256, kCodeMost = 32, kStepMost = 80, kReasonMost = 200, kKeyNameMost = 64;
constexpr std::uint8_t kChildFlag = 1;

void put_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out += static_cast<char>(value | 0x80);
        value >>= 7;
    }
    out += static_cast<char>(value);
}

void put_short(std::string& out, std::string_view text, std::size_t most) {
    text = text.substr(0, most);
    put_varint(out, text.size());
    out.append(text);
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A UUID in the one way in which unpack_id writes it.
bool pack_uuid(std::string_view id, char* out) {
    if (id.size() != 36) return false;
    std::size_t at = 0;
    for (std::size_t i = 0; i < 36;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (id[i++] != '-') return false;
            continue;
        }
        const int high = hex_digit(id[i]), low = hex_digit(id[i + 1]);
        if (high < 0 || low < 0) return false;
        out[at++] = static_cast<char>(high << 4 | low);
        i += 2;
    }
    return true;
}

void put_id(std::string& out, std::string_view id) {
    char uuid[16];
    if (pack_uuid(id, uuid)) {
        out += static_cast<char>(16);
        out.append(uuid, 16);
        return;
    }
    if (id.empty()) {
        out += '\0';
        return;
    }
    id = id.substr(0, kVisitIdMost);
    // Never 16 bytes long: those are a UUID.
    const std::string_view mark = id.size() == 15 ? std::string_view("\2\0", 2) : std::string_view("\1", 1);
    put_varint(out, mark.size() + id.size());
    out.append(mark).append(id);
}

std::uint64_t mixed(std::uint64_t x) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ x >> 33;
}

std::uint64_t zigzag(std::int64_t value) {
    return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// The fields in front of the lists, in their order.
struct VisitHead {
    VisitView view;
    std::uint64_t position = 0, generation = 0, took = 0, bytes = 0, attempts = 0, dead = 0, more = 0;
    std::int64_t accepted = 0;
    std::string_view code, step, reason;
};

bool read_head(std::string_view in, VisitHead& head) {
    if (in.size() < 2) return false;
    const auto state = static_cast<std::uint8_t>(in[0]);
    if (state >= kVisitStates) return false;
    VisitView& view = head.view;
    view.state = static_cast<VisitState>(state);
    view.child_of_split = (static_cast<std::uint8_t>(in[1]) & kChildFlag) != 0;
    in.remove_prefix(2);
    view.queue = detail::read_text(in);
    view.id = detail::read_text(in);
    view.parent = detail::read_text(in);
    view.ended = static_cast<std::int64_t>(detail::read_varint(in));
    head.accepted = view.ended - unzigzag(detail::read_varint(in));
    view.sequence = detail::read_varint(in);
    for (std::uint64_t* field : {&head.position, &head.generation, &head.took, &head.bytes, &head.attempts, &head.dead})
        *field = detail::read_varint(in);
    head.code = detail::read_text(in);
    head.step = detail::read_text(in);
    head.reason = detail::read_text(in);
    head.more = detail::read_varint(in);
    view.outputs = detail::read_text(in);
    if (in.empty()) return false;  // the length of the keys is there at least
    const std::uint64_t keys = detail::read_varint(in);
    if (keys != in.size()) return false;
    view.keys = in;
    return true;
}

}  // namespace

namespace detail {

std::uint64_t read_varint(std::string_view& in) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < in.size() && i < 10; ++i) {
        const auto byte = static_cast<std::uint8_t>(in[i]);
        value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            in.remove_prefix(i + 1);
            return value;
        }
    }
    in = {};
    return 0;
}

std::string_view read_text(std::string_view& in) {
    const std::uint64_t size = read_varint(in);
    if (size > in.size()) {
        in = {};
        return {};
    }
    const std::string_view text = in.substr(0, size);
    in.remove_prefix(size);
    return text;
}

std::uint64_t read_fixed(std::string_view& in) {
    std::uint64_t value = 0;
    if (in.size() < sizeof value) {
        in = {};
        return 0;
    }
    std::memcpy(&value, in.data(), sizeof value);
    in.remove_prefix(sizeof value);
    return value;
}

}  // namespace detail

std::string_view to_string(VisitState state) {
    return kStateNames[static_cast<std::size_t>(state)];
}

std::optional<VisitState> visit_state(std::string_view text) {
    const auto found = std::find(kStateNames.begin(), kStateNames.end(), text);
    if (found == kStateNames.end()) return std::nullopt;
    return static_cast<VisitState>(found - kStateNames.begin());
}

void append_visit(std::string& visits, const Visit& visit) {
    const std::size_t start = visits.size();
    visits.append(2, '\0');
    visits += static_cast<char>(visit.state);
    visits += static_cast<char>(visit.child_of_split ? kChildFlag : 0);
    put_short(visits, visit.queue, kQueueMost);
    put_id(visits, visit.id);
    put_id(visits, visit.parent);
    const auto ended = std::max<std::int64_t>(0, visit.ended.time_since_epoch().count());
    put_varint(visits, static_cast<std::uint64_t>(ended));
    put_varint(visits, zigzag(ended - visit.accepted.time_since_epoch().count()));
    for (const std::uint64_t field :
         {visit.sequence, visit.position, visit.generation, visit.took, visit.bytes, visit.attempts, visit.dead})
        put_varint(visits, field);
    put_short(visits, visit.code, kCodeMost);
    put_short(visits, visit.step, kStepMost);
    put_short(visits, visit.reason, kReasonMost);
    std::string list;
    std::size_t named = 0;
    for (; named < visit.outputs.size() && named < kVisitOutputs && list.size() < kVisitMost / 2; ++named) {
        put_short(list, visit.outputs[named].queue, kQueueMost);
        put_id(list, visit.outputs[named].id);
    }
    put_varint(visits, visit.more_outputs + visit.outputs.size() - named);
    put_varint(visits, list.size());
    visits += list;
    list.clear();
    for (std::size_t i = 0; i < visit.keys.size() && i < kVisitKeys; ++i) {
        const VisitKey& key = visit.keys[i];
        put_short(list, key.name, kKeyNameMost);
        list.append(reinterpret_cast<const char*>(&key.hash), sizeof key.hash);
        put_short(list, key.value.size() > kKeyValueMost ? std::string_view() : std::string_view(key.value), kKeyValueMost);
    }
    put_varint(visits, list.size());
    visits += list;
    const auto length = static_cast<std::uint16_t>(visits.size() - start - 2);
    std::memcpy(visits.data() + start, &length, sizeof length);
}

bool next_visit(std::string_view& visits, std::string_view& encoded) {
    std::uint16_t length = 0;
    if (visits.size() < sizeof length) {
        visits = {};
        return false;
    }
    std::memcpy(&length, visits.data(), sizeof length);
    if (length > visits.size() - sizeof length) {
        visits = {};
        return false;
    }
    encoded = visits.substr(sizeof length, length);
    visits.remove_prefix(sizeof length + length);
    return true;
}

bool view_visit(std::string_view encoded, VisitView& view) {
    VisitHead head;
    if (!read_head(encoded, head)) return false;
    view = head.view;
    return true;
}

std::optional<Visit> decode_visit(std::string_view encoded) {
    VisitHead head;
    if (!read_head(encoded, head)) return std::nullopt;
    Visit out;
    out.state = head.view.state;
    out.child_of_split = head.view.child_of_split;
    out.queue = head.view.queue;
    out.id = unpack_id(head.view.id);
    out.parent = unpack_id(head.view.parent);
    out.sequence = head.view.sequence;
    out.position = head.position;
    out.generation = head.generation;
    out.accepted = Time(std::chrono::milliseconds(head.accepted));
    out.ended = Time(std::chrono::milliseconds(head.view.ended));
    out.took = head.took;
    out.bytes = head.bytes;
    out.attempts = head.attempts;
    out.dead = head.dead;
    out.code = head.code;
    out.step = head.step;
    out.reason = head.reason;
    out.more_outputs = head.more;
    for (std::string_view in = head.view.outputs; !in.empty();) {
        VisitOutput& one = out.outputs.emplace_back();
        one.queue = detail::read_text(in);
        one.id = unpack_id(detail::read_text(in));
    }
    for (std::string_view in = head.view.keys; !in.empty();) {
        VisitKey& one = out.keys.emplace_back();
        one.name = detail::read_text(in);
        one.hash = detail::read_fixed(in);
        one.value = detail::read_text(in);
    }
    return out;
}

std::string pack_id(std::string_view id) {
    std::string out;
    put_id(out, id);
    std::string_view in = out;
    return std::string(detail::read_text(in));
}

std::string unpack_id(std::string_view packed) {
    if (packed.empty()) return {};
    if (packed.size() != 16) return std::string(packed.substr(packed[0] == '\2' ? 2 : 1));
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(36);
    for (std::size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        out += kDigits[static_cast<std::uint8_t>(packed[i]) >> 4];
        out += kDigits[static_cast<std::uint8_t>(packed[i]) & 15];
    }
    return out;
}

std::uint64_t id_hash(std::string_view packed) {
    std::uint64_t hash = 0x9ae16a3b2f90404fULL + packed.size();
    while (packed.size() >= sizeof hash) {
        std::uint64_t word = 0;
        std::memcpy(&word, packed.data(), sizeof word);
        hash = mixed(hash ^ word);
        packed.remove_prefix(sizeof word);
    }
    std::uint64_t rest = 0;
    if (!packed.empty()) std::memcpy(&rest, packed.data(), packed.size());
    return mixed(hash ^ rest);
}

}  // namespace clrbus::trace
