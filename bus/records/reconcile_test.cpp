#include "records/reconcile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"

namespace clrbus::records {
namespace {

using ::testing::IsEmpty;

TEST(Credits, AreExactOrNone) {
    EXPECT_EQ(credits_from("4"), 4000);
    EXPECT_EQ(credits_from("4.0"), 4000);
    EXPECT_EQ(credits_from("4.125"), 4125);
    EXPECT_EQ(credits_from("4.1250"), 4125);
    EXPECT_EQ(credits_from(".5"), 500);
    for (const char* bad : {"", ".", "-1", "1,5", "1e3", "4.1255", "4..0", "1234567890123", " 4", "x"})
        EXPECT_FALSE(credits_from(bad)) << bad;
    EXPECT_EQ(credits_text(4125), "4.125");
    EXPECT_EQ(credits_text(4500), "4.5");
    EXPECT_EQ(credits_text(4000), "4");
    EXPECT_EQ(credits_text(5), "0.005");
}

LearnerRecord learner(const std::string& id, const std::vector<std::pair<std::string, std::string>>& courses) {
    LearnerRecord out;
    out.id = id;
    StatementInForce statement;
    statement.key = "k-" + id;
    statement.provenance.source = "sis";
    statement.xml = "<statement>";
    for (const auto& [term, credits] : courses) {
        const std::string key = "c" + std::to_string(statement.achievements.size());
        statement.xml += "<achievement key='" + key + "' type='Course'><session designator='" + term + "'/><credits earned='" +
                         credits + "'/></achievement>";
        statement.achievements.push_back(key);
    }
    statement.xml +=
        "<achievement key='gone' type='Course'><session designator='2024-01'/></achievement>"  // replaced
        "<achievement key='d' type='BachelorDegree'/></statement>";
    statement.achievements.emplace_back("d");
    out.statements.push_back(statement);
    statement.provenance.source = "another";
    out.statements.push_back(statement);
    return out;
}

class Reconcile : public ::testing::Test {
protected:
    void SetUp() override {
        sums_.take(learner("ana", {{"2024-01", "4.0"}, {"2024-01", "3.5"}, {"2024-08", "1"}}));
        sums_.take(learner("ben", {{"2024-01", "3"}}));
    }
    Reconciliation sums_{"sis"};
};

TEST_F(Reconcile, CountsWhatStandsOfOneSource) {
    EXPECT_THAT(sums_.compare({{1, "2024-01", "", 3, 10500, 2}, {2, "2024-08", "", 1, 1000, 1}, {3, "2031-01", "", 0, 0, 0}}),
                IsEmpty());
    EXPECT_THAT(sums_.compare({{1, "2024-01", "", {}, {}, {}}}), IsEmpty()) << "an empty number is not compared";
}

TEST_F(Reconcile, NamesWhoDiffers) {
    const auto out =
        sums_.compare({{1, "2024-01", "", 4, 10500, 2}, {2, "2024-01", "ana", 2, 7000, {}}, {3, "2099-01", "", 1, {}, {}}});
    ASSERT_EQ(out.size(), 4U);
    EXPECT_EQ(out[0].what + out[0].expected + out[0].found, "courses43");
    EXPECT_EQ(out[1].learner + out[1].what + out[1].expected + "/" + out[1].found, "anacredits7/7.5");
    EXPECT_EQ(out[2].term + out[2].found, "2099-010");
    EXPECT_EQ(out[3].learner, "ben") << "in the records, and in no row of this term";
    EXPECT_EQ(out[3].row, 0U);
}

}  // namespace
}  // namespace clrbus::records
