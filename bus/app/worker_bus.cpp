#include "app/worker_bus.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>
#include <thread>
#include <utility>

#include "app/broker_link.hpp"
#include "app/secrets.hpp"
#include "app/state_dir.hpp"
#include "broker/link_worker_queues.hpp"
#include "core/executor.hpp"
#include "core/log.hpp"
#include "management/control_socket.hpp"
#include "routing/assets.hpp"
#include "routing/engine.hpp"
#include "routing/reloader.hpp"
#include "routing/remote.hpp"
#include "routing/route_watch.hpp"
#include "storage/originals.hpp"

namespace clrbus::app {
namespace {

constexpr std::chrono::seconds kWorkerGrace{10};

LinkOptions worker_link(const Settings& settings) {
    auto options = broker_link(settings);
    if (!options)
        throw Error(Fault::kConfig, "LINK-023", "starting with --role worker", "there is no <broker url> to get work from");
    if (!settings.root.child("broker").has("originals-folder"))
        settings.root.child("broker").fail("LINK-024", "originals-folder",
                                           "a worker needs the folder of originals that all processes share");
    options->client.container = "clrbus-worker";
    return std::move(*options);
}

}  // namespace

struct WorkerBus::Impl : public RouteFollowers {
    Impl(const Settings& given, const std::filesystem::path& state)
        : settings(given),
          dir(state),
          workers(settings.worker_threads != 0 ? settings.worker_threads : std::max(2U, std::thread::hardware_concurrency()),
                  "worker"),
          splits(2, "split"),
          secrets(settings.root, settings.file),
          assets(asset_folders(settings, &secrets)),
          own(own_options()),
          queues(own, link_options()),
          originals(originals_folder(settings, state).string()),
          reloader({own, workers, system_clock(), dir.path(), settings.routes, assets, settings.keep_last_good}) {
        engine = std::make_unique<RouteEngine>(
            RouteEngine::Parts{.queues = queues,
                               .originals = originals,
                               .workers = workers,
                               .splits = splits,
                               .clock = system_clock(),
                               .state_dir = dir.path(),
                               .limits = settings.limits,
                               .runs = [](const CompiledRoute& route) { return !runs_at_home(route); },
                               .remote = true},
            reloader.first(), keeper("start", "start of the worker"));
        follow(engine->routes());
    }

    RouteEngine::Keep keeper(const std::string& by, const std::string& why) {
        return [keep = reloader.keeper(by, why)](const CompiledRoute& route, bool fresh) {
            try {
                keep(route, fresh);
            } catch (const Error& e) {  // a full disk must not keep it from starting
                log::warn("route", std::string("a generation is not kept: ") + e.what());
            }
        };
    }

    // Another generation comes into force: until it runs, nothing is admitted, so that none is worked on by the wrong one.
    void prepare(const CompiledRoute& route) override {
        const std::lock_guard lock(mutex);
        by_id.erase(route.id());
    }
    void follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) override {
        const std::lock_guard lock(mutex);
        by_id.clear();
        for (const auto& route : routes) by_id[route->id()] = route;
        std::erase_if(numbered, [this](const auto& one) {
            const auto found = by_id.find(one.first);
            return found == by_id.end() || found->second != one.second;
        });
    }

    void reload(const std::string& by, std::chrono::milliseconds settle) {
        try {
            reloader.reload(by, settle);
        } catch (const Error& e) {
            log::error("route", std::string("loading the routes again: ") + e.what());
            follow(engine->routes());
        }
    }

    EmbeddedOptions own_options() {
        EmbeddedOptions options;
        options.directory = (dir.path() / "queues").string();
        options.segment_bytes = 8U << 20;
        options.disk_reserve = 0;  // a few notes; what is large is kept elsewhere
        options.on_failure = [this](const std::string&) {
            broken = true;
            kill(getpid(), SIGTERM);
        };
        return options;
    }

    LinkOptions link_options() {
        LinkOptions options = worker_link(settings);
        options.admits = [this](const TakenMessage& message, const std::vector<Note>& notes) { return admits(message, notes); };
        return options;
    }

    // The route must be the one that the books have, and it has the generation that they gave it. On the thread of the link,
    // before the message is seen by anybody else.
    bool admits(const TakenMessage& message, const std::vector<Note>& notes) {
        const std::string id = message.queue.substr(std::string_view("in/").size());
        const std::lock_guard lock(mutex);
        const auto found = by_id.find(id);
        if (found == by_id.end()) return false;
        const CompiledRoute& route = *found->second;
        for (const Note& note : notes) {
            if (note.name != "generation/" + id || !note.value) continue;
            const auto space = note.value->find(' ');
            const bool same = space != std::string::npos && note.value->substr(space + 1) == route.hash();
            same ? differs.erase(id) : differs.insert(id).second;
            if (!same) return false;
            const std::uint64_t number = std::stoull(note.value->substr(0, space));
            // Written once, with the first message that comes here for it.
            if (numbered.emplace(id, found->second).second)
                const_cast<CompiledRoute&>(route).generation = number;  // NOLINT(cppcoreguidelines-pro-type-const-cast)
            return true;
        }
        return false;
    }

    std::string answer(std::string_view request) {
        namespace json = boost::json;
        json::error_code error;
        const json::value parsed = json::parse(request, error);
        const json::object* call = parsed.if_object();
        const json::value* command = call != nullptr ? call->if_contains("command") : nullptr;
        const std::string name = command != nullptr && command->is_string() ? std::string(command->as_string()) : std::string();
        if (name != "status") {
            return json::serialize(json::object{
                {"error",
                 {{"code", "LINK-025"}, {"text", "this is a worker: ask the process that keeps the books"}, {"exit", 2}}}});
        }
        const amqp::ClientHealth health = queues.health();
        const std::string trouble = broker_trouble(health);
        json::array routes;
        {
            const std::lock_guard lock(mutex);
            for (const RouteState& state : engine->states()) {
                json::object one{{"route", state.id}, {"generation", state.generation}, {"done", state.done}};
                one["paused"] = state.paused;
                if (state.paused) one["reason"] = state.reason;
                if (differs.contains(state.id))
                    one["reason"] = "another version of this route is deployed where the books are kept";
                routes.push_back(std::move(one));
            }
        }
        json::array refused;
        for (const RouteReloader::Refused& one : reloader.refused())
            refused.push_back(json::object{{"route", one.route}, {"code", one.code}, {"text", one.text}, {"runs", one.runs}});
        return json::serialize(json::object{{"role", "worker"},
                                            {"broker", trouble.empty() ? "connected" : trouble},
                                            {"since", to_rfc3339(health.since)},
                                            {"routes", std::move(routes)},
                                            {"refused", std::move(refused)}});
    }

    const Settings settings;
    StateDir dir;
    ThreadPool workers, splits;
    Secrets secrets;
    RouteAssets assets;
    std::mutex mutex;  // of the next three
    std::map<std::string, std::shared_ptr<const CompiledRoute>, std::less<>> by_id;
    std::map<std::string, std::shared_ptr<const CompiledRoute>> numbered;  // by the books
    std::set<std::string> differs;  // routes that are another version where the books are kept
    std::atomic<bool> broken{false};
    EmbeddedQueues own;  // notes of this worker alone
    WorkerQueues queues;
    storage::Originals originals;
    RouteReloader reloader;
    std::unique_ptr<RouteEngine> engine;
    std::unique_ptr<ControlServer> control;
    std::unique_ptr<RouteWatch> watch;  // calls back into all of the above
    bool stopped = true;
};

WorkerBus::WorkerBus(const Settings& settings, const std::filesystem::path& state_dir)
    : impl_(std::make_unique<Impl>(settings, state_dir)) {}

WorkerBus::~WorkerBus() {
    stop();
}

void WorkerBus::start() {
    impl_->stopped = false;
    impl_->queues.start();
    impl_->engine->start();
    impl_->reloader.begin(*impl_->engine, *impl_);
    impl_->control = std::make_unique<ControlServer>(
        impl_->dir.path() / "control.sock",
        [this](std::string_view request, const std::string&) { return impl_->answer(request); });
    if (impl_->settings.watch_routes) {
        RouteWatch::Options options;
        options.settle = impl_->settings.routes_settle;
        impl_->watch = std::make_unique<RouteWatch>(
            impl_->reloader.folders(), [impl = impl_.get(), options] { impl->reload("files", options.settle); }, options);
    }
    impl_->dir.write_ports({});
    log::info("bus", "a worker, running: " + std::to_string(impl_->engine->routes().size()) + " routes");
}

void WorkerBus::stop() {
    if (std::exchange(impl_->stopped, true)) return;
    impl_->watch.reset();
    impl_->control.reset();
    impl_->engine->stop();
    impl_->queues.stop(kWorkerGrace);
    impl_->splits.stop();
    impl_->workers.stop();
}

void WorkerBus::reload(const std::string& by) {
    impl_->reload(by, {});
}

bool WorkerBus::failed() const {
    return impl_->broken;
}

}  // namespace clrbus::app
