// Looks at the conditions again and again and sends what began and ended: one notice at begin, one at end, what falls together
// in one. Each channel has a thread of its own, so that a slow mail server holds up nobody, and a list of at most 500 lines
// that wait for it. DIR/alerts.json keeps what is open and what was not sent yet: an alert that began is not begun again by a
// restart, and its end is sent. A process that dies between the far side's answer and our note of it sends that notice again,
// with the same id. Any thread; start and stop: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alerts/channel.hpp"
#include "alerts/condition.hpp"
#include "alerts/tracker.hpp"

namespace clrbus::alerts {

struct AlertOptions {
    std::filesystem::path file;  // DIR/alerts.json
    const Clock* clock = nullptr;
    std::string instance;
    std::chrono::milliseconds look{15'000};   // between two looks
    std::chrono::milliseconds group{10'000};  // what begins or ends so soon behind goes into the same notice
    std::chrono::milliseconds quiet{60'000};  // gone for so long is ended
    std::chrono::milliseconds retry{5'000};   // after the first failure; doubles, at most retry_most
    std::chrono::milliseconds retry_most{300'000};
    std::chrono::milliseconds undelivered{300'000};  // from when on a channel that fails is a condition
    std::size_t pending_most = 500;                  // lines that wait for one channel
};

struct ChannelState {
    std::string name;
    std::size_t pending = 0;  // lines
    std::uint64_t sent = 0;   // notices since the start
    std::uint64_t left_out = 0;
    Time last_sent{};
    Time failing_since{};  // Time{}: it does not fail
    std::string code, error;
};

class Alerts {
public:
    // Reads the file. One that is damaged is kept aside and said in the log: what holds then begins again.
    Alerts(AlertOptions options, std::vector<std::unique_ptr<Channel>> channels);
    ~Alerts();  // stop()

    // conditions runs on a thread of ours; what it throws is logged, and nothing begins or ends then.
    void start(std::function<std::vector<Condition>()> conditions);
    void stop();

    std::vector<OpenAlert> open() const;
    std::vector<ChannelState> channels() const;
    // Channels that cannot send, as conditions.
    std::vector<Condition> undelivered() const;

    struct Tried {
        std::string channel, code, error;  // empty when it arrived
    };
    // A test notice over every channel (or the one of that name), now, on the caller's thread. What waits for a channel
    // that works goes out at once.
    std::vector<Tried> test(const std::string& channel);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::alerts
