// What the queues write into the journal: the bodies of their records, both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/duplicate_window.hpp"
#include "broker/queues.hpp"
#include "storage/journal.hpp"

namespace clrbus::broker {

inline constexpr std::uint8_t kMessageRecord = 1;  // number: sequence
inline constexpr std::uint8_t kSettleRecord = 2;   // number: sequence; no body
inline constexpr std::uint8_t kReleaseRecord = 3;  // number: sequence; body: not before, attempts
inline constexpr std::uint8_t kNoteRecord = 4;
inline constexpr std::uint8_t kLedgerRecord = 5;
inline constexpr std::uint8_t kQueueRecord = 6;  // queue: its number; body: its name
inline constexpr std::uint8_t kVisitRecord = 7;  // body: Unit::visits, a part of at most kVisitsPerRecord

// Flags of a message record.
inline constexpr std::uint8_t kHasKey = 1;          // a hash for the duplicate window
inline constexpr std::uint8_t kCountsAccepted = 2;  // counts kAccepted in the ledger of its queue's route
inline constexpr std::uint8_t kCopied = 4;          // moved here from an older segment: nothing but its place is new

// In front of the headers and the bare message.
struct MessageHead {
    std::int64_t accepted = 0;
    std::optional<KeyHash> key;
    KeyHash id{};  // with key
};
std::string encode_message_head(const MessageHead& head, const std::string& headers);
// Reads the part in front of the headers; body may be cut off behind it. Throws Error(kConfig, "QUEUE-010") when it is
// malformed.
MessageHead decode_message_head(std::string_view body, std::uint8_t flags);

struct StoredMessage {
    Message message;
    Headers headers;
};
StoredMessage decode_stored_message(std::string&& body, std::uint8_t flags);

struct ReleaseBody {
    std::int64_t not_before = 0;  // 0: at once
    std::uint32_t attempts = 0;
};
std::string encode_release(const ReleaseBody& body);
ReleaseBody decode_release(std::string_view body);

// Unit::visits in parts that a record holds as recovery reads it; cut between visits, which begin with their length (u16).
inline constexpr std::size_t kVisitsPerRecord = 8000;
std::vector<std::string> split_visits(std::string_view visits);

inline bool is_dead_queue(std::string_view name) {
    return name.rfind("dead/", 0) == 0;
}

std::string encode_note(const Note& note);
Note decode_note(std::string_view body);

std::string encode_ledger(const std::vector<LedgerEntry>& entries);
std::vector<LedgerEntry> decode_ledger(std::string_view body);

// Fills the checksum and adds the record to the run.
storage::JournalRecord& add_record(std::vector<storage::JournalRecord>& run, std::uint8_t type, std::uint32_t queue,
                                   std::uint64_t number, std::string head);

}  // namespace clrbus::broker
