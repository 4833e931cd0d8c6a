#include "app/broker_link.hpp"

#include <charconv>

#include "routing/remote.hpp"

namespace clrbus::app {
namespace {

struct BrokerPlace {
    bool tls = false;
    std::string host;
    std::uint16_t port = 0;
};

BrokerPlace broker_place(const Config& broker) {
    const std::string url = broker.get("url");
    const auto wrong = [&](const char* why) -> void {
        broker.fail("LINK-020", "url", std::string(why) + " (expected amqps://HOST:PORT)");
    };
    BrokerPlace out;
    std::string_view rest = url;
    if (rest.starts_with("amqps://")) {
        out.tls = true;
        rest.remove_prefix(8);
    } else if (rest.starts_with("amqp://")) {
        rest.remove_prefix(7);
    } else {
        wrong("no scheme that is known here");
    }
    if (rest.find('@') != std::string_view::npos) wrong("user and password are no part of it: user, password-file");
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.find('/') != std::string_view::npos) wrong("a path: the virtual host is named by virtual-host");
    std::string_view port;
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) wrong("an address that does not end");
        out.host = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
        if (rest.starts_with(':')) port = rest.substr(1);
    } else {
        const auto colon = rest.find(':');
        out.host = rest.substr(0, colon);
        if (colon != std::string_view::npos) port = rest.substr(colon + 1);
    }
    out.port = out.tls ? 5671 : 5672;
    if (!port.empty()) {
        const auto read = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (read.ec != std::errc{} || read.ptr != port.data() + port.size() || out.port == 0) wrong("the port is no number");
    }
    if (out.host.empty()) wrong("no host");
    const bool near = out.host == "localhost" || out.host == "::1" || out.host.starts_with("127.");
    if (!out.tls && !near) wrong("without TLS only this host is connected to");
    return out;
}

}  // namespace

std::optional<LinkOptions> broker_link(const Settings& settings) {
    const Config broker = settings.root.child("broker");
    if (!broker.has("url")) return std::nullopt;
    const BrokerPlace place = broker_place(broker);
    LinkOptions out;
    out.client.host = place.host;
    out.client.port = place.port;
    out.client.hostname = broker.get("virtual-host");
    out.client.user = broker.get("user");
    out.client.anonymous = broker.get_bool("anonymous", false);
    if (!out.client.user.empty()) out.client.password = secret_of(broker, "password", settings.file);
    const auto certificate = resolved_beside(settings.file, broker.get("certificate-file"));
    out.client.certificate = !certificate.empty();
    if (place.tls) {
        crypto::TlsContext::Client tls;
        tls.ca_file = resolved_beside(settings.file, broker.get("ca-file")).string();
        tls.certificate_file = certificate.string();
        tls.key_file = resolved_beside(settings.file, broker.get("key-file")).string();
        out.client.tls = std::make_shared<const crypto::TlsContext>(crypto::TlsContext::client(tls));
    }
    if (out.client.user.empty() && !out.client.certificate && !out.client.anonymous)
        broker.fail("LINK-021", "no user, no certificate-file and not anonymous=\"true\": nobody to log in as");
    const std::string queues = broker.get("queues", "declare");
    out.addresses = queues == "exist"   ? LinkOptions::Addresses::kExist
                    : queues == "plain" ? LinkOptions::Addresses::kPlain
                                        : LinkOptions::Addresses::kDeclare;
    out.prefix = broker.get("prefix", "clrbus.");
    out.window = static_cast<std::uint32_t>(std::min<std::int64_t>(broker.get_int("window", 256), 100'000));
    out.notes_of = notes_of_message;
    out.own_notes = {"generation/", "suspect/"};
    return out;
}

std::set<std::string, std::less<>> inboxes_that_stay(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    std::set<std::string, std::less<>> out;
    for (const auto& route : routes) {
        if (runs_at_home(*route)) out.insert(route->inbox());
    }
    return out;
}

void InboxFollower::prepare(const CompiledRoute& route) {
    others_.prepare(route);
    if (link_ == nullptr) return;
    if (runs_at_home(route)) {
        staying_.insert(route.inbox());
    } else {
        staying_.erase(route.inbox());
    }
    link_->stay(staying_);
}

void InboxFollower::follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) {
    if (link_ != nullptr) {
        staying_ = inboxes_that_stay(routes);
        link_->stay(staying_);
    }
    others_.follow(routes);
}

std::filesystem::path originals_folder(const Settings& settings, const std::filesystem::path& state) {
    const auto shared = resolved_beside(settings.file, settings.root.child("broker").get("originals-folder"));
    return shared.empty() ? state / "originals" : shared;
}

std::string broker_trouble(const amqp::ClientHealth& health) {
    if (!health.open) return health.error.empty() ? "not connected yet" : health.error;
    for (const amqp::LinkHealth& link : health.links) {
        if (!link.error.empty()) return "queue '" + link.address + "': " + link.error;
    }
    return {};
}

}  // namespace clrbus::app
