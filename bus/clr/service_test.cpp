#include "clr/service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "clr/test_record.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "crypto/base64.hpp"
#include "crypto/jws.hpp"
#include "xml/parser.hpp"

namespace clrbus::clr {
namespace {

namespace json = boost::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Service : public testing::Test {
protected:
    Service()
        : folder_(std::filesystem::temp_directory_path() / ("clrbus-clr-" + new_uuid())),
          keys_(credentials::KeyStore::open(folder_ / "keys", test::institution().key_url(), clock_)),
          status_(credentials::StatusLists::open(folder_ / "status", clock_)) {
        start(test::institution());
    }
    ~Service() override { std::filesystem::remove_all(folder_); }

    void start(const Institution& institution) {
        ServiceParts parts;
        parts.institution = institution;
        parts.records = &records_;
        parts.keys = &keys_;
        parts.status = &status_;
        parts.clock = &clock_;
        parts.transforms = std::filesystem::path(CLRBUS_SOURCE_DIR) / "transforms";
        service_ = std::make_unique<ClrService>(std::move(parts));
    }
    HttpResponse get(std::string path, std::string query = "") { return get(std::move(path), std::move(query), learner_); }
    HttpResponse get(std::string path, std::string query, const records::Reader& reader, std::string method = "GET") {
        HttpRequest request;
        request.method = std::move(method);
        request.path = std::move(path);
        request.query = std::move(query);
        return service_->handle(request, reader);
    }
    static std::string minor(const HttpResponse& response) {
        return std::string(json::parse(response.body)
                               .at("imsx_codeMinor")
                               .at("imsx_codeMinorField")
                               .at(0)
                               .at("imsx_codeMinorFieldValue")
                               .as_string());
    }
    std::string token() {
        const auto body = json::parse(get("/ims/clr/v2p0/credentials").body);
        return std::string(body.at("compactJwsString").at(0).as_string());
    }

    static constexpr const char* kCredentials = "/ims/clr/v2p0/credentials";
    // The official schemas, in a folder beside the checkout; empty when they are not there.
    static std::filesystem::path official_schemas() {
        for (std::filesystem::path folder = CLRBUS_SOURCE_DIR; folder.has_relative_path(); folder = folder.parent_path())
            if (auto found = folder / "shared/clr/schema/clr-v2p0"; std::filesystem::is_directory(found)) return found;
        return {};
    }

    // Every canonical message that the routes' cases and the schema's examples hold, as if all were about one person.
    void take_cases(const std::filesystem::path& root) {
        records_.held.statements.clear();
        for (const auto* folder : {"routes", "xsd/examples"}) {
            for (const auto& file : std::filesystem::recursive_directory_iterator(root / folder)) {
                if (file.path().extension() != ".xml" || file.path().string().find("refused") != std::string::npos) continue;
                std::ostringstream text;
                text << std::ifstream(file.path()).rdbuf();
                if (text.str().find("urn:clrbus:learner-record:1") != std::string::npos) take_case(text.str());
            }
        }
        ++records_.held.version;
    }
    void take_case(const std::string& xml) {
        const Document document = XmlParser().parse(xml);
        const Node root = document.root();
        if (root.name() == "definition") records_.catalogue[root.attribute("key")] = xml;
        if (root.name() != "statement") return;
        std::vector<std::string> keys;
        for (const Node node : root.children("achievement")) keys.push_back(node.attribute("key"));
        records_.held.statements.push_back(test::statement(root.attribute("source"), "", false, xml, keys));
        records_.held.statements.back().key = std::to_string(records_.held.statements.size());
    }

    const std::string learner_path_ = "/learners/" + std::string(test::kLearner);
    test::FixedClock clock_;
    test::FakeRecords records_;
    std::filesystem::path folder_;
    credentials::KeyStore keys_;
    credentials::StatusLists status_;
    std::unique_ptr<ClrService> service_;
    records::Reader learner_{records::Reader::Kind::kLearner, "ada", test::kLearner};
    records::Reader staff_{records::Reader::Kind::kStaff, "registrar", ""};
    records::Reader nobody_;
};

TEST_F(Service, RefusesWhoMayNotRead) {
    EXPECT_EQ(get(kCredentials, "", nobody_).status, 401);
    EXPECT_EQ(minor(get(kCredentials, "", nobody_)), "unauthorizedrequest");
    EXPECT_EQ(get(kCredentials, "", staff_).status, 403);
    EXPECT_EQ(get(learner_path_, "", nobody_).status, 401);
    EXPECT_EQ(get(learner_path_ + "/clr", "", nobody_).status, 401);
    EXPECT_TRUE(records_.log.empty()) << "nobody was asked for";
    records::Reader other = learner_;
    other.learner = "00000000-0000-4000-8000-000000000000";
    EXPECT_EQ(get(learner_path_, "", other).status, 403);
    EXPECT_EQ(get(learner_path_ + "/clr", "", other).status, 403);
    EXPECT_EQ(get(kCredentials, "", other).body, "{}") << "a learner whom we do not know has no record";
}

TEST_F(Service, ABlockedPersonIsReleasedToStaffAlone) {
    records_.held.blocked = true;
    EXPECT_EQ(get(kCredentials).status, 403);
    EXPECT_EQ(get(learner_path_).status, 403);
    EXPECT_EQ(get(learner_path_ + "/clr").status, 403);
    EXPECT_EQ(get(learner_path_ + "/clr", "", staff_).status, 200);
    EXPECT_EQ(get(learner_path_ + "/clr", "", staff_).status, 200) << "from the cache";
    EXPECT_EQ(get(learner_path_ + "/clr").status, 403) << "the cache releases nothing by itself";
    for (const std::string& body : {get(kCredentials).body, get(learner_path_).body})
        EXPECT_THAT(body, Not(HasSubstr("Lovelace")));
}

TEST_F(Service, RefusesParametersThatAreNone) {
    for (const auto* query :
         {"limit=0", "limit=-1", "limit=x", "limit=", "limit=99999999999999999999", "offset=-1", "offset=1.5",
          "since=yesterday", "since=2026-01-01", "alg=none", "alg=HS256", "limit=1&offset=a", "limit=%zz"}) {
        const HttpResponse response = get(kCredentials, query);
        EXPECT_EQ(response.status, 400) << query;
        EXPECT_EQ(minor(response), "invalid_query_parameter") << query;
    }
    EXPECT_EQ(get(learner_path_ + "/clr", "form=pdf").status, 400);
    EXPECT_EQ(get(learner_path_ + "/clr", "alg=none").status, 400);
}

TEST_F(Service, RefusesOtherMethodsAndAddresses) {
    for (const auto* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
        const HttpResponse response = get(kCredentials, "", learner_, method);
        EXPECT_EQ(response.status, 405);
        EXPECT_EQ(minor(response), "not_allowed");
        EXPECT_EQ(response.fields.get("Allow"), "GET, HEAD");
        EXPECT_EQ(get(learner_path_, "", learner_, method).status, 405);
    }
    EXPECT_EQ(get(kCredentials, "", learner_, "HEAD").status, 200);
    for (const auto* path :
         {"/ims/clr/v2p0/profile", "/ims/clr/v2p0/credentials/1", "/ims/clr/v2p0/status/9", "/ims/clr/v2p0/status/x",
          "/.well-known/keys/x", "/learners/x", "/learners/../etc", "/learners/7D7C9F8E-3C2B-4F0E-9C1A-0A1B2C3D4E5F"})
        EXPECT_EQ(get(path).status, 404) << path;
    EXPECT_FALSE(ClrService::is_public("/ims/clr/v2p0/credentials"));
    EXPECT_FALSE(ClrService::is_public("/learners/x"));
    EXPECT_TRUE(ClrService::is_public("/ims/clr/v2p0/discovery"));
    EXPECT_FALSE(ClrService::handles("/in/route"));
}

TEST_F(Service, SaysThatTheStoreIsAway) {
    records_.away = true;
    const HttpResponse response = get(kCredentials);
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(minor(response), "server_busy");
    EXPECT_TRUE(response.fields.has("Retry-After"));
    EXPECT_EQ(get(learner_path_).status, 503);
}

TEST_F(Service, AnswersWithOneSignedRecordAndPages) {
    const HttpResponse response = get(kCredentials);
    ASSERT_EQ(response.status, 200);
    const auto body = json::parse(response.body).as_object();
    EXPECT_EQ(body.size(), 1u);
    EXPECT_EQ(body.at("compactJwsString").as_array().size(), 1u);
    EXPECT_EQ(response.fields.get("X-Total-Count"), "1");
    EXPECT_THAT(std::string(response.fields.get("Link")),
                HasSubstr("<https://clr.example.edu/ims/clr/v2p0/credentials?limit=100&offset=0>; rel=\"first\""));
    EXPECT_THAT(std::string(response.fields.get("Cache-Control")), HasSubstr("private"));
    const HttpResponse second = get(kCredentials, "limit=1&offset=1");
    EXPECT_EQ(second.body, "{}");
    EXPECT_EQ(second.fields.get("X-Total-Count"), "1");
    EXPECT_THAT(std::string(second.fields.get("Link")), HasSubstr("offset=0>; rel=\"prev\""));
    EXPECT_EQ(get(kCredentials, "since=2026-02-20T08:30:00Z").body, "{}") << "issued then, not after it";
    EXPECT_NE(get(kCredentials, "since=2026-02-20T08:29:59Z").body, "{}");
    EXPECT_EQ(get(kCredentials, "since=2026-02-20T08:30:00%2B00:00").fields.get("X-Total-Count"), "0");
}

TEST_F(Service, SignsForTheReaderAndVerifies) {
    const auto verdict = service_->verify(token());
    EXPECT_TRUE(verdict.good) << verdict.text();
    EXPECT_EQ(verdict.find("status")->result, credentials::Check::Result::kHeld) << verdict.text();
    EXPECT_EQ(verdict.algorithm, "ES256");
    const auto rs = service_->verify(get(learner_path_ + "/clr", "alg=RS256").body);
    EXPECT_TRUE(rs.good) << rs.text();
    EXPECT_EQ(rs.algorithm, "RS256");
    EXPECT_EQ(rs.id, verdict.id);
    EXPECT_NE(service_->verify(get(learner_path_ + "/clr", "", staff_).body).id, verdict.id)
        << "another reader, another credential";
    const auto written = service_->write(staff_, test::kLearner, "command line", crypto::Algorithm::kEs256);
    EXPECT_TRUE(service_->verify(written.token).good);
    EXPECT_EQ(json::parse(get(learner_path_ + "/clr", "form=json", staff_).body), json::parse(written.json));
}

TEST_F(Service, WritesEmbeddedProofsThatHoldAlone) {
    const HttpResponse response = get(learner_path_ + "/clr", "form=proof");
    const auto verdict = service_->verify(response.body);
    EXPECT_TRUE(verdict.good) << verdict.text();
    EXPECT_EQ(verdict.algorithm, "eddsa-rdfc-2022");
    EXPECT_EQ(verdict.find("inside")->reason, "11 of 11 credentials in it carry a proof of their own, and it holds");
    EXPECT_EQ(get(learner_path_ + "/clr", "form=proof").body, response.body);
    const auto record = json::parse(response.body);
    for (const auto& nested : record.at("credentialSubject").at("verifiableCredential").as_array())
        EXPECT_TRUE(service_->verify(json::serialize(nested)).good) << "cut out";
    std::string changed = response.body;
    changed.replace(changed.find("\"value\":\"B+\""), 12, "\"value\":\"A+\"");
    EXPECT_FALSE(service_->verify(changed).good);
    const auto answer = json::parse(get(kCredentials, "form=proof").body).as_object();
    EXPECT_EQ(answer.at("credential").as_array().size(), 1u);
    EXPECT_FALSE(answer.contains("compactJwsString"));
    EXPECT_EQ(service_->verify(token()).find("inside")->result, credentials::Check::Result::kHeld);
    EXPECT_TRUE(service_->verify(service_->write(staff_, test::kLearner, "cli", crypto::Algorithm::kEdDsa).token).good);
}

TEST_F(Service, ARevokedRecordIsSeen) {
    const std::string issued = token();
    EXPECT_TRUE(status_.revoke(service_->verify(issued).id));
    EXPECT_FALSE(service_->verify(issued).good);
    const HttpResponse list = get("/ims/clr/v2p0/status/0", "", nobody_);
    EXPECT_EQ(list.status, 200);
    EXPECT_EQ(list.fields.get("Content-Type"), "application/vc+jwt");
    EXPECT_TRUE(service_->verify(list.body).good);
    EXPECT_EQ(get("/ims/clr/v2p0/status/1", "", nobody_).status, 404);
}

TEST_F(Service, ASecondReadCostsADisclosureLineOnly) {
    const std::string first = token();
    EXPECT_EQ(token(), first);
    EXPECT_THAT(records_.log, ElementsAre("read clr service", "disclose clr service"));
    ++records_.held.version;
    records_.held.changed += std::chrono::seconds(5);
    EXPECT_NE(token(), first);
    const std::string before = token();
    clock_.time += std::chrono::minutes(6);
    EXPECT_NE(token(), before) << "a catalogue change shows after some minutes";
    keys_.rotate(crypto::Algorithm::kEs256);
    const std::string rotated = token();
    EXPECT_TRUE(service_->verify(rotated).good);
    EXPECT_TRUE(service_->verify(first).good);
}

TEST_F(Service, ARecordWithoutAchievementsIsAnEmptyAnswer) {
    records_.held.statements.clear();
    EXPECT_EQ(get(kCredentials).body, "{}");
    EXPECT_EQ(get(kCredentials).fields.get("X-Total-Count"), "0");
    EXPECT_EQ(get(learner_path_ + "/clr").status, 404);
    EXPECT_EQ(get(learner_path_).status, 200);
    EXPECT_FALSE(status_.find(service_->verify("x").id)) << "no place in the status list is used up";
    EXPECT_EQ(status_.lists(), 0u);
}

TEST_F(Service, PublishesKeysAndDescribesItself) {
    keys_.current(crypto::Algorithm::kRs256);  // made when it is first asked for
    const HttpResponse jwks = get("/.well-known/jwks.json", "", nobody_);
    EXPECT_EQ(jwks.fields.get("Content-Type"), "application/jwk-set+json");
    const auto keys = json::parse(jwks.body).at("keys").as_array();
    EXPECT_EQ(keys.size(), 3u);
    const std::string kid(crypto::read_jws_unverified(token(), {{crypto::Algorithm::kEs256}, 1u << 20, 9999}).header.kid);
    EXPECT_THAT(kid, testing::StartsWith("https://clr.example.edu/.well-known/keys/"));
    const HttpResponse one = get(kid.substr(std::string("https://clr.example.edu").size()), "", nobody_);
    EXPECT_EQ(one.status, 200);
    EXPECT_EQ(json::parse(one.body).at("kid").as_string(), kid);
    const auto discovery = json::parse(get("/ims/clr/v2p0/discovery", "", nobody_).body);
    EXPECT_EQ(discovery.at("servers").at(0).at("url").as_string(), "https://clr.example.edu/ims/clr/v2p0");
    EXPECT_TRUE(discovery.at("paths").at("/credentials").as_object().contains("get"));
}

TEST_F(Service, ShowsAPageThatEscapesEverything) {
    const HttpResponse response = get(learner_path_);
    ASSERT_EQ(response.status, 200);
    const std::string& html = response.body;
    EXPECT_THAT(html, HasSubstr("Algorithms &amp; \"Data\" &lt;Structures&gt;"));
    EXPECT_THAT(html, Not(HasSubstr("<script")));
    EXPECT_THAT(html, Not(HasSubstr("javascript:")));
    EXPECT_THAT(html, Not(HasSubstr("ssn-secret")));
    EXPECT_THAT(html, Not(HasSubstr("Replaced elsewhere")));
    EXPECT_THAT(html, Not(HasSubstr("src=")));
    for (const auto* text : {"Ada Lovelace", "Degrees and programs", "Spring 2024", "CS 210", "Human Resources",
                             "Transfer from North Valley College", "In progress", "https://hdl.handle.net/1/2",
                             "Not an official result", "2 February 2026", "<html lang=\"en\">"}) {
        EXPECT_THAT(html, HasSubstr(text));
    }
    EXPECT_THAT(html, Not(HasSubstr("TEST")));
    Institution institution = test::institution();
    institution.test = true;
    start(institution);
    EXPECT_THAT(get(learner_path_).body, HasSubstr("<strong>TEST</strong>"));
}

TEST_F(Service, ManyReadersAtOnceWhileAKeyIsRotated) {
    std::atomic<int> wrong = 0;
    {
        std::vector<std::jthread> threads;
        threads.reserve(4);
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 6; ++i) {
                    const records::Reader reader{records::Reader::Kind::kStaff, "reader " + std::to_string((t + i) % 3), ""};
                    wrong += !service_->verify(get(learner_path_ + "/clr", "", reader).body).good;
                    wrong += get(learner_path_, "", reader).status != 200;
                }
            });
        keys_.rotate(crypto::Algorithm::kEs256);
    }
    EXPECT_EQ(wrong, 0);
}

// What others say of our records: schema validity by ajv, signatures by jose.
TEST_F(Service, OutsideLibrariesJudge) {
    const auto root = std::filesystem::path(CLRBUS_SOURCE_DIR);
    const auto here = official_schemas();
    const auto out = folder_ / "judge";
    std::filesystem::create_directories(out);
    const auto write = [&](const std::string& name, const std::string& text) { std::ofstream(out / name) << text; };
    const std::string es = token();
    write("good-es256.jwt", es);
    write("good-rs256.jwt", get(learner_path_ + "/clr", "alg=RS256").body);
    write("proof-record.json", get(learner_path_ + "/clr", "form=proof").body);
    write("status-0.jwt", get("/ims/clr/v2p0/status/0", "", nobody_).body);
    write("answer-1.json", get(kCredentials).body);
    write("error-400.json", get(kCredentials, "limit=0").body);
    write("error-401.json", get(kCredentials, "", nobody_).body);
    for (const std::string& name : std::initializer_list<std::string>{"es256", "rs256"}) {
        const std::string good = name == "es256" ? es : get(learner_path_ + "/clr", "alg=RS256").body;
        const auto first = good.find('.'), second = good.rfind('.');
        std::string body = *crypto::from_base64url(good.substr(first + 1, second - first - 1));
        const auto grade = body.find("\"value\":\"B+\"");
        ASSERT_NE(grade, body.npos);
        body.replace(grade, 12, "\"value\":\"A+\"");
        write("bad-" + name + ".jwt", good.substr(0, first + 1) + crypto::base64url(body) + good.substr(second));
    }
    keys_.rotate(crypto::Algorithm::kEs256);
    write("jwks.json", get("/.well-known/jwks.json", "", nobody_).body);
    Institution institution = test::institution();
    institution.test = true;
    start(institution);
    write("good-test-instance.jwt", token());
    start(test::institution());
    take_cases(root);
    EXPECT_GT(records_.held.statements.size(), 40u);
    write("good-all-cases.jwt", token());
    write("proof-all-cases.json", get(learner_path_ + "/clr", "form=proof").body);
    const auto all = service_->verify(get(learner_path_ + "/clr", "form=proof").body);
    EXPECT_TRUE(all.good) << all.text();
    EXPECT_EQ(all.find("inside")->result, credentials::Check::Result::kHeld) << all.text();
    write("jwks.json", get("/.well-known/jwks.json", "", nobody_).body);
    const std::string command = (root / "tests/e2e/clr-schema/run").string() + " " +
                                (std::filesystem::path(CLRBUS_BINARY_DIR) / "clr-schema").string() + " " +
                                (here.empty() ? "-" : here.string()) + " " + out.string() + " > " + (out / "log").string() +
                                " 2>&1";
    const int status = std::system(command.c_str());
    std::ostringstream log;
    log << std::ifstream(out / "log").rdbuf();
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << log.str();
    EXPECT_EQ(WEXITSTATUS(status), 0) << log.str();
    if (here.empty()) GTEST_SKIP() << "the official schemas are not here: signatures alone were judged";
}

}  // namespace
}  // namespace clrbus::clr
