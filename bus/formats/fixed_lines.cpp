#include "formats/fixed_lines.hpp"

#include <algorithm>
#include <cstring>

namespace clrbus {
namespace {

constexpr std::string_view kFixedMark = "\xEF\xBB\xBF";

// Where the first line end begins; the size when there is none.
std::size_t fixed_line_end(std::string_view chunk, bool lone_return) {
    const std::size_t feed = std::min(chunk.find('\n'), chunk.size());
    return lone_return ? std::min(chunk.substr(0, feed).find('\r'), feed) : feed;
}

}  // namespace

void FixedLines::keep(std::string_view part) {
    size_ += part.size();
    if (size_ <= options_.limits.line) {
        kept_.append(part);
    } else {
        std::string().swap(kept_);
    }
}

void FixedLines::deliver(std::string_view last) {
    FixedLine line;
    line.offset = started_;
    line.line = line_;
    line.too_large = size_ + last.size() > options_.limits.line;
    if (size_ == 0) {
        line.raw = last;
    } else {
        keep(last);
        line.raw = kept_;
    }
    if (line.too_large) line.raw = {};
    ++line_;
    on_line_(line);
    kept_.clear();
    size_ = 0;
}

void FixedLines::write(std::string_view chunk) {
    if (options_.layout->line_end() == FixedLayout::LineEnd::kNone) return write_records(chunk);
    const bool lone_return = options_.layout->line_end() == FixedLayout::LineEnd::kAny;
    while (!chunk.empty()) {
        if (after_return_) {
            after_return_ = false;
            const bool feed = chunk[0] == '\n';
            if (!line_end_known_) line_end_ = feed ? "\r\n" : "\r";
            line_end_known_ = true;
            if (feed) {
                chunk.remove_prefix(1);
                started_ = ++offset_;
                continue;
            }
        }
        if (size_ == 0) started_ = offset_;
        const std::size_t n = fixed_line_end(chunk, lone_return);
        std::string_view part = chunk.substr(0, n);
        offset_ += n;
        if (n == chunk.size()) return keep(part);
        ++offset_;
        after_return_ = chunk[n] == '\r';
        if (!lone_return) {
            // The carriage return before the line feed is of the line end.
            const bool here = part.ends_with('\r'), before = part.empty() && kept_.ends_with('\r');
            if (here) part.remove_suffix(1);
            if (before) {
                kept_.pop_back();
                --size_;
            }
            if (!line_end_known_) line_end_ = here || before ? "\r\n" : "\n";
            line_end_known_ = true;
        } else if (!after_return_ && !line_end_known_) {
            line_end_ = "\n";
            line_end_known_ = true;
        }
        chunk.remove_prefix(n + 1);
        if (!begun_ && size_ == 0 && part.starts_with(kFixedMark)) part.remove_prefix(kFixedMark.size());
        if (!begun_ && size_ != 0 && kept_.starts_with(kFixedMark)) {
            kept_.erase(0, kFixedMark.size());
            size_ -= kFixedMark.size();
        }
        begun_ = true;
        deliver(part);
        started_ = offset_;
    }
}

void FixedLines::write_records(std::string_view chunk) {
    const std::size_t length = options_.layout->length();
    while (!chunk.empty()) {
        if (size_ == 0) started_ = offset_;
        const std::size_t n = std::min<std::size_t>(length - size_, chunk.size());
        offset_ += n;
        if (size_ + n < length) return keep(chunk.substr(0, n));
        deliver(chunk.substr(0, n));
        chunk.remove_prefix(n);
    }
}

void FixedLines::finish() {
    if (size_ != 0) deliver({});
}

void FixedLines::resume(std::uint64_t offset, std::uint64_t line) {
    offset_ = started_ = offset;
    line_ = line;
    begun_ = true;
}

}  // namespace clrbus
