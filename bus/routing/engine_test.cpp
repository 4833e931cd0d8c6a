// Messages through real queues: where each ends, what is said about it, and that the ledger adds up.
#include "routing/engine.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "routing/apply_header.hpp"
#include "routing/engine_fixture.hpp"
#include "routing/faults.hpp"

namespace clrbus {
namespace {

constexpr const char* kNoteSteps = R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>)";
constexpr const char* kRowSteps =
    R"(<split format="csv"/><filter test="/row/n != '0'" reason="zero"/><transform stylesheet="note.xsl"/><to><records/></to>)";

std::string note(const std::string& who, int n) {
    return "<note>\n<who>" + who + "</who>\n<n>" + std::to_string(n) + "</n>\n</note>";
}

class Engine : public EngineTest {};

TEST_F(Engine, DeliversAndKeepsTheLedger) {
    route("r", kNoteSteps, "steward=\"Dean\"");
    start();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(put("r", note("ada", i)).state, PutState::kStored);
    settle("r");
    const auto out = in("records");
    ASSERT_EQ(out.size(), 50U);
    const ApplyHeader apply = ApplyHeader::decode(out[0].headers.get(header::kApply));
    EXPECT_EQ(apply.key, "ada");
    EXPECT_EQ(apply.source, "test");
    EXPECT_EQ(apply.authority, "Dean");
    EXPECT_EQ(out[0].headers.get(header::kGeneration), "1");
    EXPECT_FALSE(out[0].headers.get(header::kSourceNumber).empty());
    EXPECT_EQ(out[0].headers.get(header::kOriginal).substr(0, 7), "sha256:");
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 50);
    EXPECT_TRUE(line("r").balanced());
    EXPECT_EQ(line("records").waiting, 50);
    EXPECT_TRUE(line("records").balanced());
}

TEST_F(Engine, DeadLettersSayStepPlaceAndReasonAndTheNextOnePasses) {
    route("r", kNoteSteps);
    start();
    put("r", "<note>\n<who>ada</who>\n<n>many</n>\n</note>");
    put("r", "not xml");
    put("r", "");
    put("r", note("ada", 1));
    settle("r");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 3U);
    EXPECT_EQ(in("records").size(), 1U);
    std::vector<std::string> bodies;
    for (const auto& one : dead) {
        EXPECT_FALSE(one.headers.get(header::kDeadCode).empty());
        EXPECT_FALSE(one.headers.get(header::kDeadReason).empty());
        EXPECT_EQ(one.headers.get(header::kDeadStep), "1 validate");
        EXPECT_EQ(std::string(one.headers.get(header::kDeadReason)).find("many"), std::string::npos)
            << "a value of the document in a reason";
        bodies.emplace_back(one.message.body());
        if (bodies.back().find("many") != std::string::npos) {
            EXPECT_EQ(one.headers.get(header::kDeadPath), "/note/n");
            EXPECT_EQ(one.headers.get(header::kDeadLine), "3");
        }
    }
    EXPECT_EQ(line("r").sum(Outcome::kDead), 3);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Engine, PausesAfterTwentyDeadInARowAndGoesOnWhenTold) {
    route("r", kNoteSteps);
    open();
    for (int i = 0; i < 30; ++i) put("r", "<broken>");
    put("r", note("ada", 1));
    start();
    until("paused", [this] { return engine_->states().at(0).paused; });
    // Those that were in hand when it paused went back: nothing is drained into the dead letters.
    until("nothing in hand", [this] {
        for (const QueueState& state : queues_->states()) {
            if (state.name == "in/r" && state.in_hand != 0) return false;
        }
        return true;
    });
    EXPECT_GE(in("dead/r").size(), kDeadInARow);
    EXPECT_LT(in("dead/r").size(), 30U);
    EXPECT_TRUE(line("r").balanced());
    EXPECT_NE(engine_->states().at(0).reason.find("ROUTE-901"), std::string::npos);
    EXPECT_TRUE(engine_->resume("r"));
    settle("r");
    EXPECT_EQ(in("dead/r").size(), 30U);
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_FALSE(engine_->resume("none"));
}

TEST_F(Engine, FiltersWithAReason) {
    route("r", R"(<filter test="/note/n &gt; 5" reason="small"/><transform stylesheet="note.xsl"/><to><records/></to>)");
    start();
    Incoming incoming;
    incoming.body = note("ada", 1);
    incoming.headers.set(kReceiptHeader, "1");
    const Receipt receipt = put("r", std::move(incoming));
    put("r", note("ada", 9));
    settle("r");
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_EQ(line("r").sum(Outcome::kFiltered), 1);
    const auto state = engine_->inbox(*engine_->routes()[0], Config())->state_of(receipt.id);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->state, "filtered");
    EXPECT_EQ(state->reason, "small");
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Engine, ChoosesABranchAndSetsHeaders) {
    route("r", R"x(<parse format="json"/><choose><when test="/json/kind = 'a'"><set-header name="kind" select="/json/kind"/>
        <to><route id="next"/></to></when><otherwise><filter test="1 = 2" reason="other"/><to><records/></to></otherwise></choose>)x");
    route("next", R"x(<filter test="$kind = 'a'" reason="no header"/><filter test="1 = 2" reason="end"/><to><records/></to>)x");
    start();
    put("r", R"({"kind":"a"})");
    put("r", R"({"kind":"b"})");
    put("r", "{\"kind\":");
    settle("r");
    settle("next");
    EXPECT_EQ(line("r").sum(Outcome::kDelivered), 1);
    EXPECT_EQ(line("r").sum(Outcome::kFiltered), 1);
    EXPECT_EQ(line("r").sum(Outcome::kDead), 1);
    EXPECT_EQ(line("next").sum(Outcome::kAccepted), 1);
    EXPECT_EQ(line("next").sum(Outcome::kFiltered), 1);
    EXPECT_TRUE(line("r").balanced());
    EXPECT_TRUE(line("next").balanced());
}

TEST_F(Engine, TheSameInputTwiceHasOutputsOfTheSameId) {
    route("r", kNoteSteps);
    start();
    Incoming one;
    one.body = note("ada", 1);
    one.message_id = "m1";
    Incoming two = one;
    put("r", std::move(one));
    settle("r");
    put("r", std::move(two));
    settle("r");
    const auto out = in("records");
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[0].message.message_id(), out[1].message.message_id());
}

TEST_F(Engine, ADuplicateIsAcceptedCountedAndNotQueued) {
    route("r", kNoteSteps);
    start();
    Incoming one;
    one.body = note("ada", 1);
    one.duplicate_key = "k";
    Incoming two = one;
    const Receipt first = put("r", std::move(one));
    const Receipt second = put("r", std::move(two));
    EXPECT_EQ(second.state, PutState::kDuplicate);
    EXPECT_EQ(second.id, first.id);
    settle("r");
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_EQ(line("r").sum(Outcome::kDuplicate), 1);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Engine, SplitsAndABadRowDiesAlone) {
    route("r", kRowSteps);
    start();
    Incoming file;
    file.body = "who,n\nada,1\nbob,2,3\ncy,0\ndee,4\n";
    file.headers.set(kReceiptHeader, "1");
    const Receipt receipt = put("r", std::move(file));
    settle("r");
    EXPECT_EQ(in("records").size(), 2U);
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kPosition), "2");
    const LedgerLine sums = line("r");
    EXPECT_EQ(sums.sum(Outcome::kMade), 4);
    EXPECT_EQ(sums.sum(Outcome::kSplit), 1);
    EXPECT_EQ(sums.sum(Outcome::kFiltered), 1);
    EXPECT_TRUE(sums.balanced());
    const auto state = engine_->inbox(*engine_->routes()[0], Config())->state_of(receipt.id);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->state, "split");
    EXPECT_EQ(state->children, 4U);
    EXPECT_EQ(state->dead, 1U);
    ASSERT_EQ(state->rows.size(), 1U);
    EXPECT_EQ(state->rows[0].row, 2U);
}

TEST_F(Engine, LaterRowsOfOneFileAreLaterWords) {
    route("r", kRowSteps);
    start();
    put("r", "who,n\nada,1\nada,2\n");
    settle("r");
    const auto out = in("records");
    ASSERT_EQ(out.size(), 2U);
    EXPECT_LT(std::stoull(std::string(out[0].headers.get(header::kSourceNumber))),
              std::stoull(std::string(out[1].headers.get(header::kSourceNumber))));
}

TEST_F(Engine, AChildThatDiedIsReplayedAlone) {
    write(
        "transforms/picky.xsl",
        R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"><xsl:template match="/row">
        <xsl:if test="who = 'bob'"><xsl:message terminate="yes">SITE-001|error|/row/who|not yet</xsl:message></xsl:if>
        <retraction source="s" key="{who}"/></xsl:template></xsl:stylesheet>)");
    const std::string steps = R"(<split format="csv"/><transform stylesheet="picky.xsl"/><to><records/></to>)";
    route("r", steps);
    start();
    put("r", "who,n\nada,1\n\"bob\",2\ncy,3\n");
    settle("r");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadCode), "SITE-001");
    const std::string number(dead[0].headers.get(header::kSourceNumber));
    // Mended: the stylesheet takes him now.
    close();
    write(
        "transforms/picky.xsl",
        R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1"><xsl:template match="/row">
        <retraction source="s" key="{who}"/></xsl:template></xsl:stylesheet>)");
    start();
    std::promise<CommitState> done;
    engine_->replay("r", dead[0].sequence, [&done](CommitState state) { done.set_value(state); });
    EXPECT_EQ(done.get_future().get(), CommitState::kDone);
    settle("r");
    EXPECT_TRUE(in("dead/r").empty());
    const auto out = in("records");
    ASSERT_EQ(out.size(), 3U);
    EXPECT_EQ(ApplyHeader::decode(out[2].headers.get(header::kApply)).key, "bob");
    EXPECT_EQ(out[2].headers.get(header::kSourceNumber), number) << "a replay is as late as its original";
    EXPECT_EQ(out[2].headers.get(header::kGeneration), "2");
    EXPECT_TRUE(line("r").balanced());
    EXPECT_THROW(engine_->replay("r", 999'999, [](CommitState) {}), Error);
}

TEST_F(Engine, ABrokenTailKeepsTheChildrenAndSaysHowFarItCame) {
    route("r", kRowSteps);
    start();
    put("r", "who,n\nada,1\nbob,2\n\"cy,3\n");
    settle("r");
    EXPECT_EQ(in("records").size(), 2U);
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_NE(std::string(dead[0].headers.get(header::kDeadReason)).find("2 of unknown done"), std::string::npos);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Engine, ASpooledFileIsSplitAsAStream) {
    route("r", kRowSteps);
    open();
    std::string csv = "who,n\n";
    for (int i = 1; i <= 3000; ++i) csv += "p" + std::to_string(i) + "," + std::to_string(i) + "\n";
    write("big.csv", csv);
    start();
    Incoming file;
    file.spooled = root_ / "big.csv";
    put("r", std::move(file));
    settle("r");
    EXPECT_EQ(in("records").size(), 3000U);
    EXPECT_TRUE(line("r").balanced());
    EXPECT_FALSE(std::filesystem::exists(root_ / "big.csv"));
}

TEST_F(Engine, ASplitGoesOnWhereItStopped) {
    route("r", kRowSteps);
    open();
    std::string csv = "who,n\n";
    for (int i = 1; i <= 20000; ++i) csv += "p" + std::to_string(i) + "," + std::to_string(i) + "\n";
    put("r", csv.substr(0, 0) + csv);
    start();
    until("some are out", [this] { return line("r").sum(Outcome::kMade) > 0; });
    close();
    start();
    settle("r");
    EXPECT_EQ(line("r").sum(Outcome::kMade), 20000) << "not one twice";
    EXPECT_EQ(line("records").sum(Outcome::kTaken), 20000);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Engine, AFullDiskStopsASplitAndSpaceLetsItGoOn) {
    route("r", kRowSteps);
    open();
    std::string csv = "who,n\n";
    for (int i = 1; i <= 20000; ++i) csv += "p" + std::to_string(i) + "," + std::to_string(i) + "\n";
    put("r", csv);
    start();
    for (int full = 0; full < 3; ++full) {
        const auto before = line("r").sum(Outcome::kMade);
        until("more are out", [&] { return line("r").sum(Outcome::kMade) > before || line("r").waiting == 0; });
        free_ = 0;
        queues_->check_disk();
        free_ = 1ULL << 40;
        queues_->check_disk();
    }
    settle("r");
    EXPECT_EQ(line("r").sum(Outcome::kMade), 20000) << "not one lost, not one twice";
    EXPECT_EQ(line("records").sum(Outcome::kTaken), 20000);
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_TRUE(line("r").balanced());
}

// As a killed process leaves its file: the sequences in hand, and what the other words say.
void leave_in_hand(const std::filesystem::path& file, const std::vector<std::uint64_t>& in_hand, std::uint64_t alone = 0,
                   std::uint64_t crashed = 0) {
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    const auto put_word = [&out](std::size_t place, std::uint64_t word) {
        out.seekp(static_cast<std::streamoff>(place * sizeof word));
        out.write(reinterpret_cast<const char*>(&word), sizeof word);
    };
    for (std::size_t i = 0; i < in_hand.size(); ++i) put_word(i, in_hand[i]);
    put_word(CrashGuard::kAlone, alone);
    put_word(CrashGuard::kCrashed, crashed);
}

TEST_F(Engine, WhatEndsTheProcessAloneAfterItWasInHandIsDeadLettered) {
    route("r", kNoteSteps);
    open();
    put("r", note("ada", 1));
    put("r", note("bob", 2));
    const std::uint64_t suspect = in("in/r").at(0).sequence, other = in("in/r").at(1).sequence;
    close();
    leave_in_hand(root_ / "in-hand", {suspect, other});
    open();
    EXPECT_EQ(queues_->notes("suspect/").size(), 2U);
    close();
    leave_in_hand(root_ / "in-hand", {suspect}, suspect);
    start();
    settle("r");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].headers.get(header::kDeadCode), "ROUTE-105");
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_TRUE(line("r").balanced());
    EXPECT_TRUE(queues_->notes("suspect/").empty());
}

TEST_F(Engine, WhatWasOnlyBesideItAtManyEndsIsNot) {
    route("r", kNoteSteps);
    open();
    put("r", note("ada", 1));
    put("r", note("bob", 2));
    const std::uint64_t one = in("in/r").at(0).sequence, two = in("in/r").at(1).sequence;
    for (int end = 0; end < 4; ++end) {
        close();
        leave_in_hand(root_ / "in-hand", {one, two});
        open();
    }
    start();
    settle("r");
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_EQ(in("records").size(), 2U);
    EXPECT_TRUE(queues_->notes("suspect/").empty());
}

TEST_F(Engine, ASignalSaysWhichOfThemItWas) {
    route("r", kNoteSteps);
    open();
    put("r", note("ada", 1));
    put("r", note("bob", 2));
    const std::uint64_t one = in("in/r").at(0).sequence, two = in("in/r").at(1).sequence;
    for (int end = 0; end < 2; ++end) {
        close();
        leave_in_hand(root_ / "in-hand", {one, two}, 0, two);
        open();
        EXPECT_EQ(queues_->notes("suspect/").size(), 1U) << "the other one is not suspected";
    }
    close();
    leave_in_hand(root_ / "in-hand", {one}, 0, ~0ULL);  // a thread that had no message
    start();
    settle("r");
    const auto dead = in("dead/r");
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].sequence > two, true);
    EXPECT_NE(std::string(dead[0].message.body()).find("bob"), std::string::npos);
    EXPECT_EQ(in("records").size(), 1U);
}

TEST_F(Engine, NotesOfSuspectsThatAreGoneGo) {
    route("r", kNoteSteps);
    open();
    Unit unit;
    unit.notes.push_back({"suspect/424242", "1"});
    std::promise<CommitState> done;
    queues_->commit(std::move(unit), *workers_, [&done](CommitState state) { done.set_value(state); });
    ASSERT_EQ(done.get_future().get(), CommitState::kDone);
    close();
    open();
    EXPECT_TRUE(queues_->notes("suspect/").empty());
}

TEST_F(Engine, ASuspectThatFindsItsFarSideAwayDoesNotHoldTheOthers) {
    route("r", kNoteSteps);
    put_in_front("r", [](const Work& work) {
        if (work.body.find("ada") != std::string_view::npos) throw Error(Fault::kAway, "TEST-001", "asking", "away");
    });
    open();
    put("r", note("ada", 1));
    const std::uint64_t suspect = in("in/r").at(0).sequence;
    close();
    leave_in_hand(root_ / "in-hand", {suspect});
    start();
    put("r", note("bob", 2));
    until("the other one passes", [this] { return in("records").size() == 1; });
    EXPECT_EQ(line("r").waiting, 1);
}

TEST(CrashGuardDeath, ASignalLeavesTheMessageOfItsThread) {
    const TestDirectory folder;
    const std::filesystem::path file = std::filesystem::path(folder.path()) / "in-hand";
    const auto crashes = [&file] {
        CrashGuard guard(file);
        guard.take_leftovers();
        const CrashGuard::Hold other(guard, 7);
        std::jthread([&guard] {
            const CrashGuard::Hold hold(guard, 8);
            std::abort();
        });
    };
    EXPECT_EXIT(crashes(), testing::KilledBySignal(SIGABRT), "");
    CrashGuard guard(file);
    const auto left = guard.take_leftovers();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].sequence, 8U);
    EXPECT_TRUE(left[0].ended_it);
}

TEST_F(Engine, TwentyDeadRowsInARowPauseTheRouteAndTheFileGoesOnFromThere) {
    route("r", kRowSteps);
    start();
    std::string csv = "who,n\nada,1\n";
    for (int i = 0; i < 50; ++i) csv += "bob,2,3\n";
    csv += "dee,4\n";
    put("r", csv);
    for (int pauses = 1; pauses <= 2; ++pauses) {
        until("paused", [this] { return engine_->states().at(0).paused; });
        EXPECT_EQ(in("dead/r").size(), static_cast<std::size_t>(20 * pauses));
        EXPECT_NE(engine_->states().at(0).reason.find("ROUTE-901"), std::string::npos);
        until("given back", [this] {
            for (const QueueState& state : queues_->states()) {
                if (state.name == "in/r" && state.in_hand != 0) return false;
            }
            return true;
        });
        EXPECT_EQ(line("r").waiting, 1);
        EXPECT_TRUE(line("r").balanced());
        engine_->resume("r");
    }
    settle("r");
    EXPECT_EQ(in("dead/r").size(), 50U);
    EXPECT_EQ(in("records").size(), 2U);
    EXPECT_EQ(line("r").sum(Outcome::kMade), 52);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(Engine, ALargeFileThatGoesOnIsInHandAtManyCrashes) {
    route("r", kRowSteps);
    open();
    std::string csv = "who,n\n";
    for (int i = 1; i <= 20000; ++i) csv += "p" + std::to_string(i) + "," + std::to_string(i) + "\n";
    put("r", csv);
    const std::uint64_t suspect = in("in/r").at(0).sequence;
    for (int crash = 0; crash < 3; ++crash) {
        const auto before = line("r").sum(Outcome::kMade);
        start();
        until("it goes on", [&] { return line("r").sum(Outcome::kMade) > before; });
        close();
        std::fstream in_hand(root_ / "in-hand", std::ios::binary | std::ios::in | std::ios::out);
        in_hand.write(reinterpret_cast<const char*>(&suspect), sizeof suspect);
        in_hand.close();
        open();
    }
    start();
    settle("r");
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_EQ(line("r").sum(Outcome::kMade), 20000);
    EXPECT_EQ(line("records").sum(Outcome::kTaken), 20000);
}

TEST_F(Engine, GenerationsRiseWithChangeAndSurvive) {
    route("r", kNoteSteps);
    start();
    EXPECT_EQ(engine_->states()[0].generation, 1U);
    close();
    start();
    EXPECT_EQ(engine_->states()[0].generation, 1U);
    close();
    route("r", std::string("<log text=\"x\"/>") + kNoteSteps);
    start();
    EXPECT_EQ(engine_->states()[0].generation, 2U);
}

}  // namespace
}  // namespace clrbus
