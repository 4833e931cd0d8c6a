#include "adapters_http_listen/signed_event.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/error.hpp"

namespace clrbus::adapters::http_listen {
namespace {

TEST(EventKey, IsTheEventsOwnId) {
    EXPECT_EQ(event_key(R"({"jti":"1","a":1,"iat":5})"), event_key(R"({"iat":6,"jti":"1","a":2})"));
    EXPECT_NE(event_key(R"({"jti":"1"})"), event_key(R"({"id":"1"})"));
    EXPECT_EQ(event_key(R"({"sendTime":"x","data":[{"id":"urn:uuid:1"}]})"),
              event_key(R"({"sendTime":"y","data":[{"id":"urn:uuid:1"}]})"));
    EXPECT_NE(event_key(R"({"data":[{"id":"1"},{"id":"2"}]})"), event_key(R"({"data":[{"id":"1"}]})"));
}

TEST(EventKey, TellsEventsWithoutAnIdApartByAllThatTheySay) {
    const std::vector<std::string> events{R"({"metadata":{"request_id":"r"},"body":{"grade":"A"}})",
                                          R"({"metadata":{"request_id":"r"},"body":{"grade":"B"}})",
                                          R"({"metadata":{"request_id":"s"},"body":{"grade":"A"}})",
                                          R"({"data":[{"id":"1"},{}],"a":1})",
                                          R"({"data":[{"id":"1"},{}],"a":"1"})",
                                          R"({"data":[],"sub":"x"})",
                                          R"({"data":[],"sub":"y"})",
                                          R"({"ab":"c"})",
                                          R"({"a":"bc"})",
                                          R"({"id":5})",
                                          R"({"id":""})"};
    for (std::size_t i = 0; i < events.size(); ++i)
        for (std::size_t k = i + 1; k < events.size(); ++k)
            EXPECT_NE(event_key(events[i]), event_key(events[k])) << i << ' ' << k;
    EXPECT_EQ(event_key(R"({"a":1,"b":2,"iat":1})"), event_key(R"({"b":2,"iat":2,"exp":9,"a":1})"));
}

TEST(EventKey, RefusesWhatIsNoObject) {
    for (const char* text : {"", "[]", "1", "{", "{}x", R"({"a":1,"a":2})"}) EXPECT_THROW(event_key(text), Error) << text;
}

}  // namespace
}  // namespace clrbus::adapters::http_listen
