// What ends on a day: certificates of listeners, of the link to another broker and of endpoints; tokens and secrets whose
// `expires` says so. Any thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/settings.hpp"
#include "management/management.hpp"

namespace clrbus {
class CompiledRoute;
}

namespace clrbus::app {

// The end of a day given as xs:date, in UTC; a zone in it counts.
Time end_of_day(const std::string& date);

class Expiries {
public:
    explicit Expiries(const Settings& settings);

    // A listener uses this file as it is now: a newer one on disk helps nobody before it is read.
    void listener_uses(const std::string& name, const std::filesystem::path& certificate);
    void listener_reread(const std::string& name);

    std::vector<Management::Parts::Expiry> list(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) const;

private:
    std::vector<Management::Parts::Expiry> fixed_;                      // tokens, secrets
    std::vector<std::pair<std::string, std::filesystem::path>> files_;  // read at each look
    mutable std::mutex mutex_;
    struct Listener {
        std::filesystem::path certificate;
        Time until{};
    };
    std::map<std::string, Listener> listeners_;  // by name
};

}  // namespace clrbus::app
