// The whole bus in one process: builds everything in dependency order, runs, drains, stops.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/settings.hpp"
#include "core/error.hpp"

namespace clrbus::app {

class Bus {
public:
    // Opens the state directory, recovers, compiles the routes, opens the listeners. Throws Error(kConfig) for what must not
    // start; a route that does not compile does not start, and the others do (status says why).
    // records_only: routes run in workers, with a broker between; only those that keep state run here.
    Bus(const Settings& settings, const std::filesystem::path& state_dir, bool records_only = false);
    ~Bus();

    void start();  // doors open, ports.json written
    void stop();   // doors close, what is in hand ends, everything synced
    const std::map<std::string, std::uint16_t>& ports() const;
    // Reads routes, stylesheets, schemas, code lists and certificates again (SIGHUP). What is broken is refused and logged.
    void reload(const std::string& by);
    // The process ends now, whatever is in hand: what is not settled is taken again at the next start, and suspected of
    // nothing.
    void abandon();
    bool failed() const;  // the journal takes nothing more

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::app
