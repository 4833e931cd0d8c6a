// AMQP addresses over the embedded queues, through a listener and a client that writes bytes by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "amqp/listener.hpp"
#include "amqp/testing/amqp_wire.hpp"
#include "broker/amqp_nodes.hpp"
#include "broker/embedded_queues.hpp"
#include "broker/test_directory.hpp"

namespace clrbus {
namespace {

using namespace std::chrono_literals;
using amqp::ListWriter;
using amqp::testing::AmqpWire;
using amqp::testing::WireFrame;
using ::testing::HasSubstr;

const std::string kAccepted("\x00\x53\x24\x45", 4);
const std::string kReleased("\x00\x53\x26\x45", 4);
const std::string kRejected = ListWriter().raw(ListWriter().symbol("amqp:decode-error").described(0x1d)).described(0x25);

struct Access : AmqpAccess {
    std::set<std::pair<std::string, std::string>> publish, read;
    bool may_publish(std::string_view user, std::string_view address) const override {
        return publish.contains({std::string(user), std::string(address)});
    }
    bool may_read(std::string_view user, std::string_view address) const override {
        return read.contains({std::string(user), std::string(address)});
    }
};

// The journal fails when it is told to.
class Queues4Test : public EmbeddedQueues {
public:
    using EmbeddedQueues::EmbeddedQueues;
    std::atomic<bool> fails{false};
    void put(std::vector<Put> batch, Executor& executor, PutDone done) override {
        if (!fails) return EmbeddedQueues::put(std::move(batch), executor, std::move(done));
        executor.post([count = batch.size(), done = std::move(done)] { done(std::vector<PutResult>(count)); });
    }
};

class AmqpNodesTest : public ::testing::Test {
protected:
    AmqpNodesTest() {
        users_.add("ada", "pencil", 4096);
        users_.add("bob", "pencil", 4096);
        for (const char* user : {"ada", "bob"}) {
            access_.publish.insert({user, "in/r"});
            access_.publish.insert({user, "in/gone"});
            access_.publish.insert({user, "dead/r"});
        }
        access_.read.insert({"ada", "in/r"});
        access_.read.insert({"ada", "dead/r"});
        open();
    }
    ~AmqpNodesTest() override { close(); }

    void open(QueueLimits limits = {}) {
        close();
        EmbeddedOptions options;
        options.directory = directory_.path() + "/queues";
        options.segment_bytes = 8U << 20;
        options.free_bytes = [] { return ~std::uint64_t{0}; };
        queues_ = std::make_unique<Queues4Test>(options);
        queues_->declare("in/r", limits);
        queues_->declare("dead/r", {});
        nodes_ = std::make_unique<AmqpNodes>(*queues_, executor_, access_, system_clock());
        amqp::AmqpListener::Options with;
        with.plain_on_loopback = true;
        with.io_threads = 2;
        with.limits.retry_credit = 5ms;
        listener_ = std::make_unique<amqp::AmqpListener>(with, users_, *nodes_);
        listener_->start();
    }
    void close() {
        listener_.reset();
        nodes_.reset();
        // Answers that wait in the executor still use the queues.
        if (queues_) settle();
        queues_.reset();
    }
    void settle() {
        std::promise<void> done[2];
        for (auto& each : done) executor_.post([&each] { each.set_value(); });
        for (auto& each : done) each.get_future().wait();
    }

    std::unique_ptr<AmqpWire> client(const std::string& user = "ada") {
        auto wire = std::make_unique<AmqpWire>(listener_->port());
        wire->login(user, "pencil");
        wire->open();
        wire->begin();
        return wire;
    }
    std::unique_ptr<AmqpWire> sender(const std::string& user = "ada") {
        auto wire = client(user);
        wire->attach_sender("in/r");
        return wire;
    }
    std::unique_ptr<AmqpWire> reader(const std::string& address, std::uint32_t credit) {
        auto wire = client();
        wire->attach_receiver(address);
        if (credit != 0) wire->flow(0, 0, credit);
        return wire;
    }
    // Publishes, and gives back the state that was answered. credit_ follows the flows that come by.
    std::string publish(AmqpWire& wire, std::uint32_t id, const Message& message) {
        wire.transfer({.id = id, .tag = std::to_string(id)}, message.bytes());
        return answered(wire);
    }
    std::string answered(AmqpWire& wire) {
        while (const auto got = wire.read_frame()) {
            note_credit(*got);
            if (got->code == 0x15) return got->fields.at(4);
        }
        return {};
    }
    void note_credit(const WireFrame& got) {
        if (got.code == 0x13 && got.fields.size() > 6 && !got.fields[6].empty()) credit_ = std::stoi(got.fields[6]);
    }
    // Reads until that much credit is there.
    bool credit_becomes(AmqpWire& wire, int credit) {
        while (credit_ != credit) {
            const auto got = wire.read_frame();
            if (!got) return false;
            note_credit(*got);
        }
        return true;
    }
    static Message text(std::string_view body, std::string_view id = "") { return MessageBuilder().message_id(id).build(body); }
    static void settle(AmqpWire& wire, std::uint32_t id, const std::string& state) {
        wire.performative(0x15, ListWriter().boolean(true).uint(id).uint(id).boolean(true).raw(state));
    }
    static std::string body(const std::optional<WireFrame>& transfer) {
        return transfer ? std::string(Message::from_encoded(transfer->payload).body()) : "nothing";
    }
    static std::uint32_t delivery_count(const WireFrame& transfer) {
        for (std::uint32_t count = 0; count < 9; ++count) {
            if (transfer.payload.rfind(amqp::header_section(count), 0) == 0) return count;
        }
        return 99;
    }
    QueueState state(const std::string& queue) const {
        for (const auto& each : queues_->states()) {
            if (each.name == queue) return each;
        }
        return {};
    }
    std::int64_t ledger(Outcome outcome) const {
        for (const auto& each : queues_->ledger()) {
            if (each.account == "r" && each.outcome == outcome) return each.count;
        }
        return 0;
    }
    static bool eventually(const std::function<bool()>& condition) {
        const auto until = std::chrono::steady_clock::now() + 10s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::yield();
        }
        return true;
    }
    void put(const std::string& queue, std::string_view text_body) {
        Put put;
        put.queue = queue;
        put.message = text(text_body);
        std::promise<PutState> done;
        queues_->put({put}, executor_,
                     [&done](const std::vector<PutResult>& results) { done.set_value(results.front().state); });
        ASSERT_EQ(done.get_future().get(), PutState::kStored);
    }

    int credit_ = -1;
    TestDirectory directory_;
    amqp::UserStore users_;
    Access access_;
    ThreadPool executor_{2, "test"};
    std::unique_ptr<Queues4Test> queues_;
    std::unique_ptr<AmqpNodes> nodes_;
    std::unique_ptr<amqp::AmqpListener> listener_;
};

TEST_F(AmqpNodesTest, AddressesThatAreRefused) {
    const auto wire = client("bob");
    auto attach = [&, handle = 0U](bool receive, const std::string& address) mutable {
        ListWriter fields;
        fields.string("l" + std::to_string(handle)).uint(handle).boolean(receive).null().null();
        fields.raw(AmqpWire::source(receive ? address : "me"))
            .raw(AmqpWire::target(receive ? "me" : address))
            .null()
            .null()
            .uint(0);
        ++handle;
        wire->performative(0x12, fields);
        return wire->read_error();
    };
    EXPECT_EQ(attach(false, "in/other"), "amqp:unauthorized-access");  // not told whether it exists
    EXPECT_EQ(attach(false, "in/gone"), "amqp:not-found");
    EXPECT_EQ(attach(false, "dead/r"), "amqp:not-found");
    EXPECT_EQ(attach(false, "records"), "amqp:not-found");
    EXPECT_EQ(attach(false, ""), "amqp:not-found");
    EXPECT_EQ(attach(true, "in/r"), "amqp:unauthorized-access");
    EXPECT_EQ(attach(true, "dead/r"), "amqp:unauthorized-access");
    EXPECT_EQ(attach(true, "records"), "amqp:not-found");
    EXPECT_EQ(attach(true, std::string(300, 'x')), "amqp:not-found");
}

TEST_F(AmqpNodesTest, AcceptedMeansStored) {
    const auto wire = sender();
    const Message message = MessageBuilder()
                                .message_id("m1")
                                .subject("s")
                                .property("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
                                .build("hello");
    EXPECT_EQ(publish(*wire, 0, message), kAccepted);
    EXPECT_EQ(state("in/r").ready, 1U);
    EXPECT_EQ(ledger(Outcome::kAccepted), 1);
    const auto kept = queues_->browse("in/r", 0, 1);
    ASSERT_EQ(kept.size(), 1U);
    EXPECT_EQ(kept[0].message.bytes(), message.bytes());
    EXPECT_EQ(kept[0].headers.get(header::kUser), "ada");
    EXPECT_EQ(kept[0].headers.get(header::kSource), "r");
    EXPECT_EQ(kept[0].headers.get(header::kTrace), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    EXPECT_TRUE(kept[0].headers.has(header::kAcceptedAt));
    open();  // and it is there after a restart
    EXPECT_EQ(state("in/r").ready, 1U);
}

TEST_F(AmqpNodesTest, TheSameMessageIdTwiceIsAcceptedAndQueuedOnce) {
    const auto wire = sender();
    EXPECT_EQ(publish(*wire, 0, text("a", "same")), kAccepted);
    EXPECT_EQ(publish(*wire, 1, text("b", "same")), kAccepted);
    EXPECT_EQ(publish(*wire, 2, text("c")), kAccepted);
    EXPECT_EQ(publish(*wire, 3, text("d")), kAccepted);  // without an id nothing is known of it
    EXPECT_EQ(state("in/r").ready, 3U);
    EXPECT_EQ(ledger(Outcome::kAccepted), 4);
    EXPECT_EQ(ledger(Outcome::kDuplicate), 1);
    EXPECT_EQ(publish(*sender("bob"), 0, text("e", "same")), kAccepted);  // another user's ids are others
    EXPECT_EQ(state("in/r").ready, 4U);
    open();
    EXPECT_EQ(publish(*sender(), 0, text("f", "same")), kAccepted);
    EXPECT_EQ(state("in/r").ready, 4U);
}

TEST_F(AmqpNodesTest, WhatDoesNotDecodeIsRejected) {
    const auto wire = sender();
    wire->transfer({.id = 0, .tag = "a"}, "no message");
    wire->message(1, "good");
    std::string answers;
    for (int i = 0; i < 2; ++i) answers += wire->read_until(0x15)->fields.at(4);
    EXPECT_THAT(answers, HasSubstr("amqp:decode-error"));
    EXPECT_THAT(answers, HasSubstr(kAccepted));
    EXPECT_EQ(state("in/r").ready, 1U);
}

TEST_F(AmqpNodesTest, AMessageThatTheJournalDoesNotTakeLetsTheOthersThrough) {
    const auto wire = sender();
    const std::string large = AmqpWire::data(std::string(5'000'000, 'x'));
    wire->message(0, "before");
    for (std::size_t at = 0; at < large.size(); at += 60'000)
        wire->transfer({.id = 1, .tag = "l", .more = at + 60'000 < large.size()}, std::string_view(large).substr(at, 60'000));
    wire->message(2, "after");
    std::map<std::string, std::string> answers;
    while (answers.size() < 3) {
        const auto answer = wire->read_until(0x15);
        ASSERT_TRUE(answer.has_value());
        const auto first = std::stoul(answer->fields[1]);
        const auto last = answer->fields[2].empty() ? first : std::stoul(answer->fields[2]);
        for (auto id = first; id <= last; ++id) answers[std::to_string(id)] = answer->fields.at(4);
    }
    EXPECT_EQ(answers["0"], kAccepted);
    EXPECT_THAT(answers["1"], HasSubstr("amqp:link:message-size-exceeded"));
    EXPECT_EQ(answers["2"], kAccepted);
    EXPECT_EQ(state("in/r").ready, 2U);
}

TEST_F(AmqpNodesTest, ALargeMessageThatComesAloneIsTakenAndTheConnectionGoesOn) {
    const auto wire = sender();
    const std::string large = AmqpWire::data(std::string(1'500'000, 'x'));
    for (std::uint32_t id = 0; id < 2; ++id) {
        for (std::size_t at = 0; at < large.size(); at += 60'000)
            wire->transfer({.id = id, .tag = "l", .more = at + 60'000 < large.size()},
                           std::string_view(large).substr(at, 60'000));
        const auto answer = wire->read_until(0x15);
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(answer->fields.at(4), kAccepted);
    }
    EXPECT_EQ(publish(*wire, 2, text("small")), kAccepted);
    EXPECT_EQ(state("in/r").ready, 3U);
}

TEST_F(AmqpNodesTest, AFullQueueTakesCreditBackUntilThereIsRoom) {
    open({.max_messages = 2, .max_bytes = 1 << 20});
    const auto wire = sender();
    EXPECT_EQ(publish(*wire, 0, text("a")), kAccepted);
    EXPECT_EQ(publish(*wire, 1, text("b")), kAccepted);
    EXPECT_TRUE(credit_becomes(*wire, 0));
    EXPECT_EQ(publish(*wire, 2, text("c")), kReleased);  // on credit that crossed on the wire
    const auto consumer = reader("in/r", 1);
    EXPECT_EQ(body(consumer->read_until(0x14)), "a");
    settle(*consumer, 0, kAccepted);
    EXPECT_TRUE(credit_becomes(*wire, 500));
    EXPECT_EQ(publish(*wire, 3, text("d")), kAccepted);
}

TEST_F(AmqpNodesTest, AfterTheJournalFailedNothingIsTaken) {
    const auto wire = sender();
    EXPECT_EQ(publish(*wire, 0, text("a")), kAccepted);
    queues_->fails = true;
    EXPECT_EQ(publish(*wire, 1, text("b")), kReleased);
    EXPECT_TRUE(credit_becomes(*wire, 0));
    queues_->fails = false;  // it does not become well again by itself
    EXPECT_EQ(publish(*wire, 2, text("c")), kReleased);
    EXPECT_EQ(state("in/r").ready, 1U);
}

TEST_F(AmqpNodesTest, ReadingAnInbox) {
    const auto wire = sender();
    for (std::uint32_t i = 0; i < 4; ++i)
        EXPECT_EQ(publish(*wire, i, text("m" + std::to_string(i), "id" + std::to_string(i))), kAccepted);
    const auto consumer = reader("in/r", 4);
    for (int i = 0; i < 4; ++i) {
        const auto got = consumer->read_until(0x14);
        EXPECT_EQ(body(got), "m" + std::to_string(i));
        EXPECT_EQ(delivery_count(*got), 0U);
    }
    settle(*consumer, 0, kAccepted);
    settle(*consumer, 1, kRejected);
    settle(*consumer, 2, kReleased);
    settle(*consumer, 3, ListWriter().boolean(true).described(0x27));  // modified, delivery-failed
    EXPECT_TRUE(eventually(
        [&] { return ledger(Outcome::kDelivered) == 1 && ledger(Outcome::kDead) == 1 && state("in/r").ready == 2; }));
    const auto dead = queues_->browse("dead/r", 0, 5);
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].message.body(), "m1");
    EXPECT_EQ(dead[0].headers.get(header::kDeadCode), "AMQP-120");
    EXPECT_EQ(dead[0].headers.get(header::kUser), "ada");
    consumer->flow(0, 4, 2);
    std::map<std::string, std::uint32_t> again;
    for (int i = 0; i < 2; ++i) {
        const auto got = consumer->read_until(0x14);
        ASSERT_TRUE(got.has_value());
        again[body(got)] = delivery_count(*got);
    }
    EXPECT_EQ(again["m2"], 0U);
    EXPECT_EQ(again["m3"], 1U);
}

TEST_F(AmqpNodesTest, AReaderThatGoesAwayLeavesItsMessagesToOthers) {
    const auto wire = sender();
    for (std::uint32_t i = 0; i < 10; ++i) EXPECT_EQ(publish(*wire, i, text("m" + std::to_string(i))), kAccepted);
    {
        const auto gone = reader("in/r", 5);
        for (int i = 0; i < 5; ++i) ASSERT_TRUE(gone->read_until(0x14).has_value());
        settle(*gone, 0, kAccepted);
        EXPECT_TRUE(eventually([&] { return ledger(Outcome::kDelivered) == 1; }));
    }
    EXPECT_TRUE(eventually([&] { return state("in/r").ready == 9; }));
    const auto next = reader("in/r", 9);
    std::map<std::string, std::uint32_t> got;
    for (std::uint32_t i = 0; i < 9; ++i) {
        const auto each = next->read_until(0x14);
        ASSERT_TRUE(each.has_value());
        got[body(each)] = delivery_count(*each);
        settle(*next, i, kAccepted);
    }
    EXPECT_EQ(got.size(), 9U);
    EXPECT_EQ(got["m1"], 1U);  // was tried
    EXPECT_EQ(got["m7"], 0U);  // was not
    EXPECT_TRUE(eventually([&] { return ledger(Outcome::kDelivered) == 10; }));
    EXPECT_EQ(state("in/r").ready + state("in/r").in_hand, 0U);
}

TEST_F(AmqpNodesTest, AStopIsNoAttempt) {
    const auto wire = sender();
    EXPECT_EQ(publish(*wire, 0, text("m")), kAccepted);
    const auto holds = reader("in/r", 1);
    ASSERT_TRUE(holds->read_until(0x14).has_value());
    listener_->stop(10s);
    open();
    const auto got = reader("in/r", 1)->read_until(0x14);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(delivery_count(*got), 0U);
}

TEST_F(AmqpNodesTest, SettledRightBeforeTheEndIsSettled) {
    const auto wire = sender();
    for (std::uint32_t i = 0; i < 200; ++i) wire->message(i, std::to_string(i));
    EXPECT_TRUE(eventually([&] { return state("in/r").ready == 200; }));
    {
        const auto hasty = reader("in/r", 200);
        for (std::uint32_t i = 0; i < 200; ++i) ASSERT_TRUE(hasty->read_until(0x14).has_value());
        hasty->performative(0x15, ListWriter().boolean(true).uint(0).uint(199).boolean(true).raw(kAccepted));
        hasty->performative(0x18, ListWriter());
    }
    EXPECT_TRUE(eventually([&] { return ledger(Outcome::kDelivered) == 200; }));
    EXPECT_EQ(state("in/r").ready + state("in/r").in_hand, 0U);
}

TEST_F(AmqpNodesTest, ReadingDeadLettersChangesNoSum) {
    put("dead/r", "d0");
    put("dead/r", "d1");
    const auto before = queues_->ledger();
    const auto consumer = reader("dead/r", 2);
    EXPECT_EQ(body(consumer->read_until(0x14)), "d0");
    EXPECT_EQ(body(consumer->read_until(0x14)), "d1");
    settle(*consumer, 0, kAccepted);
    settle(*consumer, 1, kRejected);
    EXPECT_TRUE(eventually([&] { return state("dead/r").delayed == 1 && state("dead/r").in_hand == 0; }));
    EXPECT_EQ(state("dead/r").ready, 0U);
    const auto after = queues_->ledger();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].count, before[i].count);
}

TEST_F(AmqpNodesTest, DrainGivesWhatIsThere) {
    const auto wire = sender();
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(publish(*wire, i, text(std::to_string(i))), kAccepted);
    const auto consumer = reader("in/r", 0);
    std::uint32_t count = 0;
    for (int i = 0; i < 3; ++i) {  // receive(0), three times
        consumer->flow(0, count, 1, true);
        EXPECT_EQ(body(consumer->read_until(0x14)), std::to_string(i));
        ++count;
    }
    consumer->flow(0, count, 10, true);
    const auto drained = consumer->read_until(0x13);
    ASSERT_TRUE(drained.has_value());
    EXPECT_EQ(drained->fields.at(5), "13");
    // Credit that was drained is gone: what comes now waits for others.
    EXPECT_EQ(publish(*wire, 3, text("later")), kAccepted);
    EXPECT_TRUE(eventually([&] { return state("in/r").ready == 1; }));
    const auto other = reader("in/r", 1);
    EXPECT_EQ(body(other->read_until(0x14)), "later");
}

TEST_F(AmqpNodesTest, BytesOutAreBytesIn) {
    const auto wire = sender();
    const std::string bare = std::string("\x00\x53\x73\xd0\x00\x00\x00\x0a\x00\x00\x00\x01\xb1\x00\x00\x00\x01z", 18) +
                             AmqpWire::data("ab") + AmqpWire::data("cd") + std::string("\x00\x53\x78\xc1\x01\x00", 6);
    wire->transfer({.id = 0, .tag = "t"},
                   std::string("\x00\x53\x70\xc0\x02\x01\x42", 7) + std::string("\x00\x53\x71\xc1\x01\x00", 6) + bare);
    EXPECT_EQ(wire->read_until(0x15)->fields.at(4), kAccepted);
    const auto got = reader("in/r", 1)->read_until(0x14);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->payload, amqp::header_section(0) + bare);
}

TEST_F(AmqpNodesTest, ManyPublishersWhileTheListenerStops) {
    std::atomic<int> accepted{0};
    std::vector<std::thread> clients;
    clients.reserve(3);
    for (int c = 0; c < 3; ++c) {
        clients.emplace_back([&] {
            try {
                const auto wire = sender();
                for (std::uint32_t i = 0; i < 100'000; ++i) {
                    wire->message(i);
                    const auto answer = wire->read_until(0x15);
                    if (!answer || answer->fields.at(4) != kAccepted) break;
                    ++accepted;
                }
            } catch (const std::exception&) {  // the end of the connection
            }
        });
    }
    EXPECT_TRUE(eventually([&] { return accepted > 300; }));
    listener_->stop(10s);
    for (auto& each : clients) each.join();
    EXPECT_GE(static_cast<int>(state("in/r").ready), accepted.load());
    EXPECT_LE(static_cast<int>(state("in/r").ready), accepted.load() + 3);
}

}  // namespace
}  // namespace clrbus
