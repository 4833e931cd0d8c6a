#include "adapters_http_poll/http_poll_adapter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <mutex>

#include "config/element.hpp"
#include "http/client.hpp"
#include "support/fake_files.hpp"
#include "support/fake_inbox.hpp"
#include "support/raw_server.hpp"

namespace clrbus::adapters::http_poll {
namespace {

using support::raw_answer;
using support::wait_until;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Its schedule ran last an hour ago.
class PolledInbox : public support::FakeInbox {
public:
    using FakeInbox::FakeInbox;
    std::optional<std::string> checkpoint(std::string_view name) const override {
        const auto known = FakeInbox::checkpoint(name);
        if (known || name.rfind("place:", 0) == 0) return known;
        if (name.rfind("place:", 0) != 0) door_ = name;
        return to_rfc3339(system_clock().now() - std::chrono::hours(1));
    }
    std::string place() const { return "place:" + door_; }

private:
    mutable std::string door_;
};

// One run of the door: then it rests for an hour at least.
class HttpPoll : public testing::Test {
protected:
    HttpPoll() {
        element->name = "get";
        element->attributes = {{"url", server.url("/list")}, {"schedule", "PT1H"}, {"away-most", "PT1S"},
                               {"records", "items"},         {"key", "id"},        {"version", "."}};
    }
    ~HttpPoll() override { source.reset(); }
    void parameter(const std::string& name, const std::string& value) {
        auto made = std::make_shared<Config::Element>();
        made->name = "parameter";
        made->attributes = {{"name", name}, {"value", value}};
        element->children.push_back(std::move(made));
    }
    void start() {
        source.reset();
        AdapterContext context;
        context.config = Config{element};
        context.inbox = &inbox;
        context.client = &client;
        context.clock = &system_clock();
        context.state_dir = folder.path();
        context.secret = [](std::string_view) { return std::string("s3cret"); };
        source = adapter_info().source(context);
        source->start();
    }
    // The schedule's note: a run is over when it is written.
    bool wait_for_run() {
        return wait_until([&] { return inbox.checkpoints() == 2; });
    }
    std::string trouble() {
        EXPECT_TRUE(wait_until([&] { return !source->health().ok; }));
        const std::string text = source->health().text;
        EXPECT_THAT(text, Not(HasSubstr("s3cret")));
        return text;
    }
    std::vector<std::string> bodies() {
        std::vector<std::string> out;
        for (const Incoming& one : inbox.messages()) out.push_back(one.body);
        return out;
    }
    std::vector<std::string> asked() {
        const std::lock_guard lock(mutex);
        return targets;
    }

    std::mutex mutex;  // guards targets
    std::vector<std::string> targets, requests;
    std::function<std::string(const std::string& target, const std::string& request)> answer;
    support::RawServer server{[this](support::RawPeer& peer) {
        for (std::string request; !(request = peer.request()).empty();) {
            std::string target = request.substr(request.find(' ') + 1);
            target.resize(target.find(' '));
            {
                const std::lock_guard lock(mutex);
                targets.push_back(target);
                requests.push_back(request);
            }
            if (!peer.send(answer(target, request))) return;
        }
    }};
    support::TemporaryFolder folder{"poll"};
    PolledInbox inbox{"people", folder / "spool"};
    HttpClient client;
    std::shared_ptr<Config::Element> element = std::make_shared<Config::Element>();
    std::unique_ptr<Source> source;  // last: calls back into the above
};

TEST_F(HttpPoll, FollowsLinks) {
    element->attributes["paging"] = "link";
    element->attributes["records"] = ".";
    parameter("per_page", "1");
    answer = [](const std::string& target, const std::string&) {
        return target == "/list?per_page=1" ? raw_answer(200, "[{\"id\":1}]", "Link: </list?opaque=x%2Cy>; rel=\"next\"\r\n")
                                            : raw_answer(200, "[{\"id\":2,\"n\":1.10},{\"id\":3}]");
    };
    start();
    ASSERT_TRUE(wait_for_run());
    EXPECT_THAT(bodies(), ElementsAre("{\"id\":1}", "{\"id\":2,\"n\":1.10}", "{\"id\":3}"));
    EXPECT_THAT(asked(), ElementsAre("/list?per_page=1", "/list?opaque=x%2Cy"));
    EXPECT_EQ(inbox.messages().at(0).content_type, "application/json");
}

TEST_F(HttpPoll, FollowsNoLinkToAnotherHostUnlessItIsAllowed) {
    support::RawServer other([](support::RawPeer& peer) {
        const std::string request = peer.request();
        EXPECT_THAT(request, Not(HasSubstr("s3cret")));
        peer.send(raw_answer(200, "{\"items\":[{\"id\":2}]}"));
    });
    element->attributes.insert({{"paging", "next"}, {"next", "next"}, {"authentication", "bearer"}, {"secret", "s"}});
    answer = [&](const std::string&, const std::string&) {
        return raw_answer(200, "{\"items\":[{\"id\":1}],\"next\":\"" + other.url("/page") + "\"}");
    };
    start();
    EXPECT_THAT(trouble(), HasSubstr("HPOLL-015"));
    ASSERT_TRUE(wait_for_run());
    EXPECT_EQ(other.connections(), 0);
    EXPECT_TRUE(inbox.messages().empty());
    inbox.mark({"place:other", ""}, [](bool) {});
    element->attributes["origins"] = other.url("");
    PolledInbox second("people", folder / "second");
    source.reset();
    AdapterContext context;
    context.config = Config{element};
    context.inbox = &second;
    context.client = &client;
    context.clock = &system_clock();
    context.state_dir = folder.path();
    context.secret = [](std::string_view) { return std::string("s3cret"); };
    source = adapter_info().source(context);
    source->start();
    ASSERT_TRUE(second.wait_for_messages(2));
    source.reset();
}

TEST_F(HttpPoll, GivesUpARunThatGoesInCircles) {
    element->attributes.insert({{"paging", "cursor"}, {"cursor", "next"}});
    parameter("c", "{cursor}");
    answer = [](const std::string& target, const std::string&) {
        const bool a = target.find("c=a") != std::string::npos;
        return raw_answer(
            200, std::string("{\"items\":[{\"id\":\"") + (a ? "1" : "2") + "\"}],\"next\":\"" + (a ? "b" : "a") + "\"}");
    };
    start();
    EXPECT_THAT(trouble(), HasSubstr("POLL-004"));
    ASSERT_TRUE(wait_for_run());
    EXPECT_THAT(asked(), ElementsAre("/list", "/list?c=a", "/list?c=b"));
    EXPECT_EQ(inbox.messages().size(), 2U) << "what was read before is kept";
    source.reset();
    start();  // stands still still, and said so when the next run does the same
    EXPECT_EQ(inbox.messages().size(), 2U);
}

TEST_F(HttpPoll, TakesNoMorePagesThanItMay) {
    element->attributes.insert({{"paging", "page"}, {"max-pages", "3"}});
    parameter("page", "{page}");
    answer = [](const std::string& target, const std::string&) {
        return raw_answer(200, "{\"items\":[{\"id\":\"" + target.substr(target.find('=')) + "\"}]}");
    };
    start();
    EXPECT_THAT(trouble(), HasSubstr("POLL-005"));
    ASSERT_TRUE(wait_for_run());
    EXPECT_EQ(asked().size(), 3U);
}

TEST_F(HttpPoll, CountsWhatCameForItsOffset) {
    element->attributes.insert({{"paging", "offset"}, {"page-size", "100"}});
    parameter("offset", "{offset}");
    parameter("limit", "{size}");
    parameter("since", "{since}");                                // has no value yet
    answer = [](const std::string& target, const std::string&) {  // cuts pages short silently
        const int at = std::atoi(target.c_str() + target.find("offset=") + 7);
        return raw_answer(200, at == 0   ? "{\"items\":[{\"id\":1},{\"id\":2}]}"
                               : at == 2 ? "{\"items\":[{\"id\":3}]}"
                                         : "{\"items\":[]}");
    };
    start();
    ASSERT_TRUE(wait_for_run());
    EXPECT_EQ(inbox.messages().size(), 3U);
    EXPECT_THAT(asked(), ElementsAre("/list?offset=0&limit=100", "/list?offset=2&limit=100", "/list?offset=3&limit=100"));
}

TEST_F(HttpPoll, BeginsAgainWhenItsCursorIsNotTakenAnyMore) {
    element->attributes.insert({{"paging", "cursor"}, {"cursor", "next"}});
    parameter("c", "{cursor}");
    std::atomic<int> expired{0};
    answer = [&](const std::string& target, const std::string&) {
        if (target == "/list") return raw_answer(200, "{\"items\":[{\"id\":1}],\"next\":\"a\"}");
        return ++expired == 1 ? raw_answer(410, "") : raw_answer(200, "{\"items\":[{\"id\":2}],\"next\":null}");
    };
    start();
    ASSERT_TRUE(wait_for_run());
    EXPECT_THAT(asked(), ElementsAre("/list", "/list?c=a", "/list", "/list?c=a"));
    EXPECT_EQ(inbox.messages().size(), 2U);
    EXPECT_TRUE(source->health().ok);
}

TEST_F(HttpPoll, GivesUpARunWhoseCursorIsNeverTaken) {
    element->attributes.insert({{"paging", "cursor"}, {"cursor", "next"}});
    parameter("c", "{cursor}");
    answer = [&](const std::string& target, const std::string&) {
        return target == "/list" ? raw_answer(200, "{\"items\":[{\"id\":1}],\"next\":\"a\"}") : raw_answer(400, "");
    };
    start();
    ASSERT_TRUE(wait_for_run());
    EXPECT_EQ(asked().size(), 8U) << "the first time, and three times anew";
    EXPECT_THAT(trouble(), HasSubstr("HTTP-085"));
    EXPECT_EQ(inbox.messages().size(), 1U);
    EXPECT_THAT(*inbox.checkpoint(inbox.place()), Not(HasSubstr("next"))) << "the next run begins at the first page";
}

TEST_F(HttpPoll, RefusesPagesThatAreTooLarge) {
    element->attributes["max-page"] = "100000";
    const std::string bomb = support::gzip_of_zeros(64U << 20);
    std::atomic<bool> packed{true};
    answer = [&](const std::string&, const std::string&) {
        return packed ? raw_answer(200, bomb, "Content-Encoding: gzip\r\n") : raw_answer(200, std::string(200'000, ' '));
    };
    start();
    EXPECT_THAT(trouble(), HasSubstr("HTTP-075"));
    packed = false;
    const std::size_t before = asked().size();
    ASSERT_TRUE(wait_until([&] { return asked().size() > before; }));
    EXPECT_THAT(trouble(), HasSubstr("HTTP-075"));
    EXPECT_EQ(inbox.puts(), 0U);
}

TEST_F(HttpPoll, FollowsNoRedirect) {
    answer = [&](const std::string&, const std::string&) {
        return raw_answer(302, "", "Location: " + server.url("/elsewhere") + "\r\n");
    };
    start();
    EXPECT_THAT(trouble(), HasSubstr("HTTP-083"));
    EXPECT_EQ(asked().front(), "/list");
    EXPECT_EQ(asked().back(), "/list");
}

TEST_F(HttpPoll, TellsAPageFromNonsense) {
    std::atomic<int> turn{0};
    const std::vector<std::string> nonsense{"",   "<html>", "{\"error\":\"s3cret\"}", "{\"items\":{}}", "{\"items\":[1",
                                            "[]", "null"};
    answer = [&](const std::string&, const std::string&) { return raw_answer(200, nonsense[static_cast<std::size_t>(turn)]); };
    for (; turn < static_cast<int>(nonsense.size()); ++turn) {
        start();
        EXPECT_THAT(trouble(), HasSubstr("HPOLL-012")) << nonsense[static_cast<std::size_t>(turn)];
        source.reset();
    }
    turn = 0;
    EXPECT_EQ(inbox.puts(), 0U);
}

TEST_F(HttpPoll, GivesARecordThatCannotBeReadToTheRoute) {
    answer = [](const std::string&, const std::string&) {
        return raw_answer(200, "{\"items\":[{\"id\":1},{\"id\":2,\"id\":2},{\"id\":3}]}");
    };
    start();
    ASSERT_TRUE(wait_for_run());
    EXPECT_THAT(bodies(), ElementsAre("{\"id\":1}", "{\"id\":2,\"id\":2}", "{\"id\":3}"));
}

TEST_F(HttpPoll, AnEmptyPageIsARunLikeOthers) {
    answer = [](const std::string&, const std::string&) { return raw_answer(200, "{\"items\":[]}"); };
    start();
    ASSERT_TRUE(wait_for_run());
    EXPECT_TRUE(source->health().ok);
    EXPECT_EQ(inbox.puts(), 0U);
}

TEST_F(HttpPoll, LooksBehindItsMark) {
    element->attributes.insert({{"mark", "at"}, {"overlap", "PT1H"}, {"since-first", "2024-01-01"}, {"schedule", "PT1S"}});
    element->attributes["schedule"] = "PT1S";
    parameter("since", "{since}");
    answer = [](const std::string&, const std::string&) {
        return raw_answer(
            200, "{\"items\":[{\"id\":1,\"at\":\"2026-01-02T03:00:00Z\"},{\"id\":2,\"at\":\"2026-01-01T00:00:00Z\"}]}");
    };
    start();
    ASSERT_TRUE(wait_until([&] { return asked().size() >= 3; }));
    source->stop();
    EXPECT_EQ(asked().at(0), "/list?since=2024-01-01T00%3A00%3A00Z");
    EXPECT_EQ(asked().at(1), "/list?since=2026-01-02T02%3A00%3A00Z");
    EXPECT_EQ(asked().at(2), asked().at(1));
    EXPECT_EQ(inbox.messages().size(), 2U) << "what the overlap brings again is the same message";
}

TEST_F(HttpPoll, AsksWhetherTheAnswerHasChanged) {
    element->attributes["schedule"] = "PT1S";
    element->attributes.erase("records");
    element->attributes.erase("key");
    element->attributes.erase("version");
    answer = [](const std::string&, const std::string& request) {
        if (request.find("If-None-Match: \"v1\"\r\n") != std::string::npos) return raw_answer(304, "");
        return raw_answer(200, "{\"a\":1}", "ETag: \"v1\"\r\n");
    };
    start();
    ASSERT_TRUE(wait_until([&] { return asked().size() >= 3; }));
    source->stop();
    EXPECT_THAT(bodies(), ElementsAre("{\"a\":1}"));
    EXPECT_TRUE(source->health().ok);
}

TEST_F(HttpPoll, AsksBySoapAndTellsAFault) {
    element->name = "post";
    element->attributes.insert(
        {{"format", "xml"}, {"paging", "page"}, {"pages", "//*[local-name()='Total_Pages']"}, {"since-first", "2020-01-01"}});
    element->attributes["records"] = "Envelope/Body/*/Worker";
    element->attributes["key"] = "*[local-name()='ID']";
    auto body = std::make_shared<Config::Element>();
    body->name = "body";
    body->text = "<s:Envelope xmlns:s='urn:s'><s:Body><From>{since}</From><Page>{page}</Page></s:Body></s:Envelope>";
    element->children.push_back(body);
    std::atomic<int> turn{0};
    answer = [&](const std::string&, const std::string& request) {
        const std::string open = "<s:Envelope xmlns:s='urn:s' xmlns:w='urn:w'><s:Body>", close = "</s:Body></s:Envelope>";
        if (++turn == 1) return raw_answer(500, open + "<s:Fault><faultstring>s3cret</faultstring></s:Fault>" + close);
        if (turn == 2) return raw_answer(200, open + "<s:Fault><faultstring>s3cret</faultstring></s:Fault>" + close);
        const std::string page = request.find("<Page>1</Page>") != std::string::npos ? "1" : "2";
        return raw_answer(200, open + "<w:Answer><w:Worker><w:ID>" + page +
                                   "</w:ID></w:Worker><w:Total_Pages>2</w:Total_Pages></w:Answer>" + close);
    };
    start();
    trouble();
    ASSERT_TRUE(wait_for_run());
    EXPECT_THAT(bodies(), ElementsAre("<w:Worker xmlns:w=\"urn:w\"><w:ID>1</w:ID></w:Worker>",
                                      "<w:Worker xmlns:w=\"urn:w\"><w:ID>2</w:ID></w:Worker>"));
    const std::lock_guard lock(mutex);
    EXPECT_THAT(requests.back(), HasSubstr("Content-Type: text/xml; charset=utf-8\r\n"));
    EXPECT_THAT(requests.back(), HasSubstr("<From>2020-01-01T00:00:00Z</From><Page>2</Page>"));
}

TEST_F(HttpPoll, SpoolsWhatIsLarge) {
    inbox.spool_from = 100;
    element->attributes.erase("records");
    element->attributes.erase("key");
    element->attributes.erase("version");
    const std::string large = "{\"a\":\"" + std::string(1000, 'x') + "\"}";
    answer = [&](const std::string&, const std::string&) { return raw_answer(200, large); };
    start();
    ASSERT_TRUE(wait_for_run());
    ASSERT_EQ(inbox.messages().size(), 1U);
    EXPECT_FALSE(inbox.messages().at(0).spooled.empty());
    EXPECT_EQ(inbox.messages().at(0).body, large);
}

TEST_F(HttpPoll, RefusesARouteThatDrops) {
    inbox.reducer = [](const std::filesystem::path&, const std::filesystem::path&) {};
    EXPECT_THROW(start(), Error);
}

}  // namespace
}  // namespace clrbus::adapters::http_poll
