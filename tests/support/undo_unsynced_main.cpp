// undo_unsynced DIR LOG [SEED]: after a kill -9 of a process under discard_unsynced, makes DIR what it would be after a power
// cut. Without a seed everything that was not synced goes. With one, each unsynced 512-byte sector and each name changed last
// is there or not, as the dice fall. LOG is emptied.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "support/undo_log.hpp"

namespace {

namespace fs = std::filesystem;
using clrbus::undo::UndoHead;

struct Name {
    char kind = 0;  // + > -
    std::string path, to, saved;
};

std::string parent_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

std::uint64_t dice(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
    auto x = seed * 0x9E3779B97F4A7C15ULL ^ a * 0xBF58476D1CE4E5B9ULL ^ b * 0x94D049BB133111EBULL;
    x ^= x >> 31;
    x *= 0xD6E8FEB86659FD93ULL;
    return x ^ x >> 32;
}

std::vector<Name> read_names(const std::string& file) {
    std::vector<Name> names;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line) && line.size() > 2;) {
        std::vector<std::string> fields;
        std::istringstream rest(line.substr(2));
        for (std::string field; std::getline(rest, field, '\t');) fields.push_back(field);
        if (fields.empty()) continue;
        switch (line[0]) {
            case 'S':
                std::erase_if(names, [&](const Name& n) { return parent_of(n.kind == '>' ? n.to : n.path) == fields[0]; });
                break;
            case 'F':
                std::erase_if(names, [&](const Name& n) { return n.kind == '+' && n.path == fields[0]; });
                break;
            case '+':
                names.push_back({'+', fields[0], {}, {}});
                break;
            case '>':
                if (fields.size() == 3) names.push_back({'>', fields[0], fields[1], fields[2]});
                break;
            case '-':
                if (fields.size() == 2) names.push_back({'-', fields[0], {}, fields[1]});
                break;
            default:
                break;
        }
    }
    return names;
}

void undo_names(std::vector<Name> names, std::optional<std::uint64_t> seed) {
    // Directory changes reach the disk in order: the last ones are lost.
    if (seed && !names.empty())
        names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(dice(*seed, 1, 2) % (names.size() + 1)));
    std::error_code ignored;
    for (auto it = names.rbegin(); it != names.rend(); ++it) {
        if (it->kind == '+') {
            fs::remove(it->path, ignored);
        } else if (it->kind == '>') {
            fs::rename(it->to, it->path, ignored);
            if (it->saved != "-") fs::create_hard_link(it->saved, it->to, ignored);
        } else if (it->saved != "-") {
            fs::create_hard_link(it->saved, it->path, ignored);
        }
    }
}

void undo_file(const std::string& log, const std::string& path, std::uint64_t inode, std::optional<std::uint64_t> seed) {
    std::ifstream in(log, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    std::vector<std::size_t> starts;
    for (std::size_t at = 0; at + sizeof(UndoHead) <= bytes.size();) {
        UndoHead head;
        std::memcpy(&head, bytes.data() + at, sizeof head);
        if (head.length > bytes.size() - at - sizeof head)
            break;  // killed while it was written: the write itself did not happen
        starts.push_back(at);
        at += sizeof head + head.length;
    }
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    for (auto it = starts.rbegin(); it != starts.rend(); ++it) {
        UndoHead head;
        std::memcpy(&head, bytes.data() + *it, sizeof head);
        std::string old = bytes.substr(*it + sizeof head, head.length);
        if (!seed) {
            if (head.length > 0 && ::pwrite(fd, old.data(), old.size(), static_cast<off_t>(head.offset)) < 0) std::abort();
            if (::ftruncate(fd, static_cast<off_t>(head.old_size)) != 0) std::abort();
            continue;
        }
        // What a lost write would have appended reads as zeros; a cut is undone whole or not at all.
        old.resize(std::max<std::size_t>(old.size(), head.written), '\0');
        for (std::size_t at = 0; at < old.size();) {
            const auto sector = (head.offset + at) / 512;
            const auto end = std::min<std::size_t>(old.size(), (sector + 1) * 512 - head.offset);
            if (dice(*seed, inode, head.written == 0 ? 0 : sector + 1) % 2 == 0) {
                if (::pwrite(fd, old.data() + at, end - at, static_cast<off_t>(head.offset + at)) < 0) std::abort();
            }
            at = end;
        }
    }
    ::close(fd);
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3 || count > 4) {
        std::cerr << "use: undo_unsynced DIR LOG [SEED]\n";
        return 2;
    }
    const std::string directory = arguments[1], log = arguments[2];
    std::optional<std::uint64_t> seed;
    if (count == 4) seed = std::strtoull(arguments[3], nullptr, 10);
    std::error_code error;
    if (!fs::exists(log, error)) return 0;
    // Contents first: a file that was renamed or removed is found by its number, under its new name or a saved one.
    std::map<std::uint64_t, std::string> by_inode;
    for (const auto& root : {directory, log}) {
        for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
            struct stat info {};
            if (::lstat(it->path().c_str(), &info) == 0 && S_ISREG(info.st_mode))
                by_inode.emplace(info.st_ino, it->path().string());
        }
    }
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(log)) {
        const auto name = entry.path().filename().string();
        const auto dash = name.find('-');
        if (!name.ends_with(".undo") || dash == std::string::npos) continue;
        const auto inode = std::strtoull(name.c_str() + dash + 1, nullptr, 10);
        const auto found = by_inode.find(inode);
        if (found == by_inode.end() || entry.file_size() == 0) continue;
        undo_file(entry.path().string(), found->second, inode, seed);
        ++files;
    }
    auto names = read_names(log + "/names");
    const auto changed = names.size();
    undo_names(std::move(names), seed);
    fs::remove_all(log, error);
    std::cerr << "undone: unsynced writes of " << files << " files, of " << changed << " names\n";
    return 0;
}
