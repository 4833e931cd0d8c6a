// What the tables of state.db are asked and told.
#include "storage/step_state_database.hpp"

namespace clrbus::storage {
namespace {

StepMember member_of(StepTables::Database::Use& row) {
    StepMember out;
    out.sequence = row.number(0);
    out.instance = row.integer(1);
    out.number = row.integer(2);
    out.due = row.integer(3);
    out.bytes = row.number(4);
    out.id_hash = row.bytes(5);
    out.key = row.bytes(6);
    return out;
}

std::vector<StepMember> members_of(StepTables::Database::Use& rows) {
    std::vector<StepMember> out;
    while (rows.step()) out.push_back(member_of(rows));
    return out;
}

std::vector<StepGroup> groups_of(StepTables::Database::Use& rows) {
    std::vector<StepGroup> out;
    while (rows.step()) {
        StepGroup& group = out.emplace_back();
        group.instance = rows.integer(0);
        group.correlation = rows.bytes(1);
        group.state = static_cast<StepGroup::State>(rows.integer(2));
        group.why = rows.bytes(3);
        group.members = rows.number(4);
        group.bytes = rows.number(5);
        group.wanted = rows.integer(6);
        group.next = rows.integer(7);
        group.first_at = rows.integer(8);
        group.last_at = rows.integer(9);
        group.due = rows.integer(10);
        group.first_sequence = rows.number(11);
    }
    return out;
}

#define CLRBUS_MEMBER "sequence, instance, number, due, bytes, id_hash, key FROM member"
#define CLRBUS_GROUP \
    "instance, correlation, state, why, members, bytes, wanted, next, first_at, last_at, due, first_sequence FROM grp"

}  // namespace

std::int64_t StepTables::step(std::string_view name) {
    {
        auto found = db_.use("SELECT id FROM step WHERE name = ?");
        if (found.blob(name).step()) return found.integer(0);
    }
    db_.use("INSERT INTO step(name) VALUES(?)").blob(name).run();
    return db_.last_id();
}

std::uint64_t StepTables::watermark(std::int64_t step) {
    auto row = db_.use("SELECT watermark FROM step WHERE id = ?");
    return row.add(step).step() ? row.number(0) : 0;
}

void StepTables::watermark(std::int64_t step, std::uint64_t sequence) {
    db_.use("UPDATE step SET watermark = ? WHERE id = ?").add(sequence).add(step).run();
}

void StepTables::add(std::int64_t step, const StepMember& member) {
    db_.use(
           "INSERT INTO member(step, sequence, instance, number, due, bytes, id_hash, key) VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON "
           "CONFLICT DO NOTHING")
        .add(step)
        .add(member.sequence)
        .add(member.instance)
        .add(member.number)
        .add(member.due)
        .add(member.bytes)
        .blob(member.id_hash)
        .blob(member.key)
        .run();
}

void StepTables::move(std::int64_t step, std::int64_t from_instance, std::int64_t from_number, std::int64_t to_instance) {
    db_.use("UPDATE member SET instance = ? WHERE step = ? AND instance = ? AND instance <> 0 AND number >= ?")
        .add(to_instance)
        .add(step)
        .add(from_instance)
        .add(from_number)
        .run();
}

bool StepTables::has_id(std::int64_t instance, std::string_view id_hash) {
    return db_.use("SELECT 1 FROM member WHERE instance = ? AND instance <> 0 AND id_hash = ?")
        .add(instance)
        .blob(id_hash)
        .step();
}

bool StepTables::has_number(std::int64_t instance, std::int64_t number) {
    return db_.use("SELECT 1 FROM member WHERE instance = ? AND instance <> 0 AND number = ?").add(instance).add(number).step();
}

void StepTables::remove(std::int64_t step, std::uint64_t sequence) {
    db_.use("DELETE FROM member WHERE step = ? AND sequence = ?").add(step).add(sequence).run();
}

std::uint64_t StepTables::count(std::int64_t step) {
    auto row = db_.use("SELECT count(*) FROM member WHERE step = ?");
    row.add(step).step();
    return row.number(0);
}

std::vector<StepMember> StepTables::members(std::int64_t instance, std::size_t most) {
    auto rows = db_.use("SELECT " CLRBUS_MEMBER " WHERE instance = ? AND instance <> 0 ORDER BY sequence LIMIT ?");
    return members_of(rows.add(instance).add(static_cast<std::int64_t>(most)));
}

std::vector<StepMember> StepTables::below(std::int64_t instance, std::int64_t number, std::size_t most) {
    auto rows = db_.use("SELECT " CLRBUS_MEMBER
                        " WHERE instance = ? AND instance <> 0 AND number < ? ORDER BY number, sequence LIMIT ?");
    return members_of(rows.add(instance).add(number).add(static_cast<std::int64_t>(most)));
}

std::optional<std::int64_t> StepTables::lowest_number(std::int64_t instance, std::int64_t from) {
    auto row = db_.use("SELECT min(number) FROM member WHERE instance = ? AND instance <> 0 AND number >= ?");
    if (!row.add(instance).add(from).step() || row.is_null(0)) return std::nullopt;
    return row.integer(0);
}

std::optional<std::int64_t> StepTables::highest_number(std::int64_t instance) {
    auto row = db_.use("SELECT max(number) FROM member WHERE instance = ? AND instance <> 0");
    if (!row.add(instance).step() || row.is_null(0)) return std::nullopt;
    return row.integer(0);
}

std::vector<StepMember> StepTables::due(std::int64_t step, std::int64_t now, std::size_t most) {
    auto rows = db_.use("SELECT " CLRBUS_MEMBER " WHERE step = ? AND instance = 0 AND due <= ? ORDER BY due, sequence LIMIT ?");
    return members_of(rows.add(step).add(now).add(static_cast<std::int64_t>(most)));
}

std::optional<std::int64_t> StepTables::next_due(std::int64_t step) {
    std::optional<std::int64_t> first;
    auto member = db_.use("SELECT due FROM member WHERE step = ? AND instance = 0 ORDER BY due LIMIT 1");
    if (member.add(step).step()) first = member.integer(0);
    auto group = db_.use("SELECT due FROM grp WHERE step = ? AND state = 0 AND due <> 0 ORDER BY due LIMIT 1");
    if (group.add(step).step() && (!first || group.integer(0) < *first)) first = group.integer(0);
    return first;
}

std::int64_t StepTables::last_due(std::int64_t step, std::string_view key) {
    auto row = key.empty() ? db_.use("SELECT max(due) FROM member WHERE step = ? AND instance = 0")
                           : db_.use("SELECT max(due) FROM member WHERE step = ? AND instance = 0 AND key <> x'' AND key = ?");
    row.add(step);
    if (!key.empty()) row.blob(key);
    return row.step() ? row.integer(0) : 0;
}

std::vector<std::string> StepTables::begin_anew(std::int64_t step, std::int64_t now) {
    std::vector<std::pair<std::string, std::int64_t>> late;
    {
        auto rows = db_.use("SELECT key, min(due) FROM member WHERE step = ? AND instance = 0 AND due < ? GROUP BY key");
        rows.add(step).add(now);
        while (rows.step()) late.emplace_back(rows.bytes(0), now - rows.integer(1));
    }
    std::vector<std::string> keys;
    for (auto& [key, time] : late) {
        db_.use("UPDATE member SET due = due + ? WHERE step = ? AND instance = 0 AND key = ?")
            .add(time)
            .add(step)
            .blob(key)
            .run();
        keys.push_back(std::move(key));
    }
    return keys;
}

std::optional<StepGroup> StepTables::open_group(std::int64_t step, std::string_view correlation) {
    auto rows = db_.use("SELECT " CLRBUS_GROUP " WHERE step = ? AND correlation = ? AND state <> 1");
    auto found = groups_of(rows.add(step).blob(correlation));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
}

std::int64_t StepTables::add_group(std::int64_t step, const StepGroup& group) {
    db_.use(
           "INSERT INTO grp(step, correlation, state, why, members, bytes, wanted, next, first_at, last_at, due, "
           "first_sequence) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .add(step)
        .blob(group.correlation)
        .add(static_cast<std::int64_t>(group.state))
        .blob(group.why)
        .add(group.members)
        .add(group.bytes)
        .add(group.wanted)
        .add(group.next)
        .add(group.first_at)
        .add(group.last_at)
        .add(group.due)
        .add(group.first_sequence)
        .run();
    return db_.last_id();
}

void StepTables::save(const StepGroup& group) {
    db_.use(
           "UPDATE grp SET state = ?, why = ?, members = ?, bytes = ?, wanted = ?, next = ?, last_at = ?, due = ? WHERE "
           "instance = ?")
        .add(static_cast<std::int64_t>(group.state))
        .blob(group.why)
        .add(group.members)
        .add(group.bytes)
        .add(group.wanted)
        .add(group.next)
        .add(group.last_at)
        .add(group.due)
        .add(group.instance)
        .run();
}

void StepTables::remove_group(std::int64_t instance) {
    db_.use("DELETE FROM grp WHERE instance = ?").add(instance).run();
}

std::vector<StepGroup> StepTables::groups(std::int64_t step, StepGroup::State state, std::size_t most) {
    auto rows = db_.use("SELECT " CLRBUS_GROUP " WHERE step = ? AND state = ? AND state <> 0 ORDER BY instance LIMIT ?");
    return groups_of(rows.add(step).add(static_cast<std::int64_t>(state)).add(static_cast<std::int64_t>(most)));
}

std::vector<StepGroup> StepTables::due_groups(std::int64_t step, std::int64_t now, std::size_t most) {
    auto rows = db_.use("SELECT " CLRBUS_GROUP " WHERE step = ? AND state = 0 AND due <> 0 AND due <= ? ORDER BY due LIMIT ?");
    return groups_of(rows.add(step).add(now).add(static_cast<std::int64_t>(most)));
}

std::uint64_t StepTables::open_groups(std::int64_t step) {
    auto row = db_.use("SELECT count(*) FROM grp WHERE step = ? AND state <> 1");
    row.add(step).step();
    return row.number(0);
}

bool StepTables::completed(std::int64_t step, std::string_view correlation) {
    return db_.use("SELECT 1 FROM completed WHERE step = ? AND correlation = ?").add(step).blob(correlation).step();
}

void StepTables::complete(std::int64_t step, std::string_view correlation, std::int64_t at) {
    db_.use("INSERT INTO completed(step, correlation, at) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at")
        .add(step)
        .blob(correlation)
        .add(at)
        .run();
}

namespace {

// How many there are is kept by triggers, so that nobody counts a million rows.
std::int64_t tallied(StepTables::Database& db, std::int64_t step, std::int64_t kind) {
    auto row = db.use("SELECT count FROM tally WHERE step = ? AND kind = ?");
    return row.add(step).add(kind).step() ? row.integer(0) : 0;
}

}  // namespace

void StepTables::forget_completed(std::int64_t step, std::int64_t before, std::uint64_t most) {
    db_.use("DELETE FROM completed WHERE step = ? AND at < ?").add(step).add(before).run();
    const std::int64_t over = tallied(db_, step, 2) - static_cast<std::int64_t>(most);
    if (over <= 0) return;
    db_.use(
           "DELETE FROM completed WHERE step = ?1 AND correlation IN (SELECT correlation FROM completed WHERE step = ?1 ORDER "
           "BY at LIMIT ?2)")
        .add(step)
        .add(over)
        .run();
}

void StepTables::clear(std::int64_t step) {
    db_.use("DELETE FROM member WHERE step = ?").add(step).run();
    db_.use("DELETE FROM grp WHERE step = ?").add(step).run();
    watermark(step, 0);
}

std::optional<StepTables::Seen> StepTables::seen(std::int64_t step, std::string_view key) {
    auto row = db_.use("SELECT id_hash, at FROM seen WHERE step = ? AND key = ?");
    if (!row.add(step).blob(key).step()) return std::nullopt;
    return Seen{row.bytes(0), row.integer(1)};
}

void StepTables::see(std::int64_t step, std::string_view key, std::string_view id_hash, std::int64_t at) {
    db_.use(
           "INSERT INTO seen(step, key, id_hash, at) VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE SET id_hash = excluded.id_hash, "
           "at = excluded.at")
        .add(step)
        .blob(key)
        .blob(id_hash)
        .add(at)
        .run();
}

void StepTables::unsee(std::int64_t step, std::string_view key, std::string_view id_hash) {
    db_.use("DELETE FROM seen WHERE step = ? AND key = ? AND id_hash = ?").add(step).blob(key).blob(id_hash).run();
}

void StepTables::forget_seen(std::int64_t step, std::int64_t before, std::uint64_t most) {
    db_.use("DELETE FROM seen WHERE step = ? AND at < ?").add(step).add(before).run();
    const std::int64_t over = tallied(db_, step, 1) - static_cast<std::int64_t>(most);
    if (over <= 0) return;
    db_.use("DELETE FROM seen WHERE step = ?1 AND key IN (SELECT key FROM seen WHERE step = ?1 ORDER BY at LIMIT ?2)")
        .add(step)
        .add(over)
        .run();
}

std::string StepTables::value(std::int64_t step, std::string_view name) {
    auto row = db_.use("SELECT value FROM named WHERE step = ? AND name = ?");
    return row.add(step).blob(name).step() ? row.bytes(0) : std::string();
}

void StepTables::value(std::int64_t step, std::string_view name, std::string_view text) {
    db_.use("INSERT INTO named(step, name, value) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
        .add(step)
        .blob(name)
        .blob(text)
        .run();
}

}  // namespace clrbus::storage
