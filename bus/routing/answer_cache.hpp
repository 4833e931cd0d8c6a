// Answers that are asked for again, for a while: at most so many and so many bytes; the one that was used longest ago goes
// first. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace clrbus {

struct CachedAnswer {
    std::string body, content_type;
    bool nothing = false;
};

class AnswerCache {
public:
    using Time = std::chrono::steady_clock::time_point;
    AnswerCache(std::chrono::milliseconds life, std::size_t most, std::size_t most_bytes)
        : life_(life), most_(most), most_bytes_(most_bytes) {}

    std::optional<CachedAnswer> find(const std::string& key, Time now);
    void put(const std::string& key, CachedAnswer answer, Time now);

private:
    struct Entry {
        std::string key;
        CachedAnswer answer;
        Time until;
        std::size_t bytes() const { return key.size() + answer.body.size() + answer.content_type.size() + 128; }
    };
    void drop(std::list<Entry>::iterator entry);

    const std::chrono::milliseconds life_;
    const std::size_t most_, most_bytes_;
    std::mutex mutex_;
    std::list<Entry> entries_;  // used last in front
    std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
    std::size_t bytes_ = 0;
};

}  // namespace clrbus
