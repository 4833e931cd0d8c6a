// A worker process (clrbus run --role worker): runs routes on messages that come over another broker, and nothing else. It
// keeps in its state directory only what concerns itself.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "app/settings.hpp"
#include "core/error.hpp"

namespace clrbus::app {

class WorkerBus {
public:
    // Throws Error(kConfig): LINK-023 no <broker url>, LINK-024 no originals-folder; what Bus throws for routes and the
    // directory.
    WorkerBus(const Settings& settings, const std::filesystem::path& state_dir);
    ~WorkerBus();

    void start();
    void stop();                         // what is in hand ends, and is confirmed
    void reload(const std::string& by);  // what the files of the routes say now, as far as it compiles
    bool failed() const;                 // its own journal takes nothing more

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::app
