// The configuration as the program uses it: conf/clrbus.xml with its overlay, folders resolved. Value type.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "broker/queues.hpp"
#include "config/config.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "routing/assets.hpp"

namespace clrbus::app {

class Secrets;

struct Listen {
    enum class Protocol : std::uint8_t { kAmqp, kAmqps, kHttp, kHttps };
    Protocol protocol = Protocol::kAmqp;
    std::string name;  // "amqp"; as in ports.json
    std::string address;
    std::uint16_t port = 0;
    std::filesystem::path certificate, key, client_ca;
    Config element;
};

struct User {
    std::string name, password;
    std::string certificate;  // subject of a client certificate that stands for the user (EXTERNAL); may be empty
    std::vector<std::string> may;
};
struct Token {
    std::string name, token;
    std::vector<std::string> may;
    Time expires{};  // Time{}: never
};

struct Settings {
    std::filesystem::path file;
    Config root;
    std::string issuer_id, issuer_name, issuer_url, issuer_email, zone = "Z";
    std::vector<std::string> institution_codes;  // SCHEME:VALUE
    bool test_instance = false;
    std::vector<Listen> listens;
    bool development_access = false;
    std::vector<User> users;
    std::vector<Token> tokens;
    QueueLimits limits;
    std::uint32_t segment_bytes = 64U << 20;
    std::uint64_t disk_reserve = 1ULL << 30;
    std::vector<std::string> match;
    bool approval_required = false;  // of a route that does not say
    std::filesystem::path routes, schemas, transforms, codes;
    std::vector<std::filesystem::path> adapter_schemas;  // adapters/NAME/config.xsd beside xsd/
    log::Level log_level = log::Level::kInfo;
    std::map<std::string, std::string> properties;  // $property-NAME in routes
    std::filesystem::path programs;                 // the only folder whose programs a route may run; empty: none may
    std::string programs_user;                      // whose rights they have; empty: the bus's own
    std::size_t worker_threads = 0;                 // 0: one a core
    bool watch_routes = true;                       // take changed routes by themselves
    std::chrono::milliseconds routes_settle{500};
    bool keep_last_good = false;              // a route that does not compile at a start runs its last generation
    std::chrono::milliseconds drain{30'000};  // for what is in hand when the process is to end
};

// Throws Error(kConfig) with file, line and what was expected. overlay may be empty.
Settings read_settings(const std::filesystem::path& file, const std::filesystem::path& overlay);

// The xsd/ folder that belongs to a configuration: <schemas folder>, else ../xsd beside it.
std::filesystem::path schemas_of(const std::filesystem::path& file);

// What routes are compiled from. secrets outlives the routes; null: f:hmac finds none.
RouteAssetFolders asset_folders(const Settings& settings, const Secrets* secrets);

// A relative path in a configuration means: beside it. Empty stays empty.
std::filesystem::path resolved_beside(const std::filesystem::path& file, const std::string& path);

// what="password": the value that password-file or password-env names, exactly one of them. Throws Error(kConfig).
std::string secret_of(const Config& element, const std::string& what, const std::filesystem::path& file);

std::vector<std::string> words(const std::string& text);

}  // namespace clrbus::app
