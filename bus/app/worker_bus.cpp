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
#include "routing/remote.hpp"
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

struct WorkerBus::Impl {
    Impl(const Settings& given, const std::filesystem::path& state)
        : settings(given),
          dir(state),
          workers(settings.worker_threads != 0 ? settings.worker_threads : std::max(2U, std::thread::hardware_concurrency()),
                  "worker"),
          splits(2, "split"),
          secrets(settings.root, settings.file),
          assets(asset_folders(settings, &secrets)),
          loaded(load_routes(settings.routes, assets)),
          own(own_options()),
          queues(own, link_options()),
          originals(originals_folder(settings, state).string()) {
        engine = std::make_unique<RouteEngine>(
            RouteEngine::Parts{.queues = queues,
                               .originals = originals,
                               .workers = workers,
                               .splits = splits,
                               .clock = system_clock(),
                               .state_dir = dir.path(),
                               .limits = settings.limits,
                               .runs = [](const CompiledRoute& route) { return !keeps_state(route); },
                               .remote = true},
            loaded.routes);
        for (const auto& route : loaded.routes) by_id[route->id()] = route;
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
        options.stay = inboxes_that_stay(loaded.routes);
        options.admits = [this](const TakenMessage& message, const std::vector<Note>& notes) { return admits(message, notes); };
        return options;
    }

    // The route must be the one that the books have, and it has the generation that they gave it. On the thread of the link,
    // before the message is seen by anybody else.
    bool admits(const TakenMessage& message, const std::vector<Note>& notes) {
        const std::string id = message.queue.substr(std::string_view("in/").size());
        const auto found = by_id.find(id);
        if (found == by_id.end()) return false;
        const CompiledRoute& route = *found->second;
        for (const Note& note : notes) {
            if (note.name != "generation/" + id || !note.value) continue;
            const auto space = note.value->find(' ');
            const bool same = space != std::string::npos && note.value->substr(space + 1) == route.hash();
            {
                const std::lock_guard lock(mutex);
                same ? differs.erase(id) : differs.insert(id).second;
            }
            if (!same) return false;
            const std::uint64_t number = std::stoull(note.value->substr(0, space));
            // Written once, with the first message of the route that comes here.
            if (numbered.insert(id).second)
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
        return json::serialize(json::object{{"role", "worker"},
                                            {"broker", trouble.empty() ? "connected" : trouble},
                                            {"since", to_rfc3339(health.since)},
                                            {"routes", std::move(routes)}});
    }

    const Settings settings;
    StateDir dir;
    ThreadPool workers, splits;
    Secrets secrets;
    RouteAssets assets;
    LoadedRoutes loaded;
    std::map<std::string, std::shared_ptr<const CompiledRoute>, std::less<>> by_id;
    std::set<std::string> numbered;  // the link's thread
    std::mutex mutex;
    std::set<std::string> differs;  // routes that are another version where the books are kept
    std::atomic<bool> broken{false};
    EmbeddedQueues own;  // notes of this worker alone
    WorkerQueues queues;
    storage::Originals originals;
    std::unique_ptr<RouteEngine> engine;
    std::unique_ptr<ControlServer> control;
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
    impl_->control = std::make_unique<ControlServer>(
        impl_->dir.path() / "control.sock",
        [this](std::string_view request, const std::string&) { return impl_->answer(request); });
    impl_->dir.write_ports({});
    log::info("bus", "a worker, running: " + std::to_string(impl_->loaded.routes.size()) + " routes");
}

void WorkerBus::stop() {
    if (std::exchange(impl_->stopped, true)) return;
    impl_->control.reset();
    impl_->engine->stop();
    impl_->queues.stop(kWorkerGrace);
    impl_->splits.stop();
    impl_->workers.stop();
}

const std::vector<Error>& WorkerBus::route_errors() const {
    return impl_->loaded.errors;
}

bool WorkerBus::failed() const {
    return impl_->broken;
}

}  // namespace clrbus::app
