#include <algorithm>
#include <filesystem>
#include <list>

#include "contract/door_driver.hpp"
#include "contract/source_driver.hpp"
#include "support/fake_inbox.hpp"
#include "support/raw_client.hpp"

namespace clrbus::contract {

namespace {

class DirectoryDriver : public DoorDriver {
public:
    DirectoryDriver(const std::filesystem::path& state_dir, const std::string& route) : folder_(state_dir / "drop" / route) {}

    std::map<std::string, std::string> options() const override { return {{"settle", "PT0S"}, {"schedule", "PT1S"}}; }
    void send(const std::string& name, const std::string& body) override {
        support::wait_until([&] { return std::filesystem::exists(folder_ / "done"); });
        // A sender that repeats itself does so when its first file is gone.
        support::wait_until([&] { return !std::filesystem::exists(folder_ / name); });
        support::write_file(folder_ / (name + ".part"), body);
        std::filesystem::rename(folder_ / (name + ".part"), folder_ / name);
    }
    std::size_t accepted() override {
        std::size_t files = 0;
        if (!std::filesystem::exists(folder_ / "done")) return 0;  // it has not begun
        for (const auto& entry : std::filesystem::directory_iterator(folder_ / "done"))
            files += entry.is_regular_file() ? 1 : 0;
        return files;
    }
    bool kept_by_sender(const std::string& name) override { return std::filesystem::exists(folder_ / name); }
    void again(const std::string&, const std::string&) override {}

private:
    std::filesystem::path folder_;
};

class HttpListenDriver : public DoorDriver {
public:
    HttpListenDriver(std::string route, std::uint16_t port, std::string token)
        : route_(std::move(route)), port_(port), token_(std::move(token)) {}

    void send(const std::string& name, const std::string& body) override {
        clients_.emplace_back(port_);
        clients_.back().send("POST /in/" + route_ + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer " +
                             token_ + "\r\nContent-Type: text/csv\r\nIdempotency-Key: " + name +
                             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    std::size_t accepted() override {
        listen();
        return accepted_;
    }
    bool kept_by_sender(const std::string&) override {
        listen();
        return refused_ != 0;
    }
    void again(const std::string& name, const std::string& body) override { send(name, body); }

private:
    // Reads answers that are there, without waiting for those that are not.
    void listen() {
        for (auto client = clients_.begin(); client != clients_.end();) {
            pollfd waiting{client->fd(), POLLIN, 0};
            if (::poll(&waiting, 1, 0) != 1) {
                ++client;
                continue;
            }
            ++(support::status_of(client->answer()) == 202 ? accepted_ : refused_);
            client = clients_.erase(client);
        }
    }

    std::string route_;
    std::uint16_t port_;
    std::string token_;
    std::list<support::RawClient> clients_;
    std::size_t accepted_ = 0, refused_ = 0;
};

}  // namespace

bool has_sender(std::string_view adapter) {
    const std::vector<SourceRow> rows = source_rows();
    return adapter != "timer" &&
           std::none_of(rows.begin(), rows.end(), [adapter](const SourceRow& row) { return row.adapter == adapter; });
}

std::unique_ptr<DoorDriver> door_driver(std::string_view adapter, const std::filesystem::path& state_dir,
                                        const std::string& route, std::uint16_t port, const std::string& token) {
    if (adapter == "directory") return std::make_unique<DirectoryDriver>(state_dir, route);
    if (adapter == "http-listen") return std::make_unique<HttpListenDriver>(route, port, token);
    return nullptr;
}

}  // namespace clrbus::contract
