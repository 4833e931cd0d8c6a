#include "app/bus.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "adapter/adapter.hpp"
#include "all_adapters.hpp"
#include "amqp/listener.hpp"
#include "app/backup.hpp"
#include "app/clr_mount.hpp"
#include "app/endpoint_factory.hpp"
#include "app/reader_tokens.hpp"
#include "app/secrets.hpp"
#include "app/state_dir.hpp"
#include "broker/amqp_nodes.hpp"
#include "broker/embedded_queues.hpp"
#include "clr/institution.hpp"
#include "config/loader.hpp"
#include "core/executor.hpp"
#include "core/log.hpp"
#include "credentials/key_store.hpp"
#include "crypto/aead.hpp"
#include "crypto/certificates.hpp"
#include "crypto/tls.hpp"
#include "http/client.hpp"
#include "http/health.hpp"
#include "http/server.hpp"
#include "http/tokens.hpp"
#include "management/control_socket.hpp"
#include "management/management.hpp"
#include "records/applier.hpp"
#include "records/store.hpp"
#include "routing/assets.hpp"
#include "routing/endpoints.hpp"
#include "routing/engine.hpp"
#include "storage/originals.hpp"
#include "storage/step_state.hpp"

namespace clrbus::app {
namespace {

constexpr std::chrono::seconds kGrace{10};

std::vector<std::string> placeholders(const std::shared_ptr<const CodeLists>& lists, const std::filesystem::path& codes) {
    // The list names values; the store asks for all of them at once, so it is read as a file.
    std::vector<std::string> out = records::StoreOptions::default_placeholders();
    if (!lists || !lists->has("placeholders")) return out;
    std::string text = read_file(codes / "placeholders.csv");
    std::size_t at = text.find('\n');
    while (at != std::string::npos && at + 1 < text.size()) {
        const std::size_t end = text.find('\n', at + 1);
        const std::string line = text.substr(at + 1, end == std::string::npos ? std::string::npos : end - at - 1);
        if (!line.empty()) out.push_back(line.substr(0, line.find(',')));
        at = end;
    }
    return out;
}

// What a user may at which address: publish:ROUTE for in/ROUTE, operate for reading dead letters and inboxes.
class UserRights : public AmqpAccess {
public:
    UserRights(const std::vector<User>& users, const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
        for (const User& user : users) rights_[user.name] = user.may;
        // What an AMQP client sends is stored as it came: a route that drops takes nothing from it.
        for (const auto& route : routes) {
            if (route->drops()) dropping_.insert(route->inbox());
        }
    }
    bool may_publish(std::string_view user, std::string_view address) const override {
        if (address.rfind("in/", 0) != 0 || dropping_.count(address) != 0) return false;
        return has(user, "publish:*") || has(user, "publish:" + std::string(address.substr(3)));
    }
    bool may_read(std::string_view user, std::string_view address) const override {
        return (address.rfind("dead/", 0) == 0 || address.rfind("in/", 0) == 0) && has(user, "operate");
    }

private:
    bool has(std::string_view user, std::string_view right) const {
        const auto found = rights_.find(user);
        return found != rights_.end() && std::find(found->second.begin(), found->second.end(), right) != found->second.end();
    }
    std::map<std::string, std::vector<std::string>, std::less<>> rights_;
    std::set<std::string, std::less<>> dropping_;
};

}  // namespace

struct Bus::Impl {
    Settings settings;
    StateDir dir;
    Clock& clock = system_clock();
    Time started = clock.now();
    std::size_t threads;
    ThreadPool workers;
    ThreadPool splits;
    ThreadPool doors;
    RouteAssets assets;
    LoadedRoutes loaded;
    crypto::KeyFile keys;
    Secrets secrets;
    HttpClient client;
    EmbeddedQueues queues;
    storage::Originals originals;
    records::RecordsStore store;
    clr::Institution institution;
    credentials::KeyStore signing;
    std::unique_ptr<records::Applier> applier;
    std::unique_ptr<Endpoints> endpoints;
    std::unique_ptr<RouteEngine> engine;
    StateDir::Access access;
    amqp::UserStore amqp_users;
    std::unique_ptr<UserRights> rights;
    std::unique_ptr<AmqpNodes> nodes;
    HttpTokens tokens{clock};
    std::unique_ptr<ReaderTokens> readers;
    std::vector<std::unique_ptr<HttpServer>> http;
    std::vector<std::unique_ptr<amqp::AmqpListener>> amqp;
    std::vector<std::unique_ptr<Inbox>> inboxes;
    std::vector<std::pair<std::string, std::unique_ptr<Source>>> sources;  // name for people, door
    std::unique_ptr<ClrMount> clr;
    std::unique_ptr<Management> management;
    std::unique_ptr<ControlServer> control;
    std::map<std::string, std::uint16_t> ports;
    bool stopped = true;
    std::atomic<bool> failed{false};

    Impl(const Settings& given, const std::filesystem::path& state)
        : settings(given),
          dir(state),
          threads(settings.worker_threads != 0 ? settings.worker_threads : std::max(2U, std::thread::hardware_concurrency())),
          workers(threads, "worker"),
          splits(2, "split"),
          doors(2, "door"),
          assets(asset_folders(settings, &secrets)),
          loaded(load_routes(settings.routes, assets)),
          keys(crypto::KeyFile::load_or_create(state / "storage.key")),
          secrets(settings.root, settings.file),
          queues(queue_options()),
          originals((state / "originals").string()),
          store(store_options()),
          institution(clr::Institution::from_config(settings.root, settings.issuer_url)),
          signing(credentials::KeyStore::open(state / "keys", institution.key_url(), clock)) {}

    EmbeddedOptions queue_options() {
        EmbeddedOptions options;
        options.directory = (dir.path() / "queues").string();
        options.segment_bytes = settings.segment_bytes;
        options.disk_reserve = settings.disk_reserve;
        // Nothing more can be accepted: the process ends as on SIGTERM, with another status, and whoever supervises it sees.
        options.on_failure = [this](const std::string&) {
            failed = true;
            kill(getpid(), SIGTERM);
        };
        return options;
    }

    records::StoreOptions store_options() {
        records::StoreOptions options;
        options.dir = dir.path() / "records";
        options.keys = &keys;
        options.institution_codes = settings.institution_codes;
        options.placeholders = placeholders(assets.code_lists(), settings.codes);
        if (!settings.match.empty()) options.match_schemes = settings.match;
        return options;
    }

    void build();
    void build_listener(const Listen& listen, const crypto::DevCertificates& development);
    void build_doors();
    void build_endpoints();
    AdapterContext adapter_context(const Config& endpoint);
    std::vector<DoorHealth> door_health() const;
    std::vector<HealthPart> health() const;
    void stop();
};

// A connection costs a descriptor, and the usual soft limit of 1024 is less than what the listeners are made for.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65536);
    setrlimit(RLIMIT_NOFILE, &limit);
}

void Bus::Impl::build() {
    raise_descriptor_limit();
    build_endpoints();
    engine = std::make_unique<RouteEngine>(
        RouteEngine::Parts{queues, originals, workers, splits, clock, dir.path(), settings.limits, endpoints.get()},
        loaded.routes);
    // What was accepted stays until its retention ends; what a crash left half written goes.
    originals.sweep([](const std::string&) { return true; });
    applier = std::make_unique<records::Applier>(store, queues, workers);

    const auto development = crypto::make_dev_certificates(dir.path() / "tls", {"localhost", "127.0.0.1", "::1"});
    std::vector<User> users = settings.users;
    std::vector<Token> all_tokens = settings.tokens;
    if (settings.development_access) {
        std::vector<std::string> ids;
        for (const auto& route : loaded.routes) ids.push_back(route->id());
        access = dir.development_access(ids, std::filesystem::absolute(development.ca));
        users.insert(users.end(), access.users.begin(), access.users.end());
        all_tokens.insert(all_tokens.end(), access.tokens.begin(), access.tokens.end());
    }
    amqp::UserStore::Users certificates;
    for (const User& user : users) {
        if (!user.certificate.empty()) certificates.certificates[user.certificate] = user.name;
    }
    amqp_users.replace(std::move(certificates));
    for (const User& user : users) {
        if (!user.password.empty()) amqp_users.add(user.name, user.password);
    }
    rights = std::make_unique<UserRights>(users, loaded.routes);
    std::vector<HttpTokens::Entry> entries;
    for (const Token& token : all_tokens) {
        HttpTokens::check_strength(token.name, token.token);
        entries.push_back({token.name, HttpTokens::hash(token.token), token.may});
        entries.back().may.emplace_back("known");  // every token has it: whoever asks is somebody
    }
    nodes = std::make_unique<AmqpNodes>(queues, workers, *rights, clock);
    readers = std::make_unique<ReaderTokens>(dir.path() / "readers.json", tokens, entries);
    clr = std::make_unique<ClrMount>(settings, institution, dir.path(), store, signing, tokens, clock);

    for (const Listen& listen : settings.listens) build_listener(listen, development);
    build_doors();

    management = std::make_unique<Management>(Management::Parts{
        queues, *engine, store, signing, clock, [this] { return door_health(); }, [this] { return endpoints->states(); },
        [this](const std::string& route) { return endpoints->resume(route); }, [this] { return queues.failure(); },
        [this](const std::string& learner) { return readers->issue(learner); },
        [this](const std::string& who, const std::string& learner, const std::string& alg) {
            return clr->sign(who, learner, alg);
        },
        [this](const std::string& target) {
            const auto copy = [this](const std::filesystem::path& to) {
                storage::copy_step_state(dir.path() / "state.db", to);
            };
            const BackupDone done = make_backup({queues, store, dir.path(), CLRBUS_VERSION, {{"state.db", copy}}}, target);
            return Management::Parts::BackedUp{done.files, done.bytes, done.made};
        },
        CLRBUS_VERSION, started});
}

void Bus::Impl::build_listener(const Listen& listen, const crypto::DevCertificates& development) {
    const auto certificate = listen.certificate.empty() ? development.certificate : listen.certificate;
    const auto key = listen.key.empty() ? development.key : listen.key;
    const bool secure = listen.protocol == Listen::Protocol::kAmqps || listen.protocol == Listen::Protocol::kHttps;
    if (listen.protocol == Listen::Protocol::kHttp || listen.protocol == Listen::Protocol::kHttps) {
        HttpServerOptions options;
        options.address = listen.address;
        options.port = listen.port;
        if (secure) {
            options.certificate = certificate;
            options.key = key;
            options.client_ca = listen.client_ca;
        }
        auto server = std::make_unique<HttpServer>(options);
        server->mount(
            {"/health",
             {"GET"},
             health_handler([this] { return health(); }, [this](const HttpRequest& r) { return tokens.may(r, "operate"); })});
        server->mount({"/metrics", {"GET"}, [this, metrics = metrics_handler()](const std::shared_ptr<HttpExchange>& exchange) {
                           auto check = tokens.check(exchange->request(), "operate");
                           if (check.refuse) return exchange->respond(std::move(*check.refuse));
                           metrics(exchange);
                       }});
        clr->mount(*server);
        ports[listen.name] = server->port();
        http.push_back(std::move(server));
        return;
    }
    amqp::AmqpListener::Options options;
    options.address = listen.address;
    options.port = listen.port;
    if (secure) {
        options.tls = std::make_shared<const crypto::TlsContext>(
            crypto::TlsContext::server({certificate.string(), key.string(), listen.client_ca.string(), false}));
    }
    options.plain_on_loopback = true;
    auto listener = std::make_unique<amqp::AmqpListener>(options, amqp_users, *nodes);
    ports[listen.name] = listener->port();
    amqp.push_back(std::move(listener));
}

// What every adapter is given, whichever way it goes.
AdapterContext Bus::Impl::adapter_context(const Config& endpoint) {
    AdapterContext context;
    context.config = endpoint;
    context.http = http.empty() ? nullptr : http.front().get();
    context.tokens = http.empty() ? nullptr : &tokens;
    context.client = &client;
    context.executor = &doors;
    context.clock = &clock;
    context.state_dir = dir.path();
    context.secret = [this](std::string_view name) { return secrets.get(name); };
    return context;
}

void Bus::Impl::build_doors() {
    const auto known = adapters::all_adapters();
    const auto open = [&](const std::shared_ptr<const CompiledRoute>& route, const Config& door, const Config& endpoint,
                          const AdapterInfo& info) {
        AdapterContext context = adapter_context(endpoint);
        inboxes.push_back(engine->inbox(*route, door));
        context.inbox = inboxes.back().get();
        sources.emplace_back(route->id() + " " + std::string(info.name), info.source(context));
    };
    for (const auto& route : loaded.routes) {
        for (const Config& door : route->doors()) {
            const Config endpoint = door.children().front();
            const auto found = std::find_if(known.begin(), known.end(),
                                            [&](const AdapterInfo* a) { return a->namespace_uri == endpoint.namespace_uri(); });
            if (found == known.end() || (*found)->source == nullptr) {
                endpoint.fail("CHECK-001", "no adapter has the namespace '" + std::string(endpoint.namespace_uri()) + "'");
            }
            open(route, door, endpoint, **found);
        }
    }
}

// Sinks and responders are made when the routes that name them come into force, now or later.
void Bus::Impl::build_endpoints() {
    endpoints = std::make_unique<Endpoints>(
        Endpoints::Parts{queues, workers, clock, [this](const Config& element) { return make_sink(adapter_context(element)); },
                         [this](const Config& element) { return make_responder(adapter_context(element)); }});
}

std::vector<DoorHealth> Bus::Impl::door_health() const {
    std::vector<DoorHealth> out;
    for (const auto& [name, source] : sources) {
        const Source::Health health = source->health();
        out.push_back({name, health.ok, health.text, health.since});
    }
    return out;
}

std::vector<HealthPart> Bus::Impl::health() const {
    std::vector<HealthPart> out;
    out.push_back({"journal", queues.failure().empty(), queues.failure()});
    for (const RouteState& state : engine->states()) out.push_back({"route '" + state.id + "'", !state.paused, state.reason});
    for (const DoorHealth& door : door_health()) out.push_back({"door " + door.door, door.ok, door.text});
    for (const EndpointState& one : endpoints->states()) {
        // A far side that is away is no fault of this process; what waits for a person is.
        const bool ours = one.kind == EndpointState::Kind::kPaused || one.kind == EndpointState::Kind::kBroken;
        const bool away = one.kind == EndpointState::Kind::kAway;
        out.push_back(
            {"endpoint " + one.queue, !ours, away ? "away since " + to_rfc3339(one.since) + ": " + one.code : one.code});
    }
    return out;
}

void Bus::Impl::stop() {
    if (std::exchange(stopped, true)) return;
    control.reset();
    for (auto& [name, source] : sources) source->stop();
    for (auto& server : http) server->stop(kGrace);
    for (auto& listener : amqp) listener->stop(kGrace);
    engine->stop();
    {
        // What is on its way may arrive; what takes longer is cut off and goes out again after the next start.
        std::jthread cut([this](const std::stop_token& stop) {
            std::mutex mutex;
            std::unique_lock lock(mutex);
            std::condition_variable_any ended;
            ended.wait_for(lock, stop, kGrace, [] { return false; });
            client.stop();
        });
        endpoints->stop();
    }
    applier->stop();
    splits.stop();
    doors.stop();
    workers.stop();
}

Bus::Bus(const Settings& settings, const std::filesystem::path& state_dir)
    : impl_(std::make_unique<Impl>(settings, state_dir)) {
    impl_->build();
}

Bus::~Bus() {
    impl_->stop();
}

void Bus::start() {
    impl_->stopped = false;
    impl_->applier->start();
    impl_->endpoints->start();
    impl_->engine->start();
    for (auto& [name, source] : impl_->sources) source->start();
    for (auto& server : impl_->http) server->start();
    for (auto& listener : impl_->amqp) listener->start();
    impl_->control = std::make_unique<ControlServer>(
        impl_->dir.path() / "control.sock",
        [this](std::string_view request, const std::string& who) { return impl_->management->call(request, who); });
    impl_->dir.write_ports(impl_->ports);
    log::info("bus", "running: " + std::to_string(impl_->loaded.routes.size()) + " routes");
}

void Bus::stop() {
    impl_->stop();
}

const std::map<std::string, std::uint16_t>& Bus::ports() const {
    return impl_->ports;
}
bool Bus::failed() const {
    return impl_->failed;
}
const std::vector<Error>& Bus::route_errors() const {
    return impl_->loaded.errors;
}

}  // namespace clrbus::app
