// For the tests of records/ alone: messages as the records step writes them, a clock that stands still, a directory that goes
// away.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/message.hpp"
#include "crypto/aead.hpp"
#include "crypto/hash.hpp"
#include "records/store.hpp"

namespace clrbus::records::testing {

class FixedClock : public Clock {
public:
    Time now() const override { return Time(std::chrono::milliseconds(millis.load())); }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
    std::atomic<std::int64_t> millis{1'780'000'000'000};
};

class TempDir {
public:
    TempDir() {
        // In memory where that is possible: these tests are about what is written, not about the disk.
        const std::filesystem::path memory = "/dev/shm";
        const bool usable = access(memory.c_str(), W_OK) == 0;
        std::string pattern = ((usable ? memory : std::filesystem::temp_directory_path()) / "clrbus-records-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// A message of the queue `records`, built step by step.
class Said {
public:
    static Said statement(std::string source, std::string key) {
        return Said(ApplyHeader::Kind::kStatement, std::move(source), std::move(key));
    }
    static Said part(std::string source, std::string key) {
        Said word = statement(std::move(source), std::move(key));
        word.header.covers_all = false;
        return word;
    }
    static Said retraction(std::string source, std::string key) {
        return Said(ApplyHeader::Kind::kRetraction, std::move(source), std::move(key));
    }
    static Said definition(std::string source, std::string key) {
        return Said(ApplyHeader::Kind::kDefinition, std::move(source), std::move(key));
    }
    static Said person(std::string key) {
        Said word(ApplyHeader::Kind::kPerson, "people", std::move(key));
        word.header.identity_authority = true;
        return word;
    }

    Said& id(std::string scheme, std::string value, std::string issuer = "campus") {
        header.identifiers.push_back({std::move(scheme), std::move(issuer), std::move(value)});
        return *this;
    }
    Said& name(std::string given, std::string family) {
        header.given = std::move(given);
        header.family = std::move(family);
        return *this;
    }
    Said& version(std::string business) {
        header.version = std::move(business);
        return *this;
    }
    Said& number(std::uint64_t source_number) {
        number_ = source_number;
        return *this;
    }
    Said& position(std::uint64_t record) {
        position_ = record;
        return *this;
    }
    Said& generation(std::uint64_t route_generation) {
        generation_ = route_generation;
        return *this;
    }
    Said& says(std::vector<std::string> achievements, std::string text = "") {
        header.achievements = std::move(achievements);
        text_ = std::move(text);
        return *this;
    }
    Said& document(std::string key, std::string original) {
        header.document_key = std::move(key);
        original_ = std::move(original);
        return *this;
    }
    Said& blocked() {
        header.blocked = true;
        return *this;
    }
    Said& deleted() {
        header.deleted = true;
        return *this;
    }
    Said& authority() {
        header.identity_authority = true;
        return *this;
    }
    Said& accepted(int seconds) {
        accepted_ = seconds;
        return *this;
    }

    std::string xml() const {
        std::string text = "<word key='" + header.key + "' version='" + header.version + "' kind='" +
                           std::to_string(static_cast<int>(header.kind)) + "'>";
        for (const auto& i : header.identifiers) text += "<id>" + i.scheme + "|" + i.issuer + "|" + i.value + "</id>";
        for (const auto& a : header.achievements) text += "<a>" + a + "</a>";
        return text + header.given + " " + header.family + (header.blocked ? "blocked" : "") +
               (header.deleted ? "deleted" : "") + text_ + "</word>";
    }
    TakenMessage taken(std::uint64_t sequence = 0) const {
        TakenMessage message;
        message.queue = "records";
        message.sequence = sequence != 0 ? sequence : next_sequence();
        const std::string body = xml();
        ApplyHeader sent = header;
        sent.content_sha256 = crypto::sha256_hex(body);
        message.message =
            MessageBuilder().message_id("m-" + std::to_string(message.sequence)).content_type("application/xml").build(body);
        message.headers.set(header::kApply, sent.encode());
        message.headers.set(header::kSourceNumber, std::to_string(number_));
        message.headers.set(header::kPosition, std::to_string(position_));
        message.headers.set(header::kGeneration, std::to_string(generation_));
        message.headers.set(header::kRoute, "route-" + header.source);
        message.headers.set(header::kAcceptedAt,
                            to_rfc3339(Time(std::chrono::milliseconds(1'770'000'000'000 + accepted_ * 1000))));
        if (!original_.empty()) message.headers.set(header::kOriginal, "sha256:" + original_);
        return message;
    }
    ApplyHeader header;

private:
    Said(ApplyHeader::Kind kind, std::string source, std::string key) {
        header.kind = kind;
        header.source = std::move(source);
        header.key = std::move(key);
        header.authority = "Registrar";
    }
    static std::uint64_t next_sequence() {
        static std::atomic<std::uint64_t> last{0};
        return ++last;
    }
    std::string text_, original_;
    std::uint64_t number_ = 1, position_ = 0, generation_ = 1;
    int accepted_ = 0;
};

// A store in a directory of its own.
struct Campus {
    explicit Campus(const std::filesystem::path& dir) : keys(crypto::KeyFile::load_or_create(dir / "keys")) {
        options.dir = dir;
        options.keys = &keys;
        options.clock = &clock;
        options.institution_codes = {"FICE:003658"};
        open();
    }
    void open() { store = std::make_unique<RecordsStore>(options); }
    void close() { store.reset(); }

    Outcome apply(const Said& word) { return apply(word.taken()); }
    Outcome apply(const TakenMessage& message) {
        const RecordsStore::Group group = store->apply({message});
        store->settled(group);
        if (group.results.front().error) last_error = group.results.front().error;
        return group.results.front().outcome;
    }
    std::string find(const std::string& scheme, const std::string& value) const {
        return store->find_learner(scheme, "campus", value).value_or("");
    }
    LearnerRecord record(const std::string& learner) {
        return store->read({Reader::Kind::kStaff, "registrar", ""}, learner, "test").record;
    }
    // Which achievements stand, from which statement's version: "key@business/number".
    std::string shown(const std::string& learner) {
        std::vector<std::string> lines;
        for (const StatementInForce& s : record(learner).statements) {
            for (const std::string& key : s.achievements) {
                lines.push_back(s.key + ":" + key + "@" + s.business_version + "/" +
                                std::to_string(s.provenance.source_number));
            }
        }
        std::sort(lines.begin(), lines.end());
        std::string text;
        for (const std::string& line : lines) text += line + " ";
        return text;
    }
    std::string reasons() const {
        std::vector<std::string> lines;
        for (const WaitingItem& item : store->waiting(0, 1000)) lines.push_back((item.person ? "person " : "") + item.reason);
        std::sort(lines.begin(), lines.end());
        std::string text;
        for (const std::string& line : lines) text += line + "; ";
        return text;
    }

    FixedClock clock;
    crypto::KeyFile keys;
    StoreOptions options;
    std::unique_ptr<RecordsStore> store;
    std::optional<Error> last_error;
};

// What a person could see: learners by id with what stands, what waits.
inline std::string end_state(Campus& campus) {
    std::string text;
    for (const LearnerLine& line : campus.store->learners("", 1000)) {
        text += line.id + (line.blocked ? " blocked: " : ": ") + campus.shown(line.id) + "\n";
    }
    return text + campus.reasons();
}

inline const Reader kStaffReader{Reader::Kind::kStaff, "registrar", ""};

}  // namespace clrbus::records::testing
