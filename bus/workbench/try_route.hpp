// A file through a route, step by step, without a broker and without any effect: what each step made of it, how long it took,
// what came out, and which fields of the input make no difference to that. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "routing/route.hpp"

namespace clrbus::workbench {

struct TriedStep {
    std::string name;  // with its place: "3 transform"
    std::chrono::nanoseconds took{};
    bool changed = false;          // the document is another one behind it
    std::string document;          // behind it, indented; only when changed
    std::string difference;        // to the document before it, by lines with - and +; "" when they have little in common
    std::vector<std::string> set;  // headers that it set, removed or changed: name=value
};

struct TriedOutput {
    std::string queue, body;
};

struct TriedRecord {
    std::uint64_t number = 0;  // of a split, 0 for a whole file
    std::string input;         // as the steps get it, indented; "" when it never became a document
    std::vector<TriedStep> steps;
    std::vector<TriedOutput> outputs;
    std::string filtered;
    std::optional<Error> error;
    // Fields of the input whose value makes no difference to what comes out, in the order of the document.
    std::vector<std::string> unread;
};

struct TryOptions {
    std::size_t from = 1, most = 3;  // records
    bool unread = true;              // costs a run of the route for each field
};

std::vector<TriedRecord> try_route(const CompiledRoute& route, const std::filesystem::path& file, const TryOptions& options);

// Lines of b that are not in a with +, of a that are not in b with -, the others with a blank; "" when less than a third is
// common or one has more than 2,000 lines.
std::string line_difference(const std::string& a, const std::string& b);

}  // namespace clrbus::workbench
