#include "broker/queue_records.hpp"

#include <cstring>

#include "core/error.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"

namespace clrbus::broker {
namespace {

using storage::ByteReader;
using storage::put_number;
using storage::put_text;

[[noreturn]] void record_malformed(const char* what) {
    throw Error(Fault::kConfig, "QUEUE-010", "reading the journal", std::string("a record of a ") + what + " is malformed");
}

std::string_view record_key_text(const KeyHash& hash) {
    return {hash.data(), hash.size()};
}

}  // namespace

std::string encode_message_head(const MessageHead& head, const std::string& headers) {
    std::string bytes;
    bytes.reserve(12 + (head.key ? 32 : 0) + headers.size());
    put_number(bytes, head.accepted);
    if (head.key) {
        bytes.append(record_key_text(*head.key));
        bytes.append(record_key_text(head.id));
    }
    put_text(bytes, headers);
    return bytes;
}

MessageHead decode_message_head(std::string_view body, std::uint8_t flags) {
    ByteReader reader(body);
    MessageHead head;
    head.accepted = reader.number<std::int64_t>();
    if ((flags & kHasKey) != 0) {
        const auto key = reader.take(sizeof(KeyHash));
        const auto id = reader.take(sizeof(KeyHash));
        if (reader.ok()) {
            head.key.emplace();
            std::memcpy(head.key->data(), key.data(), key.size());
            std::memcpy(head.id.data(), id.data(), id.size());
        }
    }
    if (!reader.ok()) record_malformed("message");
    return head;
}

StoredMessage decode_stored_message(std::string&& body, std::uint8_t flags) {
    ByteReader reader(body);
    reader.number<std::int64_t>();
    if ((flags & kHasKey) != 0) reader.take(2 * sizeof(KeyHash));
    const auto headers = reader.text();
    const auto message = reader.rest();
    if (!reader.ok()) record_malformed("message");
    StoredMessage stored;
    if (!headers.empty()) stored.headers = Headers::decode(headers);
    if (!message.empty()) {
        body.erase(0, body.size() - message.size());
        stored.message = Message::from_encoded(std::move(body));
    }
    return stored;
}

std::string encode_release(const ReleaseBody& body) {
    std::string bytes;
    put_number(bytes, body.not_before);
    put_number(bytes, body.attempts);
    return bytes;
}

ReleaseBody decode_release(std::string_view body) {
    ByteReader reader(body);
    ReleaseBody release;
    release.not_before = reader.number<std::int64_t>();
    release.attempts = reader.number<std::uint32_t>();
    if (!reader.ok()) record_malformed("release");
    return release;
}

std::vector<std::string> split_visits(std::string_view visits) {
    std::vector<std::string> out;
    while (visits.size() >= sizeof(std::uint16_t)) {
        std::size_t end = 0;
        while (visits.size() - end >= sizeof(std::uint16_t)) {
            std::uint16_t length = 0;
            std::memcpy(&length, visits.data() + end, sizeof length);
            const std::size_t next = end + sizeof length + length;
            if (next > visits.size() || (end != 0 && next > kVisitsPerRecord)) break;
            end = next;
        }
        if (end == 0) break;  // malformed: nobody's who looks later
        out.emplace_back(visits.substr(0, end));
        visits.remove_prefix(end);
    }
    return out;
}

std::string encode_note(const Note& note) {
    std::string bytes;
    put_text(bytes, note.name);
    put_number(bytes, static_cast<std::uint8_t>(note.value.has_value()));
    if (note.value) put_text(bytes, *note.value);
    return bytes;
}

Note decode_note(std::string_view body) {
    ByteReader reader(body);
    Note note;
    note.name = reader.text();
    if (reader.number<std::uint8_t>() != 0) note.value = std::string(reader.text());
    if (!reader.ok()) record_malformed("note");
    return note;
}

std::string encode_ledger(const std::vector<LedgerEntry>& entries) {
    std::string bytes;
    put_number(bytes, static_cast<std::uint32_t>(entries.size()));
    for (const auto& entry : entries) {
        put_text(bytes, entry.account);
        put_number(bytes, static_cast<std::uint8_t>(entry.outcome));
        put_number(bytes, entry.count);
    }
    return bytes;
}

std::vector<LedgerEntry> decode_ledger(std::string_view body) {
    ByteReader reader(body);
    std::vector<LedgerEntry> entries;
    for (auto left = reader.number<std::uint32_t>(); left > 0 && reader.ok(); --left) {
        LedgerEntry entry;
        entry.account = reader.text();
        const auto outcome = reader.number<std::uint8_t>();
        if (outcome >= kOutcomes) record_malformed("ledger entry");
        entry.outcome = static_cast<Outcome>(outcome);
        entry.count = reader.number<std::int64_t>();
        entries.push_back(std::move(entry));
    }
    if (!reader.ok()) record_malformed("ledger entry");
    return entries;
}

storage::JournalRecord& add_record(std::vector<storage::JournalRecord>& run, std::uint8_t type, std::uint32_t queue,
                                   std::uint64_t number, std::string head) {
    auto& record = run.emplace_back();
    record.type = type;
    record.queue = queue;
    record.number = number;
    record.body_crc = storage::crc32c(0, head);
    record.head = std::move(head);
    return record;
}

}  // namespace clrbus::broker
