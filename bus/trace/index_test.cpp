#include "trace/index.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "broker/embedded_queues.hpp"
#include "broker/queues_fixture.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "support/test_directory.hpp"
#include "trace/key_hasher.hpp"
#include "trace/segment.hpp"

namespace clrbus::trace {
namespace {

// The disk takes nothing while full is set.
class FullFiles : public storage::Files {
public:
    std::unique_ptr<storage::File> open(const std::string& path, storage::Open how) override {
        if (full && how == storage::Open::kCreate) throw Error(Fault::kAway, "DISK-002", "writing", "no space");
        return real_.open(path, how);
    }
    std::vector<std::string> list(const std::string& d) const override { return real_.list(d); }
    bool exists(const std::string& p) const override { return real_.exists(p); }
    void make_directory(const std::string& p) override { real_.make_directory(p); }
    void rename(const std::string& a, const std::string& b) override { real_.rename(a, b); }
    void remove(const std::string& p) override { real_.remove(p); }
    void sync_directory(const std::string& p) override { real_.sync_directory(p); }
    std::uint64_t free_bytes(const std::string& d) const override { return real_.free_bytes(d); }
    std::unique_ptr<storage::FileLock> lock(const std::string& p) override { return real_.lock(p); }
    std::atomic<bool> full{false};

private:
    storage::Files& real_ = storage::real_files();
};

class IndexTest : public testing::Test {
protected:
    std::unique_ptr<Index> open(std::uint64_t pending = 64U << 20) {
        IndexOptions options;
        options.directory = directory_.path() + "/trace";
        options.every = std::chrono::hours(1);  // when the test says
        options.pending_bytes = pending;
        options.files = &files_;
        auto index = std::make_unique<Index>(options);
        index->follows(7);
        index->start();
        return index;
    }
    static Visit visit(std::uint64_t sequence, VisitState state = VisitState::kDelivered, const std::string& route = "r") {
        Visit out;
        out.state = state;
        out.queue = "in/" + route;
        out.id = id(sequence);
        out.sequence = sequence;
        out.generation = 3;
        out.accepted = at(sequence);
        out.ended = at(sequence) + std::chrono::milliseconds(5);
        out.took = 800;
        out.bytes = 1024;
        out.outputs = {{"records", id(sequence + 1'000'000)}};
        out.keys = {{"student", kHasher("S" + std::to_string(sequence % 100)), ""},
                    {"course", kHasher("C" + std::to_string(sequence % 10)), "C" + std::to_string(sequence % 10)}};
        return out;
    }
    static std::string id(std::uint64_t number) { return name_uuid(kOutputNamespace, std::to_string(number)); }
    static Time at(std::uint64_t number) { return from_rfc3339("2026-11-01T00:00:00Z") + std::chrono::seconds(number); }
    void tell(Index& index, const Visit& one) {
        std::string visits;
        append_visit(visits, one);
        index.visited(std::move(visits), {}, ++position_);
    }
    // Some files' worth.
    void fill(Index& index, std::uint64_t from, std::uint64_t to, std::uint64_t a_file = 50) {
        for (std::uint64_t i = from; i < to; ++i) {
            tell(index, visit(i));
            if (i % a_file == a_file - 1) index.stats();  // whoever looks has it written
        }
    }
    std::vector<std::string> files() const {
        std::vector<std::string> out;
        for (const std::string& name : storage::real_files().list(directory_.path() + "/trace")) {
            if (name.ends_with(".seg")) out.push_back(directory_.path() + "/trace/" + name);
        }
        return out;
    }
    static void damage(const std::string& file, std::uint64_t offset) {
        std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
        out.seekg(static_cast<std::streamoff>(offset));
        const int was = out.get();
        out.seekp(static_cast<std::streamoff>(offset));
        out.put(static_cast<char>(was ^ 0x40));
    }

    TestDirectory directory_;
    FullFiles files_;
    std::uint64_t position_ = 0;
    static inline const KeyHasher kHasher{std::string(32, 'k')};
};

TEST_F(IndexTest, AnEmptyOneFindsNothing) {
    auto index = open();
    EXPECT_TRUE(index->find({}).visits.empty());
    EXPECT_TRUE(index->of_id(id(1)).empty());
    EXPECT_TRUE(index->of_id("").empty());
    EXPECT_EQ(index->stats().visits, 0U);
}

TEST_F(IndexTest, VisitsThatAreNoneAreLeftOut) {
    auto index = open();
    std::string garbage(
        "\x05\x00"
        "abcde",
        7);
    append_visit(garbage, visit(1));
    garbage += std::string("\xff\xff", 2);  // longer than what is there
    index->visited(std::move(garbage), {}, 1);
    EXPECT_EQ(index->find({}).visits.size(), 1U);
    EXPECT_EQ(index->of_id(id(1)).size(), 1U);
}

TEST_F(IndexTest, GivesBackWhatItWasTold) {
    auto index = open();
    Visit told = visit(5, VisitState::kDead);
    told.code = "XSD-002";
    told.step = "2 validate";
    told.reason = "none";
    told.parent = "a parent's id that is no uuid";
    told.position = 17;
    told.attempts = 2;
    std::string visits;
    append_visit(visits, told);
    index->visited(std::move(visits), {4711}, 1);
    const auto found = index->of_id(id(5));
    ASSERT_EQ(found.size(), 1U);
    const Visit& one = found.front();
    EXPECT_EQ(one.state, VisitState::kDead);
    EXPECT_EQ(one.dead, 4711U) << "the number that the queues gave";
    EXPECT_EQ(std::tuple(one.queue, one.id, one.parent, one.code, one.step, one.reason),
              std::tuple(told.queue, told.id, told.parent, told.code, told.step, told.reason));
    EXPECT_EQ(std::tuple(one.sequence, one.position, one.generation, one.took, one.bytes, one.attempts),
              std::tuple(told.sequence, told.position, told.generation, told.took, told.bytes, told.attempts));
    EXPECT_EQ(std::pair(one.accepted, one.ended), std::pair(told.accepted, told.ended));
    ASSERT_EQ(one.outputs.size(), 1U);
    EXPECT_EQ(one.outputs[0].id, told.outputs[0].id);
    ASSERT_EQ(one.keys.size(), 2U);
    EXPECT_EQ(one.keys[1].value, "C5");
}

TEST_F(IndexTest, WhatIsTooLongIsCutAndFound) {
    auto index = open();
    Visit told = visit(1);
    told.id = std::string(100'000, 'x');
    told.code = std::string(1'000'000, 'c');
    told.queue = std::string(5000, 'q');
    told.keys = {{"big", kHasher(std::string(1'000'000, 'v')), std::string(1'000'000, 'v')}};
    for (int i = 0; i < 1000; ++i) told.outputs.push_back({"in/" + std::string(60, 'a'), id(static_cast<std::uint64_t>(i))});
    std::string visits;
    append_visit(visits, told);
    EXPECT_LE(visits.size(), kVisitMost);
    index->visited(std::move(visits), {}, 1);
    const auto found = index->of_id(told.id);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.front().outputs.size(), kVisitOutputs);
    EXPECT_EQ(found.front().more_outputs, 1001 - kVisitOutputs);
    EXPECT_EQ(found.front().keys[0].value, "") << "a value that is no key is not kept";
    MessageQuery query;
    query.key = kHasher(std::string(1'000'000, 'v'));
    EXPECT_EQ(index->find(query).visits.size(), 1U) << "and found by it";
}

TEST_F(IndexTest, FindsByKeyRouteStateAndTime) {
    auto index = open();
    fill(*index, 0, 1000);
    tell(*index, visit(1000, VisitState::kDead, "other"));
    MessageQuery query;
    query.key = kHasher("S42");
    query.key_name = "student";
    auto page = index->find(query);
    ASSERT_EQ(page.visits.size(), 10U);
    EXPECT_TRUE(page.complete);
    EXPECT_EQ(page.visits.front().sequence, 942U) << "the newest first";
    EXPECT_EQ(page.visits.back().sequence, 42U);
    query.key_name = "course";
    EXPECT_TRUE(index->find(query).visits.empty()) << "that value of another key";
    query.key_name = "";
    query.since = at(500);
    EXPECT_EQ(index->find(query).visits.size(), 5U);
    query.most = 2;
    page = index->find(query);
    EXPECT_EQ(page.visits.size(), 2U);
    EXPECT_FALSE(page.complete);
    MessageQuery state;
    state.state = VisitState::kDead;
    ASSERT_EQ(index->find(state).visits.size(), 1U);
    state.queues = {"in/r"};
    EXPECT_TRUE(index->find(state).visits.empty());
    MessageQuery all;
    all.until = at(3);
    EXPECT_EQ(index->find(all).visits.size(), 3U);
}

TEST_F(IndexTest, FollowsFromParentToChildrenAndBack) {
    auto index = open();
    Visit parent = visit(1, VisitState::kSplit);
    parent.outputs.clear();
    for (std::uint64_t i = 2; i < 30; ++i) {
        Visit child = visit(i);
        child.child_of_split = true;
        child.parent = parent.id;
        child.position = i - 1;
        child.sequence = 0;
        tell(*index, child);
    }
    tell(*index, parent);
    EXPECT_EQ(index->children(parent.id, 100).size(), 28U);
    EXPECT_EQ(index->children(parent.id, 100).front().position, 1U);
    const auto made = index->made(id(1'000'005));
    ASSERT_EQ(made.size(), 1U);
    EXPECT_EQ(made.front().id, id(5));
}

TEST_F(IndexTest, WhatWaitsIsOneVisitWithWhatBecameOfIt) {
    auto index = open();
    const auto arrive = [&](std::uint64_t sequence) {
        index->arrived({"in/r", sequence, at(sequence).time_since_epoch().count(), id(sequence), 100, ++position_});
    };
    arrive(1);
    arrive(2);
    tell(*index, visit(1));  // in the same file
    ASSERT_EQ(index->of_id(id(1)).size(), 1U);
    EXPECT_EQ(index->of_id(id(1)).front().state, VisitState::kDelivered);
    MessageQuery waiting;
    waiting.state = VisitState::kWaiting;
    ASSERT_EQ(index->find(waiting).visits.size(), 1U);
    EXPECT_EQ(index->find(waiting).visits.front().id, id(2));
    index->stats();
    tell(*index, visit(2, VisitState::kFiltered));  // in a later one
    EXPECT_TRUE(index->find(waiting).visits.empty());
    ASSERT_EQ(index->of_id(id(2)).size(), 1U);
    EXPECT_EQ(index->of_id(id(2)).front().state, VisitState::kFiltered);
    fill(*index, 10, 20, 1);
    index->merge();
    EXPECT_TRUE(index->find(waiting).visits.empty());
    EXPECT_EQ(index->stats().visits, 12U) << "a merge forgets that it waited";
}

TEST_F(IndexTest, MergedFilesSayTheSame) {
    auto index = open();
    fill(*index, 0, 4000, 25);
    MessageQuery query;
    query.key = kHasher("S7");
    query.most = 1000;
    const auto before = index->find(query).visits;
    const auto count = files().size();
    index->merge();
    EXPECT_LT(files().size(), count / 4);
    const auto after = index->find(query).visits;
    ASSERT_EQ(after.size(), 40U);
    ASSERT_EQ(before.size(), after.size());
    for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(before[i].id, after[i].id);
    for (std::uint64_t i = 0; i < 4000; i += 97) EXPECT_EQ(index->of_id(id(i)).size(), 1U) << i;
    MessageQuery all;
    all.most = 10'000;
    const auto everything = index->find(all);
    EXPECT_EQ(everything.visits.size(), 4000U);
    EXPECT_TRUE(std::is_sorted(everything.visits.begin(), everything.visits.end(),
                               [](const Visit& a, const Visit& b) { return a.ended > b.ended; }));
    EXPECT_EQ(index->stats().visits, 4000U);
}

TEST_F(IndexTest, AKeyThatEverybodyHasCostsABoundedTime) {
    auto index = open();
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        Visit one = visit(i);
        one.keys = {{"state", kHasher("active"), "active"}};
        tell(*index, one);
    }
    MessageQuery query;
    query.key = kHasher("active");
    query.state = VisitState::kDead;  // none
    query.limit = std::chrono::milliseconds(1);
    const auto page = index->find(query);
    EXPECT_TRUE(page.visits.empty());
    EXPECT_FALSE(page.complete) << "it says that it did not look at all";
}

TEST_F(IndexTest, SurvivesARestart) {
    {
        auto index = open();
        fill(*index, 0, 100, 10);
    }
    auto index = open();
    EXPECT_EQ(index->stats().visits, 100U);
    tell(*index, visit(100));
    EXPECT_EQ(index->of_id(id(100)).size(), 1U);
    EXPECT_EQ(index->of_id(id(3)).size(), 1U);
}

TEST_F(IndexTest, ADamagedFileIsPutAsideAndSaysSo) {
    {
        auto index = open();
        fill(*index, 0, 100, 10);
    }
    const auto all = files();
    ASSERT_GE(all.size(), 10U);
    for (const std::uint64_t offset : {std::uint64_t{40}, std::filesystem::file_size(all[4]) - 5}) {
        damage(all[offset == 40 ? 2 : 4], offset);
    }
    std::filesystem::resize_file(all[6], 10);
    std::ofstream(all[8], std::ios::trunc) << std::string(100, 'x');
    auto index = open();
    EXPECT_EQ(index->stats().visits, 60U);
    EXPECT_EQ(index->stats().gaps.size(), 4U);
    EXPECT_TRUE(std::filesystem::exists(all[2] + ".damaged"));
    EXPECT_EQ(index->of_id(id(3)).size(), 1U);
    EXPECT_TRUE(index->of_id(id(25)).empty());
    index.reset();
    EXPECT_EQ(open()->stats().gaps.size(), 4U) << "and at the next start too";
}

TEST_F(IndexTest, EachBitOfAFileIsCheckedOrHarmless) {
    {
        auto index = open();
        for (std::uint64_t i = 0; i < 20; ++i) tell(*index, visit(i));
    }
    const std::string file = files().at(0), kept = storage::read_whole_file(storage::real_files(), file);
    for (std::size_t at = 0; at < kept.size(); at += 7) {
        std::string bytes = kept;
        bytes[at] ^= static_cast<char>(1U << (at % 8));
        std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
        try {
            const Segment segment(storage::real_files(), file, 1, 1);
            EXPECT_THROW(segment.verify({}), Error) << at;
            for (std::uint32_t row = 0; row < segment.directory().rows; ++row) {
                try {
                    decode_visit(segment.row(row));
                } catch (const Error& e) {
                    EXPECT_EQ(e.code(), "TRACE-002");
                }
            }
            segment.find(tagged(HashOf::kId, id_hash(pack_id(id(5)))), [](std::uint32_t) { return true; });
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), "TRACE-002") << at;
        }
    }
}

TEST_F(IndexTest, AFullDiskDropsSaysSoAndGoesOn) {
    auto index = open(4000);
    tell(*index, visit(1));
    index->stats();
    files_.full = true;
    for (std::uint64_t i = 2; i < 100; ++i) tell(*index, visit(i));
    EXPECT_FALSE(index->stats().trouble.empty());
    const auto dropped = index->stats().dropped;
    EXPECT_GT(dropped, 50U);
    EXPECT_EQ(index->of_id(id(1)).size(), 1U) << "what was written is found";
    files_.full = false;
    index->stats();
    tell(*index, visit(200));
    EXPECT_EQ(index->of_id(id(200)).size(), 1U);
    const auto stats = index->stats();
    EXPECT_TRUE(stats.trouble.empty());
    ASSERT_EQ(stats.gaps.size(), 1U);
    EXPECT_GE(stats.gaps.front().visits, dropped);
    EXPECT_EQ(stats.visits + stats.gaps.front().visits, 100U) << "each is there, or counted as dropped";
}

TEST_F(IndexTest, WhatIsOldGoesWhole) {
    IndexOptions options;
    options.directory = directory_.path() + "/trace";
    options.every = std::chrono::milliseconds(5);
    options.keep = std::chrono::hours(1);
    Index index(options);
    index.follows(7);
    tell(index, visit(1));
    index.start();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (index.stats().visits != 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_EQ(index.stats().visits, 0U);
    EXPECT_TRUE(files().empty());
}

TEST_F(IndexTest, ReadOnlyWritesAndMendsNothing) {
    { fill(*open(), 0, 30, 10); }
    const auto all = files();
    damage(all[1], 40);
    IndexOptions options;
    options.directory = directory_.path() + "/trace";
    options.read_only = true;
    Index index(options);
    EXPECT_EQ(index.of_id(id(3)).size(), 1U);
    EXPECT_EQ(files(), all);
}

// With queues: what is told live, and what is told again after an end without a close.
class FollowingTest : public IndexTest {
protected:
    ~FollowingTest() override { pool_.stop(); }
    void open_all() {
        queues_.reset();
        index_.reset();
        IndexOptions options;
        options.directory = directory_.path() + "/trace";
        options.every = std::chrono::hours(1);
        options.files = &files_;
        index_ = std::make_unique<Index>(options);
        EmbeddedOptions queue_options;
        queue_options.directory = directory_.path() + "/queues";
        queue_options.segment_bytes = 1U << 20;
        queue_options.follower = index_.get();
        queues_ = std::make_unique<EmbeddedQueues>(queue_options);
        queues_->declare("in/r", {});
        queues_->declare("dead/r", {});
        index_->start();
    }
    // As a kill -9 leaves it: no checkpoint, and what the index had in memory is gone; or all of the index.
    void crash(bool keep_index = true) {
        const std::filesystem::path root = directory_.path();
        for (const char* name : {"queues", "trace"})
            std::filesystem::copy(root / name, root / (std::string(name) + "-copy"), std::filesystem::copy_options::recursive);
        queues_.reset();
        index_.reset();
        for (const char* name : {"queues", "trace"}) {
            std::filesystem::remove_all(root / name);
            std::filesystem::rename(root / (std::string(name) + "-copy"), root / name);
        }
        if (!keep_index) std::filesystem::remove_all(root / "trace");
        open_all();
    }
    std::uint64_t put(const std::string& message_id) {
        std::promise<std::uint64_t> done;
        queues_->put({contract::put_of("in/r", "body", "", message_id)}, pool_,
                     [&done](auto results) { done.set_value(results.at(0).sequence); });
        return done.get_future().get();
    }
    CommitState settle(std::uint64_t sequence, const std::vector<Visit>& visits, std::vector<Put> outputs = {}) {
        Unit unit;
        unit.settled.push_back({"in/r", sequence});
        unit.outputs = std::move(outputs);
        for (const Visit& one : visits) append_visit(unit.visits, one);
        std::promise<CommitState> done;
        queues_->commit(std::move(unit), pool_, [&done](CommitState state) { done.set_value(state); });
        return done.get_future().get();
    }
    ThreadPool pool_{1, "test"};
    std::unique_ptr<Index> index_;
    std::unique_ptr<EmbeddedQueues> queues_;
};

TEST_F(FollowingTest, IsToldWhatIsOnDisk) {
    open_all();
    const auto one = put(id(1)), two = put(id(2));
    Visit visit_one = visit(one);
    visit_one.id = id(1);
    settle(one, {visit_one});
    EXPECT_EQ(index_->of_id(id(1)).front().state, VisitState::kDelivered);
    const auto waits = index_->of_id(id(2));
    ASSERT_EQ(waits.size(), 1U);
    EXPECT_EQ(waits.front().state, VisitState::kWaiting);
    EXPECT_EQ(waits.front().sequence, two);
    EXPECT_EQ(waits.front().bytes, 4U);
}

TEST_F(FollowingTest, ADeadLetterHasItsNumber) {
    open_all();
    const auto one = put(id(1));
    Visit dead = visit(one, VisitState::kDead);
    dead.id = id(1);
    settle(one, {dead}, {contract::put_of("dead/r", "body", "", id(1))});
    const auto browsed = queues_->browse("dead/r", 0, 1);
    ASSERT_EQ(browsed.size(), 1U);
    EXPECT_EQ(index_->of_id(id(1)).front().dead, browsed.front().sequence);
}

TEST_F(FollowingTest, WhatItDidNotWriteIsToldAgain) {
    open_all();
    const auto one = put(id(1));
    index_->stats();  // that it waits is written, and the rest is lost
    Visit told = visit(one, VisitState::kDead);
    told.id = id(1);
    settle(one, {told}, {contract::put_of("dead/r", "body", "", id(1))});
    put(id(2));
    const auto number = queues_->browse("dead/r", 0, 1).front().sequence;
    crash();
    auto found = index_->of_id(id(1));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.front().state, VisitState::kDead);
    EXPECT_EQ(found.front().dead, number);
    ASSERT_EQ(index_->of_id(id(2)).size(), 1U);
    EXPECT_EQ(index_->of_id(id(2)).front().state, VisitState::kWaiting);
    // Once more, with all of it written: nothing is there twice.
    open_all();
    EXPECT_EQ(index_->of_id(id(1)).size(), 1U);
}

TEST_F(FollowingTest, ACheckpointWaitsUntilItIsWritten) {
    open_all();
    const auto one = put(id(1));
    Visit told = visit(one);
    told.id = id(1);
    settle(one, {told});
    EXPECT_TRUE(files().empty());
    queues_->checkpoint();
    EXPECT_FALSE(files().empty()) << "the journal will not tell it again";
}

TEST_F(FollowingTest, ChunksOfManyVisitsAreToldWhole) {
    open_all();
    const auto one = put(id(1));
    std::vector<Visit> children;
    for (std::uint64_t i = 0; i < 500; ++i) {
        Visit child = visit(1000 + i, i == 250 ? VisitState::kDead : VisitState::kDelivered);
        child.child_of_split = true;
        child.parent = id(1);
        child.sequence = 0;
        child.position = i + 1;
        children.push_back(child);
    }
    settle(one, children, {contract::put_of("dead/r", "row", "", id(1250))});
    const auto number = queues_->browse("dead/r", 0, 1).front().sequence;
    EXPECT_EQ(index_->children(id(1), 1000).size(), 500U);
    crash(false);  // all that the journal holds is told again, when the index is lost as a whole
    EXPECT_EQ(index_->children(id(1), 1000).size(), 500U);
    EXPECT_EQ(index_->of_id(id(1250)).front().dead, number);
}

TEST_F(FollowingTest, AFullDiskOfTheIndexHoldsNoMessageUp) {
    open_all();
    files_.full = true;
    for (int i = 0; i < 50; ++i) {
        const auto sequence = put(id(static_cast<std::uint64_t>(i)));
        Visit told = visit(sequence);
        EXPECT_EQ(settle(sequence, {told}), CommitState::kDone);
    }
    EXPECT_FALSE(index_->stats().trouble.empty());
    queues_->checkpoint();
}

}  // namespace
}  // namespace clrbus::trace
