// A dead letter that a person corrects: what was refused stays as it was, a child message with the new body goes into the
// route, and both sides know of each other. Pure; any thread.
//
// The child carries who corrected it, when and why in headers (text, bounded, no value of the document), which travel with all
// that is made of it into the learner record. The note edited/ROUTE/NUMBER names both bodies, which stay in originals/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/queues.hpp"
#include "routing/apply_header.hpp"

namespace clrbus {

namespace header {
inline constexpr std::string_view kCorrectedFrom = "clrbus-corrected-from";  // reference of the body as it was
inline constexpr std::string_view kCorrectedBy = "clrbus-corrected-by";
inline constexpr std::string_view kCorrectedAt = "clrbus-corrected-at";
inline constexpr std::string_view kCorrectedWhy = "clrbus-corrected-why";
inline constexpr std::string_view kCorrectedLetter = "clrbus-corrected-letter";  // ROUTE/NUMBER of the dead letter
inline constexpr std::string_view kCorrectedBody = "clrbus-corrected-body";      // reference of the body as it is now
}  // namespace header

inline constexpr std::size_t kEditMost = 8U << 20;   // bytes of a corrected body
inline constexpr std::size_t kEditReasonMost = 200;  // bytes of the reason

struct DeadEdit {
    std::string route;
    std::uint64_t number = 0;
    std::string id, child;  // message ids: of the dead letter, of what was made of it
    std::string from, to;   // references of the two bodies
    std::string by, at, why;
    std::string code, step;  // why it was dead

    std::string note_name() const;
    std::string encode() const;
    static DeadEdit decode(std::string_view note);  // Error(kPoison, "CORE-002")
};
std::string edit_note_name(const std::string& route, std::uint64_t number);

// Throws Error(kPoison, "DEAD-007" … "DEAD-009") for a dead letter, body or reason that cannot be taken.
void check_edit(const std::string& route, const BrowsedMessage& dead, std::string_view body);
void check_edit_reason(std::string_view why);

// The id of the child: the same for the same dead letter and body.
std::string edited_id(const std::string& dead_id, const std::string& body_reference);

// The child. spool_above: a body of more bytes is read from originals/ (not for a record of a split).
Put edited_put(const std::string& inbox, const BrowsedMessage& dead, std::string_view body, const DeadEdit& edit,
               std::size_t spool_above);

// From the headers of a message to what its record says of it. Empty: nobody corrected it.
ApplyHeader::Correction correction_of(const Headers& headers);

// Doors take them off: only an edit sets them.
void remove_correction(Headers& headers);

}  // namespace clrbus
