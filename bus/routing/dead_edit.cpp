#include "routing/dead_edit.hpp"

#include <utility>

#include "adapter/adapter.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "routing/faults.hpp"
#include "routing/outbox.hpp"
#include "routing/replay.hpp"
#include "routing/work.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kEditSpooled = "clrbus-spooled";
constexpr const char* kEditing = "correcting a dead letter";

constexpr std::string_view kCorrectionHeaders[] = {header::kCorrectedFrom, header::kCorrectedBy,     header::kCorrectedAt,
                                                   header::kCorrectedWhy,  header::kCorrectedLetter, header::kCorrectedBody};

// The bytes of a name or reason that people wrote, cut at a character.
std::string bounded_text(std::string_view text, std::size_t most) {
    if (text.size() > most) {
        std::size_t end = most;
        while (end != 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
        text = text.substr(0, end);
    }
    return std::string(text);
}

// Well-formed UTF-8 without control characters.
bool is_edit_text(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        if (lead < 0x20 || lead == 0x7F) return false;
        const std::size_t more = lead < 0x80 ? 0U : lead >= 0xC2 && lead < 0xE0 ? 1U : lead < 0xF0 ? 2U : 3U;
        if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || at + more >= text.size()) return false;
        for (std::size_t i = 1; i <= more; ++i) {
            if ((static_cast<unsigned char>(text[at + i]) & 0xC0U) != 0x80U) return false;
        }
        const auto second = more == 0 ? 0U : static_cast<unsigned>(static_cast<unsigned char>(text[at + 1]));
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
            (lead == 0xF4 && second > 0x8F) || (lead == 0xC2 && second < 0xA0)) {
            return false;
        }
        at += more + 1;
    }
    return true;
}

}  // namespace

std::string edit_note_name(const std::string& route, std::uint64_t number) {
    return "edited/" + route + "/" + std::to_string(number);
}

std::string DeadEdit::note_name() const {
    return edit_note_name(route, number);
}

std::string DeadEdit::encode() const {
    Headers note;
    note.set("route", route);
    note.set("number", std::to_string(number));
    for (const auto& [name, value] : {std::pair{"id", &id}, std::pair{"child", &child}, std::pair{"from", &from},
                                      std::pair{"to", &to}, std::pair{"by", &by}, std::pair{"at", &at}, std::pair{"why", &why},
                                      std::pair{"code", &code}, std::pair{"step", &step}}) {
        note.set(name, bounded_text(*value, 300));  // nine of them stay below the 4 KB of a note
    }
    return note.encode();
}

DeadEdit DeadEdit::decode(std::string_view note) {
    const Headers in = Headers::decode(note);
    const auto text = [&in](std::string_view name) { return std::string(in.get(name)); };
    DeadEdit out;
    out.route = text("route");
    out.number = std::stoull("0" + text("number"));
    out.id = text("id");
    out.child = text("child");
    out.from = text("from");
    out.to = text("to");
    out.by = text("by");
    out.at = text("at");
    out.why = text("why");
    out.code = text("code");
    out.step = text("step");
    return out;
}

void check_edit(const std::string& route, const BrowsedMessage& dead, std::string_view body) {
    if (route == "records" || dead.headers.has(kEndpointHeader)) {
        throw Error(Fault::kPoison, "DEAD-007", kEditing, "it has left its route: what it was made from is not in it")
            .expected("what its source sent, mended there; or 'dead replay' when the far side takes it now");
    }
    if (body.empty()) throw Error(Fault::kPoison, "DEAD-008", kEditing, "the new body is empty").expected("'dead discard'");
    if (body.size() > kEditMost) {
        throw Error(Fault::kPoison, "DEAD-008", kEditing, "the new body has " + std::to_string(body.size()) + " bytes")
            .expected("at most " + std::to_string(kEditMost));
    }
}

void check_edit_reason(std::string_view why) {
    if (why.empty() || why.size() > kEditReasonMost || !is_edit_text(why) ||
        why.find_first_not_of(' ') == std::string_view::npos) {
        throw Error(Fault::kPoison, "DEAD-009", kEditing, "the reason is missing, too long or no plain text")
            .expected("one line of UTF-8 text, at most " + std::to_string(kEditReasonMost) + " bytes");
    }
}

std::string edited_id(const std::string& dead_id, const std::string& body_reference) {
    return name_uuid(kOutputNamespace, dead_id + "\ncorrected\n" + body_reference);
}

Put edited_put(const std::string& inbox, const BrowsedMessage& dead, std::string_view body, const DeadEdit& edit,
               std::size_t spool_above) {
    Put put;
    put.queue = inbox;
    put.headers = without_dead_facts(dead.headers);
    put.headers.remove(header::kOnly);
    put.headers.remove(header::kAttemptFailed);
    put.headers.set(header::kParent, edit.id);
    put.headers.set(header::kOriginal, edit.to);
    put.headers.set(header::kCorrectedFrom, edit.from);
    put.headers.set(header::kCorrectedBody, edit.to);
    put.headers.set(header::kCorrectedBy, edit.by);
    put.headers.set(header::kCorrectedAt, edit.at);
    put.headers.set(header::kCorrectedWhy, edit.why);
    put.headers.set(header::kCorrectedLetter, edit.route + "/" + std::to_string(edit.number));
    // Whoever asks what became of the message that was sent asks by its id.
    if (put.headers.get(kReceiptHeader) == "1") put.headers.set(kReceiptHeader, edit.id);
    add_history(put.headers, "corrected by hand; died at " + edit.step + ", " + edit.code + "; " + edit.why, edit.by,
                from_rfc3339(edit.at));
    // A record of a split is read from the message itself.
    const bool spooled = body.size() > spool_above && !put.headers.has(header::kPosition);
    if (spooled) {
        put.headers.set(kEditSpooled, "1");
    } else {
        put.headers.remove(kEditSpooled);
    }
    MessageBuilder builder;
    builder.message_id(edit.child)
        .to(dead.message.to())
        .subject(dead.message.subject())
        .correlation_id(dead.message.correlation_id())
        .content_type(dead.message.content_type());
    for (const auto& [name, value] : dead.message.application_properties()) builder.property(name, value);
    put.message = builder.build(spooled ? std::string_view() : body);
    return put;
}

ApplyHeader::Correction correction_of(const Headers& headers) {
    ApplyHeader::Correction out;
    if (!headers.has(header::kCorrectedBy)) return out;
    out.by = headers.get(header::kCorrectedBy);
    out.at = headers.get(header::kCorrectedAt);
    out.why = headers.get(header::kCorrectedWhy);
    out.letter = headers.get(header::kCorrectedLetter);
    out.original = headers.get(header::kCorrectedBody);
    return out;
}

void remove_correction(Headers& headers) {
    for (const std::string_view name : kCorrectionHeaders) headers.remove(name);
}

}  // namespace clrbus
