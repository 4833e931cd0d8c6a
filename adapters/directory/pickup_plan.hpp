// Which files of a folder are to be taken. Pure: no I/O, no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::adapters::directory {

struct DroppedFile {
    std::string name;
    std::uint64_t size = 0;
    std::int64_t changed = 0;  // nanoseconds since 1970
    bool regular = true;       // false: a link, pipe, socket or device; folders are not listed
};

// What an earlier look saw of a file, and since when it has been so.
struct SeenFile {
    std::uint64_t size = 0;
    std::int64_t changed = 0;
    std::chrono::steady_clock::time_point since{};
};

struct PlanOptions {
    std::string match = "*";
    std::chrono::milliseconds settle{2000};
    std::uint64_t most = 0;  // bytes
};

struct RefusedFile {
    std::string name;
    std::string code;
    std::string expected;
};

struct PickupPlan {
    std::vector<std::string> take;  // oldest first, then by name: the order in which they are accepted
    std::vector<RefusedFile> refuse;
    std::map<std::string, SeenFile> seen;  // for the next look
    bool unsettled = false;                // some may be complete soon
};

// renamed: names that the system reported as moved into the folder since the last look: complete by themselves.
PickupPlan plan_pickup(const std::vector<DroppedFile>& listing, const std::map<std::string, SeenFile>& seen,
                       const std::set<std::string>& renamed, std::chrono::steady_clock::time_point now,
                       const PlanOptions& options);

// A name that can stand in a receipt's name and in a log of ours: UTF-8, no control character, at most 200 bytes.
bool is_plain_name(std::string_view name);
std::string plain_name(std::string_view name);  // what is not plain becomes '_'

}  // namespace clrbus::adapters::directory
