#include "storage/block_writer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace clrbus::storage {
namespace {

constexpr std::size_t kWriterBuffer = 2U << 20;

}  // namespace

BlockWriter::BlockWriter() : buffer_(direct_buffer(kWriterBuffer)) {}

void BlockWriter::begin(std::shared_ptr<File> file, std::uint32_t size, std::uint32_t offset) {
    file_ = std::move(file);
    size_ = size;
    used_ = offset % kDirectUnit;
    base_ = offset - static_cast<std::uint32_t>(used_);
    flushed_ = offset;
    // A file that is open for direct writes may refuse to be read like this; it begins with a whole block.
    if (used_ != 0) file_->read(base_, buffer_.get(), used_);
}

void BlockWriter::append(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto part = std::min(bytes.size(), kWriterBuffer - used_);
        std::memcpy(buffer_.get() + used_, bytes.data(), part);
        used_ += part;
        bytes.remove_prefix(part);
        if (used_ < kWriterBuffer) return;
        file_->write(base_, {buffer_.get(), used_});
        base_ += static_cast<std::uint32_t>(used_);
        used_ = 0;
    }
}

void BlockWriter::flush() {
    if (used_ != 0) {
        const auto whole = used_ / kDirectUnit * kDirectUnit;
        const auto padded = std::min<std::size_t>(whole == used_ ? whole : whole + kDirectUnit, size_ - base_);
        std::memset(buffer_.get() + used_, 0, padded - used_);
        file_->write(base_, {buffer_.get(), padded});
        std::memmove(buffer_.get(), buffer_.get() + whole, used_ - whole);
        base_ += static_cast<std::uint32_t>(whole);
        used_ -= whole;
    }
    file_->sync();
    flushed_ = end();
}

}  // namespace clrbus::storage
