// What lies on the disk: nothing personal in clear, nothing that another key, a newer bus or a damaged file would make wrong.
#include <gtest/gtest.h>

#include <thread>

#include "records/database.hpp"
#include "records/disclosure.hpp"
#include "records/schema.hpp"
#include "records/test_support.hpp"

namespace clrbus::records {
namespace {

using testing::Campus;
using testing::kStaffReader;
using testing::Said;
using testing::TempDir;

std::string opening_refusal(Campus& campus) {
    try {
        campus.open();
    } catch (const Error& e) {
        EXPECT_EQ(e.fault(), Fault::kConfig);
        EXPECT_FALSE(e.where().file.empty());
        return e.code();
    }
    return "opened";
}

void overwrite(const std::filesystem::path& file, std::int64_t at, const std::string& bytes) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(at);
    stream << bytes;
}

TEST(OnDisk, AFileThatIsNoDatabaseIsRefused) {
    TempDir dir;
    Campus campus(dir.path());
    campus.close();
    overwrite(dir.path() / "records.db", 0, std::string(200, 'x'));
    EXPECT_EQ(opening_refusal(campus), "REC-011");
    std::filesystem::remove(dir.path() / "records.db");
    EXPECT_EQ(opening_refusal(campus), "opened");
    campus.close();
    std::ofstream(dir.path() / "disclosure.db", std::ios::trunc)
        << "this is not a database, not at all, and long enough to be read as one";
    EXPECT_EQ(opening_refusal(campus), "REC-011");
}

TEST(OnDisk, ADamagedPageIsFoundAndNamedNotGuessed) {
    TempDir dir;
    Campus campus(dir.path());
    campus.apply(Said::person("p1").id("institution-id", "900000011"));
    for (int i = 0; i < 50; ++i) {
        std::string noise;
        for (int n = 0; n < 400; ++n) noise += crypto::sha256_hex(std::to_string(i * 1000 + n));
        campus.apply(Said::statement("sis", "k" + std::to_string(i)).id("institution-id", "900000011").says({"a"}, noise));
    }
    const std::string learner = campus.find("institution-id", "900000011");
    campus.close();
    const auto size = std::filesystem::file_size(dir.path() / "records.db");
    for (std::uint64_t at = size / 4; at < size; at += 8192)
        overwrite(dir.path() / "records.db", static_cast<std::int64_t>(at), std::string(64, '\xA5'));
    try {
        campus.open();
        campus.record(learner);
        ADD_FAILURE() << "a damaged store was read";
    } catch (const Error& e) {
        EXPECT_TRUE(e.code() == "REC-011" || e.code() == "REC-020") << e.what();
    }
}

TEST(OnDisk, ANewerFormatIsRefusedWithWhatToDo) {
    TempDir dir;
    Campus campus(dir.path());
    campus.close();
    {
        Database database(dir.path() / "records.db", Database::Mode::kWrite);
        database.run("INSERT INTO format(version, at) VALUES(99, 0)");
    }
    try {
        campus.open();
        ADD_FAILURE() << "opened";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "REC-013");
        EXPECT_EQ(e.fault(), Fault::kConfig);
        EXPECT_NE(e.why().find("format 99"), std::string::npos);
        EXPECT_NE(e.why().find("restore the backup"), std::string::npos);
    }
}

TEST(OnDisk, AnotherKeyIsRefused) {
    TempDir dir;
    TempDir other;
    Campus campus(dir.path());
    campus.close();
    const crypto::KeyFile wrong = crypto::KeyFile::load_or_create(other.path() / "keys");
    campus.options.keys = &wrong;
    EXPECT_EQ(opening_refusal(campus), "REC-015");
    campus.options.keys = nullptr;
    EXPECT_THROW(campus.open(), Error);
}

TEST(OnDisk, AnOlderFormatIsBroughtUpWithItsRows) {
    TempDir dir;
    {
        testing::FixedClock clock;
        Database database(dir.path() / "records.db", Database::Mode::kWrite);
        migrate(database, {record_migrations().front()}, clock);
        database.run("INSERT INTO learner(uuid,created) VALUES('11111111-1111-8111-8111-111111111111', 5)");
    }
    Campus campus(dir.path());
    EXPECT_TRUE(campus.store->learner("11111111-1111-8111-8111-111111111111").has_value());
    EXPECT_EQ(campus.store->counts().waiting, 0U);  // a table of the next format
}

TEST(OnDisk, AFailedMigrationLeavesTheStoreAsItWas) {
    TempDir dir;
    testing::FixedClock clock;
    Database database(dir.path() / "m.db", Database::Mode::kWrite);
    migrate(database, {{1, "CREATE TABLE a(x INTEGER)"}}, clock);
    try {
        migrate(database, {{1, "CREATE TABLE a(x INTEGER)"}, {2, "CREATE TABLE b(x INTEGER); CREATE TABLE a(y INTEGER)"}},
                clock);
        ADD_FAILURE() << "migrated";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), "REC-014");
    }
    Query tables = database.use("SELECT count(*) FROM sqlite_master WHERE name='b'");
    ASSERT_TRUE(tables.step());
    EXPECT_EQ(tables.integer(0), 0);
}

TEST(OnDisk, NothingPersonalIsInClear) {
    TempDir dir;
    Campus campus(dir.path());
    const std::vector<std::string> secrets{"900000011",   "Xanthippe",  "Lopezonova",     "xan@campus",          "school|77|U",
                                           "987-65-4329", "HR55113344", "chem-lab-grade", "because of Xanthippe"};
    campus.apply(Said::person("person-900000011")
                     .id("institution-id", "900000011")
                     .id("email", "xan@campus")
                     .id("ssn-keyed", "987-65-4329")
                     .name("Xanthippe", "Lopezonova"));
    campus.apply(Said::statement("pesc", "school|77|U")
                     .id("institution-id", "900000011")
                     .name("Xanthippe", "Lopezonova")
                     .says({"chem-lab-grade"}));
    campus.apply(Said::part("pesc", "school|77|U").id("institution-id", "900000011").number(2).says({"chem-lab-grade"}, "A"));
    campus.apply(Said::statement("hr", "HR55113344").id("hr-id", "HR55113344").name("Xanthippe", "Lopezonova").says({"j"}));
    const std::string learner = campus.find("institution-id", "900000011");
    campus.store->show(kStaffReader, campus.store->waiting(0, 1).at(0).id, "deciding");
    campus.store->attach(campus.store->waiting(0, 1).at(0).id, learner, "pat", "because of Xanthippe");
    campus.record(learner);
    campus.store->why(kStaffReader, learner, "chem-lab-grade");
    const auto search = [&] {
        std::size_t files = 0;
        for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
            std::ifstream stream(entry.path(), std::ios::binary);
            std::ostringstream all;
            all << stream.rdbuf();
            ++files;
            for (const std::string& secret : secrets) {
                EXPECT_EQ(all.str().find(secret), std::string::npos) << secret << " in " << entry.path().filename();
            }
        }
        return files;
    };
    EXPECT_GE(search(), 5U);  // with both write-ahead logs
    campus.close();
    EXPECT_GE(search(), 3U);
}

TEST(OnDisk, ASealedRowThatWasMovedDoesNotOpen) {
    TempDir dir;
    Campus campus(dir.path());
    campus.apply(Said::person("p1").id("institution-id", "900000011"));
    campus.apply(Said::statement("sis", "k1").id("institution-id", "900000011").says({"a"}, "F"));
    campus.apply(Said::statement("sis", "k2").id("institution-id", "900000011").says({"b"}, "A"));
    const std::string learner = campus.find("institution-id", "900000011");
    {
        Database database(dir.path() / "records.db", Database::Mode::kWrite);
        database.run("UPDATE statement SET sealed=(SELECT sealed FROM statement WHERE id=2) WHERE id=1");
    }
    EXPECT_THROW(campus.record(learner), Error);
}

// ── the disclosure log ──

class Disclosure : public ::testing::Test {
protected:
    void SetUp() override {
        campus_.apply(Said::person("p1").id("institution-id", "900000011"));
        learner_ = campus_.find("institution-id", "900000011");
        for (int i = 0; i < 5; ++i) campus_.record(learner_);
    }
    std::int64_t bad_after(const std::string& sql) {
        {
            Database database(dir_.path() / "disclosure.db", Database::Mode::kWrite);
            database.run(sql);
        }
        return campus_.store->verify_chain().first_bad;
    }
    TempDir dir_;
    Campus campus_{dir_.path()};
    std::string learner_;
};

TEST_F(Disclosure, AWholeChainIsWholeAlsoAfterAReopen) {
    const ChainCheck before = campus_.store->verify_chain();
    EXPECT_EQ(before.lines, 5);
    EXPECT_EQ(before.first_bad, 0);
    campus_.close();
    campus_.open();
    EXPECT_EQ(campus_.store->verify_chain().head, before.head);
    campus_.record(learner_);
    EXPECT_EQ(campus_.store->verify_chain().lines, 6);
    EXPECT_EQ(campus_.store->verify_chain().first_bad, 0);
}

TEST_F(Disclosure, AChangedTimeIsFound) {
    EXPECT_EQ(bad_after("UPDATE disclosure SET at=at+1 WHERE id=3"), 3);
}
TEST_F(Disclosure, AChangedLearnerIsFound) {
    EXPECT_EQ(bad_after("UPDATE disclosure SET learner='x' WHERE id=2"), 2);
}
TEST_F(Disclosure, ARemovedLineIsFound) {
    EXPECT_EQ(bad_after("DELETE FROM disclosure WHERE id=4"), 4);
}
TEST_F(Disclosure, ARemovedFirstLineIsFound) {
    EXPECT_EQ(bad_after("DELETE FROM disclosure WHERE id=1"), 1);
}
TEST_F(Disclosure, ACopiedLineIsFound) {
    EXPECT_EQ(bad_after("UPDATE disclosure SET line=(SELECT line FROM disclosure WHERE id=1) WHERE id=2"), 2);
}

TEST_F(Disclosure, ReadersAtTheSameTimeShareAChain) {
    std::vector<std::jthread> readers;
    readers.reserve(6);
    for (int t = 0; t < 6; ++t) {
        readers.emplace_back([this] {
            for (int i = 0; i < 20; ++i) campus_.record(learner_);
        });
    }
    readers.clear();
    const ChainCheck check = campus_.store->verify_chain();
    EXPECT_EQ(check.lines, 125);
    EXPECT_EQ(check.first_bad, 0);
}

TEST_F(Disclosure, ALookAtWhatIsNobodysIsWrittenDown) {
    const auto before = campus_.store->verify_chain().lines;
    EXPECT_EQ(campus_.store->disclose(kStaffReader, "", "dead letter", "dead/pesc/1"), Release::kReleased);
    ASSERT_EQ(campus_.store->verify_chain().lines, before + 1);
    EXPECT_EQ(campus_.store->disclosures("", before, 10).back().what, "dead/pesc/1");
    EXPECT_NE(campus_.store->disclose({Reader::Kind::kNobody, "", ""}, "", "x", "y"), Release::kReleased);
}

TEST_F(Disclosure, WithoutALineThereIsNoAnswer) {
    Database blocker(dir_.path() / "disclosure.db", Database::Mode::kWrite);
    blocker.run("DROP TABLE disclosure");
    EXPECT_THROW(campus_.store->read(kStaffReader, learner_, "audit"), Error);
    EXPECT_THROW(campus_.store->disclose(kStaffReader, learner_, "audit", "clr"), Error);
}

}  // namespace
}  // namespace clrbus::records
