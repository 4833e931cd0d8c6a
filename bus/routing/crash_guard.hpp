// Which messages are in hand right now, in a small mapped file that survives the process: a message that is found there at two
// starts is taken to have crashed the bus. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <vector>

namespace clrbus {

class CrashGuard {
public:
    // Opens or makes the file. Throws Error(kConfig, "ROUTE-030").
    explicit CrashGuard(const std::filesystem::path& file);
    ~CrashGuard();
    CrashGuard(const CrashGuard&) = delete;
    CrashGuard& operator=(const CrashGuard&) = delete;

    // The sequences that were in hand when the process before ended without stop. Call once, before the first hold.
    std::vector<std::uint64_t> take_leftovers();

    // Held while a suspect is worked on.
    std::mutex& alone() { return alone_; }

    // Marks a sequence as in hand for the life of the object.
    class Hold {
    public:
        Hold(CrashGuard& guard, std::uint64_t sequence);
        ~Hold();
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

    private:
        CrashGuard& guard_;
        int slot_;
    };

private:
    static constexpr int kSlots = 256;
    std::uint64_t* slots_ = nullptr;  // the mapping: a store reaches the page cache and outlives a kill
    int file_ = -1;
    std::mutex alone_;
};

}  // namespace clrbus
