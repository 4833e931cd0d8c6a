// Inside of LinkQueues: what is out, who asked, what came back. Every member is guarded by the mutex unless it says otherwise;
// the local queues are called with it held only where they answer at once, and never call back on the same thread.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/link_delivery.hpp"
#include "broker/link_envelope.hpp"
#include "broker/link_queues.hpp"

namespace clrbus {

struct LinkQueues::State : public std::enable_shared_from_this<LinkQueues::State> {
    using Steady = std::chrono::steady_clock::time_point;

    struct Consumer {
        std::shared_ptr<broker::LinkDelivery> delivery;
        std::shared_ptr<amqp::Receiver> receiver;
        std::uint32_t credit = 0;
        std::set<std::uint64_t> held;  // handed over, or about to be
        bool stopped = false;
    };
    // A message of an inbox that the local queue gave out.
    struct Out {
        std::uint64_t delivery = 0;
        Steady since{};
        std::shared_ptr<Consumer> holder;  // null: on the broker, or with a worker elsewhere
    };
    struct Inbox {
        std::string queue;
        std::shared_ptr<amqp::Sender> sender;
        std::shared_ptr<amqp::Receiver> probe;  // no credit: it is attached as long as the queue is there
        bool attached = false;
        bool stays = false;            // since a reload: nothing goes out any more
        std::unique_ptr<Taker> taker;  // of the local queue
        std::uint32_t asked = 0;       // of the local queue, not given by it yet
        std::map<std::uint64_t, Out> out;
        std::size_t abroad = 0;  // of out, without a holder
        std::vector<std::shared_ptr<Consumer>> consumers;
        std::map<std::uint64_t, Steady> again;  // to be sent again at that time
    };
    struct Result {
        std::uint64_t token = 0;
        broker::LinkUnit with;
        Steady not_before{};
    };

    State(EmbeddedQueues& local, LinkOptions options);

    void add_inbox(const std::string& queue);
    // Inboxes travel over the broker, but those that stay. What else there is stays with the process that keeps the books.
    bool travels(std::string_view queue);
    void stay(std::set<std::string, std::less<>> queues);
    void listen();  // to results
    void pump(Inbox& inbox);
    void pump_all();
    void send(Inbox& inbox, TakenMessage taken);  // without the mutex
    void send_again(Inbox& inbox, std::uint64_t sequence);
    void answered(const std::string& queue, std::uint64_t sequence, std::uint64_t delivery, const amqp::Settlement& answer);
    void arrived(const std::shared_ptr<Consumer>& consumer, std::uint64_t token, std::string encoded);
    void forget(const std::vector<Unit::Input>& inputs);
    void forget(Inbox& inbox, std::map<std::uint64_t, Out>::iterator at);
    // Out of the books' hand: to be given out again. Null: it was not out.
    std::unique_ptr<Out> take_back(const std::string& queue, std::uint64_t sequence);

    void on_result(std::uint64_t token, std::string encoded);
    void apply_waiting();
    void apply(Result result);
    void finished(const Result& result, CommitState state);
    void refuse(const Result& result);
    bool believes(const broker::LinkUnit& with) const;
    void release(std::uint64_t token, const broker::LinkRelease& given);
    void settle_result(std::uint64_t token, amqp::DeliveryState how);
    void tick();  // retries, what came back from the broker unsent, room in the records

    EmbeddedQueues& local;
    const LinkOptions options;
    ThreadPool pool{1, "links"};  // runs what the local queues call back
    std::shared_ptr<amqp::Receiver> results;

    std::mutex mutex;
    bool stopping = false;
    const std::uint64_t start;  // upper half of every delivery of this process
    std::uint32_t last_delivery = 0;
    std::map<std::string, Inbox, std::less<>> inboxes;
    std::set<std::string, std::less<>> staying;
    std::deque<Result> waiting;    // for a Unit that changes one of the same notes, or for space
    std::set<std::string> busy;    // notes that a Unit under way changes
    amqp::Client sending, taking;  // last: their threads use all of the above
};

}  // namespace clrbus
