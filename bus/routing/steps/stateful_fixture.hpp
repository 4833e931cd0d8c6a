// Routes with steps that keep what waits, on a clock that the test moves. Tests only.
#pragma once

#include <gmock/gmock.h>

#include <map>
#include <mutex>

#include "routing/engine_fixture.hpp"
#include "routing/faults.hpp"

namespace clrbus {

class SetClock : public Clock {
public:
    Time now() const override {
        const std::lock_guard lock(mutex_);
        return now_;
    }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
    void pass(std::chrono::milliseconds time) {
        const std::lock_guard lock(mutex_);
        now_ += time;
    }

private:
    mutable std::mutex mutex_;
    Time now_ = from_rfc3339("2026-11-24T12:00:00Z");
};

class StatefulTest : public EngineTest {
protected:
    StatefulTest() {
        clock_ = &time_;
        threads_ = 1;  // so that what goes on in an order is seen in that order
        write(
            "transforms/members.xsl",
            R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1">
            <xsl:template match="/aggregate"><statement source="test" key="{@correlation}" covers="all"><learner><identifier scheme="sis-id" issuer="x" value="{@correlation}"/></learner>
            <xsl:for-each select="member"><achievement key="a{*/n}" type="Award" component="activities"><name><xsl:value-of select="../@complete"/></name></achievement></xsl:for-each></statement></xsl:template></xsl:stylesheet>)");
    }

    ~StatefulTest() override { close(); }  // while the clock is there

    static std::string note(const std::string& who, int n, const std::string& more = "") {
        return "<note><who>" + who + "</who><n>" + std::to_string(n) + "</n>" + more + "</note>";
    }
    // Wall time passes; whoever waits is told.
    void pass(std::chrono::milliseconds time) {
        time_.pass(time);
        queues_->wake_delayed();
    }
    std::uint64_t waiting(const std::string& queue) {
        for (const QueueState& state : queues_->states()) {
            if (state.name == queue) return state.ready + state.in_hand + state.delayed;
        }
        return 0;
    }
    void until_waits(const std::string& queue, std::uint64_t count) {
        until(std::to_string(count) + " in " + queue, [&] { return waiting(queue) == count; });
    }
    // The keeper has seen them: what they mean is in state.db.
    void until_known(const std::string& queue, std::uint64_t count) {
        until_waits(queue, count);
        until(queue + " is known", [&] {
            std::uint64_t known = 0;
            StepKeeper& keeper = engine_->keeper();
            keeper.state().read([&](storage::StepTables& tables) { known = tables.count(keeper.number(queue)); });
            return known == count;
        });
    }
    void until_records(std::size_t count) {
        until(std::to_string(count) + " records", [&] { return in("records").size() >= count; });
        EXPECT_EQ(in("records").size(), count);
    }
    // "key: a1 a2 (why)" of each statement in records, in their order.
    std::vector<std::string> records() {
        std::vector<std::string> out;
        for (const BrowsedMessage& one : in("records")) {
            const std::string xml(one.message.body());
            const auto value = [&xml](const std::string& begin, std::size_t from) {
                const auto at = xml.find(begin, from);
                return at == std::string::npos
                           ? std::string()
                           : xml.substr(at + begin.size(), xml.find_first_of("\"<", at + begin.size()) - at - begin.size());
            };
            const auto root = xml.find("<statement");
            std::string text = value(" key=\"", root) + ":";
            std::string why;
            for (auto at = xml.find("<achievement "); at != std::string::npos; at = xml.find("<achievement ", at + 1)) {
                text += " " + value(" key=\"", at);
                why = value("<name>", at);
            }
            out.push_back(text + " (" + why + ")");
        }
        return out;
    }
    void killed() {  // what a kill leaves: no checkpoint is asked for here, the crash tests kill for real
        close();
        start();
    }
    void expect_balanced(const std::string& id = "r") {
        until("the ledger balances", [&] { return line(id).balanced(); });
    }
    std::string dead_code(std::size_t at = 0, const std::string& id = "r") {
        const auto dead = in("dead/" + id);
        return at < dead.size() ? std::string(dead[at].headers.get(header::kDeadCode)) : "none";
    }

    SetClock time_;
};

}  // namespace clrbus
