#include <gmock/gmock.h>

#include "crypto/hash.hpp"
#include "routing/claim.hpp"
#include "routing/steps/step_fixture.hpp"

namespace clrbus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kHello = "sha256:" + crypto::sha256_hex("hello");

class ClaimCheckStep : public StepTest {
protected:
    ClaimCheckStep() { sink("a"); }
    std::multiset<std::string> codes() {
        std::multiset<std::string> out;
        for (const auto& one : in("dead/r")) out.emplace(one.headers.get(header::kDeadCode));
        return out;
    }
};

TEST_F(ClaimCheckStep, RefusesWhatDoesNotCompile) {
    const std::string to = "<to><records/></to>";
    EXPECT_THAT(error_of("<claim-check select=\"/m\"/>" + to), HasSubstr("direction"));
    EXPECT_THAT(error_of(R"(<claim-check direction="in" media-type="pdf"/>)" + to), HasSubstr("ROUTE-020"));
    EXPECT_THAT(error_of(R"(<claim-check direction="in" media-type-select="@t"/>)" + to), HasSubstr("ROUTE-020"));
    EXPECT_THAT(error_of(R"(<claim-check direction="out" media-type="a/b"/>)" + to), HasSubstr("ROUTE-020"));
    EXPECT_THAT(error_of(R"(<claim-check direction="in" select="/m" max-bytes="50000000"/>)" + to), HasSubstr("ROUTE-020"));
}

TEST_F(ClaimCheckStep, AClaimIsReadOnlyAsItIsWritten) {
    const Claim claim{crypto::sha256_hex("x"), 17, "application/pdf"};
    EXPECT_EQ(Claim::parse(claim.text())->text(), claim.text());
    for (const std::string& wrong :
         {std::string(), std::string("claim:sha256:ab;size=1;type=a/b"), claim.text() + " x", claim.text().substr(0, 80),
          "claim:sha256:" + std::string(64, '.') + ";size=1;type=a/b", "claim:sha256:" + claim.sha256 + ";size=-1;type=a/b",
          "claim:sha256:" + claim.sha256 + ";size=99999999999999999999;type=a/b"})
        EXPECT_FALSE(Claim::parse(wrong)) << wrong;
}

TEST_F(ClaimCheckStep, PutsAttachmentsAwayAndBringsThemBack) {
    route(
        "r",
        R"(<claim-check direction="in" select="//file/content" media-type-select="../@type"/><wire-tap><to><route id="a"/></to></wire-tap>
        <to><route id="back"/></to>)");
    route("back", R"(<claim-check direction="out" select="//file/content"/><to><route id="a"/></to>)");
    start();
    const std::string body =
        "<m><file type=\"application/pdf\"><content>aGVsbG8=</content></file><file type=\"&lt;?\"><content>aGVs\n "
        "bG8=</content></file>"
        "<file><content/></file></m>";
    put("r", body);
    settle_all({"r", "back", "a"});
    ASSERT_EQ(got("a").size(), 2U);
    const std::string reference = "claim:" + kHello + ";size=5;type=";
    EXPECT_THAT(bodies("a"), testing::Contains("<m><file type=\"application/pdf\"><content>" + reference +
                                               "application/pdf</content></file><file type=\"&lt;?\"><content>" + reference +
                                               "application/octet-stream</content></file><file><content/></file></m>"));
    EXPECT_THAT(bodies("a"),
                testing::Contains("<m><file type=\"application/pdf\"><content>aGVsbG8=</content></file><file type=\"&lt;?\">"
                                  "<content>aGVsbG8=</content></file><file><content/></file></m>"));
    EXPECT_EQ(originals_->read(kHello), "hello");
}

TEST_F(ClaimCheckStep, PutsAWholeBodyOfAnyKindAwayAndBringsItBack) {
    route(
        "r",
        R"(<claim-check direction="in" media-type="application/json"/><filter test="/c:claim/@size = 9" reason="size" xmlns:c="urn:clrbus:claim:1"/>
        <wire-tap><to><route id="a"/></to></wire-tap><to><route id="back"/></to>)");
    route("back", R"(<claim-check direction="out"/><wire-tap><to><route id="a"/></to></wire-tap><parse format="json"/>
        <filter test="/json/n = 1" reason="n"/><to><route id="a"/></to>)");
    start();
    put("r", "{ \"n\":1 }");
    settle_all({"r", "back", "a"});
    ASSERT_EQ(got("a").size(), 3U);
    EXPECT_EQ(got("a")[0].headers.get(kClaimHeader),
              "claim:sha256:" + crypto::sha256_hex("{ \"n\":1 }") + ";size=9;type=application/json");
    EXPECT_THAT(bodies("a"), testing::Contains("{ \"n\":1 }"));
    EXPECT_FALSE(got("a")[2].headers.has(kClaimHeader));
}

TEST_F(ClaimCheckStep, DeadLettersWhatIsNoAttachment) {
    route("r", R"(<claim-check direction="in" select="/m/*" max-bytes="8"/><to><route id="a"/></to>)");
    start();
    for (const char* body :
         {"<m><f>not base64!</f></m>", "<m><f>aGVsbG8</f></m>", "<m><f>aGVsbG8=<g/></f></m>", "<m><f>aGVsbG8gYWdhaW4=</f></m>"})
        put("r", body);
    settle_all({"r"});
    EXPECT_THAT(codes(), ElementsAre("ROUTE-125", "ROUTE-125", "ROUTE-125", "ROUTE-126"));
    EXPECT_THAT(std::string(in("dead/r")[0].headers.get(header::kDeadPath)), HasSubstr("/m/f"));
    put("r", "<m><f>aGVsbG8=</f></m>");
    settle_all({"r", "a"});
    EXPECT_EQ(got("a").size(), 1U);
}

TEST_F(ClaimCheckStep, SaysWhatIsMissing) {
    route("r", R"(<claim-check direction="out" select="/m/*" max-bytes="100"/><to><route id="a"/></to>)");
    start();
    const std::string hex = crypto::sha256_hex("hello");
    put("r", "<m><f>aGVsbG8=</f></m>");                                             // no claim
    put("r", "<m><f>claim:sha256:" + hex + ";size=5;type=a/b</f></m>");             // not here
    put("r", "<m><f>claim:sha256:../../../../etc/passwd;size=5;type=a/b</f></m>");  // no claim
    put("r", "<m><f>claim:sha256:" + hex + ";size=500;type=a/b</f></m>");           // larger than allowed
    settle_all({"r"});
    EXPECT_THAT(codes(), ElementsAre("ROUTE-126", "ROUTE-127", "ROUTE-127", "ROUTE-128"));
    originals_->store("hello");
    put("r", "<m><f>claim:sha256:" + hex + ";size=6;type=a/b</f></m>");  // says another size
    put("r", "<m><f>claim:sha256:" + hex + ";size=5;type=a/b</f></m>");
    settle_all({"r", "a"});
    EXPECT_EQ(codes().count("ROUTE-127"), 3U);
    EXPECT_THAT(bodies("a"), ElementsAre("<m><f>aGVsbG8=</f></m>"));
}

// A selected element within a selected one would be gone when its turn comes.
TEST_F(ClaimCheckStep, RefusesElementsWithinElements) {
    route("r", R"(<claim-check direction="out" select="//*"/><to><route id="a"/></to>)");
    start();
    originals_->store("hello");
    put("r", "<m><f>claim:" + kHello + ";size=5;type=a/b</f></m>");
    settle_all({"r"});
    EXPECT_THAT(codes(), ElementsAre("ROUTE-127"));
}

// Damage on the disk is not the message's fault: it waits until the file is mended, and nothing wrong goes out.
TEST_F(ClaimCheckStep, ADamagedAttachmentKeepsTheMessage) {
    route("r", R"(<claim-check direction="out" select="/m/*"/><to><route id="a"/></to>)");
    start();
    originals_->store("hello");
    const std::string hex = crypto::sha256_hex("hello");
    std::filesystem::path file;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_ / "originals"))
        if (entry.is_regular_file()) file = entry.path();
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    std::ofstream(file, std::ios::binary) << "hullo";
    put("r", "<m><f>claim:sha256:" + hex + ";size=5;type=a/b</f></m>");
    until("it waits", [this] {
        for (const QueueState& state : queues_->states())
            if (state.name == "in/r" && state.delayed == 1) return true;
        return false;
    });
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_EQ(line("a").sum(Outcome::kAccepted), 0);
    std::ofstream(file, std::ios::binary) << "hello";
    settle_all({"r", "a"});
    EXPECT_THAT(bodies("a"), ElementsAre("<m><f>aGVsbG8=</f></m>"));
}

}  // namespace
}  // namespace clrbus
