#include "adapter/schedule.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace clrbus {

namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr std::size_t kScheduleTextMost = 200;
constexpr int kScheduleYears = 50;  // that are searched for a run
constexpr std::int64_t kScheduleRunsMost = std::int64_t{1} << 38;

[[noreturn]] void schedule_fail(std::string why) {
    throw Error(Fault::kConfig, "ADAPT-002", "reading a schedule", std::move(why));
}

// Bit n: the value n. star: the field begins with '*', which cron takes as "not restricted".
struct CronField {
    std::uint64_t bits = 0;
    bool star = false;
    bool has(unsigned value) const { return (bits >> value & 1U) != 0; }
};

struct CronRange {
    const char* name;
    unsigned low, high;
    const char* words;  // three letters each, from low on
};
constexpr std::array<CronRange, 5> kCronRanges{{{"minute", 0, 59, ""},
                                                {"hour", 0, 23, ""},
                                                {"day of month", 1, 31, ""},
                                                {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
                                                {"day of week", 0, 7, "sunmontuewedthufrisat"}}};

unsigned cron_value(std::string_view text, const CronRange& range) {
    const std::string_view words(range.words);
    if (text.size() == 3 && !words.empty()) {
        std::string low(text);
        for (char& c : low) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        for (std::size_t i = 0; i < words.size(); i += 3)
            if (words.substr(i, 3) == low) return range.low + static_cast<unsigned>(i / 3);
    }
    unsigned value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size() || value < range.low ||
        value > range.high)
        schedule_fail(std::string("the ") + range.name + " takes " + std::to_string(range.low) + " to " +
                      std::to_string(range.high) + (words.empty() ? "" : " or a name of three letters") +
                      ", as a list of values, ranges a-b and steps */n");
    return value;
}

void cron_item(std::string_view item, const CronRange& range, CronField& field) {
    unsigned step = 1, low = range.low, high = range.high;
    bool many = true;
    if (const std::size_t slash = item.find('/'); slash != item.npos) {
        const std::string_view text = item.substr(slash + 1);
        const auto read = std::from_chars(text.data(), text.data() + text.size(), step);
        if (read.ec != std::errc() || read.ptr != text.data() + text.size() || step == 0 || step > range.high)
            schedule_fail(std::string("the step of the ") + range.name + " is a number from 1 to " +
                          std::to_string(range.high));
        item = item.substr(0, slash);
        many = item == "*" || item.find('-') != item.npos;
        if (!many) schedule_fail(std::string("a step of the ") + range.name + " stands behind * or a range");
    }
    if (const std::size_t dash = item.find('-'); dash != item.npos) {
        low = cron_value(item.substr(0, dash), range);
        high = cron_value(item.substr(dash + 1), range);
        if (range.high == 7 && high == 0 && low > 0) high = 7;  // FRI-SUN
        if (low > high) schedule_fail(std::string("a range of the ") + range.name + " goes upwards");
    } else if (item != "*") {
        low = high = cron_value(item, range);
    } else if (range.high == 7) {
        high = 6;
    }
    for (unsigned value = low; value <= high; value += step)
        field.bits |= std::uint64_t{1} << (range.high == 7 && value == 7 ? 0 : value);
}

struct CronPlan {
    std::array<CronField, 5> fields;

    bool day_matches(std::chrono::year_month_day date) const {
        const auto& [minute, hour, day, month, weekday] = fields;
        if (!month.has(static_cast<unsigned>(date.month()))) return false;
        const bool by_day = day.has(static_cast<unsigned>(date.day()));
        const bool by_weekday = weekday.has(std::chrono::weekday(sys_days(date)).c_encoding());
        return day.star || weekday.star ? by_day && by_weekday : by_day || by_weekday;
    }
    // The first wall-clock time from local on (whole minutes).
    std::optional<sys_seconds> from(sys_seconds local) const {
        const sys_days first = std::chrono::floor<days>(local);
        unsigned begin = static_cast<unsigned>((local - first) / std::chrono::minutes(1));
        for (sys_days day = first; day < first + days(366 * kScheduleYears); day += days(1), begin = 0) {
            if (!day_matches(day)) continue;
            for (unsigned minute = begin; minute < 24 * 60; ++minute) {
                if (!fields[1].has(minute / 60)) {
                    minute += 59 - minute % 60;
                } else if (fields[0].has(minute % 60)) {
                    return day + std::chrono::minutes(minute);
                }
            }
        }
        return std::nullopt;
    }
};

CronPlan read_cron(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNamed{{{"@hourly", "0 * * * *"},
                                                                                   {"@daily", "0 0 * * *"},
                                                                                   {"@midnight", "0 0 * * *"},
                                                                                   {"@weekly", "0 0 * * 0"},
                                                                                   {"@monthly", "0 0 1 * *"},
                                                                                   {"@yearly", "0 0 1 1 *"},
                                                                                   {"@annually", "0 0 1 1 *"}}};
    if (text.starts_with('@')) {
        const auto named = std::find_if(kNamed.begin(), kNamed.end(), [&](const auto& one) { return one.first == text; });
        if (named == kNamed.end()) schedule_fail("after @ comes hourly, daily, midnight, weekly, monthly, yearly or annually");
        text = named->second;
    }
    CronPlan plan;
    std::size_t count = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
        std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(text.find_first_not_of(" \t", end), text.size()));
        if (count == 5) schedule_fail("a cron schedule has five fields; this one has more");
        const CronRange& range = kCronRanges[count];
        CronField& field = plan.fields[count++];
        field.star = word.starts_with('*');
        for (;;) {
            const std::size_t comma = word.find(',');
            cron_item(word.substr(0, comma), range, field);
            if (comma == word.npos) break;
            word.remove_prefix(comma + 1);
        }
    }
    if (count != 5)
        schedule_fail("expected a cron schedule of five fields, @daily or the like, or an ISO 8601 period like PT24H");
    if (!plan.from(sys_days(std::chrono::year(2000) / 1 / 1))) schedule_fail("its date never comes");
    return plan;
}

// R[n]/START/PERIOD: run k is at START + k periods.
struct RepeatPlan {
    std::int64_t runs = kScheduleRunsMost;
    sys_seconds start{};  // wall-clock time of the zone, or with exact_start the moment
    std::optional<sys_seconds> exact_start;
    int months = 0, day_count = 0;
    seconds exact{0};

    // Nothing: beyond the year 9999.
    std::optional<sys_seconds> run(std::int64_t k, const Zone& zone) const {
        constexpr sys_seconds kEnd = sys_days(std::chrono::year(9999) / 12 / 31);
        const auto too_far = [&](std::int64_t each, std::int64_t most) { return each != 0 && k > most / each; };
        if (too_far(months, 120'000) || too_far(day_count, 4'000'000) || too_far(exact.count(), 300'000'000'000))
            return std::nullopt;
        if (months == 0 && day_count == 0) {
            const sys_seconds at = (exact_start ? *exact_start : zone.to_instant(start)) + k * exact;
            return at < kEnd ? std::optional(at) : std::nullopt;
        }
        const sys_seconds local = exact_start ? *exact_start + zone.offset_at(*exact_start) : start;
        const sys_days day = std::chrono::floor<days>(local);
        std::chrono::year_month_day date = std::chrono::year_month_day(day) + std::chrono::months(k * months);
        if (!date.ok()) date = date.year() / date.month() / std::chrono::last;
        const sys_seconds moved = sys_days(date) + days(k * day_count) + (local - day);
        if (moved >= kEnd) return std::nullopt;
        return zone.to_instant(moved) + k * exact;
    }
    std::optional<sys_seconds> after(sys_seconds moment, const Zone& zone) const {
        const auto is_after = [&](std::int64_t k) {
            const auto at = run(k, zone);
            return !at || *at > moment;
        };
        std::int64_t low = -1, high = 0;  // low is not after, high is
        while (!is_after(high)) {
            low = high;
            high = high * 2 + 1;
        }
        while (high - low > 1) {
            const std::int64_t middle = low + (high - low) / 2;
            (is_after(middle) ? high : low) = middle;
        }
        return high < runs ? run(high, zone) : std::nullopt;
    }
};

void read_period(std::string_view text, RepeatPlan& plan) {
    const auto refuse = [] { schedule_fail("the period is ISO 8601, like P1D or PT15M, at least PT1S and at most P100Y"); };
    std::string_view units = "YMWD";
    std::int64_t months = 0, day_count = 0, exact = 0;
    if (!text.starts_with('P')) refuse();
    text.remove_prefix(1);
    bool time = false, any = false;
    while (!text.empty()) {
        if (!time && text.front() == 'T') {
            time = true;
            any = false;
            units = "HMS";
            text.remove_prefix(1);
            continue;
        }
        std::int64_t value = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
        text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
        if (read.ec != std::errc() || value < 0 || value > 3'153'600'000 || text.empty()) refuse();
        const std::size_t unit = units.find(text.front());
        if (unit == units.npos) refuse();
        switch (units[unit]) {
            case 'Y':
                months += 12 * value;
                break;
            case 'M':
                time ? exact += 60 * value : months += value;
                break;
            case 'W':
                day_count += 7 * value;
                break;
            case 'D':
                day_count += value;
                break;
            case 'H':
                exact += 3600 * value;
                break;
            default:
                exact += value;
                break;
        }
        units.remove_prefix(unit + 1);
        text.remove_prefix(1);
        any = true;
    }
    if (!any || months + day_count + exact == 0 || months > 1200 || day_count > 36'525 || exact > 3'155'760'000) refuse();
    plan.months = static_cast<int>(months);
    plan.day_count = static_cast<int>(day_count);
    plan.exact = seconds(exact);
}

RepeatPlan read_repeat(std::string_view text) {
    RepeatPlan plan;
    if (text.starts_with('P')) {
        read_period(text, plan);
        return plan;
    }
    const std::size_t first = text.find('/'), second = text.find('/', first + 1);
    if (first == text.npos || second == text.npos) schedule_fail("expected R/START/PERIOD, like R/2026-09-01T06:00:00/P1D");
    if (const std::string_view count = text.substr(1, first - 1); !count.empty()) {
        const auto read = std::from_chars(count.data(), count.data() + count.size(), plan.runs);
        if (read.ec != std::errc() || read.ptr != count.data() + count.size() || plan.runs < 1 || plan.runs > 1'000'000'000)
            schedule_fail("behind R stands nothing or a number of runs from 1");
    }
    const std::string start(text.substr(first + 1, second - first - 1));
    if (start.size() < 19) schedule_fail("START is like 2026-09-01T06:00:00, with or without an offset");
    try {
        const bool local = start.size() == 19;
        const Time at = from_rfc3339(local ? start + "Z" : start);
        (local ? plan.start : plan.exact_start.emplace()) = std::chrono::floor<seconds>(at);
    } catch (const Error&) {
        schedule_fail("START is a date and time that exist, like 2026-09-01T06:00:00, with or without an offset");
    }
    read_period(text.substr(second + 1), plan);
    return plan;
}

}  // namespace

struct Schedule::Plan {
    Zone zone;
    std::optional<CronPlan> cron;
    RepeatPlan repeat;
};

Schedule::Schedule(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}

Schedule Schedule::parse(std::string_view text, const Zone& zone) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.empty() || text.size() > kScheduleTextMost) schedule_fail("it has 1 to 200 characters");
    auto plan = std::make_shared<Plan>();
    plan->zone = zone;
    if (text.starts_with('P') || text.starts_with('R')) {
        plan->repeat = read_repeat(text);
    } else {
        plan->cron = read_cron(text);
    }
    return Schedule(std::move(plan));
}

std::optional<Time> Schedule::next_run(Time after) const {
    const sys_seconds moment = std::chrono::floor<seconds>(after);
    if (!plan_->cron) {
        if (const auto at = plan_->repeat.after(moment, plan_->zone)) return Time(*at);
        return std::nullopt;
    }
    // to_instant never goes back while the wall clock goes on, so that the first that lies behind is the next.
    std::optional<sys_seconds> local = std::chrono::floor<std::chrono::minutes>(moment + plan_->zone.offset_at(moment));
    while ((local = plan_->cron->from(*local))) {
        const sys_seconds at = plan_->zone.to_instant(*local);
        if (at > moment) return Time(at);
        *local += std::chrono::minutes(1);
    }
    return std::nullopt;
}

std::vector<Time> missed_runs(const Schedule& schedule, Time after, Time until, std::size_t most) {
    const auto runs_from = [&](Time from, std::size_t enough, auto&& each) {
        std::size_t count = 0;
        for (auto at = schedule.next_run(from); at && *at <= until && count < enough; at = schedule.next_run(*at), ++count)
            each(*at);
        return count;
    };
    if (most == 0 || after >= until) return {};
    // Back from the end, twice as far each time, until there are enough: a long time without the bus costs little.
    Time from = until;
    for (Time::duration back = std::chrono::minutes(1); from > after; back *= 2) {
        from = until - after > back ? until - back : after;
        if (runs_from(from, most, [](Time) {}) == most) break;
    }
    std::deque<Time> newest;
    runs_from(from, static_cast<std::size_t>(-1), [&](Time at) {
        newest.push_back(at);
        if (newest.size() > most) newest.pop_front();
    });
    return {newest.begin(), newest.end()};
}

}  // namespace clrbus
