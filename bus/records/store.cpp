#include "records/store.hpp"

#include <algorithm>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "crypto/aead.hpp"
#include "records/schema.hpp"
#include "records/store_impl.hpp"

namespace clrbus::records {
namespace {

constexpr std::size_t kSettlingEntry = 17;  // sequence, hash of the message id, outcome
constexpr std::int64_t kMostSettlingGroups = 64;

// FNV-1a: stable across builds, unlike std::hash. It guards against a sequence of another state directory, not against people.
std::uint64_t settling_hash(std::string_view text) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return hash;
}

void append_u64(std::string& out, std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>((value >> shift) & 0xFF));
}

std::uint64_t read_u64(std::string_view bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return value;
}

const crypto::KeyFile& required_keys(const StoreOptions& options) {
    if (options.keys == nullptr) throw Error(Fault::kConfig, "REC-015", "opening the store", "no key file was given");
    return *options.keys;
}

std::filesystem::path made_dir(const std::filesystem::path& dir) {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    if (error) {
        Where where;
        where.file = dir.string();
        throw Error(Fault::kAway, "REC-010", "making the directory of the store", where, error.message());
    }
    return dir;
}

Counter& applied_counter(Outcome outcome) {
    static Counter& applied = counter("clrbus_records_applied_total");
    static Counter& unchanged = counter("clrbus_records_unchanged_total");
    static Counter& superseded = counter("clrbus_records_superseded_total");
    static Counter& held = counter("clrbus_records_held_total");
    static Counter& dead = counter("clrbus_records_dead_total");
    switch (outcome) {
        case Outcome::kUnchanged:
            return unchanged;
        case Outcome::kSuperseded:
            return superseded;
        case Outcome::kHeld:
            return held;
        case Outcome::kDead:
            return dead;
        default:
            return applied;
    }
}

}  // namespace

std::vector<std::string> StoreOptions::default_placeholders() {
    return {"0", "123456789", "987654321", "1234567890", "n/a", "na", "none", "null", "unknown", "tbd", "test", "x"};
}

std::vector<std::string> StoreOptions::default_match_schemes() {
    return {"institution-id", "sis-id", "canvas-global-id", "canvas-uuid", "hr-id", "orcid", "eppn", "school-person-id"};
}

RecordsStore::Impl::Impl(const StoreOptions& given)
    : options(given),
      clock(given.clock != nullptr ? *given.clock : system_clock()),
      vault(required_keys(given)),
      rules(vault, given.placeholders, given.match_schemes),
      own_codes(given.institution_codes.begin(), given.institution_codes.end()),
      file(made_dir(given.dir) / "records.db"),
      database(file, Database::Mode::kWrite, given.lock_wait),
      writer(database, vault, rules, clock),
      disclosures(given.dir / "disclosure.db", vault, clock),
      checkpointer(file) {
    migrate(database, record_migrations(), clock);
    const std::string check = vault.full_hash("key check", "records");
    std::string found;
    {
        Query query = database.use("SELECT value FROM fact WHERE name='key-check'");
        if (query.step()) found = query.string(0);
    }
    if (found.empty()) {
        database.use("INSERT INTO fact(name,value) VALUES('key-check',?)").blob(check).run();
    } else if (found != check) {
        Where where;
        where.file = file.string();
        throw Error(Fault::kConfig, "REC-015", "opening the store", where,
                    "it is sealed with another key; put back the key file that was beside it when it was made");
    }
    approvals.load(database);
    database.use("DELETE FROM settling WHERE id<=(SELECT max(id) FROM settling)-?").add(kMostSettlingGroups).run();
    Query query = database.use("SELECT outcomes FROM settling ORDER BY id");
    while (query.step()) {
        const std::string_view bytes = query.bytes(0);
        for (std::size_t at = 0; at + kSettlingEntry <= bytes.size(); at += kSettlingEntry) {
            unsettled[{read_u64(bytes.substr(at)), read_u64(bytes.substr(at + 8))}] = static_cast<Outcome>(bytes[at + 16]);
        }
    }
}

RecordsStore::Impl::~Impl() {
    try {
        Transaction transaction(database);
        for (const std::int64_t id : forget) database.use("DELETE FROM settling WHERE id=?").add(id).run();
        transaction.commit();
    } catch (const std::exception&) {
        // A group that stays is met again at the next start, and forgotten then.
        counter("clrbus_records_rollback_failed_total").add();
    }
}

RecordsStore::RecordsStore(const StoreOptions& options) : impl_(std::make_unique<Impl>(options)) {}
RecordsStore::~RecordsStore() = default;

RecordsStore::Prepared::Prepared(std::unique_ptr<Content> content) : content_(std::move(content)) {}
RecordsStore::Prepared::Prepared(Prepared&&) noexcept = default;
RecordsStore::Prepared& RecordsStore::Prepared::operator=(Prepared&&) noexcept = default;
RecordsStore::Prepared::~Prepared() = default;

const TakenMessage& RecordsStore::Prepared::message() const {
    return content_->message;
}

std::uint64_t RecordsStore::Prepared::trail() const {
    return content_->trail;
}

RecordsStore::Prepared RecordsStore::prepare(TakenMessage message) const {
    auto content = std::make_unique<Prepared::Content>();
    content->message = std::move(message);
    try {
        const Incoming& incoming = content->incoming.emplace(content->message, impl_->vault, impl_->rules, impl_->clock);
        const ApplyHeader& header = incoming.header;
        if (!incoming.key_hash.empty()) {
            content->trail = trail_of(incoming.key_hash);
        } else if (header.kind == ApplyHeader::Kind::kPerson) {
            content->trail = trail_of(impl_->vault.hash("person", header.source, header.key));
        }
    } catch (const Error& e) {
        if (e.fault() == Fault::kPoison) content->error = e;  // anything else is met again when it is applied
    }
    return Prepared(std::move(content));
}

RecordsStore::Group RecordsStore::apply(const std::vector<TakenMessage>& messages) {
    std::vector<Prepared> prepared;
    prepared.reserve(messages.size());
    for (const TakenMessage& message : messages) prepared.push_back(prepare(message));
    return apply(prepared);
}

RecordsStore::Group RecordsStore::apply(const std::vector<Prepared>& messages) {
    Impl& impl = *impl_;
    const std::lock_guard lock(impl.write_mutex);
    // A savepoint costs as much as a sixth of a small message, and a message that cannot be applied is rare: the first try does
    // without, and is undone as a whole when it meets one.
    std::optional<Group> group = impl.apply(messages, false);
    if (!group) group = impl.apply(messages, true);
    for (const Applied& applied : group->results) applied_counter(applied.outcome).add();
    return std::move(*group);
}

std::optional<RecordsStore::Group> RecordsStore::Impl::apply(const std::vector<Prepared>& messages, bool savepoints) {
    Group group;
    group.results.reserve(messages.size());
    std::string outcomes;
    outcomes.reserve(messages.size() * kSettlingEntry);
    try {
        Transaction transaction(database);
        for (const Prepared& prepared : messages) {
            const Prepared::Content& one = content(prepared);
            const TakenMessage& message = one.message;
            Applied applied;
            if (one.error) {
                applied.outcome = Outcome::kDead;
                applied.error = one.error;
                group.results.push_back(std::move(applied));
                continue;
            }
            if (savepoints) database.use("SAVEPOINT message").run();
            try {
                applied.outcome = writer.apply(one.incoming ? *one.incoming : Incoming(message, vault, rules, clock));
            } catch (const Error& e) {
                if (e.fault() != Fault::kPoison) throw;
                writer.forget_caches();
                if (!savepoints) return std::nullopt;
                database.use("ROLLBACK TO message").run();
                applied.outcome = Outcome::kDead;
                applied.error = e;
            }
            if (savepoints) database.use("RELEASE message").run();
            if (applied.outcome != Outcome::kDead) {
                const std::uint64_t id = settling_hash(message.message.message_id());
                const auto before = unsettled.find({message.sequence, id});
                if (before != unsettled.end()) applied.outcome = before->second;
                append_u64(outcomes, message.sequence);
                append_u64(outcomes, id);
                outcomes.push_back(static_cast<char>(applied.outcome));
            }
            group.results.push_back(std::move(applied));
        }
        std::vector<std::int64_t> done;
        {
            const std::lock_guard moment(forget_mutex);
            done.swap(forget);  // when this transaction fails, they are met again at the next start
        }
        for (const std::int64_t id : done) database.use("DELETE FROM settling WHERE id=?").add(id).run();
        database.use("INSERT INTO settling(outcomes) VALUES(?)").blob(outcomes).run();
        {
            Query query = database.use("SELECT last_insert_rowid()");
            query.step();
            group.id = query.integer(0);
        }
        transaction.commit();
    } catch (...) {
        writer.forget_caches();
        throw;
    }
    return group;
}

void RecordsStore::settled(const Group& group) {
    const std::lock_guard moment(impl_->forget_mutex);
    if (group.id != 0) impl_->forget.push_back(group.id);
}

namespace {

// A decision in a transaction of its own.
template <class Work>
auto decided(std::mutex& mutex, Database& database, Writer& writer, Work work) {
    const std::lock_guard lock(mutex);
    try {
        Transaction transaction(database);
        if constexpr (std::is_void_v<decltype(work())>) {
            work();
            transaction.commit();
        } else {
            auto result = work();
            transaction.commit();
            return result;
        }
    } catch (...) {
        writer.forget_caches();
        throw;
    }
}

std::int64_t known_learner(std::int64_t id) {
    if (id == 0) throw Error(Fault::kPoison, "REC-034", "deciding about the waiting list", "there is no learner with this id");
    return id;
}

}  // namespace

void RecordsStore::attach(std::int64_t waiting, const std::string& learner, std::string_view who, std::string_view why) {
    Impl& impl = *impl_;
    decided(impl.write_mutex, impl.database, impl.writer, [&] {
        impl.writer.attach(waiting, known_learner(impl.learner_id(impl.database, learner)), {who, why});
    });
}

void RecordsStore::reject(std::int64_t waiting, std::string_view who, std::string_view why) {
    Impl& impl = *impl_;
    decided(impl.write_mutex, impl.database, impl.writer, [&] { impl.writer.reject(waiting, {who, why}); });
}

std::int64_t RecordsStore::merge(const std::string& from, const std::string& into, std::string_view who, std::string_view why) {
    Impl& impl = *impl_;
    return decided(impl.write_mutex, impl.database, impl.writer, [&] {
        return impl.writer.merge(known_learner(impl.learner_id(impl.database, from)),
                                 known_learner(impl.learner_id(impl.database, into)), {who, why});
    });
}

void RecordsStore::unmerge(std::int64_t decision, std::string_view who, std::string_view why) {
    Impl& impl = *impl_;
    decided(impl.write_mutex, impl.database, impl.writer, [&] { impl.writer.unmerge(decision, {who, why}); });
}

std::vector<DisclosureLine> RecordsStore::disclosures(const std::string& learner, std::int64_t after, std::size_t most) const {
    return impl_->disclosures.lines(learner, after, most);
}

ChainCheck RecordsStore::verify_chain() const {
    return impl_->disclosures.verify();
}

}  // namespace clrbus::records
