#include "routing/inbox.hpp"

#include <gtest/gtest.h>

#include <future>

#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

class CheckpointTest : public EngineTest {
protected:
    void SetUp() override {
        route("poll", "<to><records/></to>");
        open();  // not started: what comes in stays
    }
    Inbox& inbox() {
        inbox_ = engine_->inbox(*engine_->routes().front(), Config());
        return *inbox_;
    }
    PutState put_item(const std::string& key, const std::string& mark) {
        Incoming incoming;
        incoming.body = "<note/>";
        incoming.duplicate_key = key;
        incoming.checkpoint = Incoming::Checkpoint{"page", mark};
        return put("poll", std::move(incoming)).state;
    }
    void reopen() {
        close();
        open();
    }
    std::unique_ptr<Inbox> inbox_;
};

TEST_F(CheckpointTest, MovesWithTheMessageThatIsDurable) {
    EXPECT_EQ(inbox().checkpoint("page"), std::nullopt);
    EXPECT_EQ(put_item("a", "1"), PutState::kStored);
    EXPECT_EQ(inbox().checkpoint("page"), "1");
    reopen();
    EXPECT_EQ(inbox().checkpoint("page"), "1");
    EXPECT_EQ(in("in/poll").size(), 1U);
    EXPECT_EQ(line("poll").sum(Outcome::kAccepted), 1);
    EXPECT_TRUE(line("poll").balanced());
}

TEST_F(CheckpointTest, MovesOverWhatWasThereBefore) {
    put_item("a", "1");
    EXPECT_EQ(put_item("a", "2"), PutState::kStored);
    EXPECT_EQ(inbox().checkpoint("page"), "2");
    EXPECT_EQ(in("in/poll").size(), 1U);
    EXPECT_EQ(line("poll").sum(Outcome::kDuplicate), 1);
    EXPECT_TRUE(line("poll").balanced());
}

TEST_F(CheckpointTest, StaysWhereItWasWhenTheMessageWasNotTaken) {
    put_item("a", "1");
    free_ = 0;  // the disk is full
    until("the queues notice", [&] { return !inbox().open(); });
    EXPECT_EQ(put_item("b", "2"), PutState::kFull);
    EXPECT_EQ(inbox().checkpoint("page"), "1");
    EXPECT_TRUE(line("poll").balanced());
}

TEST_F(CheckpointTest, MovesWithoutAMessage) {
    std::promise<bool> done;
    inbox().mark({"page", "9"}, [&done](bool written) { done.set_value(written); });
    EXPECT_TRUE(done.get_future().get());
    reopen();
    EXPECT_EQ(inbox().checkpoint("page"), "9");
    EXPECT_EQ(in("in/poll").size(), 0U);
    EXPECT_EQ(inbox().checkpoint("other"), std::nullopt);
}

}  // namespace
}  // namespace clrbus
