#include "alerts/state_file.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/error.hpp"
#include "storage/file.hpp"

namespace clrbus::alerts {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

std::string state_time(Time time) {
    return time == Time{} ? std::string() : to_rfc3339(time);
}
std::string text_of(const object& from, const char* name) {
    return std::string(std::string_view(from.at(name).as_string()));
}
Time time_of(const object& from, const char* name) {
    const std::string text = text_of(from, name);
    return text.empty() ? Time{} : from_rfc3339(text);
}

object event_object(const Event& event) {
    return {{"number", event.number}, {"begin", event.begin},       {"key", event.key},
            {"kind", event.kind},     {"code", event.code},         {"what", event.what},
            {"do", event.todo},       {"at", state_time(event.at)}, {"since", state_time(event.since)}};
}
Event event_from(const object& from) {
    return {from.at("number").to_number<std::uint64_t>(),
            from.at("begin").as_bool(),
            text_of(from, "key"),
            text_of(from, "kind"),
            text_of(from, "code"),
            text_of(from, "what"),
            text_of(from, "do"),
            time_of(from, "since"),
            time_of(from, "at")};
}

object open_object(const OpenAlert& alert) {
    const Condition& c = alert.condition;
    return {{"key", c.key},
            {"kind", c.kind},
            {"code", c.code},
            {"what", c.what},
            {"do", c.todo},
            {"since", state_time(c.since)},
            {"began", state_time(alert.began)},
            {"still", c.still}};
}
OpenAlert open_from(const object& from) {
    OpenAlert out;
    out.condition = {.key = text_of(from, "key"),
                     .kind = text_of(from, "kind"),
                     .code = text_of(from, "code"),
                     .what = text_of(from, "what"),
                     .todo = text_of(from, "do"),
                     .since = time_of(from, "since"),
                     .still = from.at("still").as_bool()};
    out.began = time_of(from, "began");
    return out;
}

AlertState state_from(const object& from) {
    AlertState out;
    out.number = from.at("number").to_number<std::uint64_t>();
    for (const value& one : from.at("open").as_array()) out.open.push_back(open_from(one.as_object()));
    for (const auto& [name, one] : from.at("pending").as_object()) {
        auto& pending = out.pending[std::string(std::string_view(name))];
        pending.left_out = one.as_object().at("left_out").to_number<std::uint64_t>();
        for (const value& event : one.as_object().at("events").as_array())
            pending.events.push_back(event_from(event.as_object()));
    }
    return out;
}

}  // namespace

AlertState read_alert_state(const std::filesystem::path& file) {
    storage::Files& files = storage::real_files();
    if (!files.exists(file.string())) return {};
    try {
        return state_from(boost::json::parse(storage::read_whole_file(files, file.string())).as_object());
    } catch (const std::exception&) {  // Boost.JSON's and ours: which one does not matter
        throw Error(Fault::kConfig, "ALERT-040", "reading what was alerted", Where{.file = file.string()},
                    "it is not what this program wrote");
    }
}

void write_alert_state(const std::filesystem::path& file, const AlertState& state) {
    array open;
    for (const OpenAlert& alert : state.open) open.push_back(open_object(alert));
    object pending;
    for (const auto& [name, one] : state.pending) {
        array events;
        for (const Event& event : one.events) events.push_back(event_object(event));
        pending[name] = object{{"left_out", one.left_out}, {"events", std::move(events)}};
    }
    const object all{{"version", 1}, {"number", state.number}, {"open", std::move(open)}, {"pending", std::move(pending)}};
    storage::write_file_atomically(storage::real_files(), file.string(), boost::json::serialize(all) + "\n");
}

}  // namespace clrbus::alerts
