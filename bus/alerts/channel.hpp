// A way by which notices reach people. Any thread.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "alerts/condition.hpp"

namespace clrbus::alerts {

class Channel {
public:
    // kinds: which conditions it wants; all when empty.
    Channel(std::string name, std::vector<std::string> kinds) : name_(std::move(name)), kinds_(std::move(kinds)) {}
    virtual ~Channel() = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    const std::string& name() const { return name_; }  // "mail ops"
    bool wants(const std::string& kind) const {
        return kinds_.empty() || std::find(kinds_.begin(), kinds_.end(), kind) != kinds_.end();
    }
    // Returns when the far side has it, within a bounded time. Throws Error with an ALERT code: not sent, or nobody knows.
    virtual void send(const Notice& notice) = 0;
    // What is being sent ends soon, later ones at once. For ever.
    virtual void cancel() = 0;

private:
    const std::string name_;
    const std::vector<std::string> kinds_;
};

}  // namespace clrbus::alerts
