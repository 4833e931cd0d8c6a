#include "app/expiries.hpp"

#include <utility>

#include "core/error.hpp"
#include "crypto/certificates.hpp"
#include "routing/route.hpp"

namespace clrbus::app {
namespace {

// Certificates that an element of a route, or one below it, names.
void certificates_of(const Config& element, const std::string& route,
                     std::map<std::string, std::pair<std::string, std::filesystem::path>>& out) {
    for (const char* attribute : {"certificate-file", "ca-file"}) {
        if (!element.has(attribute)) continue;
        const std::filesystem::path file = resolved_beside(element.where().file, element.get(attribute));
        out.emplace(file.string(),
                    std::make_pair("certificate '" + file.filename().string() + "' of route '" + route + "'", file));
    }
    for (const Config& child : element.children()) certificates_of(child, route, out);
}

}  // namespace

Time end_of_day(const std::string& date) {
    const std::string zone = date.size() > 10 ? date.substr(10) : "Z";
    return from_rfc3339(date.substr(0, 10) + "T00:00:00" + zone) + std::chrono::hours(24);
}

Expiries::Expiries(const Settings& settings) {
    for (const Token& token : settings.tokens) {
        if (token.expires != Time{})
            fixed_.push_back(
                {"token '" + token.name + "'", "give its owner a new one, then change the configuration", token.expires});
    }
    for (const Config& secret : settings.root.children("secret")) {
        if (secret.has("expires"))
            fixed_.push_back({"secret '" + secret.get("name") + "'", "get a new one from whoever gave it, and its new date",
                              end_of_day(secret.get("expires"))});
    }
    const Config broker = settings.root.child("broker");
    for (const char* attribute : {"certificate-file", "ca-file"}) {
        if (broker.has(attribute))
            files_.emplace_back(std::string("the broker's ") + attribute,
                                resolved_beside(settings.file, broker.get(attribute)));
    }
}

void Expiries::listener_uses(const std::string& name, const std::filesystem::path& certificate) {
    const Time until = system_clock().now() + std::chrono::hours(24 * crypto::days_left(certificate));
    const std::lock_guard lock(mutex_);
    listeners_[name] = {certificate, until};
}

void Expiries::listener_reread(const std::string& name) {
    std::filesystem::path certificate;
    {
        const std::lock_guard lock(mutex_);
        certificate = listeners_[name].certificate;
    }
    if (!certificate.empty()) listener_uses(name, certificate);
}

std::vector<Management::Parts::Expiry> Expiries::list(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) const {
    std::vector<Management::Parts::Expiry> out = fixed_;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, listener] : listeners_) {
            out.push_back(
                {"certificate of listener '" + name + "'",
                 name == "https" ? "put a new one in its place, then SIGHUP" : "put a new one in its place, then restart",
                 listener.until});
        }
    }
    std::map<std::string, std::pair<std::string, std::filesystem::path>> named;
    for (const auto& route : routes) certificates_of(route->element(), route->id(), named);
    std::vector<std::pair<std::string, std::filesystem::path>> files = files_;
    for (auto& [file, one] : named) files.push_back(std::move(one));
    for (const auto& [name, file] : files) {
        try {
            out.push_back(
                {name, "put a new one in its place", system_clock().now() + std::chrono::hours(24 * crypto::days_left(file))});
        } catch (const Error&) {
            continue;  // that it cannot be read is said by who uses it
        }
    }
    return out;
}

}  // namespace clrbus::app
