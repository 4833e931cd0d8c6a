// A file through memory in pieces, and one to write to: what the reducers of doors share. One thread.
// Throws Error(kAway, "FILE-001") when a file cannot be read or written.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace clrbus {

void read_pieces(const std::filesystem::path& file, const std::function<void(std::string_view piece)>& take);

class PieceWriter {
public:
    explicit PieceWriter(const std::filesystem::path& file);  // made or emptied, mode 0600; not synced
    ~PieceWriter();
    PieceWriter(const PieceWriter&) = delete;
    PieceWriter& operator=(const PieceWriter&) = delete;
    void write(std::string_view bytes);

private:
    const std::filesystem::path file_;
    const int fd_;
};

}  // namespace clrbus
