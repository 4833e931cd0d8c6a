// What every adapter gets for nothing: its folder, its samples, and the promises of a door.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <set>

#include "all_adapters.hpp"
#include "config/element.hpp"
#include "config/loader.hpp"
#include "contract/door_driver.hpp"
#include "contract/option_table.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "http/tokens.hpp"
#include "support/fake_inbox.hpp"
#include "xml/schemas.hpp"

namespace clrbus::contract {
namespace {

namespace fs = std::filesystem;
using support::file_text;
using support::wait_until;
using testing::HasSubstr;

const fs::path kAdapters = fs::path(CLRBUS_SOURCE_DIR) / "adapters";
constexpr const char* kToken = "a-token-of-the-contract-tests";

std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    if (!fs::exists(folder)) return files;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().extension() == ".xml") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

class EveryAdapter : public testing::TestWithParam<const AdapterInfo*> {
public:
    EveryAdapter() {
        tokens.replace({{"sender", HttpTokens::hash(kToken), {"publish:people"}}});
        server.start();
    }
    ~EveryAdapter() override {
        source.reset();
        server.stop(std::chrono::seconds(1));
    }

    const AdapterInfo& info() const { return *GetParam(); }
    fs::path folder() const { return kAdapters / std::string(info().name); }
    ConfigLoader loader() const { return ConfigLoader(Schemas::load({folder() / std::string(info().schema)})); }
    AdapterContext context(Config config) {
        AdapterContext made;
        made.config = std::move(config);
        made.inbox = &inbox;
        made.http = &server;
        made.tokens = &tokens;
        made.client = &client;
        made.executor = &pool;
        made.clock = &system_clock();
        made.state_dir = state.path();
        made.secret = [](std::string_view) { return std::string("a-secret"); };
        return made;
    }
    // By the first of its ways that takes the element. Throws the last refusal.
    void construct(const Config& config) {
        std::optional<Error> refused;
        const auto attempt = [&](const auto make) {
            if (make == nullptr) return false;
            try {
                EXPECT_NE(make(context(config)), nullptr);
                return true;
            } catch (const Error& error) {
                refused = error;
                return false;
            }
        };
        if (!attempt(info().source) && !attempt(info().sink) && !attempt(info().responder) && refused) throw Error(*refused);
    }
    // A door that runs, and its sender. False: this adapter has no source, or one without a sender.
    bool open_door() {
        if (info().source == nullptr || !has_sender(info().name)) return false;
        driver = door_driver(info().name, state.path(), "people", server.port(), kToken);
        if (!driver) {
            ADD_FAILURE() << "tests/contract/door_drivers.cpp has no driver for " << info().name;
            return false;
        }
        auto element = std::make_shared<Config::Element>();
        element->attributes = driver->options();
        source = info().source(context(Config{element}));
        source->start();
        return true;
    }

    support::TemporaryFolder state{"contract"};
    support::FakeInbox inbox{"people", state / "spool"};
    ThreadPool pool{2, "contract"};
    HttpTokens tokens{system_clock()};
    HttpServer server{HttpServerOptions{}};
    HttpClient client;
    std::unique_ptr<DoorDriver> driver;
    std::unique_ptr<Source> source;
};

// Those that somebody sends to: a sink has no door, and a timer has no sender.
class EveryDoor : public EveryAdapter {};

std::vector<const AdapterInfo*> doors_with_senders() {
    std::vector<const AdapterInfo*> out;
    for (const AdapterInfo* info : adapters::all_adapters()) {
        if (info->source != nullptr && has_sender(info->name)) out.push_back(info);
    }
    return out;
}

TEST_P(EveryAdapter, NamesItsNamespaceAndItsSchema) {
    EXPECT_EQ(info().namespace_uri, "urn:clrbus:adapter:" + std::string(info().name) + ":1");
    EXPECT_FALSE(info().summary.empty());
    EXPECT_TRUE(Schemas::load({folder() / std::string(info().schema)})->knows(info().namespace_uri));
}

TEST_P(EveryAdapter, AcceptsItsOwnSamples) {
    const std::vector<fs::path> samples = files_of(folder() / "samples");
    ASSERT_FALSE(samples.empty());
    for (const fs::path& sample : samples) {
        SCOPED_TRACE(sample.string());
        Config config;
        ASSERT_NO_THROW(config = loader().load(sample));
        EXPECT_EQ(config.namespace_uri(), info().namespace_uri);
        try {
            construct(config);
        } catch (const Error& error) {
            ADD_FAILURE() << error.what();
        }
    }
}

TEST_P(EveryAdapter, RefusesBadConfigAndSaysWhereAndWhy) {
    const std::vector<fs::path> samples = files_of(folder() / "samples" / "refused");
    ASSERT_GE(samples.size(), 3U);
    for (const fs::path& sample : samples) {
        SCOPED_TRACE(sample.string());
        const std::string text = file_text(sample);
        const std::size_t begin = text.find("<!-- expect: ");
        ASSERT_NE(begin, std::string::npos);
        const std::string expected = text.substr(begin + 13, text.find(" -->", begin) - begin - 13);
        try {
            construct(loader().load(sample));
            ADD_FAILURE() << "it was accepted";
        } catch (const Error& error) {
            EXPECT_EQ(error.fault(), Fault::kConfig);
            EXPECT_THAT(std::string(error.what()), HasSubstr(expected));
            EXPECT_EQ(error.where().file, sample.string());
            EXPECT_GT(error.where().line, 0U);
        }
    }
}

TEST_P(EveryAdapter, HasAReadmeWithItsOptionsItsSampleAndWhatToDoWhenItFails) {
    const fs::path readme = folder() / "README.md";
    const std::string text = file_text(readme);
    const std::string wanted = with_table(text, option_table(folder() / std::string(info().schema)));
    if (std::getenv("CLRBUS_WRITE_TABLES") != nullptr) support::write_file(readme, wanted);
    EXPECT_EQ(file_text(readme), wanted) << "write it with CLRBUS_WRITE_TABLES=1";
    EXPECT_THAT(text, HasSubstr("## When it fails"));
    std::string sample = file_text(folder() / "samples" / "basic.xml");
    sample.erase(0, sample.find("?>\n") + 3);
    EXPECT_THAT(text, HasSubstr("```xml\n" + sample + "```"));
}

TEST_P(EveryAdapter, ExplainsEachOfItsCodes) {
    const std::string readme = file_text(folder() / "README.md");
    const std::regex code("\"([A-Z]+-[0-9]{3})\"");
    std::set<std::string> codes;
    for (const auto& entry : fs::directory_iterator(folder())) {
        const std::string name = entry.path().filename();
        if (!name.ends_with(".cpp") || name.ends_with("_test.cpp")) continue;
        const std::string text = file_text(entry.path());
        for (std::sregex_iterator found(text.begin(), text.end(), code), end; found != end; ++found) codes.insert((*found)[1]);
    }
    EXPECT_FALSE(codes.empty());
    for (const std::string& one : codes) EXPECT_THAT(readme, HasSubstr(one));
}

TEST_P(EveryDoor, KeepsNothingWhileTheInboxIsClosed) {
    inbox.set_open(false);
    ASSERT_TRUE(open_door());
    driver->send("item-1.csv", "a,b\n1,2\n");
    ASSERT_TRUE(wait_until([&] { return driver->kept_by_sender("item-1.csv") && !source->health().ok; }));
    EXPECT_FALSE(source->health().text.empty());
    EXPECT_NE(source->health().since, Time{});
    EXPECT_EQ(inbox.puts(), 0U);
    EXPECT_EQ(driver->accepted(), 0U);
    inbox.set_open(true);
    driver->again("item-1.csv", "a,b\n1,2\n");
    EXPECT_TRUE(wait_until([&] { return driver->accepted() == 1; }));
    EXPECT_TRUE(wait_until([&] { return source->health().ok; }));
    EXPECT_EQ(inbox.messages().size(), 1U);
}

TEST_P(EveryDoor, AnswersAcceptedOnlyAfterDurable) {
    inbox.hold = true;
    ASSERT_TRUE(open_door());
    driver->send("item-1.csv", "a,b\n1,2\n");
    ASSERT_TRUE(wait_until([&] { return inbox.held() == 1; }));
    EXPECT_EQ(driver->accepted(), 0U);
    inbox.release_held();
    EXPECT_TRUE(wait_until([&] { return driver->accepted() == 1; }));
    EXPECT_EQ(inbox.messages().at(0).body, "a,b\n1,2\n");
}

TEST_P(EveryDoor, LeavesTheItemWithItsSenderWhenTheInboxCouldNotKeepIt) {
    for (const PutState refusal : {PutState::kFull, PutState::kFailed}) {
        inbox.hold = true;
        ASSERT_TRUE(open_door());
        const std::size_t before = inbox.messages().size();
        const std::string name = "item-" + std::to_string(before) + ".csv";
        const std::size_t accepted = driver->accepted();
        driver->send(name, "a,b\n1,2\n");
        ASSERT_TRUE(wait_until([&] { return inbox.held() == 1; }));
        inbox.hold = true;
        inbox.release_held(refusal);
        ASSERT_TRUE(wait_until([&] { return driver->kept_by_sender(name); }));
        driver->again(name, "a,b\n1,2\n");
        ASSERT_TRUE(wait_until([&] { return driver->accepted() == accepted + 1; }));
        EXPECT_EQ(inbox.messages().size(), before + 1);
        source.reset();
    }
}

TEST_P(EveryDoor, MakesOneMessageOfTheSameItemTwice) {
    ASSERT_TRUE(open_door());
    driver->send("item-1.csv", "a,b\n1,2\n");
    ASSERT_TRUE(wait_until([&] { return driver->accepted() == 1; }));
    driver->send("item-1.csv", "a,b\n1,2\n");
    ASSERT_TRUE(wait_until([&] { return inbox.answered() == 2; }));
    EXPECT_EQ(inbox.messages().size(), 1U);
    driver->send("item-2.csv", "a,b\n1,2\n");  // another one, whatever it holds
    ASSERT_TRUE(wait_until([&] { return inbox.answered() == 3; }));
    EXPECT_EQ(inbox.messages().size(), 2U);
}

TEST_P(EveryDoor, TakesNothingAfterStop) {
    ASSERT_TRUE(open_door());
    driver->send("item-1.csv", "a\n");
    ASSERT_TRUE(wait_until([&] { return driver->accepted() == 1; }));
    source->stop();
    driver->send("item-2.csv", "a\n");
    source.reset();
    EXPECT_EQ(inbox.puts(), 1U);
}

std::string test_name(const testing::TestParamInfo<const AdapterInfo*>& test) {
    std::string name(test.param->name);
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(All, EveryAdapter, testing::ValuesIn(adapters::all_adapters()), test_name);
INSTANTIATE_TEST_SUITE_P(All, EveryDoor, testing::ValuesIn(doors_with_senders()), test_name);

TEST(Adapters, AreListedWhenTheyHaveAFolder) {
    std::set<std::string> listed, folders;
    for (const AdapterInfo* info : adapters::all_adapters()) EXPECT_TRUE(listed.emplace(info->name).second) << info->name;
    for (const auto& entry : fs::directory_iterator(kAdapters))
        if (entry.is_directory()) folders.insert(entry.path().filename());
    EXPECT_EQ(listed, folders) << "adapters/CMakeLists.txt names each folder of adapters/";
}

TEST(Adapters, AreInTheCatalogue) {
    const std::string readme = file_text(kAdapters / "README.md");
    for (const AdapterInfo* info : adapters::all_adapters())
        EXPECT_THAT(readme, HasSubstr("[" + std::string(info->name) + "](" + std::string(info->name) + "/README.md) | " +
                                      std::string(info->summary)));
}

}  // namespace
}  // namespace clrbus::contract
