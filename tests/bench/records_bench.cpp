// Applying statements, beside the very rows that it wrote, put by prepared statements into one SQLite file with the same
// settings and indexes, in groups of the same size.
#include <benchmark/benchmark.h>
#include <sqlite3.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>

#include "bench_support.hpp"
#include "broker/embedded_queues.hpp"
#include "core/executor.hpp"
#include "core/message.hpp"
#include "crypto/aead.hpp"
#include "crypto/hash.hpp"
#include "records/store.hpp"
#include "records/vault.hpp"
#include "routing/apply_header.hpp"
#include "routing/canonical.hpp"
#include "xml/code_lists.hpp"
#include "xml/parser.hpp"
#include "xml/transformer.hpp"

namespace clrbus::bench {
namespace {

constexpr std::size_t kGroup = 50;
constexpr std::size_t kGroups = 10;
constexpr std::size_t kAll = kGroup * kGroups;

struct Canonical {
    std::string body;
    ApplyHeader header;
};

// The samples' transcripts as canonical messages.
const std::vector<Canonical>& canonical_messages() {
    static const std::vector<Canonical> out = [] {
        const std::filesystem::path source = CLRBUS_SOURCE_DIR;
        const auto transformer = Transformer::compile(source / "transforms/pesc-college-transcript.xsl", source / "transforms",
                                                      CodeLists::load(source / "conf/codes"));
        XmlParser parser;
        std::vector<Canonical> all;
        for (std::size_t i = 0; i < 50; ++i) {
            const Document made = transformer->transform(parser.parse(samples("pesc")[i]), {{"zone", "America/Chicago"}});
            all.push_back({made.write(), read_apply_header(made.root())});
        }
        return all;
    }();
    return out;
}

TakenMessage taken(const ApplyHeader& header, const std::string& body, std::size_t sequence) {
    TakenMessage out;
    out.queue = "records";
    out.sequence = sequence;
    out.message = MessageBuilder().message_id("m-" + std::to_string(sequence)).content_type("application/xml").build(body);
    out.headers.set(header::kApply, header.encode());
    out.headers.set(header::kSourceNumber, std::to_string(sequence));
    out.headers.set(header::kGeneration, "1");
    out.headers.set(header::kRoute, "pesc");
    out.headers.set(header::kAcceptedAt, "2026-01-01T00:00:00Z");
    out.headers.set(header::kOriginal, "sha256:" + crypto::sha256_hex(std::to_string(sequence)));
    return out;
}

// A learner for each statement, known before, as the roster makes them.
const std::vector<TakenMessage>& persons() {
    static const std::vector<TakenMessage> out = [] {
        std::vector<TakenMessage> all;
        for (std::size_t i = 0; i < kAll; ++i) {
            ApplyHeader header;
            header.kind = ApplyHeader::Kind::kPerson;
            header.source = "people";
            header.key = "person-" + std::to_string(i);
            header.identifiers = {{"institution-id", "FICE:003658", "U" + std::to_string(i)},
                                  {"school-person-id", "FICE:009101", "P" + std::to_string(i)}};
            header.given = "Maya";
            header.family = "Person" + std::to_string(i);
            header.identity_authority = true;
            header.content_sha256 = crypto::sha256_hex(header.key);
            all.push_back(taken(header, "<person/>", i + 1));
        }
        return all;
    }();
    return out;
}

const std::vector<TakenMessage>& statements() {
    static const std::vector<TakenMessage> out = [] {
        std::vector<TakenMessage> all;
        for (std::size_t i = 0; i < kAll; ++i) {
            const Canonical& source = canonical_messages()[i % canonical_messages().size()];
            ApplyHeader header = source.header;
            header.key += "#" + std::to_string(i);
            header.document_key += "#" + std::to_string(i);
            header.identifiers = {{"school-person-id", "FICE:009101", "P" + std::to_string(i)}};
            header.content_sha256 = crypto::sha256_hex(source.body + std::to_string(i));
            header.match = {"school-person-id"};
            all.push_back(taken(header, source.body, kAll + i + 1));
        }
        return all;
    }();
    return out;
}

struct Campus {
    explicit Campus(const std::filesystem::path& dir) : keys(crypto::KeyFile::load_or_create(dir / "storage.key")) {
        records::StoreOptions options;
        options.dir = dir;
        options.keys = &keys;
        options.institution_codes = {"FICE:003658"};
        options.match_schemes.push_back("school-person-id");
        store.emplace(options);
    }
    using Group = std::vector<records::RecordsStore::Prepared>;
    // As the applier's workers do it, in groups.
    std::vector<Group> prepare(const std::vector<TakenMessage>& all) const {
        std::vector<Group> out;
        for (std::size_t at = 0; at < all.size(); ++at) {
            if (at % kGroup == 0) out.emplace_back();
            out.back().push_back(store->prepare(all[at]));
        }
        return out;
    }
    void apply(const std::vector<Group>& groups, Outcome expected) {
        for (const Group& some : groups) {
            const auto group = store->apply(some);
            for (const auto& result : group.results) {
                if (result.outcome != expected) throw std::runtime_error("a statement was not applied");
            }
            store->settled(group);
        }
    }
    crypto::KeyFile keys;
    std::optional<records::RecordsStore> store;
};

void apply(benchmark::State& state) {
    statements();
    for (auto _ : state) {
        state.PauseTiming();
        {
            const Directory directory;
            Campus campus(directory.path());
            campus.apply(campus.prepare(persons()), Outcome::kApplied);
            const auto groups = campus.prepare(statements());
            state.ResumeTiming();
            campus.apply(groups, Outcome::kApplied);
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kAll));
}

// What the workers do ahead of the writer.
void prepare(benchmark::State& state) {
    const Directory directory;
    const Campus campus(directory.path());
    for (auto _ : state) benchmark::DoNotOptimize(campus.prepare(statements()).size());
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kAll));
}

// Its floor, and that of sealing: the same bodies compressed and sealed, nothing else.
void pack(benchmark::State& state) {
    const Directory directory;
    const crypto::KeyFile keys = crypto::KeyFile::load_or_create(directory.path() / "storage.key");
    const records::Vault vault(keys);
    std::vector<std::string> headers;
    for (const TakenMessage& one : statements()) headers.emplace_back(one.headers.get(header::kApply));
    for (auto _ : state) {
        for (std::size_t i = 0; i < kAll; ++i) {
            benchmark::DoNotOptimize(
                vault.seal("statement", static_cast<std::int64_t>(i), headers[i], statements()[i].message.body()));
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kAll));
}

struct Sqlite {
    explicit Sqlite(const std::filesystem::path& file) {
        if (sqlite3_open(file.c_str(), &handle) != SQLITE_OK) throw std::runtime_error("SQLite does not open its file");
    }
    ~Sqlite() { sqlite3_close(handle); }
    Sqlite(const Sqlite&) = delete;
    Sqlite& operator=(const Sqlite&) = delete;
    void run(const std::string& sql) const {
        if (sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
            throw std::runtime_error(sqlite3_errmsg(handle));
    }
    sqlite3* handle = nullptr;
};

using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

Statement prepare(const Sqlite& database, const std::string& sql) {
    sqlite3_stmt* out = nullptr;
    if (sqlite3_prepare_v2(database.handle, sql.c_str(), -1, &out, nullptr) != SQLITE_OK) {
        throw std::runtime_error(sqlite3_errmsg(database.handle));
    }
    return {out, sqlite3_finalize};
}

using Row = std::vector<std::unique_ptr<sqlite3_value, void (*)(sqlite3_value*)>>;

struct Rows {
    Directory directory;
    std::filesystem::path before;  // the file with the persons in it
    std::string insert_statement, insert_mention;
    std::vector<Row> statements, learners;
    std::vector<std::vector<Row>> mentions;  // of each statement
};

std::vector<Row> read_rows(const Sqlite& database, const std::string& sql) {
    std::vector<Row> out;
    const Statement query = prepare(database, sql);
    while (sqlite3_step(query.get()) == SQLITE_ROW) {
        Row row;
        for (int c = 0; c < sqlite3_column_count(query.get()); ++c)
            row.emplace_back(sqlite3_value_dup(sqlite3_column_value(query.get(), c)), sqlite3_value_free);
        out.push_back(std::move(row));
    }
    return out;
}

std::string insert_into(const Sqlite& database, const std::string& table) {
    const Statement query = prepare(database, "SELECT * FROM " + table);
    std::string marks = "?";
    for (int c = 1; c < sqlite3_column_count(query.get()); ++c) marks += ",?";
    return "INSERT INTO " + table + " VALUES(" + marks + ")";
}

// What the store wrote for the same statements.
const Rows& rows() {
    static const std::unique_ptr<const Rows> out = [] {
        auto owned = std::make_unique<Rows>();
        Rows& made = *owned;
        const auto file = made.directory.path() / "records.db";
        made.before = made.directory.path() / "before.db";
        {
            Campus campus(made.directory.path());
            campus.apply(campus.prepare(persons()), Outcome::kApplied);
            Sqlite(file).run("VACUUM INTO '" + made.before.string() + "'");
            campus.apply(campus.prepare(statements()), Outcome::kApplied);
        }
        const Sqlite database(file);
        made.insert_statement = insert_into(database, "statement");
        made.insert_mention = insert_into(database, "mention");
        made.statements = read_rows(database, "SELECT * FROM statement ORDER BY id");
        made.learners = read_rows(
            database, "SELECT s.learner, l.version, l.changed FROM statement s JOIN learner l ON l.id=s.learner ORDER BY s.id");
        for (const Row& row : made.statements) {
            made.mentions.push_back(read_rows(
                database, "SELECT * FROM mention WHERE statement=" + std::to_string(sqlite3_value_int64(row[0].get()))));
        }
        if (made.statements.size() != kAll) throw std::runtime_error("the store holds another number of statements");
        return owned;
    }();
    return *out;
}

void put(const Statement& statement, const Row& row) {
    for (std::size_t c = 0; c < row.size(); ++c) sqlite3_bind_value(statement.get(), static_cast<int>(c) + 1, row[c].get());
    if (sqlite3_step(statement.get()) != SQLITE_DONE) throw std::runtime_error("a row was refused");
    sqlite3_reset(statement.get());
}

void plain_rows(benchmark::State& state) {
    const Rows& all = rows();
    for (auto _ : state) {
        state.PauseTiming();
        {
            const Directory directory;
            const auto file = directory.path() / "records.db";
            std::filesystem::copy_file(all.before, file);
            const Sqlite database(file);
            database.run(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32768; PRAGMA temp_store=MEMORY; "
                "PRAGMA wal_autocheckpoint=0");
            const Statement statement = prepare(database, all.insert_statement);
            const Statement mention = prepare(database, all.insert_mention);
            const Statement learner = prepare(database, "UPDATE learner SET version=?2, changed=?3 WHERE id=?1");
            const Statement find = prepare(database, "SELECT id FROM statement WHERE key_hash=?");
            state.ResumeTiming();
            for (std::size_t at = 0; at < kAll; at += kGroup) {
                database.run("BEGIN IMMEDIATE");
                for (std::size_t i = at; i < at + kGroup; ++i) {
                    sqlite3_bind_value(find.get(), 1, all.statements[i][1].get());
                    sqlite3_step(find.get());
                    sqlite3_reset(find.get());
                    put(statement, all.statements[i]);
                    for (const Row& row : all.mentions[i]) put(mention, row);
                    put(learner, all.learners[i]);
                }
                database.run("COMMIT");
            }
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kAll));
}

// What the journal writes for one transcript from the door to the settled record: put, commit of the route's Unit with the
// canonical message, commit of the applier's.
void journal_bytes(benchmark::State& state) {
    const auto& sources = samples("pesc");
    std::uint64_t written = 0, payload = 0, documents = 0;
    for (auto _ : state) {
        const Directory directory;
        ThreadPool pool(1, "bench");
        EmbeddedOptions options;
        options.directory = (directory.path() / "queues").string();
        EmbeddedQueues queues(options);
        queues.declare("in/pesc", QueueLimits{});
        queues.declare("records", QueueLimits{});
        const std::uint64_t before = queues.written_bytes();
        const auto commit = [&](Unit unit) {
            std::promise<CommitState> done;
            queues.commit(std::move(unit), pool, [&](CommitState s) { done.set_value(s); });
            if (done.get_future().get() != CommitState::kDone) throw std::runtime_error("a unit was refused");
        };
        std::uint64_t taken_sequence = 0;
        std::mutex mutex;
        std::condition_variable changed;
        const auto records = queues.take("records", pool, [&](const TakenMessage& message) {
            const std::lock_guard lock(mutex);
            taken_sequence = message.sequence;
            changed.notify_one();
        });
        for (std::size_t i = 0; i < canonical_messages().size(); ++i) {
            const TakenMessage& statement = statements()[i];
            Put in;
            in.queue = "in/pesc";
            in.headers = statement.headers;
            in.headers.remove(header::kApply);
            in.message =
                MessageBuilder().message_id("in-" + std::to_string(i)).content_type("application/xml").build(sources[i]);
            std::promise<std::uint64_t> stored;
            queues.put({in}, pool, [&](const std::vector<PutResult>& results) { stored.set_value(results.front().sequence); });
            Unit unit;
            unit.settled.push_back({"in/pesc", stored.get_future().get()});
            unit.outputs.push_back({"records", statement.message, statement.headers, ""});
            unit.ledger = {{"pesc", Outcome::kDelivered, 1}, {"records", Outcome::kTaken, 1}};
            commit(std::move(unit));
            records->grant(1);
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return taken_sequence != 0; });
            Unit applied;
            applied.settled.push_back({"records", std::exchange(taken_sequence, 0)});
            applied.ledger = {{"records", Outcome::kApplied, 1}};
            lock.unlock();
            commit(std::move(applied));
            payload += sources[i].size() + statement.message.body().size();
            ++documents;
        }
        written += queues.written_bytes() - before;
    }
    state.counters["bytes"] = static_cast<double>(written) / static_cast<double>(documents);
    state.counters["payload"] = static_cast<double>(payload) / static_cast<double>(documents);
}

[[maybe_unused]] const bool kRegistered = [] {
    benchmark::RegisterBenchmark("records/apply", apply)->UseRealTime();
    benchmark::RegisterBenchmark("records/apply.rows", plain_rows)->UseRealTime();
    benchmark::RegisterBenchmark("records/apply.prepare", prepare);
    benchmark::RegisterBenchmark("records/apply.pack", pack);
    benchmark::RegisterBenchmark("journal/bytes-per-document", journal_bytes)->Iterations(1);
    return true;
}();

}  // namespace
}  // namespace clrbus::bench
