#include <gtest/gtest.h>

#include "records/test_support.hpp"

namespace clrbus::records {
namespace {

using testing::Campus;
using testing::kStaffReader;
using testing::Said;
using testing::TempDir;

class Approval : public ::testing::Test {
protected:
    void SetUp() override {
        campus_.apply(Said::person("p1").id("institution-id", "900000011").name("Ana", "Lopez"));
        ana_ = campus_.find("institution-id", "900000011");
        require();
    }
    void require() {
        campus_.store->approvals().needed([](const std::string& route) { return route != "route-free"; });
    }
    Said said(std::uint64_t number, std::uint64_t generation, const char* text, std::vector<std::string> parts = {"a"}) {
        return Said::statement("hr", "job-1")
            .id("institution-id", "900000011")
            .number(number)
            .generation(generation)
            .says(std::move(parts), text);
    }
    void approve(std::uint64_t generation, const char* route = "route-hr") {
        ApprovalLine line;
        line.route = route;
        line.generation = generation;
        line.hash = "hash-" + std::to_string(generation);
        line.steward = "HR";
        line.who = "registrar";
        line.why = "checked";
        campus_.clock.millis += 1000;
        campus_.store->approve(line);
    }
    LearnerRecord released() { return campus_.store->read(kStaffReader, ana_, "test", RecordsStore::Claims::kApproved).record; }
    // "achievement@source number/generation" of what is released.
    std::string shown() {
        std::string out;
        for (const StatementInForce& s : released().statements) {
            for (const std::string& key : s.achievements)
                out += key + "@" + std::to_string(s.provenance.source_number) + "/" + std::to_string(s.provenance.generation) +
                       " ";
        }
        return out;
    }

    TempDir dir_;
    Campus campus_{dir_.path()};
    std::string ana_;
};

TEST_F(Approval, RefusesWhatIsThereAlreadyAndWhatIsNot) {
    EXPECT_THROW(campus_.store->withdraw("route-hr", 1, "w", "y"), Error);
    approve(1);
    EXPECT_THROW(approve(1), Error);
    campus_.store->withdraw("route-hr", 1, "w", "y");
    EXPECT_THROW(campus_.store->withdraw("route-hr", 1, "w", "y"), Error);
    approve(1);
    EXPECT_EQ(campus_.store->approval_lines("route-hr").size(), 3U);
    EXPECT_TRUE(campus_.store->approval_lines("other").empty());
}

TEST_F(Approval, WithholdsUntilTheGenerationIsApproved) {
    campus_.apply(said(1, 1, "first"));
    EXPECT_EQ(shown(), "");
    EXPECT_EQ(released().withheld, 1U);
    EXPECT_EQ(campus_.record(ana_).statements.size(), 1U) << "staff see all that stands";
    const LearnerRecord before = released();
    approve(1);
    EXPECT_EQ(shown(), "a@1/1 ");
    EXPECT_EQ(released().withheld, 0U);
    EXPECT_GT(released().version, before.version) << "a cache must not give the record of before";
    EXPECT_GT(released().changed, before.changed);
}

TEST_F(Approval, TheLastApprovedWordStaysUntilTheNewOneIsApproved) {
    campus_.apply(said(1, 1, "first"));
    approve(1);
    campus_.apply(said(2, 2, "second"));
    EXPECT_EQ(shown(), "a@1/1 ");
    EXPECT_EQ(released().withheld, 1U);
    campus_.apply(said(3, 3, "third"));
    EXPECT_EQ(shown(), "a@1/1 ");
    approve(2);
    EXPECT_EQ(shown(), "a@2/2 ");
    approve(3);
    EXPECT_EQ(shown(), "a@3/3 ");
    campus_.store->withdraw("route-hr", 3, "registrar", "wrong hours");
    EXPECT_EQ(shown(), "a@2/2 ");
}

TEST_F(Approval, WhatAnApprovedGenerationSaidStaysWhenANewOneSaysTheSame) {
    campus_.apply(said(1, 1, "same"));
    approve(1);
    campus_.apply(said(2, 2, "same"));
    EXPECT_EQ(shown(), "a@2/2 ");
    EXPECT_EQ(released().withheld, 0U);
    campus_.store->withdraw("route-hr", 1, "registrar", "no");
    EXPECT_EQ(shown(), "");
}

TEST_F(Approval, PartsAreApprovedOneByOne) {
    campus_.apply(said(1, 1, "first", {"a", "b"}));
    approve(1);
    campus_.apply(Said::part("hr", "job-1").id("institution-id", "900000011").number(2).generation(2).says({"b"}, "newer"));
    EXPECT_EQ(shown(), "a@1/1 b@1/1 ");
    approve(2);
    EXPECT_EQ(shown(), "a@1/1 b@2/2 ");
}

TEST_F(Approval, ARetractionCountsAtOnce) {
    campus_.apply(said(1, 1, "first"));
    approve(1);
    campus_.apply(Said::retraction("hr", "job-1").number(2).generation(2));
    EXPECT_EQ(shown(), "");
}

TEST_F(Approval, NothingOlderIsPutInThePlaceOfWhatIsNowAnothersOrNobodys) {
    campus_.apply(said(1, 1, "first"));
    approve(1);
    campus_.apply(Said::person("p2").id("institution-id", "900000022"));
    campus_.apply(
        Said::statement("hr", "job-1").id("institution-id", "900000022").number(2).generation(2).says({"a"}, "other"));
    EXPECT_EQ(shown(), "") << "the source says now that it is somebody else's";
    const std::string other = campus_.find("institution-id", "900000022");
    EXPECT_TRUE(campus_.store->read(kStaffReader, other, "test", RecordsStore::Claims::kApproved).record.statements.empty());
}

TEST_F(Approval, ARouteThatNeedsNoneIsNotAsked) {
    campus_.apply(Said::statement("free", "x").id("institution-id", "900000011").generation(7).says({"a"}, "t"));
    EXPECT_EQ(shown(), "a@1/7 ");
    EXPECT_EQ(released().withheld, 0U);
}

TEST_F(Approval, SurvivesARestart) {
    campus_.apply(said(1, 1, "first"));
    approve(1);
    campus_.apply(said(2, 2, "second"));
    campus_.close();
    campus_.open();
    require();
    EXPECT_EQ(shown(), "a@1/1 ");
    EXPECT_EQ(campus_.store->approvals().approved_content("route-hr", "hash-1"), 1);
    EXPECT_EQ(campus_.store->approvals().approved_content("route-hr", "hash-2"), 0);
    EXPECT_EQ(campus_.store->approval_lines("").front().why, "checked");
}

}  // namespace
}  // namespace clrbus::records
