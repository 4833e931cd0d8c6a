#include "adapters_directory/pickup_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace clrbus::adapters::directory {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

const std::chrono::steady_clock::time_point kNow{std::chrono::hours(5)};

PlanOptions plan_options() {
    return {.match = "*", .settle = seconds(2), .most = 1000};
}
std::map<std::string, SeenFile> seen_before(const std::string& name, std::uint64_t size, seconds ago) {
    return {{name, {size, 7, kNow - ago}}};
}

TEST(PickupPlan, LeavesWhatIsNotFinishedOrNotMeant) {
    PlanOptions options = plan_options();
    options.match = "jobs_*.csv";
    const PickupPlan plan = plan_pickup({{"jobs_1.csv.part", 1, 7},
                                         {"jobs_1.tmp", 1, 7},
                                         {".jobs_1.csv", 1, 7},
                                         {"other.csv", 1, 7},
                                         {"jobs_2.csv.filepart", 1, 7}},
                                        {}, {"jobs_1.csv.part", ".jobs_1.csv", "other.csv"}, kNow, options);
    EXPECT_THAT(plan.take, IsEmpty());
    EXPECT_THAT(plan.refuse, IsEmpty());
    EXPECT_FALSE(plan.unsettled);
}

TEST(PickupPlan, LeavesAFileThatStillGrows) {
    const PickupPlan plan =
        plan_pickup({{"jobs.csv", 100, 7}}, seen_before("jobs.csv", 90, seconds(9)), {}, kNow, plan_options());
    EXPECT_THAT(plan.take, IsEmpty());
    EXPECT_TRUE(plan.unsettled);
    EXPECT_EQ(plan.seen.at("jobs.csv").since, kNow);
}

TEST(PickupPlan, LeavesAFileOfWhichOnlyTheTimeChanged) {
    const PickupPlan plan =
        plan_pickup({{"jobs.csv", 90, 8}}, seen_before("jobs.csv", 90, seconds(9)), {}, kNow, plan_options());
    EXPECT_THAT(plan.take, IsEmpty());
}

TEST(PickupPlan, TakesAFileThatStaysTheSame) {
    EXPECT_THAT(plan_pickup({{"jobs.csv", 90, 7}}, {}, {}, kNow, plan_options()).take, IsEmpty());
    EXPECT_THAT(plan_pickup({{"jobs.csv", 90, 7}}, seen_before("jobs.csv", 90, seconds(1)), {}, kNow, plan_options()).take,
                IsEmpty());
    EXPECT_THAT(plan_pickup({{"jobs.csv", 90, 7}}, seen_before("jobs.csv", 90, seconds(2)), {}, kNow, plan_options()).take,
                ElementsAre("jobs.csv"));
}

TEST(PickupPlan, TakesARenamedFileAtOnceAndTheOldestFirst) {
    const PickupPlan plan = plan_pickup({{"c", 1, 5}, {"a", 1, 9}, {"b", 1, 5}}, {}, {"a", "b", "c"}, kNow, plan_options());
    EXPECT_THAT(plan.take, ElementsAre("b", "c", "a"));
}

TEST(PickupPlan, RefusesLinksLargeFilesAndStrangeNames) {
    const PickupPlan plan = plan_pickup(
        {{"link", 1, 7, false}, {"large", 1001, 7}, {"bad\xff", 1, 7}, {"new\nline", 1, 7}, {std::string(201, 'a'), 1, 7}}, {},
        {}, kNow, plan_options());
    std::vector<std::string> codes;
    for (const RefusedFile& file : plan.refuse) codes.push_back(file.code);
    EXPECT_THAT(codes, ElementsAre("DIR-002", "DIR-003", "DIR-004", "DIR-004", "DIR-004"));
    EXPECT_EQ(plain_name("bad\xff\n"), "bad__");
}

}  // namespace
}  // namespace clrbus::adapters::directory
