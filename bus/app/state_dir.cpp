#include "app/state_dir.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "config/loader.hpp"
#include "core/error.hpp"
#include "crypto/password.hpp"
#include "crypto/secret_file.hpp"
#include "storage/state_directory.hpp"

namespace clrbus::app {
namespace {

[[noreturn]] void refuse(std::string_view code, const std::filesystem::path& path, std::string why) {
    throw Error(Fault::kConfig, code, "opening the state directory", Where{.file = path.string()}, std::move(why));
}

std::string new_secret() {
    return crypto::random_token(24);
}

}  // namespace

StateDir::StateDir(std::filesystem::path dir) : dir_(std::move(dir)) {
    std::error_code error;
    const bool made = !std::filesystem::exists(dir_);
    std::filesystem::create_directories(dir_, error);
    if (error || !std::filesystem::is_directory(dir_)) refuse("STATE-010", dir_, "cannot be made");
    if (made) chmod(dir_.c_str(), 0700);
    struct stat info {};
    if (stat(dir_.c_str(), &info) != 0 || (info.st_mode & 077) != 0)
        refuse("STATE-011", dir_, "others may read or write it (expected mode 0700)");
    held_ = std::make_unique<storage::StateDirectory>(dir_.string());
    std::filesystem::remove(dir_ / "ports.json", error);
}

StateDir::~StateDir() {
    std::error_code ignored;
    std::filesystem::remove(dir_ / "ports.json", ignored);
}

void StateDir::write_ports(const std::map<std::string, std::uint16_t>& ports) const {
    boost::json::object out;
    for (const auto& [name, port] : ports) out[name] = port;
    out["pid"] = getpid();
    crypto::write_secret_file(dir_ / "ports.json", boost::json::serialize(out) + "\n");
}

StateDir::Access StateDir::development_access(const std::vector<std::string>& routes, const std::filesystem::path& ca) const {
    const auto file = dir_ / "access.json";
    Access out;
    boost::json::object known;
    if (std::filesystem::exists(file)) {
        boost::json::error_code error;
        const auto value = boost::json::parse(crypto::read_secret_file(file), error);
        if (error || !value.is_object())
            refuse("STATE-012", file, "is not what this program wrote: remove it to have it made anew");
        known = value.as_object();
    }
    // Secrets that were given out stay; what is new gets one.
    const auto known_secret = [&known](const char* list, const char* field, const std::string& name) -> std::string {
        if (const auto* items = known.if_contains(list); items != nullptr && items->is_array()) {
            for (const auto& item : items->as_array()) {
                if (!item.is_object()) continue;
                const auto* n = item.as_object().if_contains("name");
                const auto* s = item.as_object().if_contains(field);
                if (n != nullptr && s != nullptr && n->is_string() && s->is_string() &&
                    std::string_view(n->get_string()) == name)
                    return std::string(std::string_view(s->get_string()));
            }
        }
        return new_secret();
    };
    out.users.push_back({"publisher", known_secret("users", "password", "publisher"), "", {"publish:*"}});
    out.users.push_back({"operator", known_secret("users", "password", "operator"), "", {"publish:*", "operate"}});
    for (const std::string& route : routes)
        out.tokens.push_back({"publish-" + route, known_secret("tokens", "token", "publish-" + route), {"publish:" + route}});
    out.tokens.push_back({"staff", known_secret("tokens", "token", "staff"), {"staff"}});
    out.tokens.push_back({"operator", known_secret("tokens", "token", "operator"), {"operate"}});

    boost::json::array users, tokens;
    for (const User& user : out.users) users.push_back({{"name", user.name}, {"password", user.password}});
    for (const Token& token : out.tokens) {
        boost::json::array may;
        for (const auto& right : token.may) may.push_back(right.c_str());
        tokens.push_back({{"name", token.name}, {"token", token.token}, {"may", may}});
    }
    crypto::write_secret_file(
        file, boost::json::serialize(boost::json::object{{"users", users}, {"tokens", tokens}, {"ca", ca.string()}}) + "\n");
    return out;
}

}  // namespace clrbus::app
