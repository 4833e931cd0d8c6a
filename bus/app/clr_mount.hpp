// The CLR service on the HTTP listeners: who calls is found by token, what is answered is clr/service.hpp's.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "app/settings.hpp"
#include "management/management.hpp"

namespace clrbus {
class HttpServer;
class HttpTokens;
namespace clr {
struct Institution;
}
namespace records {
class RecordsStore;
}
namespace credentials {
class KeyStore;
}
}  // namespace clrbus

namespace clrbus::app {

class ClrMount {
public:
    // Throws Error(kConfig) when the page's stylesheet does not compile or the status lists are damaged.
    ClrMount(const Settings& settings, const clr::Institution& institution, const std::filesystem::path& state_dir,
             records::RecordsStore& store, const credentials::KeyStore& keys, HttpTokens& tokens, const Clock& clock);
    ~ClrMount();

    void mount(HttpServer& server);
    // Throws Error(kPoison, "MGMT-008"…) when it is not released.
    Management::Parts::Signed sign(const std::string& who, const std::string& learner, const std::string& alg);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::app
