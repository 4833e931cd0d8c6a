#include "alerts/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/loader.hpp"
#include "core/error.hpp"
#include "http/client.hpp"

namespace clrbus::alerts {
namespace {

using testing::HasSubstr;

class AlertSettingsTest : public testing::Test {
protected:
    AlertSettingsTest() : folder_(testing::TempDir() + "alert_settings_" + std::to_string(::getpid())) {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
    }
    ~AlertSettingsTest() override { std::filesystem::remove_all(folder_); }

    Config alerts(const std::string& inside) {
        std::ofstream(folder_ / "c.xml") << "<alerts>" << inside << "</alerts>";
        return ConfigLoader(nullptr).load(folder_ / "c.xml");
    }
    std::vector<std::unique_ptr<Channel>> channels(const std::string& inside) {
        return make_channels(alerts(inside), {client_, system_clock(),
                                              [](std::string_view name) -> std::string {
                                                  if (name == "there") return "secret-value";
                                                  throw Error(Fault::kConfig, "CONF-034", "reading a secret", "there is none");
                                              },
                                              folder_});
    }
    std::string refused(const std::string& inside) {
        try {
            channels(inside);
        } catch (const Error& e) {
            EXPECT_EQ(e.fault(), Fault::kConfig);
            EXPECT_THAT(e.what(), testing::Not(HasSubstr("secret-value")));
            return e.code();
        }
        return "taken";
    }
    std::string program(mode_t mode) {
        std::ofstream(folder_ / "page") << "#!/bin/sh\n";
        ::chmod((folder_ / "page").c_str(), mode);
        return "<command program=\"page\"/>";
    }

    const std::filesystem::path folder_;
    HttpClient client_;
};

const std::string kMailTo = R"(from="a@example.edu" to="b@example.edu c@example.edu")";

TEST_F(AlertSettingsTest, RefusesWhatCannotBe) {
    EXPECT_EQ(refused(R"(<mail host="h" from="a" to="b@example.edu"/>)"), "ALERT-003");
    EXPECT_EQ(refused(R"(<mail host="h" from="a@example.edu" to="b@example.edu, c@example.edu"/>)"), "ALERT-003");
    EXPECT_EQ(refused(R"(<mail host="h" from="a@example.edu&lt;x&gt;" to="b@example.edu"/>)"), "ALERT-003");
    EXPECT_EQ(refused("<mail host=\"h\" user=\"u\" " + kMailTo + "/>"), "ALERT-003");
    EXPECT_EQ(refused("<mail host=\"h\" when=\"disk dsik\" " + kMailTo + "/>"), "ALERT-003");
    EXPECT_EQ(refused("<mail host=\"h\" " + kMailTo + "/><mail host=\"i\" " + kMailTo + "/>"), "ALERT-003");
    EXPECT_EQ(refused(R"(<webhook url="ftp://example.edu/"/>)"), "HTTP-070");
    EXPECT_EQ(refused(R"(<webhook url="https://example.edu/" token-secret="missing"/>)"), "CONF-034");
}
TEST_F(AlertSettingsTest, APasswordGoesOverTlsAlone) {
    const std::string rest = " user=\"u\" password-secret=\"there\" " + kMailTo + "/>";
    EXPECT_EQ(refused("<mail host=\"smtp.example.edu\" tls=\"none\"" + rest), "ALERT-001");
    EXPECT_EQ(refused("<mail host=\"127.0.0.1\" tls=\"none\"" + rest), "taken");
    EXPECT_EQ(refused("<mail host=\"smtp.example.edu\"" + rest), "taken");
}
TEST_F(AlertSettingsTest, AProgramThatOthersMayChangeIsNone) {
    EXPECT_EQ(refused("<command program=\"nothing\"/>"), "ALERT-002");
    EXPECT_EQ(refused(program(0777)), "ALERT-002");
    EXPECT_EQ(refused(program(0644)), "ALERT-002");
    EXPECT_EQ(refused(program(0755)), "taken");
}
TEST_F(AlertSettingsTest, EachChannelHasItsKinds) {
    const auto made =
        channels("<mail name=\"ops\" host=\"h\" when=\"disk ledger\" " + kMailTo + "/><webhook url=\"https://example.edu/\"/>");
    ASSERT_EQ(made.size(), 2U);
    EXPECT_EQ(made[0]->name(), "mail ops");
    EXPECT_TRUE(made[0]->wants("disk"));
    EXPECT_FALSE(made[0]->wants("expiry"));
    EXPECT_TRUE(made[1]->wants("expiry"));
}
TEST_F(AlertSettingsTest, LooksOnceASecondAtMost) {
    std::ofstream(folder_ / "d.xml") << R"(<alerts look="PT0S" away="PT1M"/>)";
    const AlertSettings read = read_alert_settings(ConfigLoader(nullptr).load(folder_ / "d.xml"), 7);
    EXPECT_EQ(read.options.look, std::chrono::seconds(1));
    EXPECT_EQ(read.limits.away, std::chrono::minutes(1));
    EXPECT_EQ(read.options.undelivered, std::chrono::minutes(1));
    EXPECT_EQ(read.limits.free_bytes, 7U);
}

}  // namespace
}  // namespace clrbus::alerts
