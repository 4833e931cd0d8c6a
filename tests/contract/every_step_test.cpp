// What every step of the table promises: faults settle right (poison, away, again), headers and trace stay, and nothing is lost
// or doubled when the process is killed between a step's input and its output.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "config/loader.hpp"
#include "contract/step_driver.hpp"
#include "routing/step.hpp"
#include "support/test_directory.hpp"

namespace clrbus::contract {
namespace {

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const std::vector<StepDriver>& drivers() {
    static const std::vector<StepDriver> all = step_drivers();
    return all;
}

Headers sent_headers() {
    Headers headers;
    headers.set("x-contract", "kept");
    headers.set("gone", "to be removed");
    headers.set(header::kTrace, kTrace);
    return headers;
}

class EveryStep : public testing::TestWithParam<std::size_t> {
protected:
    EveryStep() : world(directory.path()) {}

    const StepDriver& driver() const { return drivers().at(GetParam()); }
    void open() {
        if (driver().prepare) driver().prepare(world);
        world.make(driver().steps);
        world.open();
    }
    void until(const std::string& what, const std::function<bool()>& holds) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!holds()) {
            ASSERT_LT(std::chrono::steady_clock::now(), limit) << what;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    void settle() {
        until("settled", [this] {
            if (world.route_state().paused) throw std::runtime_error(world.route_state().reason);
            return driver().finished ? driver().finished(world) : world.nothing_waits();
        });
    }
    // n messages passed, once each.
    void expect_all(int n) {
        EXPECT_TRUE(world.line("r").balanced());
        for (const auto& [queue, each] : driver().outputs) {
            const auto found = world.in(queue);
            EXPECT_EQ(found.size(), static_cast<std::size_t>(n * each)) << queue;
            std::set<std::string> ids;
            for (const BrowsedMessage& one : found) {
                ids.insert(one.message.message_id());
                EXPECT_EQ(one.headers.get("x-contract"), "kept");
                EXPECT_EQ(one.headers.get(header::kTrace), kTrace);
                EXPECT_FALSE(one.headers.get(header::kOriginal).empty());
                EXPECT_FALSE(one.headers.get(header::kSourceNumber).empty());
                EXPECT_EQ(one.headers.get(header::kRoute), "r");
                EXPECT_FALSE(one.headers.has(header::kDeadStep));
            }
            EXPECT_EQ(ids.size(), found.size()) << "two outputs of one id in " << queue;
        }
        if (driver().check) driver().check(world, n);
    }

    TestDirectory directory;
    StepWorld world;  // last but one: driver's far sides outlive it
};

TEST_P(EveryStep, PassesWhatIsGoodWithHeadersAndTrace) {
    open();
    world.start();
    for (int i = 0; i < 5; ++i) world.put(driver().body(i), "good-" + std::to_string(i), sent_headers());
    settle();
    EXPECT_TRUE(world.in("dead/r").empty()) << world.in("dead/r").front().headers.get(header::kDeadReason);
    expect_all(5);
}

TEST_P(EveryStep, DeadLettersWhatCanNeverWorkAndGoesOn) {
    if (!driver().poison) return;
    open();
    world.start();
    world.put(*driver().poison, "poison", sent_headers());
    until("dead", [this] { return world.in("dead/r").size() == 1; });
    for (int i = 0; i < 2; ++i) world.put(driver().body(i), "good-" + std::to_string(i), sent_headers());
    settle();
    const auto dead = world.in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].message.message_id(), "poison");
    EXPECT_EQ(dead[0].message.body(), *driver().poison);
    EXPECT_EQ(dead[0].headers.get("x-contract"), "kept");
    EXPECT_EQ(dead[0].headers.get(header::kTrace), kTrace);
    EXPECT_FALSE(dead[0].headers.get(header::kDeadCode).empty());
    EXPECT_FALSE(dead[0].headers.get(header::kDeadReason).empty());
    if (!driver().dead_step.empty()) {
        EXPECT_EQ(dead[0].headers.get(header::kDeadStep), driver().dead_step);
    }
    expect_all(2);
}

// A disk that is full refuses the Unit: the input goes back and is tried again, and what it caused is caused once.
TEST_P(EveryStep, TriesAgainWhenTheUnitIsRefused) {
    open();
    for (int i = 0; i < 3; ++i) world.put(driver().body(i), "good-" + std::to_string(i), sent_headers());
    world.disk_full(true);
    world.start();
    until("tried", [this] { return world.route_state().done > 0 || world.state_of("in/r").delayed > 0; });
    EXPECT_EQ(world.state_of("records").ready + world.state_of("in/a").ready + world.state_of("in/b").ready, 0U);
    world.disk_full(false);
    settle();
    EXPECT_TRUE(world.in("dead/r").empty());
    expect_all(3);
}

TEST_P(EveryStep, WaitsForAFarSideThatIsAway) {
    if (!driver().away) return;
    open();
    driver().away(world);
    world.start();
    for (int i = 0; i < 3; ++i) world.put(driver().body(i), "good-" + std::to_string(i), sent_headers());
    until("put off", [this] { return world.state_of("in/r").delayed == 3; });
    EXPECT_TRUE(world.in("dead/r").empty());
    for (const BrowsedMessage& one : world.in("in/r")) EXPECT_EQ(one.attempts, 0U) << "it is not the message's fault";
    driver().back(world);
    settle();
    EXPECT_TRUE(world.in("dead/r").empty());
    expect_all(3);
}

// One life of the process that works on the messages: killed once so many are done; 0: it lives until all are. Its last word.
std::string live(const std::string& root, int kill_at) {
    int ends[2];
    if (::pipe(ends) != 0) return "no pipe";
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        const std::string program = CLRBUS_BINARY_DIR "/bin/steps_victim", report = std::to_string(ends[1]);
        ::execl(program.c_str(), program.c_str(), root.c_str(), report.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(ends[1]);
    std::string line, word;
    bool killed = false;
    for (char c = 0; ::read(ends[0], &c, 1) == 1;) {
        if (c != '\n') {
            line += c;
            continue;
        }
        word = std::exchange(line, {});
        if (!killed && kill_at > 0 && std::atoi(word.c_str()) >= kill_at) killed = ::kill(child, SIGKILL) == 0;
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (killed) return "killed";
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? word : "ended by itself: " + word;
}

TEST_P(EveryStep, LosesNothingAndDoublesNothingWhenKilled) {
    open();
    const int n = driver().rounds;
    std::vector<StepWorld::Sent> messages;
    for (int i = 0; i < n; ++i) messages.push_back({driver().body(i), "m" + std::to_string(i)});
    world.put(messages, sent_headers());
    world.close();
    for (const int kill_at : {1, n / 20 + 1}) {
        const std::string word = live(directory.path(), kill_at);
        if (word == "all") break;  // too quick to be killed
        ASSERT_EQ(word, "killed");
    }
    ASSERT_EQ(live(directory.path(), 0), "all");
    world.open();
    // In hand at two kills, one is taken for the one that ended the process: it is kept, not lost.
    int suspects = 0;
    for (const BrowsedMessage& one : world.in("dead/r")) {
        EXPECT_EQ(one.headers.get(header::kDeadCode), "ROUTE-105") << one.headers.get(header::kDeadReason);
        ++suspects;
    }
    expect_all(n - suspects);
    EXPECT_EQ(world.line("r").sum(Outcome::kDead), suspects);
}

std::string step_test_name(const testing::TestParamInfo<std::size_t>& info) {
    std::string name = drivers().at(info.param).step;
    std::replace(name.begin(), name.end(), '-', '_');
    return name + "_" + std::to_string(info.param);
}
INSTANTIATE_TEST_SUITE_P(Steps, EveryStep, testing::Range<std::size_t>(0, step_drivers().size()), step_test_name);

TEST(StepTable, HasADriverForEachStepAndAnElementForEach) {
    std::set<std::string> table, driven, schema;
    for (const StepKind& kind : step_kinds()) EXPECT_TRUE(table.emplace(kind.name).second) << kind.name << " stands twice";
    for (const StepDriver& driver : drivers()) driven.insert(driver.step);
    EXPECT_EQ(driven, table);
    const Config xsd = ConfigLoader(nullptr).load(std::filesystem::path(CLRBUS_SOURCE_DIR) / "xsd/routes.xsd");
    for (const Config& group : xsd.children("group")) {
        for (const Config& element : group.child("choice").children("element")) schema.insert(element.get("name"));
    }
    EXPECT_EQ(schema, table);
}

}  // namespace
}  // namespace clrbus::contract
