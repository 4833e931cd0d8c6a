// A far side over HTTP that answers GET requests as it is in the mood to. For the drivers of source_drivers.cpp.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "contract/source_driver.hpp"
#include "support/raw_server.hpp"

namespace clrbus::contract {

class HttpSourceFarSide : public SourceDriver {
public:
    void mood(Mood mood) override {
        mood_ = mood;
        if (mood == Mood::kGone) {
            server_.reset();
        } else if (!server_) {
            open();
        }
    }
    void next(std::vector<Mood> moods) override {
        const std::lock_guard lock(mutex_);
        next_.assign(moods.begin(), moods.end());
    }
    bool expect_secret(const std::string& secret) override {
        const std::lock_guard lock(mutex_);
        secret_ = secret;
        return true;
    }
    int beginnings() override { return beginnings_; }

protected:
    // The body of a good answer. target: path and query. Under mutex_.
    virtual std::string answer(const std::string& target) = 0;
    // How it says that it knows no such page.
    virtual std::string refusal() const { return support::raw_answer(404, "a secret of the far side"); }

    void open() {
        server_ = std::make_unique<support::RawServer>([this](support::RawPeer& peer) { talk(peer); }, port_);
        port_ = server_->port();
    }
    // The destructor of the driver calls it: what the server's threads call is gone after it.
    void close() { server_.reset(); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    static std::string value(const std::string& target, const std::string& name) {
        const std::size_t at = ("&" + target.substr(target.find('?') + 1)).find("&" + name + "=");
        if (at == std::string::npos) return {};
        const std::string rest = target.substr(target.find('?') + 1).substr(at + name.size() + 1);
        return rest.substr(0, rest.find('&'));
    }

    std::mutex mutex_;  // guards what the drivers add, and what follows
    std::string secret_ = "the-first-secret";
    std::atomic<int> beginnings_{0};

private:
    void talk(support::RawPeer& peer) {
        for (std::string request; !(request = peer.request()).empty();) {
            Mood now = mood_;
            std::string target = request.substr(request.find(' ') + 1), good;
            target.resize(target.find(' '));
            {
                const std::lock_guard lock(mutex_);
                if (!next_.empty()) {
                    now = next_.front();
                    next_.pop_front();
                }
                if (!secret_.empty() && request.find("Authorization: Bearer " + secret_ + "\r\n") == std::string::npos &&
                    now == Mood::kTakes)
                    now = Mood::kStranger;
                if (now == Mood::kTakes || now == Mood::kHalf) good = answer(target);
            }
            switch (now) {
                case Mood::kTakes:
                    peer.send(support::raw_answer(200, good));
                    break;
                case Mood::kGone:
                case Mood::kHangsUp:
                    return;
                case Mood::kSilent:
                    return peer.wait();
                case Mood::kHalf:
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(good.size()) + "\r\n\r\n" +
                              good.substr(0, good.size() / 2));
                    return;
                case Mood::kNonsense:
                    peer.send(support::raw_answer(200, "<html><p>a secret of the far side"));
                    break;
                case Mood::kStranger:
                    peer.send(support::raw_answer(401, ""));
                    break;
                case Mood::kTooMany:
                    peer.send(support::raw_answer(429, "", "Retry-After: 1\r\n"));
                    break;
                case Mood::kFails:
                    peer.send(support::raw_answer(500, "a secret of the far side"));
                    break;
                case Mood::kRefuses:
                    peer.send(refusal());
                    break;
            }
        }
    }

    std::atomic<Mood> mood_{Mood::kTakes};
    std::deque<Mood> next_;
    std::uint16_t port_ = 0;
    std::unique_ptr<support::RawServer> server_;
};

}  // namespace clrbus::contract
