#include "storage/journal.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <future>
#include <thread>

#include "core/error.hpp"
#include "storage/crc32c.hpp"
#include "support/power_cut_files.hpp"

namespace clrbus::storage {
namespace {

constexpr std::uint32_t kTestSegment = 16U << 10;
constexpr std::uint64_t kTestJournal = 4711;
constexpr std::string_view kFirst = "/j/0000000001.log";

class TestRun : public JournalWork {
public:
    TestRun(std::vector<std::string> bodies, std::promise<JournalResult> done)
        : bodies_(std::move(bodies)), done_(std::move(done)) {
        for (const auto& body : bodies_) {
            most_ += record_bytes(body.size());
            largest_ = std::max<std::uint64_t>(largest_, body.size());
        }
    }
    void prepare(std::vector<JournalRecord>& run) override {
        for (const auto& body : bodies_) {
            auto& record = run.emplace_back();
            record.type = 1;
            record.tail = body;
            record.body_crc = crc32c(0, body);
        }
    }
    void finished(JournalResult result, std::span<const JournalRecord>, Position) override { done_.set_value(result); }
    std::uint64_t most_bytes() const override { return most_; }
    std::uint64_t largest_record() const override { return largest_; }

private:
    std::vector<std::string> bodies_;
    std::promise<JournalResult> done_;
    std::uint64_t most_ = 0, largest_ = 0;
};

struct Replayed {
    std::vector<std::string> bodies;
    std::vector<Position> positions;
    std::size_t runs = 0;
};

JournalOptions test_options() {
    JournalOptions options;
    options.directory = "/j";
    options.id = kTestJournal;
    options.segment_bytes = kTestSegment;
    return options;
}

std::unique_ptr<Journal> open_journal(Files& files, Replayed& replayed, const JournalOptions& options = test_options()) {
    auto journal = std::make_unique<Journal>(files, options);
    journal->recover({{1, kSegmentHeaderBytes}, 1, true}, [&](std::span<const RecoveredRecord> run) {
        ++replayed.runs;
        for (const auto& record : run) {
            replayed.bodies.push_back(record.body);
            replayed.positions.push_back(record.position);
        }
    });
    return journal;
}

std::future<JournalResult> submit(Journal& journal, std::vector<std::string> bodies) {
    std::promise<JournalResult> done;
    auto result = done.get_future();
    journal.submit(std::make_unique<TestRun>(std::move(bodies), std::move(done)));
    return result;
}

Error refusal(PowerCutFiles& files) {
    Replayed replayed;
    try {
        open_journal(files, replayed);
    } catch (const Error& e) {
        return e;
    }
    ADD_FAILURE() << "it was opened";
    return Error(Fault::kPoison, "NONE", "", "");
}

TEST(Journal, ReplaysClosedRunsInOrder) {
    PowerCutFiles files;
    Replayed nothing, all;
    {
        const auto journal = open_journal(files, nothing);
        for (int i = 0; i < 40; ++i) {
            EXPECT_EQ(submit(*journal, {"a" + std::to_string(i), std::string(1000, 'b')}).get(), JournalResult::kDurable);
        }
        EXPECT_GT(journal->writing_segment(), 1U);
    }
    const auto journal = open_journal(files, all);
    EXPECT_EQ(nothing.runs, 0U);
    EXPECT_EQ(all.runs, 40U);
    ASSERT_EQ(all.bodies.size(), 80U);
    EXPECT_EQ(all.bodies[78], "a39");
    EXPECT_EQ(journal->read(all.positions[79]), std::string(1000, 'b'));
}

TEST(Journal, WritesARunThatIsLargerThanASegment) {
    PowerCutFiles files;
    Replayed nothing, all;
    const std::vector<std::string> large(20, std::string(5000, 'x'));
    {
        const auto journal = open_journal(files, nothing);
        EXPECT_EQ(submit(*journal, large).get(), JournalResult::kDurable);
    }
    open_journal(files, all);
    EXPECT_EQ(all.runs, 1U);
    EXPECT_EQ(all.bodies, large);
}

TEST(Journal, SyncsOnceForAllThatWaits) {
    PowerCutFiles files;
    Replayed nothing;
    auto options = test_options();
    options.paused = true;
    const auto journal = open_journal(files, nothing, options);
    std::vector<std::future<JournalResult>> results;
    results.reserve(100);
    for (int i = 0; i < 100; ++i) results.push_back(submit(*journal, {"x"}));
    EXPECT_GT(journal->pending_bytes(), 0U);
    const auto before = journal->groups();
    journal->resume();
    for (auto& result : results) EXPECT_EQ(result.get(), JournalResult::kDurable);
    EXPECT_EQ(journal->groups(), before + 1);
    EXPECT_EQ(journal->pending_bytes(), 0U);
}

TEST(Journal, DropsATornEndAndGoesOnBehindIt) {
    PowerCutFiles files;
    Replayed nothing, first, second;
    std::vector<std::unique_ptr<PowerCutFiles>> found;
    {
        const auto journal = open_journal(files, nothing);
        submit(*journal, {"one"}).get();
        submit(*journal, {"two", "three"}).get();
    }
    auto torn = files.after_cut(1);
    {
        // The last run's first record is damaged: nothing was written behind it, so it counts as torn.
        Replayed positions;
        open_journal(*files.after_cut(1), positions);
        torn->flip(std::string(kFirst), positions.positions.at(1).offset + kRecordHeaderBytes);
        const auto journal = open_journal(*torn, first);
        EXPECT_EQ(first.bodies, std::vector<std::string>{"one"});
        submit(*journal, {"four"}).get();
    }
    open_journal(*torn, second);
    EXPECT_EQ(second.bodies, (std::vector<std::string>{"one", "four"})) << "nothing of the torn run comes back";
}

TEST(Journal, RefusesDamageInTheMiddleWithFileAndOffset) {
    PowerCutFiles files;
    Replayed nothing, all;
    {
        const auto journal = open_journal(files, nothing);
        for (int i = 0; i < 30; ++i) submit(*journal, {std::string(900, 'x')}).get();
    }
    open_journal(*files.after_cut(1), all);
    for (const auto at : {all.positions.at(3), all.positions.at(20)}) {
        for (const std::uint32_t inside : {0U, 9U, 12U, kRecordHeaderBytes + 17U}) {
            auto damaged = files.after_cut(1);
            char name[32];
            std::snprintf(name, sizeof name, "/j/%010u.log", at.segment);
            damaged->flip(name, at.offset + inside);
            const auto error = refusal(*damaged);
            EXPECT_EQ(error.code(), "JOURNAL-009") << error.what();
            EXPECT_EQ(error.where().file, name);
            EXPECT_EQ(error.where().offset, at.offset);
        }
    }
}

TEST(Journal, RefusesAMissingACutAndAForeignSegment) {
    PowerCutFiles files;
    Replayed nothing;
    {
        const auto journal = open_journal(files, nothing);
        for (int i = 0; i < 30; ++i) submit(*journal, {std::string(900, 'x')}).get();
    }
    auto missing = files.after_cut(1);
    missing->remove("/j/0000000002.log");
    EXPECT_EQ(refusal(*missing).code(), "JOURNAL-005");
    auto first_missing = files.after_cut(1);
    first_missing->remove(std::string(kFirst));
    EXPECT_EQ(refusal(*first_missing).code(), "JOURNAL-005");
    auto cut = files.after_cut(1);
    cut->open("/j/0000000002.log", Open::kCreate)->write(0, files.content("/j/0000000002.log").substr(0, 8000));
    EXPECT_EQ(refusal(*cut).code(), "JOURNAL-004");
    auto renamed = files.after_cut(1);
    renamed->rename("/j/0000000002.log", "/j/0000000077.log");
    EXPECT_EQ(refusal(*renamed).code(), "JOURNAL-003");
    auto other = test_options();
    other.id = 1;
    EXPECT_THROW(open_journal(*files.after_cut(1), nothing, other), Error);
}

TEST(Journal, RefusesADamagedHeaderAndAnUnknownVersion) {
    PowerCutFiles files;
    Replayed nothing;
    open_journal(files, nothing);
    auto damaged = files.after_cut(1);
    damaged->flip(std::string(kFirst), 20);
    EXPECT_EQ(refusal(*damaged).code(), "JOURNAL-001");
    auto newer = files.after_cut(1);
    newer->open(std::string(kFirst), Open::kWrite)->write(8, std::string_view("\x07\0\0\0", 4));
    const auto error = refusal(*newer);
    EXPECT_EQ(error.code(), "JOURNAL-002");
    EXPECT_NE(std::string(error.what()).find("version 7"), std::string::npos);
}

TEST(Journal, RefusesAnEncryptedRecord) {
    PowerCutFiles files;
    Replayed nothing;
    open_journal(files, nothing);
    RecordHeader header;
    header.type = 1;
    header.key_id = 3;
    char raw[kRecordHeaderBytes];
    encode_record_header(raw, header, record_seed(kTestJournal, 1), kSegmentHeaderBytes);
    files.open(std::string(kFirst), Open::kWrite)->write(kSegmentHeaderBytes, std::string_view(raw, sizeof raw));
    EXPECT_EQ(refusal(files).code(), "JOURNAL-007");
}

TEST(Journal, ReplaysNothingOldFromARecycledSegment) {
    PowerCutFiles files;
    Replayed nothing, all;
    std::vector<std::string> kept;
    Position from{1, kSegmentHeaderBytes};
    {
        const auto journal = open_journal(files, nothing);
        for (int i = 0; i < 200; ++i) {
            submit(*journal, {std::string(900, 'x')}).get();
            for (const auto segment : journal->segments()) {
                if (segment < journal->writing_segment()) journal->free_segment(segment);
            }
        }
        EXPECT_LT(journal->disk_bytes(), 10 * kTestSegment) << "segments are used again";
        from = {journal->writing_segment(), kSegmentHeaderBytes};
    }
    Journal journal(files, test_options());
    std::size_t replayed = 0;
    // The last segment's runs alone; the number of its first run is not known here, so the start is searched.
    for (std::uint64_t run = 1; run <= 201 && replayed == 0; ++run) {
        try {
            Journal again(files, test_options());
            again.recover({from, run, false}, [&](std::span<const RecoveredRecord> records) { replayed += records.size(); });
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), "JOURNAL-008");
        }
    }
    EXPECT_LE(replayed, (kTestSegment - kSegmentHeaderBytes) / 900);
}

TEST(Journal, IsFullWithoutSpaceAndGoesOnWhenThereIsSome) {
    PowerCutFiles files;
    Replayed nothing, all;
    std::size_t durable = 0;
    {
        const auto journal = open_journal(files, nothing);
        submit(*journal, {"warm"}).get();
        files.set_fault(PowerCutFiles::Fault::kNoSpace);
        auto result = JournalResult::kDurable;
        while (result == JournalResult::kDurable) {
            result = submit(*journal, {std::string(2000, 'x')}).get();
            if (result == JournalResult::kDurable) ++durable;
            ASSERT_LT(durable, 100U);
        }
        EXPECT_EQ(result, JournalResult::kFull);
        EXPECT_EQ(journal->failure(), "");
        files.set_fault(PowerCutFiles::Fault::kNone);
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (result == JournalResult::kFull && std::chrono::steady_clock::now() < deadline) {
            result = submit(*journal, {"space again"}).get();
            std::this_thread::yield();
        }
        EXPECT_EQ(result, JournalResult::kDurable);
    }
    open_journal(files, all);
    EXPECT_EQ(all.bodies.size(), durable + 2);
    EXPECT_EQ(all.bodies.back(), "space again");
}

TEST(Journal, TakesNothingAfterAFailedSync) {
    PowerCutFiles files;
    Replayed nothing;
    const auto journal = open_journal(files, nothing);
    EXPECT_EQ(submit(*journal, {"a"}).get(), JournalResult::kDurable);
    files.set_fault(PowerCutFiles::Fault::kSyncFails);
    EXPECT_EQ(submit(*journal, {"b"}).get(), JournalResult::kFailed);
    files.set_fault(PowerCutFiles::Fault::kNone);
    EXPECT_EQ(submit(*journal, {"c"}).get(), JournalResult::kFailed);
    EXPECT_NE(journal->failure(), "");
}

TEST(Journal, TellsADamagedBodyWhenItIsRead) {
    PowerCutFiles files;
    Replayed nothing, all;
    const auto journal = open_journal(files, nothing);
    submit(*journal, {"a body"}).get();
    open_journal(*files.after_cut(1), all);
    EXPECT_EQ(journal->read(all.positions.at(0)), "a body");
    files.flip(std::string(kFirst), all.positions[0].offset + kRecordHeaderBytes);
    EXPECT_THROW(journal->read(all.positions[0]), Error);
}

}  // namespace
}  // namespace clrbus::storage
