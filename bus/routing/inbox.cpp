#include "routing/inbox.hpp"

#include <sstream>
#include <utility>

#include "core/counters.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "formats/csv_reducer.hpp"
#include "formats/xml_reducer.hpp"
#include "routing/continuation.hpp"
#include "storage/originals.hpp"
#include "xml/xpath.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kSpooledHeader = "clrbus-spooled";

}  // namespace

RouteInbox::RouteInbox(const CompiledRoute& route, const Config& door, Parts parts)
    : route_(route.id()),
      queue_(route.inbox()),
      max_bytes_(route.max_bytes()),
      parts_(std::move(parts)),
      reduce_(make_reduction(door, route.split())) {}

bool RouteInbox::open() const {
    return parts_.queues.accepts(queue_);
}

void RouteInbox::put(Incoming incoming, std::function<void(Receipt)> done) {
    Put put;
    put.queue = queue_;
    put.duplicate_key = std::move(incoming.duplicate_key);
    put.headers = std::move(incoming.headers);
    remove_engine_headers(put.headers);
    put.headers.set(header::kAcceptedAt, to_rfc3339(parts_.clock.now()));
    put.headers.set(header::kSource, route_);
    if (!incoming.user.empty()) put.headers.set(header::kUser, incoming.user);
    if (!incoming.name.empty()) put.headers.set(header::kName, incoming.name);
    const std::string id = incoming.message_id.empty() ? new_ordered_uuid() : incoming.message_id;
    MessageBuilder builder;
    builder.message_id(id).content_type(incoming.content_type);
    if (!incoming.spooled.empty()) {
        try {
            put.headers.set(header::kOriginal, parts_.originals.store_file(incoming.spooled.string()));
            std::filesystem::remove(incoming.spooled);
        } catch (const Error& e) {
            log::error("inbox", std::string("moving a spooled file to originals/: ") + e.what());
            return parts_.executor.post([done = std::move(done)] { done(Receipt{}); });
        }
        put.headers.set(kSpooledHeader, "1");
    }
    put.message = builder.build(incoming.spooled.empty() ? std::string_view(incoming.body) : std::string_view{});
    const bool receipt = put.headers.has(kReceiptHeader);
    auto answered = [&receipts = parts_.receipts, route = route_, id, receipt,
                     done = std::move(done)](const PutResult& result) {
        Receipt out{result.state, id};
        if (out.state == PutState::kDuplicate && !result.id.empty()) out.id = result.id;
        if (receipt && out.state == PutState::kStored) receipts.waiting(route, id);
        done(std::move(out));
    };
    if (incoming.checkpoint) return put_with(std::move(put), note_of(std::move(*incoming.checkpoint)), std::move(answered));
    std::vector<Put> batch;
    batch.push_back(std::move(put));
    parts_.queues.put(std::move(batch), parts_.executor,
                      [answered = std::move(answered)](const std::vector<PutResult>& results) { answered(results.front()); });
}

// As one Unit: the message, its acceptance and where the door goes on. A duplicate is counted and moves the checkpoint too.
void RouteInbox::put_with(Put put, Note note, std::function<void(PutResult)> done) {
    if (!open()) return parts_.executor.post([done = std::move(done)] { done({PutState::kFull, 0, {}}); });
    Unit unit;
    unit.outputs.push_back(std::move(put));
    unit.notes.push_back(std::move(note));
    unit.ledger.push_back({route_, Outcome::kAccepted, 1});
    parts_.queues.commit(std::move(unit), parts_.executor, [done = std::move(done)](CommitState state) {
        done({state == CommitState::kDone   ? PutState::kStored
              : state == CommitState::kFull ? PutState::kFull
                                            : PutState::kFailed,
              0,
              {}});
    });
}

Note RouteInbox::note_of(Incoming::Checkpoint checkpoint) const {
    return {"checkpoint/" + route_ + "/" + checkpoint.name, std::move(checkpoint.value)};
}

void RouteInbox::mark(Incoming::Checkpoint checkpoint, std::function<void(bool)> done) {
    Unit unit;
    unit.notes.push_back(note_of(std::move(checkpoint)));
    parts_.queues.commit(std::move(unit), parts_.executor,
                         [done = std::move(done)](CommitState state) { done(state == CommitState::kDone); });
}

std::optional<std::string> RouteInbox::checkpoint(std::string_view name) const {
    return parts_.queues.note("checkpoint/" + route_ + "/" + std::string(name));
}

std::optional<Inbox::State> RouteInbox::state_of(const std::string& id) const {
    return parts_.receipts.find(route_, id);
}

Inbox::Reduce make_reduction(const Config& door, const std::optional<SplitPlan>& split) {
    const Config keep = door.child("keep");
    const Config drop = door.child("drop");
    if (!keep && !drop) return {};
    if (drop.has("elements")) {
        if (keep || drop.has("columns") || (split && split->source.format != FormatPlan::Format::kXml)) {
            door.fail("ROUTE-024", "elements are dropped from XML alone, without keep and columns");
        }
        std::vector<std::string> names;
        std::istringstream elements(drop.get("elements"));
        for (std::string name; elements >> name;) names.push_back(name);
        return [names](const std::filesystem::path& in, const std::filesystem::path& out) { reduce_xml_file(names, in, out); };
    }
    if (!split || split->source.format != FormatPlan::Format::kCsv)
        door.fail("ROUTE-023", "keep and drop need rows: the route starts with <split format=\"csv\"/>");
    CsvReduction reduction;
    reduction.csv = split->source.csv;
    if (reduction.csv.quote == '\0') door.fail("ROUTE-023", "keep and drop need quotes: the reduced file is written with them");
    if (keep) {
        // The row is the context: a bare column name in the expression means the row's child.
        reduction.keep = XPath::compile(keep.require("when"));
    }
    std::istringstream columns(drop.get("columns"));
    // A column with blanks in its name is written as the tree names it: Date_x0020_of_x0020_Birth.
    for (std::string column; columns >> column;) reduction.drop.push_back(original_name(column));
    return [reduction](const std::filesystem::path& in, const std::filesystem::path& out) {
        const CsvReduced done = reduce_csv_file(reduction, in, out);
        counter("clrbus_door_rows_left_out_total").add(static_cast<std::int64_t>(done.rows - done.kept - done.rejected));
        counter("clrbus_door_rows_refused_total").add(static_cast<std::int64_t>(done.rejected));
    };
}

}  // namespace clrbus
