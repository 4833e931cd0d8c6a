// Messages of one key one after the other: while an earlier one waits, with several workers, after a restart, without room.
#include "routing/key_order.hpp"

#include <gmock/gmock.h>

#include <mutex>
#include <set>

#include "core/error.hpp"
#include "routing/engine_fixture.hpp"

namespace clrbus {
namespace {

constexpr const char* kOrderSteps = R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>
    <on-fault><attempts most="3" first="PT0S"/></on-fault>)";
constexpr const char* kSlowSteps = R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>
    <on-fault><attempts most="3" first="PT1H"/></on-fault>)";

std::string ordered_note(const std::string& who, int n) {
    return "<note><who>" + who + "</who><n>" + std::to_string(n) + "</n></note>";
}
std::string who_of(std::string_view body) {
    const auto from = body.find("<who>") + 5;
    return std::string(body.substr(from, body.find("</who>") - from));
}
int n_of(std::string_view body) {
    return std::stoi(std::string(body.substr(body.find("<n>") + 3)));
}

// A clock that stands until the test moves it.
class OrderClock : public Clock {
public:
    Time now() const override { return Time(std::chrono::milliseconds(ms_.load())); }
    std::chrono::steady_clock::time_point steady() const override { return system_clock().steady(); }
    void forward(std::chrono::milliseconds by) { ms_ += by.count(); }

private:
    std::atomic<std::int64_t> ms_{1'800'000'000'000};
};

class KeyOrderTest : public EngineTest {
protected:
    ~KeyOrderTest() override { close(); }  // callbacks of the engine look at the clock until it is gone

    void refused(const std::string& steps, const std::string& attributes, const std::string& code) {
        route("r", steps, attributes);
        const auto loaded = load();
        ASSERT_EQ(loaded.errors.size(), 1U) << attributes;
        EXPECT_EQ(loaded.errors[0].code(), code);
        EXPECT_GT(loaded.errors[0].where().line, 0U);
        EXPECT_THAT(loaded.errors[0].where().file, testing::HasSubstr("routes/r/routes.xml"));
    }
    // What ran, in order, when it runs through.
    void note_runs(std::function<void(const Work&)> fails = {}) {
        put_in_front("r", [this, fails = std::move(fails)](const Work& work) {
            if (fails) fails(work);
            const std::lock_guard lock(mutex_);
            ran_[who_of(work.body)].push_back(n_of(work.body));
        });
    }
    std::vector<int> ran(const std::string& who) {
        const std::lock_guard lock(mutex_);
        return ran_[who];
    }
    std::uint64_t delayed() {
        for (const QueueState& state : queues_->states()) {
            if (state.name == "in/r") return state.ready + state.in_hand == 0 ? state.delayed : 0;
        }
        return 0;
    }

    OrderClock moved_;
    std::atomic<int> failed_{0};
    std::atomic<bool> away_{true};
    std::mutex mutex_;
    std::map<std::string, std::vector<int>> ran_;
};

TEST_F(KeyOrderTest, RefusesWhatItCannotKeep) {
    refused(kOrderSteps, R"(order="key")", "ROUTE-060");
    refused(kOrderSteps, R"(order="key" order-key="/note/who" order-header="who")", "ROUTE-060");
    refused(kOrderSteps, R"(order-key="/note/who")", "ROUTE-060");
    refused(R"(<split format="csv"/><transform stylesheet="note.xsl"/><to><records/></to>)",
            R"(order="key" order-header="who")", "ROUTE-061");
    refused(R"(<delay for="PT1S"/><transform stylesheet="note.xsl"/><to><records/></to>)", R"(order="key" order-header="who")",
            "ROUTE-061");
    refused(R"(<log text="x"/><transform stylesheet="note.xsl"/><to><records/></to>)", R"(order="key" order-key="/note/who")",
            "ROUTE-062");
    refused(kOrderSteps, R"(order="key" order-key="/note[")", "XPATH-001");
}

TEST_F(KeyOrderTest, NeedsTheLocalState) {
    route("r", kOrderSteps, R"(order="key" order-header="who")");
    route("s", kOrderSteps);
    const auto loaded = load();
    ASSERT_EQ(loaded.routes.size(), 2U);
    EXPECT_TRUE(loaded.routes[0]->needs_local_state());
    EXPECT_FALSE(loaded.routes[1]->needs_local_state());
}

TEST_F(KeyOrderTest, OneThatWaitsForItsNextAttemptHoldsItsKeyAndNoOther) {
    clock_ = &moved_;
    note_runs([this](const Work& work) {
        if (who_of(work.body) == "ada" && n_of(work.body) == 0 && ++failed_ == 1)
            throw Error(Fault::kPoison, "TEST-1", "trying", "not yet").may_pass();
    });
    route("r", kSlowSteps, R"(order="key" order-key="/note/who")");
    start();
    for (int n = 0; n < 3; ++n) {
        put("r", ordered_note("ada", n));
        put("r", ordered_note("bob", n));
    }
    until("ada waits", [this] { return delayed() == 3; });
    EXPECT_THAT(ran("bob"), testing::ElementsAre(0, 1, 2));
    EXPECT_THAT(ran("ada"), testing::IsEmpty());
    // The bus ends, and the ones behind it do not come first.
    close();
    start();
    EXPECT_EQ(delayed(), 3U);
    moved_.forward(std::chrono::hours(2));
    queues_->wake_delayed();
    settle("r");
    EXPECT_THAT(ran("ada"), testing::ElementsAre(0, 1, 2));
    EXPECT_EQ(failed_, 2);
    EXPECT_EQ(in("records").size(), 6U);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(KeyOrderTest, OneWhoseFarSideIsAwayHoldsItsKey) {
    clock_ = &moved_;
    note_runs([this](const Work& work) {
        if (who_of(work.body) == "ada" && away_) throw Error(Fault::kAway, "TEST-2", "asking", "away");
    });
    route("r", kSlowSteps, R"(order="key" order-header="who" workers="4")");
    threads_ = 4;
    open();
    for (int n = 0; n < 5; ++n) {
        for (const char* who : {"ada", "bob"}) {
            Incoming incoming;
            incoming.body = ordered_note(who, n);
            incoming.headers.set("who", who);
            put("r", std::move(incoming));
        }
    }
    start();
    until("ada waits", [this] { return delayed() == 5; });
    EXPECT_THAT(ran("bob"), testing::ElementsAre(0, 1, 2, 3, 4));
    for (const BrowsedMessage& one : in("in/r")) EXPECT_EQ(one.attempts, 0U);
    away_ = false;
    moved_.forward(std::chrono::hours(2));
    queues_->wake_delayed();
    settle("r");
    EXPECT_THAT(ran("ada"), testing::ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(KeyOrderTest, ADeadLetterFreesItsKeyAndAnUnreadableKeyHoldsNobody) {
    note_runs([](const Work& work) {
        if (work.body == "<broken") throw Error(Fault::kPoison, "TEST-4", "reading", "no XML");
        if (n_of(work.body) == 1) throw Error(Fault::kPoison, "TEST-3", "trying", "no");
    });
    route("r", kOrderSteps, R"(order="key" order-key="/note/who")");
    start();
    for (int n = 0; n < 4; ++n) {
        put("r", ordered_note("ada", n));
        put("r", "<broken");
    }
    settle("r");
    EXPECT_THAT(ran("ada"), testing::ElementsAre(0, 2, 3));
    EXPECT_EQ(in("dead/r").size(), 5U);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(KeyOrderTest, SeveralWorkersKeepEachKeysOrder) {
    std::mutex mutex;
    std::set<std::string> running;
    std::map<std::string, int> tries;
    note_runs([&](const Work& work) {
        const std::string who = who_of(work.body);
        {
            const std::lock_guard lock(mutex);
            EXPECT_TRUE(running.insert(who).second) << "two of one key at the same time";
        }
        for (int i = 0; i < 50; ++i) std::this_thread::yield();
        const std::lock_guard lock(mutex);
        running.erase(who);
        if (n_of(work.body) % 7 == 3 && ++tries[who + std::to_string(n_of(work.body))] < 3)
            throw Error(Fault::kPoison, "TEST-5", "trying", "not yet").may_pass();
    });
    route("r", kOrderSteps, R"(order="key" order-key="/note/who" workers="8")");
    threads_ = 8;
    open();
    constexpr int kKeys = 5, kEach = 40;
    for (int n = 0; n < kEach; ++n) {
        for (int k = 0; k < kKeys; ++k) put("r", ordered_note("key" + std::to_string(k), n));
    }
    start();
    settle("r");
    std::vector<int> all(kEach);
    for (int n = 0; n < kEach; ++n) all[static_cast<std::size_t>(n)] = n;
    for (int k = 0; k < kKeys; ++k) EXPECT_EQ(ran("key" + std::to_string(k)), all);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(KeyOrderTest, WithoutRoomNobodyUnknownComesBeforeTheOneThatWasRefused) {
    open_queues();
    queues_->declare("in/q", {});
    std::vector<std::uint64_t> sequences;
    for (int i = 0; i < 4; ++i) {
        std::promise<std::uint64_t> done;
        queues_->put({{"in/q", MessageBuilder().build("x"), {}, {}}}, *workers_,
                     [&done](std::vector<PutResult> results) { done.set_value(results.at(0).sequence); });
        sequences.push_back(done.get_future().get());
    }
    KeyOrder order(*queues_, "in/q", 2);
    const auto same = [](const TakenMessage&) { return std::uint64_t{1}; };
    const auto taken = [&](std::size_t i) { return TakenMessage{"in/q", sequences[i], {}, {}, 0}; };
    bool held = false;
    const auto hold = [&held] { held = true; };
    EXPECT_TRUE(order.admit(taken(0), same));
    EXPECT_TRUE(order.begin(sequences[0], hold));
    EXPECT_TRUE(order.admit(taken(1), same));
    EXPECT_FALSE(order.begin(sequences[1], hold));
    EXPECT_TRUE(held);
    EXPECT_FALSE(order.admit(taken(2), same));
    EXPECT_FALSE(order.admit(taken(3), same));
    order.settled(sequences[0]);
    EXPECT_FALSE(order.admit(taken(3), same)) << "the one before it is not known yet";
    EXPECT_TRUE(order.admit(taken(2), same));
    EXPECT_TRUE(order.admit(taken(1), same)) << "known already";
    EXPECT_TRUE(order.begin(sequences[1], hold));
    EXPECT_FALSE(order.admit(taken(3), same));
    order.settled(sequences[1]);
    EXPECT_TRUE(order.admit(taken(3), same));
    EXPECT_FALSE(order.begin(sequences[3], hold));
    order.settled(sequences[2]);
    order.settled(sequences[3]);
    EXPECT_EQ(order.size(), 0U);
}

}  // namespace
}  // namespace clrbus
