#include "routing/continuation.hpp"

#include <cstdlib>

#include "adapter/adapter.hpp"
#include "core/error.hpp"
#include "routing/dead_edit.hpp"
#include "routing/parser_pool.hpp"
#include "routing/route.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kBytesBody = "bytes";
constexpr std::string_view kContinuedSpooled = "clrbus-spooled";

ParserPool& continuation_parsers() {
    static ParserPool pool(nullptr);  // of all routes: the document was judged already
    return pool;
}

}  // namespace

Put continuation(const Work& work, const Step& at, const Step& by) {
    Put put;
    put.queue = work.route.inbox();
    put.headers = work.headers;
    put.headers.set(header::kAtStep, at.name());
    put.headers.set(header::kAtBody, work.parsed ? kDocumentBody : kBytesBody);
    put.headers.set(header::kSourceNumber, std::to_string(work.source_number));
    if (work.number != 0) put.headers.set(header::kPosition, std::to_string(work.number));
    // Whoever asks what became of the message that was sent asks by its id.
    if (work.headers.get(kReceiptHeader) == "1") put.headers.set(kReceiptHeader, work.id);
    const bool spooled =
        !work.parsed && !work.own_body && work.headers.has(kContinuedSpooled);  // what nobody read yet stays in originals/
    if (!spooled) put.headers.remove(kContinuedSpooled);
    put.headers.remove(header::kDeadStep);
    put.message = MessageBuilder()
                      .message_id(output_id(work, by.name()))
                      .content_type(work.parsed ? "application/xml" : "application/octet-stream")
                      .build(spooled       ? std::string()
                             : work.parsed ? work.document.write()
                                           : std::string(work.body));
    return put;
}

void continue_work(Work& work) {
    work.number = std::strtoull(std::string(work.headers.get(header::kPosition)).c_str(), nullptr, 10);
    if (work.headers.get(header::kAtBody) != kDocumentBody) return;
    work.document = continuation_parsers().parse(work.body);
    work.parsed = true;
}

void remove_engine_headers(Headers& headers) {
    headers.remove(header::kAtStep);
    headers.remove(header::kAtBody);
    headers.remove(header::kAttemptFailed);
    remove_reply_headers(headers);
    remove_correction(headers);
}

void remove_reply_headers(Headers& headers) {
    headers.remove(kReplyTo);
    headers.remove(kCorrelationId);
}

}  // namespace clrbus
