// Files in memory that forget: a write counts only after sync, a new name, a rename and a removal only after the directory's
// sync. At a chosen moment the power goes: nothing works any more, and after_cut() is one of the disks that could then be
// found, with each unsynced 512-byte sector there or not. Faults can be set, too. Tests only; any thread.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "storage/file.hpp"

namespace clrbus {

class PowerCutFiles : public storage::Files {
public:
    static constexpr std::uint64_t kSector = 512;
    enum class Fault : std::uint8_t { kNone, kWriteFails, kSyncFails, kNoSpace };  // kNoSpace: files do not grow

    PowerCutFiles() = default;

    // The power goes before the n-th operation that changes something, counted from now.
    void cut_before(std::uint64_t operation) {
        const std::lock_guard lock(mutex_);
        cut_at_ = operations_ + operation;
    }
    // One operation fails, the n-th from now; the next ones work.
    void fail_once(std::uint64_t operation, int error) {
        const std::lock_guard lock(mutex_);
        fail_at_ = operations_ + operation;
        fail_with_ = error;
    }
    bool has_failed() const {
        const std::lock_guard lock(mutex_);
        return cut_ || (fail_at_ != 0 && operations_ >= fail_at_);
    }
    bool is_cut() const {
        const std::lock_guard lock(mutex_);
        return cut_;
    }
    std::uint64_t operations() const {
        const std::lock_guard lock(mutex_);
        return operations_;
    }
    // Called before each operation that changes something, without a lock; set it before the threads start.
    void on_change(std::function<void(const std::string& doing, const std::string& path)> hook) { hook_ = std::move(hook); }
    void set_fault(Fault fault) {
        const std::lock_guard lock(mutex_);
        fault_ = fault;
    }

    // A disk that could be found now: every unsynced sector and directory entry is there or not, as the dice fall.
    std::unique_ptr<PowerCutFiles> after_cut(std::uint32_t seed) const {
        const std::lock_guard lock(mutex_);
        std::mt19937 dice(seed);
        auto found = std::make_unique<PowerCutFiles>();
        // Directory changes reach the disk in order (a journaling file system): a prefix of those that are not synced.
        auto names = synced_names_;
        std::vector<NameChange> open_changes = name_changes_;
        const auto kept = open_changes.empty() ? 0 : dice() % (open_changes.size() + 1);
        for (std::size_t i = 0; i < kept; ++i) apply(names, open_changes[i]);
        // All, some or none of what was written since the last sync.
        const auto mood = dice() % 4;
        for (const auto& [path, node] : names) {
            auto copy = std::make_shared<Node>();
            copy->synced = node->synced;
            for (const auto& write : node->unsynced) {
                for (std::uint64_t at = 0; at < write.bytes.size();) {
                    const auto sector_end = (write.offset + at) / kSector * kSector + kSector - write.offset;
                    const auto end = std::min<std::uint64_t>(sector_end, write.bytes.size());
                    const bool there = mood == 0 ? false : mood == 1 ? true : dice() % 2 == 0;
                    if (there) place(copy->synced, write.offset + at, std::string_view(write.bytes).substr(at, end - at));
                    at = end;
                }
            }
            copy->now = copy->synced;
            found->names_[path] = copy;
        }
        found->synced_names_ = found->names_;
        return found;
    }

    // Damages one byte of a file as it is now.
    void flip(const std::string& path, std::uint64_t offset) {
        const std::lock_guard lock(mutex_);
        auto& node = *names_.at(path);
        node.now.at(offset) = static_cast<char>(node.now.at(offset) ^ 0x40);
        node.synced = node.now;
        node.unsynced.clear();
    }
    std::string content(const std::string& path) const {
        const std::lock_guard lock(mutex_);
        return names_.at(path)->now;
    }

    std::unique_ptr<storage::File> open(const std::string& path, storage::Open how) override {
        if (how == storage::Open::kCreate || how == storage::Open::kCreateDirect) call_hook("opening", path);
        const std::lock_guard lock(mutex_);
        auto found = names_.find(path);
        if (how == storage::Open::kCreate || how == storage::Open::kCreateDirect) {
            change("opening", path);
            if (found != names_.end()) {
                found->second = std::make_shared<Node>();  // emptied: simplest as a new file under the old name
                name_changes_.push_back({NameChange::kAdd, path, {}, found->second});
            } else {
                found = names_.emplace(path, std::make_shared<Node>()).first;
                name_changes_.push_back({NameChange::kAdd, path, {}, found->second});
            }
        }
        if (found == names_.end()) fail("opening", path, ENOENT);
        return std::make_unique<OpenFile>(*this, path, found->second);
    }
    std::vector<std::string> list(const std::string& directory) const override {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> found;
        const auto prefix = directory + "/";
        for (auto it = names_.lower_bound(prefix); it != names_.end() && it->first.starts_with(prefix); ++it) {
            auto name = it->first.substr(prefix.size());
            name = name.substr(0, name.find('/'));
            if (found.empty() || found.back() != name) found.push_back(name);
        }
        return found;
    }
    bool exists(const std::string& path) const override {
        const std::lock_guard lock(mutex_);
        return names_.contains(path);
    }
    void make_directory(const std::string&) override {}
    void rename(const std::string& from, const std::string& to) override {
        const std::lock_guard lock(mutex_);
        change("renaming", from);
        if (!names_.contains(from)) fail("renaming", from, ENOENT);
        name_changes_.push_back({NameChange::kRename, from, to, names_.at(from)});
        apply(names_, name_changes_.back());
    }
    void remove(const std::string& path) override {
        const std::lock_guard lock(mutex_);
        change("removing", path);
        if (!names_.contains(path)) return;
        name_changes_.push_back({NameChange::kRemove, path, {}, nullptr});
        apply(names_, name_changes_.back());
    }
    void sync_directory(const std::string& path) override {
        const std::lock_guard lock(mutex_);
        change("syncing", path);
        if (fault_ == Fault::kSyncFails) fail("syncing", path, EIO);
        std::erase_if(name_changes_, [&](const NameChange& done) {
            const auto& name = done.kind == NameChange::kRename ? done.to : done.path;
            if (name.substr(0, name.rfind('/')) != path) return false;
            apply(synced_names_, done);
            return true;
        });
    }
    std::uint64_t free_bytes(const std::string&) const override { return std::numeric_limits<std::uint64_t>::max(); }
    std::unique_ptr<storage::FileLock> lock(const std::string&) override { return std::make_unique<storage::FileLock>(); }

private:
    struct Write {
        std::uint64_t offset = 0;
        std::string bytes;
    };
    struct Node {
        std::string synced, now;
        std::vector<Write> unsynced;
    };
    using Names = std::map<std::string, std::shared_ptr<Node>>;
    struct NameChange {
        enum Kind : std::uint8_t { kAdd, kRename, kRemove } kind;
        std::string path, to;
        std::shared_ptr<Node> node;
    };

    class OpenFile : public storage::File {
    public:
        OpenFile(PowerCutFiles& files, std::string path, std::shared_ptr<Node> node)
            : files_(files), path_(std::move(path)), node_(std::move(node)) {}
        void write(std::uint64_t offset, std::span<const std::string_view> parts) override {
            files_.call_hook("writing", path_);
            const std::lock_guard lock(files_.mutex_);
            files_.change("writing", path_);
            if (files_.fault_ == Fault::kWriteFails) files_.fail("writing", path_, EIO);
            Write write{offset, {}};
            for (const auto part : parts) write.bytes.append(part);
            if (files_.fault_ == Fault::kNoSpace && offset + write.bytes.size() > node_->now.size()) {
                files_.fail("writing", path_, ENOSPC);
            }
            place(node_->now, offset, write.bytes);
            node_->unsynced.push_back(std::move(write));
        }
        std::size_t read(std::uint64_t offset, char* into, std::size_t size) const override {
            const std::lock_guard lock(files_.mutex_);
            if (offset >= node_->now.size()) return 0;
            const auto got = std::min<std::size_t>(size, node_->now.size() - offset);
            std::memcpy(into, node_->now.data() + offset, got);
            return got;
        }
        void sync() override {
            const std::lock_guard lock(files_.mutex_);
            files_.change("syncing", path_);
            if (files_.fault_ == Fault::kSyncFails) files_.fail("syncing", path_, EIO);
            for (const auto& write : node_->unsynced) place(node_->synced, write.offset, write.bytes);
            node_->unsynced.clear();
        }
        std::uint64_t size() const override {
            const std::lock_guard lock(files_.mutex_);
            return node_->now.size();
        }

    private:
        PowerCutFiles& files_;
        const std::string path_;
        std::shared_ptr<Node> node_;
    };

    static void place(std::string& bytes, std::uint64_t offset, std::string_view written) {
        if (bytes.size() < offset + written.size()) bytes.resize(offset + written.size(), '\0');
        std::memcpy(bytes.data() + offset, written.data(), written.size());
    }
    static void apply(Names& names, const NameChange& change) {
        switch (change.kind) {
            case NameChange::kAdd:
                names[change.path] = change.node;
                break;
            case NameChange::kRename:
                names.erase(change.path);
                names[change.to] = change.node;
                break;
            case NameChange::kRemove:
                names.erase(change.path);
                break;
        }
    }
    void call_hook(const char* doing, const std::string& path) {
        if (hook_) hook_(doing, path);
    }
    void change(const char* doing, const std::string& path) {
        if (++operations_ == cut_at_) cut_ = true;
        if (cut_) fail(doing, path, EIO);
        if (operations_ == fail_at_) fail(doing, path, fail_with_);
    }
    [[noreturn]] static void fail(const char* doing, const std::string& path, int error) {
        Where where;
        where.file = path;
        throw Error(clrbus::Fault::kAway, error == ENOSPC ? "DISK-002" : "DISK-001", doing, where, std::strerror(error));
    }

    std::function<void(const std::string&, const std::string&)> hook_;
    mutable std::mutex mutex_;
    Names names_, synced_names_;
    std::vector<NameChange> name_changes_;  // not synced
    std::uint64_t operations_ = 0, cut_at_ = 0, fail_at_ = 0;
    int fail_with_ = 0;
    bool cut_ = false;
    Fault fault_ = Fault::kNone;
};

}  // namespace clrbus
