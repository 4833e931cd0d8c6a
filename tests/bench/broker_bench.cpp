// Publishing with confirms through the AMQP listener into the embedded queues: real sockets, real syncs, one client on one
// link. Beside one fdatasync for each message of that size; beside the two bounds that no broker on this machine can pass: a
// sync for all that is in flight, and the same client against a listener that stores nothing; and beside another broker, when
// CLRBUS_BENCH_PEER (URL ADDRESS USER PASSWORD) names one.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include "amqp/listener.hpp"
#include "bench_support.hpp"
#include "broker/amqp_nodes.hpp"
#include "broker/embedded_queues.hpp"
#include "confirmed_sender.hpp"
#include "core/clock.hpp"
#include "core/executor.hpp"

namespace clrbus::bench {
namespace {

constexpr std::size_t kSmall = 1024, kLarge = std::size_t{30} * 1024;
constexpr std::size_t kInFlight = 500;  // amqp::Limits::link_credit

std::size_t messages_of(std::size_t bytes) {
    return bytes == kSmall ? 10'000 : 2'000;
}

struct Everybody : AmqpAccess {
    bool may_publish(std::string_view, std::string_view) const override { return true; }
    bool may_read(std::string_view, std::string_view) const override { return true; }
};

// Accepts at once and keeps nothing: what is left is the cost of the protocol on both sides.
struct NothingNode : amqp::InNode {
    explicit NothingNode(std::shared_ptr<amqp::InLink> to) : link(std::move(to)) {}
    void on_message(std::uint64_t token, std::string encoded, bool) override {
        benchmark::DoNotOptimize(encoded.data());
        batch.push_back({.token = token});
    }
    void on_batch() override { link->settle(std::exchange(batch, {})); }
    bool open() override { return true; }
    void on_detach() override {}
    std::shared_ptr<amqp::InLink> link;
    std::vector<amqp::Settlement> batch;
};

struct NothingNodes : amqp::Nodes {
    std::unique_ptr<amqp::InNode> attach_in(const amqp::AttachInfo&, std::shared_ptr<amqp::InLink> link,
                                            amqp::Condition&) override {
        return std::make_unique<NothingNode>(std::move(link));
    }
    std::unique_ptr<amqp::OutNode> attach_out(const amqp::AttachInfo&, std::shared_ptr<amqp::OutLink>,
                                              amqp::Condition& refusal) override {
        refusal = {"amqp:not-found", "nothing is kept"};
        return nullptr;
    }
};

amqp::AmqpListener::Options loopback() {
    amqp::AmqpListener::Options options;
    options.plain_on_loopback = true;
    return options;
}

struct Broker {
    Broker() {
        EmbeddedOptions options;
        options.directory = (directory.path() / "queues").string();
        queues = std::make_unique<EmbeddedQueues>(options);
        queues->declare("in/bench", QueueLimits{});
        users.add("bench", "bench-password-long", 4096);
        nodes = std::make_unique<AmqpNodes>(*queues, pool, everybody, system_clock());
        listener = std::make_unique<amqp::AmqpListener>(loopback(), users, *nodes);
        listener->start();
    }
    ~Broker() { listener->stop(std::chrono::seconds(5)); }
    ConfirmedSender::Peer peer() const {
        return {"amqp://127.0.0.1:" + std::to_string(listener->port()), "in/bench", "bench", "bench-password-long"};
    }
    Directory directory;
    ThreadPool pool{2, "bench"};
    Everybody everybody;
    amqp::UserStore users;
    std::unique_ptr<EmbeddedQueues> queues;
    std::unique_ptr<AmqpNodes> nodes;
    std::unique_ptr<amqp::AmqpListener> listener;
};

void send_all(benchmark::State& state, const ConfirmedSender::Peer& peer, std::size_t bytes) {
    try {
        ConfirmedSender sender(peer, bytes);
        for (auto _ : state) sender.send(messages_of(bytes));
        state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * messages_of(bytes)));
        state.counters["credit"] = sender.credit();
    } catch (const std::exception& e) {
        state.SkipWithError(e.what());
    }
}

void confirm(benchmark::State& state, std::size_t bytes) {
    const Broker broker;
    send_all(state, broker.peer(), bytes);
    state.counters["syncs"] = static_cast<double>(broker.queues->syncs());
}

void nothing(benchmark::State& state, std::size_t bytes) {
    amqp::UserStore users;
    users.add("bench", "bench-password-long", 4096);
    NothingNodes nodes;
    amqp::AmqpListener listener(loopback(), users, nodes);
    listener.start();
    send_all(state, {"amqp://127.0.0.1:" + std::to_string(listener.port()), "in/bench", "bench", "bench-password-long"}, bytes);
    listener.stop(std::chrono::seconds(5));
}

// count messages in one write and one sync.
void synced(benchmark::State& state, std::size_t bytes, std::size_t count) {
    SyncedFile file(bytes * count);
    for (auto _ : state) file.append();
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * count));
}

void put_of(benchmark::State& state, const std::string& peer, std::size_t bytes) {
    std::istringstream in(peer);
    ConfirmedSender::Peer to;
    in >> to.url >> to.address >> to.user >> to.password;
    send_all(state, to, bytes);
}

[[maybe_unused]] const bool kRegistered = [] {
    const auto add = [](const std::string& name, auto run, std::size_t bytes) {
        benchmark::RegisterBenchmark(name.c_str(), [run, bytes](benchmark::State& s) { run(s, bytes); })->UseRealTime();
    };
    const char* peer = std::getenv("CLRBUS_BENCH_PEER");
    for (const std::size_t bytes : {kSmall, kLarge}) {
        const std::string name = bytes == kSmall ? "broker/confirm-1k" : "broker/confirm-30k";
        add(name, confirm, bytes);
        add(
            name + ".fdatasync", [](benchmark::State& s, std::size_t b) { synced(s, b + 32, 1); }, bytes);
        if (peer != nullptr)
            add(
                name + ".peer", [peer](benchmark::State& s, std::size_t b) { put_of(s, peer, b); }, bytes);
    }
    add(
        "broker/bound-1k.disk", [](benchmark::State& s, std::size_t b) { synced(s, b + 80, kInFlight); }, kSmall);
    add("broker/bound-1k.cpu", nothing, kSmall);
    return true;
}();

}  // namespace
}  // namespace clrbus::bench
