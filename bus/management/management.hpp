// The one interface behind the command line, the control socket and, later, the operator's page: a command as a JSON object in,
// a JSON object out. Any thread; a call may block for disk reads and for a commit.
//
//   {"command": "dead-list", "route": "pesc", "most": 20}  ->  {"dead": [ … ]}
//   on failure                                             ->  {"error": {"code", "text", "exit"}}   exit: DESIGN section 9
//
// Facts are our own names and ids. A person's values show only in dead-show, waiting-show, learner and clr, each with a line in
// the disclosure log.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/settings.hpp"
#include "broker/queues.hpp"
#include "core/clock.hpp"

namespace clrbus {

class RouteEngine;
class RouteReloader;
struct EndpointState;  // routing/outbox.hpp

namespace trace {
class Index;
class KeyHasher;
class Statistics;
}  // namespace trace
namespace records {
class RecordsStore;
}
namespace credentials {
class KeyStore;
}

// What stands still outside of queues and routes: doors, listeners, the journal. For status.
struct DoorHealth {
    std::string door;  // route and adapter: "pesc directory"
    bool ok = true;
    std::string text;
    Time since{};
};

class Management {
public:
    struct Parts {
        Queues& queues;
        RouteEngine& engine;
        records::RecordsStore& store;
        credentials::KeyStore& keys;
        const Clock& clock;
        std::function<std::vector<DoorHealth>()> doors;
        std::function<std::vector<EndpointState>()> endpoints;
        std::function<bool(const std::string& route)> resume_endpoints;       // false: the route has none
        std::function<std::string()> journal_failure;                         // "" while it works
        std::function<std::string(const std::string& learner)> issue_reader;  // a token that reads one learner's record
        // The signed record of a learner for staff: the compact token, and the credential as JSON. alg: ES256 or RS256.
        struct Signed {
            std::string token, credential;
        };
        std::function<Signed(const std::string& who, const std::string& learner, const std::string& alg)> sign;
        // A backup into a folder of this machine (app/backup.hpp); null where the queues live elsewhere.
        struct BackedUp {
            std::uint64_t files = 0, bytes = 0;
            std::string made;
        };
        std::function<BackedUp(const std::string& target)> backup;
        std::string version;
        Time started{};
        RouteReloader& routes;
        trace::Statistics& statistics;
        trace::Index& index;
        const trace::KeyHasher& hasher;
        alerts::Alerts& alerts;
        alerts::Limits limits;
        struct Disk {
            std::uint64_t free = 0, reserve = 0;  // below reserve nothing new is accepted
        };
        std::function<Disk()> disk;
        // What ends on a day: certificates, tokens, secrets.
        struct Expiry {
            std::string what, todo;  // "certificate of listener 'https'"
            Time at{};
        };
        std::function<std::vector<Expiry>()> expiries;
    };
    explicit Management(Parts parts);
    ~Management();

    std::string call(std::string_view request, const std::string& who);
    // For the alerts. Takes a second where the ledger does not balance.
    std::vector<alerts::Condition> conditions() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// "messages" and "trace" beside a bus that is stopped: from what its index wrote last. Nothing is changed.
std::string call_stopped(const std::filesystem::path& state, std::string_view request);

}  // namespace clrbus
