// The schemas of PESC transcripts and of the learner record before both judges: Xerces while it parses, libxml2 over a tree.
// Every valid document passes both, every broken one is refused by both at the element that its comment names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "xml/parser.hpp"
#include "xml/schemas.hpp"

namespace clrbus {
namespace {

namespace fs = std::filesystem;

const fs::path kProject = CLRBUS_SOURCE_DIR;

std::string slurp(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return std::move(bytes).str();
}

std::vector<fs::path> files_of(const fs::path& folder, const std::string& extension = ".xml") {
    std::vector<fs::path> out;
    if (!fs::is_directory(folder)) return out;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == extension) out.push_back(entry.path());
    }
    std::sort(out.begin(), out.end());
    return out;
}

// The path of the first violation, "" when the document is accepted, the code of any other error in front of its text.
std::string refused_at(const std::function<void()>& judge) {
    try {
        judge();
        return {};
    } catch (const ValidationError& e) {
        return e.violations().front().where.path;
    } catch (const Error& e) {
        return e.where().path.empty() ? e.code() + ": " + e.what() : e.where().path;
    }
}

std::string refused_by_xerces(const std::shared_ptr<const Schemas>& schemas, const std::string& bytes) {
    return refused_at([&] { XmlParser(schemas).parse(bytes); });
}

std::string refused_by_libxml2(const std::shared_ptr<const Schemas>& schemas, const std::string& bytes) {
    const Document document = XmlParser().parse(bytes);
    return refused_at([&] { schemas->validate(document); });
}

// <!-- expect: /path: what -->
std::string expected_path(const std::string& text) {
    const auto at = text.find("expect: ");
    if (at == std::string::npos) return {};
    const auto begin = at + 8;
    return text.substr(begin, text.find(": ", begin) - begin);
}

std::shared_ptr<const Schemas> pesc_schemas() {
    static const std::shared_ptr<const Schemas> schemas = [] {
        std::vector<fs::path> roots;
        for (const fs::path& file : files_of(kProject / "xsd/pesc", ".xsd")) {
            const std::string name = file.filename().string();
            if (name.rfind("college-transcript-", 0) == 0 || name.rfind("academic-record-batch-", 0) == 0)
                roots.push_back(file);
        }
        return Schemas::load(roots);
    }();
    return schemas;
}

std::shared_ptr<const Schemas> learner_record() {
    static const std::shared_ptr<const Schemas> schemas = Schemas::load({kProject / "xsd/learner-record.xsd"});
    return schemas;
}

void expect_refused(const std::shared_ptr<const Schemas>& schemas, const fs::path& folder, std::size_t at_least) {
    const auto files = files_of(folder);
    EXPECT_GE(files.size(), at_least);
    for (const fs::path& file : files) {
        SCOPED_TRACE(file.filename());
        const std::string bytes = slurp(file);
        const std::string path = expected_path(bytes);
        ASSERT_FALSE(path.empty()) << "no <!-- expect: /path: what -->";
        EXPECT_EQ(refused_by_xerces(schemas, bytes), path) << "by Xerces";
        EXPECT_EQ(refused_by_libxml2(schemas, bytes), path) << "by libxml2";
    }
}

TEST(PescSchema, RefusesEveryBrokenDocumentAtTheElement) {
    expect_refused(pesc_schemas(), kProject / "tests/pesc-refused", 40);
}

TEST(PescSchema, AcceptsEveryCaseThatIsNotSaidToBeDead) {
    std::size_t judged = 0;
    for (const auto& entry : fs::directory_iterator(kProject / "routes/pesc/cases")) {
        SCOPED_TRACE(entry.path().filename());
        const std::string bytes = slurp(entry.path() / "input.xml");
        // What is wrong inside a batch is judged document by document (expected-2.txt).
        const bool dead =
            fs::exists(entry.path() / "expected.txt") && slurp(entry.path() / "expected.txt").rfind("dead:", 0) == 0;
        EXPECT_EQ(refused_by_xerces(pesc_schemas(), bytes).empty(), !dead) << refused_by_xerces(pesc_schemas(), bytes);
        EXPECT_EQ(refused_by_libxml2(pesc_schemas(), bytes).empty(), !dead) << refused_by_libxml2(pesc_schemas(), bytes);
        ++judged;
    }
    EXPECT_GE(judged, 20U);
}

TEST(PescSchema, KnowsEveryVersion) {
    for (const char* version : {"1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9"}) {
        EXPECT_TRUE(pesc_schemas()->knows("urn:org:pesc:message:CollegeTranscript:v" + std::string(version) + ".0")) << version;
    }
    EXPECT_TRUE(pesc_schemas()->knows(""));
    EXPECT_TRUE(pesc_schemas()->knows("urn:org:pesc:message:AcademicRecordBatch:v2.1.0"));
    EXPECT_FALSE(pesc_schemas()->knows("urn:org:pesc:message:CollegeTranscript:v2.0.0"));
}

// Documents of real senders and the official schemas are no part of the project: looked for beside the checkout.
fs::path shared(const std::string& name) {
    fs::path folder = kProject;
    for (int up = 0; up < 3; ++up) {
        folder = folder.parent_path();
        if (fs::is_directory(folder / "shared/pesc" / name)) return folder / "shared/pesc" / name;
    }
    return {};
}

TEST(PescSchema, JudgesRealTranscriptsAsTheirNamesSay) {
    if (shared("samples/transcripts").empty()) GTEST_SKIP() << "no real documents beside the checkout";
    std::size_t judged = 0;
    for (const fs::path& file : files_of(shared("samples/transcripts"))) {
        const std::string name = file.filename().string();
        if (name.rfind("ct-", 0) != 0) continue;
        SCOPED_TRACE(name);
        const bool valid = name.find("INVALID") == std::string::npos;
        const std::string bytes = slurp(file);
        const std::string xerces = refused_by_xerces(pesc_schemas(), bytes);
        EXPECT_EQ(xerces.empty(), valid) << xerces;
        EXPECT_EQ(refused_by_libxml2(pesc_schemas(), bytes), xerces);
        ++judged;
    }
    EXPECT_GE(judged, 5U);
}

// Ours are written from the facts. Where the official ones are at hand, both must say the same of every document, at the same
// element, so that a site may put them in place of ours.
TEST(PescSchema, AgreesWithTheOfficialSchemas) {
    const fs::path folder = shared("xsd");
    if (folder.empty()) GTEST_SKIP() << "no official schemas beside the checkout";
    std::vector<fs::path> roots;
    for (const fs::path& file : files_of(folder, ".xsd")) {
        if (file.filename().string().rfind("CollegeTranscript_", 0) == 0) roots.push_back(file);
    }
    const auto official = Schemas::load(roots);
    std::vector<fs::path> documents = files_of(kProject / "tests/pesc-refused");
    for (const auto& entry : fs::directory_iterator(kProject / "routes/pesc/cases"))
        documents.push_back(entry.path() / "input.xml");
    for (const fs::path& file : files_of(shared("samples/transcripts"))) documents.push_back(file);
    std::size_t judged = 0;
    for (const fs::path& file : documents) {
        const std::string bytes = slurp(file);
        const std::string space(XmlParser().parse(bytes).root().namespace_uri());
        if (space.empty() || !official->knows(space)) continue;
        SCOPED_TRACE(file.string());
        EXPECT_EQ(refused_by_xerces(pesc_schemas(), bytes), refused_by_xerces(official, bytes));
        EXPECT_EQ(refused_by_libxml2(pesc_schemas(), bytes), refused_by_libxml2(official, bytes));
        ++judged;
    }
    EXPECT_GE(judged, 60U);
}

TEST(LearnerRecordSchema, AcceptsAnExampleOfEveryComponent) {
    std::map<std::string, int> components;
    for (const fs::path& file : files_of(kProject / "xsd/examples")) {
        SCOPED_TRACE(file.filename());
        const std::string bytes = slurp(file);
        EXPECT_EQ(refused_by_xerces(learner_record(), bytes), "");
        EXPECT_EQ(refused_by_libxml2(learner_record(), bytes), "");
        const Document document = XmlParser().parse(bytes);
        for (const Node& achievement : document.root().children("achievement"))
            ++components[achievement.attribute("component")];
    }
    EXPECT_EQ(components.size(), 13U);
}

TEST(LearnerRecordSchema, RefusesWhatIsNoCanonicalMessage) {
    for (const fs::path& file : files_of(kProject / "xsd/examples/refused")) {
        SCOPED_TRACE(file.filename());
        const std::string bytes = slurp(file);
        EXPECT_EQ(refused_by_xerces(learner_record(), bytes), expected_path(bytes));
        EXPECT_EQ(refused_by_libxml2(learner_record(), bytes), expected_path(bytes));
    }
}

// What the stylesheet made of each case is a canonical message for both judges.
TEST(LearnerRecordSchema, AcceptsWhatTheCasesExpect) {
    for (const auto& entry : fs::directory_iterator(kProject / "routes/pesc/cases")) {
        for (const fs::path& file : files_of(entry.path())) {
            if (file.filename().string().rfind("expected", 0) != 0) continue;
            SCOPED_TRACE(file.string());
            EXPECT_EQ(refused_by_xerces(learner_record(), slurp(file)), "");
            EXPECT_EQ(refused_by_libxml2(learner_record(), slurp(file)), "");
        }
    }
}

}  // namespace
}  // namespace clrbus
