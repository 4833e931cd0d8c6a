#include "routing/inbox.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "core/counters.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "formats/csv_reducer.hpp"
#include "formats/fixed_reducer.hpp"
#include "formats/json_reducer.hpp"
#include "formats/x12_reducer.hpp"
#include "formats/xml_reducer.hpp"
#include "routing/continuation.hpp"
#include "routing/splitter.hpp"
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
      reduce_(make_reduction(door, route)) {}

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

namespace {

using ReducedFormat = FormatPlan::Format;

std::vector<std::string> dropped_names(const Config& drop, const char* attribute) {
    std::vector<std::string> out;
    std::istringstream names(drop.get(attribute));
    for (std::string name; names >> name;) out.push_back(name);
    return out;
}

// Which attribute of <drop> names what, in which formats.
void check_drop(const Config& door, const Config& drop, ReducedFormat format) {
    const std::pair<const char*, std::vector<ReducedFormat>> kinds[] = {
        {"columns", {ReducedFormat::kCsv}},
        {"elements", {ReducedFormat::kXml, ReducedFormat::kX12}},
        {"members", {ReducedFormat::kJson, ReducedFormat::kJsonLines}},
        {"fields", {ReducedFormat::kFixed}},
    };
    int named = 0;
    for (const auto& [attribute, formats] : kinds) {
        if (!drop.has(attribute)) continue;
        ++named;
        if (std::find(formats.begin(), formats.end(), format) == formats.end())
            door.fail("ROUTE-024", std::string("drop ") + attribute + " is not for the format that the route reads first");
    }
    if (named != 1) door.fail("ROUTE-024", "a drop names columns, elements, members or fields: exactly one of them");
}

Inbox::Reduce csv_reduction(const Config& door, const CompiledRoute& route, const Config& keep, const Config& drop) {
    CsvReduction reduction;
    reduction.csv = route.source().csv;
    if (reduction.csv.quote == '\0') door.fail("ROUTE-023", "keep and drop need quotes: the reduced file is written with them");
    // The row is the context: a bare column name in the expression means the row's child.
    if (keep) reduction.keep = XPath::compile(keep.require("when"));
    // A column with blanks in its name is written as the tree names it: Date_x0020_of_x0020_Birth.
    for (const std::string& column : dropped_names(drop, "columns")) reduction.drop.push_back(original_name(column));
    return [reduction](const std::filesystem::path& in, const std::filesystem::path& out) {
        const CsvReduced done = reduce_csv_file(reduction, in, out);
        counter("clrbus_door_rows_left_out_total").add(static_cast<std::int64_t>(done.rows - done.kept - done.rejected));
        counter("clrbus_door_rows_refused_total").add(static_cast<std::int64_t>(done.rejected));
    };
}

Inbox::Reduce json_reduction(const CompiledRoute& route, const Config& drop) {
    JsonReduction reduction;
    for (const std::string& member : dropped_names(drop, "members")) reduction.drop.push_back(original_name(member));
    reduction.split = route.split() || route.source().format == ReducedFormat::kJsonLines;
    reduction.records = json_split_options(route.source());
    return [reduction](const std::filesystem::path& in, const std::filesystem::path& out) {
        counter("clrbus_door_rows_refused_total").add(static_cast<std::int64_t>(reduce_json_file(reduction, in, out)));
    };
}

Inbox::Reduce fixed_reduction(const Config& door, const CompiledRoute& route, const Config& drop) {
    const FixedReduction reduction{route.source().fixed, dropped_names(drop, "fields")};
    if (const std::string fault = fixed_drop_fault(reduction); !fault.empty()) door.fail("ROUTE-024", fault);
    return [reduction](const std::filesystem::path& in, const std::filesystem::path& out) {
        counter("clrbus_door_rows_refused_total").add(static_cast<std::int64_t>(reduce_fixed_file(reduction, in, out)));
    };
}

Inbox::Reduce x12_reduction(const Config& door, const CompiledRoute& route, const Config& drop) {
    X12Reduction reduction{route.source().x12, {}};
    if (!reduction.x12.tables) door.fail("ROUTE-024", "a drop of x12 needs tables: only what they hold for right is reduced");
    for (const std::string& name : dropped_names(drop, "elements")) {
        const auto one = X12Drop::read(name);
        if (!one) door.fail("ROUTE-024", "'" + name + "' is no element of a segment, as REF02 or REF02[REF01=SY]");
        reduction.drop.push_back(*one);
    }
    return
        [reduction](const std::filesystem::path& in, const std::filesystem::path& out) { reduce_x12_file(reduction, in, out); };
}

}  // namespace

Inbox::Reduce make_reduction(const Config& door, const CompiledRoute& route) {
    const Config keep = door.child("keep");
    const Config drop = door.child("drop");
    if (!keep && !drop) return {};
    const ReducedFormat format = route.source().format;
    if (drop) check_drop(door, drop, format);
    if ((keep || format == ReducedFormat::kCsv) && !(route.split() && format == ReducedFormat::kCsv))
        door.fail("ROUTE-023", "keep, and drop of columns, need rows: the route starts with <split format=\"csv\"/>");
    switch (format) {
        case ReducedFormat::kXml: {
            const std::vector<std::string> names = dropped_names(drop, "elements");
            return
                [names](const std::filesystem::path& in, const std::filesystem::path& out) { reduce_xml_file(names, in, out); };
        }
        case ReducedFormat::kJson:
        case ReducedFormat::kJsonLines:
            return json_reduction(route, drop);
        case ReducedFormat::kCsv:
            return csv_reduction(door, route, keep, drop);
        case ReducedFormat::kX12:
            return x12_reduction(door, route, drop);
        case ReducedFormat::kFixed:
            return fixed_reduction(door, route, drop);
    }
    return {};
}

}  // namespace clrbus
