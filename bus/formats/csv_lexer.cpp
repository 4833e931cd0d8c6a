#include "formats/csv_lexer.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

#include "formats/encoding.hpp"
#include "formats/text.hpp"

namespace clrbus {
namespace {

constexpr std::string_view kCsvUtf8Mark = "\xEF\xBB\xBF";
constexpr std::string_view kCsvDelimiters = ",;\t|";
constexpr std::size_t kCsvFirstLine = std::size_t{64} * 1024;  // looked at to find the delimiter

std::string csv_lower(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name;
}

Error csv_bad_encoding(const std::string& name) {
    return Error(Fault::kConfig, "CSV-013", "reading CSV", "encoding '" + name + "' cannot be read")
        .expected("utf-8, utf-16, windows-1252, iso-8859-1 or another single-byte encoding that contains ASCII");
}

}  // namespace

CsvLexer::CsvLexer(const CsvOptions& options, OnRow on_row)
    : options_(options),
      on_row_(std::move(on_row)),
      delimiter_known_(options.delimiter != '\0'),
      delimiter_(options.delimiter) {
    choose_encoding(csv_lower(options_.encoding));
}

void CsvLexer::choose_encoding(const std::string& name) {
    if (is_utf8_name(name)) {
        unit_ = Unit::kUtf8;
    } else if (name == "utf-16" || name == "utf-16be") {
        unit_ = Unit::kUtf16Big;  // RFC 2781: without a mark, big-endian
    } else if (name == "utf-16le") {
        unit_ = Unit::kUtf16Little;
    } else {
        const auto known = SingleByte::find(name);
        if (!known || !known->contains_ascii()) throw csv_bad_encoding(options_.encoding);
        for (unsigned byte = 0x80; byte < 256; ++byte) table_[byte - 0x80] = known->character(static_cast<unsigned char>(byte));
        unit_ = Unit::kTable;
    }
}

void CsvLexer::write(std::string_view chunk) {
    if (begun_) return text(chunk);
    head_.append(chunk);
    if (head_.size() >= 4) begin(std::exchange(head_, {}));
}

void CsvLexer::begin(std::string_view head) {
    begun_ = true;
    std::size_t mark = 0;
    if (head.starts_with(kCsvUtf8Mark)) {
        unit_ = Unit::kUtf8;
        mark = 3;
    } else if (head.starts_with("\xFF\xFE")) {
        unit_ = Unit::kUtf16Little;
        mark = 2;
    } else if (head.starts_with("\xFE\xFF")) {
        unit_ = Unit::kUtf16Big;
        mark = 2;
    }
    offset_at_ = mark;
    text(head.substr(mark));
}

void CsvLexer::finish() {
    if (!begun_) begin(std::exchange(head_, {}));
    if (!half_.empty())
        broken_stream("CSV-014", "the UTF-16 text ends in the middle of a character", "an even number of bytes");
    if (!delimiter_known_) choose_delimiter({}, true);
    if (state_ == State::kQuoted) {
        broken_stream("CSV-003", "a quote is open at the end of the file",
                      "a closing quote in the row that begins at this line");
    }
    static const char none = 0;  // outlives the call: measured_ and raw_from_ point to it
    measured_ = raw_from_ = &none;
    if (state_ == State::kRowEnd) {
        deliver();
    } else if (state_ != State::kRowStart) {
        end_row(&none, &none);
        deliver();
    }
}

void CsvLexer::resume(std::uint64_t offset, std::uint64_t line) {
    head_.clear();
    first_line_.clear();
    half_.clear();
    clear_row();
    begun_ = true;
    state_ = State::kRowStart;
    offset_at_ = offset;
    line_ = line;
}

void CsvLexer::text(std::string_view bytes) {
    std::string decoded;
    bool whole = true;
    if (unit_ == Unit::kUtf16Little || unit_ == Unit::kUtf16Big) {
        whole = decode_utf16(bytes, decoded);
        bytes = decoded;
    }
    if (delimiter_known_) {
        scan(bytes);
    } else {
        choose_delimiter(bytes, !whole);
    }
    // The rows before the broken place were delivered.
    if (!whole) broken_stream("CSV-014", "half of a UTF-16 surrogate pair stands alone", "UTF-16 without errors");
}

// False at a half pair: out holds the text before it.
bool CsvLexer::decode_utf16(std::string_view bytes, std::string& out) {
    std::string source = std::exchange(half_, {});
    source.append(bytes);
    out.reserve(source.size());
    const bool little = unit_ == Unit::kUtf16Little;
    const auto unit = [&](std::size_t i) {
        const auto a = static_cast<unsigned char>(source[i]);
        const auto b = static_cast<unsigned char>(source[i + 1]);
        return static_cast<std::uint32_t>(little ? a | b << 8 : b | a << 8);
    };
    std::size_t i = 0;
    while (i + 2 <= source.size()) {
        const std::uint32_t first = unit(i);
        if (first < 0xD800 || first > 0xDFFF) {
            append_utf8(out, first);
            i += 2;
            continue;
        }
        if (first >= 0xDC00) return false;
        if (i + 4 > source.size()) break;
        const std::uint32_t second = unit(i + 2);
        if (second < 0xDC00 || second > 0xDFFF) return false;
        append_utf8(out, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        i += 4;
    }
    half_ = source.substr(i);
    return true;
}

void CsvLexer::choose_delimiter(std::string_view bytes, bool last) {
    first_line_.append(bytes);
    if (!last && first_line_.size() <= kCsvFirstLine && count_lines(first_line_) < options_.header_line &&
        (options_.header_line > 1 || bytes.find('\r') == std::string_view::npos))
        return;
    std::array<std::size_t, kCsvDelimiters.size()> seen{};
    bool quoted = false;
    std::uint64_t above = options_.header_line - 1;
    bool ended = last || first_line_.size() > kCsvFirstLine;
    for (const char c : first_line_) {
        if (above != 0) {  // the header is further down
            above -= c == '\n' ? 1 : 0;
            continue;
        }
        if (options_.quote != '\0' && c == options_.quote) quoted = !quoted;
        if (quoted) continue;
        if (c == '\n' || c == '\r') {
            ended = true;
            break;
        }
        if (const std::size_t which = kCsvDelimiters.find(c); which != std::string_view::npos) ++seen[which];
    }
    if (!ended) return;
    const auto best = std::max_element(seen.begin(), seen.end());
    delimiter_ = *best == 0 ? ',' : kCsvDelimiters[static_cast<std::size_t>(best - seen.begin())];
    delimiter_known_ = true;
    scan(std::exchange(first_line_, {}));
}

// Bytes in the source of text between two places of one chunk.
std::uint64_t CsvLexer::source_size(const char* from, const char* to) const {
    if (unit_ == Unit::kUtf8 || unit_ == Unit::kTable) return static_cast<std::uint64_t>(to - from);
    std::uint64_t units = 0;
    for (; from != to; ++from) {
        const auto byte = static_cast<unsigned char>(*from);
        units += (byte & 0xC0) != 0x80 ? 1 : 0;
        units += byte >= 0xF0 ? 1 : 0;
    }
    return units * 2;
}

void CsvLexer::scan(std::string_view bytes) {
    const char* p = bytes.data();
    const char* const end = p + bytes.size();
    const char quote = options_.quote;
    const char delimiter = delimiter_;
    measured_ = p;
    raw_from_ = p;
    while (p != end) {
        switch (state_) {
            case State::kRowEnd:  // a carriage return was read
                if (*p == '\n') ++p;
                row_.next_offset = offset_at_ += source_size(measured_, p);
                measured_ = p;
                deliver();
                break;
            case State::kRowStart:
                offset_at_ += source_size(measured_, p);
                measured_ = raw_from_ = p;
                row_.offset = offset_at_;
                row_.line = line_;
                state_ = State::kFieldStart;
                break;
            case State::kFieldStart:
                if (*p == quote && quote != '\0') {
                    ++p;
                    state_ = State::kQuoted;
                } else {
                    state_ = State::kUnquoted;
                }
                break;
            case State::kUnquoted: {
                const char* const from = p;
                while (p != end && *p != delimiter && *p != '\n' && *p != '\r') ++p;
                add(from, p);
                if (p == end) break;
                if (*p == delimiter) {
                    end_field();
                    state_ = State::kFieldStart;
                    ++p;
                } else {
                    end_row(p, p + 1);
                    if (*p++ == '\n') deliver();
                }
                break;
            }
            case State::kQuoted: {
                const char* const from = p;
                const void* const found = std::memchr(p, quote, static_cast<std::size_t>(end - p));
                p = found != nullptr ? static_cast<const char*>(found) : end;
                line_ += count_lines({from, static_cast<std::size_t>(p - from)});
                add(from, p);
                if (p != end) {
                    ++p;
                    state_ = State::kQuoteInQuoted;
                }
                break;
            }
            case State::kQuoteInQuoted:
                if (*p == quote) {
                    add(p, p + 1);
                    ++p;
                    state_ = State::kQuoted;
                } else {
                    if (*p != delimiter && *p != '\n' && *p != '\r') {
                        mark("CSV-002", "text follows a closing quote", "a delimiter or the end of the line");
                    }
                    state_ = State::kUnquoted;
                }
                break;
        }
    }
    if (state_ == State::kRowEnd) {  // the row waits for what follows its carriage return
        if (row_.raw.data() != raw_kept_.data()) raw_kept_.assign(row_.raw);
        row_.raw = raw_kept_;
    } else if (state_ != State::kRowStart) {
        raw_size_ += static_cast<std::uint64_t>(end - raw_from_);
        if (raw_size_ <= options_.limits.row) {
            raw_kept_.append(raw_from_, end);
        } else {
            std::string().swap(raw_kept_);
        }
    }
    offset_at_ += source_size(measured_, end);
    measured_ = end;
}

void CsvLexer::add(const char* from, const char* to) {
    const auto size = static_cast<std::size_t>(to - from);
    const CsvLimits& limits = options_.limits;
    const std::size_t field = data_.size() - field_from_ + size;
    const bool field_full = field > limits.field;
    const bool row_full = data_.size() + size > limits.row;
    if (field_full || row_full) {
        const char* const code = field_full ? "CSV-006" : "CSV-007";
        std::string why = field_full ? "a field is too large" : "a row is too large";
        std::string most = "at most " + std::to_string(field_full ? limits.field : limits.row) + " bytes";
        if (state_ == State::kQuoted) broken_stream(code, why + ": was a quote left open?", std::move(most));
        mark(code, std::move(why), std::move(most));
        data_.resize(field_from_);  // what follows is only passed over
        return;
    }
    if (bad_ && problem_.code[6] >= '6') return;  // too large already
    data_.append(from, to);
}

void CsvLexer::mark(const char* code, std::string why, std::string expected) {
    if (bad_) return;
    bad_ = true;
    problem_ = {code, std::move(why), std::move(expected), ends_.size() + 1};
}

void CsvLexer::end_field() {
    if (ends_.size() >= options_.limits.columns) {
        mark("CSV-008", "a row has too many fields", "at most " + std::to_string(options_.limits.columns));
        data_.resize(field_from_);
        return;
    }
    ends_.push_back(data_.size());
    field_from_ = data_.size();
}

// terminator: the first byte of the line end; next: the byte behind it, as far as is known.
void CsvLexer::end_row(const char* terminator, const char* next) {
    end_field();
    const std::string_view tail(raw_from_, static_cast<std::size_t>(terminator - raw_from_));
    if (raw_size_ + tail.size() > options_.limits.row) {
        row_.raw = {};
    } else if (raw_size_ == 0) {
        row_.raw = tail;
    } else {
        raw_kept_.append(tail);
        row_.raw = raw_kept_;
    }
    offset_at_ += source_size(measured_, next);
    measured_ = next;
    row_.next_offset = offset_at_;
    row_.next_line = ++line_;
    state_ = State::kRowEnd;
}

void CsvLexer::deliver() {
    state_ = State::kRowStart;
    if (!bad_) judge_row();
    fields_.clear();
    if (!bad_) {
        const std::string_view rest = unit_ == Unit::kTable && !recoded_.empty() ? recoded_ : data_;
        std::size_t from = 0;
        for (const std::size_t to : ends_) {
            fields_.push_back(rest.substr(from, to - from));
            from = to;
        }
    }
    row_.fields = &fields_;
    on_row_(row_, bad_ ? &problem_ : nullptr);
    clear_row();
}

void CsvLexer::clear_row() {
    bad_ = false;
    data_.clear();
    ends_.clear();
    recoded_.clear();
    field_from_ = 0;
    raw_kept_.clear();
    raw_size_ = 0;
}

void CsvLexer::judge_row() {
    if (unit_ == Unit::kTable) recode_row();
    if (bad_) return;
    const std::string_view all = unit_ == Unit::kTable && !recoded_.empty() ? recoded_ : data_;
    const TextCheck check = check_text(all);
    if (check) return;
    bad_ = true;
    problem_ = {"CSV-005", "a field is not UTF-8", "UTF-8, or the file's encoding in the route (windows-1252?)", 0};
    if (check.fault == TextFault::kForbidden) {
        problem_ = {"CSV-004", "a field holds a character that XML cannot carry", "no control characters but tab and line ends",
                    0};
        if (all[check.offset] == '\0') {
            problem_.why = "a field holds a NUL byte";
            problem_.expected = "text; is the file UTF-16 without a mark?";
        }
    }
    problem_.column = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), check.offset) - ends_.begin()) + 1;
}

// Single-byte text -> UTF-8, only when it holds more than ASCII.
void CsvLexer::recode_row() {
    if (std::none_of(data_.begin(), data_.end(), [](char c) { return (c & 0x80) != 0; })) return;
    std::size_t from = 0;
    for (std::size_t k = 0; k < ends_.size(); ++k) {
        for (; from < ends_[k]; ++from) {
            const auto byte = static_cast<unsigned char>(data_[from]);
            if (byte < 0x80) {
                recoded_.push_back(data_[from]);
            } else if (table_[byte - 0x80] == 0) {
                bad_ = true;
                problem_ = {"CSV-005", "a byte is no character of " + csv_lower(options_.encoding), "the encoding of the file",
                            k + 1};
                return;
            } else {
                append_utf8(recoded_, table_[byte - 0x80]);
            }
        }
        ends_[k] = recoded_.size();
    }
}

void CsvLexer::broken_stream(const char* code, std::string why, std::string expected) const {
    Where where;
    where.file = options_.file;
    where.line = state_ == State::kRowStart ? line_ : row_.line;
    where.offset = static_cast<std::int64_t>(state_ == State::kRowStart ? offset_at_ : row_.offset);
    Error error(Fault::kPoison, code, "reading CSV", std::move(where), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

}  // namespace clrbus
