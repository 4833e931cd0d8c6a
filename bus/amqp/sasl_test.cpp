#include "amqp/testing/fixture.hpp"
#include "crypto/base64.hpp"

namespace clrbus::amqp {
namespace {

using testing::AmqpWire;
using ::testing::HasSubstr;
using testing::kWireAmqp;
using testing::kWireSasl;
using ::testing::Not;

class Sasl : public testing::ListenerTest {
protected:
    static std::string init(std::string_view mechanism, std::string_view response) {
        return frame(1, 0, ListWriter().symbol(mechanism).binary(response).described(0x41));
    }
    static std::string response(std::string_view bytes) { return frame(1, 0, ListWriter().binary(bytes).described(0x43)); }
    static int outcome(AmqpWire& wire) {
        const auto got = wire.read_until(0x44);
        return got ? std::stoi(got->fields.at(0)) : -1;
    }
    // SCRAM as a client: the outcome, -1 when there was none; the server's signature is checked when it is given.
    int scram(AmqpWire& wire, const std::string& user, const std::string& password, const std::string& gs2 = "n,,",
              const std::string& extra_nonce = "") {
        const std::string bare = "n=" + user + ",r=fyko+d2lbbFgONRv9qkxdawL";
        wire.send(kWireSasl + init("SCRAM-SHA-256", gs2 + bare));
        const auto challenge = wire.read_until(0x42);
        if (!challenge) return -1;
        const std::string first = challenge->fields.at(0);
        const std::string nonce = first.substr(2, first.find(',') - 2);
        const std::string salt =
            *crypto::from_base64(first.substr(first.find(",s=") + 3, first.find(",i=") - first.find(",s=") - 3));
        const auto iterations = static_cast<std::uint32_t>(std::stoul(first.substr(first.find(",i=") + 3)));
        const std::string final_bare = "c=" + crypto::base64(gs2) + ",r=" + nonce + extra_nonce;
        const std::string auth = bare + "," + first + "," + final_bare;
        wire.send(response(final_bare + ",p=" + crypto::base64(crypto::scram_client_proof(password, salt, iterations, auth))));
        const auto got = wire.read_until(0x44);
        if (!got) return -1;
        if (got->fields.at(0) == "0") {
            const auto secret = crypto::make_scram_secret(password, salt, iterations);
            EXPECT_EQ(got->fields.at(1), "v=" + crypto::base64(crypto::scram_server_signature(secret, auth)));
        }
        return std::stoi(got->fields.at(0));
    }
};

TEST_F(Sasl, MechanismsThatAreOffered) {
    start();
    AmqpWire wire(port());
    wire.send(kWireSasl);
    const std::string offered = wire.read_until(0x40)->fields.at(0);
    EXPECT_THAT(offered, HasSubstr("SCRAM-SHA-256"));
    EXPECT_THAT(offered, HasSubstr("PLAIN"));
    EXPECT_THAT(offered, Not(HasSubstr("ANONYMOUS")));
    EXPECT_THAT(offered, Not(HasSubstr("EXTERNAL")));
}

TEST_F(Sasl, PlainNeedsTlsOrThePermission) {
    auto with = options();
    with.plain_on_loopback = false;
    start(with);
    AmqpWire wire(port());
    wire.send(kWireSasl);
    EXPECT_THAT(wire.read_until(0x40)->fields.at(0), Not(HasSubstr("PLAIN")));
    AmqpWire other(port());
    EXPECT_EQ(other.sasl_plain("ada", "pencil"), 1);
    EXPECT_TRUE(other.ended());
}

TEST_F(Sasl, PlainRightAndWrong) {
    start();
    for (int i = 0; i < 3; ++i) {
        AmqpWire right(port());
        EXPECT_EQ(right.sasl_plain("ada", "pencil"), 0);
    }
    const auto failed = counter("clrbus_amqp_login_failed_total").value();
    for (const auto& [user, password] : std::vector<std::pair<std::string, std::string>>{{"ada", "pencils"},
                                                                                         {"ada", ""},
                                                                                         {"nobody", "pencil"},
                                                                                         {"", "pencil"},
                                                                                         {std::string(300, 'a'), "pencil"},
                                                                                         {"ada", std::string("pen\0il", 6)}}) {
        AmqpWire wire(port());
        EXPECT_EQ(wire.sasl_plain(user, password), 1);
        EXPECT_TRUE(wire.ended());
    }
    EXPECT_EQ(counter("clrbus_amqp_login_failed_total").value() - failed, 6);
    // For another identity than one's own, and without its two zeros.
    for (const std::string& bytes :
         {std::string("eve\0ada\0pencil", 14), std::string("ada\0pencil", 10), std::string(), std::string("pencil")}) {
        AmqpWire wire(port());
        wire.send(kWireSasl + init("PLAIN", bytes));
        EXPECT_EQ(outcome(wire), 1);
    }
    AmqpWire same(port());
    same.send(kWireSasl + init("PLAIN", std::string("ada\0ada\0pencil", 14)));
    EXPECT_EQ(outcome(same), 0);
}

TEST_F(Sasl, PlainInTwoSteps) {
    start();
    AmqpWire wire(port());
    wire.send(kWireSasl + frame(1, 0, ListWriter().symbol("PLAIN").described(0x41)));
    ASSERT_TRUE(wire.read_until(0x42).has_value());
    wire.send(response(std::string("\0ada\0pencil", 11)));
    EXPECT_EQ(outcome(wire), 0);
}

TEST_F(Sasl, ScramRightAndWrong) {
    start();
    AmqpWire right(port());
    EXPECT_EQ(scram(right, "ada", "pencil"), 0);
    right.send(kWireAmqp);
    EXPECT_EQ(right.read(8), kWireAmqp);
    AmqpWire wrong(port());
    EXPECT_EQ(scram(wrong, "ada", "pencils"), 1);
    EXPECT_TRUE(wrong.ended());
    AmqpWire unknown(port());
    EXPECT_EQ(scram(unknown, "nobody", "pencil"), 1);
    AmqpWire nonce(port());
    EXPECT_EQ(scram(nonce, "ada", "pencil", "n,,", "x"), 1);
    AmqpWire yes(port());
    EXPECT_EQ(scram(yes, "ada", "pencil", "y,,"), 0);
}

TEST_F(Sasl, ScramOfAnUnknownUserLooksLikeAnyOther) {
    start();
    std::string first[2];
    for (std::string& each : first) {
        AmqpWire wire(port());
        wire.send(kWireSasl + init("SCRAM-SHA-256", "n,,n=nobody,r=abc"));
        each = wire.read_until(0x42)->fields.at(0);
        each = each.substr(each.find(",s="));
    }
    EXPECT_EQ(first[0], first[1]);  // the same salt each time
}

TEST_F(Sasl, ScramNonsense) {
    start();
    for (const std::string& bytes :
         {std::string(), std::string("n"), std::string("n,,"), std::string("n,,n=ada"), std::string("n,,n=,r=abc"),
          std::string("n,,n=a=b,r=abc"), std::string("n,,n=a=3,r=abc"), std::string("n,a=eve,n=ada,r=abc"),
          std::string("p=tls-unique,,n=ada,r=abc"), std::string("n,,m=x,n=ada,r=abc"), std::string("n,,r=abc,n=ada"),
          "n,,n=ada,r=" + std::string(600, 'x'), "n,,n=" + std::string(300, 'a') + ",r=abc", std::string(3000, ',')}) {
        AmqpWire wire(port());
        wire.send(kWireSasl + init("SCRAM-SHA-256", bytes));
        EXPECT_EQ(outcome(wire), 1) << bytes.substr(0, 40);
        EXPECT_TRUE(wire.ended());
    }
    for (const std::string& bytes : {std::string(), std::string("c=biws"), std::string("c=biws,r=abc,p=xx"),
                                     std::string("p=AAAA"), std::string("c=,r=,p="), std::string(3000, 'p')}) {
        AmqpWire wire(port());
        wire.send(kWireSasl + init("SCRAM-SHA-256", "n,,n=ada,r=abc"));
        ASSERT_TRUE(wire.read_until(0x42).has_value());
        wire.send(response(bytes));
        EXPECT_EQ(outcome(wire), 1) << bytes.substr(0, 40);
    }
}

TEST_F(Sasl, LeftOutIsRefusedInAmqp) {
    start();
    AmqpWire wire(port());
    wire.send(kWireAmqp + frame(0, 0, ListWriter().string("me").described(0x10)));
    EXPECT_EQ(wire.read(8), kWireAmqp);
    std::uint64_t code = 0;
    EXPECT_EQ(wire.read_error(&code), "amqp:unauthorized-access");
    EXPECT_EQ(code, 0x18U);
    EXPECT_TRUE(wire.ended());
    EXPECT_TRUE(nodes.users.empty());
}

TEST_F(Sasl, PipelinedOpenWorksAndAWrongPasswordStopsIt) {
    start();
    const std::string rest = kWireAmqp + frame(0, 0, ListWriter().string("me").described(0x10)) +
                             frame(0, 0, ListWriter().null().uint(0).uint(100).uint(100).described(0x11)) +
                             frame(0, 0,
                                   ListWriter()
                                       .string("s")
                                       .uint(0)
                                       .boolean(false)
                                       .null()
                                       .null()
                                       .raw(AmqpWire::source("me"))
                                       .raw(AmqpWire::target("in/a"))
                                       .null()
                                       .null()
                                       .uint(0)
                                       .described(0x12));
    AmqpWire right(port());
    right.send(kWireSasl + init("PLAIN", std::string("\0ada\0pencil", 11)) + rest);
    EXPECT_EQ(outcome(right), 0);
    EXPECT_TRUE(right.read_until(0x12).has_value());
    AmqpWire wrong(port());
    wrong.send(kWireSasl + init("PLAIN", std::string("\0ada\0wrong", 10)) + rest);
    EXPECT_EQ(outcome(wrong), 1);
    EXPECT_TRUE(wrong.ended());
    EXPECT_EQ(nodes.users, std::vector<std::string>{"ada"});
}

TEST_F(Sasl, FramesOutOfTurn) {
    start();
    const auto bystander = sender();
    const std::string wrong[] = {
        init("SCRAM-SHA-256", "n,,n=ada,r=abc") + init("SCRAM-SHA-256", "n,,n=ada,r=abc"),  // a second init
        response("x"),                                                                      // a response to nothing
        frame(1, 0, ListWriter().ubyte(0).described(0x44)),                                 // our part
        frame(1, 0, ListWriter().described(0x41)),                                          // no mechanism
        frame(1, 0, ListWriter().string("PLAIN").described(0x41)),                          // of the wrong type
        frame(1, 0, ListWriter().symbol("PLAIN").string("x").described(0x41)),
        frame(1, 0, ListWriter().symbol("PLAIN").null().null().uint(0).described(0x41)),
        frame(1, 0, "garbage"),
        frame(1, 0, ""),
        frame(0, 0, ListWriter().string("me").described(0x10)),  // AMQP already
        std::string("\x00\x00\x10\x01\x02\x01\x00\x00", 8),      // larger than 4096
        std::string("\x00\x00\x00\x04\x02\x01\x00\x00", 8),
        std::string(100, '\xff'),
    };
    for (const std::string& bytes : wrong) {
        AmqpWire wire(port());
        wire.send(kWireSasl + bytes);
        while (wire.read_frame()) {
        }
        EXPECT_FALSE(wire.timed_out());
    }
    AmqpWire unknown(port());
    unknown.send(kWireSasl + init("CRAM-MD5", "x"));
    EXPECT_EQ(outcome(unknown), 1);
    EXPECT_TRUE(unknown.ended());
    expect_works(*bystander, 0);
}

TEST_F(Sasl, AnonymousOnlyWhenConfigured) {
    start();
    AmqpWire wire(port());
    wire.send(kWireSasl + init("ANONYMOUS", "me"));
    EXPECT_EQ(outcome(wire), 1);
    UserStore::Users with;
    with.anonymous = "guest";
    users.replace(with);
    AmqpWire again(port());
    again.send(kWireSasl + init("ANONYMOUS", "me"));
    EXPECT_EQ(outcome(again), 0);
    again.send(kWireAmqp);
    again.open();
    again.begin();
    again.attach_sender("in/a");
    EXPECT_EQ(nodes.users, std::vector<std::string>{"guest"});
}

TEST_F(Sasl, ManyWrongPasswordsDoNotHoldUpOthers) {
    auto with = options();
    with.limits.failed_login = std::chrono::milliseconds(300);
    start(with);
    std::vector<std::unique_ptr<AmqpWire>> guessing;
    for (int i = 0; i < 40; ++i) {
        guessing.push_back(std::make_unique<AmqpWire>(port()));
        guessing.back()->send(kWireSasl + init("PLAIN", std::string("\0ada\0guess", 10) + std::to_string(i)));
    }
    AmqpWire right(port());
    EXPECT_EQ(scram(right, "ada", "pencil"), 0);
    for (auto& each : guessing) EXPECT_EQ(outcome(*each), 1);
}

}  // namespace
}  // namespace clrbus::amqp
