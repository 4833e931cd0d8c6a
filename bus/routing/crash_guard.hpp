// Which messages are in hand right now, in a small mapped file that survives the process, so that a message that ends the
// process is found. A fatal signal writes down the message of the thread that got it: then it is known who it was, and the
// others that were in hand are not suspected. An end without one (kill -9, power, no memory) makes suspects of all that was in
// hand: they run alone at the next start, and only an end while it is alone counts against one of them. Any thread; one guard a
// process catches signals.
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

    // What the process before left when it ended without stop. Call once, before the first hold.
    struct Suspect {
        std::uint64_t sequence = 0;
        bool ended_it = false;  // a signal on its thread, or it was alone
    };
    std::vector<Suspect> take_leftovers();

    // Nothing is in hand any more as far as the next start is concerned.
    void clear();

    // Held while a suspect is worked on.
    std::mutex& alone() { return alone_; }
    // The message that runs with no other in hand; 0: none.
    void runs_alone(std::uint64_t sequence);

    // Marks a sequence as in hand, on this thread, for the life of the object.
    class Hold {
    public:
        Hold(CrashGuard& guard, std::uint64_t sequence);
        ~Hold();
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

    private:
        CrashGuard& guard_;
        int slot_;
        std::uint64_t outer_;
    };

    static constexpr int kSlots = 256;
    static constexpr int kAlone = kSlots;        // word of the file: runs_alone
    static constexpr int kCrashed = kSlots + 1;  // the message whose thread got a fatal signal; ~0: a thread without one

private:
    static constexpr int kWords = kSlots + 2;
    std::uint64_t* words_ = nullptr;  // the mapping: a store reaches the page cache and outlives a kill
    int file_ = -1;
    std::mutex alone_;
};

}  // namespace clrbus
