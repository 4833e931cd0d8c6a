// Who is who: what waits, what attaches by itself, and that no order of arrival matters.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "records/test_support.hpp"

namespace clrbus::records {
namespace {

using testing::Campus;
using testing::end_state;
using testing::kStaffReader;
using testing::Said;
using testing::TempDir;

class Identity : public ::testing::Test {
protected:
    TempDir dir_;
    Campus campus_{dir_.path()};
};

Said job(const std::string& key, std::string hr) {
    return Said::statement("hr", key).id("hr-id", std::move(hr)).says({key});
}

// ── refusals: nothing is guessed ──

TEST_F(Identity, PlaceholdersAreNoIdentifiers) {
    EXPECT_EQ(campus_.apply(Said::person("p1").id("institution-id", "000000000").id("sis-id", "1001")), Outcome::kApplied);
    EXPECT_EQ(campus_.apply(Said::person("p2").id("institution-id", "000000000").id("sis-id", "1002")), Outcome::kApplied);
    for (const std::string value : {"0", "000-00-0000", "999999999", "123456789", "N/A", "Unknown", " none ", "-"}) {
        EXPECT_EQ(campus_.apply(Said::statement("hr", "job " + value).id("institution-id", value).says({"j"})), Outcome::kHeld)
            << value;
    }
    EXPECT_EQ(campus_.store->waiting(0, 100).size(), 8U);
    EXPECT_EQ(campus_.store->waiting(0, 100).at(0).reason, "no-usable-identifier");
    EXPECT_EQ(campus_.find("institution-id", "000000000"), "");
}

TEST_F(Identity, ANameAnEmailOrANationalNumberAloneMatchesNobody) {
    campus_.apply(Said::person("p1")
                      .id("institution-id", "900000011")
                      .id("email", "ana@campus")
                      .id("ssn-keyed", "abcdef12")
                      .name("Ana", "Lopez"));
    EXPECT_EQ(campus_.apply(Said::statement("oai-pmh", "t1").name("Ana", "Lopez").says({"thesis"})), Outcome::kHeld);
    EXPECT_EQ(campus_.apply(Said::statement("oai-pmh", "t2").id("email", "ana@campus").says({"thesis"})), Outcome::kHeld);
    EXPECT_EQ(campus_.apply(Said::statement("oai-pmh", "t3").id("ssn-keyed", "abcdef12").says({"thesis"})), Outcome::kHeld);
    Said ssn = Said::statement("oai-pmh", "t4").id("ssn-keyed", "abcdef12").says({"thesis"});
    ssn.header.match = {"ssn-keyed"};  // not even when a route asks for it
    EXPECT_EQ(campus_.apply(ssn), Outcome::kHeld);
    Said email = Said::statement("oai-pmh", "t5").id("email", "Ana@campus").says({"thesis"});
    email.header.match = {"email"};
    EXPECT_EQ(campus_.apply(email), Outcome::kApplied);
}

TEST_F(Identity, AnEmailOfTwoPersonsIsNobodys) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011").id("email", "family@home"));
    campus_.apply(Said::person("p2").id("institution-id", "900000022").id("email", "family@home"));
    EXPECT_EQ(campus_.reasons(), "");  // sharing it is no conflict
    Said email = Said::statement("oai-pmh", "t").id("email", "family@home").says({"thesis"});
    email.header.match = {"email"};
    EXPECT_EQ(campus_.apply(email), Outcome::kHeld);
    EXPECT_EQ(campus_.reasons(), "ambiguous; ");
}

TEST_F(Identity, IdentifiersOfTwoLearnersAreHeld) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011"));
    campus_.apply(Said::person("p2").id("hr-id", "5511"));
    EXPECT_EQ(campus_.apply(Said::statement("hr", "job").id("institution-id", "900000011").id("hr-id", "5511").says({"j"})),
              Outcome::kHeld);
    EXPECT_EQ(campus_.reasons(), "ambiguous; ");
}

TEST_F(Identity, ASourceWithoutAuthoritySaysNobodyIsSomebody) {
    Said word = Said::person("p1").id("institution-id", "900000011");
    word.header.identity_authority = false;
    EXPECT_EQ(campus_.apply(word), Outcome::kHeld);
    EXPECT_EQ(campus_.find("institution-id", "900000011"), "");
    EXPECT_EQ(campus_.reasons(), "person not-authority; ");
    word.header.identity_authority = true;  // the route became one
    EXPECT_EQ(campus_.apply(word.generation(2)), Outcome::kUnchanged);
    EXPECT_NE(campus_.find("institution-id", "900000011"), "");
    EXPECT_EQ(campus_.reasons(), "");
}

TEST_F(Identity, ASchoolsOwnNumberMatchesOnlyWhereAPersonNamedThatSchool) {
    campus_.apply(Said::person("p1").id("school-person-id", "A77", "FICE:001234"));
    EXPECT_EQ(campus_.apply(Said::statement("pesc", "k1").id("school-person-id", "A77", "FICE:009999").says({"c"})),
              Outcome::kHeld);
    EXPECT_EQ(campus_.apply(Said::statement("pesc", "k2").id("school-person-id", "A77", "FICE:001234").says({"c"})),
              Outcome::kApplied);
}

// ── what waits ──

TEST_F(Identity, WhatWaitsAttachesByItselfWhenThePersonComes) {
    EXPECT_EQ(campus_.apply(job("j1", "5511")), Outcome::kHeld);
    EXPECT_EQ(campus_.reasons(), "unknown-learner; ");
    EXPECT_EQ(campus_.store->waiting(0, 1).at(0).schemes, std::vector<std::string>{"hr-id"});
    EXPECT_EQ(campus_.apply(Said::person("p1").id("institution-id", "900000011").id("hr-id", "5511")), Outcome::kApplied);
    EXPECT_EQ(campus_.reasons(), "");
    EXPECT_EQ(campus_.shown(campus_.find("hr-id", "5511")), "j1:j1@/1 ");
    EXPECT_EQ(campus_.store->counts().attached_by_itself, 1U);
}

TEST_F(Identity, AnIdentifierThatIsTakenAwayTakesItsStatementsAway) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011").id("hr-id", "5511"));
    campus_.apply(job("j1", "5511"));
    const std::string learner = campus_.find("institution-id", "900000011");
    campus_.apply(Said::person("p1").id("institution-id", "900000011").number(2));
    EXPECT_EQ(campus_.shown(learner), "");
    EXPECT_EQ(campus_.reasons(), "unknown-learner; ");
    campus_.apply(Said::person("p2").id("hr-id", "5511").number(3).accepted(9));
    EXPECT_EQ(campus_.shown(campus_.find("hr-id", "5511")), "j1:j1@/1 ");
    EXPECT_EQ(campus_.shown(learner), "");
}

TEST_F(Identity, ADeletedPersonsRecordStaysAndGivesWayToAnother) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011").id("hr-id", "5511"));
    campus_.apply(job("j1", "5511"));
    const std::string learner = campus_.find("institution-id", "900000011");
    EXPECT_EQ(campus_.apply(Said::person("p1").deleted().number(2)), Outcome::kApplied);
    EXPECT_EQ(campus_.shown(learner), "j1:j1@/1 ");
    EXPECT_EQ(campus_.reasons(), "");
    campus_.apply(Said::person("p2").id("hr-id", "5511").accepted(60));
    EXPECT_NE(campus_.find("hr-id", "5511"), learner);
}

TEST_F(Identity, ADeletionReleasesNobodyWhoEverAskedForNoRelease) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011").blocked().number(1));
    campus_.apply(Said::person("p1").deleted().number(2));
    EXPECT_TRUE(campus_.store->learner(campus_.find("institution-id", "900000011"))->blocked);
    campus_.apply(Said::person("p1").id("institution-id", "900000011").number(3));  // back, and asks no more
    EXPECT_FALSE(campus_.store->learner(campus_.find("institution-id", "900000011"))->blocked);
}

TEST_F(Identity, APersonDecidesAndTheDecisionHoldsForTheKey) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011"));
    const std::string learner = campus_.find("institution-id", "900000011");
    campus_.apply(Said::statement("oai-pmh", "thesis-1").name("A.", "Lopez").says({"thesis"}));
    const auto waiting = campus_.store->waiting(0, 10);
    const WaitingDetail detail = campus_.store->show(kStaffReader, waiting.at(0).id, "deciding");
    EXPECT_EQ(detail.header.family, "Lopez");
    EXPECT_THROW(campus_.store->attach(waiting.at(0).id, "nobody", "pat", "why"), Error);
    EXPECT_THROW(campus_.store->attach(waiting.at(0).id, learner, "pat", ""), Error);
    EXPECT_EQ(campus_.store->waiting(0, 10).size(), 1U);  // a refused decision changed nothing
    EXPECT_TRUE(campus_.store->decisions(0, 10).empty());
    campus_.store->attach(waiting.at(0).id, learner, "pat", "asked the department");
    EXPECT_EQ(campus_.shown(learner), "thesis-1:thesis@/1 ");
    EXPECT_EQ(campus_.apply(Said::statement("oai-pmh", "thesis-1").name("A.", "Lopez").number(2).says({"thesis"}, "corrected")),
              Outcome::kApplied);
    EXPECT_EQ(campus_.apply(Said::statement("oai-pmh", "thesis-1").name("B.", "Lopez").number(3).says({"thesis"})),
              Outcome::kHeld);
    EXPECT_EQ(campus_.store->counts().attached, 1U);
}

TEST_F(Identity, WhatIsRejectedGivesBackWhatItReplaced) {
    campus_.apply(Said::person("p1").id("hr-id", "5511"));
    campus_.apply(job("j1", "5511"));
    campus_.apply(Said::statement("hr", "j1").id("hr-id", "7777").number(2).says({"j1"}));
    const std::string learner = campus_.find("hr-id", "5511");
    EXPECT_EQ(campus_.shown(learner), "");  // the newer word may say that it was somebody else
    campus_.store->reject(campus_.store->waiting(0, 10).at(0).id, "pat", "a typing error in HR");
    EXPECT_EQ(campus_.shown(learner), "j1:j1@/1 ");
    EXPECT_EQ(campus_.apply(Said::statement("hr", "j1").id("hr-id", "7777").number(3).says({"j1"})), Outcome::kUnchanged);
    EXPECT_EQ(campus_.shown(learner), "j1:j1@/1 ");
    EXPECT_EQ(campus_.store->counts().rejected, 1U);
}

// ── two persons ──

TEST_F(Identity, ASecondPersonWithTheSameIdentifierIsHeldAndNothingIsMerged) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011").id("hr-id", "5511").accepted(1));
    EXPECT_EQ(campus_.apply(Said::person("p2").id("institution-id", "900000011").id("hr-id", "6622").accepted(2)),
              Outcome::kHeld);
    EXPECT_EQ(campus_.reasons(), "person identifier-conflict; ");
    EXPECT_EQ(campus_.apply(job("j1", "5511")), Outcome::kApplied);
    EXPECT_EQ(campus_.apply(job("j2", "6622")), Outcome::kHeld);
    const std::string first = campus_.find("institution-id", "900000011");
    EXPECT_EQ(first, campus_.find("hr-id", "5511"));
    EXPECT_EQ(campus_.find("hr-id", "6622"), "");

    // The same human: one record, and the decision can be undone.
    campus_.store->attach(campus_.store->waiting(0, 10).at(0).id, first, "pat", "one student, two rows");
    EXPECT_EQ(campus_.shown(first), "j1:j1@/1 j2:j2@/1 ");
    EXPECT_EQ(campus_.reasons(), "");
    campus_.store->unmerge(campus_.store->decisions(0, 10).at(0).id, "pat", "two students after all");
    EXPECT_EQ(campus_.shown(first), "j1:j1@/1 ");
    EXPECT_EQ(campus_.reasons(), "person identifier-conflict; person-in-conflict; ");
    EXPECT_THROW(campus_.store->unmerge(1, "pat", "twice"), Error);

    // Two people: each with what is theirs.
    const auto waiting = campus_.store->waiting(0, 10);
    const auto person = std::find_if(waiting.begin(), waiting.end(), [](const WaitingItem& item) { return item.person; });
    campus_.store->reject(person->id, "pat", "twins");
    EXPECT_EQ(campus_.reasons(), "");
    const std::string second = campus_.find("hr-id", "6622");
    EXPECT_NE(second, "");
    EXPECT_NE(second, first);
    EXPECT_EQ(campus_.shown(second), "j2:j2@/1 ");
    EXPECT_EQ(campus_.find("institution-id", "900000011"), first);
}

TEST_F(Identity, WhoMayBeTheSameHumanIsBlockedTooUntilSomebodyDecides) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011").accepted(1));
    const std::string first = campus_.find("institution-id", "900000011");
    campus_.apply(Said::person("p2").id("institution-id", "900000011").id("hr-id", "6622").blocked().accepted(2));
    EXPECT_TRUE(campus_.store->learner(first)->blocked);
    campus_.store->reject(campus_.store->waiting(0, 10).at(0).id, "pat", "twins");
    EXPECT_FALSE(campus_.store->learner(first)->blocked);
    EXPECT_TRUE(campus_.store->learner(campus_.find("hr-id", "6622"))->blocked);
}

TEST_F(Identity, APersonWhoIsThereLosesOnlyTheIdentifierThatIsAnothers) {
    campus_.apply(Said::person("p1").id("hr-id", "5511").accepted(1));
    campus_.apply(Said::person("p2").id("institution-id", "900000022").accepted(2));
    campus_.apply(job("j1", "5511"));
    campus_.apply(Said::person("p1").id("hr-id", "5511").id("institution-id", "900000022").number(2).accepted(3));
    EXPECT_EQ(campus_.shown(campus_.find("hr-id", "5511")), "j1:j1@/1 ");
    EXPECT_NE(campus_.find("institution-id", "900000022"), campus_.find("hr-id", "5511"));
    EXPECT_EQ(campus_.reasons(), "person identifier-conflict; ");
}

TEST_F(Identity, LearnersMergeAndPartAgain) {
    campus_.apply(Said::person("p1").id("institution-id", "900000011"));
    campus_.apply(Said::person("p2").id("hr-id", "5511").blocked());
    campus_.apply(Said::statement("pesc", "t").id("institution-id", "900000011").says({"math"}));
    campus_.apply(job("j1", "5511"));
    const std::string one = campus_.find("institution-id", "900000011");
    const std::string two = campus_.find("hr-id", "5511");
    const std::int64_t decision = campus_.store->merge(two, one, "pat", "same person");
    EXPECT_EQ(campus_.find("hr-id", "5511"), one);
    EXPECT_EQ(campus_.shown(two), "j1:j1@/1 t:math@/1 ");  // the old id leads to the record
    EXPECT_EQ(campus_.store->learner(two)->merged_into, one);
    EXPECT_TRUE(campus_.store->learner(one)->blocked);  // who asked for no release is not released by a merge
    EXPECT_THROW(campus_.store->merge(one, two, "pat", "again"), Error);
    EXPECT_EQ(campus_.apply(Said::statement("hr", "j2").id("hr-id", "5511").id("institution-id", "900000011").says({"j2"})),
              Outcome::kApplied);
    campus_.store->unmerge(decision, "pat", "not the same");
    EXPECT_EQ(campus_.shown(one), "t:math@/1 ");
    EXPECT_EQ(campus_.shown(two), "j1:j1@/1 ");
    EXPECT_FALSE(campus_.store->learner(one)->blocked);
    EXPECT_EQ(campus_.reasons(), "ambiguous; ");
    EXPECT_EQ(campus_.store->decisions(0, 10).size(), 2U);
}

TEST_F(Identity, AnAuthoritysStatementMakesALearnerUntilAPersonComes) {
    EXPECT_EQ(campus_.apply(Said::statement("sis", "t1").authority().id("institution-id", "900000011").says({"math"})),
              Outcome::kApplied);
    EXPECT_EQ(campus_.apply(Said::statement("hr", "j1").id("institution-id", "900000011").says({"job"})), Outcome::kApplied);
    const std::string first = campus_.find("institution-id", "900000011");
    EXPECT_EQ(campus_.shown(first), "j1:job@/1 t1:math@/1 ");
    campus_.apply(Said::person("p1").id("institution-id", "900000011").name("Ana", "Lopez"));
    const std::string learner = campus_.find("institution-id", "900000011");
    EXPECT_NE(learner, first);
    EXPECT_EQ(campus_.record(first).id, learner);  // an address that was given out still leads to the record
    EXPECT_EQ(campus_.shown(learner), "j1:job@/1 t1:math@/1 ");
    EXPECT_EQ(campus_.record(learner).names.at(0).given, "Ana");
    EXPECT_EQ(campus_.store->learners("", 10).size(), 1U);
}

// ── every order ──

void expect_one_end(const std::vector<Said>& words, std::size_t most_orders) {
    std::vector<std::size_t> order(words.size());
    std::iota(order.begin(), order.end(), 0U);
    std::string expected;
    std::size_t tried = 0;
    TempDir keys;
    crypto::KeyFile::load_or_create(keys.path() / "keys");
    do {
        TempDir dir;
        std::filesystem::copy_file(keys.path() / "keys", dir.path() / "keys");
        Campus campus(dir.path());
        std::string named;
        for (const int round : {1, 2}) {
            std::vector<TakenMessage> messages;
            messages.reserve(order.size());
            for (const std::size_t i : order) messages.push_back(words[i].taken());
            if (round == 2) std::reverse(messages.begin(), messages.end());
            for (const auto& result : campus.store->apply(messages).results) ASSERT_NE(result.outcome, Outcome::kDead);
            const std::string state = end_state(campus);
            if (expected.empty()) expected = state;
            for (const std::size_t i : order) named += std::to_string(i);
            ASSERT_EQ(state, expected) << "order " << named;
        }
    } while (++tried < most_orders && std::next_permutation(order.begin(), order.end()));
    EXPECT_GT(tried, 20U);
}

TEST(EveryOrder, OfAllPartRetractionAndReissueEndsInTheSameRecord) {
    const auto word = [](Said made) { return made.id("institution-id", "900000011"); };
    expect_one_end(
        {Said::person("p1").id("institution-id", "900000011"),
         word(Said::statement("sis", "t")).number(1).says({"a", "b", "c"}, "first"),
         word(Said::part("sis", "t")).number(2).says({"b", "d"}, "grades"), Said::retraction("sis", "t").number(3).says({"c"}),
         word(Said::part("sis", "t")).number(5).says({"b"}, "changed"),
         word(Said::statement("sis", "t")).number(4).says({"a", "c"}, "again")},
        720);
}

TEST(EveryOrder, OfARetractedAndReissuedStatementEndsInTheSameRecord) {
    const auto word = [](Said made) { return made.id("institution-id", "900000011"); };
    expect_one_end(
        {Said::person("p1").id("institution-id", "900000011").number(1),
         word(Said::statement("sis", "t")).version("1").number(9).says({"a"}),
         Said::retraction("sis", "t").version("3").number(2), word(Said::part("sis", "t")).version("4").number(1).says({"b"}),
         word(Said::statement("sis", "t")).version("2").number(8).says({"a", "b"})},
        120);
}

TEST(EveryOrder, OfTwoPersonsAStatementAndAConflictEndsTheSame) {
    expect_one_end({Said::person("p1").id("institution-id", "900000011").id("hr-id", "5511").accepted(1),
                    Said::person("p2").id("institution-id", "900000011").id("canvas-global-id", "100000000022").accepted(2),
                    Said::person("p1").id("institution-id", "900000011").id("orcid", "0000-0001").number(2).accepted(3),
                    job("j1", "5511"), Said::statement("canvas", "o1").id("canvas-global-id", "100000000022").says({"outcome"}),
                    Said::statement("oai-pmh", "t1").id("orcid", "0000-0001").says({"thesis"})},
                   720);
}

TEST(EveryOrder, OfAnIdentifierThatMovesFromOnePersonToAnotherEndsTheSame) {
    expect_one_end(
        {Said::person("p1").id("institution-id", "900000011").id("hr-id", "5511").number(1).accepted(1),
         Said::person("p1").id("institution-id", "900000011").number(3).accepted(3).blocked(),
         Said::person("p2").id("institution-id", "900000022").number(2).accepted(2),
         Said::person("p2").id("institution-id", "900000022").id("hr-id", "5511").number(4).accepted(4), job("j1", "5511")},
        120);
}

TEST(EveryOrder, OfDeletionsAndAuthoritysStatementsEndsTheSame) {
    expect_one_end({Said::person("p1").id("institution-id", "900000011").id("hr-id", "5511").number(1).accepted(1),
                    Said::person("p1").deleted().number(2).accepted(2),
                    Said::statement("sis", "t1").authority().id("institution-id", "900000033").id("hr-id", "5511").says({"a"}),
                    Said::statement("sis", "t2").authority().id("hr-id", "7733").says({"b"}), job("j1", "7733")},
                   120);
}

TEST(EveryOrder, OfDocumentsAndTheirConflictsEndsTheSame) {
    const auto word = [](std::uint64_t number) {
        return Said::statement("pesc", "t").id("institution-id", "900000011").number(number);
    };
    expect_one_end(
        {Said::person("p1").id("institution-id", "900000011"), word(1).document("D1", "aa").says({"a"}, "first"),
         word(2).document("D2", "bb").says({"a"}, "second"), word(3).document("D1", "cc").says({"a"}, "other bytes"),
         word(4).document("D1", "aa").says({"a"}, "first"), word(5).document("D3", "dd").version("1").says({"a"}, "third")},
        720);
}

}  // namespace
}  // namespace clrbus::records
