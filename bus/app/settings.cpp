#include "app/settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "app/expiries.hpp"
#include "app/secrets.hpp"
#include "config/loader.hpp"
#include "crypto/secret_file.hpp"
#include "xml/schemas.hpp"

namespace clrbus::app {
namespace {

bool loopback(const std::string& address) {
    return address == "localhost" || address == "::1" || address.rfind("127.", 0) == 0;
}

Listen read_listen(const Config& element, const std::filesystem::path& file) {
    Listen out;
    out.element = element;
    out.name = element.require("protocol");
    out.protocol = out.name == "amqp"    ? Listen::Protocol::kAmqp
                   : out.name == "amqps" ? Listen::Protocol::kAmqps
                   : out.name == "http"  ? Listen::Protocol::kHttp
                                         : Listen::Protocol::kHttps;
    out.address = element.get("address", "127.0.0.1");
    out.port = static_cast<std::uint16_t>(element.get_int("port", 0));
    out.certificate = resolved_beside(file, element.get("certificate-file"));
    out.key = resolved_beside(file, element.get("key-file"));
    out.client_ca = resolved_beside(file, element.get("client-ca-file"));
    if (out.certificate.empty() != out.key.empty()) element.fail("CONF-023", "certificate-file and key-file belong together");
    const bool plain = out.protocol == Listen::Protocol::kAmqp || out.protocol == Listen::Protocol::kHttp;
    if (plain && !loopback(out.address))
        element.fail("CONF-024", "address",
                     "without TLS only loopback is listened on (expected " + out.name + "s, or 127.0.0.1)");
    return out;
}

}  // namespace

RouteAssetFolders asset_folders(const Settings& settings, const Secrets* secrets) {
    RouteAssetFolders out;
    out.schemas = settings.schemas;
    out.transforms = settings.transforms;
    out.codes = settings.codes;
    out.adapter_schemas = settings.adapter_schemas;
    out.zone = settings.zone;
    out.properties = settings.properties;
    out.programs = settings.programs;
    out.programs_user = settings.programs_user;
    if (secrets != nullptr) out.secret = [secrets](std::string_view name) { return secrets->get(name); };
    return out;
}

std::filesystem::path resolved_beside(const std::filesystem::path& file, const std::string& path) {
    if (path.empty()) return {};
    const std::filesystem::path given(path);
    return given.is_absolute() ? given : (std::filesystem::absolute(file).parent_path() / given).lexically_normal();
}

std::string secret_of(const Config& element, const std::string& what, const std::filesystem::path& file) {
    const bool from_file = element.has(what + "-file"), from_env = element.has(what + "-env");
    if (from_file == from_env) element.fail("CONF-020", "exactly one of " + what + "-file and " + what + "-env");
    std::string value;
    if (from_file) {
        value = crypto::read_secret_file(resolved_beside(file, element.get(what + "-file")));
    } else {
        const char* found = std::getenv(element.get(what + "-env").c_str());
        if (found == nullptr) element.fail("CONF-021", what + "-env", "the environment variable is not set");
        value = found;
    }
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
    if (value.empty()) element.fail("CONF-022", "the " + what + " is empty");
    return value;
}

std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string word; in >> word;) out.push_back(word);
    return out;
}

std::filesystem::path schemas_of(const std::filesystem::path& file) {
    const Config config = ConfigLoader(nullptr).load(file);
    return resolved_beside(file, config.child("schemas").get("folder", "../xsd"));
}

Settings read_settings(const std::filesystem::path& file, const std::filesystem::path& overlay) {
    const auto xsd = schemas_of(file);
    const ConfigLoader loader(Schemas::load({xsd / "configuration.xsd"}));
    Config config = loader.load(file);
    if (!overlay.empty()) config = ConfigLoader::overlay(config, loader.load(overlay));

    Settings out;
    out.file = file;
    out.root = config;
    const Config institution = config.child("institution");
    out.issuer_id = institution.get("id", "https://registrar.example.edu/issuers/1");
    out.issuer_name = institution.get("name", "Unnamed institution");
    out.issuer_url = institution.get("url", out.issuer_id);
    out.issuer_email = institution.get("email");
    out.zone = institution.get("zone", "Z");
    for (const Config& code : institution.children("code"))
        out.institution_codes.push_back(code.get("scheme") + ":" + code.get("value"));
    out.test_instance = config.child("instance").get("kind") == "test";
    for (const Config& listen : config.children("listen")) out.listens.push_back(read_listen(listen, file));
    const Config access = config.child("access");
    out.development_access = access.get_bool("development", false);
    for (const Config& user : access.children("user")) {
        // A user has a password, a client certificate, or both.
        const bool password = user.has("password-file") || user.has("password-env");
        if (!password && !user.has("certificate"))
            user.fail("CONF-026", "a user needs a password-file, a password-env or a certificate");
        out.users.push_back({user.require("name"), password ? secret_of(user, "password", file) : "", user.get("certificate"),
                             words(user.get("may"))});
    }
    for (const Config& token : access.children("token"))
        out.tokens.push_back({token.require("name"), secret_of(token, "token", file), words(token.get("may")),
                              token.has("expires") ? end_of_day(token.get("expires")) : Time{}});
    if (out.development_access) {
        for (const Listen& listen : out.listens) {
            if (!loopback(listen.address))
                access.fail("CONF-025", "development",
                            "development access is for loopback alone, and " + listen.name + " listens on " + listen.address);
        }
    }
    const Config broker = config.child("broker");
    out.limits.max_messages = static_cast<std::uint64_t>(broker.get_int("max-messages", 10'000'000));
    out.limits.max_bytes = static_cast<std::uint64_t>(broker.get_int("max-bytes", 64LL << 30));
    out.segment_bytes = static_cast<std::uint32_t>(broker.get_int("segment-bytes", 64 << 20));
    out.disk_reserve = static_cast<std::uint64_t>(broker.get_int("min-free-bytes", 1LL << 30));
    out.match = words(config.child("records").get("match"));
    out.approval_required = config.child("records").get("approval", "none") == "required";
    out.routes = resolved_beside(file, config.child("routes").get("folder", "../routes"));
    out.schemas = xsd;
    out.transforms = resolved_beside(file, config.child("transforms").get("folder", "../transforms"));
    out.codes = resolved_beside(file, config.child("codes").get("folder", "codes"));
    const auto adapters = (xsd / ".." / "adapters").lexically_normal();
    if (std::filesystem::is_directory(adapters)) {
        for (const auto& entry : std::filesystem::directory_iterator(adapters)) {
            if (std::filesystem::is_regular_file(entry.path() / "config.xsd"))
                out.adapter_schemas.push_back(entry.path() / "config.xsd");
        }
        std::sort(out.adapter_schemas.begin(), out.adapter_schemas.end());
    }
    const std::string level = config.child("log").get("level", "info");
    out.log_level = level == "debug"   ? log::Level::kDebug
                    : level == "warn"  ? log::Level::kWarn
                    : level == "error" ? log::Level::kError
                                       : log::Level::kInfo;
    for (const Config& property : config.child("properties").children("property")) {
        if (!out.properties.emplace(property.require("name"), property.get("value")).second)
            property.fail("CONF-040", "name", "there are two properties of this name");
    }
    out.programs = resolved_beside(file, config.child("programs").get("folder"));
    out.programs_user = config.child("programs").get("user");
    out.worker_threads = static_cast<std::size_t>(config.child("workers").get_int("threads", 0));
    out.drain = config.child("workers").get_duration("drain", std::chrono::seconds(30));
    const Config routes = config.child("routes");
    out.watch_routes = routes.get_bool("watch", true);
    out.routes_settle = routes.get_duration("settle", std::chrono::milliseconds(500));
    out.keep_last_good = routes.get("when-broken", "stop") == "last-good";
    return out;
}

}  // namespace clrbus::app
