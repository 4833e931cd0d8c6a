// A project of its own in a directory: schemas, a stylesheet, code lists, routes, and the engine on real embedded queues. The
// route 'r' is the one under test and runs, before any further one that a driver writes; the routes 'a' and 'b' are there and
// do not run, so that their inboxes keep what is sent to them. Used by the contract test of the steps and by the process that
// it kills. One thread.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapter/adapter.hpp"
#include "broker/embedded_queues.hpp"
#include "core/executor.hpp"
#include "routing/assets.hpp"
#include "routing/endpoints.hpp"
#include "routing/engine.hpp"
#include "routing/ledger.hpp"
#include "storage/originals.hpp"

namespace clrbus::contract {

inline constexpr const char* kShyFile = "far-side-was-shy";

class StepWorld {
public:
    explicit StepWorld(std::filesystem::path root);
    ~StepWorld();
    StepWorld(const StepWorld&) = delete;
    StepWorld& operator=(const StepWorld&) = delete;

    const std::filesystem::path& root() const { return root_; }
    void write(const std::string& file, const std::string& text) const;
    // Makes the project; r is made of these steps.
    void make(const std::string& steps) const;

    // Throws Error(kConfig) for the first route that does not compile.
    void open();
    void start() { engine_->start(); }
    void close();

    struct Sent {
        std::string body, id;
    };
    void put(const std::vector<Sent>& messages, const Headers& headers);  // waits until they are stored
    void put(const std::string& body, const std::string& id, const Headers& headers) { put({{body, id}}, headers); }
    std::vector<BrowsedMessage> in(const std::string& queue) const { return queues_->browse(queue, 0, 1'000'000); }
    QueueState state_of(const std::string& queue) const;
    bool nothing_waits() const;  // in r: neither ready nor in hand nor put off, nor in one of its steps
    LedgerLine line(const std::string& account) const;
    RouteState route_state() const { return engine_->states().at(0); }
    void disk_full(bool full);
    // The far side of endpoint elements of the namespace urn:contract: answers <answer/>, and refuses the value id="poison".
    // Whether it is away is a file, so that another process on the same directory sees it, too. What goes out stays in its
    // queue. The first question in the life of a process with an id that begins with "shy" finds it away, and leaves kShyFile.
    void far_side_away(bool away) const;

    EmbeddedQueues& queues() { return *queues_; }
    storage::Originals& originals() { return *originals_; }

private:
    std::filesystem::path root_;
    std::atomic<std::uint64_t> free_{1ULL << 40};
    std::unique_ptr<ThreadPool> workers_, splits_;
    std::unique_ptr<RouteAssets> assets_;
    std::unique_ptr<EmbeddedQueues> queues_;
    std::unique_ptr<storage::Originals> originals_;
    std::unique_ptr<Endpoints> endpoints_;
    std::unique_ptr<RouteEngine> engine_;
};

}  // namespace clrbus::contract
