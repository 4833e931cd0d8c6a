#include "app/bus.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "adapter/adapter.hpp"
#include "alerts/alerts.hpp"
#include "alerts/settings.hpp"
#include "amqp/listener.hpp"
#include "app/backup.hpp"
#include "app/broker_link.hpp"
#include "app/clr_mount.hpp"
#include "app/doors.hpp"
#include "app/endpoint_factory.hpp"
#include "app/expiries.hpp"
#include "app/reader_tokens.hpp"
#include "app/secrets.hpp"
#include "app/state_dir.hpp"
#include "app/user_rights.hpp"
#include "broker/amqp_nodes.hpp"
#include "broker/embedded_queues.hpp"
#include "broker/link_queues.hpp"
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
#include "routing/reloader.hpp"
#include "routing/remote.hpp"
#include "routing/route_watch.hpp"
#include "storage/file.hpp"
#include "storage/originals.hpp"
#include "storage/step_state.hpp"
#include "telemetry/exporter.hpp"
#include "trace/index.hpp"
#include "trace/key_hasher.hpp"
#include "trace/statistics.hpp"

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

std::vector<std::string> route_ids(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    std::vector<std::string> out;
    for (const auto& route : routes) out.push_back(route->id());
    return out;
}

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown host";
}

HttpTokens::Entry token_entry(const Token& token) {
    HttpTokens::check_strength(token.name, token.token);
    HttpTokens::Entry out{token.name, HttpTokens::hash(token.token), token.may, token.expires};
    out.may.emplace_back("known");  // every token has it: whoever asks is somebody
    return out;
}

}  // namespace

struct Bus::Impl {
    Settings settings;
    const bool records_only;
    StateDir dir;
    Clock& clock = system_clock();
    Time started = clock.now();
    std::size_t threads;
    ThreadPool workers;
    ThreadPool splits;
    ThreadPool doors;
    RouteAssets assets;
    crypto::KeyFile keys;
    Secrets secrets;
    HttpClient client;
    trace::KeyHasher hasher;
    trace::Index index;                // follows the books
    EmbeddedQueues queues;             // the books
    std::unique_ptr<LinkQueues> link;  // over another broker, when one is named
    Queues& shared;                    // link, else queues: what everybody uses
    storage::Originals originals;
    records::RecordsStore store;
    clr::Institution institution;
    credentials::KeyStore signing;
    std::unique_ptr<records::Applier> applier;
    std::unique_ptr<trace::Statistics> statistics;
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
    std::unique_ptr<Doors> sources;
    std::unique_ptr<InboxFollower> followers;      // in front of sources
    std::vector<HttpTokens::Entry> token_entries;  // of the configuration
    std::optional<std::filesystem::path> development_ca;
    std::unique_ptr<RouteReloader> reloader;
    std::unique_ptr<ClrMount> clr;
    Expiries expiries{settings};
    std::unique_ptr<telemetry::Exporter> exporter;
    std::unique_ptr<alerts::Alerts> alerts;
    std::unique_ptr<Management> management;
    std::unique_ptr<ControlServer> control;
    std::unique_ptr<RouteWatch> watch;  // calls back into all of the above
    std::map<std::string, std::uint16_t> ports;
    bool stopped = true;
    std::atomic<bool> failed{false};

    Impl(const Settings& given, const std::filesystem::path& state, bool without_routes)
        : settings(given),
          records_only(without_routes),
          dir(state),
          threads(settings.worker_threads != 0 ? settings.worker_threads : std::max(2U, std::thread::hardware_concurrency())),
          workers(threads, "worker"),
          splits(2, "split"),
          doors(2, "door"),
          assets(asset_folders(settings, &secrets)),
          keys(crypto::KeyFile::load_or_create(state / "storage.key")),
          secrets(settings.root, settings.file),
          hasher(keys.derive(trace::kKeyPurpose)),
          index(index_options()),
          queues(queue_options()),
          link(make_link()),
          shared(link ? static_cast<Queues&>(*link) : queues),
          originals(originals_folder(settings, state).string()),
          store(store_options()),
          institution(clr::Institution::from_config(settings.root, settings.issuer_url)),
          signing(credentials::KeyStore::open(state / "keys", institution.key_url(), clock)) {}

    std::unique_ptr<LinkQueues> make_link() {
        auto options = broker_link(settings);
        if (!options && records_only)
            throw Error(Fault::kConfig, "LINK-023", "starting with --role records",
                        "there is no <broker url> that workers could use");
        if (!options) return nullptr;
        options->client.container = "clrbus-books";
        options->stay = inboxes_that_stay(load_routes(settings.routes, assets).routes);
        if (!records_only) options->window = 0;  // as many as routes here ask for
        return std::make_unique<LinkQueues>(queues, std::move(*options));
    }

    trace::IndexOptions index_options() const {
        trace::IndexOptions options;
        options.directory = (dir.path() / "trace").string();
        return options;
    }

    EmbeddedOptions queue_options() {
        EmbeddedOptions options;
        options.follower = &index;
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
    void build_endpoints();
    alerts::Limits build_alerts();
    void follow_rights(const std::vector<std::shared_ptr<const CompiledRoute>>& routes);
    void follow_approvals(const std::vector<std::shared_ptr<const CompiledRoute>>& routes);
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
    reloader = std::make_unique<RouteReloader>(
        RouteReloader::Parts{queues, workers, clock, dir.path(), settings.routes, assets, settings.keep_last_good});
    engine = std::make_unique<RouteEngine>(
        RouteEngine::Parts{.queues = shared,
                           .originals = originals,
                           .workers = workers,
                           .splits = splits,
                           .clock = clock,
                           .state_dir = dir.path(),
                           .limits = settings.limits,
                           .endpoints = endpoints.get(),
                           .runs = [this](const CompiledRoute& route) { return !records_only || runs_at_home(route); },
                           .hasher = &hasher},
        reloader->first(), [this](const CompiledRoute& route, bool fresh) {
            try {
                reloader->keeper("start", "start of the bus")(route, fresh);
            } catch (const Error& e) {  // a full disk must not keep the bus from starting
                log::warn("route", std::string("a generation is not kept: ") + e.what());
            }
        });
    // What was accepted stays until its retention ends; what a crash left half written goes.
    originals.sweep([](const std::string&) { return true; });
    applier = std::make_unique<records::Applier>(store, shared, workers);
    statistics = std::make_unique<trace::Statistics>(shared, clock, (dir.path() / "statistics").string());

    const auto development = crypto::make_dev_certificates(dir.path() / "tls", {"localhost", "127.0.0.1", "::1"});
    std::vector<User> users = settings.users;
    std::vector<Token> all_tokens = settings.tokens;
    if (settings.development_access) {
        development_ca = std::filesystem::absolute(development.ca);
        access = dir.development_access(route_ids(engine->routes()), *development_ca);
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
    rights = std::make_unique<UserRights>(users);
    rights->follow(engine->routes());
    follow_approvals(engine->routes());
    for (const Token& token : settings.tokens) token_entries.push_back(token_entry(token));
    std::vector<HttpTokens::Entry> entries;
    for (const Token& token : all_tokens) entries.push_back(token_entry(token));
    nodes = std::make_unique<AmqpNodes>(shared, workers, *rights, clock);
    readers = std::make_unique<ReaderTokens>(dir.path() / "readers.json", tokens, entries);
    clr = std::make_unique<ClrMount>(settings, institution, dir.path(), store, signing, tokens, clock);

    for (const Listen& listen : settings.listens) build_listener(listen, development);
    sources =
        std::make_unique<Doors>(Doors::Parts{*engine, [this](const Config& endpoint) { return adapter_context(endpoint); },
                                             [this](const auto& routes) { follow_rights(routes); }});

    if (const Config element = settings.root.child("telemetry")) {
        telemetry::ExportOptions options =
            telemetry::read_export_options(element, std::filesystem::absolute(settings.file).parent_path(),
                                           [this](std::string_view name) { return secrets.get(name); });
        options.instance = host_name();
        options.version = CLRBUS_VERSION;
        exporter = std::make_unique<telemetry::Exporter>(std::move(options), client);
    }
    const alerts::Limits limits = build_alerts();
    followers = std::make_unique<InboxFollower>(link.get(), *sources);

    management = std::make_unique<Management>(Management::Parts{
        shared,
        *engine,
        store,
        signing,
        clock,
        [this] { return door_health(); },
        [this] { return endpoints->states(); },
        [this](const std::string& route) { return endpoints->resume(route); },
        [this] { return queues.failure(); },
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
        CLRBUS_VERSION,
        started,
        *reloader,
        *statistics,
        index,
        hasher,
        *alerts,
        limits,
        [this] {
            return Management::Parts::Disk{storage::real_files().free_bytes(dir.path().string()), settings.disk_reserve};
        },
        [this] { return expiries.list(engine->routes()); }});
}

alerts::Limits Bus::Impl::build_alerts() {
    const Config element = settings.root.child("alerts");
    alerts::AlertSettings read = alerts::read_alert_settings(element, settings.disk_reserve * 2);
    read.options.file = dir.path() / "alerts.json";
    read.options.clock = &clock;
    read.options.instance = settings.issuer_name + " (" + host_name() + ")";
    alerts = std::make_unique<alerts::Alerts>(
        read.options,
        alerts::make_channels(element, {client, clock, [this](std::string_view name) { return secrets.get(name); },
                                        std::filesystem::absolute(settings.file).parent_path()}));
    return read.limits;
}

void Bus::Impl::build_listener(const Listen& listen, const crypto::DevCertificates& development) {
    const auto certificate = listen.certificate.empty() ? development.certificate : listen.certificate;
    const auto key = listen.key.empty() ? development.key : listen.key;
    const bool secure = listen.protocol == Listen::Protocol::kAmqps || listen.protocol == Listen::Protocol::kHttps;
    if (secure) expiries.listener_uses(listen.name, certificate);
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
        // Between two generations of a door nobody is there for a moment: who comes then is to come again.
        HttpMount gap{.prefix = "/in", .methods = {"GET", "POST"}, .handle = [](const std::shared_ptr<HttpExchange>& exchange) {
                          exchange->respond(http_problem(404, "HTTP-010", "there is nothing here"));
                      }};
        gap.admit = [this](const HttpRequest& request) {
            HttpAdmission admission;
            const std::string_view path = request.path;
            const std::string_view rest = path.substr(std::min<std::size_t>(path.size(), 4));
            if (sources && sources->restarting(rest.substr(0, rest.find('/'))))
                admission.refuse = http_unavailable("HTTP-011", "the door is being opened anew", 1);
            return admission;
        };
        server->mount(std::move(gap));
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

// Sinks and responders are made when the routes that name them come into force, now or later.
void Bus::Impl::build_endpoints() {
    endpoints = std::make_unique<Endpoints>(
        Endpoints::Parts{shared, workers, clock, [this](const Config& element) { return make_sink(adapter_context(element)); },
                         [this](const Config& element) { return make_responder(adapter_context(element)); }});
}

// Which routes need their steward's word. The same content in a new generation (a rollback, a change that was taken back) keeps
// the word that it had.
void Bus::Impl::follow_approvals(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    std::map<std::string, bool> said;
    for (const auto& route : routes) {
        if (route->element().has("approval")) said[route->id()] = route->element().get("approval") == "required";
    }
    store.approvals().needed([said = std::move(said), otherwise = settings.approval_required](const std::string& route) {
        const auto found = said.find(route);
        return found == said.end() ? otherwise : found->second;
    });
    for (const auto& route : routes) {
        const records::Approvals& approvals = store.approvals();
        if (!approvals.needs(route->id()) || approvals.approved(route->id(), route->generation)) continue;
        const std::int64_t before = approvals.approved_content(route->id(), route->hash());
        if (before == 0) continue;
        records::ApprovalLine line;
        line.route = route->id();
        line.generation = route->generation;
        line.hash = route->hash();
        line.steward = route->steward();
        line.who = "clrbus";
        line.why = "the content that was approved before";
        line.same_as = before;
        store.approve(std::move(line));
    }
}

// Who may publish where, when the routes changed.
void Bus::Impl::follow_rights(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    rights->follow(routes);
    follow_approvals(routes);
    if (!development_ca) return;
    access = dir.development_access(route_ids(routes), *development_ca);
    std::vector<HttpTokens::Entry> entries = token_entries;
    for (const Token& token : access.tokens) entries.push_back(token_entry(token));
    readers->base(std::move(entries));
}

std::vector<DoorHealth> Bus::Impl::door_health() const {
    std::vector<DoorHealth> out = sources->health();
    if (link) {
        const amqp::ClientHealth health = link->health();
        const std::string trouble = broker_trouble(health);
        out.push_back({"broker", trouble.empty(), trouble, health.since});
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
    // A refused change is said, and is no reason to send the traffic elsewhere while the generation before runs on.
    for (const RouteReloader::Refused& one : reloader->refused()) {
        out.push_back({one.route.empty() ? "file '" + one.file.string() + "'" : "change of route '" + one.route + "'", one.runs,
                       "refused since " + to_rfc3339(one.since) + ": " + one.code + ": " + one.text});
    }
    return out;
}

void Bus::Impl::stop() {
    if (std::exchange(stopped, true)) return;
    watch.reset();
    control.reset();
    alerts->stop();
    sources->stop();
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
    statistics->stop();
    if (link) link->stop(kGrace);
    splits.stop();
    doors.stop();
    workers.stop();
}

Bus::Bus(const Settings& settings, const std::filesystem::path& state_dir, bool records_only)
    : impl_(std::make_unique<Impl>(settings, state_dir, records_only)) {
    impl_->build();
}

Bus::~Bus() {
    impl_->stop();
}

void Bus::start() {
    impl_->stopped = false;
    if (impl_->link) impl_->link->start();
    impl_->applier->start();
    impl_->statistics->start();
    impl_->index.start();
    impl_->endpoints->start();
    impl_->engine->start();
    impl_->reloader->begin(*impl_->engine, *impl_->followers);
    for (auto& server : impl_->http) server->start();
    for (auto& listener : impl_->amqp) listener->start();
    impl_->control = std::make_unique<ControlServer>(
        impl_->dir.path() / "control.sock",
        [this](std::string_view request, const std::string& who) { return impl_->management->call(request, who); });
    impl_->alerts->start([this] { return impl_->management->conditions(); });
    if (impl_->settings.watch_routes) {
        RouteWatch::Options options;
        options.settle = impl_->settings.routes_settle;
        impl_->watch = std::make_unique<RouteWatch>(
            impl_->reloader->folders(), [this, options] { impl_->reloader->reload("files", options.settle); }, options);
    }
    impl_->dir.write_ports(impl_->ports);
    impl_->signing.make_missing();  // the slow one; the start does not wait for it
    log::info("bus", "running: " + std::to_string(impl_->engine->routes().size()) + " routes");
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
void Bus::reload(const std::string& by) {
    for (const auto& server : impl_->http) {
        try {
            if (!server->tls()) continue;
            server->reload_certificate();
            for (const auto& [name, port] : impl_->ports) {
                if (port == server->port()) impl_->expiries.listener_reread(name);
            }
        } catch (const Error& e) {
            log::error("http", std::string("the certificate of before stays: ") + e.what());
        }
    }
    try {
        impl_->reloader->reload(by);
    } catch (const Error& e) {
        log::error("route", std::string("loading the routes again: ") + e.what());
    }
}
void Bus::abandon() {
    impl_->engine->abandon();
}

}  // namespace clrbus::app
