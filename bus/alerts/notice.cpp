#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "alerts/condition.hpp"

namespace clrbus::alerts {
namespace {

std::string notice_time(Time time) {
    return time == Time{} ? std::string() : to_rfc3339(time);
}

std::size_t begins_of(const Notice& notice) {
    std::size_t out = 0;
    for (const Event& event : notice.events) out += event.begin ? 1 : 0;
    return out;
}

std::string lasted(Time from, Time to) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
    if (from == Time{} || seconds < 0) return {};
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    return std::to_string(seconds / 3600) + " h";
}

}  // namespace

std::string notice_subject(const Notice& notice) {
    const std::string head = "[clrbus " + notice.instance + "] ";
    if (notice.test) return head + "test of the alerts";
    const std::size_t begins = begins_of(notice), ends = notice.events.size() - begins;
    if (notice.events.size() == 1) return head + (begins == 1 ? "began: " : "ended: ") + notice.events[0].what;
    std::string out = head;
    if (begins != 0) out += std::to_string(begins) + " began";
    if (ends != 0) out += (begins != 0 ? ", " : "") + std::to_string(ends) + " ended";
    return out;
}

std::string notice_text(const Notice& notice) {
    std::string out = "clrbus " + notice.instance + ", " + notice_time(notice.at) + "\n";
    if (notice.test) out += "\nThis is a test: nothing began and nothing ended.\n";
    for (const bool begin : {true, false}) {
        bool first = true;
        for (const Event& event : notice.events) {
            if (event.begin != begin) continue;
            if (first) out += begin ? "\nBEGAN\n" : "\nENDED\n";
            first = false;
            out += "  " + event.what + "\n    since " + notice_time(event.since);
            if (!begin) out += ", until " + notice_time(event.at);
            const std::string time = begin ? std::string() : lasted(event.since, event.at);
            out += (time.empty() ? "" : " (" + time + ")") + "\n";
            if (begin) out += "    do: " + event.todo + "\n    page: clrbus explain " + event.code + "\n";
        }
    }
    if (notice.left_out != 0)
        out += "\n" + std::to_string(notice.left_out) + " earlier lines are left out: this way was closed for too long.\n";
    out += "\nOpen now: " + std::to_string(notice.open) + ". All of it: clrbus status\n";
    return out;
}

std::string notice_json(const Notice& notice) {
    boost::json::array began, ended;
    for (const Event& event : notice.events) {
        boost::json::object one{{"number", event.number}, {"key", event.key},   {"kind", event.kind},
                                {"code", event.code},     {"what", event.what}, {"since", notice_time(event.since)}};
        one[event.begin ? "began" : "ended"] = notice_time(event.at);
        if (event.begin) one["do"] = event.todo;
        (event.begin ? began : ended).push_back(std::move(one));
    }
    return boost::json::serialize(boost::json::object{{"notice", notice.id},
                                                      {"instance", notice.instance},
                                                      {"at", notice_time(notice.at)},
                                                      {"test", notice.test},
                                                      {"began", std::move(began)},
                                                      {"ended", std::move(ended)},
                                                      {"left_out", notice.left_out},
                                                      {"open", notice.open}});
}

}  // namespace clrbus::alerts
