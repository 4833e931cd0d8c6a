#include "records/approvals.hpp"

#include <algorithm>

#include "records/database.hpp"

namespace clrbus::records {
namespace {

std::int64_t approval_millis(Time at) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

}  // namespace

void Approvals::load(Database& database) {
    for (const ApprovalLine& line : lines(database, "")) take(line);
}

void Approvals::needed(Needed needed) {
    const std::lock_guard lock(mutex_);
    needed_ = std::move(needed);
    ++epoch_;
}

bool Approvals::needs(const std::string& route) const {
    Needed needed;
    {
        const std::lock_guard lock(mutex_);
        needed = needed_;
    }
    return needed && needed(route);
}

bool Approvals::approved(const std::string& route, std::uint64_t generation) const {
    const std::lock_guard lock(mutex_);
    const auto found = last_.find({route, generation});
    return found != last_.end() && !found->second.withdrawn;
}

std::int64_t Approvals::approved_content(const std::string& route, const std::string& hash) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, line] : last_) {
        if (key.first == route && !line.withdrawn && line.hash == hash) return line.id;
    }
    return 0;
}

std::uint64_t Approvals::epoch() const {
    const std::lock_guard lock(mutex_);
    return epoch_;
}

Time Approvals::changed(const std::string& route) const {
    const std::lock_guard lock(mutex_);
    const auto found = changed_.find(route);
    return found == changed_.end() ? Time{} : found->second;
}

void Approvals::take(const ApprovalLine& line) {
    const std::lock_guard lock(mutex_);
    last_[{line.route, line.generation}] = line;
    Time& changed = changed_[line.route];
    changed = std::max(changed, line.at);
    ++epoch_;
}

void Approvals::write(Database& database, ApprovalLine& line) {
    {
        Query query = database.use("SELECT coalesce(max(id),0)+1 FROM approval");
        query.step();
        line.id = query.integer(0);
    }
    Query query = database.use(
        "INSERT INTO approval(id,at,withdrawn,route,generation,hash,steward,who,why,same_as) VALUES(?,?,?,?,?,?,?,?,?,?)");
    query.add(line.id).add(approval_millis(line.at)).add(line.withdrawn).text(line.route).add(line.generation);
    query.text(line.hash).text(line.steward).text(line.who).text(line.why).add(line.same_as).run();
}

std::vector<ApprovalLine> Approvals::lines(Database& database, std::string_view route) {
    Query query = database.use(
        "SELECT id,at,withdrawn,route,generation,hash,steward,who,why,same_as FROM approval WHERE ?1='' OR route=?1 ORDER BY "
        "id");
    query.text(route);
    std::vector<ApprovalLine> out;
    while (query.step()) {
        out.push_back({query.integer(0), Time(std::chrono::milliseconds(query.integer(1))), query.integer(2) != 0,
                       query.string(3), query.number(4), query.string(5), query.string(6), query.string(7), query.string(8),
                       query.integer(9)});
    }
    return out;
}

}  // namespace clrbus::records
