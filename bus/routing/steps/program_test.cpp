#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include "routing/dry_run.hpp"
#include "routing/steps/step_fixture.hpp"

namespace clrbus {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgramStep : public StepTest {
protected:
    ProgramStep() {
        programs_ = root_ / "programs";
        sink("a");
    }
    void program(const std::string& name, const std::string& text, mode_t mode = 0755) {
        write("programs/" + name, text);
        ::chmod((root_ / "programs" / name).c_str(), mode);
        ::chmod((root_ / "programs").c_str(), 0755);
    }
    void shell(const std::string& name, const std::string& text) { program(name, "#!/bin/sh\n" + text); }
    // One message through a route of this program: the dead letter's headers, or none when it passed.
    std::vector<BrowsedMessage> dead_of(const std::string& attributes, const std::string& body = "<m>SECRET</m>") {
        route("r", "<program " + attributes + "/>" + kToA);
        start();
        put("r", body);
        settle("r");
        EXPECT_TRUE(line("r").balanced());
        return in("dead/r");
    }
    std::string dead_text(const std::string& attributes) {
        const auto dead = dead_of(attributes);
        if (dead.size() != 1) return "passed";
        return std::string(dead[0].headers.get(header::kDeadCode)) + " " +
               std::string(dead[0].headers.get(header::kDeadReason));
    }
    std::string text_of(const std::string& file) {
        std::ifstream in(root_ / file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static constexpr const char* kToA = R"(<to><route id="a"/></to>)";
};

TEST_F(ProgramStep, RefusesProgramsThatOthersMayChange) {
    const auto error = [this](const std::string& command) { return error_of("<program command=\"" + command + "\"/>" + kToA); };
    shell("good", "cat");
    EXPECT_EQ(error("good"), "compiles");
    program("group", "#!/bin/sh\ncat", 0775);
    program("all", "#!/bin/sh\ncat", 0757);
    program("plain", "#!/bin/sh\ncat", 0644);
    EXPECT_THAT(error("group"), AllOf(HasSubstr("ROUTE-028"), HasSubstr("routes.xml:3")));
    EXPECT_THAT(error("all"), HasSubstr("ROUTE-028"));
    EXPECT_THAT(error("plain"), HasSubstr("not executable"));
    EXPECT_THAT(error("none"), HasSubstr("ROUTE-011"));
    EXPECT_THAT(error("../../bin/sh"), HasSubstr("routes.xml:3"));
    std::filesystem::create_symlink("/bin/cat", root_ / "programs" / "away");
    EXPECT_THAT(error("away"), HasSubstr("ROUTE-010")) << "a link that leads out of the folder";
    ::chmod((root_ / "programs").c_str(), 0777);
    EXPECT_THAT(error("good"), HasSubstr("ROUTE-028")) << "a folder in which anyone may put another program";
    ::chmod((root_ / "programs").c_str(), 0755);
    programs_.clear();
    EXPECT_THAT(error("good"), HasSubstr("ROUTE-028")) << "no folder, no program";
}

TEST_F(ProgramStep, GetsBytesAndHeadersAndNothingElse) {
    ::setenv("CLRBUS_TEST_SECRET", "of the bus", 1);
    shell("show",
          "cat >/dev/null; env | sort >env.txt; ls -l /proc/self/fd >fds.txt; pwd >pwd.txt; echo \"<out arg='$1 $2'/>\"");
    route("r", std::string("<set-header name=\"term.code\" value=\"x; rm -rf $HOME\"/><program command=\"show\">"
                           "<argument value=\"two words\"/><argument value=\"$(id)\"/></program>") +
                   kToA);
    start();
    put("r", incoming("<m/>", {{"traceparent", "t"}}));
    settle_all({"r", "a"});
    ::unsetenv("CLRBUS_TEST_SECRET");
    EXPECT_THAT(bodies("a"), ElementsAre("<out arg=\"two words $(id)\"/>"));
    EXPECT_EQ(got("a")[0].headers.get("traceparent"), "t");
    const std::string environment = text_of("programs/env.txt");
    EXPECT_THAT(environment, HasSubstr("CLRBUS_HEADER_TERM_CODE=x; rm -rf $HOME\n"));
    EXPECT_THAT(environment, AllOf(HasSubstr("CLRBUS_ROUTE=r\n"), HasSubstr("CLRBUS_MESSAGE_ID="),
                                   HasSubstr("CLRBUS_HEADER_TRACEPARENT=t\n")));
    EXPECT_THAT(environment, Not(HasSubstr("SECRET")));
    EXPECT_THAT(text_of("programs/fds.txt"),
                Not(testing::AnyOf(HasSubstr("journal"), HasSubstr("queues"), HasSubstr("socket"))));
    EXPECT_EQ(text_of("programs/pwd.txt"), (root_ / "programs").string() + "\n");
}

TEST_F(ProgramStep, AnExitOf65IsADeadLetterWithACodeAndNoData) {
    shell("refuse", "cat >&2 <<E\nTERM-UNKNOWN: Ada Lovelace 123456789\nmore\nE\nexit 65");
    const std::string text = dead_text("command=\"refuse\"");
    EXPECT_EQ(text, "ROUTE-130 it refuses the message (65), and says TERM-UNKNOWN");
}

TEST_F(ProgramStep, WhatIsNoCodeStaysUnsaid) {
    shell("refuse", "cat >&2; exit 65");
    EXPECT_EQ(dead_text("command=\"refuse\""), "ROUTE-130 it refuses the message (65)");
}

TEST_F(ProgramStep, OtherStatusesAndSignalsAreDeadLetters) {
    shell("three", "echo '<half/>'; exit 3");
    EXPECT_EQ(dead_text("command=\"three\""), "ROUTE-132 it ended with status 3");
    EXPECT_EQ(line("a").sum(Outcome::kAccepted), 0) << "what it wrote does not count";
}

TEST_F(ProgramStep, ASignalIsADeadLetter) {
    shell("shot", "kill -SEGV $$");
    EXPECT_THAT(dead_text("command=\"shot\""), HasSubstr("ROUTE-132 signal 11"));
}

TEST_F(ProgramStep, KillsTheWholeGroupWhenTheTimeIsOver) {
    shell("slow", "echo $$ >group.txt; sleep 1000 & sleep 1000");
    EXPECT_THAT(dead_text("command=\"slow\" time=\"PT1S\""), HasSubstr("ROUTE-133"));
    const pid_t group = std::atoi(text_of("programs/group.txt").c_str());
    ASSERT_GT(group, 1);
    until("the group is gone", [group] { return ::kill(-group, 0) != 0; });
}

// A program that leaves another one behind, which holds its output open: it has ended all the same.
TEST_F(ProgramStep, DoesNotWaitForWhatWasLeftBehind) {
    shell("leave", "cat >/dev/null; echo $$ >group.txt; sleep 1000 & echo '<out/>'");
    EXPECT_TRUE(dead_of("command=\"leave\" time=\"PT1M\"").empty());
    const pid_t group = std::atoi(text_of("programs/group.txt").c_str());
    until("the group is gone", [group] { return ::kill(-group, 0) != 0; });
    settle("a");
    EXPECT_THAT(bodies("a"), ElementsAre("<out/>"));
}

TEST_F(ProgramStep, KillsWhatWritesTooMuch) {
    shell("much", "exec yes");
    EXPECT_THAT(dead_text("command=\"much\" max-bytes=\"100000\" output=\"body\""), HasSubstr("ROUTE-133"));
}

TEST_F(ProgramStep, LimitsMemory) {
    program("greedy.py",
            "#!/usr/bin/python3\nimport sys\nsys.stdin.read()\ntry:\n  x = 'x' * (300 << 20)\nexcept MemoryError:\n  "
            "sys.exit(9)\nprint('<out/>')\n");
    EXPECT_EQ(dead_text("command=\"greedy.py\" memory-mb=\"200\""), "ROUTE-132 it ended with status 9");
}

TEST_F(ProgramStep, WhatIsNoDocumentIsADeadLetter) {
    shell("garbage", "cat >/dev/null; echo 'no document'");
    EXPECT_THAT(dead_text("command=\"garbage\""), HasSubstr("ROUTE-134 XML-"));
}

TEST_F(ProgramStep, OneThatCannotBeStartedPausesTheRoute) {
    program("lost", "#!/no/such/interpreter\n");
    route("r", std::string("<program command=\"lost\"/>") + kToA);
    start();
    put("r", "<m/>");
    until("paused", [this] { return !engine_->states().empty() && engine_->states()[1].paused; });
    EXPECT_THAT(engine_->states()[1].reason, HasSubstr("ROUTE-135"));
    EXPECT_TRUE(in("dead/r").empty()) << "it is not the message's fault";
}

TEST_F(ProgramStep, TriesAgainWhatAsksForIt) {
    shell("later", "cat >/dev/null; [ -e ready ] || exit 75; echo '<out/>'");
    route("r", std::string("<program command=\"later\"/>") + kToA +
                   R"(<on-fault><attempts most="1" first="PT1S" factor="1"/></on-fault>)");
    start();
    put("r", "<m/>");
    until("put off", [this] {
        for (const QueueState& state : queues_->states())
            if (state.name == "in/r" && state.delayed == 1) return true;
        return false;
    });
    write("programs/ready", "");
    settle_all({"r", "a"});
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_THAT(bodies("a"), ElementsAre("<out/>"));
}

TEST_F(ProgramStep, AStopEndsItAndTheMessageStays) {
    shell("endless", "echo $$ >group.txt; sleep 1000");
    route("r", std::string("<program command=\"endless\" time=\"PT1H\"/>") + kToA);
    start();
    put("r", "<m/>");
    until("it runs", [this] { return !text_of("programs/group.txt").empty(); });
    engine_->stop();
    const pid_t group = std::atoi(text_of("programs/group.txt").c_str());
    until("the group is gone", [group] { return ::kill(-group, 0) != 0; });
    EXPECT_EQ(in("in/r").size(), 1U);
    EXPECT_TRUE(in("dead/r").empty());
}

TEST_F(ProgramStep, PassesLargeBytesBothWaysWhateverTheOrder) {
    shell("twice", "cat; cat");
    shell("deaf", "exec 0<&-; echo '{\"n\": 1}'");
    route("r", std::string("<program command=\"twice\" output=\"body\"/>") + kToA);
    route("d", std::string("<program command=\"deaf\" output=\"json\"/><filter test=\"/json/n = 1\" reason=\"n\"/>") + kToA);
    start();
    std::string body;
    for (int i = 0; i < 400'000; ++i) body += static_cast<char>(i % 251);
    put("r", body);
    put("d", body);
    settle_all({"r", "d", "a"});
    EXPECT_THAT(bodies("a"), testing::Contains(body));
    EXPECT_EQ(got("a").size(), 2U);
}

// The example that conf/programs/README.md shows.
TEST_F(ProgramStep, TheExampleInPythonWorks) {
    std::ifstream example(std::filesystem::path(CLRBUS_SOURCE_DIR) / "conf/programs/split-name.py");
    program("split-name.py", {std::istreambuf_iterator<char>(example), {}});
    route("r", std::string("<program command=\"split-name.py\"/>") + kToA);
    start();
    put("r", "<people><person name=\"Lovelace, Ada\"/></people>");
    put("r", "<people><person name=\"Ada\"/></people>");
    settle_all({"r", "a"});
    ASSERT_EQ(got("a").size(), 1U);
    EXPECT_THAT(bodies("a")[0], AllOf(HasSubstr("family=\"Lovelace\""), HasSubstr("given=\"Ada\"")));
    ASSERT_EQ(in("dead/r").size(), 1U);
    EXPECT_EQ(in("dead/r")[0].headers.get(header::kDeadReason), "it refuses the message (65), and says NAME-FORM");
}

TEST_F(ProgramStep, SaysWhatItDoesAndIsNotRunInADryRunWhenThatIsOutside) {
    shell("answers", "echo '<n/>'");
    shell("sends", "touch ../sent; echo '<n/>'");
    route("r", R"(<program command="answers"/><program command="sends" outside="yes"/>)" + std::string(kToA));
    write("in.xml", "<m/>");
    const auto loaded = load();
    ASSERT_TRUE(loaded.errors.empty());
    for (const auto& one : loaded.routes) {
        if (one->id() != "r") continue;
        const auto& steps = one->steps();
        EXPECT_EQ(steps.at(0)->effects().at(0).kind + " " + steps.at(0)->effects().at(0).target, "runs answers");
        EXPECT_EQ(steps.at(1)->effects().at(0).kind + " " + steps.at(1)->effects().at(0).target, "does outside sends");
        const auto results = dry_run(*one, root_ / "in.xml");
        ASSERT_EQ(results.size(), 1U);
        EXPECT_EQ(results[0].xml, "<n/>");
    }
    EXPECT_FALSE(std::filesystem::exists(root_ / "sent"));
    start();
    put("r", "<m/>");
    settle("r");
    EXPECT_TRUE(std::filesystem::exists(root_ / "sent"));
}

}  // namespace
}  // namespace clrbus
