// The connection that we open, against RabbitMQ: what its AMQP 1.0 does differently. Skipped where it is not installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "amqp/client.hpp"
#include "amqp/testing/rabbitmq_guest.hpp"
#include "support/rabbitmq_process.hpp"

namespace clrbus::amqp {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::guest_of;

class RabbitMq : public ::testing::Test {
protected:
    static void SetUpTestSuite() { broker_ = new RabbitMqProcess({"classic=classic", "quorum=quorum"}); }
    static void TearDownTestSuite() {
        delete broker_;
        broker_ = nullptr;
    }
    void SetUp() override {
        if (!broker_->installed()) GTEST_SKIP() << "RabbitMQ is not installed (apt-get install rabbitmq-server)";
    }
    static ClientOptions options() { return guest_of(broker_->port()); }
    static void put(const std::string& address, int count) {
        std::atomic<int> accepted{0};
        Client client(options());
        auto out = client.sender({address, false});
        client.start();
        for (int i = 0; i < count; ++i) {
            out->send(MessageBuilder().message_id(std::to_string(i)).build("body " + std::to_string(i)),
                      [&](const Settlement& answer) { accepted += answer.state == DeliveryState::kAccepted ? 1 : 0; });
        }
        EXPECT_TRUE(client.stop(60s));
        EXPECT_EQ(accepted, count);
    }

    static RabbitMqProcess* broker_;
};
RabbitMqProcess* RabbitMq::broker_ = nullptr;

TEST_F(RabbitMq, NothingComesBackThatWasAcceptedJustBeforeTheClose) {
    // A quorum queue settles about 7,000 a second on a quiet machine, and a tenth of that on a busy one.
    for (const auto& [queue, count] : {std::pair<std::string, int>{"classic", 3000}, {"quorum", 500}}) {
        put("/amq/queue/" + queue, count);
        std::atomic<int> got{0};
        Client client(options());
        std::shared_ptr<Receiver> in;
        in = client.receiver({"/amq/queue/" + queue, false}, {.on_message =
                                                                  [&](std::uint64_t token, const std::string& encoded) {
                                                                      const auto body =
                                                                          Message::from_encoded(encoded).body_copy();
                                                                      EXPECT_EQ(body, "body " + std::to_string(got));
                                                                      in->settle({{.token = token}});
                                                                      ++got;
                                                                  },
                                                              .on_lost = {}});
        in->grant(static_cast<std::uint32_t>(count));
        client.start();
        ASSERT_TRUE(eventually([&, wanted = count] { return got == wanted; })) << queue;
        EXPECT_TRUE(client.stop(120s));
        EXPECT_THAT(broker_->tell("list"), ::testing::HasSubstr(queue + " 0")) << queue;
    }
}

TEST_F(RabbitMq, DeclaresADurableQueueAndNamesWhatItCannotHave) {
    Client client(options());
    std::atomic<int> accepted{0};
    auto durable = client.sender({"/queue/declared-durable", true});
    auto missing = client.receiver({"/amq/queue/never-declared", false}, {.on_message = [](auto, auto) {}, .on_lost = {}});
    auto nowhere = client.sender({"/amq/queue/never-declared-either", false});
    auto other = client.sender({"/queue/classic", false});  // it is durable, and this would not be
    client.start();
    durable->send(MessageBuilder().build("x"), [&](const Settlement&) { ++accepted; });
    std::atomic<int> lost{0};
    nowhere->send(MessageBuilder().build("x"), [&](const Settlement& answer) { lost = 1 + static_cast<int>(answer.state); });
    ASSERT_TRUE(eventually([&] { return accepted == 1; }));
    // A sender to a queue that is not there is attached, and what it sends is accepted and thrown away: who sends must know
    // that the queue is there, by a receiver that stays attached.
    ASSERT_TRUE(eventually([&] { return lost != 0; }));
    EXPECT_EQ(lost, 1 + static_cast<int>(DeliveryState::kAccepted));
    const auto error_of = [&](const std::string& address) {
        for (const LinkHealth& link : client.health().links) {
            if (link.address == address) return link.error;
        }
        return std::string("no such link");
    };
    EXPECT_TRUE(eventually([&] { return error_of("/amq/queue/never-declared").find("amqp:not-found") != std::string::npos; }))
        << error_of("/amq/queue/never-declared");
    EXPECT_TRUE(eventually([&] { return error_of("/queue/classic").find("precondition-failed") != std::string::npos; }))
        << error_of("/queue/classic");
    EXPECT_EQ(error_of("/queue/declared-durable"), "");
    EXPECT_TRUE(client.health().open) << "a session that ends with an error takes its link alone";
}

// Of either kind.
class RabbitMqQueue : public RabbitMq, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(Kinds, RabbitMqQueue, ::testing::Values("classic", "quorum"),
                         [](const auto& kind) { return kind.param; });

TEST_P(RabbitMqQueue, LosesNothingWhenItIsKilledInTheMiddle) {
    const std::string queue = "/amq/queue/" + GetParam();
    constexpr int kCount = 4000;
    std::atomic<int> accepted{0};
    std::mutex mutex;
    std::set<std::string> seen;
    Client sending(options()), taking(options());
    auto out = sending.sender({queue, false});
    std::shared_ptr<Receiver> in;
    in = taking.receiver({queue, false}, {.on_message =
                                              [&](std::uint64_t token, const std::string& encoded) {
                                                  const std::lock_guard lock(mutex);
                                                  // After a kill a queue may give out what was settled
                                                  // shortly before, too.
                                                  const std::string id = Message::from_encoded(encoded).message_id();
                                                  if (id.starts_with("k")) seen.insert(id);
                                                  in->settle({{.token = token}});
                                                  in->grant(1);
                                              },
                                          .on_lost = {}});
    in->grant(200);
    sending.start();
    taking.start();
    for (int i = 0; i < kCount; ++i) {
        out->send(MessageBuilder().message_id("k" + std::to_string(i)).build(std::string(1000, 'x')),
                  [&](const Settlement& answer) { accepted += answer.state == DeliveryState::kAccepted ? 1 : 0; });
    }
    ASSERT_TRUE(eventually([&] { return accepted > 200; }));
    broker_->tell("restart");
    EXPECT_TRUE(eventually([&] { return accepted == kCount; })) << accepted;
    EXPECT_TRUE(eventually([&] {
        const std::lock_guard lock(mutex);
        return seen.size() == kCount;
    })) << seen.size();
    EXPECT_TRUE(sending.stop(20s));
    EXPECT_TRUE(taking.stop(20s));
}

}  // namespace
}  // namespace clrbus::amqp
