#include "credentials/status_list.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "credentials/test_clock.hpp"

namespace clrbus::credentials {
namespace {

class StatusListsTest : public testing::Test {
protected:
    void TearDown() override { std::filesystem::remove(file_); }
    StatusLists open() { return StatusLists::open(file_, clock_); }
    std::string content() const {
        std::ostringstream text;
        text << std::ifstream(file_).rdbuf();
        return text.str();
    }
    TestClock clock_;
    std::filesystem::path file_ = std::filesystem::temp_directory_path() / ("clrbus-status-" + new_uuid());
};

TEST_F(StatusListsTest, RefusesAFileThatDoesNotAddUp) {
    // KEY and OTHER stand for 32 digits, @ for a time and a newline.
    for (const std::string_view form : {"x\n", "a KEY 0 131072@", "a KEY 1 5@", "a short 0 5@", "a KEY 0 5@a KEY 0 6@",
                                        "a KEY 0 5@a OTHER 0 5@", "r KEY@", "a KEY 0 -5@", "a KEY 0 5 more@", "b KEY@", "\n"}) {
        std::string text(form);
        const auto fill = [&](std::string_view name, const std::string& value) {
            for (auto at = text.find(name); at != std::string::npos; at = text.find(name)) text.replace(at, name.size(), value);
        };
        fill("KEY", std::string(32, 'a'));
        fill("OTHER", std::string(32, 'b'));
        fill("@", " 2026-03-01T10:00:00Z\n");
        std::ofstream(file_) << text;
        EXPECT_THROW(open(), Error) << text;
    }
}

TEST_F(StatusListsTest, ATornLastLineIsCutOff) {
    StatusLists::Entry entry;
    {
        StatusLists lists = open();
        entry = lists.entry("urn:one");
    }
    std::ofstream(file_, std::ios::app) << "a 0123456789";
    StatusLists lists = open();
    EXPECT_EQ(lists.entry("urn:one").index, entry.index);
    lists.entry("urn:two");
    EXPECT_EQ(open().find("urn:two")->index, lists.entry("urn:two").index);
}

TEST_F(StatusListsTest, GivesEachCredentialItsOwnPlaceForEver) {
    std::set<std::uint32_t> places;
    {
        StatusLists lists = open();
        for (int i = 0; i < 200; ++i) places.insert(lists.entry("urn:" + std::to_string(i)).index);
        EXPECT_EQ(places.size(), 200u);
        EXPECT_EQ(lists.lists(), 1u);
    }
    StatusLists again = open();
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(places.contains(again.entry("urn:" + std::to_string(i)).index));
    EXPECT_FALSE(again.find("urn:none"));
    EXPECT_EQ(content().find("urn:"), std::string::npos) << "the file must not hold credential ids";
    // In order they would say who was recorded before whom.
    std::vector<std::uint32_t> order;
    order.reserve(200);
    for (int i = 0; i < 200; ++i) order.push_back(again.entry("urn:" + std::to_string(i)).index);
    EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(StatusListsTest, RevocationStays) {
    StatusLists::Entry entry;
    {
        StatusLists lists = open();
        entry = lists.entry("urn:one");
        EXPECT_FALSE(lists.revoke("urn:unknown"));
        EXPECT_FALSE(lists.revoked(entry));
        clock_.time += std::chrono::hours(1);
        EXPECT_TRUE(lists.revoke("urn:one"));
        EXPECT_FALSE(lists.revoke("urn:one"));
        EXPECT_EQ(lists.changed(0), clock_.time);
        EXPECT_EQ(lists.revoked_in(0), 1u);
    }
    const StatusLists again = open();
    EXPECT_TRUE(again.revoked(entry));
    const auto bits = decode_status_list(again.encoded(0));
    ASSERT_TRUE(bits);
    EXPECT_EQ(bits->size(), kStatusListSize / 8);
    EXPECT_TRUE(status_bit(*bits, entry.index));
    EXPECT_FALSE(status_bit(*bits, (entry.index + 1) % kStatusListSize));
    EXPECT_EQ(again.changed(0), clock_.time);
}

TEST(StatusBits, FirstIsTheMostSignificant) {
    const std::string bits("\x80\x01", 2);
    EXPECT_TRUE(status_bit(bits, 0));
    EXPECT_FALSE(status_bit(bits, 1));
    EXPECT_TRUE(status_bit(bits, 15));
    EXPECT_FALSE(status_bit(bits, 16));
    EXPECT_FALSE(status_bit(bits, ~0ull));
}

TEST(StatusBits, RefusesWhatIsNoList) {
    const std::string good = encode_status_list(std::string(16384, '\0'));
    ASSERT_TRUE(decode_status_list(good));
    EXPECT_FALSE(decode_status_list(""));
    EXPECT_FALSE(decode_status_list("u"));
    EXPECT_FALSE(decode_status_list(good.substr(1)));
    EXPECT_FALSE(decode_status_list("z" + good.substr(1)));
    EXPECT_FALSE(decode_status_list(good.substr(0, good.size() - 4)));
    EXPECT_FALSE(decode_status_list(good + "AAAA"));
    EXPECT_FALSE(decode_status_list(encode_status_list(std::string(16383, '\0')))) << "too few entries";
    EXPECT_FALSE(decode_status_list(encode_status_list(std::string(64u << 20, '\0')))) << "a bomb of 64 MB";
}

}  // namespace
}  // namespace clrbus::credentials
