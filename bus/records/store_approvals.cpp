// The store's part of approvals: their lines, and the record as approved generations made it.
#include <algorithm>
#include <set>
#include <tuple>

#include "core/error.hpp"
#include "core/log.hpp"
#include "records/store_impl.hpp"

namespace clrbus::records {
namespace {

struct ApprovalWord {
    Word word;
    bool stands = false;
    std::int64_t learner = 0;
};

template <class Impl>
ApprovalLine write_approval(Impl& impl, ApprovalLine line) {
    const std::lock_guard lock(impl.write_mutex);
    line.at = impl.clock.now();
    Transaction transaction(impl.database);
    Approvals::write(impl.database, line);
    transaction.commit();
    impl.approvals.take(line);
    log::info("records", std::string(line.withdrawn ? "approval withdrawn: " : "approved: ") + "route '" + line.route +
                             "', generation " + std::to_string(line.generation) + ", by " + line.who);
    return line;
}

}  // namespace

bool RecordsStore::Impl::word_approved(Database& from, std::int64_t statement, const std::string& route,
                                       std::uint64_t generation) const {
    if (approvals.counts(route, generation)) return true;
    Query query = from.use("SELECT route,generation FROM said WHERE statement=?");
    query.add(statement);
    while (query.step()) {
        if (approvals.counts(query.string(0), query.number(1))) return true;
    }
    return false;
}

void RecordsStore::Impl::keep_approved(Database& from, std::int64_t learner, LearnerRecord& record) const {
    std::set<std::string> keys;  // under which something stands that may not be released
    for (const StatementInForce& s : record.statements) {
        const Provenance& p = s.provenance;
        if (approvals.needs(p.route)) record.changed = std::max(record.changed, approvals.changed(p.route));
        if (word_approved(from, s.id, p.route, p.generation)) continue;
        ++record.withheld;
        Query query = from.use("SELECT key_hash FROM statement WHERE id=?");
        query.add(s.id);
        if (query.step()) keys.insert(query.string(0));
    }
    for (const std::string& key : keys) {
        std::vector<ApprovalWord> all;
        {
            Query query = from.use(
                "SELECT "
                "id,kind,business,source_number,position,generation,content,parts,conflict,decided,standing,learner,route "
                "FROM statement WHERE key_hash=?");
            query.blob(key);
            while (query.step()) {
                ApprovalWord one;
                one.word.id = query.integer(0);
                one.word.kind = static_cast<WordKind>(query.integer(1));
                one.word.version = {query.string(2), query.number(3), query.number(4), query.number(5)};
                one.word.content = query.string(6);
                const std::string_view parts = query.bytes(7);
                for (std::size_t at = 0; at + Vault::kHashBytes <= parts.size(); at += Vault::kHashBytes)
                    one.word.parts.emplace_back(parts.substr(at, Vault::kHashBytes));
                const auto decided = static_cast<Decided>(query.integer(9));
                one.stands = query.integer(10) != 0;
                one.learner = query.integer(11);
                one.word.excluded = (query.integer(8) != 0 && decided != Decided::kAccepted) || decided == Decided::kRejected ||
                                    (!is_retraction(one.word.kind) &&
                                     !word_approved(from, one.word.id, query.string(12), one.word.version.generation));
                all.push_back(std::move(one));
            }
        }
        // What stands now tells whose it is. Where that is not this learner alone, nothing older is put in its place.
        const bool his = std::all_of(all.begin(), all.end(), [&](const ApprovalWord& one) {
            return !one.stands || is_retraction(one.word.kind) || one.learner == learner;
        });
        std::set<std::int64_t> ids;
        std::vector<Word> words;
        for (const ApprovalWord& one : all) {
            ids.insert(one.word.id);
            words.push_back(one.word);
        }
        std::erase_if(record.statements, [&](const StatementInForce& s) { return ids.count(s.id) != 0; });
        if (!his) continue;
        const std::vector<bool> stands = standing(words);
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (!stands[i] || is_retraction(words[i].kind) || all[i].learner != learner) continue;
            Query query = from.use("SELECT " CLRBUS_READ_COLUMNS " FROM statement WHERE id=?");
            query.add(words[i].id);
            if (!query.step()) continue;
            StatementInForce statement = open_statement(query);
            std::erase_if(statement.achievements,
                          [&](const std::string& part) { return !stands_for(words, words[i], vault.hash("part", part)); });
            if (statement.achievements.empty() && !statement.covers_all) continue;
            record.statements.push_back(std::move(statement));
        }
    }
    std::stable_sort(record.statements.begin(), record.statements.end(),
                     [](const StatementInForce& a, const StatementInForce& b) {
                         return std::tie(a.provenance.source, a.id) < std::tie(b.provenance.source, b.id);
                     });
}

ApprovalLine RecordsStore::approve(ApprovalLine line) {
    if (impl_->approvals.approved(line.route, line.generation))
        throw Error(Fault::kPoison, "REC-040", "approving route '" + line.route + "'",
                    "generation " + std::to_string(line.generation) + " is approved already");
    line.withdrawn = false;
    return write_approval(*impl_, std::move(line));
}

ApprovalLine RecordsStore::withdraw(const std::string& route, std::uint64_t generation, std::string_view who,
                                    std::string_view why) {
    if (!impl_->approvals.approved(route, generation))
        throw Error(Fault::kPoison, "REC-041", "withdrawing the approval of route '" + route + "'",
                    "generation " + std::to_string(generation) + " is not approved");
    ApprovalLine line;
    line.withdrawn = true;
    line.route = route;
    line.generation = generation;
    line.who = who;
    line.why = why;
    return write_approval(*impl_, std::move(line));
}

std::vector<ApprovalLine> RecordsStore::approval_lines(std::string_view route) const {
    const Impl::Lease lease(*impl_);
    return Approvals::lines(*lease, route);
}

Approvals& RecordsStore::approvals() {
    return impl_->approvals;
}
const Approvals& RecordsStore::approvals() const {
    return impl_->approvals;
}

}  // namespace clrbus::records
