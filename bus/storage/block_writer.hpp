// Appends to a file in whole blocks, past the page cache: bytes are gathered in one buffer of fixed size and leave it when it
// is full, or at a flush, which pads the last block with zeros and writes it again with what comes next. A page of the cache
// for each page of messages would cost more than the disk does: they are seldom read back from there. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "storage/file.hpp"

namespace clrbus::storage {

class BlockWriter {
public:
    BlockWriter();

    // From that offset of a file on, which will have `size` bytes; what stands in front of it in its block is kept. What was
    // not flushed of the file before is forgotten.
    void begin(std::shared_ptr<File> file, std::uint32_t size, std::uint32_t offset);
    void append(std::string_view bytes);
    void flush();  // writes what is left and syncs
    std::uint32_t end() const { return base_ + static_cast<std::uint32_t>(used_); }
    bool flushed() const { return end() == flushed_; }

private:
    DirectBuffer buffer_;
    std::shared_ptr<File> file_;  // shared with the segment's other users
    std::uint32_t size_ = 0;
    std::uint32_t base_ = 0;  // where the buffer begins in the file: the start of a block
    std::size_t used_ = 0;
    std::uint32_t flushed_ = 0;
};

}  // namespace clrbus::storage
