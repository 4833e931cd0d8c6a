#include "records/writer.hpp"

#include "core/error.hpp"

namespace clrbus::records {
Writer::Writer(Database& database, const Vault& vault, const IdentifierRules& rules, const Clock& clock)
    : database_(database), vault_(vault), rules_(rules), clock_(clock) {}

void Writer::forget_caches() {
    last_statement_ = last_person_ = last_definition_ = last_decision_ = -1;
    attachments_ = -1;
}

std::int64_t Writer::next_id(std::int64_t& counter, const char* sql) {
    if (counter < 0) {
        Query query = database_.use(sql);
        counter = query.step() ? query.integer(0) : 0;
    }
    return ++counter;
}

Outcome Writer::apply(const Incoming& incoming) {
    now_ = to_millis(clock_.now());
    switch (incoming.header.kind) {
        case ApplyHeader::Kind::kPerson:
            return apply_person(incoming);
        case ApplyHeader::Kind::kDefinition:
            return apply_definition(incoming);
        case ApplyHeader::Kind::kStatement:
        case ApplyHeader::Kind::kRetraction:
            break;
    }
    return apply_statement(incoming);
}

// A definition names nobody: its key may show. The newest word stays; a deletion is a word too.
Outcome Writer::apply_definition(const Incoming& incoming) {
    const ApplyHeader& h = incoming.header;
    std::int64_t row = 0;
    bool same = false;
    {
        Query query = database_.use(
            "SELECT rowid,business,source_number,position,generation,content FROM definition WHERE key=? AND source=?");
        query.text(h.key).text(h.source);
        if (query.step()) {
            row = query.integer(0);
            const WordVersion version{query.string(1), query.number(2), query.number(3), query.number(4)};
            same = query.bytes(5) == incoming.content;
            const auto order = compare(incoming.version, version);
            if (order < 0 || (order == 0 && incoming.content < query.bytes(5)))
                return same ? Outcome::kUnchanged : Outcome::kSuperseded;
            if (order == 0 && same) return Outcome::kUnchanged;
        }
    }
    const bool fresh = row == 0;
    if (fresh) row = next_id(last_definition_, "SELECT coalesce(max(rowid),0) FROM definition");
    const std::string sealed = incoming.sealed(vault_, "definition", row);
    Query query = database_.use(
        "INSERT INTO "
        "definition(rowid,key,source,route,business,source_number,position,generation,content,original,accepted,applied,"
        "deleted,sealed) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14) ON CONFLICT(key,source) DO UPDATE SET "
        "route=?4,business=?5,"
        "source_number=?6,position=?7,generation=?8,content=?9,original=?10,accepted=?11,applied=?12,deleted=?13,sealed=?14");
    query.add(row)
        .text(h.key)
        .text(h.source)
        .text(incoming.route)
        .text(incoming.version.business)
        .add(incoming.version.source_number);
    query.add(incoming.version.position).add(incoming.version.generation).blob(incoming.content).text(incoming.original);
    query.add(incoming.accepted).add(now_).add(h.deleted).blob(sealed).run();
    return same ? Outcome::kUnchanged : Outcome::kApplied;
}

}  // namespace clrbus::records
