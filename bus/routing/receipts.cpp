#include "routing/receipts.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

namespace clrbus {
namespace {

constexpr std::size_t kKept = 100'000;
constexpr std::string_view kPrefix = "receipt/";

std::string note_name(const std::string& route, const std::string& id) {
    return std::string(kPrefix) + route + "/" + id;
}

std::string encode_state(const Inbox::State& state) {
    Headers fields;
    fields.set("state", state.state);
    fields.set("code", state.code);
    fields.set("path", state.path.substr(0, 1000));
    fields.set("expected", state.expected.substr(0, 500));
    fields.set("reason", state.reason.substr(0, 1000));
    fields.set("children", std::to_string(state.children));
    fields.set("dead", std::to_string(state.dead));
    return fields.encode();
}

Inbox::State decode_state(std::string_view bytes) {
    const Headers fields = Headers::decode(bytes);
    Inbox::State state;
    state.state = fields.get("state");
    state.code = fields.get("code");
    state.path = fields.get("path");
    state.expected = fields.get("expected");
    state.reason = fields.get("reason");
    state.children = std::stoull(std::string(fields.get("children")));
    state.dead = std::stoull(std::string(fields.get("dead")));
    return state;
}

// The children that did not get through, from the dead letters that name the message as their parent.
void add_dead_rows(const Queues& queues, const std::string& route, const std::string& id, Inbox::State& state) {
    std::uint64_t from = 0;
    for (;;) {
        const auto found = queues.browse("dead/" + route, from, 500);
        for (const BrowsedMessage& dead : found) {
            from = dead.sequence + 1;
            if (dead.headers.get(header::kParent) != id || state.rows.size() == Inbox::State::kRowsMost) continue;
            Inbox::State::Row row;
            row.row = std::strtoull(std::string(dead.headers.get(header::kPosition)).c_str(), nullptr, 10);
            row.state = "dead";
            row.code = dead.headers.get(header::kDeadCode);
            row.path = dead.headers.get(header::kDeadPath);
            row.expected =
                dead.headers.get(dead.headers.has(header::kDeadExpected) ? header::kDeadExpected : header::kDeadReason);
            state.rows.push_back(std::move(row));
        }
        if (found.size() < 500 || state.rows.size() == Inbox::State::kRowsMost) return;
    }
}

}  // namespace

Receipts::Receipts(Queues& queues) : queues_(queues) {
    for (const Note& note : queues_.notes(kPrefix)) names_.push_back(note.name);
}

void Receipts::settle(Unit& unit, const std::string& route, const std::string& id, const Inbox::State& state) {
    const std::string name = note_name(route, id);
    unit.notes.push_back({name, encode_state(state)});
    const std::lock_guard lock(mutex_);
    waiting_.erase(name);
    names_.push_back(name);
    while (names_.size() > kKept) {
        unit.notes.push_back({names_.front(), std::nullopt});
        names_.pop_front();
    }
}

void Receipts::waiting(const std::string& route, const std::string& id) {
    const std::lock_guard lock(mutex_);
    // A worker may have settled it before the door hears that it is on disk.
    const std::string name = note_name(route, id);
    if (waiting_.size() < kKept && !queues_.note(name)) waiting_.insert(name);
}

std::optional<Inbox::State> Receipts::find(const std::string& route, const std::string& id) const {
    const std::string name = note_name(route, id);
    if (const auto note = queues_.note(name)) {
        Inbox::State state = decode_state(*note);
        state.finished = true;
        if (state.dead != 0) add_dead_rows(queues_, route, id, state);
        return state;
    }
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.count(name) != 0)
            return Inbox::State{.state = "waiting", .code = {}, .path = {}, .expected = {}, .reason = {}};
    }
    // After a restart: it may wait in the inbox still.
    std::uint64_t from = 0;
    for (int page = 0; page < 100; ++page) {
        const auto browsed = queues_.browse("in/" + route, from, 1000);
        for (const auto& one : browsed) {
            if (one.message.message_id() == id || one.headers.get(kReceiptHeader) == id)
                return Inbox::State{.state = "waiting", .code = {}, .path = {}, .expected = {}, .reason = {}};
        }
        if (browsed.size() < 1000) break;
        from = browsed.back().sequence + 1;
    }
    return std::nullopt;
}

}  // namespace clrbus
