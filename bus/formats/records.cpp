#include "formats/records.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace clrbus {
namespace {

constexpr std::size_t kRecordsChunk = std::size_t{64} * 1024;

[[noreturn]] void records_unreadable(const std::filesystem::path& file, int code) {
    Where where;
    where.file = file.filename().string();
    throw Error(Fault::kAway, "FILE-001", "reading a file", std::move(where), std::generic_category().message(code));
}

class RecordsInput {
public:
    explicit RecordsInput(const std::filesystem::path& file) : file_(file), fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (fd_ < 0) records_unreadable(file_, errno);
        ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    ~RecordsInput() { ::close(fd_); }
    RecordsInput(const RecordsInput&) = delete;
    RecordsInput& operator=(const RecordsInput&) = delete;

    // Empty at the end.
    std::string_view read_at(std::uint64_t offset) {
        for (;;) {
            const ssize_t n = ::pread(fd_, buffer_.data(), buffer_.size(), static_cast<off_t>(offset));
            if (n >= 0) return {buffer_.data(), static_cast<std::size_t>(n)};
            if (errno != EINTR) records_unreadable(file_, errno);
        }
    }

private:
    const std::filesystem::path& file_;
    int fd_;
    std::string buffer_ = std::string(kRecordsChunk, '\0');
};

}  // namespace

void split_file(RecordSplitter& splitter, const std::filesystem::path& file, const StreamPosition& from) {
    RecordsInput input(file);
    std::uint64_t offset = 0;
    if (from.record > 1) {
        splitter.resume(from);
        while (splitter.needs_head()) {
            const std::string_view chunk = input.read_at(offset);
            if (chunk.empty()) break;
            offset += chunk.size();
            splitter.write(chunk);
        }
        offset = from.offset;
    }
    for (;;) {
        const std::string_view chunk = input.read_at(offset);
        if (chunk.empty()) break;
        offset += chunk.size();
        splitter.write(chunk);
    }
    splitter.finish();
}

}  // namespace clrbus
