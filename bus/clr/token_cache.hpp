// Signed records by learner, reader, version and key, so that a reader who asks again costs a look-up and a line in the
// disclosure log. Bounded in bytes; the least recently used goes first. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace clrbus::clr {

struct SignedRecord {
    std::string signed_text;  // a compact token, or JSON with embedded proofs
    std::string json;         // what was signed, without claims and its own proof
    std::string etag;
    std::int64_t changed = 0;  // validFrom, seconds
};

class TokenCache {
public:
    using Point = std::chrono::steady_clock::time_point;

    // life: how long a catalogue change may stay unseen (it does not change a record's version).
    TokenCache(std::size_t most_bytes, std::chrono::milliseconds life) : most_bytes_(most_bytes), life_(life) {}

    std::shared_ptr<const SignedRecord> find(const std::string& key, Point now);
    void put(const std::string& key, std::shared_ptr<const SignedRecord> record, Point now);
    std::size_t bytes() const;

private:
    struct Item {
        std::string key;
        std::shared_ptr<const SignedRecord> record;  // shared with the answers that are being sent
        Point since;
        std::size_t size() const { return key.size() + record->signed_text.size() + record->json.size() + 200; }
    };
    void drop(std::list<Item>::iterator item);

    const std::size_t most_bytes_;
    const std::chrono::milliseconds life_;

    mutable std::mutex mutex_;
    std::list<Item> items_;  // most recently used first
    std::map<std::string, std::list<Item>::iterator> index_;
    std::size_t bytes_ = 0;
};

}  // namespace clrbus::clr
