#include "http/wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "http/mounts.hpp"
#include "http/spool_file.hpp"

namespace clrbus {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const HttpWireOptions kAtAnHour{
    .keep_alive = true, .without_body = false, .date = std::chrono::sys_seconds(std::chrono::seconds(784111777))};

TEST(HttpWire, WritesTheHeadThatEveryAnswerHas) {
    const std::string wire = http_wire(http_json(200, "{}"), kAtAnHour);
    EXPECT_THAT(wire, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(wire, HasSubstr("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    EXPECT_THAT(wire, HasSubstr("\r\nContent-Length: 2\r\n"));
    EXPECT_THAT(wire, HasSubstr("\r\nCache-Control: no-store\r\n"));
    EXPECT_THAT(wire, Not(HasSubstr("Connection:")));
    EXPECT_THAT(wire, EndsWith("\r\n\r\n{}"));
}

TEST(HttpWire, WritesNoBodyForHeadAnd204) {
    HttpWireOptions head = kAtAnHour;
    head.without_body = true;
    head.keep_alive = false;
    const std::string wire = http_wire(http_json(200, "{}"), head);
    EXPECT_THAT(wire, HasSubstr("\r\nContent-Length: 2\r\n"));
    EXPECT_THAT(wire, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(wire, EndsWith("\r\n\r\n"));
    EXPECT_THAT(http_wire({.status = 204, .fields = {}, .body = "x"}, kAtAnHour), Not(HasSubstr("Content-Length")));
}

TEST(HttpWire, RefusesFieldsThatBreakTheHead) {
    for (const std::string& value : {std::string("a\r\nb"), std::string("a\nb"), std::string("a\0b", 3)}) {
        HttpResponse response;
        response.fields.add("X", value);
        EXPECT_THROW(http_wire(response, kAtAnHour), Error);
    }
}

TEST(HttpWire, KeepsAPageFromRunningAnything) {
    const std::string wire = http_wire(http_html(200, "<p>"), kAtAnHour);
    EXPECT_THAT(wire, HasSubstr("Content-Security-Policy: default-src 'none';"));
    EXPECT_THAT(wire, Not(HasSubstr("script-src")));
    EXPECT_THAT(wire, HasSubstr("X-Frame-Options: DENY"));
}

TEST(HttpMessage, QuotesJson) {
    EXPECT_EQ(json_quoted("a\"\\\n\x01\xc3\xa9"), "\"a\\\"\\\\\\u000a\\u0001\xc3\xa9\"");
    EXPECT_EQ(json_quoted("\xff"), "\"\xef\xbf\xbd\"");
    EXPECT_EQ(http_problem(400, "X-1", "what \"now\"", "").body,
              "{\"status\":400,\"code\":\"X-1\",\"what\":\"what \\\"now\\\"\"}\n");
}

TEST(HttpMessage, TellsOnlyPoisonsReasonToTheCaller) {
    EXPECT_THAT(http_problem(Error(Fault::kPoison, "X-1", "reading", "no <term>")).body, HasSubstr("no <term>"));
    EXPECT_THAT(http_problem(Error(Fault::kAway, "X-1", "asking", "host7")).body, Not(HasSubstr("host7")));
    EXPECT_THAT(http_problem(Error(Fault::kConfig, "X-1", "reading", "/etc/x")).body, Not(HasSubstr("/etc/x")));
}

TEST(HttpMessage, ComparesFieldNamesWithoutCase) {
    HttpFields fields;
    fields.add("Set-Cookie", "a");
    fields.add("set-cookie", "b");
    EXPECT_EQ(fields.count("SET-COOKIE"), 2U);
    fields.set("Set-cookie", "c");
    EXPECT_EQ(fields.count("Set-Cookie"), 1U);
    EXPECT_EQ(fields.get("Set-Cookie"), "c");
}

TEST(SpoolFile, RemovesWhatWasNotKept) {
    const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "spool-file";
    std::filesystem::create_directories(folder);
    { SpoolFile(folder).write("abc"); }
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    SpoolFile file(folder);
    file.write("abc");
    const std::filesystem::path kept = file.keep();
    EXPECT_EQ(std::filesystem::file_size(kept), 3U);
    std::filesystem::remove(kept);
    EXPECT_THROW(SpoolFile(folder / "nothing"), Error);
}

TEST(Mounts, WaitForWhoIsInsideWhenTheyAreRemoved) {
    Mounts mounts;
    mounts.add({.prefix = "/a", .handle = [](const auto&) {}});
    std::string rest;
    const auto mounted = mounts.find("/a/b", rest);
    EXPECT_EQ(rest, "b");
    std::promise<void> inside, leave;
    std::future<bool> first = std::async(std::launch::async, [&] {
        return mounted->inside([&](const HttpMount&) {
            inside.set_value();
            leave.get_future().get();
        });
    });
    inside.get_future().get();
    std::future<void> removed = std::async(std::launch::async, [&] { mounts.remove("/a"); });
    while (mounts.find("/a", rest) != nullptr) std::this_thread::yield();
    leave.set_value();
    removed.get();
    EXPECT_TRUE(first.get());
    EXPECT_FALSE(mounted->inside([](const HttpMount&) { FAIL(); }));
}

}  // namespace
}  // namespace clrbus
