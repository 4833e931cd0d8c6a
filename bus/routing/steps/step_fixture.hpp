// For the tests of steps: sinks that keep what they get, to be looked at. Tests only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "routing/engine_fixture.hpp"

namespace clrbus {

class StepTest : public EngineTest {
protected:
    // A route whose every message ends in its dead letters, as it came: up to kDeadInARow - 1 of them.
    void sink(const std::string& id) { route(id, R"(<filter test="$nobody-sets-this" reason="never"/><to><records/></to>)"); }
    std::vector<BrowsedMessage> got(const std::string& id) { return in("dead/" + id); }
    std::vector<std::string> bodies(const std::string& id) {
        std::vector<std::string> out;
        for (const BrowsedMessage& one : got(id)) out.emplace_back(one.message.body());
        return out;
    }
    void settle_all(const std::vector<std::string>& ids) {
        for (const std::string& id : ids) settle(id);
        for (const std::string& id : ids) EXPECT_TRUE(line(id).balanced()) << id;
    }
    // The one error of a route made of these steps, as "CODE text"; "compiles" for none.
    std::string error_of(const std::string& steps) {
        route("bad", steps);
        const LoadedRoutes loaded = load();
        return loaded.errors.empty() ? "compiles" : loaded.errors.front().code() + " " + loaded.errors.front().what();
    }
    Incoming incoming(std::string body, const std::vector<std::pair<std::string, std::string>>& headers) {
        Incoming out;
        out.body = std::move(body);
        for (const auto& [name, value] : headers) out.headers.set(name, value);
        return out;
    }
};

}  // namespace clrbus
