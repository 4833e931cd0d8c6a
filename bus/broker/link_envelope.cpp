#include "broker/link_envelope.hpp"

#include <utility>

#include "core/error.hpp"

namespace clrbus::broker {
namespace {

constexpr char kLinkWork = 'W', kLinkUnit = 'U', kLinkRelease = 'R';
constexpr char kLinkVersion = 2;
constexpr std::size_t kMostItems = 1'000'000;  // of one list

class LinkWriter {
public:
    LinkWriter& u64(std::uint64_t value) {
        for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(value >> shift);
        return *this;
    }
    LinkWriter& text(std::string_view bytes) {
        u64(bytes.size());
        out_ += bytes;
        return *this;
    }
    LinkWriter& kind(char kind) {
        out_ += kind;
        out_ += kLinkVersion;
        return *this;
    }
    LinkWriter& put(const Put& put) {
        return text(put.queue).text(put.message.bytes()).text(put.headers.encode()).text(put.duplicate_key);
    }
    LinkWriter& notes(const std::vector<Note>& notes) {
        u64(notes.size());
        for (const Note& note : notes) text(note.name).u64(note.value ? 1 : 0).text(note.value.value_or(""));
        return *this;
    }
    LinkWriter& inputs(const std::vector<Unit::Input>& inputs) {
        u64(inputs.size());
        for (const Unit::Input& input : inputs) text(input.queue).u64(input.sequence);
        return *this;
    }
    const std::string& bytes() const { return out_; }

private:
    std::string out_;
};

class LinkReader {
public:
    explicit LinkReader(std::string_view bytes) : bytes_(bytes) {}

    [[noreturn]] void fail(const char* why) const {
        Where where;
        where.offset = static_cast<std::int64_t>(at_);
        throw Error(Fault::kPoison, "LINK-001", "reading what came over the broker", where, why);
    }
    std::string_view take(std::uint64_t size) {
        if (size > bytes_.size() - at_) fail("it ends too early");
        const std::string_view out = bytes_.substr(at_, static_cast<std::size_t>(size));
        at_ += static_cast<std::size_t>(size);
        return out;
    }
    std::uint64_t u64() {
        std::uint64_t value = 0;
        for (const char c : take(8)) value = value << 8 | static_cast<std::uint8_t>(c);
        return value;
    }
    // Of a list whose items take at least so many bytes each: what is made for them stays in proportion.
    std::size_t count(std::size_t item) {
        const std::uint64_t value = u64();
        if (value > kMostItems || value > (bytes_.size() - at_) / item) fail("a list longer than what it is in");
        return static_cast<std::size_t>(value);
    }
    std::string text() { return std::string(take(u64())); }
    char kind() {
        const std::string_view head = take(2);
        if (head[1] != kLinkVersion) fail("of another version of the bus");
        return head[0];
    }
    Message message() {
        std::string bytes = text();
        return bytes.empty() ? Message() : Message::from_encoded(std::move(bytes));
    }
    Put put() {
        Put out;
        out.queue = text();
        out.message = message();
        out.headers = Headers::decode(text());
        out.duplicate_key = text();
        return out;
    }
    std::vector<Note> notes() {
        std::vector<Note> out(count(24));
        for (Note& note : out) {
            note.name = text();
            const bool there = u64() != 0;
            std::string value = text();
            if (there) note.value = std::move(value);
        }
        return out;
    }
    std::vector<Unit::Input> inputs() {
        std::vector<Unit::Input> out(count(16));
        for (Unit::Input& input : out) {
            input.queue = text();
            input.sequence = u64();
        }
        return out;
    }
    void end() const {
        if (at_ != bytes_.size()) fail("there is more than belongs to it");
    }

private:
    std::string_view bytes_;
    std::size_t at_ = 0;
};

Time link_time(std::uint64_t millis) {
    return Time(std::chrono::milliseconds(static_cast<std::int64_t>(millis)));
}

Outcome link_outcome(LinkReader& in) {
    const std::uint64_t value = in.u64();
    if (value >= kOutcomes) in.fail("an outcome that is not known here");
    return static_cast<Outcome>(value);
}

}  // namespace

Message encode_work(const LinkWork& work) {
    LinkWriter out;
    out.kind(kLinkWork).u64(work.delivery).text(work.taken.queue).u64(work.taken.sequence).u64(work.taken.attempts);
    out.text(work.taken.headers.encode()).notes(work.notes).text(work.taken.message.bytes());
    return MessageBuilder()
        .message_id(work.taken.message.message_id())
        .subject(work.taken.queue)
        .content_type("application/x-clrbus-work")
        .build(out.bytes());
}

Message encode_result(const LinkResult& result) {
    LinkWriter out;
    if (const auto* given = std::get_if<LinkRelease>(&result)) {
        out.kind(kLinkRelease).text(given->queue).u64(given->sequence).u64(given->delivery);
        out.u64(static_cast<std::uint64_t>(given->not_before.time_since_epoch().count())).u64(given->failed ? 1 : 0);
    } else {
        const auto& with = std::get<LinkUnit>(result);
        out.kind(kLinkUnit).inputs(with.unit.settled);
        out.u64(with.unit.outputs.size());
        for (const Put& put : with.unit.outputs) out.put(put);
        out.notes(with.unit.notes).u64(with.unit.ledger.size());
        for (const LedgerEntry& entry : with.unit.ledger) {
            out.text(entry.account).u64(static_cast<std::uint64_t>(entry.outcome)).u64(static_cast<std::uint64_t>(entry.count));
        }
        out.notes(with.believed).inputs(with.during).text(with.unit.visits);
    }
    return MessageBuilder().content_type("application/x-clrbus-result").build(out.bytes());
}

LinkWork decode_work(std::string encoded) {
    const std::string body = Message::from_encoded(std::move(encoded)).body_copy();
    LinkReader in(body);
    if (in.kind() != kLinkWork) in.fail("it is no work");
    LinkWork out;
    out.delivery = in.u64();
    out.taken.queue = in.text();
    out.taken.sequence = in.u64();
    out.taken.attempts = static_cast<std::uint32_t>(in.u64());
    out.taken.headers = Headers::decode(in.text());
    out.notes = in.notes();
    out.taken.message = in.message();
    in.end();
    return out;
}

LinkResult decode_result(std::string encoded) {
    const std::string body = Message::from_encoded(std::move(encoded)).body_copy();
    LinkReader in(body);
    const char kind = in.kind();
    if (kind == kLinkRelease) {
        LinkRelease out;
        out.queue = in.text();
        out.sequence = in.u64();
        out.delivery = in.u64();
        out.not_before = link_time(in.u64());
        out.failed = in.u64() != 0;
        in.end();
        return out;
    }
    if (kind != kLinkUnit) in.fail("it is no result");
    LinkUnit out;
    out.unit.settled = in.inputs();
    out.unit.outputs.resize(in.count(32));
    for (Put& put : out.unit.outputs) put = in.put();
    out.unit.notes = in.notes();
    out.unit.ledger.resize(in.count(24));
    for (LedgerEntry& entry : out.unit.ledger) {
        entry.account = in.text();
        entry.outcome = link_outcome(in);
        entry.count = static_cast<std::int64_t>(in.u64());
    }
    out.believed = in.notes();
    out.during = in.inputs();
    out.unit.visits = in.text();
    in.end();
    return out;
}

}  // namespace clrbus::broker
