#include "alerts/alerts.hpp"

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "alerts/state_file.hpp"
#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"

namespace clrbus::alerts {
namespace {

std::string series(const char* name, const Channel& channel) {
    return std::string(name) + "{channel=\"" + channel.name() + "\"}";
}

}  // namespace

struct Alerts::Impl {
    struct Way {
        std::unique_ptr<Channel> channel;
        ChannelState state;  // pending and left_out stand in saved
        std::chrono::milliseconds back_off{0};
        bool hurry = false;  // somebody saw that it works: no waiting for the next try
        std::condition_variable_any wake;
        std::jthread thread;
    };

    const AlertOptions options;
    mutable std::mutex mutex;  // guards what follows
    Tracker tracker;
    AlertState saved;  // what the file holds or is about to; open is taken from the tracker
    std::vector<std::unique_ptr<Way>> ways;
    bool save_failed = false;
    std::chrono::steady_clock::time_point may_end_at{};
    std::function<std::vector<Condition>()> conditions;
    std::condition_variable_any wake;
    std::jthread looking;  // last: calls back into all of the above

    explicit Impl(AlertOptions given) : options(std::move(given)) {}

    void save() {  // under the mutex
        saved.open.clear();
        for (const auto& [key, alert] : tracker.open()) saved.open.push_back(alert);
        try {
            write_alert_state(options.file, saved);
            save_failed = false;
        } catch (const std::exception& e) {
            // A full disk is one of the things to alert about: it goes on from memory.
            if (!std::exchange(save_failed, true))
                log::error("alerts", std::string("what was alerted is not kept, a restart may say it again: ") + e.what());
        }
    }

    void begin(std::vector<std::unique_ptr<Channel>> channels) {
        try {
            saved = read_alert_state(options.file);
        } catch (const Error& e) {
            log::error("alerts", e.code() + ": " + e.what() + "; kept as alerts.json.damaged");
            std::error_code ignored;
            std::filesystem::rename(options.file, options.file.string() + ".damaged", ignored);
        }
        tracker.restore(std::move(saved.open));
        std::map<std::string, AlertState::Pending> kept;
        for (auto& channel : channels) {
            auto way = std::make_unique<Way>();
            way->state.name = channel->name();
            kept[channel->name()] = std::move(saved.pending[channel->name()]);
            way->channel = std::move(channel);
            ways.push_back(std::move(way));
        }
        saved.pending = std::move(kept);  // a channel that is gone waits for nothing
    }

    void look() {
        const Time now = options.clock->now();
        std::vector<Condition> found;
        try {
            found = conditions();
        } catch (const std::exception& e) {
            log::error("alerts", std::string("looking at the conditions: ") + e.what());
            counter("clrbus_alerts_look_failed_total").add();
            return;
        }
        const std::lock_guard lock(mutex);
        const bool may_end = options.clock->steady() >= may_end_at;
        const std::vector<Event> events = tracker.look(now, found, options.quiet, may_end, saved.number);
        for (const Event& event : events) {
            log::warn("alerts", (event.begin ? "began: " : "ended: ") + event.code + ": " + event.what);
            for (const auto& way : ways) {
                if (way->channel->wants(event.kind)) add(*way, event);
            }
        }
        std::map<std::string, std::int64_t> open;
        for (const std::string_view kind : kKinds) open[std::string(kind)] = 0;
        for (const auto& [key, alert] : tracker.open()) ++open[alert.condition.kind];
        for (const auto& [kind, count] : open) counter("clrbus_alerts_open{kind=\"" + kind + "\"}").set(count);
        if (!events.empty() || save_failed) save();
        if (events.empty()) return;
        for (const auto& way : ways) way->wake.notify_all();
    }

    void add(Way& way, const Event& event) {  // under the mutex
        AlertState::Pending& pending = saved.pending[way.channel->name()];
        if (pending.events.size() >= options.pending_most) {
            pending.events.erase(pending.events.begin());
            ++pending.left_out;
        }
        pending.events.push_back(event);
    }

    // Waits until there is something to send, for what falls together with it, and for the time of the next try.
    std::optional<Notice> next(const std::stop_token& stop, Way& way) {
        std::unique_lock lock(mutex);
        AlertState::Pending& pending = saved.pending[way.channel->name()];
        if (!way.wake.wait(lock, stop, [&] { return !pending.events.empty(); })) return {};
        const auto wait = std::max(options.group, way.back_off);
        way.wake.wait_for(lock, stop, wait, [&] { return way.hurry; });
        way.hurry = false;
        if (stop.stop_requested()) return {};
        Notice out;
        out.instance = options.instance;
        out.at = options.clock->now();
        out.events = pending.events;
        out.left_out = pending.left_out;
        out.open = tracker.open().size();
        out.id = name_uuid(kOutputNamespace, "alerts\n" + options.instance + "\n" + way.channel->name() + "\n" +
                                                 std::to_string(out.events.front().number) + "\n" +
                                                 std::to_string(out.events.back().number) + "\n" +
                                                 to_rfc3339(out.events.front().at));
        return out;
    }

    void sent(Way& way, const Notice& notice) {
        const std::lock_guard lock(mutex);
        AlertState::Pending& pending = saved.pending[way.channel->name()];
        const std::uint64_t last = notice.events.back().number;
        std::erase_if(pending.events, [&](const Event& event) { return event.number <= last; });
        pending.left_out -= std::min(pending.left_out, notice.left_out);
        ++way.state.sent;
        way.state.last_sent = options.clock->now();
        way.state.failing_since = {};
        way.state.code.clear();
        way.state.error.clear();
        way.back_off = {};
        save();
    }

    void failed(Way& way, const std::string& code, const std::string& error) {
        const std::lock_guard lock(mutex);
        if (way.state.failing_since == Time{}) way.state.failing_since = options.clock->now();
        if (way.state.code != code) log::warn("alerts", way.channel->name() + ": " + code + ": " + error);
        way.state.code = code;
        way.state.error = error;
        way.back_off = way.back_off.count() == 0 ? options.retry : std::min(way.back_off * 2, options.retry_most);
    }

    void send(const std::stop_token& stop, Way& way) {
        while (auto notice = next(stop, way)) {
            try {
                way.channel->send(*notice);
                counter(series("clrbus_alerts_sent_total", *way.channel)).add();
                sent(way, *notice);
            } catch (const Error& e) {
                if (stop.stop_requested()) return;
                counter(series("clrbus_alerts_failed_total", *way.channel)).add();
                failed(way, e.code(), e.what());
            } catch (const std::exception& e) {
                counter(series("clrbus_alerts_failed_total", *way.channel)).add();
                failed(way, "ALERT-900", typeid(e).name());
            }
        }
    }
};

Alerts::Alerts(AlertOptions options, std::vector<std::unique_ptr<Channel>> channels)
    : impl_(std::make_unique<Impl>(std::move(options))) {
    impl_->begin(std::move(channels));
}

Alerts::~Alerts() {
    stop();
}

void Alerts::start(std::function<std::vector<Condition>()> conditions) {
    Impl& me = *impl_;
    me.conditions = std::move(conditions);
    // After a start endpoints and doors need a moment to find out again what is away.
    me.may_end_at = me.options.clock->steady() + me.options.quiet;
    for (auto& way : me.ways) {
        Impl::Way& one = *way;
        one.thread = std::jthread([&me, &one](const std::stop_token& stop) { me.send(stop, one); });
    }
    me.looking = std::jthread([&me](const std::stop_token& stop) {
        std::mutex none;
        std::condition_variable_any timer;
        while (!stop.stop_requested()) {
            me.look();
            std::unique_lock lock(none);
            timer.wait_for(lock, stop, me.options.look, [] { return false; });
        }
    });
}

void Alerts::stop() {
    Impl& me = *impl_;
    me.looking.request_stop();
    for (auto& way : me.ways) {
        way->thread.request_stop();
        way->channel->cancel();
    }
    if (me.looking.joinable()) me.looking.join();
    for (auto& way : me.ways) {
        if (way->thread.joinable()) way->thread.join();
    }
}

std::vector<OpenAlert> Alerts::open() const {
    const std::lock_guard lock(impl_->mutex);
    std::vector<OpenAlert> out;
    for (const auto& [key, alert] : impl_->tracker.open()) out.push_back(alert);
    return out;
}

std::vector<ChannelState> Alerts::channels() const {
    const std::lock_guard lock(impl_->mutex);
    std::vector<ChannelState> out;
    for (const auto& way : impl_->ways) {
        ChannelState state = way->state;
        const AlertState::Pending& pending = impl_->saved.pending[way->channel->name()];
        state.pending = pending.events.size();
        state.left_out = pending.left_out;
        out.push_back(std::move(state));
    }
    return out;
}

std::vector<Condition> Alerts::undelivered() const {
    std::vector<Condition> out;
    for (const ChannelState& state : channels()) {
        if (state.failing_since == Time{}) continue;
        out.push_back({.key = "undelivered " + state.name,
                       .kind = "undelivered",
                       .code = state.code,
                       .what = "alerts do not arrive by " + state.name + ": " + state.error,
                       .todo = "look at what is named; then clrbus alerts test",
                       .since = state.failing_since,
                       .after = impl_->options.undelivered,
                       .still = false});
    }
    return out;
}

std::vector<Alerts::Tried> Alerts::test(const std::string& channel) {
    Notice notice;
    notice.instance = impl_->options.instance;
    notice.at = impl_->options.clock->now();
    notice.id = new_uuid();
    notice.test = true;
    notice.open = open().size();
    std::vector<std::future<Tried>> under_way;
    for (const auto& way : impl_->ways) {
        if (!channel.empty() && way->channel->name() != channel) continue;
        under_way.push_back(std::async(std::launch::async, [&notice, &one = *way->channel] {
            Tried tried{one.name(), {}, {}};
            try {
                one.send(notice);
            } catch (const Error& e) {
                tried.code = e.code();
                tried.error = e.what();
            }
            return tried;
        }));
    }
    std::vector<Tried> out;
    for (auto& one : under_way) out.push_back(one.get());
    const std::lock_guard lock(impl_->mutex);
    for (const auto& way : impl_->ways) {
        for (const Tried& one : out) {
            if (one.channel != way->channel->name() || !one.code.empty()) continue;
            way->hurry = way->back_off.count() != 0;
            way->wake.notify_all();
        }
    }
    return out;
}

}  // namespace clrbus::alerts
