// The contract of adapters. An adapter is one protocol: a folder of adapters/ with its own configuration schema, samples and
// contract tests. A source (door) takes messages from a system and puts them into a route's inbox; it tells the sender
// "accepted" only in put's callback. A sink and a responder (sink.hpp) reach a far side. An adapter knows no route, no queue
// name and no other adapter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/sink.hpp"
#include "broker/queues.hpp"
#include "config/config.hpp"
#include "core/clock.hpp"
#include "core/executor.hpp"

namespace clrbus {

class HttpClient;  // http/client.hpp
class HttpServer;  // http/server.hpp
class HttpTokens;  // http/tokens.hpp

// By this header a door asks that the message's end is kept, for Inbox::state_of after it: "1".
inline constexpr std::string_view kReceiptHeader = "clrbus-receipt";

// What a door hands over. body is what the sender sent (after the door dropped what must not be held).
struct Incoming {
    std::string body;               // small bodies; empty when spooled is set
    std::filesystem::path spooled;  // a complete file that the inbox moves into originals/ (large bodies)
    std::string content_type;       // "" = the route knows
    std::string name;               // file name, request path: for people; no personal data
    std::string user;               // authenticated publisher, "" = none
    std::string duplicate_key;      // "" = not asked
    std::string message_id;         // "" = made here
    Headers headers;                // trace and what the door adds
    // Where a door that polls goes on after this message: a note, advanced in the same commit that makes the message durable.
    struct Checkpoint {
        std::string name, value;  // value: at most 4 KB
    };
    std::optional<Checkpoint> checkpoint;
};
struct Receipt {
    PutState state = PutState::kFailed;
    std::string id;  // message-id under which the state can be asked
};

// The inbox of one route, as its doors see it. Any thread.
class Inbox {
public:
    virtual ~Inbox() = default;
    virtual const std::string& route() const = 0;
    // False: keep the door closed (credit 0, 503 + Retry-After, skip the poll).
    virtual bool open() const = 0;
    virtual void put(Incoming incoming, std::function<void(Receipt)> done) = 0;
    // Bodies above this many bytes are to be handed over as a spooled file made in spool_folder() (same file system as
    // originals/).
    virtual std::uint64_t spool_above() const = 0;
    virtual std::filesystem::path spool_folder() const = 0;
    // Larger messages are refused by the door (max-bytes of the route).
    virtual std::uint64_t max_bytes() const { return 256ULL << 20; }
    // The last checkpoint of that name, set by a put or by mark; nothing before the first.
    virtual std::optional<std::string> checkpoint(std::string_view name) const = 0;
    // Moves a checkpoint without a message: what lay in between was looked at and is not wanted. Everything before it has been
    // answered kStored or kDuplicate. done: false when it could not be written.
    virtual void mark(Incoming::Checkpoint checkpoint, std::function<void(bool)> done) = 0;
    // Streaming reduction of <keep>/<drop>: null when the route drops nothing. Applied by the door before the first durable
    // write. in: the file as it came; out: a new file in spool_folder(). Throws Error(kPoison) with the row.
    using Reduce = std::function<void(const std::filesystem::path& in, const std::filesystem::path& out)>;
    virtual const Reduce* reduce() const = 0;
    // The state of a message that was accepted: "waiting", "delivered", "dead", "filtered", …, with the reason; for Location
    // and receipts.
    struct State {
        std::string state{}, code{}, path{}, expected{}, reason{};
        std::uint64_t children = 0, dead = 0;
        // True when nothing of it waits any more, children included: a receipt can be written.
        bool finished = false;
        // Children that did not get through, by record number; at most kRowsMost.
        struct Row {
            std::uint64_t row = 0;
            std::string state{}, code{}, path{}, expected{};
        };
        std::vector<Row> rows{};
        static constexpr std::size_t kRowsMost = 10'000;
    };
    virtual std::optional<State> state_of(const std::string& id) const = 0;
};

// What an adapter is given. Outlives the adapter.
struct AdapterContext {
    Config config;                 // its endpoint element: <directory:pickup …/>
    Inbox* inbox = nullptr;        // sources
    HttpServer* http = nullptr;    // where it may mount; null when no listener is configured
    HttpTokens* tokens = nullptr;  // who may publish; null together with http
    HttpClient* client = nullptr;  // to ask far sides
    Executor* executor = nullptr;  // for callbacks and blocking work
    Clock* clock = nullptr;
    std::filesystem::path state_dir;
    // The secret of that name (<secret> of the configuration) as it is now: a rotated file gives the new one. Throws
    // Error(kConfig, "CONF-03x") without its value.
    std::function<std::string(std::string_view name)> secret;
};

class Source {
public:
    virtual ~Source() = default;
    virtual void start() = 0;  // returns at once
    virtual void stop() = 0;   // no new message after it returned; what was handed over finishes
    // "ok", or what stands still and since when; for status and alerts.
    struct Health {
        bool ok = true;
        std::string text;
        Time since{};
    };
    virtual Health health() const = 0;
};

struct AdapterInfo {
    std::string_view name;           // folder name: "directory"
    std::string_view summary;        // one line
    std::string_view namespace_uri;  // of its endpoint elements: urn:clrbus:adapter:directory:1
    std::string_view schema;         // file below adapters/NAME/: config.xsd
    // Null: it has none. Each reads its own elements of the schema and throws Error(kConfig) with the place of what is wrong.
    std::unique_ptr<Source> (*source)(const AdapterContext& context) = nullptr;        // in <from>
    std::unique_ptr<Sink> (*sink)(const AdapterContext& context) = nullptr;            // in <to>
    std::unique_ptr<Responder> (*responder)(const AdapterContext& context) = nullptr;  // in <enrich> and <request-reply>
};

}  // namespace clrbus
