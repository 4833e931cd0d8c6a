// clrbus check and clrbus test: what can be known before anything is deployed.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <iostream>
#include <optional>
#include <regex>
#include <thread>
#include <utility>

#include "adapter/adapter.hpp"
#include "all_adapters.hpp"
#include "app/broker_link.hpp"
#include "app/cli.hpp"
#include "app/endpoint_factory.hpp"
#include "app/secrets.hpp"
#include "app/settings.hpp"
#include "config/loader.hpp"
#include "core/executor.hpp"
#include "http/client.hpp"
#include "routing/assets.hpp"
#include "routing/dry_run.hpp"
#include "routing/inbox.hpp"
#include "routing/remote.hpp"
#include "routing/route.hpp"
#include "workbench/check_files.hpp"
#include "workbench/check_routes.hpp"
#include "workbench/findings.hpp"
#include "xml/parser.hpp"
#include "xml/schemas.hpp"

namespace clrbus::app {
namespace {

constexpr std::chrono::seconds kBrokerAnswers{10};

using workbench::Finding;
using workbench::Findings;
using Severity = Finding::Severity;

// Stands in for the inbox while a door is made, and never takes anything.
class CheckInbox : public Inbox {
public:
    CheckInbox(std::string route, std::uint64_t most) : route_(std::move(route)), most_(most) {}
    const std::string& route() const override { return route_; }
    bool open() const override { return false; }
    void put(Incoming, std::function<void(Receipt)> done) override { done({}); }
    std::uint64_t spool_above() const override { return 256U << 10; }
    std::filesystem::path spool_folder() const override { return {}; }
    std::uint64_t max_bytes() const override { return most_; }
    std::optional<std::string> checkpoint(std::string_view) const override { return std::nullopt; }
    void mark(Incoming::Checkpoint, std::function<void(bool)> done) override { done(false); }
    const Reduce* reduce() const override { return nullptr; }
    std::optional<State> state_of(const std::string&) const override { return std::nullopt; }

private:
    std::string route_;
    std::uint64_t most_;
};

bool listens_to(const Settings& settings, std::initializer_list<Listen::Protocol> protocols) {
    return std::any_of(settings.listens.begin(), settings.listens.end(), [&](const Listen& listen) {
        return std::find(protocols.begin(), protocols.end(), listen.protocol) != protocols.end();
    });
}

const AdapterInfo* adapter_with(std::string_view namespace_uri) {
    for (const AdapterInfo* one : adapters::all_adapters())
        if (one->namespace_uri == namespace_uri) return one;
    return nullptr;
}

// Each endpoint made as it would be, without a call, and each door without opening it.
class EndpointCheck {
public:
    EndpointCheck(const Settings& settings, const Secrets& secrets, Findings& found)
        : settings_(settings), found_(found), pool_(1, "check") {
        context_.client = &client_;
        context_.executor = &pool_;
        context_.clock = &system_clock();
        context_.state_dir = std::filesystem::temp_directory_path() / "clrbus-check";  // nothing is made there
        context_.secret = [&secrets](std::string_view name) { return secrets.get(name); };
        found.known("CHECK-001", [] {
            std::vector<std::string> names;
            for (const AdapterInfo* one : adapters::all_adapters()) names.emplace_back(one->namespace_uri);
            return names;
        });
    }

    void check(const CompiledRoute& route) {
        for (const Config& door : route.doors()) {
            const Config endpoint = door.children().front();
            attempt(route, endpoint, [&] {
                make_reduction(door, route);
                const AdapterInfo* adapter = adapter_with(endpoint.namespace_uri());
                if (adapter == nullptr)
                    endpoint.fail("CHECK-001", "no adapter has the namespace '" + std::string(endpoint.namespace_uri()) + "'");
                if (adapter->source == nullptr) endpoint.fail("CHECK-003", std::string(adapter->name) + " is no door");
                CheckInbox inbox(route.id(), route.max_bytes());
                context_.inbox = &inbox;
                const auto source = adapter->source(context_);
            });
            context_.inbox = nullptr;
        }
        for (const RouteEndpoint& endpoint : route.endpoints()) attempt(route, endpoint.element, [&] { make_sink(context_); });
        for (const Config& element : asked_elements(route.element()))
            attempt(route, element, [&] { make_responder(context_); });
    }

private:
    template <typename Make>
    void attempt(const CompiledRoute& route, const Config& element, const Make& make) {
        try {
            context_.config = element;
            make();
        } catch (const Error& e) {
            // No server is started here: whether there would be one, the configuration says.
            if (e.code() == "HTL-013" && listens_to(settings_, {Listen::Protocol::kHttp, Listen::Protocol::kHttps})) return;
            found_.add(e, route.id(), element);
        }
    }

    const Settings& settings_;
    Findings& found_;
    HttpClient client_;
    ThreadPool pool_;
    AdapterContext context_;
};

// What runs in one process only, and what workers need.
void check_sharing(const Settings& settings, const std::vector<std::shared_ptr<const CompiledRoute>>& routes, Findings& found) {
    for (const auto& route : routes) {
        const auto bound = bound_home(*route);
        for (const BoundHome& one : bound) {
            found.add(Severity::kWarning, "LINK-012", one.element, "",
                      "route '" + route->id() + "' runs where the books are kept, not in workers: " +
                          (one.step.empty() ? std::string() : "<" + std::string(one.element.name()) + "> ") + one.why,
                      "nothing, or another step", route->id());
        }
        if (!bound.empty()) continue;
        for (const RouteEndpoint& endpoint : route->endpoints()) {
            found.add(Severity::kWarning, "LINK-016", endpoint.element, "",
                      "route '" + route->id() +
                          "' may run in several workers at once: what goes to this endpoint is not in the order of the inbox",
                      "nothing, or order=\"key\", which keeps it in one process", route->id());
        }
    }
    if (!settings.root.child("broker").has("originals-folder")) {
        found.add(Severity::kWarning, "LINK-013", settings.root.child("broker"), "",
                  "no originals-folder: workers cannot start (large messages lie in a folder that all share)",
                  "originals-folder=\"a folder that all processes share\"");
    }
}

// Attaches to each queue, without taking anything.
void ask_for_queues(const Config& broker, const LinkOptions& link,
                    const std::vector<std::shared_ptr<const CompiledRoute>>& routes, Findings& found) {
    amqp::Client client(link.client);
    std::vector<std::string> names{link.results_name()};
    for (const auto& route : routes) {
        if (!runs_at_home(*route)) names.push_back(link.name_of(route->inbox()));
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
        found.add(Severity::kError, "LINK-014", broker, "url",
                  "broker " + link.client.host + ":" + std::to_string(link.client.port) + ": " + why, "a broker that answers");
        return;
    }
    for (const amqp::LinkHealth& one : health.links) {
        if (!one.attached)
            found.add(Severity::kError, "LINK-015", broker, "url", "queue '" + one.address + "': " + one.error,
                      "a queue of this name that we may attach to");
    }
}

// Every file that a configuration names, by itself: what cannot be read hides nothing else.
class ConfigurationCheck {
public:
    ConfigurationCheck(const std::filesystem::path& file, const std::filesystem::path& overlay, Findings& found)
        : file_(file), overlay_(overlay), found_(found) {}

    // Nothing when it cannot be read at all.
    std::optional<Settings> settings() {
        try {
            const auto schema = schemas_of(file_) / "configuration.xsd";
            for (const auto& one : {file_, overlay_}) {
                if (!one.empty()) validate(one, schema);
            }
            Settings out = read_settings(file_, overlay_);
            root_ = out.root;
            return out;
        } catch (const Error& e) {
            if (!invalid_) found_.add(e);  // what the schema refuses is said
        }
        return std::nullopt;
    }

    // What the reading stops at has a finding; these are the others of their kind.
    void each() {
        if (!root_) return;
        const Config access = root_.child("access");
        for (const Config& user : access.children("user"))
            attempt([&] {
                if (user.has("password-file") || user.has("password-env")) secret_of(user, "password", file_);
            });
        for (const Config& token : access.children("token")) attempt([&] { secret_of(token, "token", file_); });
    }

private:
    // The first read_settings() that fails hides the rest; so users and tokens are looked at from the tree alone.
    void validate(const std::filesystem::path& file, const std::filesystem::path& schema) {
        const std::string bytes = read_file(file);
        if (!root_) root_ = ConfigLoader(nullptr).load(file);
        try {
            XmlParser(Schemas::load({schema})).parse(bytes, file.string());
        } catch (const ValidationError& e) {
            for (const std::string kind : {"attribute", "element"}) {
                found_.known(kind, [schema, kind] {
                    std::vector<std::string> names;
                    const std::string text = read_file(schema);
                    const std::regex pattern("<xs:" + kind + " name=\"([^\"]+)\"");
                    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at)
                        names.push_back((*at)[1]);
                    return names;
                });
            }
            found_.add(e);
            invalid_ = true;
        }
    }
    template <typename Make>
    void attempt(const Make& make) {
        try {
            make();
        } catch (const Error& e) {
            found_.add(e);
        }
    }

    const std::filesystem::path file_, overlay_;
    Findings& found_;
    Config root_;
    bool invalid_ = false;
};

// Rights that name a route which is not there.
void check_rights(const Settings& settings, const std::vector<std::string>& routes, Findings& found) {
    found.known("CHECK-011", [&routes] { return routes; });
    const auto look = [&](const Config& element) {
        for (const std::string& right : words(element.get("may"))) {
            const std::size_t colon = right.find(':');
            if (colon == std::string::npos || (right.substr(0, colon) != "publish" && right.substr(0, colon) != "read"))
                continue;
            const std::string route = right.substr(colon + 1);
            if (route.find_first_of("*/") != std::string::npos ||
                std::find(routes.begin(), routes.end(), route) != routes.end())
                continue;
            found.add(Severity::kError, "CHECK-011", element, "may",
                      "there is no route '" + route + "', to which " + element.get("name") + " has a right",
                      "the id of a route");
        }
    };
    for (const Config& user : settings.root.child("access").children("user")) look(user);
    for (const Config& token : settings.root.child("access").children("token")) look(token);
}

bool may_publish(const Settings& settings, const std::string& route) {
    const bool amqp = listens_to(settings, {Listen::Protocol::kAmqp, Listen::Protocol::kAmqps});
    if (settings.development_access && amqp) return true;
    const auto allows = [&](const std::vector<std::string>& may) {
        return std::any_of(may.begin(), may.end(),
                           [&](const std::string& right) { return right == "publish:*" || right == "publish:" + route; });
    };
    return (amqp && std::any_of(settings.users.begin(), settings.users.end(), [&](const User& u) { return allows(u.may); })) ||
           std::any_of(settings.tokens.begin(), settings.tokens.end(), [&](const Token& t) { return allows(t.may); });
}

void show_findings(Findings& found, std::size_t routes, bool json) {
    const std::vector<Finding>& all = found.sorted();
    const bool good = found.good();
    const auto severity = [](const Finding& f) { return f.severity == Severity::kError ? "error" : "warning"; };
    if (json) {
        boost::json::array list;
        for (const Finding& f : all) {
            list.push_back(boost::json::object{{"severity", severity(f)},
                                               {"code", f.code},
                                               {"file", f.file},
                                               {"line", f.line},
                                               {"column", f.column},
                                               {"route", f.route},
                                               {"text", f.text},
                                               {"expected", f.expected},
                                               {"nearest", f.nearest}});
        }
        std::cout << boost::json::serialize(boost::json::object{{"good", good}, {"routes", routes}, {"found", std::move(list)}})
                  << '\n';
        return;
    }
    for (const Finding& f : all) {
        std::cout << f.file << ':' << f.line << ':' << f.column << ": " << severity(f) << ": " << f.code << ": " << f.text;
        if (!f.nearest.empty()) std::cout << " (did you mean '" << f.nearest << "'?)";
        std::cout << "; expected: " << f.expected << '\n';
    }
    std::cout << routes << " routes, " << all.size() << " findings: " << (good ? "can be deployed" : "NOT to be deployed")
              << '\n';
}

}  // namespace

int check(const CheckOptions& options) {
    Findings found;
    std::size_t routes = 0;
    ConfigurationCheck configuration(options.config, options.overlay, found);
    const std::optional<Settings> settings = configuration.settings();
    configuration.each();
    try {
        if (settings) {
            workbench::check_secrets(settings->root, found);
            std::optional<Secrets> secrets;
            try {
                secrets.emplace(settings->root, settings->file);
            } catch (const Error& e) {
                found.add(e);
            }
            RouteAssets assets(asset_folders(*settings, secrets ? &*secrets : nullptr));
            const auto checked = workbench::check_routes(
                {settings->routes, [&](const std::string& route) { return may_publish(*settings, route); }}, assets, found);
            routes = checked.routes.size();
            for (const Config& element : checked.elements) workbench::check_secrets(element, found);
            check_rights(*settings, checked.ids, found);
            if (secrets) {
                found.known("CONF-034", [&] {
                    std::vector<std::string> names;
                    for (const Config& one : settings->root.children("secret")) names.push_back(one.get("name"));
                    return names;
                });
                EndpointCheck endpoints(*settings, *secrets, found);
                for (const auto& route : checked.routes) endpoints.check(*route);
            }
            if (const auto link = broker_link(*settings)) {
                check_sharing(*settings, checked.routes, found);
                if (options.broker) ask_for_queues(settings->root.child("broker"), *link, checked.routes, found);
            } else if (options.broker) {
                found.add(Error(Fault::kConfig, "LINK-011", "--broker", settings->root.where(), "asks for a <broker url>"));
            }
            for (const auto& folder : {settings->routes, settings->transforms, settings->codes, settings->programs})
                if (!folder.empty()) workbench::check_secrets_below(folder, found);
            workbench::check_writable({settings->file, settings->file.parent_path(), options.overlay, settings->routes,
                                       settings->schemas, settings->transforms, settings->codes, settings->programs},
                                      found);
        }
    } catch (const Error& e) {
        found.add(e);
    }
    show_findings(found, routes, options.json);
    return found.good() && !(options.strict && !found.sorted().empty()) ? 0 : 3;
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
