#include "adapters_directory/directory_adapter.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters_directory/receipt.hpp"
#include "config/element.hpp"
#include "crypto/hash.hpp"
#include "support/fake_inbox.hpp"

namespace clrbus::adapters::directory {
namespace {

using support::file_text;
using support::wait_until;
using support::write_file;
using testing::HasSubstr;
namespace fs = std::filesystem;

class DirectoryDoor : public testing::Test {
public:
    DirectoryDoor() {
        element_->name = "pickup";
        element_->attributes = {{"settle", "PT0S"}, {"schedule", "PT1S"}};
    }

    // The door as a start of the bus makes it.
    void start() {
        AdapterContext context;
        context.config = Config{element_};
        context.inbox = &inbox;
        context.clock = &system_clock();
        context.state_dir = folder.path();
        source = adapter_info().source(context);
        source->start();
        ASSERT_TRUE(wait_until([&] { return fs::exists(drop() / "failed"); }));
    }
    fs::path drop() const { return folder / "drop" / "people"; }
    void put_file(const std::string& name, std::string_view text) {
        write_file(drop() / (name + ".part"), text);
        fs::rename(drop() / (name + ".part"), drop() / name);
    }
    bool appears(const std::string& path) {
        return wait_until([&] { return fs::exists(drop() / path); });
    }

    support::TemporaryFolder folder{"directory"};
    support::FakeInbox inbox{"people", folder / "spool"};
    std::shared_ptr<Config::Element> element_ = std::make_shared<Config::Element>();
    std::unique_ptr<Source> source;
};

TEST_F(DirectoryDoor, TakesACompleteFileAndMovesItWhenItIsStored) {
    inbox.hold = true;
    start();
    put_file("a.csv", "1,2\n");
    ASSERT_TRUE(wait_until([&] { return inbox.held() == 1; }));
    EXPECT_TRUE(fs::exists(drop() / ".taking" / "a.csv"));
    EXPECT_FALSE(fs::exists(drop() / "done" / "a.csv"));
    inbox.release_held();
    ASSERT_TRUE(appears("done/a.csv"));
    const Incoming message = inbox.messages().front();
    EXPECT_EQ(message.body, "1,2\n");
    EXPECT_EQ(message.name, "a.csv");
    EXPECT_TRUE(message.headers.has(kReceiptHeader));
    EXPECT_EQ(message.duplicate_key, crypto::sha256_hex("1,2\n") + ":a.csv");
}

TEST_F(DirectoryDoor, TakesWhatWasThereBeforeItStartedOnceItIsSettled) {
    fs::create_directories(drop());
    write_file(drop() / "old.csv", "x");
    write_file(drop() / "half.csv.part", "x");
    start();
    ASSERT_TRUE(appears("done/old.csv"));
    EXPECT_TRUE(fs::exists(drop() / "half.csv.part"));
    EXPECT_EQ(inbox.messages().size(), 1U);
}

TEST_F(DirectoryDoor, SeesAFileThatIsWrittenInPlaceWithoutWaitingForTheSchedule) {
    element_->attributes["schedule"] = "PT24H";
    start();
    write_file(drop() / "first.csv", "x");
    ASSERT_TRUE(appears("done/first.csv"));
    write_file(drop() / "second.csv", "x");
    ASSERT_TRUE(appears("done/second.csv"));
}

TEST_F(DirectoryDoor, PutsTheFileBackWhileTheInboxIsFull) {
    inbox.refuse(PutState::kFull);
    start();
    put_file("a.csv", "x");
    ASSERT_TRUE(wait_until([&] { return inbox.puts() >= 1; }));
    ASSERT_TRUE(wait_until([&] { return fs::exists(drop() / "a.csv") && !source->health().ok; }));
    inbox.refuse(PutState::kStored);
    ASSERT_TRUE(appears("done/a.csv"));
    EXPECT_EQ(inbox.messages().size(), 1U);
    EXPECT_TRUE(wait_until([&] { return source->health().ok; }));
}

TEST_F(DirectoryDoor, TakesAFileAgainThatWasInHandWhenTheProcessEnded) {
    fs::create_directories(drop() / ".taking");
    write_file(drop() / ".taking" / "a.csv", "x");
    start();
    ASSERT_TRUE(appears("done/a.csv"));
    source->stop();
    // The same again, as after a crash between the put and the move: one message.
    fs::rename(drop() / "done" / "a.csv", drop() / ".taking" / "a.csv");
    start();
    ASSERT_TRUE(appears("done/a.csv"));
    EXPECT_EQ(inbox.puts(), 2U);
    EXPECT_EQ(inbox.messages().size(), 1U);
    EXPECT_FALSE(fs::exists(drop() / "done" / "a.csv~2"));
}

TEST_F(DirectoryDoor, RefusesLinksPipesAndLargeFilesAndGoesOn) {
    inbox.most = 10;
    start();
    write_file(folder / "secret", "secret");
    fs::create_symlink(folder / "secret", drop() / "link.csv");
    ASSERT_EQ(::mkfifo((drop() / "pipe.csv").c_str(), 0600), 0);
    put_file("large.csv", "12345678901");
    put_file("good.csv", "1234567890");
    ASSERT_TRUE(appears("failed/link.csv.receipt.csv"));
    ASSERT_TRUE(appears("failed/pipe.csv.receipt.csv"));
    ASSERT_TRUE(appears("failed/large.csv"));
    ASSERT_TRUE(appears("done/good.csv"));
    EXPECT_THAT(file_text(drop() / "failed" / "large.csv.receipt.csv"), HasSubstr("refused,DIR-003,,at most 10 bytes"));
    EXPECT_TRUE(fs::is_symlink(fs::symlink_status(drop() / "failed" / "link.csv")));
    EXPECT_EQ(inbox.messages().size(), 1U);
}

TEST_F(DirectoryDoor, LeavesFoldersAlone) {
    fs::create_directories(drop() / "sub.csv");
    write_file(drop() / "sub.csv" / "inner.csv", "x");
    start();
    put_file("a.csv", "x");
    ASSERT_TRUE(appears("done/a.csv"));
    EXPECT_TRUE(fs::exists(drop() / "sub.csv" / "inner.csv"));
    EXPECT_EQ(inbox.messages().size(), 1U);
}

TEST_F(DirectoryDoor, DoesNotFollowALinkInPlaceOfItsOwnFolders) {
    fs::create_directories(drop());
    fs::create_directories(folder / "elsewhere");
    fs::create_directory_symlink(folder / "elsewhere", drop() / "done");
    AdapterContext context;
    context.config = Config{element_};
    context.inbox = &inbox;
    context.clock = &system_clock();
    context.state_dir = folder.path();
    source = adapter_info().source(context);
    source->start();
    ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
    EXPECT_THAT(source->health().text, HasSubstr("done"));
    fs::remove(drop() / "done");
    put_file("a.csv", "x");
    EXPECT_TRUE(appears("done/a.csv"));
}

TEST_F(DirectoryDoor, GoesOnWhereADiskErrorStoppedIt) {
    inbox.hold = true;
    start();
    put_file("a.csv", "x");
    ASSERT_TRUE(wait_until([&] { return inbox.held() == 1; }));
    fs::remove(drop() / ".waiting");  // no note can be written
    inbox.release_held();
    ASSERT_TRUE(wait_until([&] { return !source->health().ok; }));
    ASSERT_TRUE(appears("done/a.csv"));
    EXPECT_EQ(inbox.puts(), 2U);
    EXPECT_EQ(inbox.messages().size(), 1U);
    EXPECT_TRUE(wait_until([&] { return source->health().ok; }));
}

TEST_F(DirectoryDoor, SpoolsALargeFileAndKeepsTheOriginal) {
    inbox.spool_from = 1000;
    start();
    const std::string text(200'000, 'z');
    put_file("a.xml", text);
    ASSERT_TRUE(appears("done/a.xml"));
    const Incoming message = inbox.messages().front();
    EXPECT_EQ(message.spooled.parent_path(), folder / "spool");
    EXPECT_TRUE(message.body == text);
    EXPECT_EQ(file_text(drop() / "done" / "a.xml"), text);
}

TEST_F(DirectoryDoor, KeepsNothingOfWhatTheRouteDrops) {
    inbox.reducer = [](const fs::path& in, const fs::path& out) {
        const std::string text = file_text(in);
        if (text == "broken") throw Error(Fault::kPoison, "CSV-001", "reading", "row 3 is ragged").expected("4 fields");
        write_file(out, text.substr(0, text.find(';')));
    };
    inbox.spool_from = 8;
    start();
    put_file("a.csv", "name;123-45-6789");
    put_file("b.csv", "a longer name;123-45-6789");
    put_file("c.csv", "broken");
    ASSERT_TRUE(inbox.wait_for_messages(2));
    ASSERT_TRUE(appears("failed/c.csv.receipt.csv"));
    ASSERT_TRUE(wait_until([&] { return fs::is_empty(drop() / ".taking"); }));
    EXPECT_EQ(inbox.messages().at(0).body, "name");
    EXPECT_EQ(inbox.messages().at(0).duplicate_key, crypto::sha256_hex("name") + ":a.csv");
    EXPECT_EQ(inbox.messages().at(1).body, "a longer name");
    source->stop();
    for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
        if (!entry.is_regular_file()) continue;
        EXPECT_EQ(file_text(entry.path()).find("123-45"), std::string::npos) << entry.path();
    }
    EXPECT_THAT(file_text(drop() / "failed" / "c.csv.receipt.csv"), HasSubstr("CSV-001"));
    EXPECT_FALSE(fs::exists(drop() / "failed" / "c.csv"));
}

TEST_F(DirectoryDoor, WritesTheReceiptWhenTheMessageIsThroughEvenAfterARestart) {
    start();
    put_file("good.csv", "x");
    ASSERT_TRUE(appears("done/good.csv"));
    put_file("bad.csv", "y");
    ASSERT_TRUE(appears("done/bad.csv"));
    inbox.set_state("id-1", {.state = "waiting"});
    source->stop();
    start();
    Inbox::State split{.state = "split", .children = 3, .dead = 1, .finished = true};
    split.rows.push_back({2, "dead", "XSD-004", "/row/GRADE", "one of A, B"});
    inbox.set_state("id-1", split);
    inbox.set_state("id-2", {.state = "dead", .code = "XML-001", .path = "/a", .expected = "an element", .finished = true});
    ASSERT_TRUE(appears("done/good.csv.receipt.csv"));
    ASSERT_TRUE(appears("failed/bad.csv.receipt.csv"));
    EXPECT_EQ(file_text(drop() / "done" / "good.csv.receipt.csv"),
              "row,state,code,path,expected\r\n,split,,,\"3 records, 1 of them dead\"\r\n2,dead,XSD-004,/row/GRADE,\"one of A, "
              "B\"\r\n");
    EXPECT_EQ(file_text(drop() / "failed" / "bad.csv.receipt.csv"),
              "row,state,code,path,expected\r\n,dead,XML-001,/a,an element\r\n");
    EXPECT_TRUE(fs::exists(drop() / "failed" / "bad.csv"));
    EXPECT_FALSE(fs::exists(drop() / "done" / "bad.csv"));
    EXPECT_TRUE(wait_until([&] { return fs::is_empty(drop() / ".waiting"); }));
}

TEST_F(DirectoryDoor, TakesManyFilesInTheirOrderAndWritesEveryReceipt) {
    fs::create_directories(drop());
    std::vector<std::string> names;
    for (int i = 0; i < 60; ++i) {
        names.push_back("f" + std::to_string(99 - i) + ".csv");  // later files have smaller names: the time decides
        write_file(drop() / names.back(), std::to_string(i));
        const timespec times[2]{{1'000'000 + i, 0}, {1'000'000 + i, 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, (drop() / names.back()).c_str(), times, 0), 0);
    }
    for (int i = 1; i <= 60; ++i)
        if (i % 20 != 0) inbox.set_state("id-" + std::to_string(i), {.state = "delivered", .finished = true});
    start();
    ASSERT_TRUE(inbox.wait_for_messages(60));
    for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(inbox.messages().at(i).name, names.at(i));
    const auto receipts = [&] {
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator(drop() / "done"))
            count += entry.path().string().ends_with(".receipt.csv") ? 1 : 0;
        return count;
    };
    EXPECT_TRUE(wait_until([&] { return receipts() == 57; }));  // three take long and hold up nobody
    for (int i = 20; i <= 60; i += 20) inbox.set_state("id-" + std::to_string(i), {.state = "delivered", .finished = true});
    EXPECT_TRUE(wait_until([&] { return receipts() == 60 && fs::is_empty(drop() / ".waiting"); }));
}

TEST_F(DirectoryDoor, WritesTheOtherReceiptsWhenOneStateCannotBeRead) {
    inbox.broken_state = "id-1";
    start();
    put_file("a.csv", "1");
    ASSERT_TRUE(appears("done/a.csv"));
    put_file("b.csv", "2");
    ASSERT_TRUE(appears("done/b.csv"));
    inbox.set_state("id-2", {.state = "delivered", .finished = true});
    EXPECT_TRUE(appears("done/b.csv.receipt.csv"));
    EXPECT_FALSE(fs::exists(drop() / "done" / "a.csv.receipt.csv"));
    EXPECT_TRUE(source->health().ok);
}

TEST_F(DirectoryDoor, KeepsTwoFilesOfOneNameApart) {
    start();
    put_file("a.csv", "1");
    ASSERT_TRUE(appears("done/a.csv"));
    put_file("a.csv", "2");
    ASSERT_TRUE(appears("done/a.csv~2"));
    EXPECT_EQ(file_text(drop() / "done" / "a.csv"), "1");
    EXPECT_EQ(file_text(drop() / "done" / "a.csv~2"), "2");
}

TEST_F(DirectoryDoor, DeletesWhenAskedTo) {
    element_->attributes["taken"] = "delete";
    element_->attributes["receipts"] = "false";
    start();
    put_file("a.csv", "1");
    ASSERT_TRUE(inbox.wait_for_messages(1));
    ASSERT_TRUE(wait_until([&] { return fs::is_empty(drop() / ".taking"); }));
    EXPECT_TRUE(fs::is_empty(drop() / "done"));
    EXPECT_TRUE(fs::is_empty(drop() / ".waiting"));
}

TEST(Receipt, QuotesAndDisarmsWhatASpreadsheetWouldRun) {
    EXPECT_EQ(receipt_text({.state = "dead", .code = "X-1", .path = "=cmd()", .expected = "a \"b\"\nc"}),
              "row,state,code,path,expected\r\n,dead,X-1,'=cmd(),\"a \"\"b\"\"\nc\"\r\n");
}

}  // namespace
}  // namespace clrbus::adapters::directory
