// Dead letters corrected by hand: refusals, one child whatever is asked twice, both bodies kept, the correction in what is
// made.
#include "routing/dead_edit.hpp"

#include <gmock/gmock.h>

#include "crypto/hash.hpp"
#include "routing/engine_fixture.hpp"
#include "routing/faults.hpp"
#include "routing/replay.hpp"

namespace clrbus {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kEditBad = "<note><who>ada</who><n>one</n></note>";
constexpr const char* kEditGood = "<note><who>ada</who><n>1</n></note>";
const std::string kEditWhy = "the number was a word";

class DeadEditing : public EngineTest {
protected:
    static std::string reference(std::string_view body) { return "sha256:" + crypto::sha256_hex(body); }
    void note_route() { route("r", R"(<validate schema="note.xsd"/><transform stylesheet="note.xsl"/><to><records/></to>)"); }
    std::uint64_t one_dead() {
        note_route();
        start();
        Incoming incoming;
        incoming.body = kEditBad;
        incoming.message_id = "m1";
        incoming.content_type = "application/xml";
        incoming.headers.set(header::kCorrectedBy, "forged");
        put("r", std::move(incoming));
        settle("r");
        EXPECT_EQ(in("dead/r").size(), 1U);
        return in("dead/r").at(0).sequence;
    }
    RouteEngine::EditWish wish(std::string body, std::string why = kEditWhy) {
        return {std::move(body), "ada@desk", std::move(why), from_rfc3339("2026-05-03T10:00:00Z")};
    }
    DeadEdit edit(std::uint64_t number, const std::string& body) {
        DeadEdit done = engine_->edit("r", number, wish(body));
        settle("r");
        return done;
    }
    std::string refused(const std::string& id, std::uint64_t number, const RouteEngine::EditWish& asked) {
        try {
            engine_->edit(id, number, asked);
        } catch (const Error& e) {
            return e.code();
        }
        return "";
    }
};

TEST_F(DeadEditing, RefusesWhatItCannotTakeAndChangesNothing) {
    const std::uint64_t number = one_dead();
    EXPECT_EQ(refused("r", number + 1, wish(kEditGood)), "DEAD-001");
    EXPECT_EQ(refused("gone", number, wish(kEditGood)), "DEAD-005");
    EXPECT_EQ(refused("r", number, wish("")), "DEAD-008");
    EXPECT_EQ(refused("r", number, wish(std::string(kEditMost + 1, 'x'))), "DEAD-008");
    EXPECT_EQ(refused("r", number, wish(kEditBad)), "DEAD-011") << "nothing was changed";
    for (const std::string& why :
         {std::string(), std::string("   "), std::string(201, 'x'), std::string("two\nlines"), std::string("\xC3"),
          std::string("\xED\xA0\x80"), std::string("a\0b", 3), std::string("\x7F")}) {
        EXPECT_EQ(refused("r", number, wish(kEditGood, why)), "DEAD-009") << why;
    }
    EXPECT_EQ(refused("r", number, wish(kEditBad, "Überprüft — 学 😀")), "DEAD-011") << "text in any script is text";
    EXPECT_EQ(in("dead/r").size(), 1U);
    EXPECT_FALSE(engine_->edited("r", number));
    EXPECT_EQ(line("r").sum(Outcome::kMade), 0);
}

TEST_F(DeadEditing, AnEndpointsOrTheRecordsDeadLetterIsNot) {
    BrowsedMessage dead;
    EXPECT_THROW(check_edit("records", dead, "x"), Error);
    EXPECT_NO_THROW(check_edit("r", dead, "x"));
    dead.headers.set("clrbus-endpoint", "out/r/far");
    EXPECT_THROW(check_edit("r", dead, "x"), Error);
}

TEST_F(DeadEditing, TheChildIsRecordedAndBothBodiesStay) {
    const std::uint64_t number = one_dead();
    EXPECT_FALSE(in("dead/r")[0].headers.has(header::kCorrectedBy)) << "a sender cannot say that it was corrected";
    const DeadEdit done = edit(number, kEditGood);
    EXPECT_EQ(done.from, reference(kEditBad));
    EXPECT_EQ(done.to, reference(kEditGood));
    EXPECT_EQ(done.id, "m1");
    EXPECT_THAT(in("dead/r"), IsEmpty());
    ASSERT_EQ(in("records").size(), 1U);
    const auto out = in("records")[0];
    EXPECT_EQ(out.headers.get(header::kCorrectedFrom), reference(kEditBad));
    EXPECT_EQ(out.headers.get(header::kOriginal), reference(kEditGood));
    EXPECT_EQ(out.headers.get(header::kParent), done.child);
    EXPECT_THAT(std::string(out.headers.get(header::kHistory)), HasSubstr("ada@desk: corrected by hand; died at "));
    EXPECT_FALSE(out.headers.has(header::kDeadCode));
    const auto correction = ApplyHeader::decode(out.headers.get(header::kApply)).correction;
    EXPECT_EQ(correction.by, "ada@desk");
    EXPECT_EQ(correction.at, done.at);
    EXPECT_EQ(correction.why, kEditWhy);
    EXPECT_EQ(correction.letter, "r/" + std::to_string(number));
    EXPECT_EQ(correction.original, reference(kEditGood));
    EXPECT_EQ(originals_->read(done.from), kEditBad);
    EXPECT_EQ(originals_->read(done.to), kEditGood);
    const std::string difference = engine_->difference(done);
    EXPECT_THAT(difference, HasSubstr(std::string("-") + kEditBad));
    EXPECT_THAT(difference, HasSubstr(std::string("+") + kEditGood));
    const LedgerLine r = line("r");
    EXPECT_TRUE(r.balanced());
    EXPECT_EQ(r.sum(Outcome::kDead), 1);
    EXPECT_EQ(r.sum(Outcome::kMade), 1);
    EXPECT_EQ(r.sum(Outcome::kDelivered), 1);
}

TEST_F(DeadEditing, AskedTwiceMakesOneChildAlsoAfterARestart) {
    const std::uint64_t number = one_dead();
    const DeadEdit first = edit(number, kEditGood);
    EXPECT_EQ(edit(number, kEditGood).child, first.child);
    EXPECT_EQ(refused("r", number, wish("<note><who>bob</who><n>2</n></note>")), "DEAD-010");
    close();
    start();
    EXPECT_EQ(edit(number, kEditGood).child, first.child);
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_EQ(line("r").sum(Outcome::kMade), 1);
    EXPECT_EQ(engine_->edited("r", number)->by, "ada@desk");
}

TEST_F(DeadEditing, TwoAtOnceMakeOneChild) {
    const std::uint64_t number = one_dead();
    std::atomic<int> done{0}, refusals{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&, i] {
                const std::string body = "<note><who>ada</who><n>" + std::to_string(i % 2) + "</n></note>";
                const std::string code = refused("r", number, wish(body));
                ++(code.empty() ? done : refusals);
                EXPECT_TRUE(code.empty() || code == "DEAD-010" || code == "DEAD-001") << code;
            });
        }
    }
    settle("r");
    EXPECT_GE(done, 1);
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(DeadEditing, OneThatIsWrongAgainIsADeadLetterThatCanBeCorrected) {
    const std::uint64_t number = one_dead();
    edit(number, "<note><who>ada</who><n>two</n></note>");
    ASSERT_EQ(in("dead/r").size(), 1U);
    const std::uint64_t second = in("dead/r")[0].sequence;
    EXPECT_NE(second, number);
    const DeadEdit done = edit(second, kEditGood);
    ASSERT_EQ(in("records").size(), 1U);
    EXPECT_EQ(ApplyHeader::decode(in("records")[0].headers.get(header::kApply)).correction.letter,
              "r/" + std::to_string(second));
    EXPECT_EQ(done.from, reference("<note><who>ada</who><n>two</n></note>"));
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(DeadEditing, ARecordOfASplitKeepsItsPlace) {
    route("r", R"(<split format="csv"/><transform stylesheet="note.xsl"/><to><records/></to>)");
    start();
    put("r", "who,n\nada,1\n,2\n");
    until("both are through", [this] { return in("dead/r").size() == 1 && in("records").size() == 1; });
    const auto dead = in("dead/r")[0];
    EXPECT_EQ(dead.headers.get(header::kPosition), "2");
    edit(dead.sequence, "who,n\nbob,2\n");
    ASSERT_EQ(in("records").size(), 2U);
    const auto out = in("records")[1];
    EXPECT_EQ(out.headers.get(header::kPosition), "2");
    EXPECT_EQ(ApplyHeader::decode(out.headers.get(header::kApply)).key, "bob");
    EXPECT_EQ(ApplyHeader::decode(out.headers.get(header::kApply)).correction.why, kEditWhy);
    EXPECT_TRUE(line("r").balanced());
}

TEST_F(DeadEditing, ALargeBodyIsReadFromTheOriginals) {
    const std::uint64_t number = one_dead();
    const std::string large = "<note><who>ada</who><n>1</n></note><!--" + std::string(300'000, 'x') + "-->";
    const DeadEdit done = edit(number, large);
    EXPECT_EQ(in("records").size(), 1U);
    EXPECT_EQ(originals_->size(done.to), large.size());
    EXPECT_TRUE(line("r").balanced());
}

TEST(DeadEditNote, ComesBackAndStaysSmall) {
    DeadEdit edit{"pesc", 12,        "m1",        "c1", "sha256:a", "sha256:b", "ada", "2026-05-03T10:00:00Z",
                  "why",  "XSD-003", "1 validate"};
    const DeadEdit back = DeadEdit::decode(edit.encode());
    EXPECT_EQ(back.number, 12U);
    EXPECT_EQ(back.why, "why");
    EXPECT_EQ(back.note_name(), "edited/pesc/12");
    for (std::string* text : {&edit.id, &edit.child, &edit.from, &edit.to, &edit.by, &edit.why, &edit.code, &edit.step})
        *text = std::string(5000, 'x');
    EXPECT_LT(edit.encode().size(), 4096U);
}

}  // namespace
}  // namespace clrbus
