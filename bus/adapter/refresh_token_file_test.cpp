#include "adapter/refresh_token_file.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "support/fake_inbox.hpp"

namespace clrbus {
namespace {

TEST(RefreshTokenFile, KeepsWhatFollowedTheFirstOneUntilAPersonGivesAnother) {
    const support::TemporaryFolder state("refresh");
    std::string first = "first";
    const auto open = [&] { return RefreshTokenFile(state.path(), "grant", [&] { return first; }); };
    EXPECT_EQ(open().token(), "first");
    open().keep("second");
    EXPECT_EQ(open().token(), "second");
    open().keep("third");
    EXPECT_EQ(open().token(), "third") << "after a restart, too";
    EXPECT_EQ(RefreshTokenFile(state.path(), "another", [] { return std::string("x"); }).token(), "x");
    first = "of a person";
    EXPECT_EQ(open().token(), "of a person");
    open().keep("fourth");
    EXPECT_EQ(open().token(), "fourth");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(state.path()))
        EXPECT_EQ(entry.status().permissions() & std::filesystem::perms::mask & static_cast<std::filesystem::perms>(077),
                  std::filesystem::perms::none);
}

TEST(RefreshTokenFile, SaysWhenItCannotKeepOne) {
    const support::TemporaryFolder state("refresh");
    support::write_file(state / "refresh-tokens", "in the way");
    EXPECT_THROW(RefreshTokenFile(state.path(), "grant", [] { return std::string("a"); }).keep("b"), std::exception);
}

}  // namespace
}  // namespace clrbus
