#include "adapters_http_listen/listen_config.hpp"

#include <algorithm>
#include <sstream>

#include "http/request_head.hpp"

namespace clrbus::adapters::http_listen {

namespace {

constexpr std::uint64_t kPlainMost = 16 << 20;
constexpr std::uint64_t kSignedMost = 1 << 20;

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

std::string checked_path(const Config& config, const Inbox& inbox) {
    std::string path = config.get("path", "/in/" + inbox.route());
    if (path.empty() || path.front() != '/') config.fail("HTL-010", "path", "a path that begins with '/'");
    if (path.size() == 1 || path.back() == '/') config.fail("HTL-010", "path", "a path that does not end with '/'");
    try {
        if (read_http_path(path) != path) config.fail("HTL-010", "path", "a path without percent sequences");
    } catch (const HttpRefusal& refusal) {
        config.fail("HTL-010", "path", std::string(refusal.what));
    }
    return path;
}

// Relative to the file that names it.
std::filesystem::path checked_key_file(const Config& config, bool jwt) {
    std::filesystem::path file = config.get("jwks-file");
    if (!jwt) {
        if (!file.empty()) config.fail("HTL-011", "jwks-file", "has no use without authentication='jwt'");
        return {};
    }
    if (file.empty()) config.fail("HTL-011", "jwks-file", "the sender's public keys are needed");
    if (file.is_relative()) file = std::filesystem::path(config.where().file).parent_path() / file;
    return file;
}

std::vector<crypto::Algorithm> checked_algorithms(const Config& config) {
    std::vector<crypto::Algorithm> algorithms;
    for (const std::string& word : words_of(config.get("algorithms", "RS256"))) {
        const std::optional<crypto::Algorithm> algorithm = crypto::algorithm_from(word);
        if (!algorithm) config.fail("HTL-012", "algorithms", "RS256, ES256 or EdDSA");
        algorithms.push_back(*algorithm);
    }
    return algorithms;
}

}  // namespace

std::string media_type(std::string_view value) {
    std::string type(value.substr(0, value.find(';')));
    while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
    std::transform(type.begin(), type.end(), type.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return type;
}

ListenConfig::ListenConfig(const Config& config, const Inbox& inbox) : path(checked_path(config, inbox)) {
    const std::string authentication = config.get("authentication", "token");
    jwt = authentication != "token";
    token = authentication != "jwt";
    jwks_file = checked_key_file(config, jwt);
    algorithms = checked_algorithms(config);
    claims.issuer = config.get("issuer");
    claims.audience = config.get("audience");
    claims.skew = config.get_duration("clock-skew", std::chrono::seconds(60));
    content_types = words_of(config.get("content-types", jwt ? "application/jwt application/jose application/json text/plain"
                                                             : "application/xml text/xml application/json text/csv"));
    for (std::string& type : content_types) type = media_type(type);
    const std::int64_t given = config.get_int("max-bytes", static_cast<std::int64_t>(jwt ? kSignedMost : kPlainMost));
    most = std::min(static_cast<std::uint64_t>(given), inbox.max_bytes());
}

bool ListenConfig::takes(std::string_view value) const {
    return std::find(content_types.begin(), content_types.end(), media_type(value)) != content_types.end();
}

}  // namespace clrbus::adapters::http_listen
