// A route as its file says (RouteModel) and as the workers use it (CompiledRoute). Read-only after load; shared by all workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "routing/format.hpp"
#include "routing/journey.hpp"
#include "routing/route_endpoint.hpp"
#include "routing/step.hpp"

namespace clrbus {

class ParserPool;
class XPath;
class StatefulStep;
class Schemas;

// The splitter of a route: its first step, or none.
struct SplitPlan {
    FormatPlan source;
    std::string when;                        // xml: only a root of this local name is split
    std::shared_ptr<const Schemas> schemas;  // of the validate right behind, fused into the parse of xml records
    std::shared_ptr<ParserPool> parsers;     // for whole documents and replayed records; shared by the workers
};

// order="key": whose messages go one after the other (routing/key_order.hpp). By the text of a header, or of an expression over
// the document that the first step parses.
struct OrderPlan {
    std::string header;
    std::shared_ptr<const XPath> key;
    const Step* parse = nullptr;  // of the route; null with a header
    // 64 bits of the key's hash. A message whose key cannot be read has the empty key.
    std::uint64_t hash(const CompiledRoute& route, const TakenMessage& message, std::string_view body) const;
};

class CompiledRoute {
public:
    // Reads <route>. Throws Error(kConfig) with file and line.
    static std::shared_ptr<const CompiledRoute> compile(const Config& element, RouteAssets& assets);

    const std::string& id() const { return id_; }
    const Config& element() const { return element_; }
    std::string system() const { return element_.get("system"); }
    std::string steward() const { return element_.get("steward"); }
    std::string component() const { return element_.get("component"); }
    bool identity_authority() const { return element_.get("identity") == "authority"; }
    const std::vector<std::string>& match() const { return match_; }
    const std::vector<Config>& doors() const { return doors_; }
    bool drops() const;  // a door drops what the record must not hold
    const std::optional<SplitPlan>& split() const { return split_; }
    const FormatPlan& source() const {
        return source_;
    }  // of the bytes that come: its split's, else its first parse's, else XML
    const std::optional<OrderPlan>& order() const { return order_; }
    // It keeps what waits in this state directory: not to be had where the queues are another broker's.
    bool needs_local_state() const { return order_ || !stateful_.empty(); }
    const std::vector<BusinessKey>& keys() const { return keys_; }
    const Steps& steps() const { return steps_; }                             // behind the split
    const std::vector<StatefulStep*>& stateful() const { return stateful_; }  // among them, those inside others too
    const std::vector<RouteEndpoint>& endpoints() const { return endpoints_; }
    std::uint64_t max_bytes() const { return max_bytes_; }

    // SHA-256 over the route, its stylesheets with imports, schemas and code lists.
    const std::string& hash() const { return hash_; }
    // What it was made of beside the route file. name: below the project, as xsd/hr/job.xsd, transforms/job.xsl,
    // codes/terms.csv.
    struct File {
        std::string name;
        std::filesystem::path path;
        std::string sha256;
    };
    const std::vector<File>& files() const { return files_; }
    const File& route_file() const { return route_file_; }  // its routes.xml; other routes may stand in it too
    // All paths whose change, coming or going makes another route of it.
    const std::vector<std::filesystem::path>& dependencies() const { return dependencies_; }
    std::uint64_t generation = 0;  // given by the engine before the first worker sees it

    struct Attempts {
        std::uint32_t most = 8;
        std::chrono::milliseconds first{2000};
        double factor = 2;
    };
    const Attempts& attempts() const { return attempts_; }
    // Messages that are worked on at the same time.
    std::uint32_t workers() const { return workers_; }

    std::string inbox() const { return "in/" + id_; }
    std::string dead() const { return "dead/" + id_; }

private:
    friend class EngineTest;  // puts steps in front that fail as a test says

    std::string id_, hash_;
    Config element_;
    std::vector<std::string> match_;
    std::vector<Config> doors_;
    File route_file_;
    std::vector<File> files_;
    std::vector<std::filesystem::path> dependencies_;
    std::optional<SplitPlan> split_;
    FormatPlan source_;
    std::optional<OrderPlan> order_;
    std::vector<BusinessKey> keys_;
    Steps steps_;
    std::vector<RouteEndpoint> endpoints_;
    std::vector<StatefulStep*> stateful_;  // in steps_
    Attempts attempts_;
    std::uint32_t workers_ = 1;
    std::uint64_t max_bytes_ = 256U << 20;
};

// Every routes.xml below a folder, in the order of names. A file that does not compile gives its errors and no routes; the
// others are there.
struct LoadedRoutes {
    std::vector<std::shared_ptr<const CompiledRoute>> routes;
    std::vector<Error> errors;
};
LoadedRoutes load_routes(const std::filesystem::path& folder, RouteAssets& assets);

// The element with everything below it as text: what a change of it changes.
std::string element_text(const Config& element);

}  // namespace clrbus
