#include "records/store.hpp"

#include <gtest/gtest.h>

#include <future>

#include "records/test_support.hpp"

namespace clrbus::records {
namespace {

using testing::Campus;
using testing::kStaffReader;
using testing::Said;
using testing::TempDir;

class Store : public ::testing::Test {
protected:
    TempDir dir_;
    Campus campus_{dir_.path()};

    std::string ana() {
        campus_.apply(
            Said::person("p1").id("institution-id", "900000011").id("canvas-global-id", "100000000011").name("Ana", "Lopez"));
        return campus_.find("institution-id", "900000011");
    }
    static Said transcript(std::uint64_t number) {
        return Said::statement("pesc", "school|77|U").id("institution-id", "900000011").number(number);
    }
    std::string dead(const TakenMessage& message) {
        EXPECT_EQ(campus_.apply(message), Outcome::kDead);
        return campus_.last_error ? campus_.last_error->code() : "";
    }
};

// ── refusals ──

TEST_F(Store, RefusesAMessageWithoutAReadableEnvelope) {
    TakenMessage message = Said::person("p").id("sis-id", "1234").taken();
    message.headers.remove(header::kApply);
    EXPECT_EQ(dead(message), "REC-001");
    message.headers.set(header::kApply, "A\x01garbage");
    EXPECT_EQ(dead(message), "REC-001");
    message = Said::person("p").id("sis-id", "1234").taken();
    message.headers.set(header::kSourceNumber, "12x");
    EXPECT_EQ(dead(message), "REC-002");
    message.headers.set(header::kSourceNumber, "99999999999999999999");
    EXPECT_EQ(dead(message), "REC-002");
    message = Said::person("p").id("sis-id", "1234").taken();
    message.message = Message();
    EXPECT_EQ(dead(message), "REC-002");
    EXPECT_EQ(dead(Said::part("pesc", "k").id("sis-id", "1234").taken()), "REC-002");  // a part of nothing
    EXPECT_EQ(campus_.store->counts().persons, 0U);
}

TEST_F(Store, ARefusedMessageDoesNotTakeItsGroupWithIt) {
    TakenMessage bad = Said::person("p2").id("sis-id", "2").taken();
    bad.headers.set(header::kApply, "");
    const auto group = campus_.store->apply(
        {Said::person("p1").id("sis-id", "1001").taken(), bad, Said::person("p3").id("sis-id", "3003").taken()});
    ASSERT_EQ(group.results.size(), 3U);
    EXPECT_EQ(group.results[0].outcome, Outcome::kApplied);
    EXPECT_EQ(group.results[1].outcome, Outcome::kDead);
    EXPECT_EQ(group.results[2].outcome, Outcome::kApplied);
    EXPECT_NE(campus_.find("sis-id", "1001"), "");
    EXPECT_NE(campus_.find("sis-id", "3003"), "");
}

TEST_F(Store, WhatOtherThreadsMadeReadyIsAppliedAsItCame) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011"));
    std::vector<TakenMessage> taken;
    for (int i = 0; i < 8; ++i) {
        // Small ones are compressed when they are written, large ones ahead.
        taken.push_back(Said::statement("sis", "k" + std::to_string(i))
                            .id("institution-id", "900000011")
                            .says({"a" + std::to_string(i)}, std::string(i % 2 == 0 ? 10U : 9000U, static_cast<char>('a' + i)))
                            .taken());
    }
    taken[5].headers.remove(header::kApply);
    std::vector<std::future<RecordsStore::Prepared>> made;
    for (const TakenMessage& one : taken)
        made.push_back(std::async(std::launch::async, [&] { return campus_.store->prepare(one); }));
    std::vector<RecordsStore::Prepared> prepared;
    for (auto& one : made) prepared.push_back(one.get());
    const RecordsStore::Group group = campus_.store->apply(prepared);
    for (std::size_t i = 0; i < taken.size(); ++i) {
        EXPECT_EQ(group.results[i].outcome, i == 5 ? Outcome::kDead : Outcome::kApplied) << i;
        EXPECT_EQ(prepared[i].message().sequence, taken[i].sequence);
    }
    ASSERT_TRUE(group.results[5].error.has_value());
    EXPECT_EQ(group.results[5].error->code(), "REC-001");
    const LearnerRecord record = campus_.record(campus_.find("institution-id", "900000011"));
    ASSERT_EQ(record.statements.size(), 7U);
    for (const StatementInForce& one : record.statements) {
        const auto number = static_cast<std::size_t>(one.key.back() - '0');
        EXPECT_EQ(one.xml, taken[number].message.body()) << one.key;
    }
}

TEST_F(Store, TellsNobodyAnything) {
    const std::string learner = ana();
    EXPECT_EQ(campus_.store->read(Reader{}, learner, "x").release, Release::kDenied);
    EXPECT_EQ(campus_.store->read({Reader::Kind::kLearner, "token", ""}, learner, "x").release, Release::kDenied);
    EXPECT_EQ(campus_.store->read({Reader::Kind::kLearner, "token", "somebody"}, learner, "x").release, Release::kDenied);
    EXPECT_EQ(campus_.store->read({Reader::Kind::kLearner, "token", learner}, "unknown", "x").release, Release::kDenied);
    EXPECT_EQ(campus_.store->read(kStaffReader, "unknown", "x").release, Release::kUnknown);
    EXPECT_TRUE(campus_.store->read(Reader{}, learner, "x").record.id.empty());
    EXPECT_THROW(campus_.store->show({Reader::Kind::kLearner, "token", learner}, 1, "x"), Error);
}

TEST_F(Store, ABlockedPersonIsInNoAnswerButStaffs) {
    const std::string learner = ana();
    campus_.apply(transcript(1).says({"math"}));
    const Reader own{Reader::Kind::kLearner, "token", learner};
    EXPECT_EQ(campus_.store->read(own, learner, "own").release, Release::kReleased);
    campus_.apply(Said::person("p1").id("institution-id", "900000011").blocked().number(2));
    EXPECT_EQ(campus_.store->read(own, learner, "own").release, Release::kBlocked);
    EXPECT_TRUE(campus_.store->read(own, learner, "own").record.statements.empty());
    const ReadAnswer staff = campus_.store->read(kStaffReader, learner, "audit");
    EXPECT_EQ(staff.release, Release::kReleased);
    EXPECT_TRUE(staff.record.blocked);
    EXPECT_TRUE(campus_.store->learner(learner)->blocked);
    const auto lines = campus_.store->disclosures(learner, 0, 100);
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_TRUE(lines[0].released);
    EXPECT_FALSE(lines[1].released);
    EXPECT_EQ(lines[3].who, "registrar");
    EXPECT_EQ(lines[3].purpose, "audit");
}

// ── versions ──

TEST_F(Store, TheSameTwiceIsUnchangedAndTheOlderIsKeptOut) {
    const std::string learner = ana();
    EXPECT_EQ(campus_.apply(transcript(2).says({"math"}, "B")), Outcome::kApplied);
    const std::uint64_t version = campus_.store->learner(learner)->version;
    EXPECT_EQ(campus_.apply(transcript(2).says({"math"}, "B")), Outcome::kUnchanged);
    EXPECT_EQ(campus_.apply(transcript(3).says({"math"}, "B")), Outcome::kUnchanged);
    EXPECT_EQ(campus_.apply(transcript(1).says({"math"}, "F")), Outcome::kSuperseded);
    EXPECT_EQ(campus_.store->learner(learner)->version, version);
    EXPECT_EQ(campus_.apply(transcript(4).says({"math"}, "A")), Outcome::kApplied);
    EXPECT_GT(campus_.store->learner(learner)->version, version);
    const LearnerRecord record = campus_.record(learner);
    ASSERT_EQ(record.statements.size(), 1U);
    EXPECT_NE(record.statements[0].xml.find(">math</a> A</word>"), std::string::npos) << record.statements[0].xml;
}

TEST_F(Store, UnchangedTakesTheNewerVersionSoThatWhatLiesBetweenStaysOut) {
    const std::string learner = ana();
    campus_.apply(transcript(1).says({"math"}, "B"));
    EXPECT_EQ(campus_.apply(transcript(3).says({"math"}, "B")), Outcome::kUnchanged);
    EXPECT_EQ(campus_.apply(transcript(2).says({"math"}, "F")), Outcome::kSuperseded);
}

TEST_F(Store, ATombstoneStaysSoThatAReplayResurrectsNothing) {
    const std::string learner = ana();
    EXPECT_EQ(campus_.apply(Said::retraction("pesc", "school|77|U").number(5)), Outcome::kApplied);
    EXPECT_EQ(campus_.apply(transcript(4).says({"math"})), Outcome::kSuperseded);
    EXPECT_EQ(campus_.shown(learner), "");
    EXPECT_EQ(campus_.apply(transcript(6).says({"math"})), Outcome::kApplied);
    EXPECT_EQ(campus_.shown(learner), "school|77|U:math@/6 ");
    EXPECT_EQ(campus_.apply(Said::retraction("pesc", "school|77|U").number(7).says({"math"})), Outcome::kApplied);
    EXPECT_EQ(campus_.shown(learner), "");
}

TEST_F(Store, AReplayOnANewerRouteReplacesWhatTheOlderOneMade) {
    const std::string learner = ana();
    campus_.apply(transcript(1).generation(1).says({"math"}, "as B"));
    EXPECT_EQ(campus_.apply(transcript(1).generation(2).says({"math", "art"}, "as A")), Outcome::kApplied);
    EXPECT_EQ(campus_.apply(transcript(1).generation(1).says({"math"}, "as B")), Outcome::kSuperseded);
    EXPECT_EQ(campus_.record(learner).statements.at(0).provenance.generation, 2U);
}

TEST_F(Store, RowsOfOneFileAboutOneKeyAreInTheOrderOfTheFile) {
    const std::string learner = ana();
    campus_.apply(transcript(1).position(7).says({"math"}, "second row"));
    EXPECT_EQ(campus_.apply(transcript(1).position(3).says({"math"}, "first row")), Outcome::kSuperseded);
}

TEST_F(Store, APartOverridesOnlyWhatItNames) {
    const std::string learner = ana();
    campus_.apply(transcript(1).says({"math", "art"}));
    campus_.apply(Said::part("pesc", "school|77|U").id("institution-id", "900000011").number(2).says({"art"}, "new"));
    EXPECT_EQ(campus_.shown(learner), "school|77|U:art@/2 school|77|U:math@/1 ");
    campus_.apply(transcript(3).says({"math"}));
    EXPECT_EQ(campus_.shown(learner), "school|77|U:math@/3 ");
    const auto why = campus_.store->why(kStaffReader, learner, "art");
    ASSERT_EQ(why.size(), 2U);
    EXPECT_FALSE(why[0].in_force);
    EXPECT_EQ(why[0].provenance.source_number, 2U);
    const auto math = campus_.store->why(kStaffReader, learner, "math");
    ASSERT_EQ(math.size(), 2U);
    EXPECT_TRUE(math[0].in_force);
    EXPECT_EQ(math[0].provenance.route, "route-pesc");
    EXPECT_EQ(math[0].provenance.authority, "Registrar");
}

// ── documents ──

TEST_F(Store, TheSameDocumentTwiceIsADuplicateAndWithOtherBytesAConflict) {
    const std::string learner = ana();
    EXPECT_EQ(campus_.apply(transcript(1).document("D1", "aa").says({"math"}, "B")), Outcome::kApplied);
    EXPECT_EQ(campus_.apply(transcript(2).document("D1", "aa").says({"math"}, "B")), Outcome::kUnchanged);
    EXPECT_EQ(campus_.apply(transcript(3).document("D1", "bb").says({"math"}, "A")), Outcome::kHeld);
    EXPECT_EQ(campus_.reasons(), "document-conflict; ");
    EXPECT_EQ(campus_.shown(learner), "school|77|U:math@/1 ");
    const auto waiting = campus_.store->waiting(0, 10);
    campus_.store->attach(waiting.at(0).id, learner, "pat", "the school confirmed the correction");
    EXPECT_EQ(campus_.shown(learner), "school|77|U:math@/3 ");
    EXPECT_EQ(campus_.reasons(), "");
    EXPECT_THROW(campus_.store->attach(waiting.at(0).id, learner, "pat", "again"), Error);
}

TEST_F(Store, ARejectedConflictStaysOutAndItsReplayToo) {
    const std::string learner = ana();
    campus_.apply(transcript(1).document("D1", "aa").says({"math"}, "B"));
    campus_.apply(transcript(2).document("D1", "bb").says({"math"}, "A"));
    campus_.store->reject(campus_.store->waiting(0, 10).at(0).id, "pat", "forged");
    EXPECT_EQ(campus_.apply(transcript(3).document("D1", "bb").says({"math"}, "A")), Outcome::kUnchanged);
    EXPECT_EQ(campus_.shown(learner), "school|77|U:math@/1 ");
    EXPECT_EQ(campus_.reasons(), "");
    const auto decisions = campus_.store->decisions(0, 10);
    ASSERT_EQ(decisions.size(), 1U);
    EXPECT_EQ(decisions[0].what, "reject");
    EXPECT_EQ(decisions[0].who, "pat");
    EXPECT_EQ(decisions[0].why, "forged");
}

TEST_F(Store, AConflictThatANewerDocumentReplacedIsNoQuestionAnyMore) {
    const std::string learner = ana();
    campus_.apply(transcript(1).document("D1", "aa").version("2025-01-01T00:00:00Z").says({"math"}, "B"));
    campus_.apply(transcript(2).document("D2", "cc").version("2025-06-01T00:00:00Z").says({"math"}, "A"));
    EXPECT_EQ(campus_.apply(transcript(3).document("D1", "bb").version("2025-02-01T00:00:00Z").says({"math"}, "C")),
              Outcome::kSuperseded);
    EXPECT_EQ(campus_.reasons(), "");
    EXPECT_EQ(campus_.apply(transcript(4).document("D1", "aa").version("2025-01-01T00:00:00Z").says({"math"}, "B")),
              Outcome::kUnchanged);
    EXPECT_EQ(campus_.shown(learner), "school|77|U:math@2025-06-01T00:00:00Z/2 ");
}

TEST_F(Store, TheSameOriginalOnANewerRouteIsNoConflict) {
    const std::string learner = ana();
    campus_.apply(transcript(1).document("D1", "aa").says({"math"}, "B"));
    EXPECT_EQ(campus_.apply(transcript(1).generation(2).document("D1", "aa").says({"math"}, "good")), Outcome::kApplied);
    EXPECT_EQ(campus_.reasons(), "");
}

TEST_F(Store, AConflictAcrossKeysIsSeenToo) {
    ana();
    campus_.apply(transcript(1).document("D1", "aa").says({"math"}, "B"));
    EXPECT_EQ(campus_.apply(Said::statement("pesc", "school|78|U")
                                .id("institution-id", "900000011")
                                .number(2)
                                .document("D1", "bb")
                                .says({"art"})),
              Outcome::kHeld);
}

// ── definitions ──

TEST_F(Store, DefinitionsKeepTheNewest) {
    EXPECT_FALSE(campus_.store->definition("outcome-1").has_value());
    EXPECT_EQ(campus_.apply(Said::definition("canvas", "outcome-1").number(2).says({}, "new")), Outcome::kApplied);
    EXPECT_EQ(campus_.apply(Said::definition("canvas", "outcome-1").number(1).says({}, "old")), Outcome::kSuperseded);
    EXPECT_EQ(campus_.apply(Said::definition("canvas", "outcome-1").number(3).says({}, "new")), Outcome::kUnchanged);
    EXPECT_NE(campus_.store->definition("outcome-1")->xml.find("new"), std::string::npos);
    EXPECT_EQ(campus_.apply(Said::definition("canvas", "outcome-1").number(4).deleted()), Outcome::kApplied);
    EXPECT_TRUE(campus_.store->definition("outcome-1")->deleted);
}

// ── reading ──

TEST_F(Store, ARecordSaysWhereEachWordCameFrom) {
    const std::string learner = ana();
    Said word = transcript(4).document("D1", "aa").says({"math"});
    word.header.organization = "Campus";
    word.header.organization_codes = {"FICE:003658"};
    campus_.apply(word.position(9).accepted(5));
    const LearnerRecord record = campus_.record(learner);
    EXPECT_EQ(record.id, learner);
    ASSERT_EQ(record.names.size(), 1U);
    EXPECT_EQ(record.names[0].family, "Lopez");
    ASSERT_EQ(record.identifiers.size(), 2U);
    const StatementInForce& s = record.statements.at(0);
    EXPECT_TRUE(s.own);
    EXPECT_EQ(s.key, "school|77|U");
    EXPECT_EQ(s.document_key, "D1");
    EXPECT_EQ(s.provenance.original, "sha256:aa");
    EXPECT_EQ(s.provenance.position, 9U);
    EXPECT_EQ(s.provenance.source_number, 4U);
    EXPECT_EQ(to_rfc3339(s.provenance.accepted), to_rfc3339(Time(std::chrono::milliseconds(1'770'000'005'000))));
    EXPECT_EQ(s.content_sha256, crypto::sha256_hex(s.xml));
    EXPECT_EQ(campus_.store->learners("", 10).size(), 1U);
    EXPECT_EQ(campus_.store->learners(learner, 10).size(), 0U);
}

TEST_F(Store, EverythingIsThereAfterAReopen) {
    const std::string learner = ana();
    campus_.apply(transcript(1).says({"math"}));
    const std::string shown = campus_.shown(learner);
    campus_.close();
    campus_.open();
    EXPECT_EQ(campus_.shown(learner), shown);
    EXPECT_EQ(campus_.apply(transcript(2).says({"art"})), Outcome::kApplied);
}

TEST_F(Store, ARedeliveryAfterACrashCountsAsItDidBefore) {
    ana();
    const TakenMessage message = transcript(1).says({"math"}).taken();
    const TakenMessage held = Said::statement("hr", "job").id("hr-id", "5555").says({"job"}).taken();
    const auto first = campus_.store->apply({message, held});
    EXPECT_EQ(first.results[0].outcome, Outcome::kApplied);
    campus_.close();  // the Unit was not committed
    campus_.open();
    const auto again = campus_.store->apply({message, held});
    EXPECT_EQ(again.results[0].outcome, Outcome::kApplied);
    EXPECT_EQ(again.results[1].outcome, Outcome::kHeld);
    campus_.store->settled(again);
    EXPECT_EQ(campus_.apply(transcript(1).says({"math"})), Outcome::kUnchanged);
    EXPECT_EQ(campus_.store->counts().waiting, 1U);
}

// Shown while the word is that of the corrected document: sent again as it should have been, nobody corrected it.
TEST_F(Store, SaysWhatWasCorrectedByHand) {
    const std::string learner = ana();
    const auto of = [&] { return campus_.store->why(kStaffReader, learner, "chem").at(0).provenance.correction; };
    const auto sent = [](std::uint64_t number, const std::string& original) {
        return transcript(number).says({"chem"}).document("", original);
    };
    const std::string first(64, 'a'), second(64, 'b'), third(64, 'c');
    campus_.apply(sent(1, first));
    EXPECT_EQ(of().by, "");
    Said mended = sent(2, second);
    mended.header.correction = {"ada", "2026-05-03T10:00:00Z", "misspelt", "pesc/12", "sha256:" + second};
    campus_.apply(mended);  // the same content, and yet a word of a corrected document
    EXPECT_EQ(of(), mended.header.correction);
    EXPECT_EQ(campus_.record(learner).statements.at(0).provenance.correction.by, "ada");
    campus_.apply(sent(3, third));
    EXPECT_EQ(of().by, "") << "the newest one needed no correction";
}

}  // namespace
}  // namespace clrbus::records
