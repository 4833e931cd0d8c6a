// What every adapter with a sink is asked: that only a far side that has the message counts as done, and that each answer comes
// once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "all_adapters.hpp"
#include "config/element.hpp"
#include "contract/sink_driver.hpp"
#include "http/client.hpp"
#include "support/fake_inbox.hpp"

namespace clrbus::contract {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<const AdapterInfo*> adapters_with_sinks() {
    std::vector<const AdapterInfo*> out;
    for (const AdapterInfo* one : adapters::all_adapters())
        if (one->sink != nullptr) out.push_back(one);
    return out;
}

class EverySink : public testing::TestWithParam<const AdapterInfo*> {
protected:
    void SetUp() override {
        far = sink_driver(GetParam()->name);
        ASSERT_TRUE(far) << "tests/contract/sink_drivers.cpp has no driver for " << GetParam()->name;
        far->expect_secret(secret);
        auto element = std::make_shared<Config::Element>();
        element->name = far->element();
        element->attributes = far->options();
        AdapterContext context;
        context.config = Config(element);
        context.client = &client;
        context.executor = &pool;
        context.clock = &system_clock();
        context.state_dir = state.path();
        context.secret = [this](std::string_view) { return secret; };
        sink = GetParam()->sink(context);
    }
    SendResult send(const std::string& id, const std::string& body = "<record/>") {
        Outgoing outgoing;
        outgoing.id = id;
        outgoing.message = MessageBuilder().message_id(id).content_type("application/xml").build(body);
        outgoing.headers.set(header::kTrace, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        outgoing.route = "grades";
        const auto said = std::make_shared<std::promise<SendResult>>();
        sink->send(std::move(outgoing),
                   [said](SendResult result) { said->set_value(std::move(result)); });  // twice would throw
        auto future = said->get_future();
        if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
            ADD_FAILURE() << "no answer within 30 s";
            return {};
        }
        return future.get();
    }

    std::string secret = "the-first-secret";
    support::TemporaryFolder state{"sink"};
    std::unique_ptr<SinkDriver> far;
    ThreadPool pool{2, "sink"};
    HttpClient client;
    std::unique_ptr<Sink> sink;
};

TEST_P(EverySink, TakesTheMessageThereWithItsIdAndTrace) {
    EXPECT_EQ(send("id-1", "<record n='1'/>").kind, SendResult::Kind::kDone);
    ASSERT_EQ(far->taken().size(), 1U);
    EXPECT_EQ(far->taken()[0].id, "id-1");
    EXPECT_EQ(far->taken()[0].body, "<record n='1'/>");
    EXPECT_EQ(far->taken()[0].trace, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

TEST_P(EverySink, SaysTheSameIdWhenTheSameItemComesTwice) {
    send("id-1");
    send("id-1");
    ASSERT_EQ(far->taken().size(), 2U);
    EXPECT_EQ(far->taken()[0].id, far->taken()[1].id);
}

TEST_P(EverySink, KeepsTheMessageWhileTheFarSideIsAway) {
    for (const Mood mood : {Mood::kGone, Mood::kSilent, Mood::kHangsUp, Mood::kHalf, Mood::kNonsense, Mood::kStranger,
                            Mood::kTooMany, Mood::kFails}) {
        SCOPED_TRACE(static_cast<int>(mood));
        far->mood(mood);
        const SendResult result = send("id-1");
        EXPECT_EQ(result.kind, SendResult::Kind::kAway);
        ASSERT_TRUE(result.error);
        EXPECT_THAT(result.error->what(), Not(HasSubstr("secret")));
        EXPECT_FALSE(result.error->code().empty());
        if (mood == Mood::kTooMany) {
            EXPECT_EQ(result.wait, std::chrono::seconds(7));
        }
        EXPECT_TRUE(far->taken().empty());
    }
    far->mood(Mood::kTakes);
    EXPECT_EQ(send("id-1").kind, SendResult::Kind::kDone) << "back, it takes the message";
    EXPECT_EQ(far->taken().size(), 1U);
}

TEST_P(EverySink, TellsTheMessagesOwnFaultFromThatOfTheFarSide) {
    far->mood(Mood::kRefuses);
    const SendResult result = send("id-1");
    EXPECT_EQ(result.kind, SendResult::Kind::kPoison);
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->fault(), Fault::kPoison);
    EXPECT_THAT(result.error->what(), Not(HasSubstr("secret")));
}

TEST_P(EverySink, UsesCredentialsThatWereRotated) {
    EXPECT_EQ(send("id-1").kind, SendResult::Kind::kDone);
    far->expect_secret("the-second-secret");
    const SendResult stranger = send("id-2");
    EXPECT_EQ(stranger.kind, SendResult::Kind::kAway);
    EXPECT_THAT(stranger.error->what(), Not(HasSubstr("the-first")));
    secret = "the-second-secret";
    EXPECT_EQ(send("id-2").kind, SendResult::Kind::kDone);
}

TEST_P(EverySink, TakesAsManyAtOnceAsItSays) {
    EXPECT_GE(sink->window(), 1U);
    EXPECT_LE(sink->window(), 64U);
    std::atomic<int> done{0};
    for (int i = 0; i < 50; ++i) {
        Outgoing outgoing;
        outgoing.id = "id-" + std::to_string(i);
        outgoing.message = MessageBuilder().message_id(outgoing.id).build("<record/>");
        sink->send(std::move(outgoing),
                   [&done](const SendResult& result) { done += result.kind == SendResult::Kind::kDone ? 1 : 1000; });
    }
    EXPECT_TRUE(support::wait_until([&] { return done >= 50; }));
    EXPECT_EQ(done, 50);
    EXPECT_EQ(far->taken().size(), 50U);
}

INSTANTIATE_TEST_SUITE_P(All, EverySink, testing::ValuesIn(adapters_with_sinks()),
                         [](const testing::TestParamInfo<const AdapterInfo*>& test) {
                             std::string name(test.param->name);
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

}  // namespace
}  // namespace clrbus::contract
