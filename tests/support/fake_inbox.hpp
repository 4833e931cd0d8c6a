// An Inbox that a test holds in its hand: it keeps what doors put, answers when told to, and knows duplicates.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "adapter/adapter.hpp"
#include "support/raw_client.hpp"

namespace clrbus::support {

inline std::string file_text(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::filesystem::path& file, std::string_view text) {
    std::ofstream out(file, std::ios::binary);
    out << text;
}

class FakeInbox : public Inbox {
public:
    explicit FakeInbox(std::string route, std::filesystem::path spool) : route_(std::move(route)), spool_(std::move(spool)) {
        std::filesystem::create_directories(spool_);
    }

    // What the test decides. hold: answers wait until release_held().
    bool is_open = true;
    bool hold = false;
    PutState refuse_with = PutState::kStored;  // kFull, kFailed: said to every put
    std::uint64_t spool_from = 256 << 10;
    std::uint64_t most = 1 << 20;
    Reduce reducer;
    std::string broken_state;  // asking for the state of this message fails

    const std::string& route() const override { return route_; }
    bool open() const override {
        const std::lock_guard lock(mutex_);
        return is_open;
    }
    void put(Incoming incoming, std::function<void(Receipt)> done) override {
        if (!incoming.spooled.empty()) incoming.body = file_text(incoming.spooled);
        {
            const std::lock_guard lock(mutex_);
            ++puts_;
            if (hold) {
                held_.emplace_back(std::move(incoming), std::move(done));
                return;
            }
        }
        finish(std::move(incoming), done, refuse_with);
    }
    std::uint64_t spool_above() const override { return spool_from; }
    std::filesystem::path spool_folder() const override { return spool_; }
    std::uint64_t max_bytes() const override { return most; }
    std::optional<std::string> checkpoint(std::string_view name) const override {
        const std::lock_guard lock(mutex_);
        const auto found = checkpoints_.find(std::string(name));
        if (found == checkpoints_.end()) return std::nullopt;
        return found->second;
    }
    void mark(Incoming::Checkpoint checkpoint, std::function<void(bool)> done) override {
        {
            const std::lock_guard lock(mutex_);
            checkpoints_[checkpoint.name] = checkpoint.value;
        }
        done(true);
    }
    const Reduce* reduce() const override { return reducer ? &reducer : nullptr; }
    std::optional<State> state_of(const std::string& id) const override {
        if (id == broken_state) throw std::runtime_error("the state cannot be read");
        const std::lock_guard lock(mutex_);
        const auto found = states_.find(id);
        if (found == states_.end()) return std::nullopt;
        return found->second;
    }

    void set_open(bool open_now) {
        const std::lock_guard lock(mutex_);
        is_open = open_now;
    }
    void refuse(PutState state) {
        const std::lock_guard lock(mutex_);
        refuse_with = state;
    }
    void set_state(const std::string& id, State state) {
        const std::lock_guard lock(mutex_);
        states_[id] = std::move(state);
    }
    std::vector<Incoming> messages() const {
        const std::lock_guard lock(mutex_);
        return messages_;
    }
    std::size_t puts() const {
        const std::lock_guard lock(mutex_);
        return puts_;
    }
    std::size_t answered() const {
        const std::lock_guard lock(mutex_);
        return answered_;
    }
    std::size_t checkpoints() const {
        const std::lock_guard lock(mutex_);
        return checkpoints_.size();
    }
    bool wait_for_messages(std::size_t count) const {
        return wait_until([&] { return messages().size() >= count; });
    }
    std::size_t held() const {
        const std::lock_guard lock(mutex_);
        return held_.size();
    }
    // Answers what is held; kStored: as it would have been answered at once.
    void release_held(PutState state = PutState::kStored) {
        std::vector<std::pair<Incoming, std::function<void(Receipt)>>> held;
        {
            const std::lock_guard lock(mutex_);
            hold = false;
            held.swap(held_);
        }
        for (auto& [incoming, done] : held) finish(std::move(incoming), done, state);
    }

private:
    void finish(Incoming incoming, const std::function<void(Receipt)>& done, PutState state) {
        Receipt receipt{state, ""};
        if (state == PutState::kStored) {
            const std::lock_guard lock(mutex_);
            if (incoming.checkpoint) checkpoints_[incoming.checkpoint->name] = incoming.checkpoint->value;
            receipt.id = "id-" + std::to_string(messages_.size() + 1);
            const auto known = incoming.duplicate_key.empty() ? ids_.end() : ids_.find(incoming.duplicate_key);
            if (known != ids_.end()) {
                receipt = {PutState::kDuplicate, known->second};
            } else {
                if (!incoming.duplicate_key.empty()) ids_[incoming.duplicate_key] = receipt.id;
                messages_.push_back(std::move(incoming));
            }
        }
        done(receipt);
        const std::lock_guard lock(mutex_);
        ++answered_;
    }

    std::string route_;
    std::filesystem::path spool_;
    mutable std::mutex mutex_;
    std::size_t puts_ = 0, answered_ = 0;
    std::vector<Incoming> messages_;
    std::map<std::string, std::string> ids_, checkpoints_;
    std::map<std::string, State> states_;
    std::vector<std::pair<Incoming, std::function<void(Receipt)>>> held_;
};

// A folder of its own for a test, empty and removed with it.
class TemporaryFolder {
public:
    explicit TemporaryFolder(std::string_view name) {
        std::string pattern = (std::filesystem::temp_directory_path() / ("clrbus-" + std::string(name) + "-XXXXXX")).string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

}  // namespace clrbus::support
