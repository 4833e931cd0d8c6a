#include <atomic>
#include <mutex>

#include "contract/sink_driver.hpp"
#include "support/raw_server.hpp"

namespace clrbus::contract {
namespace {

class HttpCallFarSide : public SinkDriver {
public:
    HttpCallFarSide() { mood(Mood::kTakes); }

    std::string element() const override { return "post"; }
    std::map<std::string, std::string> options() const override {
        return {{"url", "http://127.0.0.1:" + std::to_string(port_) + "/records"},
                {"timeout", "PT1S"},
                {"authentication", "bearer"},
                {"secret", "far-side"}};
    }
    void mood(Mood mood) override {
        mood_ = mood;
        if (mood == Mood::kGone) {
            server_.reset();
        } else if (!server_) {
            server_ = std::make_unique<support::RawServer>([this](support::RawPeer& peer) { talk(peer); }, port_);
            port_ = server_->port();
        }
    }
    void expect_secret(const std::string& secret) override {
        const std::lock_guard lock(mutex_);
        secret_ = secret;
    }
    std::vector<Item> taken() override {
        const std::lock_guard lock(mutex_);
        return taken_;
    }

private:
    static std::string field(const std::string& request, const std::string& name) {
        const std::size_t at = request.find("\r\n" + name + ": ");
        if (at == std::string::npos) return {};
        const std::size_t from = at + name.size() + 4;
        return request.substr(from, request.find("\r\n", from) - from);
    }
    void talk(support::RawPeer& peer) {
        for (std::string request; !(request = peer.request()).empty();) {
            switch (mood_.load()) {
                case Mood::kTakes: {
                    const std::lock_guard lock(mutex_);
                    if (field(request, "Authorization") != "Bearer " + secret_) {
                        peer.send(support::raw_answer(401, ""));
                        break;
                    }
                    taken_.push_back({field(request, "Idempotency-Key"), request.substr(request.find("\r\n\r\n") + 4),
                                      field(request, "traceparent")});
                    peer.send(support::raw_answer(202, ""));
                    break;
                }
                case Mood::kGone:
                case Mood::kHangsUp:
                    return;
                case Mood::kSilent:
                    return peer.wait();
                case Mood::kHalf:
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
                    return;
                case Mood::kNonsense:
                    peer.send("220 far-side ESMTP\r\n");
                    return;
                case Mood::kStranger:
                    peer.send(support::raw_answer(401, ""));
                    break;
                case Mood::kTooMany:
                    peer.send(support::raw_answer(429, "", "Retry-After: 7\r\n"));
                    break;
                case Mood::kFails:
                    peer.send(support::raw_answer(500, "a secret of the far side"));
                    break;
                case Mood::kRefuses:
                    peer.send(support::raw_answer(422, "a secret of the far side"));
                    break;
            }
        }
    }

    std::atomic<Mood> mood_{Mood::kTakes};
    std::mutex mutex_;  // guards what follows
    std::string secret_;
    std::vector<Item> taken_;
    std::uint16_t port_ = 0;
    std::unique_ptr<support::RawServer> server_;  // last: calls back into this
};

}  // namespace

std::unique_ptr<SinkDriver> sink_driver(std::string_view adapter) {
    if (adapter == "http-call") return std::make_unique<HttpCallFarSide>();
    return nullptr;
}

}  // namespace clrbus::contract
