// Hostile bytes: each refused in bounded memory with a message that names the place; the next good document passes on the same
// parser.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cstring>
#include <random>

#include "xml/parser.hpp"
#include "xml/test_support.hpp"

namespace clrbus {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace xml_test;

std::size_t peak_kilobytes() {
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::size_t>(usage.ru_maxrss);
}

class Hostile : public ::testing::Test {
protected:
    static void SetUpTestSuite() { schemas_ = Schemas::load({testdata("record.xsd"), testdata("job.xsd")}); }
    static void TearDownTestSuite() { schemas_.reset(); }

    // Refused by both kinds of parser, which then read a good document.
    Error refused(const std::string& bytes, bool by_plain_too = true) {
        const Error error = error_of([&] { parser_.parse(bytes, "hostile.xml"); });
        EXPECT_NE(error.code(), "nothing thrown");
        EXPECT_NO_THROW(parser_.parse(good_));
        EXPECT_TRUE(!by_plain_too || error_of([&] { plain_.parse(bytes); }).code() != "nothing thrown");
        EXPECT_NO_THROW(plain_.parse(good_));
        EXPECT_TRUE(error.where().known()) << error.what();
        return error;
    }

    static std::shared_ptr<const Schemas> schemas_;
    const std::string good_ = slurp(testdata("good-record.xml"));
    XmlParser parser_{schemas_}, plain_;
};
std::shared_ptr<const Schemas> Hostile::schemas_;

TEST_F(Hostile, BillionLaughs) {
    std::string bomb = "<?xml version='1.0'?>\n<!DOCTYPE r [<!ENTITY a0 'ha'>";
    for (int i = 1; i < 10; ++i) {
        bomb += "<!ENTITY a" + std::to_string(i) + " '";
        for (int k = 0; k < 10; ++k) bomb += "&a" + std::to_string(i - 1) + ";";
        bomb += "'>";
    }
    const Error error = refused(bomb + "]><r>&a9;</r>");
    EXPECT_EQ(error.code(), "XML-004");
    EXPECT_EQ(error.where().line, 2u);
}

TEST_F(Hostile, ExternalEntities) {
    for (const char* doctype : {"<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><r>&x;</r>",
                                "<!DOCTYPE r SYSTEM 'http://127.0.0.1:9/x.dtd'><r/>",
                                "<!DOCTYPE r [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><r/>",
                                "<?xml version='1.0'?><?a b?><!-- x --> <!DOCTYPE r><r/>"}) {
        EXPECT_EQ(refused(doctype).code(), "XML-004") << doctype;
    }
    EXPECT_THAT(refused("<!-- never ends <!DOCTYPE r><r/>").code(), AnyOf("XML-011", "XML-001"));
    EXPECT_EQ(refused("<job><title>&x;</title></job>").code(), "XML-005");
}

TEST_F(Hostile, DeepNesting) {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "<a>";
    EXPECT_EQ(error_of([&] { plain_.parse(deep); }).code(), "XML-022");
    const std::string lax = replaced(good_, "<e:thing/>", deep);
    const Error error = refused(lax);
    EXPECT_EQ(error.code(), "XML-022");
    EXPECT_THAT(error.where().path, HasSubstr("/Record/Extension/any/a/a"));
}

// A gigabyte that is made while it is read.
class Endless {
public:
    Endless(std::string head, const std::string& repeat, std::size_t total)
        : head_(std::move(head)), repeat_(repeat.size()), total_(total) {
        while (block_.size() < 40'000) block_ += repeat;
    }
    std::size_t operator()(char* to, std::size_t most) {
        const std::size_t n = std::min({most, total_ - at_, block_.size()});
        if (at_ < head_.size()) {
            const std::size_t first = std::min(n, head_.size() - at_);
            std::memcpy(to, head_.data() + at_, first);
            at_ += first;
            return first;
        }
        std::memcpy(to, block_.data(), n - n % repeat_);
        at_ += n - n % repeat_;
        return n - n % repeat_;
    }
    std::size_t given() const { return at_; }

private:
    std::string head_, block_;
    std::size_t repeat_, total_, at_ = 0;
};

TEST_F(Hostile, AGigabyteInOneTokenIsRefusedEarly) {
    constexpr std::size_t kGigabyte = 1u << 30;
    const XmlLimits limits{.text = 1u << 20};
    struct Case {
        const char *head, *repeat, *code;
    };
    const Case cases[] = {
        {"<rows><row a='", "xxxxxxxx", "XML-024"},
        {"<rows><row>", "xxxxxxxx", "XML-024"},
        {"<rows><!-- ", "x- ", "XML-024"},
        {"<rows><row ", "a='1' ", "XML-023"},
        {"<rows><", "aaaaaaaa", "XML-024"},
        {"<rows><row><![CDATA[", "x]x]", "XML-024"},
        {"<rows><?p ", "xxxxxxxx", "XML-024"},
        {"<rows>", "<a>", "XML-022"},
        {"<rows><row>", "<a/>", "XML-025"},
        {"<rows><row><a b='", "&#65;", "XML-024"},
        {"", "        ", "XML-024"},
    };
    for (const Case& c : cases) {
        XmlParser parser(nullptr, XmlLimits{.bytes = 32u << 20, .depth = 128, .text = limits.text, .nodes = 200'000});
        const std::size_t before = peak_kilobytes();
        Endless endless(c.head, c.repeat, kGigabyte);
        std::string code;
        const Error error = error_of([&] {
            parser.split([&](char* to, std::size_t most) { return endless(to, most); }, "rows/row",
                         [](std::uint64_t, Document) { FAIL(); },
                         [&](std::uint64_t, const Error& e, const Document&) {
                             code = e.code();
                             throw e;
                         },
                         "hostile.xml");
        });
        EXPECT_THAT(error.code(), AnyOf(c.code, "XML-001", "XML-020")) << c.head << error.what();
        EXPECT_LT(endless.given(), 40u << 20) << c.head;
        EXPECT_LT(peak_kilobytes(), before + (100u << 10)) << c.head;
        EXPECT_NO_THROW(parser.parse("<a/>"));
    }
}

TEST_F(Hostile, ALongRecordIsSkippedAndTheNextOneFollows) {
    // The record's text goes past the limit; what follows it is read.
    XmlParser parser(nullptr, XmlLimits{.text = 1000});
    const std::string bytes = "<rows><row>" + std::string(3'000'000, 'x') + "</row><row>good</row></rows>";
    std::size_t at = 0;
    std::vector<std::string> seen;
    parser.split(
        [&](char* to, std::size_t most) {
            const std::size_t n = std::min(most, bytes.size() - at);
            std::memcpy(to, bytes.data() + at, n);
            at += n;
            return n;
        },
        "rows/row", [&](std::uint64_t number, Document d) { seen.push_back(std::to_string(number) + d.root().text()); },
        [&](std::uint64_t number, const Error& e, const Document&) { seen.push_back(std::to_string(number) + e.code()); });
    EXPECT_THAT(seen, ::testing::ElementsAre("1XML-024", "2good"));
}

TEST_F(Hostile, InvalidBytesTruncationAndWrongRoots) {
    EXPECT_EQ(refused(replaced(good_, "first", "fi\xFFrst")).code(), "XML-002");
    EXPECT_EQ(refused(replaced(good_, "first", std::string("fi\0rst", 6))).code(), "XML-001");
    for (std::size_t cut = good_.size() - 3; cut > 20; cut -= 37) {
        EXPECT_THAT(refused(good_.substr(0, cut)).code(), AnyOf("XML-011", "XML-001", "XML-002")) << cut;
    }
    EXPECT_EQ(refused("<html><body/></html>", false).code(), "XSD-001");
    EXPECT_EQ(refused("<Record/>", false).code(), "XSD-001");
}

TEST_F(Hostile, ManyAttributesAndNames) {
    std::string tag = "<job ";
    for (int i = 0; i < 100'000; ++i) tag += "a" + std::to_string(i) + "='1' ";
    EXPECT_EQ(refused(tag + "/>").code(), "XML-023");
    std::string names = "<a>";
    for (int i = 0; i < 11'000; ++i) names += "<n" + std::to_string(i) + "/>";
    EXPECT_EQ(refused(replaced(good_, "<e:thing/>", names)).code(), "XML-026");
}

std::size_t resident_kilobytes() {
    std::ifstream in("/proc/self/statm");
    std::size_t size = 0, resident = 0;
    in >> size >> resident;
    return resident * 4;
}

// Shared grammars would keep each of them for the life of the process.
TEST_F(Hostile, NamespacesThatADocumentInventsDoNotStay) {
    const auto with = [&](int i) {
        return replaced(good_, "urn:test:other", "urn:" + std::to_string(i) + std::string(2000, 'x'));
    };
    for (int i = 0; i < 100; ++i) parser_.parse(with(i));
    const std::size_t before = resident_kilobytes();
    for (int i = 0; i < 9'000; ++i) parser_.parse(with(i));
    EXPECT_LT(resident_kilobytes(), before + (28u << 10));  // 36 MB of names were seen
}

TEST_F(Hostile, MarkupInTextsAndNamesStaysText) {
    const Document document = plain_.parse("<a b='&lt;script&gt;&quot;'>&lt;/a&gt;&#13;</a>");
    EXPECT_EQ(plain_.parse(document.write()).write(), document.write());
    EXPECT_THAT(document.write(), Not(HasSubstr("<script>")));
}

// Changes good documents in a few thousand ways, the same ones each time: whatever comes, an answer and no crash.
TEST_F(Hostile, ChangedDocumentsNeverCrash) {
    std::mt19937 random(20261124);  // NOLINT(cert-msc51-cpp): the same changes each time
    std::vector<std::string> seeds = {
        good_, "<job><title>t</title><hours>1</hours></job>",
        to_utf16_bytes("<job><title>t</title><hours>1</hours></job>", false, true),
        "<?xml version='1.0' encoding='ISO-8859-1'?><job a='b' xml:lang='e'><title><![CDATA[x]]></title></job>"};
    const std::vector<std::string> pieces = {"<",
                                             ">",
                                             "&",
                                             "&#",
                                             "&#x41;",
                                             "'",
                                             "\"",
                                             "]]>",
                                             "<![CDATA[",
                                             "<!--",
                                             "-->",
                                             "<?x ?>",
                                             "/>",
                                             "xmlns='urn:test:record'",
                                             "xmlns:r=''",
                                             "r:",
                                             "\xFF",
                                             "\xEF\xBF\xBE",
                                             "\xF0\x9F\x98\x80",
                                             "<!DOCTYPE a>",
                                             "xsi:nil='true'",
                                             std::string(1, '\0'),
                                             "<r:Record>",
                                             "</Course>",
                                             " ",
                                             "\xED\xA0\x80"};
    int refused_count = 0, accepted_count = 0;
    for (int i = 0; i < 4000; ++i) {
        std::string bytes = seeds[random() % seeds.size()];
        for (std::size_t change = 0; change <= random() % 3; ++change) {
            const std::size_t at = random() % (bytes.size() + 1);
            switch (random() % 5) {
                case 0:
                    bytes.resize(at);
                    break;
                case 1:
                    if (at < bytes.size()) bytes[at] = static_cast<char>(random());
                    break;
                case 2:
                    bytes.insert(at, pieces[random() % pieces.size()]);
                    break;
                case 3:
                    bytes.erase(at, random() % 20);
                    break;
                default:
                    bytes.insert(at, bytes.substr(random() % (bytes.size() + 1), random() % 50));
                    break;
            }
        }
        for (XmlParser* parser : {&parser_, &plain_}) {
            try {
                const Document document = parser->parse(bytes, "f");
                // What was accepted can be written and read again.
                EXPECT_NO_THROW(plain_.parse(document.write())) << i;
                ++accepted_count;
            } catch (const Error& e) {
                EXPECT_NE(e.what(), nullptr);
                EXPECT_EQ(e.fault(), Fault::kPoison);
                ++refused_count;
            }
        }
        std::size_t at = 0;
        try {
            plain_.split(
                [&](char* to, std::size_t most) {
                    const std::size_t n = std::min({most, bytes.size() - at, std::size_t{17}});
                    std::memcpy(to, bytes.data() + at, n);
                    at += n;
                    return n;
                },
                "*/*", [](std::uint64_t, Document) {}, [](std::uint64_t, const Error&, const Document&) {});
        } catch (const Error&) {
            ++refused_count;
        }
    }
    EXPECT_GT(refused_count, 1000);
    EXPECT_GT(accepted_count, 100);
    EXPECT_NO_THROW(parser_.parse(good_));
}

}  // namespace
}  // namespace clrbus
