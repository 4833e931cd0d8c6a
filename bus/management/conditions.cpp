#include "management/conditions.hpp"

#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "config/config.hpp"
#include "core/counters.hpp"
#include "records/store.hpp"
#include "routing/engine.hpp"
#include "routing/outbox.hpp"
#include "routing/reloader.hpp"
#include "trace/statistics.hpp"

namespace clrbus::management {
namespace {

using alerts::Condition;
using std::chrono::milliseconds;

class Found {
public:
    explicit Found(const Management::Parts& parts) : parts_(parts), now_(parts.clock.now()) {
        for (QueueState& state : parts.queues.states()) {
            std::string name = state.name;
            queues_.emplace(std::move(name), std::move(state));
        }
    }

    void journal() {
        const std::string failed = parts_.journal_failure();
        if (failed.empty()) return;
        add("journal", "stands-still", "STILL-001", "the journal takes nothing: " + failed,
            "free or repair the disk, then restart: what was accepted is on disk");
    }

    void routes() {
        for (const RouteState& state : parts_.engine.states()) {
            if (!state.paused) continue;
            explained_.insert("in/" + state.id);
            add("paused " + state.id, "stands-still", "STILL-002", "route '" + state.id + "' is paused: " + state.reason,
                "clrbus dead list " + state.id + "; mend; clrbus resume " + state.id, state.since, oldest("in/" + state.id));
        }
        for (const RouteReloader::Refused& one : parts_.routes.refused()) {
            const std::string what = one.route.empty() ? "file " + one.file.string() : "route '" + one.route + "'";
            const std::string todo = "mend the file, it is taken by itself; or clrbus route rollback " + one.route;
            if (one.runs) {
                add("refused " + what, "stands-still", "STILL-004",
                    what + ": a change is refused, the generation before runs on: " + one.code + ": " + one.text, todo,
                    one.since);
            } else {
                add("not running " + what, "stands-still", "STILL-005", what + " does not run: " + one.code + ": " + one.text,
                    todo, one.since, oldest("in/" + one.route));
            }
        }
        for (const auto& [name, state] : queues_) {
            const std::uint64_t waiting = waits(state);
            if (name.rfind("in/", 0) != 0 || waiting == 0 || parts_.engine.route(name.substr(3)) != nullptr) continue;
            explained_.insert(name);
            add("no route " + name, "stands-still", "STILL-006",
                "no route takes what waits in " + name + " (" + std::to_string(waiting) + ")",
                "put the route back, or mend it: see clrbus route list", state.oldest, state.oldest);
        }
    }

    void far_sides() {
        for (const DoorHealth& door : parts_.doors()) {
            if (door.ok) continue;
            const bool broker = door.door == "broker";
            add("door " + door.door, "far-side-away", broker ? "STILL-011" : "STILL-007",
                (broker ? "the broker" : "door " + door.door) + ": " + door.text,
                broker ? "look at the broker; nothing is lost, and it goes on by itself"
                       : "see the door's README, section When it fails",
                door.since, Time{}, parts_.limits.away);
        }
        for (const EndpointState& one : parts_.endpoints()) {
            if (one.kind == EndpointState::Kind::kOk) {
                // Since the start nobody has tried it: it may be away still.
                if (one.waiting != 0 && one.last_done == Time{}) {
                    add("away " + one.queue, "far-side-away", "STILL-008", {}, {});
                    found_.back().begins = false;
                }
                continue;
            }
            explained_.insert(one.queue);
            const std::string waiting = ", " + std::to_string(one.waiting) + " wait";
            if (one.kind == EndpointState::Kind::kAway) {
                add("away " + one.queue, "far-side-away", "STILL-008",
                    "endpoint '" + one.queue + "' is away: " + one.code + waiting,
                    "look at the far side; nothing is lost, and it goes on by itself (clrbus resume " + one.route +
                        " tries at once)",
                    one.since, oldest(one.queue), parts_.limits.away);
            } else {
                const bool paused = one.kind == EndpointState::Kind::kPaused;
                add((paused ? "paused " : "broken ") + one.queue, "stands-still", paused ? "STILL-009" : "STILL-010",
                    "endpoint '" + one.queue + "' is " + std::string(to_string(one.kind)) + ": " + one.reason + waiting,
                    paused ? "clrbus dead list " + one.route + "; mend; clrbus resume " + one.route
                           : "mend the endpoint in the route's file",
                    one.since, oldest(one.queue));
            }
        }
    }

    void waiting() {
        for (const auto& [name, state] : queues_) {
            const bool ours = name.rfind("in/", 0) == 0 || name.rfind("out/", 0) == 0 || name == "records";
            // Where the reason is known it is said once.
            if (!ours || explained_.count(name) != 0 || state.oldest == Time{} || now_ - state.oldest < parts_.limits.oldest)
                continue;
            add("oldest " + name, "oldest-waiting", "STILL-003",
                "the oldest message in " + name + " waits, with " + std::to_string(waits(state) - 1) + " more",
                "clrbus queues; look for a route that is paused or a far side that is away", state.oldest, state.oldest);
        }
    }

    void records() {
        if (counter("clrbus_records_paused").value() == 0) return;
        explained_.insert("records");
        add("paused records", "stands-still", "STILL-019", "the learner records take nothing: the log says why",
            "clrbus dead list records; mend; restart the bus", Time{}, oldest("records"));
    }

    void dead() {
        for (const auto& [name, state] : queues_) {
            if (name.rfind("dead/", 0) != 0 || waits(state) == 0 || waits(state) < parts_.limits.dead_letters) continue;
            const std::string route = name.substr(5);
            warn("dead " + route, "dead-letters", "STILL-012",
                 "'" + route + "' has dead letters: " + std::to_string(waits(state)),
                 "clrbus dead list " + route + "; mend; clrbus dead replay " + route, state.oldest);
        }
    }

    void late() {
        std::map<std::string, Time> last;
        for (const trace::RouteStatistics& one : parts_.statistics.routes()) last[one.route] = one.last_received;
        for (const auto& route : parts_.engine.routes()) {
            const milliseconds refresh = route->element().get_duration("refresh", milliseconds(0));
            const Time received = last[route->id()];
            if (refresh.count() == 0 || received == Time{}) continue;
            const Time due = received + refresh;
            if (now_ < due + parts_.limits.late_by.value_or(refresh / 10)) continue;
            add("late " + route->id(), "source-late", "STILL-013",
                "source '" + route->id() + "' is late: nothing came since " + to_rfc3339(received) + ", expected every " +
                    route->element().get("refresh"),
                "look at the source and at the door of the route; clrbus status shows what it did before", due);
        }
    }

    void disk() {
        const Management::Parts::Disk disk = parts_.disk();
        const std::string free = std::to_string(disk.free >> 20U) + " MB free on the disk of the state directory";
        if (disk.free < disk.reserve) {
            add("disk", "disk", "STILL-015",
                free + ": nothing new is accepted below " + std::to_string(disk.reserve >> 20U) + " MB",
                "free space; the doors open again by themselves");
        } else if (disk.free < parts_.limits.free_bytes) {
            warn("disk", "disk", "STILL-014", free + ", below " + std::to_string(parts_.limits.free_bytes >> 20U) + " MB",
                 "free space, or prune; below " + std::to_string(disk.reserve >> 20U) + " MB nothing new is accepted");
        }
    }

    void expiry() {
        for (const Management::Parts::Expiry& one : parts_.expiries()) {
            const Time from = one.at - std::chrono::hours(24 * parts_.limits.expiry_days);
            if (now_ < from) continue;
            const bool over = now_ >= one.at;
            const std::string when = to_rfc3339(one.at).substr(0, 10);
            Condition& added = warn("expiry " + one.what, "expiry", over ? "STILL-017" : "STILL-016",
                                    one.what + (over ? " ended on " : " ends on ") + when, one.todo, from);
            added.still = over;
        }
    }

    void ledger() {
        const LedgerLook look = look_at_ledger(parts_);
        for (const LedgerLine& line : look.lines) {
            if (look.balanced || line.balanced()) continue;
            add("ledger " + line.account, "ledger", "STILL-018",
                "the ledger of '" + line.account + "' does not balance: " + std::to_string(line.in) + " in, " +
                    std::to_string(line.out) + " out and waiting",
                "clrbus ledger; keep the state directory and report it: this is a bug, or a damaged disk");
        }
    }

    std::vector<Condition> take() { return std::move(found_); }

private:
    static std::uint64_t waits(const QueueState& state) { return state.ready + state.in_hand + state.delayed; }
    Time oldest(const std::string& queue) const {
        const auto found = queues_.find(queue);
        return found == queues_.end() ? Time{} : found->second.oldest;
    }
    Condition& warn(std::string key, const char* kind, const char* code, std::string what, std::string todo, Time since = {}) {
        add(std::move(key), kind, code, std::move(what), std::move(todo), since);
        found_.back().still = false;
        return found_.back();
    }
    void add(std::string key, const char* kind, const char* code, std::string what, std::string todo, Time since = {},
             Time oldest_waiting = {}, milliseconds after = {}) {
        found_.push_back({std::move(key), kind, code, std::move(what), std::move(todo), since, oldest_waiting, after, true});
    }

    const Management::Parts& parts_;
    const Time now_;
    std::map<std::string, QueueState> queues_;
    std::set<std::string> explained_;  // queues whose waiting has a reason that is said
    std::vector<Condition> found_;
};

}  // namespace

LedgerLook look_at_ledger(const Management::Parts& parts) {
    LedgerLook out;
    for (int look = 0; look < 20 && !out.balanced; ++look) {
        if (look != 0) std::this_thread::sleep_for(milliseconds(50));
        out.lines = ledger_lines(parts.queues.ledger(), parts.queues.states());
        out.balanced = true;
        for (const LedgerLine& line : out.lines) out.balanced = out.balanced && line.balanced();
    }
    return out;
}

std::vector<Condition> find_conditions(const Management::Parts& parts, bool ledger) {
    Found found(parts);
    found.journal();
    found.routes();
    found.far_sides();
    found.records();
    found.waiting();
    found.dead();
    found.late();
    found.disk();
    found.expiry();
    if (ledger) found.ledger();
    return found.take();
}

}  // namespace clrbus::management
