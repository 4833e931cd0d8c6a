#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "config/loader.hpp"
#include "core/ids.hpp"
#include "xml/schemas.hpp"

namespace clrbus {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ConfigFile : public testing::Test {
protected:
    ConfigFile() : folder_(std::filesystem::temp_directory_path() / ("clrbus-config-" + new_uuid())) {
        std::filesystem::create_directories(folder_);
        write(
            "c.xsd",
            R"(<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:c" xmlns="urn:c" elementFormDefault="qualified">
            <xs:element name="c"><xs:complexType><xs:sequence><xs:element name="item" minOccurs="0" maxOccurs="9"><xs:complexType mixed="true">
            <xs:attribute name="id" type="xs:string"/><xs:attribute name="n" type="xs:string"/><xs:attribute name="on" type="xs:string"/>
            <xs:attribute name="wait" type="xs:string"/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:schema>)");
    }
    ~ConfigFile() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path write(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return folder_ / name;
    }
    Config load(const std::string& text, const std::string& name = "c.xml") {
        return ConfigLoader(Schemas::load({folder_ / "c.xsd"})).load(write(name, text));
    }
    std::string error_of(const std::string& text) {
        try {
            load(text);
        } catch (const Error& e) {
            EXPECT_EQ(e.fault(), Fault::kConfig);
            return e.what();
        }
        return "loads";
    }

    std::filesystem::path folder_;
};

TEST_F(ConfigFile, ReadsValuesWithTheirPlaces) {
    const Config c =
        load("<c xmlns='urn:c' xmlns:p='urn:p'>\n<item id='a' n='7' on='true' wait='PT2S'> text </item>\n<item id='b'/></c>");
    const Config a = c.children("item").at(0);
    EXPECT_EQ(a.get("id"), "a");
    EXPECT_EQ(a.get("none", "x"), "x");
    EXPECT_EQ(a.get_int("n", 0), 7);
    EXPECT_EQ(a.get_int("none", 3), 3);
    EXPECT_TRUE(a.get_bool("on", false));
    EXPECT_EQ(a.get_duration("wait", {}), std::chrono::seconds(2));
    EXPECT_EQ(a.text(), "text");
    EXPECT_EQ(a.where().line, 2U);
    EXPECT_EQ(a.namespaces().at("p"), "urn:p");
    EXPECT_EQ(c.children().size(), 2U);
    EXPECT_FALSE(c.child("none"));
    EXPECT_EQ(Config().get("x", "y"), "y");
    EXPECT_TRUE(Config().children().empty());
}

TEST_F(ConfigFile, SaysFileLineAndWhatWasExpected) {
    EXPECT_THAT(error_of("<c xmlns='urn:c'>\n<itm/></c>"), AllOf(HasSubstr("c.xml:2"), HasSubstr("itm"), HasSubstr("item")));
    EXPECT_THAT(error_of("<c xmlns='urn:c'>\n<item"), HasSubstr("c.xml:2"));
    EXPECT_THAT(error_of("<d xmlns='urn:d'/>"), HasSubstr("urn:d"));
    EXPECT_THAT(error_of(""), HasSubstr("c.xml"));
    EXPECT_THAT(error_of("<!DOCTYPE c [<!ENTITY x 'y'>]><c xmlns='urn:c'/>"), HasSubstr("DOCTYPE"));
    const Config c = load("<c xmlns='urn:c'>\n<item n='many' on='perhaps' wait='soon'/></c>");
    const Config item = c.child("item");
    const auto text_of = [](const auto& call) -> std::string {
        try {
            call();
        } catch (const Error& e) {
            return e.what();
        }
        return "no error";
    };
    EXPECT_THAT(text_of([&] { item.get_int("n", 0); }),
                AllOf(HasSubstr("c.xml:2"), HasSubstr("n:"), HasSubstr("whole number")));
    EXPECT_THAT(text_of([&] { item.get_bool("on", false); }), HasSubstr("neither true nor false"));
    EXPECT_THAT(text_of([&] { item.get_duration("wait", {}); }), HasSubstr("'soon' is not a duration"));
    EXPECT_THAT(text_of([&] { item.require("id"); }), HasSubstr("missing"));
}

TEST_F(ConfigFile, RefusesWhatIsNoFileOrTooLarge) {
    EXPECT_THROW(read_file(folder_ / "none"), Error);
    EXPECT_THROW(read_file(folder_), Error);
    EXPECT_THROW(read_file(write("big", std::string(2000, 'x')), 1000), Error);
}

TEST_F(ConfigFile, AnOverlayReplacesAttributesAndAddsElements) {
    const Config base = load("<c xmlns='urn:c'><item id='a' n='1' on='true'/><item id='b' n='2'/></c>");
    const Config over = load("<c xmlns='urn:c'><item id='b' n='3'/><item id='z' n='9'/></c>", "over.xml");
    const Config both = ConfigLoader::overlay(base, over);
    ASSERT_EQ(both.children("item").size(), 3U);
    EXPECT_EQ(both.children("item")[0].get("n"), "1");
    EXPECT_EQ(both.children("item")[1].get("n"), "3");
    EXPECT_THAT(both.children("item")[1].where().file, HasSubstr("over.xml"));
    EXPECT_EQ(both.children("item")[2].get("id"), "z");
    EXPECT_EQ(base.children("item")[1].get("n"), "2") << "the base stays as it is";
    EXPECT_THROW(ConfigLoader::overlay(base, base.children("item")[0]), Error);
}

}  // namespace
}  // namespace clrbus
