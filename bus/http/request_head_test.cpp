#include "http/request_head.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace clrbus {
namespace {

using std::string_literals::operator""s;

// The whole reading as the server does it, at once and byte by byte: status of the refusal, 0 when it passes, -1 when more is
// needed.
int read_at_once(const std::string& bytes, HttpHead* head = nullptr) {
    const HttpHeadLimits limits;
    try {
        HttpHeadScanner scanner;
        const std::size_t size = scanner.scan(bytes, limits);
        if (size == 0) return -1;
        HttpHead read = read_http_head(std::string_view(bytes).substr(0, size), limits);
        if (head != nullptr) *head = std::move(read);
        return 0;
    } catch (const HttpRefusal& refusal) {
        return refusal.status;
    }
}

int read_byte_by_byte(const std::string& bytes) {
    const HttpHeadLimits limits;
    try {
        HttpHeadScanner scanner;
        for (std::size_t n = 1; n <= bytes.size(); ++n) {
            const std::size_t size = scanner.scan(std::string_view(bytes).substr(0, n), limits);
            if (size != 0) {
                read_http_head(std::string_view(bytes).substr(0, size), limits);
                return 0;
            }
        }
        return -1;
    } catch (const HttpRefusal& refusal) {
        return refusal.status;
    }
}

std::string with_fields(const std::string& fields) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

struct HeadCase {
    std::string name;
    std::string bytes;
    int status;
};

class RefusedHead : public testing::TestWithParam<HeadCase> {};

TEST_P(RefusedHead, IsRefusedAtOnceAndByteByByte) {
    EXPECT_EQ(read_at_once(GetParam().bytes), GetParam().status);
    EXPECT_EQ(read_byte_by_byte(GetParam().bytes), GetParam().status);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedHead,
    testing::Values(
        HeadCase{"TwoLengths", with_fields("Content-Length: 3\r\nContent-Length: 3\r\n"), 400},
        HeadCase{"LengthAndChunked", with_fields("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
        HeadCase{"ChunkedAlone", with_fields("Transfer-Encoding: chunked\r\n"), 411},
        HeadCase{"TwoTransferEncodings", with_fields("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n"), 400},
        HeadCase{"NegativeLength", with_fields("Content-Length: -5\r\n"), 400},
        HeadCase{"PlusLength", with_fields("Content-Length: +5\r\n"), 400},
        HeadCase{"LengthList", with_fields("Content-Length: 5, 5\r\n"), 400},
        HeadCase{"HexLength", with_fields("Content-Length: 0x5\r\n"), 400},
        HeadCase{"EmptyLength", with_fields("Content-Length:\r\n"), 400},
        HeadCase{"HugeLength", with_fields("Content-Length: 18446744073709551616\r\n"), 400},
        HeadCase{"NoLength", with_fields(""), 411},
        HeadCase{"LengthOfGet", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 400},
        HeadCase{"NulInValue", with_fields("X: a\0b\r\n"s), 400}, HeadCase{"NulInName", with_fields("X\0: a\r\n"s), 400},
        HeadCase{"NulInTarget", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
        HeadCase{"EscapeInValue", with_fields("X: \x1b[31m\r\n"), 400},
        HeadCase{"SpaceBeforeColon", with_fields("X-a : b\r\n"), 400}, HeadCase{"NoColon", with_fields("nothing\r\n"), 400},
        HeadCase{"NoName", with_fields(": b\r\n"), 400}, HeadCase{"Folded", with_fields("X: a\r\n b\r\n"), 400},
        HeadCase{"BareLf", "GET / HTTP/1.1\nHost: a\n\n", 400}, HeadCase{"BareLfInField", with_fields("X: a\nY: b\r\n"), 400},
        HeadCase{"BareCr", with_fields("X: a\rY: b\r\n"), 400}, HeadCase{"Version39", "GET / HTTP/3.9\r\nHost: a\r\n\r\n", 505},
        HeadCase{"Version2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        HeadCase{"VersionLowerCase", "GET / http/1.1\r\nHost: a\r\n\r\n", 505},
        HeadCase{"NoVersion", "GET /\r\nHost: a\r\n\r\n", 400}, HeadCase{"EmptyRequestLine", "\r\nHost: a\r\n\r\n", 400},
        HeadCase{"TwoSpaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        HeadCase{"UnknownMethod", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        HeadCase{"Connect", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501}, HeadCase{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        HeadCase{"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
        HeadCase{"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400},
        HeadCase{"HostWithUser", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
        HeadCase{"TwoTypes", with_fields("Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 0\r\n"), 400},
        HeadCase{"TwoAuthorizations", "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n\r\n", 400},
        HeadCase{"NotUtf8Field", "GET / HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n", 400},
        HeadCase{"OtherExpectation", with_fields("Expect: wonders\r\nContent-Length: 1\r\n"), 417},
        HeadCase{"LongTarget", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        HeadCase{"EndlessTarget", "GET /" + std::string(9000, 'a'), 414},
        HeadCase{"LongValue", with_fields("X: " + std::string(9000, 'a') + "\r\n"), 431},
        HeadCase{"LongName", with_fields(std::string(300, 'a') + ": a\r\n"), 431},
        HeadCase{"EndlessHead", with_fields("X: " + std::string(40'000, 'a')), 431},
        HeadCase{"TlsHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
        HeadCase{"AbsoluteTarget", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        HeadCase{"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        HeadCase{"Fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        HeadCase{"RawByteInQuery", "GET /a?\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400}),
    [](const auto& test) { return test.param.name; });

// Every way to cut and spoil good heads: no crash, and the same judgement however the bytes come.
TEST(RequestHead, JudgesSpoiltHeadsTheSameAtOnceAndByteByByte) {
    const std::vector<std::string> seeds{
        "GET /in/caf%C3%A9?x=1%202 HTTP/1.1\r\nHost: a.example:8443\r\nX-Empty:\r\n\r\n",
        "POST /in/people HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 12\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"};
    const std::string bytes = "\r\n\0 :/%.\t\x7f\xff\xc3\"1aA-"s;
    std::mt19937 random(20261124);
    int passed = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string head = seeds[random() % seeds.size()];
        for (unsigned change = random() % 4; change != 0; --change) {
            const std::size_t at = random() % head.size();
            switch (random() % 4) {
                case 0:
                    head[at] = bytes[random() % bytes.size()];
                    break;
                case 1:
                    head.insert(at, 1, bytes[random() % bytes.size()]);
                    break;
                case 2:
                    head.erase(at, 1 + random() % 8);
                    break;
                default:
                    head.insert(at, head.substr(random() % head.size(), random() % 40));
            }
            if (head.empty()) head = "x";
        }
        const int at_once = read_at_once(head);
        ASSERT_EQ(at_once, read_byte_by_byte(head)) << head;
        passed += at_once == 0 ? 1 : 0;
    }
    EXPECT_GT(passed, 1000);
    EXPECT_LT(passed, 19'000);
}

TEST(RequestHead, RefusesMoreThanAHundredFields) {
    std::string fields;
    for (int i = 0; i < 101; ++i) fields += "X-" + std::to_string(i) + ": a\r\n";
    EXPECT_EQ(read_at_once(with_fields(fields)), 431);
}

class RefusedPath : public testing::TestWithParam<std::string> {};

TEST_P(RefusedPath, IsRefused) {
    EXPECT_THROW(read_http_path(GetParam()), HttpRefusal);
}

INSTANTIATE_TEST_SUITE_P(All, RefusedPath,
                         testing::Values("", "a", "*", "/../etc/passwd", "/a/../b", "/a/..", "/.", "/%2e%2e/a", "/%2E./a",
                                         "/a%2fb", "/a%5Cb", "/a\\b", "/a%00b", "/a%0d%0aSet-Cookie:b", "/%zz", "/%2", "/%",
                                         "/%ff", "/%c0%ae%c0%ae/", "/%ed%a0%80", "//", "//evil.example/", "/a//b", "/a b",
                                         "/\xc3\xa9", "/a%7f"));

TEST(RequestHead, DecodesThePathAndLeavesTheQuery) {
    HttpHead head;
    ASSERT_EQ(read_at_once("GET /in/caf%C3%A9/a+b?x=1%202&y=%zz&x=3 HTTP/1.1\r\nHost: a\r\n\r\n", &head), 0);
    EXPECT_EQ(head.request.path, "/in/caf\xc3\xa9/a+b");
    EXPECT_EQ(head.request.query, "x=1%202&y=%zz&x=3");
    EXPECT_EQ(head.request.query_value("x"), "1 2");
    EXPECT_EQ(head.request.query_value("y"), std::nullopt);
    EXPECT_EQ(head.request.query_value("z"), std::nullopt);
    EXPECT_TRUE(head.keep_alive);
}

TEST(RequestHead, KeepsASlashAtTheEnd) {
    EXPECT_EQ(read_http_path("/"), "/");
    EXPECT_EQ(read_http_path("/a/"), "/a/");
}

TEST(RequestHead, ReadsFieldsWithoutCaseAndTrimmed) {
    HttpHead head;
    ASSERT_EQ(
        read_at_once(with_fields("content-LENGTH: \t 12 \r\nX-Empty:\r\nExpect: 100-Continue\r\nConnection: Close\r\n"), &head),
        0);
    EXPECT_EQ(head.length, 12U);
    EXPECT_TRUE(head.request.fields.has("x-empty"));
    EXPECT_EQ(head.request.fields.get("X-EMPTY"), "");
    EXPECT_TRUE(head.expects_continue);
    EXPECT_FALSE(head.keep_alive);
}

TEST(RequestHead, TakesHttp10WithoutHostAndCloses) {
    HttpHead head;
    ASSERT_EQ(read_at_once("GET / HTTP/1.0\r\n\r\n", &head), 0);
    EXPECT_FALSE(head.keep_alive);
}

}  // namespace
}  // namespace clrbus
