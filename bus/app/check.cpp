// clrbus check and clrbus test: what can be known before anything is deployed.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <iostream>
#include <thread>

#include "adapter/adapter.hpp"
#include "all_adapters.hpp"
#include "app/broker_link.hpp"
#include "app/cli.hpp"
#include "app/endpoint_factory.hpp"
#include "app/secrets.hpp"
#include "app/settings.hpp"
#include "core/executor.hpp"
#include "http/client.hpp"
#include "routing/assets.hpp"
#include "routing/dry_run.hpp"
#include "routing/inbox.hpp"
#include "routing/remote.hpp"
#include "routing/route.hpp"

namespace clrbus::app {
namespace {

constexpr std::chrono::seconds kBrokerAnswers{10};

struct Found {
    std::string severity;  // error, warning
    std::string code, text;
};

void check_doors(const CompiledRoute& route, std::vector<Found>& found) {
    const auto adapters = adapters::all_adapters();
    for (const Config& door : route.doors()) {
        try {
            make_reduction(door, route.split());
            const Config endpoint = door.children().front();
            const bool known = std::any_of(adapters.begin(), adapters.end(),
                                           [&](const AdapterInfo* a) { return a->namespace_uri == endpoint.namespace_uri(); });
            if (!known)
                endpoint.fail("CHECK-001", "no adapter has the namespace '" + std::string(endpoint.namespace_uri()) + "'");
        } catch (const Error& e) {
            found.push_back({"error", e.code(), e.what()});
        }
    }
    const auto advise = [&](const char* attribute, const char* why) {
        if (!route.element().has(attribute))
            found.push_back({"warning", "CHECK-002",
                             route.element().where().text() + ": route '" + route.id() + "' has no " + attribute + ": " + why});
    };
    advise("steward", "nobody answers for its claims");
    advise("refresh", "a late source cannot be told from a quiet one");
    advise("retain", "its originals are kept for ever");
}

// Each endpoint made as it would be, without a call.
void check_endpoints(const std::vector<std::shared_ptr<const CompiledRoute>>& routes, const Secrets& secrets,
                     std::vector<Found>& found) {
    HttpClient client;
    ThreadPool pool(1, "check");
    AdapterContext context;
    context.client = &client;
    context.executor = &pool;
    context.clock = &system_clock();
    context.secret = [&secrets](std::string_view name) { return secrets.get(name); };
    for (const auto& route : routes) {
        const auto attempt = [&](const Config& element, const auto& make) {
            try {
                context.config = element;
                make(context);
            } catch (const Error& e) {
                found.push_back({"error", e.code(), e.what()});
            }
        };
        for (const RouteEndpoint& endpoint : route->endpoints()) attempt(endpoint.element, make_sink);
        for (const Config& element : asked_elements(route->element())) attempt(element, make_responder);
    }
}

// What runs in one process only, and what workers need.
void check_sharing(const Settings& settings, const std::vector<std::shared_ptr<const CompiledRoute>>& routes,
                   std::vector<Found>& found) {
    for (const auto& route : routes) {
        if (const Config home = keeps_state(*route)) {
            found.push_back({"warning", "LINK-012",
                             home.where().text() + ": route '" + route->id() +
                                 "' runs where the books are kept, not in workers: <" + std::string(home.name()) +
                                 "> keeps its state in one process"});
        }
    }
    if (!settings.root.child("broker").has("originals-folder")) {
        found.push_back({"warning", "LINK-013",
                         settings.root.child("broker").where().text() +
                             ": no originals-folder: workers cannot start (large messages lie in a folder that all share)"});
    }
}

// Attaches to each queue, without taking anything.
void ask_for_queues(const LinkOptions& link, const std::vector<std::shared_ptr<const CompiledRoute>>& routes,
                    std::vector<Found>& found) {
    amqp::Client client(link.client);
    std::vector<std::string> names{link.results_name()};
    for (const auto& route : routes) {
        if (!keeps_state(*route)) names.push_back(link.name_of(route->inbox()));
    }
    for (const std::string& name : names)
        client.receiver(link.address_of(name), {.on_message = [](std::uint64_t, const std::string&) {}, .on_lost = {}});
    client.start();
    const auto until = std::chrono::steady_clock::now() + kBrokerAnswers;
    const auto known = [](const amqp::ClientHealth& health) {
        return health.open && std::all_of(health.links.begin(), health.links.end(), [](const amqp::LinkHealth& one) {
                   return one.attached || one.error.find("amqp:") != std::string::npos;
               });
    };
    amqp::ClientHealth health = client.health();
    while (!known(health) && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        health = client.health();
    }
    client.stop(kBrokerAnswers);
    if (!health.open) {
        const std::string why = health.error.empty() ? "no answer" : health.error;
        found.push_back(
            {"error", "LINK-014", "broker " + link.client.host + ":" + std::to_string(link.client.port) + ": " + why});
        return;
    }
    for (const amqp::LinkHealth& one : health.links) {
        if (!one.attached) found.push_back({"error", "LINK-015", "queue '" + one.address + "': " + one.error});
    }
}

}  // namespace

int check(const std::filesystem::path& config, const std::filesystem::path& overlay, bool json, bool broker) {
    std::vector<Found> found;
    std::size_t routes = 0;
    try {
        const Settings settings = read_settings(config, overlay);
        const Secrets secrets(settings.root, settings.file);
        RouteAssets assets(asset_folders(settings, &secrets));
        const LoadedRoutes loaded = load_routes(settings.routes, assets);
        routes = loaded.routes.size();
        assets.compile_all();
        for (const Error& e : loaded.errors) found.push_back({"error", e.code(), e.what()});
        for (const auto& route : loaded.routes) check_doors(*route, found);
        check_endpoints(loaded.routes, secrets, found);
        if (const auto link = broker_link(settings)) {
            check_sharing(settings, loaded.routes, found);
            if (broker) ask_for_queues(*link, loaded.routes, found);
        } else if (broker) {
            found.push_back({"error", "LINK-011", settings.file.string() + ": --broker asks for a <broker url>"});
        }
    } catch (const Error& e) {
        found.push_back({"error", e.code(), e.what()});
    }
    const bool good = std::none_of(found.begin(), found.end(), [](const Found& f) { return f.severity == "error"; });
    if (json) {
        boost::json::array list;
        for (const Found& f : found)
            list.push_back(boost::json::object{{"severity", f.severity}, {"code", f.code}, {"text", f.text}});
        std::cout << boost::json::serialize(boost::json::object{{"good", good}, {"routes", routes}, {"found", std::move(list)}})
                  << '\n';
    } else {
        for (const Found& f : found) std::cout << f.severity << ": " << f.code << ": " << f.text << '\n';
        std::cout << routes << " routes, " << found.size() << " findings: " << (good ? "can be deployed" : "NOT to be deployed")
                  << '\n';
    }
    return good ? 0 : 3;
}

int run_cases(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::string& route, bool json) {
    const Settings settings = read_settings(config, overlay);
    const Secrets secrets(settings.root, settings.file);
    RouteAssets assets(asset_folders(settings, &secrets));
    const LoadedRoutes loaded = load_routes(settings.routes, assets);
    for (const Error& e : loaded.errors) std::cerr << "clrbus: " << e.code() << ": " << e.what() << '\n';
    std::size_t held = 0, failed = 0;
    boost::json::array list;
    std::vector<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(settings.routes)) {
        if (entry.is_directory() && (route.empty() || entry.path().filename() == route)) folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    for (const auto& folder : folders) {
        for (const CaseResult& result : clrbus::run_cases(loaded.routes, folder)) {
            (result.held ? held : failed) += 1;
            const std::string name = folder.filename().string() + "/" + result.name;
            if (json) {
                list.push_back(boost::json::object{{"case", name}, {"held", result.held}, {"difference", result.difference}});
            } else {
                std::cout << (result.held ? "ok    " : "FAILED ") << name << (result.held ? "" : ": " + result.difference)
                          << '\n';
            }
        }
    }
    if (json) {
        std::cout << boost::json::serialize(boost::json::object{{"held", held}, {"failed", failed}, {"cases", std::move(list)}})
                  << '\n';
    } else {
        std::cout << held << " cases held, " << failed << " failed\n";
    }
    return failed == 0 && loaded.errors.empty() ? 0 : 1;
}

}  // namespace clrbus::app
