// A small event through a route engine on a durable state directory: parse, choose, transform, to, with both hops through the
// queues and the ledger. Beside the same work in one loop. And the same with 500 further routes loaded.
#include <benchmark/benchmark.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <semaphore>
#include <thread>

#include "bench_support.hpp"
#include "broker/embedded_queues.hpp"
#include "core/executor.hpp"
#include "formats/json.hpp"
#include "routing/assets.hpp"
#include "routing/engine.hpp"
#include "storage/originals.hpp"
#include "trace/index.hpp"
#include "xml/code_lists.hpp"
#include "xml/transformer.hpp"
#include "xml/xpath.hpp"

namespace clrbus::bench {
namespace {

constexpr std::size_t kEvents = 1000;
constexpr std::ptrdiff_t kUnanswered = 500;  // puts that a door has open
constexpr const char* kTest = "/json/metadata/event_name = 'grade_change'";
constexpr const char* kStylesheet = "canvas-grade-change.xsl";
const std::filesystem::path kProject = CLRBUS_SOURCE_DIR;

std::string event_route(const std::string& id, const std::string& to) {
    return "<route id=\"" + id +
           "\" system=\"canvas\" component=\"academic-record\">\n<parse format=\"json\"/>\n<choose><when test=\"" + kTest +
           "\"><transform stylesheet=\"" + kStylesheet +
           "\"><param name=\"institution\" value=\"FICE:003658\"/></transform><to><route id=\"" + to +
           "\"/></to></when><otherwise><log text=\"another\"/></otherwise></choose>\n</route>\n";
}

// An engine with the route `events`, which hands to the inbox of the route `end`: what comes there is settled at once.
class EventBus {
public:
    explicit EventBus(std::size_t further_routes) {
        const std::filesystem::path root = directory_.path();
        write(root / "routes/events/routes.xml", event_route("events", "end"));
        write(root / "routes/end/routes.xml", "<route id=\"end\" system=\"canvas\"><to><records/></to></route>");
        for (std::size_t i = 0; i < further_routes; ++i) {
            const std::string id = "further-" + std::to_string(i);
            write(root / "routes" / id / "routes.xml", event_route(id, "end"));
        }
        RouteAssets assets({kProject / "xsd", kProject / "transforms", kProject / "conf/codes", {}, "America/Chicago"});
        const LoadedRoutes loaded = load_routes(root / "routes", assets);
        for (const Error& e : loaded.errors) throw std::runtime_error(e.what());
        EmbeddedOptions options;
        options.directory = (root / "queues").string();
        options.disk_reserve = 1U << 20;
        options.segment_bytes = 8U << 20;  // soon used again, as those of a bus that has run for a while
        trace::IndexOptions index_options;
        index_options.directory = (root / "trace").string();
        index_ = std::make_unique<trace::Index>(index_options);
        options.follower = index_.get();
        queues_ = std::make_unique<EmbeddedQueues>(options);
        index_->start();
        originals_ = std::make_unique<storage::Originals>((root / "originals").string());
        engine_ = std::make_unique<RouteEngine>(
            RouteEngine::Parts{*queues_, *originals_, workers_, splits_, system_clock(), root, {}}, loaded.routes);
        engine_->start();
        engine_->activate({}, {"end"});  // its queue stays, and this takes from it
        taker_ = queues_->take("in/end", workers_, [this](const TakenMessage& message) {
            Unit unit;
            unit.settled.push_back({message.queue, message.sequence});
            unit.ledger.push_back({"end", Outcome::kDelivered, 1});
            queues_->commit(std::move(unit), workers_, [this](CommitState state) {
                if (state == CommitState::kDone) ++through_;
                taker_->grant(1);
            });
        });
        taker_->grant(64);
        inbox_ = engine_->inbox(*engine_->route("events"), Config());
    }
    ~EventBus() {
        taker_->stop();
        inbox_.reset();
        engine_->stop();
        splits_.stop();
        workers_.stop();
        taker_.reset();
    }
    EventBus(const EventBus&) = delete;
    EventBus& operator=(const EventBus&) = delete;

    // All of them, until the last one has left the second route.
    void run(const std::vector<std::string>& events) {
        std::counting_semaphore<kUnanswered> open(kUnanswered);
        std::atomic<bool> refused{false};
        for (std::size_t i = 0; i < kEvents; ++i) {
            Incoming incoming;
            incoming.body = events[i % events.size()];
            incoming.content_type = "application/json";
            incoming.duplicate_key = "event-" + std::to_string(++number_);
            open.acquire();
            inbox_->put(std::move(incoming), [&](const Receipt& receipt) {
                if (receipt.state != PutState::kStored) refused = true;
                open.release();
            });
        }
        for (std::ptrdiff_t i = 0; i < kUnanswered; ++i) open.acquire();
        if (refused) throw std::runtime_error("an event was not stored");
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (through_ < number_) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("the events are not through after 60 s");
        }
    }

    std::uint64_t syncs() const { return queues_->syncs(); }

private:
    static void write(const std::filesystem::path& file, const std::string& route) {
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << "<routes xmlns=\"urn:clrbus:routes:1\">\n" << route << "</routes>\n";
    }
    Directory directory_;
    ThreadPool workers_{1, "worker"};  // tools/bench gives one processor
    ThreadPool splits_{1, "split"};
    std::unique_ptr<trace::Index> index_;  // follows the queues
    std::unique_ptr<EmbeddedQueues> queues_;
    std::unique_ptr<storage::Originals> originals_;
    std::unique_ptr<RouteEngine> engine_;
    std::unique_ptr<Inbox> inbox_;
    std::uint64_t number_ = 0;
    std::atomic<std::uint64_t> through_{0};
    std::unique_ptr<Taker> taker_;  // last: calls back into this
};

void event(benchmark::State& state) {
    EventBus bus(static_cast<std::size_t>(state.range(0)));
    for (int i = 0; i < 5; ++i) bus.run(samples("canvas"));  // warm: all segments written once
    const std::uint64_t syncs = bus.syncs();
    for (auto _ : state) bus.run(samples("canvas"));
    state.counters["syncs"] = static_cast<double>(bus.syncs() - syncs) / static_cast<double>(state.iterations() * kEvents);
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kEvents));
}

// The same bytes to a tree, the same XPath, the same stylesheet, serialised.
void event_loop(benchmark::State& state) {
    const auto transformer = Transformer::compile(kProject / "transforms" / kStylesheet, kProject / "transforms",
                                                  CodeLists::load(kProject / "conf/codes"));
    const auto test = XPath::compile(kTest);
    const std::map<std::string, std::string> parameters{{"route", "events"},
                                                        {"system", "canvas"},
                                                        {"component", "academic-record"},
                                                        {"steward", ""},
                                                        {"zone", "America/Chicago"},
                                                        {"name", ""},
                                                        {"accepted-at", "2026-01-01T00:00:00.000Z"},
                                                        {"institution", "FICE:003658"}};
    const auto& events = samples("canvas");
    for (auto _ : state) {
        for (std::size_t i = 0; i < kEvents; ++i) {
            const Document event = parse_json(events[i % events.size()]);
            if (!test->test(event, {})) throw std::runtime_error("not the event that the route is for");
            benchmark::DoNotOptimize(transformer->transform(event, parameters).write().size());
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kEvents));
}

[[maybe_unused]] const bool kRegistered = [] {
    benchmark::RegisterBenchmark("routes/event-1k", event)->Arg(0)->MeasureProcessCPUTime()->UseRealTime();
    benchmark::RegisterBenchmark("routes/event-1k-of-500", event)->Arg(500)->MeasureProcessCPUTime()->UseRealTime();
    benchmark::RegisterBenchmark("routes/event-1k.loop", event_loop)->MeasureProcessCPUTime()->UseRealTime();
    return true;
}();

}  // namespace
}  // namespace clrbus::bench
