#include "management/control_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace clrbus {
namespace {

class Control : public testing::Test {
protected:
    Control() : socket_(std::filesystem::temp_directory_path() / ("clrbus-control-" + new_uuid().substr(0, 8))) {}
    ~Control() override { std::filesystem::remove(socket_); }
    std::filesystem::path socket_;
};

TEST_F(Control, AnswersTheSameUserAndNobodyElseMayConnect) {
    const ControlServer server(
        socket_, [](std::string_view request, const std::string& who) { return std::string(request) + " by " + who; });
    struct stat info {};
    ASSERT_EQ(stat(socket_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    const std::string answer = call_control(socket_, "hello");
    EXPECT_EQ(answer.rfind("hello by ", 0), 0U);
    EXPECT_GT(answer.size(), std::strlen("hello by "));
}

TEST_F(Control, CarriesLargeAnswers) {
    const ControlServer server(socket_, [](std::string_view, const std::string&) { return std::string(8U << 20, 'x'); });
    EXPECT_EQ(call_control(socket_, "x").size(), 8U << 20);
}

TEST_F(Control, SaysThatNoBusRuns) {
    try {
        call_control(socket_, "x");
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.fault(), Fault::kAway);
        EXPECT_EQ(e.code(), "CTRL-001");
    }
}

TEST_F(Control, RefusesAPathThatIsTooLong) {
    EXPECT_THROW(call_control("/tmp/" + std::string(200, 'x'), "x"), Error);
    EXPECT_THROW(
        ControlServer("/tmp/" + std::string(200, 'x'), [](std::string_view, const std::string&) { return std::string(); }),
        Error);
}

TEST_F(Control, OneThatSaysNothingOrTooMuchDoesNotStopTheNext) {
    const ControlServer server(socket_, [](std::string_view, const std::string&) { return std::string("ok"); });
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_.c_str(), sizeof address.sun_path - 1);
    const int flood = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(connect(flood, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const std::string much(13U << 20, 'x');
    std::size_t sent = 0;
    while (sent < much.size()) {
        const ssize_t n = send(flood, much.data() + sent, much.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
    }
    const int gone = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(connect(gone, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    close(gone);
    EXPECT_EQ(call_control(socket_, "x"), "ok");
    close(flood);
}

}  // namespace
}  // namespace clrbus
