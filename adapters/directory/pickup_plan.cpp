#include "adapters_directory/pickup_plan.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "crypto/flat_json.hpp"

namespace clrbus::adapters::directory {

namespace {

constexpr std::size_t kNameMost = 200;
constexpr std::array<std::string_view, 3> kUnfinished{".part", ".tmp", ".filepart"};

bool is_left_alone(const std::string& name, const PlanOptions& options) {
    return name.starts_with('.') ||
           std::any_of(kUnfinished.begin(), kUnfinished.end(), [&](std::string_view end) { return name.ends_with(end); }) ||
           ::fnmatch(options.match.c_str(), name.c_str(), FNM_PERIOD) != 0;
}

}  // namespace

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= kNameMost && crypto::is_utf8(name) &&
           std::none_of(name.begin(), name.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

std::string plain_name(std::string_view name) {
    if (is_plain_name(name)) return std::string(name);
    std::string plain(name.substr(0, kNameMost));
    for (char& c : plain)
        if (c < ' ' || c == '\x7f') c = '_';  // also every byte above 0x7f
    return plain;
}

PickupPlan plan_pickup(const std::vector<DroppedFile>& listing, const std::map<std::string, SeenFile>& seen,
                       const std::set<std::string>& renamed, std::chrono::steady_clock::time_point now,
                       const PlanOptions& options) {
    PickupPlan plan;
    std::vector<const DroppedFile*> complete;
    for (const DroppedFile& file : listing) {
        if (is_left_alone(file.name, options)) continue;
        if (!file.regular) {
            plan.refuse.push_back({file.name, "DIR-002", "a regular file, no link or pipe"});
        } else if (!is_plain_name(file.name)) {
            plan.refuse.push_back({file.name, "DIR-004", "a name in UTF-8, at most 200 bytes, no control characters"});
        } else if (file.size > options.most) {
            plan.refuse.push_back({file.name, "DIR-003", "at most " + std::to_string(options.most) + " bytes"});
        } else {
            const auto before = seen.find(file.name);
            const bool same =
                before != seen.end() && before->second.size == file.size && before->second.changed == file.changed;
            if (renamed.contains(file.name) || (same && now - before->second.since >= options.settle)) {
                complete.push_back(&file);
            } else {
                plan.seen[file.name] = same ? before->second : SeenFile{file.size, file.changed, now};
                plan.unsettled = true;
            }
        }
    }
    std::sort(complete.begin(), complete.end(), [](const DroppedFile* a, const DroppedFile* b) {
        return std::tie(a->changed, a->name) < std::tie(b->changed, b->name);
    });
    for (const DroppedFile* file : complete) plan.take.push_back(file->name);
    return plan;
}

}  // namespace clrbus::adapters::directory
