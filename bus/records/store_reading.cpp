// Reading: the record of one learner for one reader, and what people who watch the store ask.
#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "records/store_impl.hpp"

namespace clrbus::records {
namespace {

constexpr std::size_t kMostListed = 10'000;

std::int64_t listed(std::size_t most) {
    return static_cast<std::int64_t>(std::min(most, kMostListed));
}

// A word that was said again without a correction refers to another original.
ApplyHeader::Correction correction_for(ApplyHeader& header, const std::string& original) {
    return header.correction.original == original ? std::move(header.correction) : ApplyHeader::Correction{};
}

// Ends a reading transaction; the connection then sees what was written since.
class Snapshot {
public:
    explicit Snapshot(Database& database) : database_(database) { database_.use("BEGIN").run(); }
    ~Snapshot() {
        try {
            database_.use("COMMIT").run();
        } catch (const std::exception&) {
            // Nothing was written. A connection that cannot even end a reading is reported by its next use.
        }
    }
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

private:
    Database& database_;
};

struct WordOfKey {
    Word word;
    std::int64_t id = 0;
    bool live = false;
};

}  // namespace

RecordsStore::Impl::Lease::Lease(Impl& impl) : impl_(impl) {
    std::unique_lock lock(impl.pool_mutex);
    const std::size_t most = std::max<std::size_t>(1, impl.options.readers);
    if (!impl.pool_free.wait_for(lock, impl.options.reader_wait, [&] { return !impl.pool.empty() || impl.pool_made < most; })) {
        throw Error(Fault::kAway, "REC-016", "reading the store",
                    "all connections for reading were busy for too long; try again");
    }
    if (!impl.pool.empty()) {
        database_ = std::move(impl.pool.back());
        impl.pool.pop_back();
        return;
    }
    ++impl.pool_made;
    lock.unlock();
    try {
        database_ = std::make_unique<Database>(impl.file, Database::Mode::kRead);
    } catch (...) {
        const std::lock_guard again(impl.pool_mutex);
        --impl.pool_made;
        impl.pool_free.notify_one();
        throw;
    }
}

RecordsStore::Impl::Lease::~Lease() {
    const std::lock_guard lock(impl_.pool_mutex);
    impl_.pool.push_back(std::move(database_));
    impl_.pool_free.notify_one();
}

std::int64_t RecordsStore::Impl::learner_id(Database& from, const std::string& uuid) const {
    std::int64_t id = 0;
    {
        Query query = from.use("SELECT id FROM learner WHERE uuid=?");
        query.text(uuid);
        if (query.step()) id = query.integer(0);
    }
    if (id == 0) return 0;
    id = merged_learner(from, id);
    // A learner that an authority's statement made leads to the person who came for that identifier.
    std::string principal;
    {
        Query query = from.use(
            "SELECT c.hash,(SELECT min(q.origin) FROM person q WHERE q.learner=?1) FROM person p JOIN claim c ON c.person=p.id "
            "WHERE p.learner=?1 AND p.origin=1 LIMIT 1");
        query.add(id);
        if (query.step() && query.integer(1) == 1) principal = query.string(0);
    }
    if (principal.empty()) return id;
    const Owner owner = owner_of(from, principal);
    return owner.state == Owner::State::kOwned && owner.learner != 0 ? owner.learner : id;
}

std::string RecordsStore::Impl::uuid_of(Database& from, std::int64_t learner) const {
    Query query = from.use("SELECT uuid FROM learner WHERE id=?");
    query.add(learner);
    return query.step() ? query.string(0) : std::string();
}

// Default deny. A learner's token learns nothing about other ids, not even whether they exist.
Release RecordsStore::Impl::may(Database& from, const Reader& reader, const std::string& requested,
                                std::int64_t& learner) const {
    learner = 0;
    if (reader.kind != Reader::Kind::kStaff && reader.kind != Reader::Kind::kLearner) return Release::kDenied;
    const std::int64_t id = learner_id(from, requested);
    if (reader.kind == Reader::Kind::kLearner) {
        const std::int64_t own = reader.learner.empty() ? 0 : learner_id(from, reader.learner);
        if (id == 0 || own != id) return Release::kDenied;
    }
    if (id == 0) return Release::kUnknown;
    learner = id;
    if (reader.kind == Reader::Kind::kStaff) return Release::kReleased;
    Query query = from.use("SELECT blocked FROM learner WHERE id=?");
    query.add(id);
    return query.step() && query.integer(0) == 0 ? Release::kReleased : Release::kBlocked;
}

ReadAnswer RecordsStore::read(const Reader& reader, const std::string& learner, std::string_view purpose, Claims claims) {
    Impl& impl = *impl_;
    const std::uint64_t epoch = impl.approvals.epoch();
    ReadAnswer answer;
    std::string id = learner;
    {
        const Impl::Lease lease(impl);
        const Snapshot snapshot(*lease);
        std::int64_t found = 0;
        answer.release = impl.may(*lease, reader, learner, found);
        if (answer.release == Release::kReleased) {
            impl.fill_record(*lease, found, answer.record);
            if (claims == Claims::kApproved) {
                impl.keep_approved(*lease, found, answer.record);
                answer.record.version += epoch;
            }
            id = answer.record.id;
        } else if (found != 0) {
            id = impl.uuid_of(*lease, found);
        }
    }
    if (answer.release != Release::kUnknown) {
        impl.disclosures.append(reader, id, purpose, "record", answer.release == Release::kReleased);
    }
    return answer;
}

void RecordsStore::each_record(const Reader& reader, std::string_view purpose,
                               const std::function<void(const LearnerRecord&)>& one) {
    Impl& impl = *impl_;
    const bool released = reader.kind == Reader::Kind::kStaff;
    impl.disclosures.append(reader, "", purpose, "sums over all records", released);
    if (!released) throw Error(Fault::kPoison, "REC-042", "reading all records", "this reader may not");
    std::string after;
    for (;;) {
        const std::vector<LearnerLine> lines = learners(after, kMostListed);
        if (lines.empty()) return;
        after = lines.back().id;
        for (const LearnerLine& line : lines) {
            LearnerRecord record;
            {
                const Impl::Lease lease(impl);
                const Snapshot snapshot(*lease);
                const std::int64_t id = impl.learner_id(*lease, line.id);
                if (id == 0 || !line.merged_into.empty()) continue;
                impl.fill_record(*lease, id, record);
            }
            if (record.id == line.id) one(record);
        }
    }
}

Release RecordsStore::disclose(const Reader& reader, const std::string& learner, std::string_view purpose,
                               std::string_view what) {
    Impl& impl = *impl_;
    Release release = Release::kDenied;
    std::string id = learner;
    if (learner.empty() && reader.kind == Reader::Kind::kStaff) {
        release = Release::kReleased;  // about anybody or nobody yet: a dead letter
    } else {
        const Impl::Lease lease(impl);
        std::int64_t found = 0;
        release = impl.may(*lease, reader, learner, found);
        if (found != 0) id = impl.uuid_of(*lease, found);
    }
    if (release != Release::kUnknown) impl.disclosures.append(reader, id, purpose, what, release == Release::kReleased);
    return release;
}

void RecordsStore::Impl::fill_record(Database& from, std::int64_t learner, LearnerRecord& record) const {
    {
        Query query = from.use("SELECT uuid,version,blocked,created,changed FROM learner WHERE id=?");
        query.add(learner);
        query.step();
        record.id = query.string(0);
        record.version = query.number(1);
        record.blocked = query.integer(2) != 0;
        record.created = from_millis(query.integer(3));
        record.changed = from_millis(query.integer(4));
    }
    fill_persons(from, learner, record);
    std::vector<std::string> keys;
    {
        Query query = from.use("SELECT " CLRBUS_READ_COLUMNS
                               " FROM statement WHERE learner=? AND standing=1 AND kind<2 ORDER BY source,id");
        query.add(learner);
        while (query.step()) {
            record.statements.push_back(open_statement(query));
            keys.push_back(query.string(13));
        }
    }
    // Where several words share a key, each shows what no newer one replaced.
    for (std::size_t i = 0; i < record.statements.size(); ++i) {
        std::vector<Word> words;
        std::size_t mine = 0;
        {
            Query query = from.use(
                "SELECT id,kind,business,source_number,position,generation,content,parts FROM statement WHERE key_hash=? AND "
                "standing=1");
            query.blob(keys[i]);
            while (query.step()) {
                Word word;
                word.id = query.integer(0);
                word.kind = static_cast<WordKind>(query.integer(1));
                word.version = {query.string(2), query.number(3), query.number(4), query.number(5)};
                word.content = query.string(6);
                const std::string_view parts = query.bytes(7);
                for (std::size_t at = 0; at + Vault::kHashBytes <= parts.size(); at += Vault::kHashBytes) {
                    word.parts.emplace_back(parts.substr(at, Vault::kHashBytes));
                }
                if (word.id == record.statements[i].id) mine = words.size();
                words.push_back(std::move(word));
            }
        }
        if (words.size() < 2) continue;
        std::erase_if(record.statements[i].achievements,
                      [&](const std::string& key) { return !stands_for(words, words[mine], vault.hash("part", key)); });
    }
    std::erase_if(record.statements, [](const StatementInForce& s) { return s.achievements.empty() && !s.covers_all; });
    if (record.names.empty()) {
        for (const StatementInForce& s : record.statements) {
            if (!s.given.empty() || !s.family.empty() || !s.full.empty()) {
                record.names.push_back({s.provenance.source, s.given, s.family, s.full});
            }
        }
    }
}

void RecordsStore::Impl::fill_persons(Database& from, std::int64_t learner, LearnerRecord& record) const {
    Query query = from.use(
        "WITH RECURSIVE one(id) AS (SELECT ?1 UNION SELECT l.id FROM learner l JOIN one ON l.merged_into=one.id) "
        "SELECT p.id,p.sealed FROM person p WHERE p.learner IN (SELECT id FROM one) AND p.origin=0 ORDER BY "
        "p.deleted,p.accepted DESC,p.id");
    query.add(learner);
    while (query.step()) {
        const ApplyHeader header = vault.open("person", query.integer(0), query.bytes(1)).header;
        if (!header.given.empty() || !header.family.empty() || !header.full.empty()) {
            record.names.push_back({header.source, header.given, header.family, header.full});
        }
        for (const ApplyHeader::Identifier& id : header.identifiers) {
            const auto same = [&](const IdentifierOf& other) {
                return other.scheme == id.scheme && other.issuer == id.issuer && other.value == id.value;
            };
            if (!rules.is_placeholder(id.value) && std::none_of(record.identifiers.begin(), record.identifiers.end(), same)) {
                record.identifiers.push_back({header.source, id.scheme, id.issuer, id.value});
            }
        }
    }
}

StatementInForce RecordsStore::Impl::open_statement(Query& query) const {
    StatementInForce result;
    result.id = query.integer(0);
    result.covers_all = static_cast<WordKind>(query.integer(1)) == WordKind::kAll;
    Vault::Body body = vault.open("statement", result.id, query.bytes(12));
    ApplyHeader& header = body.header;
    result.key = std::move(header.key);
    result.business_version = query.string(4);
    result.document_key = std::move(header.document_key);
    result.organization = std::move(header.organization);
    result.own = std::any_of(header.organization_codes.begin(), header.organization_codes.end(),
                             [&](const std::string& code) { return own_codes.count(code) != 0; });
    result.organization_codes = std::move(header.organization_codes);
    result.given = std::move(header.given);
    result.family = std::move(header.family);
    result.full = std::move(header.full);
    result.content_sha256 = crypto::to_hex(query.bytes(8));
    result.provenance = {query.string(2),
                         std::move(header.authority),
                         query.string(3),
                         query.number(7),
                         query.number(5),
                         query.number(6),
                         from_millis(query.integer(10)),
                         from_millis(query.integer(11)),
                         query.string(9),
                         {}};
    result.provenance.correction = correction_for(header, result.provenance.original);
    result.xml = std::move(body.xml);
    result.achievements = std::move(header.achievements);
    return result;
}

std::optional<LearnerLine> RecordsStore::learner(const std::string& id) const {
    const Impl::Lease lease(*impl_);
    std::optional<LearnerLine> line;
    std::int64_t row = 0;
    std::int64_t merged = 0;
    {
        Query query = (*lease).use("SELECT id,version,blocked,merged_into,created FROM learner WHERE uuid=?");
        query.text(id);
        if (!query.step()) return line;
        row = query.integer(0);
        merged = query.integer(3);
        line = LearnerLine{id, query.number(1), query.integer(2) != 0, {}, 0, from_millis(query.integer(4))};
    }
    if (merged != 0) line->merged_into = impl_->uuid_of(*lease, merged_learner(*lease, merged));
    Query query = (*lease).use("SELECT count(*) FROM statement WHERE learner=? AND standing=1");
    query.add(row);
    if (query.step()) line->statements = query.number(0);
    return line;
}

std::optional<std::string> RecordsStore::find_learner(std::string_view scheme, std::string_view issuer,
                                                      std::string_view value) const {
    if (impl_->rules.is_placeholder(value)) return std::nullopt;
    const Impl::Lease lease(*impl_);
    const Owner owner = owner_of(*lease, impl_->rules.hash(scheme, issuer, value));
    if (owner.state != Owner::State::kOwned || owner.learner == 0) return std::nullopt;
    return impl_->uuid_of(*lease, owner.learner);
}

std::vector<std::uint64_t> RecordsStore::trails(const std::string& learner) const {
    const Impl::Lease lease(*impl_);
    std::vector<std::uint64_t> out;
    const std::int64_t id = impl_->learner_id(*lease, learner);
    if (id == 0) return out;
    Query query = (*lease).use(
        "WITH RECURSIVE one(id) AS (SELECT ?1 UNION SELECT l.id FROM learner l JOIN one ON l.merged_into=one.id) "
        "SELECT key_hash FROM statement WHERE learner IN (SELECT id FROM one) UNION "
        "SELECT key_hash FROM person WHERE learner IN (SELECT id FROM one)");
    query.add(id);
    while (query.step()) out.push_back(trail_of(query.bytes(0)));
    return out;
}

std::vector<LearnerLine> RecordsStore::learners(const std::string& after, std::size_t most) const {
    const Impl::Lease lease(*impl_);
    std::vector<LearnerLine> lines;
    Query query = (*lease).use(
        "SELECT l.uuid,l.version,l.blocked,(SELECT m.uuid FROM learner m WHERE m.id=l.merged_into),"
        "(SELECT count(*) FROM statement s WHERE s.learner=l.id AND s.standing=1) AS n,l.created FROM learner l WHERE "
        "l.uuid>?1 AND "
        "(EXISTS(SELECT 1 FROM person p WHERE p.learner=l.id AND p.origin=0 AND p.state=0 AND p.deleted=0) OR "
        "EXISTS(SELECT 1 FROM statement s WHERE s.learner=l.id AND s.standing=1)) ORDER BY l.uuid LIMIT ?2");
    query.text(after).add(listed(most));
    while (query.step()) {
        lines.push_back({query.string(0), query.number(1), query.integer(2) != 0, query.string(3), query.number(4),
                         from_millis(query.integer(5))});
    }
    return lines;
}

std::vector<Why> RecordsStore::why(const Reader& reader, const std::string& learner, std::string_view achievement_key) {
    Impl& impl = *impl_;
    const std::string part = impl.vault.hash("part", achievement_key);
    std::vector<Why> result;
    std::string id = learner;
    Release release = Release::kDenied;
    {
        const Impl::Lease lease(impl);
        Database& database = *lease;
        const Snapshot snapshot(database);
        std::int64_t found = 0;
        release = impl.may(database, reader, learner, found);
        if (found != 0) id = impl.uuid_of(database, found);
        std::vector<std::string> keys;
        if (release == Release::kReleased) {
            Query query = database.use("SELECT DISTINCT key_hash FROM statement WHERE learner=?");
            query.add(found);
            while (query.step()) keys.push_back(query.string(0));
        }
        for (const std::string& key : keys) {
            std::vector<Word> words;
            std::vector<Why> whys;
            std::vector<bool> about;
            Query query = database.use("SELECT " CLRBUS_READ_COLUMNS
                                       ",parts,standing,learner FROM statement WHERE key_hash=? AND decided<>2");
            query.blob(key);
            while (query.step()) {
                const bool theirs = query.is_null(16) || query.integer(16) == found;
                if (!theirs) continue;
                StatementInForce statement = impl.open_statement(query);
                Word word;
                word.id = statement.id;
                word.kind = static_cast<WordKind>(query.integer(1));
                word.version = {query.string(4), query.number(5), query.number(6), query.number(7)};
                word.content = query.string(8);
                word.excluded = query.integer(15) == 0;
                const std::string_view parts = query.bytes(14);
                for (std::size_t at = 0; at + Vault::kHashBytes <= parts.size(); at += Vault::kHashBytes) {
                    word.parts.emplace_back(parts.substr(at, Vault::kHashBytes));
                }
                const auto& named = statement.achievements;
                about.push_back(word.kind == WordKind::kRetractAll ||
                                std::find(named.begin(), named.end(), achievement_key) != named.end());
                Why one;
                one.statement = statement.id;
                one.key = std::move(statement.key);
                one.business_version = std::move(statement.business_version);
                one.retracted = is_retraction(word.kind);
                one.content_sha256 = std::move(statement.content_sha256);
                one.provenance = std::move(statement.provenance);
                whys.push_back(std::move(one));
                words.push_back(std::move(word));
            }
            std::vector<std::size_t> order;
            const bool claimed = [&] {
                for (std::size_t i = 0; i < words.size(); ++i) {
                    if (about[i] && !is_retraction(words[i].kind)) return true;
                }
                return false;
            }();
            for (std::size_t i = 0; claimed && i < words.size(); ++i) {
                if (about[i]) order.push_back(i);
            }
            std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return older(words[b], words[a]); });
            for (const std::size_t i : order) {
                whys[i].in_force = !words[i].excluded && stands_for(words, words[i], part);
                result.push_back(std::move(whys[i]));
            }
        }
    }
    if (release != Release::kUnknown)
        impl.disclosures.append(reader, id, "why", achievement_key, release == Release::kReleased);
    return result;
}

std::optional<DefinitionRecord> RecordsStore::definition(std::string_view key, std::string_view source) const {
    const Impl::Lease lease(*impl_);
    Query query = (*lease).use(
        "SELECT rowid,source,route,business,source_number,position,generation,original,accepted,applied,deleted,sealed FROM "
        "definition "
        "WHERE key=?1 ORDER BY source<>?2,deleted,source LIMIT 1");
    query.text(key).text(source);
    if (!query.step()) return std::nullopt;
    Vault::Body body = impl_->vault.open("definition", query.integer(0), query.bytes(11));
    DefinitionRecord record;
    record.key = key;
    record.business_version = query.string(3);
    record.deleted = query.integer(10) != 0;
    record.provenance = {query.string(1),
                         std::move(body.header.authority),
                         query.string(2),
                         query.number(6),
                         query.number(4),
                         query.number(5),
                         from_millis(query.integer(8)),
                         from_millis(query.integer(9)),
                         query.string(7),
                         {}};
    record.provenance.correction = correction_for(body.header, record.provenance.original);
    record.xml = std::move(body.xml);
    return record;
}

}  // namespace clrbus::records
