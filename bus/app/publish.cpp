// clrbus publish: a plain AMQP 1.0 client on Proton's C++ API, as any other client would be.
#include <unistd.h>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <iostream>
#include <map>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/message.hpp>
#include <proton/message_id.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/sender.hpp>
#include <proton/sender_options.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>

#include "app/cli.hpp"
#include "config/loader.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/secret_file.hpp"

namespace clrbus::app {
namespace {

struct Target {
    std::string url, user, password;
};

Target target_of(const Publish& what) {
    Target out{what.url, what.user, ""};
    if (!what.password_file.empty()) out.password = crypto::read_secret_file(what.password_file);
    while (!out.password.empty() && out.password.back() == '\n') out.password.pop_back();
    if (out.url.empty()) {
        if (!std::filesystem::exists(what.state / "ports.json")) {
            throw Error(Fault::kAway, "CTRL-001", "publishing", Where{.file = (what.state / "ports.json").string()},
                        "no bus runs on this state directory");
        }
        const auto ports = boost::json::parse(read_file(what.state / "ports.json")).as_object();
        const auto* port = ports.if_contains("amqp");
        if (port == nullptr)
            throw Error(Fault::kConfig, "PUB-001", "publishing", "the bus has no plain AMQP listener: give --url");
        out.url = "amqp://127.0.0.1:" + std::to_string(port->as_int64());
    }
    if (out.user.empty()) {
        const auto access = boost::json::parse(crypto::read_secret_file(what.state / "access.json"));
        for (const auto& user : access.as_object().at("users").as_array()) {
            if (user.as_object().at("name") != "publisher") continue;
            out.user = "publisher";
            out.password = std::string(std::string_view(user.as_object().at("password").get_string()));
        }
    }
    return out;
}

class Publisher : public proton::messaging_handler {
public:
    Publisher(const Publish& what, Target target) : what_(what), target_(std::move(target)) {}

    std::size_t accepted = 0, refused = 0;
    std::string failure;

private:
    void on_container_start(proton::container& container) override {
        proton::connection_options options;
        options.user(target_.user)
            .password(target_.password)
            .sasl_allow_insecure_mechs(true)
            .sasl_allowed_mechs("PLAIN")
            .max_frame_size(65536);
        container.open_sender(target_.url + "/in/" + what_.route, proton::sender_options(), options);
    }
    void on_sendable(proton::sender& sender) override {
        while (sender.credit() > 0 && next_ < what_.files.size() && failure.empty()) {
            const auto& file = what_.files[next_];
            const std::string bytes = read_file(file, 256U << 20);
            proton::message message(proton::binary(bytes.begin(), bytes.end()));
            // The same file is the same message, however often it is sent.
            message.id(proton::message_id(crypto::sha256_hex(file.filename().string() + "\n" + bytes)));
            message.durable(true);
            if (!what_.content_type.empty()) message.content_type(what_.content_type);
            const std::uint64_t number = next_++;
            const auto tracker = sender.send(message, proton::binary(std::to_string(number)));
            (void)tracker;
            progress();
        }
    }
    void on_tracker_accept(proton::tracker& tracker) override { settled(tracker, accepted); }
    void on_tracker_reject(proton::tracker& tracker) override { settled(tracker, refused); }
    void on_tracker_release(proton::tracker& tracker) override { settled(tracker, refused); }
    void settled(proton::tracker& tracker, std::size_t& count) {
        ++count;
        progress();
        if (accepted + refused == what_.files.size()) tracker.connection().close();
    }
    void on_error(const proton::error_condition& error) override {
        if (failure.empty()) failure = error.what();
    }
    void on_transport_error(proton::transport& transport) override {
        if (failure.empty()) failure = transport.error().what();
        transport.connection().container().stop();
    }
    void on_sender_error(proton::sender& sender) override {
        if (failure.empty()) failure = sender.error().what();
        sender.connection().close();
    }
    void progress() const {
        if (what_.json || isatty(STDERR_FILENO) == 0) return;
        std::fprintf(stderr, "\r%zu of %zu accepted, %zu refused", accepted, what_.files.size(), refused);
    }

    const Publish& what_;
    Target target_;
    std::size_t next_ = 0;
};

}  // namespace

int publish(const Publish& what) {
    Publisher publisher(what, target_of(what));
    try {
        proton::container(publisher).run();
    } catch (const std::exception& e) {
        if (publisher.failure.empty()) publisher.failure = e.what();
    }
    if (!what.json && isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\n");
    if (what.json) {
        std::cout << boost::json::serialize(boost::json::object{{"sent", what.files.size()},
                                                                {"accepted", publisher.accepted},
                                                                {"refused", publisher.refused},
                                                                {"failure", publisher.failure}})
                  << '\n';
    } else {
        std::cout << publisher.accepted << " of " << what.files.size() << " accepted\n";
    }
    if (!publisher.failure.empty()) {
        std::cerr << "clrbus: PUB-002: " << publisher.failure << '\n';
        return 4;
    }
    return publisher.accepted == what.files.size() ? 0 : 1;
}

}  // namespace clrbus::app
