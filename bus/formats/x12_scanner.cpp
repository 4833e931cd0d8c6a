#include "formats/x12_scanner.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "formats/text.hpp"

namespace clrbus {
namespace {

constexpr std::array<std::size_t, 16> kX12IsaSeparators{3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103};
constexpr std::size_t kX12Isa11 = 82, kX12Isa16 = 104, kX12IsaEnd = 105;

bool x12_is_letter_or_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool x12_is_gap(char c) {
    return c == '\r' || c == '\n';
}

[[noreturn]] void x12_bad_isa(const Where& where, const char* code, std::string why, std::string expected) {
    Error error(Fault::kPoison, code, "reading X12", where, std::move(why));
    error.expected(std::move(expected));
    throw error;
}

}  // namespace

std::string x12_shown(char delimiter) {
    if (delimiter > ' ' && delimiter < '\x7F') return std::string(1, delimiter);
    constexpr char hex[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(delimiter);
    return {'x', hex[byte >> 4], hex[byte & 15]};
}

char x12_delimiter(std::string_view shown) {
    if (shown.size() == 1) return shown[0];
    if (shown.size() != 3 || shown[0] != 'x') return '\0';
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    const int high = digit(shown[1]), low = digit(shown[2]);
    return high < 0 || low < 0 ? '\0' : static_cast<char>(high * 16 + low);
}

X12Delimiters x12_read_isa(std::string_view isa, const Where& where) {
    X12Delimiters out;
    out.element = isa[3];
    out.component = isa[kX12Isa16];
    out.segment = isa[kX12IsaEnd];
    if (!x12_is_letter_or_digit(isa[kX12Isa11]) && isa[kX12Isa11] != ' ') out.repetition = isa[kX12Isa11];
    for (std::size_t i = 0; i < kX12IsaSeparators.size(); ++i) {
        if (isa[kX12IsaSeparators[i]] == out.element) continue;
        x12_bad_isa(where, "X12-001",
                    "ISA is not 106 characters: element ISA" + std::string(i < 10 ? "0" : "") + std::to_string(i) +
                        " does not end where it must",
                    "fixed widths: 2 10 2 10 2 15 2 15 6 4 1 5 9 1 1 1");
    }
    const auto bad = [](char c) {
        return x12_is_letter_or_digit(c) || c == ' ' || c == '\0' || (static_cast<unsigned char>(c) & 0x80) != 0;
    };
    const bool repeated = out.repetition != '\0';
    if (bad(out.element) || bad(out.component) || bad(out.segment) || out.element == out.component ||
        out.element == out.segment || out.component == out.segment ||
        (repeated && (bad(out.repetition) || out.repetition == out.element || out.repetition == out.component ||
                      out.repetition == out.segment))) {
        x12_bad_isa(where, "X12-002", "the delimiters that ISA names cannot be told apart from each other or from text",
                    "different ASCII characters that are no letters, digits or blanks");
    }
    const std::size_t inner = std::count(isa.begin(), isa.end(), out.element);
    if (inner != kX12IsaSeparators.size())
        x12_bad_isa(where, "X12-001", "ISA holds its element separator in a value", "16 elements");
    for (const char c : isa.substr(0, kX12Isa16)) {
        if (c == out.element || c == out.repetition) continue;
        if (c < ' ' || c > '~')
            x12_bad_isa(where, "X12-001", "ISA holds a character that is not printable ASCII", "printable ASCII");
    }
    return out;
}

X12Scanner::X12Scanner(const X12Options& options, OnSegment on_segment)
    : options_(options), on_segment_(std::move(on_segment)) {}

void X12Scanner::write(std::string_view chunk) {
    while (!chunk.empty()) {
        if (!in_interchange_) {
            chunk = begin_interchange(chunk);
            continue;
        }
        if (!in_segment_) {
            chunk = pass_gap(chunk);
            if (chunk.empty()) return;
            in_segment_ = true;
            started_ = offset_;
            started_line_ = line_;
            kept_.clear();
            size_ = 0;
        }
        const void* const found = std::memchr(chunk.data(), delimiters_.segment, chunk.size());
        const std::size_t n =
            found != nullptr ? static_cast<std::size_t>(static_cast<const char*>(found) - chunk.data()) : chunk.size();
        const std::string_view part = chunk.substr(0, n);
        size_ += n;
        offset_ += n;
        line_ += count_lines(part);
        if (found == nullptr || size_ != n) {  // it does not lie in this chunk alone
            if (size_ <= options_.limits.segment) {
                kept_.append(part);
            } else {
                std::string().swap(kept_);
            }
        }
        if (found == nullptr) return;
        ++offset_;
        if (delimiters_.segment == '\n') ++line_;
        in_segment_ = false;
        deliver(size_ == n ? part : std::string_view(kept_));
        kept_.clear();
        chunk.remove_prefix(n + 1);
    }
}

void X12Scanner::deliver(std::string_view text) {
    X12Segment segment{text, started_, started_line_, offset_, size_ > options_.limits.segment};
    if (segment.too_large) segment.text = {};
    on_segment_(segment);
}

std::string_view X12Scanner::pass_gap(std::string_view bytes) {
    std::size_t n = 0;
    while (n < bytes.size() && x12_is_gap(bytes[n])) ++n;
    if (after_isa_ && line_end_.size() < 2) line_end_.append(bytes.substr(0, std::min(n, 2 - line_end_.size())));
    if (n < bytes.size()) after_isa_ = false;
    line_ += count_lines(bytes.substr(0, n));
    offset_ += n;
    return bytes.substr(n);
}

std::string_view X12Scanner::begin_interchange(std::string_view bytes) {
    constexpr std::string_view mark = "\xEF\xBB\xBF";  // what editors leave behind
    if (!begun_) {
        const std::size_t n = std::min(mark.size() - kept_.size(), bytes.size());
        kept_.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        if (kept_ == mark) {
            offset_ = mark.size();
            kept_.clear();
        } else if (mark.starts_with(kept_)) {
            return bytes;
        }
        begun_ = true;
        begin_interchange(std::exchange(kept_, {}));
        return bytes;
    }
    if (kept_.empty()) {
        std::size_t n = 0;
        while (n < bytes.size() && (x12_is_gap(bytes[n]) || bytes[n] == ' ' || bytes[n] == '\t' || bytes[n] == '\x1A')) ++n;
        line_ += count_lines(bytes.substr(0, n));
        offset_ += n;
        bytes.remove_prefix(n);
        if (bytes.empty()) return bytes;
        started_ = offset_;
        started_line_ = line_;
    }
    const std::size_t n = std::min(kX12IsaSize - kept_.size(), bytes.size());
    kept_.append(bytes.substr(0, n));
    offset_ += n;
    bytes.remove_prefix(n);
    Where where;
    where.file = options_.file;
    where.path = "/interchange/ISA";
    where.line = started_line_;
    where.offset = static_cast<std::int64_t>(started_);
    constexpr std::string_view tag = "ISA";
    if (std::string_view(kept_).substr(0, 3) != tag.substr(0, kept_.size())) {
        x12_bad_isa(where, "X12-001", at_start_ ? "this is no X12 interchange" : "something follows the end of the interchange",
                    "ISA");
    }
    if (kept_.size() < kX12IsaSize) return bytes;
    delimiters_ = x12_read_isa(kept_, where);
    in_interchange_ = after_isa_ = true;
    at_start_ = false;
    line_end_.clear();
    line_ += count_lines(kept_);
    const std::string isa = std::exchange(kept_, {});
    size_ = kX12IsaSize - 1;
    deliver(std::string_view(isa).substr(0, kX12IsaSize - 1));
    return bytes;
}

void X12Scanner::finish() {
    if (!in_segment_ && kept_.empty()) return;
    Where where;
    where.file = options_.file;
    where.line = started_line_;
    where.offset = static_cast<std::int64_t>(started_);
    if (!in_interchange_) where.path = "/interchange/ISA";
    x12_bad_isa(where, "X12-003",
                in_interchange_ ? "the input ends in the middle of a segment" : "the input ends in the middle of ISA",
                in_interchange_ ? "the segment terminator that ISA names" : "106 characters");
}

void X12Scanner::resume(std::uint64_t offset, std::uint64_t line, const X12Delimiters& delimiters, std::size_t line_end) {
    begun_ = in_interchange_ = true;
    at_start_ = false;
    offset_ = offset;
    line_ = line;
    delimiters_ = delimiters;
    line_end_ = line_end >= 2 ? "\r\n" : line_end == 1 ? "\n" : "";
}

}  // namespace clrbus
