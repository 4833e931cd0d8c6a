// For this folder's amqp_*.cpp alone: the two kinds of nodes. The connection's I/O thread, but what says otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "broker/amqp_nodes.hpp"

namespace clrbus {

struct AmqpNodes::Shared {
    Queues& queues;
    Executor& executor;
    const AmqpAccess& access;
    Clock& clock;
    std::atomic<bool> failed{false};  // the journal: nothing is taken any more
};

// A route's inbox, as a peer publishes to it.
class AmqpInboxNode : public amqp::InNode {
public:
    AmqpInboxNode(std::shared_ptr<AmqpNodes::Shared> shared, std::string queue, std::string user,
                  std::shared_ptr<amqp::InLink> link);
    void on_message(std::uint64_t token, std::string encoded, bool settled) override;
    void on_batch() override;
    bool open() override;
    void on_detach() override {}

private:
    void put_range(std::vector<Put>& puts, const std::vector<std::uint64_t>& all, std::size_t from, std::size_t to);
    void answer_all(const std::vector<std::uint64_t>& tokens, const amqp::Settlement& answer);

    const std::shared_ptr<AmqpNodes::Shared> shared_;  // shared with callbacks
    const std::string queue_, route_, user_;
    const std::shared_ptr<amqp::InLink> link_;  // shared with callbacks
    std::vector<Put> puts_;
    std::vector<std::uint64_t> tokens_;      // of puts_
    std::vector<amqp::Settlement> refused_;  // decided without the queue
};

// A queue, as a peer reads it. Tokens are sequences.
class AmqpReaderNode : public amqp::OutNode {
public:
    AmqpReaderNode(std::shared_ptr<AmqpNodes::Shared> shared, std::string queue, std::shared_ptr<amqp::OutLink> link);
    void on_credit(std::uint32_t more) override;
    void on_drain() override;
    void on_settled(std::vector<amqp::Settlement> batch) override;
    void on_detach(bool tried) override;

private:
    struct Hand {  // any thread
        std::mutex mutex;
        std::unordered_set<std::uint64_t> sequences;  // given to the link, not settled yet
        std::uint64_t taken = 0;                      // ever
    };
    void accept(const std::vector<std::uint64_t>& sequences);
    void reject(std::uint64_t sequence);
    void release(std::uint64_t sequence, std::chrono::milliseconds delay, bool failed);

    const std::shared_ptr<AmqpNodes::Shared> shared_;  // shared with callbacks
    const std::string queue_, route_;
    const bool uncounted_;                       // dead/ROUTE or ask/ROUTE/NAME, not in/ROUTE
    const std::shared_ptr<amqp::OutLink> link_;  // shared with the taker's callback
    const std::shared_ptr<Hand> hand_;           // shared with the taker's callback
    std::uint64_t seen_at_drain_ = ~std::uint64_t{0};
    // Shared with commits and releases that are under way: a taker that goes puts back what is in hand, and that would make
    // others see what is being settled.
    std::shared_ptr<Taker> taker_;
};

}  // namespace clrbus
