#include "trace/statistics.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"
#include "storage/bytes.hpp"
#include "storage/crc32c.hpp"
#include "storage/file.hpp"

namespace clrbus::trace {
namespace {

constexpr std::string_view kStatisticsMagic = "clrbus-stat2";
constexpr std::int64_t kWeekHours = 168, kWeeks = 4;
constexpr std::int64_t kHoursKept = kWeekHours * (kWeeks + 1) + 24;
constexpr std::size_t kRoutesMost = 10'000;

// Of an account, by Outcome.
using StatisticsSums = std::array<std::int64_t, kOutcomes>;

struct StatisticsHour {
    std::int64_t received = 0, success = 0, dead = 0;
};

struct StatisticsRoute {
    StatisticsSums seen{};  // the ledger's, at the last look
    Time last_received{}, last_success{};
    std::map<std::int64_t, StatisticsHour> hours;  // by hours since 1970
};

std::int64_t hour_of(Time time) {
    return std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count();
}

bool is_route(std::string_view account) {
    return !account.empty() && account != "records" && account.find('/') == std::string_view::npos;
}

std::int64_t sum(const StatisticsSums& sums, Outcome outcome) {
    return sums[static_cast<std::size_t>(outcome)];
}

// A message that was split, or is part of a group, went through as well.
std::int64_t success_of(const StatisticsSums& sums) {
    return sum(sums, Outcome::kDelivered) + sum(sums, Outcome::kSplit) + sum(sums, Outcome::kAggregated);
}

}  // namespace

struct Statistics::Impl {
    Impl(const Queues& q, const Clock& c, std::string f) : queues(q), clock(c), file(std::move(f)) {}

    const Queues& queues;
    const Clock& clock;
    const std::string file;

    mutable std::mutex mutex;  // guards what follows
    std::map<std::string, StatisticsRoute, std::less<>> routes;
    Time written{};  // the file, as it was read
    bool changed = false;
    bool complained = false;
    std::mutex writing;  // one at a time; taken before mutex
    std::jthread looking;

    std::map<std::string, StatisticsSums, std::less<>> sums() const {
        std::map<std::string, StatisticsSums, std::less<>> out;
        for (const LedgerEntry& entry : queues.ledger())
            out[entry.account][static_cast<std::size_t>(entry.outcome)] += entry.count;
        return out;
    }

    // found_at: when what is new happened, at least; now without it.
    void look(std::optional<Time> found_at = {}) {
        // What a queue answers is not waited for with the lock in hand.
        const auto now_sums = sums();
        const Time now = found_at.value_or(clock.now());
        const std::int64_t hour = hour_of(now);
        const std::lock_guard lock(mutex);
        for (const auto& [account, found] : now_sums) {
            if (!is_route(account)) continue;
            if (routes.size() >= kRoutesMost && routes.find(account) == routes.end()) continue;
            StatisticsRoute& route = routes[account];
            StatisticsHour step;
            // Looks may pass each other: what an older one saw is not taken away again.
            step.received = std::max<std::int64_t>(0, sum(found, Outcome::kAccepted) - sum(route.seen, Outcome::kAccepted));
            step.success = std::max<std::int64_t>(0, success_of(found) - success_of(route.seen));
            step.dead = std::max<std::int64_t>(0, sum(found, Outcome::kDead) - sum(route.seen, Outcome::kDead));
            for (std::size_t i = 0; i < kOutcomes; ++i) route.seen[i] = std::max(route.seen[i], found[i]);
            if (step.received + step.success + step.dead == 0) continue;
            if (step.received > 0) route.last_received = now;
            if (step.success > 0) route.last_success = now;
            StatisticsHour& kept = route.hours[hour];
            kept.received += step.received;
            kept.success += step.success;
            kept.dead += step.dead;
            route.hours.erase(route.hours.begin(), route.hours.lower_bound(hour - kHoursKept));
            changed = true;
        }
    }

    std::string encode() const {  // with the lock held
        std::string out;
        storage::put_number<std::int64_t>(out, clock.now().time_since_epoch().count());
        storage::put_number(out, static_cast<std::uint32_t>(routes.size()));
        for (const auto& [id, route] : routes) {
            storage::put_text(out, id);
            for (const std::int64_t one : route.seen) storage::put_number(out, one);
            storage::put_number<std::int64_t>(out, route.last_received.time_since_epoch().count());
            storage::put_number<std::int64_t>(out, route.last_success.time_since_epoch().count());
            storage::put_number(out, static_cast<std::uint32_t>(route.hours.size()));
            for (const auto& [hour, kept] : route.hours) {
                for (const std::int64_t one : {hour, kept.received, kept.success, kept.dead}) storage::put_number(out, one);
            }
        }
        return out;
    }

    bool decode(std::string_view bytes) {
        if (bytes.substr(0, kStatisticsMagic.size()) != kStatisticsMagic) return false;
        storage::ByteReader in(bytes.substr(kStatisticsMagic.size()));
        const auto crc = in.number<std::uint32_t>();
        const std::string_view body = in.rest();
        if (storage::crc32c(0, body) != crc) return false;
        storage::ByteReader reader(body);
        const auto time = [&reader] { return Time(std::chrono::milliseconds(reader.number<std::int64_t>())); };
        written = time();
        const auto count = reader.number<std::uint32_t>();
        for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
            StatisticsRoute& route = routes[std::string(reader.text())];
            for (std::int64_t& one : route.seen) one = reader.number<std::int64_t>();
            route.last_received = time();
            route.last_success = time();
            const auto hours = reader.number<std::uint32_t>();
            for (std::uint32_t h = 0; h < hours && reader.ok(); ++h) {
                const auto hour = reader.number<std::int64_t>();
                StatisticsHour& kept = route.hours[hour];
                kept.received = reader.number<std::int64_t>();
                kept.success = reader.number<std::int64_t>();
                kept.dead = reader.number<std::int64_t>();
            }
        }
        return reader.ok() && reader.at_end();
    }

    void read() {
        storage::Files& files = storage::real_files();
        if (!files.exists(file)) return;
        bool good = false;
        try {
            good = decode(storage::read_whole_file(files, file));
        } catch (const Error& e) {
            log::warn("trace", e.what());
        }
        if (good) {
            // Each look that saw nothing new marks the file with its time, unsynced.
            std::error_code none;
            const auto marked = std::filesystem::last_write_time(file, none);
            if (!none) {
                const auto at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::file_clock::to_sys(marked));
                written = std::max(written, std::min<Time>(at, clock.now()));
            }
            return;
        }
        routes.clear();
        written = Time{};
        log::warn("trace", "TRACE-001: the statistics in '" + file +
                               "' cannot be read: sums are whole, the hours of the last weeks begin anew");
    }

    void write() {
        const std::lock_guard one(writing);
        std::string body;
        {
            const std::lock_guard lock(mutex);
            if (!std::exchange(changed, false)) {
                std::error_code ignored;
                std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now(), ignored);
                return;
            }
            body = encode();
        }
        std::string bytes(kStatisticsMagic);
        storage::put_number(bytes, storage::crc32c(0, body));
        bytes += body;
        try {
            storage::write_file_atomically(storage::real_files(), file, bytes);
            complained = false;
        } catch (const Error& e) {
            // Kept in memory; the next minute tries again.
            const std::lock_guard lock(mutex);
            changed = true;
            if (!std::exchange(complained, true))
                log::warn("trace", std::string("the statistics are not written: ") + e.what());
        }
    }
};

Statistics::Statistics(const Queues& queues, const Clock& clock, std::string file)
    : impl_(std::make_unique<Impl>(queues, clock, std::move(file))) {
    impl_->read();
    // What nobody had seen when the process before ended was there by then, not now.
    impl_->look(impl_->written == Time{} ? std::nullopt : std::optional(impl_->written));
}

Statistics::~Statistics() {
    stop();
}

void Statistics::start() {
    impl_->looking = std::jthread([this](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any ended;
        std::unique_lock lock(mutex);
        while (!ended.wait_for(lock, stop, kLook, [&stop] { return stop.stop_requested(); })) {
            impl_->look();
            impl_->write();
        }
    });
}

void Statistics::stop() {
    impl_->looking = {};
    impl_->look();
    impl_->write();
}

void Statistics::look() {
    impl_->look();
}

std::vector<RouteStatistics> Statistics::routes() {
    impl_->look();
    impl_->write();  // what was shown is not forgotten
    std::map<std::string, RouteStatistics, std::less<>> out;
    const auto sums = impl_->sums();
    for (const auto& [account, found] : sums) {
        if (account.rfind(kAppliedAccount, 0) == 0) {
            RouteStatistics& one = out[account.substr(std::string_view(kAppliedAccount).size())];
            one.applied = sum(found, Outcome::kApplied) + sum(found, Outcome::kHeld);
            one.unchanged = sum(found, Outcome::kUnchanged) + sum(found, Outcome::kSuperseded);
        } else if (is_route(account)) {
            RouteStatistics& one = out[account];
            one.received = sum(found, Outcome::kAccepted);
            one.made = sum(found, Outcome::kMade);
            one.delivered = success_of(found);
            one.filtered = sum(found, Outcome::kFiltered);
            one.duplicate = sum(found, Outcome::kDuplicate);
            one.dead = sum(found, Outcome::kDead);
        }
    }
    for (const QueueState& state : impl_->queues.states()) {
        const std::uint64_t all = state.ready + state.in_hand + state.delayed;
        const std::string_view name = state.name;
        if (name.rfind("in/", 0) == 0) out[std::string(name.substr(3))].waiting += all;
        if (name.rfind("step/", 0) == 0) out[std::string(name.substr(5, name.find('/', 5) - 5))].waiting += all;
        if (name.rfind("dead/", 0) == 0 && name != "dead/records") out[std::string(name.substr(5))].dead_now += all;
    }
    const std::int64_t hour = hour_of(impl_->clock.now());
    std::vector<RouteStatistics> list;
    const std::lock_guard lock(impl_->mutex);
    for (auto& [id, one] : out) {
        one.route = id;
        if (const auto found = impl_->routes.find(id); found != impl_->routes.end()) {
            const auto& kept = found->second;
            one.last_received = kept.last_received;
            one.last_success = kept.last_success;
            // The 24 hours that end with the present one, so many weeks ago. Of the present hour only a part is over: the
            // same hour of then counts whole, which says a little too much for then, never for now.
            const auto day = [&kept, hour](std::int64_t weeks, std::int64_t StatisticsHour::*what) {
                std::int64_t all = 0;
                const auto end = kept.hours.upper_bound(hour - weeks * kWeekHours);
                for (auto at = kept.hours.upper_bound(hour - weeks * kWeekHours - 24); at != end; ++at) all += at->second.*what;
                return all;
            };
            one.day = day(0, &StatisticsHour::received);
            one.dead_day = day(0, &StatisticsHour::dead);
            std::int64_t then = 0, weeks = 0;
            for (std::int64_t week = 1; week <= kWeeks; ++week) {
                // Only weeks in which the route was there already.
                if (kept.hours.empty() || kept.hours.begin()->first > hour - week * kWeekHours) break;
                then += day(week, &StatisticsHour::received);
                ++weeks;
            }
            if (weeks != 0) one.weekday = static_cast<double>(then) / static_cast<double>(weeks);
            if (then != 0) one.rate = static_cast<double>(one.day) / *one.weekday;
        }
        list.push_back(std::move(one));
    }
    return list;
}

}  // namespace clrbus::trace
