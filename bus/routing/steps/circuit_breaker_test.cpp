// circuit-breaker: when it opens, what waits meanwhile, and that one probe closes it.
#include <atomic>

#include "adapter/sink.hpp"
#include "routing/steps/stateful_fixture.hpp"

namespace clrbus {
namespace {

constexpr const char* kBreakerQueue = "step/r/circuit-breaker-1";

class BreakerTest : public StatefulTest {
protected:
    class FarSide : public Responder {
    public:
        FarSide(std::atomic<bool>& away, std::atomic<int>& asked) : away_(away), asked_(asked) {}
        void ask(Question, std::function<void(Reply)> done) override {
            ++asked_;
            Reply reply;
            reply.body = "<ok/>";
            reply.content_type = "application/xml";
            if (away_)
                reply.result = {SendResult::Kind::kAway, Error(Fault::kAway, "FAKE-003", "asking", "nobody answers"),
                                std::nullopt};
            done(std::move(reply));
        }

    private:
        std::atomic<bool>& away_;
        std::atomic<int>& asked_;
    };
    BreakerTest() {
        make_responder_ = [this](const Config&) -> std::unique_ptr<Responder> {
            return std::make_unique<FarSide>(away_, asked_);
        };
        make_sink_ = [](const Config& element) -> std::unique_ptr<Sink> { element.fail("FAKE-002", "no sink"); };
        write(
            "transforms/merge.xsl",
            R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/enrich"><xsl:copy-of select="message/*"/></xsl:template></xsl:stylesheet>)");
    }
    ~BreakerTest() override { close(); }
    // Days: the loops below let seconds pass until something has happened, and on a busy machine that is many of them.
    void breaker(const std::string& otherwise = "") {
        route(
            "r",
            R"(<circuit-breaker faults="2" within="P2D" open-for="P2D"><enrich name="far" stylesheet="merge.xsl"><f:ask xmlns:f="urn:fake"/></enrich>)" +
                otherwise + R"(</circuit-breaker><transform stylesheet="note.xsl"/><to><records/></to>
            <on-fault><attempts most="2" first="PT1S" factor="1"/></on-fault>)");
    }
    // Until it is open; the two that failed wait in the inbox for another try.
    void open_it() {
        away_ = true;
        for (int n = 1; n <= 2; ++n) put("r", note("a", n));
        until("it is open", [&] {
            pass(std::chrono::seconds(1));
            return condition().rfind("open until", 0) == 0;
        });
    }
    std::string condition() { return engine_->keeper().waiting().at(0).condition; }

    std::atomic<bool> away_{false};
    std::atomic<int> asked_{0};
};

TEST_F(BreakerTest, OpensAndLetsWaitUntilAProbeGetsThrough) {
    breaker();
    start();
    put("r", note("a", 0));
    until_records(1);
    EXPECT_EQ(condition(), "closed");
    open_it();
    for (int n = 3; n <= 6; ++n) put("r", note("a", n));
    until("all wait", [&] {
        pass(std::chrono::seconds(1));
        return waiting(kBreakerQueue) == 6;
    });
    const int asked = asked_;
    killed();
    EXPECT_EQ(condition().substr(0, 10), "open until");
    pass(std::chrono::minutes(1));
    EXPECT_EQ(asked_, asked) << "nobody asks while it is open";
    expect_balanced();
    pass(std::chrono::hours(49));
    until("the probe failed", [&] { return asked_ > asked; });
    EXPECT_TRUE(in("dead/r").empty());
    away_ = false;
    until("all are through", [&] {
        pass(std::chrono::hours(1));
        return in("records").size() == 7;
    });
    EXPECT_EQ(condition(), "closed");
    EXPECT_TRUE(in("dead/r").empty());
    EXPECT_EQ(waiting(kBreakerQueue), 0U);
    expect_balanced();
}

TEST_F(BreakerTest, TakesTheOtherwiseBranchWhileItIsOpen) {
    breaker("<otherwise><filter test=\"false()\" reason=\"away\"/></otherwise>");
    start();
    open_it();
    for (int n = 3; n <= 4; ++n) put("r", note("a", n));
    until("all took it", [&] {
        pass(std::chrono::seconds(1));
        return line("r").sum(Outcome::kFiltered) == 4;
    });
    EXPECT_EQ(waiting(kBreakerQueue), 0U);
    expect_balanced();
}

}  // namespace
}  // namespace clrbus
