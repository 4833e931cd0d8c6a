// Who issues, and where the service is reached from outside. Value type; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clr/zone.hpp"
#include "config/config.hpp"

namespace clrbus::clr {

struct Institution {
    std::string id;  // the issuer's URL
    std::string name, url, email;
    Zone zone;                                               // of dates that name none
    std::vector<std::pair<std::string, std::string>> codes;  // own organization codes: scheme, value
    bool test = false;                                       // a test instance: every document and page says TEST
    std::string public_url;  // of the service as readers reach it, without a slash at the end: https://clr.example.edu

    std::string key_url() const { return public_url + "/.well-known/keys/"; }
    std::string status_url(std::uint32_t list) const { return public_url + "/ims/clr/v2p0/status/" + std::to_string(list); }
    std::string display_name() const { return test ? "TEST " + name : name; }
    std::string profile_json() const;  // the issuer as a Profile object

    // From the root element of the configuration: <institution> and <instance>. public_url: as the app knows it; empty: the
    // institution's url. Without <institution>: Error(kConfig, "CLR-002").
    static Institution from_config(const Config& root, std::string_view public_url);
};

}  // namespace clrbus::clr
