// The waiting list, the decisions and the numbers, as people see them.
#include <algorithm>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "records/store_impl.hpp"

namespace clrbus::records {
namespace {

constexpr std::size_t kMostWatched = 10'000;
constexpr const char* kSealedPerson = "SELECT sealed FROM person WHERE id=?";
constexpr const char* kSealedStatement = "SELECT sealed FROM statement WHERE id=?";

std::int64_t watched(std::size_t most) {
    return static_cast<std::int64_t>(std::min(most, kMostWatched));
}

WaitingItem waiting_item(const Query& query) {
    WaitingItem item;
    item.id = query.integer(0);
    item.person = static_cast<WaitingKind>(query.integer(1)) == WaitingKind::kPerson;
    item.reason = query.string(2);
    item.since = from_millis(query.integer(3));
    item.source = query.string(4);
    item.route = query.string(5);
    return item;
}

std::uint64_t one_number(Database& database, const char* sql) {
    Query query = database.use(sql);
    return query.step() ? query.number(0) : 0;
}

}  // namespace

std::vector<WaitingItem> RecordsStore::waiting(std::int64_t after, std::size_t most) const {
    const Impl::Lease lease(*impl_);
    Database& database = *lease;
    std::vector<WaitingItem> items;
    std::vector<std::int64_t> refs;
    {
        Query query = database.use(
            "SELECT id,kind,reason,since,source,route,ref FROM waiting INDEXED BY waiting_listed WHERE open=1 AND id>? ORDER "
            "BY id LIMIT ?");
        query.add(after).add(watched(most));
        while (query.step()) {
            items.push_back(waiting_item(query));
            refs.push_back(query.integer(6));
        }
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
        Query query = database.use(items[i].person ? kSealedPerson : kSealedStatement);
        query.add(refs[i]);
        if (!query.step()) continue;
        for (const auto& id :
             impl_->vault.open(items[i].person ? "person" : "statement", refs[i], query.bytes(0)).header.identifiers) {
            auto& schemes = items[i].schemes;
            if (std::find(schemes.begin(), schemes.end(), id.scheme) == schemes.end()) schemes.push_back(id.scheme);
        }
    }
    return items;
}

WaitingDetail RecordsStore::show(const Reader& reader, std::int64_t waiting, std::string_view purpose) {
    Impl& impl = *impl_;
    const std::string what = "waiting " + std::to_string(waiting);
    if (reader.kind != Reader::Kind::kStaff) {
        impl.disclosures.append(reader, "", purpose, what, false);
        throw Error(Fault::kPoison, "REC-035", "showing what waits", "only staff may see it");
    }
    WaitingDetail detail;
    {
        const Impl::Lease lease(impl);
        Database& database = *lease;
        std::int64_t ref = 0;
        {
            Query query = database.use("SELECT id,kind,reason,since,source,route,ref FROM waiting WHERE id=? AND open=1");
            query.add(waiting);
            if (!query.step()) throw Error(Fault::kPoison, "REC-031", "showing what waits", "nothing waits under this number");
            detail.item = waiting_item(query);
            ref = query.integer(6);
        }
        {
            Query query = database.use(detail.item.person ? kSealedPerson : kSealedStatement);
            query.add(ref);
            if (!query.step()) throw Error(Fault::kPoison, "REC-031", "showing what waits", "nothing waits under this number");
            Vault::Body body = impl.vault.open(detail.item.person ? "person" : "statement", ref, query.bytes(0));
            detail.header = std::move(body.header);
            detail.xml = std::move(body.xml);
        }
        for (const auto& known :
             detail.item.person ? impl.rules.known(detail.header.identifiers, nullptr) : impl.rules.matching(detail.header)) {
            const Owner owner = owner_of(database, known.hash);
            if (owner.learner == 0) continue;
            std::string uuid = impl.uuid_of(database, owner.learner);
            if (std::find(detail.candidates.begin(), detail.candidates.end(), uuid) == detail.candidates.end()) {
                detail.candidates.push_back(std::move(uuid));
            }
        }
    }
    impl.disclosures.append(reader, detail.candidates.size() == 1 ? detail.candidates.front() : std::string(), purpose, what,
                            true);
    return detail;
}

std::vector<Decision> RecordsStore::decisions(std::int64_t after, std::size_t most) const {
    const Impl::Lease lease(*impl_);
    std::vector<Decision> result;
    Query query = (*lease).use(
        "SELECT d.id,d.at,d.what,d.who,d.why,d.waiting,(SELECT uuid FROM learner WHERE id=d.learner),(SELECT uuid FROM learner "
        "WHERE "
        "id=d.other) FROM decision d WHERE d.id>? ORDER BY d.id LIMIT ?");
    query.add(after).add(watched(most));
    while (query.step()) {
        Decision decision;
        decision.id = query.integer(0);
        decision.at = from_millis(query.integer(1));
        decision.what = query.string(2);
        decision.who = query.string(3);
        decision.why = impl_->vault.open_text("decision", decision.id, query.bytes(4));
        decision.waiting = query.integer(5);
        decision.learner = query.string(6);
        decision.other = query.string(7);
        result.push_back(std::move(decision));
    }
    return result;
}

StoreCounts RecordsStore::counts() const {
    const Impl::Lease lease(*impl_);
    Database& database = *lease;
    StoreCounts counts;
    // Rows are never removed and numbered without gaps, so the last number is the count.
    counts.learners = one_number(database, "SELECT coalesce(max(id),0) FROM learner");
    counts.statements = one_number(database, "SELECT coalesce(max(id),0) FROM statement");
    counts.definitions = one_number(database, "SELECT coalesce(max(rowid),0) FROM definition");
    counts.persons = one_number(database, "SELECT coalesce(max(id),0) FROM person");
    {
        Query query = database.use("SELECT count(*),coalesce(min(since),0) FROM waiting WHERE open=1");
        query.step();
        counts.waiting = query.number(0);
        counts.oldest_waiting = from_millis(query.integer(1));
        counter("clrbus_records_waiting").set(query.integer(0));
    }
    Query query = database.use("SELECT how,count(*) FROM waiting WHERE open=0 GROUP BY how");
    while (query.step()) {
        const std::string_view how = query.bytes(0);
        std::uint64_t& count = how == "attached"    ? counts.attached
                               : how == "rejected"  ? counts.rejected
                               : how == "by itself" ? counts.attached_by_itself
                                                    : counts.superseded;
        count += query.number(1);
    }
    return counts;
}

}  // namespace clrbus::records
