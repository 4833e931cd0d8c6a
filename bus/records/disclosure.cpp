#include "records/disclosure.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/headers.hpp"
#include "crypto/hash.hpp"
#include "records/schema.hpp"

namespace clrbus::records {
namespace {

constexpr std::size_t kMostDisclosureText = 1000;  // of one field: a caller's text, not a payload

std::string_view reader_kind(Reader::Kind kind) {
    switch (kind) {
        case Reader::Kind::kStaff:
            return "staff";
        case Reader::Kind::kLearner:
            return "learner";
        case Reader::Kind::kNobody:
            break;
    }
    return "nobody";
}

DisclosureLine disclosure_line(std::int64_t id, std::int64_t at, std::string learner, std::string_view encoded) {
    const Headers fields = Headers::decode(encoded);
    DisclosureLine line;
    line.id = id;
    line.at = from_millis(at);
    line.learner = std::move(learner);
    line.who = fields.get("who");
    line.kind = fields.get("kind");
    line.purpose = fields.get("purpose");
    line.what = fields.get("what");
    line.released = fields.get("released") == "1";
    return line;
}

}  // namespace

struct DisclosureLog::Pending {
    std::int64_t at = 0;
    std::string learner, line;
    bool done = false;
    std::exception_ptr error;
};

DisclosureLog::DisclosureLog(const std::filesystem::path& file, const Vault& vault, const Clock& clock)
    : vault_(vault), clock_(clock), file_(file), database_(file, Database::Mode::kWrite), checkpointer_(file) {
    migrate(database_, disclosure_migrations(), clock);
    find_end();
}

void DisclosureLog::find_end() {
    last_ = 0;
    head_.clear();
    Query query = database_.use("SELECT id,hash FROM disclosure ORDER BY id DESC LIMIT 1");
    if (!query.step()) return;
    last_ = query.integer(0);
    head_ = query.string(1);
}

DisclosureLog::~DisclosureLog() = default;

std::string DisclosureLog::chained(const std::string& before, std::int64_t id, std::int64_t at, std::string_view learner,
                                   std::string_view line) const {
    std::string input = before;
    input += '\0';
    input += std::to_string(id);
    input += '\0';
    input += std::to_string(at);
    input += '\0';
    input += learner;
    input += '\0';
    input += line;
    return vault_.full_hash("disclosure chain", input);
}

void DisclosureLog::append(const Reader& reader, const std::string& learner, std::string_view purpose, std::string_view what,
                           bool released) {
    Headers fields;
    fields.set("who", std::string_view(reader.name).substr(0, kMostDisclosureText));
    fields.set("kind", reader_kind(reader.kind));
    fields.set("purpose", purpose.substr(0, kMostDisclosureText));
    fields.set("what", what.substr(0, kMostDisclosureText));
    fields.set("released", released ? "1" : "0");
    Pending mine;
    mine.at = to_millis(clock_.now());
    mine.learner = learner.substr(0, 64);
    mine.line = fields.encode();

    std::unique_lock lock(mutex_);
    waiting_.push_back(&mine);
    while (!mine.done) {
        if (writing_) {
            written_.wait(lock);
            continue;
        }
        writing_ = true;
        std::vector<Pending*> batch;
        batch.swap(waiting_);
        lock.unlock();
        std::exception_ptr error;
        try {
            write(batch);
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        for (Pending* pending : batch) {
            pending->done = true;
            pending->error = error;
        }
        writing_ = false;
        written_.notify_all();
    }
    if (mine.error) std::rethrow_exception(mine.error);
}

void DisclosureLog::write(const std::vector<Pending*>& batch) {
    if (std::exchange(unsure_, true)) find_end();  // the last write failed: whether it is there, the file says
    std::int64_t last = last_;
    std::string head = head_;
    Transaction transaction(database_);
    for (const Pending* pending : batch) {
        ++last;
        head = chained(head, last, pending->at, pending->learner, pending->line);
        const std::string sealed = vault_.seal_text("disclosure", last, pending->line);
        Query query = database_.use("INSERT INTO disclosure(id,at,learner,line,hash) VALUES(?,?,?,?,?)");
        query.add(last).add(pending->at).text(pending->learner).blob(sealed).blob(head).run();
    }
    transaction.commit();
    last_ = last;
    head_ = head;
    unsure_ = false;
}

std::vector<DisclosureLine> DisclosureLog::lines(const std::string& learner, std::int64_t after, std::size_t most) const {
    Database database(file_, Database::Mode::kRead);
    std::vector<DisclosureLine> result;
    Query query =
        database.use("SELECT id,at,learner,line FROM disclosure WHERE id>?1 AND (?2='' OR learner=?2) ORDER BY id LIMIT ?3");
    query.add(after).text(learner).add(static_cast<std::int64_t>(most));
    while (query.step()) {
        const std::int64_t id = query.integer(0);
        result.push_back(
            disclosure_line(id, query.integer(1), query.string(2), vault_.open_text("disclosure", id, query.bytes(3))));
    }
    return result;
}

ChainCheck DisclosureLog::verify() const {
    Database database(file_, Database::Mode::kRead);
    ChainCheck check;
    std::string head;
    Query query = database.use("SELECT id,at,learner,line,hash FROM disclosure ORDER BY id");
    while (query.step()) {
        const std::int64_t id = query.integer(0);
        bool good = id == check.lines + 1;
        if (good) {
            try {
                const std::string line = vault_.open_text("disclosure", id, query.bytes(3));
                head = chained(head, id, query.integer(1), query.bytes(2), line);
                good = crypto::constant_time_equal(head, query.bytes(4));
            } catch (const Error&) {
                good = false;  // a line that does not open was changed or moved
            }
        }
        if (!good) {
            check.first_bad = check.lines + 1;
            break;
        }
        ++check.lines;
    }
    check.head = crypto::to_hex(head);
    return check;
}

}  // namespace clrbus::records
