// A file through a route's steps, without a broker and without any effect: for the cases of a route, and to try one.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "routing/route.hpp"

namespace clrbus {

struct DryResult {
    enum class Kind : std::uint8_t { kOutput, kFiltered, kDead };
    Kind kind = Kind::kOutput;
    std::uint64_t record = 0;    // of a split
    std::string queue, xml;      // kOutput: one result for each output
    std::string reason;          // kFiltered
    std::optional<Error> error;  // kDead
};

// The messages that a file becomes behind the first door: its keep and drop applied, split, nothing done to them yet. one:
// false ends the reading. broken: a record that cannot be read (its number), or the stream (0).
void dry_messages(const CompiledRoute& route, const std::filesystem::path& file, const std::function<bool(Work&)>& one,
                  const std::function<void(std::uint64_t record, const Error& error)>& broken);

// Runs the steps on each of them. A broken stream ends as one kDead at the end.
std::vector<DryResult> dry_run(const CompiledRoute& route, const std::filesystem::path& file);

// The cases of one route folder: cases/NAME/input.* with expected.xml, expected-1.xml, … in the order of the outputs, and
// expected.txt, expected-2.txt, … that say "filtered: REASON" or "dead: PATH" (or "dead: CODE PATH").
struct CaseResult {
    std::string name;
    bool held = false;
    std::string difference;  // empty when held
};
std::vector<CaseResult> run_cases(const std::vector<std::shared_ptr<const CompiledRoute>>& routes,
                                  const std::filesystem::path& folder);

}  // namespace clrbus
