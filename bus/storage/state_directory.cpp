#include "storage/state_directory.hpp"

#include <charconv>

#include "core/error.hpp"

namespace clrbus::storage {
namespace {

constexpr std::string_view kFormatPrefix = "clrbus state ";

}  // namespace

StateDirectory::StateDirectory(std::string path, Files& files) : path_(std::move(path)) {
    files.make_directory(path_);
    lock_ = files.lock(path_ + "/lock");
    const auto file = path_ + "/format";
    if (!files.exists(file)) {
        write_file_atomically(files, file, std::string(kFormatPrefix) + std::to_string(kStateDirectoryVersion) + "\n");
        return;
    }
    const auto text = read_whole_file(files, file);
    Where where;
    where.file = file;
    int version = 0;
    const auto* begin = text.data() + kFormatPrefix.size();
    if (!text.starts_with(kFormatPrefix) || std::from_chars(begin, text.data() + text.size(), version).ec != std::errc{}) {
        throw Error(Fault::kConfig, "STATE-002", "opening the state directory", where, "the file is damaged");
    }
    if (version != kStateDirectoryVersion) {
        throw Error(Fault::kConfig, "STATE-001", "opening the state directory", where,
                    "state format version " + std::to_string(version) + ", this program reads version " +
                        std::to_string(kStateDirectoryVersion));
    }
}

}  // namespace clrbus::storage
