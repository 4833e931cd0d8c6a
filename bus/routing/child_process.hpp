// Runs a program of the site's own on some bytes: no shell, no inherited descriptor or environment, a process group of its own
// that is killed as a whole, limits on time, memory, processor and output. Any thread; blocks until the program has ended.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

struct ChildPlan {
    std::filesystem::path program;       // absolute
    std::vector<std::string> arguments;  // behind the program's name
    std::filesystem::path directory;     // where it works
    std::chrono::milliseconds time{10'000};
    std::size_t memory_bytes = 512U << 20;  // address space
    std::size_t output_bytes = 16U << 20;
    struct User {
        uid_t user = 0;
        gid_t group = 0;
    };
    std::optional<User> user;  // whose rights it has; the bus's own without it
};

struct ChildResult {
    enum class End : std::uint8_t {
        kExit,       // status is its exit status
        kSignal,     // status is the signal that ended it
        kTime,       // killed: it took too long
        kOutput,     // killed: it wrote too much
        kStopped,    // killed: stop was set
        kNotStarted  // status is the errno
    };
    End end = End::kNotStarted;
    int status = 0;
    std::string output;
    std::string errors;  // the first 4 KB of standard error; may hold anything
};

// environment: NAME=VALUE, all that it has. stop may be null.
ChildResult run_child(const ChildPlan& plan, const std::vector<std::string>& environment, std::string_view input,
                      const std::atomic<bool>* stop);

}  // namespace clrbus
