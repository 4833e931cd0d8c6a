// How the contract tests play the far side of one adapter's sink. A new adapter with a sink adds its driver in
// sink_drivers.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/mood.hpp"

namespace clrbus::contract {

class SinkDriver {
public:
    virtual ~SinkDriver() = default;
    // The endpoint element: its name and options, quick enough for a test.
    virtual std::string element() const = 0;
    virtual std::map<std::string, std::string> options() const = 0;
    virtual void mood(Mood mood) = 0;
    // What it takes as our secret; with another one we are strangers.
    virtual void expect_secret(const std::string& secret) = 0;
    struct Item {
        std::string id, body, trace;
    };
    // What it has taken, in order.
    virtual std::vector<Item> taken() = 0;
};

// Null: no driver for that adapter.
std::unique_ptr<SinkDriver> sink_driver(std::string_view adapter);

}  // namespace clrbus::contract
