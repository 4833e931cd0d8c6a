// Statements and retractions: which word stands under a key, in whose record, and which wait.
#include <algorithm>
#include <unordered_map>

#include "core/error.hpp"
#include "records/writer.hpp"

namespace clrbus::records {
namespace {

#define CLRBUS_STATEMENT_COLUMNS                                                                                          \
    "id,key_hash,kind,business,source_number,position,generation,content,parts,doc_hash,original,live,standing,conflict," \
    "decided,learner,"                                                                                                    \
    "source,route"

WordKind word_kind(const ApplyHeader& header) {
    if (header.kind == ApplyHeader::Kind::kRetraction)
        return header.achievements.empty() ? WordKind::kRetractAll : WordKind::kRetractPart;
    return header.covers_all ? WordKind::kAll : WordKind::kPart;
}

std::string joined_parts(const std::vector<std::string>& parts) {
    std::string bytes;
    for (const std::string& part : parts) bytes += part;
    return bytes;
}

}  // namespace

Writer::Row Writer::read_row(Query& query) const {
    Row row;
    row.word.id = query.integer(0);
    row.key_hash = query.string(1);
    row.word.kind = static_cast<WordKind>(query.integer(2));
    row.word.version = {query.string(3), query.number(4), query.number(5), query.number(6)};
    row.word.content = query.string(7);
    const std::string_view parts = query.bytes(8);
    for (std::size_t at = 0; at + Vault::kHashBytes <= parts.size(); at += Vault::kHashBytes) {
        row.word.parts.emplace_back(parts.substr(at, Vault::kHashBytes));
    }
    row.doc_hash = query.string(9);
    row.original = query.string(10);
    row.live = query.integer(11) != 0;
    row.standing = query.integer(12) != 0;
    row.conflict = query.integer(13) != 0;
    row.decided = static_cast<Decided>(query.integer(14));
    row.learner = query.integer(15);
    row.source = query.string(16);
    row.route = query.string(17);
    return row;
}

std::vector<Writer::Row> Writer::load_rows(const std::string& key_hash) {
    std::vector<Row> rows;
    Query query = database_.use("SELECT " CLRBUS_STATEMENT_COLUMNS " FROM statement WHERE key_hash=? AND live=1");
    query.blob(key_hash);
    while (query.step()) rows.push_back(read_row(query));
    return rows;
}

Outcome Writer::apply_statement(const Incoming& incoming) {
    const ApplyHeader& h = incoming.header;
    Row fresh;
    fresh.fresh = true;
    fresh.incoming = &incoming;
    fresh.key_hash = incoming.key_hash;
    fresh.word.kind = word_kind(h);
    fresh.word.version = incoming.version;
    fresh.word.content = incoming.content;
    fresh.original = incoming.original;
    fresh.source = h.source;
    fresh.route = incoming.route;
    fresh.word.parts = incoming.parts;
    fresh.doc_hash = incoming.doc_hash;
    if (!is_retraction(fresh.word.kind) && h.identity_authority) claim_principal(incoming, incoming.mentions);

    std::vector<Row> rows = load_rows(fresh.key_hash);
    for (Row& row : rows) {
        if (row.word.content == fresh.word.content && row.word.kind == fresh.word.kind && row.doc_hash == fresh.doc_hash) {
            return renew(row, incoming, rows);
        }
    }
    if (fresh.doc_hash.empty()) {
        // Older than what no later message can take away again: kept out, and not kept. A word that belongs to a document is
        // always kept: it may turn out to be the first of that document.
        std::vector<Word> words;
        for (const Row& row : rows) {
            if (row.doc_hash.empty() && row.decided != Decided::kRejected) words.push_back(row.word);
        }
        words.push_back(fresh.word);
        if (!standing(words).back()) return Outcome::kSuperseded;
    }
    fresh.word.id = next_id(last_statement_, "SELECT coalesce(max(id),0) FROM statement");
    if (!fresh.doc_hash.empty()) find_conflicts(fresh, rows);
    const std::int64_t id = fresh.word.id;
    rows.push_back(std::move(fresh));
    settle_rows(rows);
    const Row& row = *std::find_if(rows.begin(), rows.end(), [id](const Row& r) { return r.word.id == id; });
    if (is_retraction(row.word.kind)) return row.standing ? Outcome::kApplied : Outcome::kSuperseded;
    if (row.conflict) return row.waits ? Outcome::kHeld : Outcome::kSuperseded;
    if (!row.standing) return Outcome::kSuperseded;
    return row.learner > 0 ? Outcome::kApplied : Outcome::kHeld;
}

// The same content again. A document that is sent once more keeps its first version: an old transcript that is sent again does
// not replace a newer one. Anything else is a new word of its source and takes the newest version.
Outcome Writer::renew(Row& row, const Incoming& incoming, std::vector<Row>& rows) {
    const auto order = compare(incoming.version, row.word.version);
    const bool takes = row.doc_hash.empty() ? order > 0 : order < 0;
    if (!takes) return Outcome::kUnchanged;
    const bool stood = row.standing;
    const bool other_route = row.word.version.generation != incoming.version.generation || row.route != incoming.route;
    if (other_route && !is_retraction(row.word.kind)) {
        Query said = database_.use("INSERT OR IGNORE INTO said(statement,route,generation) VALUES(?,?,?)");
        said.add(row.word.id).text(row.route).add(row.word.version.generation).run();
    }
    row.word.version = incoming.version;
    row.original = incoming.original;
    row.route = incoming.route;
    {
        Query query = database_.use(
            "UPDATE statement SET business=?,source_number=?,position=?,generation=?,original=?,route=?,accepted=? WHERE id=?");
        query.text(incoming.version.business).add(incoming.version.source_number).add(incoming.version.position);
        query.add(incoming.version.generation)
            .text(incoming.original)
            .text(incoming.route)
            .add(incoming.accepted)
            .add(row.word.id)
            .run();
    }
    bool again = rows.size() > 1;
    const bool corrected = !incoming.header.correction.by.empty();
    if ((other_route || corrected) && !is_retraction(row.word.kind)) {
        // The route decides who answers and by which schemes it may match: it may have been changed since.
        const std::string sealed = incoming.sealed(vault_, "statement", row.word.id);
        database_.use("UPDATE statement SET sealed=? WHERE id=?").blob(sealed).add(row.word.id).run();
        database_.use("DELETE FROM mention WHERE statement=?").add(row.word.id).run();
        for (const auto& known : incoming.mentions) {
            database_.use("INSERT OR IGNORE INTO mention(hash,statement) VALUES(?,?)").blob(known.hash).add(row.word.id).run();
        }
        again = true;
    }
    if (!row.doc_hash.empty()) {
        Row none;
        none.doc_hash = row.doc_hash;
        find_conflicts(none, rows);
        again = true;
    }
    const std::int64_t id = row.word.id;
    if (again) settle_rows(rows);
    const auto now = std::find_if(rows.begin(), rows.end(), [id](const Row& r) { return r.word.id == id; });
    return !stood && now->standing && now->learner > 0 ? Outcome::kApplied : Outcome::kUnchanged;
}

// One document has one content: that of its oldest word. Another content from another original is a conflict. The same original
// read by a newer route is not, nor is the same content in another original (a batch that is sent again).
void Writer::find_conflicts(Row& fresh, std::vector<Row>& rows) {
    std::vector<Row> all;
    {
        Query query = database_.use("SELECT " CLRBUS_STATEMENT_COLUMNS " FROM statement WHERE doc_hash=?");
        query.blob(fresh.doc_hash);
        while (query.step()) all.push_back(read_row(query));
    }
    if (fresh.fresh) {
        if (all.empty()) return;
        Row copy;
        copy.word = fresh.word;
        copy.original = fresh.original;
        copy.key_hash = fresh.key_hash;
        all.push_back(std::move(copy));
    }
    const Row* base = nullptr;
    for (const Row& row : all) {
        if (row.decided != Decided::kRejected && (base == nullptr || older(row.word, base->word))) base = &row;
    }
    if (base == nullptr) return;
    const auto is_base = [base](const Row& row) {
        return &row == base || row.word.content == base->word.content ||
               (!row.original.empty() && row.original == base->original);
    };
    Hashes others;
    for (const Row& row : all) {
        const bool same_as_base =
            is_base(row) || std::any_of(all.begin(), all.end(), [&](const Row& other) {
                return is_base(other) && other.word.content == row.word.content && other.key_hash == row.key_hash;
            });
        const bool conflict = !same_as_base && row.decided == Decided::kNone;
        if (fresh.fresh && row.word.id == fresh.word.id) {
            fresh.conflict = conflict;
            continue;
        }
        if (conflict == row.conflict) continue;
        database_.use("UPDATE statement SET conflict=? WHERE id=?").add(conflict).add(row.word.id).run();
        bool here = false;
        for (Row& mine : rows) {
            if (mine.word.id != row.word.id) continue;
            mine.conflict = conflict;
            here = true;
        }
        if (!here) others.insert(row.key_hash);
    }
    for (const std::string& key_hash : others) settle_key(key_hash);
}

void Writer::settle_key(const std::string& key_hash) {
    std::vector<Row> rows = load_rows(key_hash);
    settle_rows(rows);
}

void Writer::settle_rows(std::vector<Row>& rows) {
    std::vector<Word> words;
    std::vector<Word> lasting;  // of no document: nothing can take them out again but a person
    words.reserve(rows.size());
    for (const Row& row : rows) {
        words.push_back(row.word);
        words.back().excluded = (row.conflict && row.decided != Decided::kAccepted) || row.decided == Decided::kRejected;
        if (row.doc_hash.empty() && !words.back().excluded) lasting.push_back(row.word);
    }
    const std::vector<bool> stands = standing(words);
    const std::vector<bool> lasts = standing(lasting);
    std::size_t last = 0;
    bool changed = false;
    std::set<std::int64_t> learners;  // a part or its retraction changes what the others under its key show
    for (std::size_t i = 0; i < rows.size(); ++i) {
        bool would_stand = stands[i];
        if (words[i].excluded && rows[i].decided != Decided::kRejected) {
            words[i].excluded = false;
            would_stand = standing(words)[i];
            words[i].excluded = true;
        }
        if (rows[i].doc_hash.empty() && !words[i].excluded && !lasts[last++]) {
            rows[i].live = false;
            database_.use("UPDATE statement SET live=0 WHERE id=?").add(rows[i].word.id).run();
        }
        changed = settle_row(rows[i], stands[i], would_stand, learners) || changed;
    }
    if (!changed) return;
    for (const std::int64_t learner : learners) touch(learner);
}

// Writes what became of one word: standing or not, in whose record, waiting or not. A word that stands no more keeps its
// learner, for `why`.
bool Writer::settle_row(Row& row, bool stands, bool would_stand, std::set<std::int64_t>& learners) {
    const bool stood = row.standing;
    const std::int64_t had = row.standing ? row.learner : 0;
    Resolution to;
    const char* how = "superseded";
    if (!is_retraction(row.word.kind)) {
        if (stands) {
            to = resolve(row);
            how = row.decided == Decided::kAccepted ? "attached" : "by itself";
        } else if (would_stand) {
            to.reason = "document-conflict";
        } else if (row.decided == Decided::kRejected) {
            how = "rejected";
        }
    }
    row.standing = stands;
    if (stands) row.learner = to.learner;
    if (row.fresh) {
        insert_row(row);
    } else if (stood != stands || had != to.learner) {
        database_.use("UPDATE statement SET standing=?,learner=? WHERE id=?")
            .add(stands)
            .id(row.learner)
            .add(row.word.id)
            .run();
    }
    row.waits = *to.reason != '\0';
    if (row.waits) {
        open_waiting(WaitingKind::kStatement, row.word.id, to.reason, row.source, row.route, row.fresh);
    } else if (!row.fresh) {
        close_waiting(WaitingKind::kStatement, row.word.id, how);
    }
    if (had != 0) learners.insert(had);
    if (to.learner != 0) learners.insert(to.learner);
    const bool changed = stood != stands || had != to.learner || row.fresh;
    row.fresh = false;
    return changed;
}

void Writer::insert_row(Row& row) {
    const Incoming& incoming = *row.incoming;
    const std::string sealed = incoming.sealed(vault_, "statement", row.word.id);
    const std::string parts = joined_parts(row.word.parts);
    {
        Query query = database_.use("INSERT INTO statement(" CLRBUS_STATEMENT_COLUMNS
                                    ",accepted,applied,sealed) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
        query.add(row.word.id).blob(row.key_hash).add(static_cast<int>(row.word.kind)).text(row.word.version.business);
        query.add(row.word.version.source_number).add(row.word.version.position).add(row.word.version.generation);
        query.blob(row.word.content).blob(parts);
        if (row.doc_hash.empty())
            query.null();
        else
            query.blob(row.doc_hash);
        query.text(row.original).add(row.live).add(row.standing).add(row.conflict).add(static_cast<int>(row.decided));
        query.id(row.learner).text(row.source).text(row.route).add(incoming.accepted).add(now_).blob(sealed).run();
    }
    for (const auto& known : incoming.mentions) {
        database_.use("INSERT OR IGNORE INTO mention(hash,statement) VALUES(?,?)").blob(known.hash).add(row.word.id).run();
    }
}

// Whose it is: what a person decided, else the one learner to whom all its identifiers lead that lead to anybody.
Writer::Resolution Writer::resolve(Row& row) {
    if (const std::int64_t decided = attached(row); decided != 0) return {decided, ""};
    std::vector<std::string> hashes;
    if (row.fresh) {
        for (const auto& known : row.incoming->mentions) hashes.push_back(known.hash);
    } else {
        Query query = database_.use("SELECT hash FROM mention WHERE statement=?");
        query.add(row.word.id);
        while (query.step()) hashes.push_back(query.string(0));
    }
    if (hashes.empty()) return {0, "no-usable-identifier"};
    std::int64_t learner = 0;
    bool in_conflict = false;
    for (const std::string& hash : hashes) {
        Owner owner = owner_of(database_, hash);
        if (owner.state == Owner::State::kNobody) continue;
        if (owner.state == Owner::State::kAmbiguous) return {0, "ambiguous"};
        if (owner.state == Owner::State::kInConflict) {
            in_conflict = true;
            continue;
        }
        const std::int64_t found = learner_of(owner);
        if (learner != 0 && found != learner) return {0, "ambiguous"};
        learner = found;
    }
    if (in_conflict) return {0, "person-in-conflict"};
    return learner != 0 ? Resolution{learner, ""} : Resolution{0, "unknown-learner"};
}

std::int64_t Writer::attached(Row& row) {
    if (attachments_ < 0) {
        Query query = database_.use("SELECT 1 FROM attachment LIMIT 1");
        attachments_ = query.step() ? 1 : 0;
    }
    if (attachments_ == 0) return 0;
    std::vector<std::pair<std::string, std::int64_t>> known;
    {
        Query query = database_.use("SELECT fingerprint,learner FROM attachment WHERE key_hash=?");
        query.blob(row.key_hash);
        while (query.step()) known.emplace_back(query.string(0), query.integer(1));
    }
    if (known.empty()) return 0;
    std::string mine;
    if (row.fresh) {
        mine = fingerprint(row.incoming->header);
    } else {
        Query query = database_.use("SELECT sealed FROM statement WHERE id=?");
        query.add(row.word.id);
        if (query.step()) mine = fingerprint(vault_.open("statement", row.word.id, query.bytes(0)).header);
    }
    for (const auto& [print, learner] : known) {
        if (print == mine) return merged_learner(database_, learner);
    }
    return 0;
}

// How a statement names its learner: its identifiers, or, without any, the name.
std::string Writer::fingerprint(const ApplyHeader& header) const {
    std::vector<std::string> hashes;
    for (const auto& known : rules_.known(header.identifiers, nullptr)) hashes.push_back(known.hash);
    std::sort(hashes.begin(), hashes.end());
    std::string all;
    for (const std::string& hash : hashes) all += hash;
    if (hashes.empty()) return vault_.hash("named", header.given, header.family, header.full);
    return vault_.hash("identified", all);
}

void Writer::touch(std::int64_t learner) {
    database_.use("UPDATE learner SET version=version+1 WHERE id=?").add(learner).run();
}

}  // namespace clrbus::records
