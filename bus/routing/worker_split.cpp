// The split of one message: its children run here, in chunks of one Unit each, and after a crash it goes on where the note
// says.
#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include "core/counters.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "routing/faults.hpp"
#include "routing/journey.hpp"
#include "routing/replay.hpp"
#include "routing/splitter.hpp"
#include "routing/step_keeper.hpp"
#include "routing/worker.hpp"
#include "storage/originals.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kChunkChildren = 500;  // a chunk of a split is one Unit
constexpr std::size_t kChunkBytes = 1U << 20;
constexpr std::string_view kSplitSpooled = "clrbus-spooled";

struct StopSplit {};  // thrown through a splitter: the bus stops, the note says where to go on

}  // namespace

void RouteWorker::run_split(const TakenMessage& message, Work& parent) {
    const std::string note = "split/" + route_->id() + "/" + parent.id;
    struct Chunks {  // shared with callbacks that may outlive this call by a moment
        std::mutex mutex;
        std::condition_variable room;
        std::size_t in_flight = 0;
        bool failed = false;
    };
    const auto chunks = std::make_shared<Chunks>();
    Headers progress;  // position, children made and dead so far
    SplitPosition position;
    std::uint64_t children = 0, dead = 0;
    std::uint32_t dead_in_a_row = state().dead_in_a_row;
    Unit unit;
    std::size_t unit_children = 0, unit_bytes = 0;
    std::string last_code;            // of the dead letter that pauses the route
    decltype(Work::changes) changes;  // of the children in the unit

    const auto encode_progress = [&] {
        progress.set("position", position.encode());
        progress.set("children", std::to_string(children));
        progress.set("dead", std::to_string(dead));
        return progress.encode();
    };
    const auto wait_for_room = [&](std::size_t most) {
        std::unique_lock lock(chunks->mutex);
        chunks->room.wait(lock, [&] { return chunks->in_flight <= most; });
        if (chunks->failed) throw StopSplit{};
    };
    // Commits what the chunk holds; tries again while the disk is full, as back-pressure does: until space or stop.
    const auto flush = [&] {
        if (unit_children == 0) return;
        // One at a time: a chunk that is refused must not be overtaken by the next one, whose note would skip it.
        wait_for_room(0);
        while (!sinks_open()) {
            if (stopping_) throw StopSplit{};
            std::unique_lock lock(chunks->mutex);
            chunks->room.wait_for(lock, std::chrono::milliseconds(50));
        }
        if (!changes.empty() && !parts_.keeper.state().write([&](storage::StepTables& tables) {
                for (const auto& change : changes) change(tables);
            })) {
            throw StopSplit{};
        }
        changes.clear();
        unit.notes.push_back({note, encode_progress()});
        forget_suspect(unit, message);  // it came further: whatever ended the bus, it was not this
        unit.ledger.push_back({route_->id(), Outcome::kMade, static_cast<std::int64_t>(unit_children)});
        {
            const std::lock_guard lock(chunks->mutex);
            ++chunks->in_flight;
        }
        const auto done = [this, chunks, parked = step_queues(unit)](CommitState state) {
            for (const std::string& queue : parked) parts_.keeper.wake(queue);
            const std::lock_guard lock(chunks->mutex);
            --chunks->in_flight;
            if (state != CommitState::kDone) chunks->failed = true;
            chunks->room.notify_all();
        };
        parts_.queues.commit(std::exchange(unit, Unit{}), parts_.workers, done);
        unit_children = unit_bytes = 0;
        {
            const std::lock_guard lock(mutex_);
            progressed_ = true;
            idle_.notify_all();
        }
        if (paused()) throw StopSplit{};  // nothing is drained into the dead letters
    };
    const auto one = [&](SplitRecord record) {
        if (stopping_) throw StopSplit{};
        if (unit_children == 0 && !route_->stateful().empty()) {
            wait_for_room(0);
            if (!parts_.keeper.room(*route_)) throw StopSplit{};  // a step is full: later, from here
        }
        Work work{.route = *route_,
                  .id = name_uuid(kOutputNamespace, parent.id + "\nsplit\n" + std::to_string(record.number)),
                  .body = record.raw,
                  .headers = parent.headers,
                  .document = std::move(record.document)};
        work.parsed = true;
        work.validated = record.validated;
        work.number = record.number;
        work.services = &services_;
        work.source_number = parent.source_number + record.number;
        work.headers.set(header::kPosition, std::to_string(record.number));
        work.headers.set(header::kParent, parent.id);
        work.headers.remove(kReceiptHeader);
        work.headers.remove(kSplitSpooled);
        work.began = parts_.clock.steady();
        const std::size_t first_output = unit.outputs.size();
        const auto tell_child = [&](trace::VisitState state, const Error* error) {
            trace::Visit visit = visit_of(message.queue, 0, work.id, work.headers, parts_.clock.now());
            visit.state = state;
            visit.child_of_split = true;
            visit.generation = route_->generation;
            visit.took = took_since(work.began);
            visit.bytes = record.raw.size();
            visit.reason = work.filtered;
            visit.keys = work.keys;
            if (error != nullptr) add_fault(visit, *error, work.headers.get(header::kDeadStep));
            add_outputs(visit, unit.outputs, first_output);
            trace::append_visit(unit.visits, visit);
        };
        try {
            if (record.broken != nullptr) throw Error(*record.broken);
            apply_steps(route_->steps(), work);
            suppress_outputs(work);
            const Outcome outcome = outcome_of(work, work.outputs);
            if (!work.goes_on) unit.ledger.push_back({route_->id(), outcome, 1});
            for (Put& put : work.outputs) {
                unit_bytes += put.message.size();
                unit.outputs.push_back(std::move(put));
            }
            tell_child(work.goes_on ? trace::VisitState::kParked : visit_state_of(outcome), nullptr);
            for (LedgerEntry& entry : work.ledger) unit.ledger.push_back(std::move(entry));
            dead_in_a_row = 0;
            for (Note& made : work.notes) unit.notes.push_back(std::move(made));
            for (auto& change : work.changes) changes.push_back(std::move(change));
        } catch (Error& e) {
            if (e.fault() != Fault::kPoison) throw;
            e.where().row = record.number;
            work.headers.set(header::kSourceNumber, std::to_string(work.source_number));
            const Message body = MessageBuilder().message_id(work.id).build(record.raw);
            unit_bytes += body.size();
            if (e.again() && route_->attempts().most > 1) {
                // It goes on alone, in the inbox, so that the records behind it need not wait.
                log::warn("route", "attempt 1 failed: " + std::string(e.what()));
                counter("clrbus_attempts_failed_total{route=\"" + route_->id() + "\"}").add();
                work.headers.remove(header::kDeadStep);
                work.headers.set(header::kAttemptFailed, "1");
                unit.outputs.push_back({route_->inbox(), body, work.headers, {}});
            } else {
                for (const auto& take_back : work.on_dead) take_back();
                unit.outputs.push_back(dead_letter(*route_, body, work.headers, e, parts_.clock.now()));
                keep_document(unit.outputs.back(), *route_, work);
                tell_child(trace::VisitState::kDead, &e);
                unit.ledger.push_back({route_->id(), Outcome::kDead, 1});
                ++dead;
                if (++dead_in_a_row >= kDeadInARow) last_code = e.code();
                counter("clrbus_dead_letters_total{route=\"" + route_->id() + "\"}").add();
            }
        }
        ++children;
        ++unit_children;
        position = record.after;
        if (!last_code.empty()) {
            // As for whole messages: the parent keeps its position and goes on there when it is resumed.
            flush();
            wait_for_room(0);
            pause("ROUTE-901: " + std::to_string(kDeadInARow) + " dead letters in a row, the last one " + last_code);
            throw StopSplit{};
        }
        if (unit_children >= kChunkChildren || unit_bytes >= kChunkBytes) flush();
        return true;
    };

    bool settled = false;
    try {
        if (const auto saved = parts_.queues.note(note)) {
            progress = Headers::decode(*saved);
            position = SplitPosition::decode(progress.get("position"));
            children = std::stoull(std::string(progress.get("children")));
            dead = std::stoull(std::string(progress.get("dead")));
        }
        const CrashGuard::Hold hold(parts_.guard, message.sequence);
        const auto splitter = make_splitter(*route_->split());
        if (message.headers.has(kSplitSpooled)) {
            const auto original = parts_.originals.open(message.headers.get(header::kOriginal));
            splitter->run([&original](char* to, std::size_t size) { return original->read(to, size); }, position, one);
        } else {
            std::string_view left = parent.body;
            splitter->run(
                [&left](char* to, std::size_t size) {
                    const std::size_t n = std::min(size, left.size());
                    std::copy_n(left.data(), n, to);
                    left.remove_prefix(n);
                    return n;
                },
                position, one);
        }
        flush();
        wait_for_room(0);
        Unit last;
        last.settled.push_back({message.queue, message.sequence});
        last.ledger.push_back({route_->id(), Outcome::kSplit, 1});
        tell(last, message, parent, trace::VisitState::kSplit);
        last.notes.push_back({note, std::nullopt});
        forget_suspect(last, message);
        if (message.headers.has(kReceiptHeader)) {
            Inbox::State state{
                .state = "split", .code = {}, .path = {}, .expected = {}, .reason = {}, .children = children, .dead = dead};
            parts_.receipts.settle(last, route_->id(), parent.id, state);
        }
        {
            const std::lock_guard lock(mutex_);
            state_.dead_in_a_row = dead_in_a_row;
        }
        settled = true;
        commit(std::move(last), 1);
    } catch (const StopSplit&) {
        // The chunks that are on disk stay; the note says where to go on.
    } catch (Error& e) {
        if (e.fault() == Fault::kPoison) {
            // A broken tail: the children that are out stay out, the parent says how far it came.
            try {
                flush();
                wait_for_room(0);
                Error broken(e.fault(), e.code(), e.doing(), e.where(),
                             e.why() + " (" + std::to_string(children) + " of unknown done)");
                if (!e.expected().empty()) broken.expected(e.expected());
                settled = true;
                settle_fault(message, parent, broken);
            } catch (const StopSplit&) {
                settled = false;
            }
        } else {
            // A far side is away: what is done stays done, and the parent waits with its position until it is back.
            try {
                flush();
                wait_for_room(0);
                settled = true;
                settle_fault(message, parent, e);
            } catch (const StopSplit&) {
                settled = false;
            }
        }
    } catch (const std::exception& e) {
        pause(std::string("ROUTE-900: an unexpected error: ") + typeid(e).name());
    }
    // Not at once: what refused a chunk, a full disk, is not over at once.
    if (!settled) put_back(message, stopping_ || paused() ? Time{} : parts_.clock.now() + std::chrono::seconds(1));
}

}  // namespace clrbus
