// The folder that people and programs drop files into, and what stands beside them: .taking/ (claimed), .waiting/ (accepted, no
// receipt yet), done/ and failed/. All by names below open folders, so that no link or '..' leads elsewhere. One thread.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters_directory/pickup_plan.hpp"

namespace clrbus::adapters::directory {

// A file descriptor that closes itself.
class OpenFile {
public:
    explicit OpenFile(int fd = -1) : fd_(fd) {}
    ~OpenFile();
    OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    OpenFile& operator=(OpenFile&& other) noexcept;
    int fd() const { return fd_; }

private:
    int fd_;
};

class DropFolder {
public:
    enum class Place { kDone, kFailed };

    // Makes what is missing. Throws Error(kAway, "DIR-001").
    explicit DropFolder(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    std::vector<DroppedFile> list() const;     // at most 10 000, folders left out
    std::vector<std::string> claimed() const;  // left over from an earlier run: to be taken again

    bool claim(const std::string& name);     // into .taking/; false: it is gone, or one of that name is in hand
    bool put_back(const std::string& name);  // out of .taking/; false: a new one of that name is there, it stays claimed
    OpenFile open_claimed(const std::string& name) const;  // regular or Error(kPoison, "DIR-002")
    std::filesystem::path claimed_path(const std::string& name) const;
    void remove_claimed(const std::string& name);

    // A name that is free in done/, failed/ and .waiting/: name itself, else NAME~2, ….
    std::string free_name(const std::string& name) const;
    void finish(const std::string& name, Place place, const std::string& as);       // .taking/name becomes place/as
    void fail_done(const std::string& as);                                          // done/as becomes failed/as, if it is there
    void write_receipt(Place place, const std::string& as, std::string_view text);  // its bytes are synced
    void sync_receipts();                                                           // and now their names

    // Accepted files whose receipt is still to come: message id -> name in done/. A note is an empty file named ID=NAME, so
    // that one sync of the folder keeps many. False: that id cannot be part of a name.
    bool note_waiting(const std::string& id, const std::string& as);
    void sync_waiting();
    void forget_waiting(const std::string& id, const std::string& as);
    std::map<std::string, std::string> waiting();

private:
    void sync(const OpenFile& folder) const;
    const OpenFile& place(Place place) const { return place == Place::kDone ? done_ : failed_; }

    std::filesystem::path path_;
    OpenFile root_, taking_, waiting_, done_, failed_;
    std::set<std::string> waiting_names_;  // in done/, of the notes
};

}  // namespace clrbus::adapters::directory
