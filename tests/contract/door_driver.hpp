// How the contract tests play the sender of one adapter's door. A new adapter with a source adds its driver in
// door_drivers.cpp.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "adapter/adapter.hpp"

namespace clrbus::contract {

class DoorDriver {
public:
    virtual ~DoorDriver() = default;
    // Options that make the door quick enough for a test.
    virtual std::map<std::string, std::string> options() const { return {}; }
    // Sends, once the door has started; one item under one name is the same item. Does not wait for an answer.
    virtual void send(const std::string& name, const std::string& body) = 0;
    // How many times the sender has heard "accepted" so far.
    virtual std::size_t accepted() = 0;
    // True when the sender knows, or can see, that the item was not taken and stays its own for now.
    virtual bool kept_by_sender(const std::string& name) = 0;
    // What a sender does after that: send again, or nothing where the door looks by itself.
    virtual void again(const std::string& name, const std::string& body) = 0;
};

// False: nobody sends to this door. It reads a far side (source_driver.hpp), or opens by the clock, and its own tests show what
// a door promises.
bool has_sender(std::string_view adapter);

// Null: no driver for that adapter. port: of the bus's HTTP server; token: may publish to route.
std::unique_ptr<DoorDriver> door_driver(std::string_view adapter, const std::filesystem::path& state_dir,
                                        const std::string& route, std::uint16_t port, const std::string& token);

}  // namespace clrbus::contract
