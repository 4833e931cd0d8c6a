// The bus's own headers of a message (trace, original, source number, …): they lie beside the bare message, never inside it.
// A small flat map; a value type; names are ASCII, compared exactly.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clrbus {

class Headers {
public:
    using Entry = std::pair<std::string, std::string>;

    void set(std::string_view name, std::string_view value);
    void remove(std::string_view name);
    // Empty when absent; has() tells the two apart.
    std::string_view get(std::string_view name) const;
    bool has(std::string_view name) const;
    const std::vector<Entry>& entries() const { return entries_; }
    bool empty() const { return entries_.empty(); }

    // Length-prefixed pairs, for the journal. decode throws Error(kPoison, "CORE-002") on anything malformed.
    std::string encode() const;
    static Headers decode(std::string_view bytes);

    friend bool operator==(const Headers&, const Headers&) = default;

private:
    std::vector<Entry> entries_;  // sorted by name
};

// Names of the headers that the bus itself writes.
namespace header {
inline constexpr std::string_view kOriginal = "clrbus-original";  // reference of the original: sha256:HEX[:spooled]
inline constexpr std::string_view kSource = "clrbus-source";      // door that accepted: route/door
inline constexpr std::string_view kSourceNumber =
    "clrbus-source-number";  // decimal, given at the door per route, kept through split, retry, replay
inline constexpr std::string_view kAcceptedAt = "clrbus-accepted-at";  // RFC 3339, UTC
inline constexpr std::string_view kUser = "clrbus-user";               // who published, as the door authenticated
inline constexpr std::string_view kName = "clrbus-name";               // file name or request path, where harmless
inline constexpr std::string_view kTrace = "traceparent";              // W3C trace context
inline constexpr std::string_view kRoute = "clrbus-route";
inline constexpr std::string_view kGeneration = "clrbus-generation";
inline constexpr std::string_view kPosition = "clrbus-position";  // record number within the original
inline constexpr std::string_view kApply = "clrbus-apply";        // routing/apply_header.hpp, on messages in 'records'
inline constexpr std::string_view kParent = "clrbus-parent";      // message id that this one was made from
// A message that goes on in the middle of its route (routing/continuation.hpp): the label of the step, and what its body is:
// the "document" that it was, or the "bytes" that nobody parsed yet. Doors take both off: only the engine sets them.
inline constexpr std::string_view kAtStep = "clrbus-at-step";
inline constexpr std::string_view kAtBody = "clrbus-at-body";
// A child of a split whose first attempt failed and that goes on alone: the queue counts the attempts behind that one.
inline constexpr std::string_view kAttemptFailed = "clrbus-attempt-failed";
// On dead letters:
inline constexpr std::string_view kDeadStep = "clrbus-dead-step";
inline constexpr std::string_view kDeadCode = "clrbus-dead-code";
inline constexpr std::string_view kDeadReason = "clrbus-dead-reason";
inline constexpr std::string_view kDeadPath = "clrbus-dead-path";
inline constexpr std::string_view kDeadLine = "clrbus-dead-line";
inline constexpr std::string_view kDeadAt = "clrbus-dead-at";
inline constexpr std::string_view kDeadExpected = "clrbus-dead-expected";
inline constexpr std::string_view kDeadAttempts = "clrbus-dead-attempts";  // how often it was tried; absent: once
}  // namespace header

}  // namespace clrbus
