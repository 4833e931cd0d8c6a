// A message that goes on later, or elsewhere, in the middle of its route: put into the route's own inbox with the label of the
// step in header::kAtStep. It takes what it is by then with it: the document (or the bytes that nobody parsed yet), headers,
// trace, original, source number, position in the original.
//
// A step that holds the message in hand back (a delay in a split, say) makes one, sets work.goes_on and returns Flow::kDone:
// the message has no outcome yet, and the ledger counts it as waiting. A step that makes a further message (an aggregate)
// counts Outcome::kMade for it, and takes kReceiptHeader off when it is not the message that the sender asks for.
#pragma once

#include "broker/queues.hpp"
#include "routing/step.hpp"
#include "routing/work.hpp"

namespace clrbus {

// To go on at `at`: usually the step behind the one that asks, its next(). `by` is the step that asks: it names the id, which
// is the same for the same input. The Work is left as it is.
Put continuation(const Work& work, const Step& at, const Step& by);

// Makes the Work of a message that goes on (header::kAtStep) ready: its document from the body that it carries, its position
// and source number. Throws Error(kPoison) as parsing does.
void continue_work(Work& work);

// What names who is to be answered, in a request and in what a route makes of it (steps/reply.cpp).
inline constexpr std::string_view kReplyTo = "clrbus-reply-to";
inline constexpr std::string_view kCorrelationId = "clrbus-correlation-id";
void remove_reply_headers(Headers& headers);

// header::kAtBody of a message that carries a document.
inline constexpr std::string_view kDocumentBody = "document";

// The headers of a message that is put from outside, without those that only the engine sets.
void remove_engine_headers(Headers& headers);

}  // namespace clrbus
