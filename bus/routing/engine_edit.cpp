// Dead letters corrected by hand: the part of the engine that puts the child in the place of what was refused.
#include <future>
#include <utility>

#include "core/counters.hpp"
#include "core/ids.hpp"
#include "crypto/hash.hpp"
#include "routing/dead_edit.hpp"
#include "routing/engine.hpp"
#include "routing/journey.hpp"
#include "routing/text_diff.hpp"
#include "storage/originals.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kDifferenceMost = 1U << 20;  // of each body
constexpr std::size_t kEditSpoolAbove = 256U << 10;
constexpr std::chrono::seconds kEditPatience{30};
constexpr const char* kEditWhat = "correcting a dead letter";

}  // namespace

// The body of a dead letter as a reference into originals/.
std::string RouteEngine::keep_body(const BrowsedMessage& dead) {
    if (dead.headers.has("clrbus-spooled")) return std::string(dead.headers.get(header::kOriginal));
    return parts_.originals.store(dead.message.body_copy());
}

std::optional<DeadEdit> RouteEngine::edited(const std::string& route, std::uint64_t sequence) const {
    const auto note = parts_.queues.note(edit_note_name(route, sequence));
    if (!note) return std::nullopt;
    return DeadEdit::decode(*note);
}

DeadEdit RouteEngine::edit(const std::string& route, std::uint64_t sequence, const EditWish& wish) {
    check_edit_reason(wish.why);
    const auto again = [&](const DeadEdit& before) {
        // Asked again, after an answer that was lost: it is done.
        if (before.to == "sha256:" + crypto::sha256_hex(wish.body)) return before;
        throw Error(Fault::kPoison, "DEAD-010", kEditWhat, "it was corrected already, by " + before.by + " at " + before.at)
            .expected("'dead edit --show' for what came of it");
    };
    if (const auto before = edited(route, sequence)) return again(*before);
    std::shared_ptr<const CompiledRoute> compiled;  // of the records' own dead letters there is none, and check_edit says so
    if (route != "records") compiled = route_or_refuse(route);
    const BrowsedMessage dead = dead_one(route, sequence);
    check_edit(route, dead, wish.body);
    DeadEdit edit;
    edit.route = route;
    edit.number = sequence;
    edit.id = dead.message.message_id();
    if (edit.id.empty()) edit.id = name_uuid(kOutputNamespace, "dead/" + route + "\n" + std::to_string(sequence));
    edit.from = keep_body(dead);
    edit.to = parts_.originals.store(wish.body);
    if (edit.from == edit.to) {
        throw Error(Fault::kPoison, "DEAD-011", kEditWhat, "nothing was changed").expected("another body, or 'dead replay'");
    }
    edit.child = edited_id(edit.id, edit.to);
    edit.by = wish.who;
    edit.at = to_rfc3339(wish.at);
    edit.why = wish.why;
    edit.code = dead.headers.get(header::kDeadCode);
    edit.step = dead.headers.get(header::kDeadStep);

    Unit unit;
    unit.settled.push_back({"dead/" + route, sequence});
    unit.outputs.push_back(edited_put(compiled->inbox(), dead, wish.body, edit, kEditSpoolAbove));
    unit.notes.push_back({edit.note_name(), edit.encode()});
    unit.notes.push_back({"split/" + route + "/" + edit.id, std::nullopt});
    unit.ledger.push_back({route, Outcome::kMade, 1});
    trace::Visit visit = visit_of("dead/" + route, dead, wish.at);
    visit.id = edit.id;
    visit.state = trace::VisitState::kCorrected;
    visit.outputs.push_back({compiled->inbox(), edit.child});
    trace::append_visit(unit.visits, visit);
    const auto done = std::make_shared<std::promise<CommitState>>();
    auto future = done->get_future();
    parts_.queues.commit(std::move(unit), parts_.workers, [done](CommitState state) { done->set_value(state); });
    if (future.wait_for(kEditPatience) != std::future_status::ready)
        throw Error(Fault::kAway, "MGMT-004", "waiting for the journal", "no answer for 30 s: ask again");
    if (future.get() != CommitState::kDone)
        throw Error(Fault::kAway, "MGMT-005", "writing to the journal", "the disk is full, or the journal failed");
    // Somebody else may have been a moment earlier: then the unit was dropped whole.
    const auto now = edited(route, sequence);
    if (!now) throw Error(Fault::kPoison, "DEAD-001", kEditWhat, "it was replayed or discarded meanwhile");
    counter("clrbus_dead_letters_corrected_total{route=\"" + route + "\"}").add();
    return again(*now);
}

std::string RouteEngine::difference(const DeadEdit& edit) const {
    for (const std::string& reference : {edit.from, edit.to}) {
        if (parts_.originals.size(reference).value_or(0) > kDifferenceMost)
            return "a body is larger than 1 MB: " + edit.from + " became " + edit.to + "\n";
    }
    const std::string before = parts_.originals.read(edit.from), after = parts_.originals.read(edit.to);
    return unified_diff(edit.route + "/" + std::to_string(edit.number), {before}, {after});
}

}  // namespace clrbus
