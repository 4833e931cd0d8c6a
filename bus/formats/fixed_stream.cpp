#include "formats/fixed_stream.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "formats/encoding.hpp"
#include "formats/fixed_value.hpp"
#include "formats/text.hpp"

namespace clrbus {
namespace {

bool fixed_is_ascii(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; });
}

}  // namespace

std::string_view fixed_columns(std::string_view text, std::size_t from, std::size_t length) {
    if (fixed_is_ascii(text)) return from >= text.size() ? std::string_view() : text.substr(from, length);
    std::size_t column = 0, begin = text.size(), end = text.size();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
        if (column == from) begin = i;
        if (column == from + length) {
            end = i;
            break;
        }
        ++column;
    }
    return begin > end ? std::string_view() : text.substr(begin, end - begin);
}

FixedStream::FixedStream(const FixedOptions& options, FixedSink& sink, bool needs_trailer)
    : options_(options),
      layout_(*options_.layout),
      sink_(sink),
      needs_trailer_(needs_trailer),
      lines_(options_, [this](const FixedLine& line) { take(line); }) {
    if (layout_.trailer() != FixedRecord::kNone) totals_.resize(layout_.records()[layout_.trailer()].totals.size());
}

Error FixedStream::error(const char* code, const FixedLine& line, std::string why, std::string expected) const {
    Where where;
    where.file = options_.file;
    where.line = line.line;
    where.offset = static_cast<std::int64_t>(line.offset);
    Error out(Fault::kPoison, code, "reading fixed width", std::move(where), std::move(why));
    if (!expected.empty()) out.expected(std::move(expected));
    return out;
}

// The line's text as UTF-8. False: why says what is wrong.
bool FixedStream::decode(const FixedLine& line, std::string& out, Error* why) const {
    out.clear();
    if (line.too_large) {
        *why = error("FIX-007", line, "the line is too large", "at most " + std::to_string(options_.limits.line) + " bytes");
        return false;
    }
    std::size_t bad = 0;
    const char* what = nullptr;
    if (const SingleByte* table = layout_.encoding()) {
        if (!table->decode(line.raw, out, bad)) what = "a byte is no character of the encoding";
    } else {
        out = line.raw;
    }
    if (what == nullptr) {
        const TextCheck ok = check_text(out);
        if (ok) return true;
        bad = ok.offset;
        what = ok.fault == TextFault::kNotUtf8 ? "the line is not UTF-8" : "the line holds a control character";
    }
    *why = error("FIX-005", line, what, "text in the encoding of the layout");
    why->where().column = bad + 1;
    return false;
}

std::size_t FixedStream::kind_of(std::string_view text) const {
    const auto& records = layout_.records();
    for (std::size_t i = 0; i < records.size(); ++i) {
        const auto& matches = records[i].matches;
        if (std::all_of(matches.begin(), matches.end(), [&](const FixedRecord::Match& m) {
                return fixed_columns(text, m.from, fixed_characters(m.value)) == m.value;
            }))
            return i;
    }
    return FixedRecord::kNone;
}

void FixedStream::take(const FixedLine& line) {
    Error why(Fault::kPoison, "", "", "");
    const bool readable = decode(line, text_, &why);
    if (readable && layout_.line_end() != FixedLayout::LineEnd::kNone && text_.find_first_not_of(" \x1A") == std::string::npos)
        return;  // blank
    if (ended_) throw error("FIX-006", line, "a line follows the trailer", "the end of the file");
    const std::size_t kind = readable ? kind_of(text_) : FixedRecord::kNone;
    const bool first = std::exchange(first_, false);
    if (first && layout_.header() != FixedRecord::kNone && kind != layout_.header()) {
        if (!readable) throw Error(why);
        throw error("FIX-006", line, "the file does not begin with its header",
                    "record '" + layout_.records()[layout_.header()].name + "'");
    }
    if (!readable) return give_broken(line, why);
    if (kind == FixedRecord::kNone)
        return give_broken(
            line, error("FIX-002", line, "the line is of no kind that the layout knows", "a line that a record matches"));
    const FixedRecord& record = layout_.records()[kind];
    const std::size_t characters = fixed_characters(text_);
    const std::size_t most = layout_.length() != 0 ? layout_.length() : record.width;
    if (characters > most &&
        (layout_.length() != 0 || fixed_columns(text_, most, characters).find_first_not_of(' ') != std::string_view::npos))
        return give_broken(line, error("FIX-001", line, "the line has " + std::to_string(characters) + " columns",
                                       "at most " + std::to_string(most)));
    const std::size_t least = layout_.length() != 0 ? layout_.length() : record.width;
    if (characters < least && (!layout_.pads_short_lines() || layout_.line_end() == FixedLayout::LineEnd::kNone))
        return give_broken(
            line, error("FIX-001", line, "the line has " + std::to_string(characters) + " columns", std::to_string(least)));
    if (kind == layout_.header() && first) return take_header(line, text_);
    if (kind == layout_.trailer()) return take_trailer(line, text_);
    if (kind == layout_.header()) return give_broken(line, error("FIX-006", line, "a second header", "one, at the beginning"));
    body(line, text_, kind);
}

void FixedStream::body(const FixedLine& line, std::string_view text, std::size_t kind) {
    const std::size_t parent = layout_.records()[kind].parent;
    if (parent == FixedRecord::kNone) {
        flush(line.offset, line.line);
        begin(line);
        return add(line, text, kind);
    }
    // The parent is the last line of that kind, with nothing but its own between.
    bool found = false;
    if (open_) {
        for (std::size_t at = unit_.lines.back().record; at != FixedRecord::kNone && !found; at = layout_.records()[at].parent)
            found = at == parent;
    }
    if (!found && !large_)
        return give_broken(line, error("FIX-006", line, "a line that belongs to none before it",
                                       "record '" + layout_.records()[parent].name + "' above it"));
    add(line, text, kind);
}

void FixedStream::begin(const FixedLine& line) {
    unit_.number = number_++;
    unit_.offset = line.offset;
    unit_.text.clear();
    unit_.raw.clear();
    unit_.lines.clear();
    open_ = true;
    large_ = false;
}

void FixedStream::add(const FixedLine& line, std::string_view text, std::size_t kind) {
    if (large_ || unit_.text.size() + text.size() > options_.limits.record) {
        large_ = true;
        std::string().swap(unit_.text);
        std::string().swap(unit_.raw);
        unit_.lines.resize(std::min<std::size_t>(unit_.lines.size(), 1));
        return;
    }
    unit_.lines.push_back({unit_.text.size(), text.size(), kind, line.offset, line.line});
    unit_.text += text;
    unit_.raw += line.raw;
    if (layout_.line_end() != FixedLayout::LineEnd::kNone) unit_.raw += '\n';
}

void FixedStream::flush(std::uint64_t next_offset, std::uint64_t next_line) {
    if (!std::exchange(open_, false)) return;
    if (large_) {
        broken_ = true;
        set_next(next_offset, next_line);
        FixedLine at;
        at.offset = unit_.offset;
        at.line = unit_.lines.empty() ? 0 : unit_.lines.front().line;
        Error why = error("FIX-007", at, "the record with what belongs to it is too large",
                          "at most " + std::to_string(options_.limits.record) + " bytes");
        why.where().row = unit_.number;
        return sink_.unit(unit_, &why);
    }
    count(unit_);
    set_next(next_offset, next_line);
    sink_.unit(unit_, nullptr);
}

// A line alone that is wrong; what is open before it is whole.
void FixedStream::give_broken(const FixedLine& line, const Error& why) {
    flush(line.offset, line.line);
    broken_ = true;
    begin(line);
    open_ = false;
    unit_.raw = line.raw;
    if (layout_.line_end() != FixedLayout::LineEnd::kNone && !unit_.raw.empty()) unit_.raw += '\n';
    set_next(lines_.offset(), lines_.line());
    Error error = why;
    error.where().row = unit_.number;
    sink_.unit(unit_, &error);
}

void FixedStream::take_header(const FixedLine& line, std::string_view text) {
    if (line.raw.size() > options_.limits.header)
        throw error("FIX-007", line, "the header is too large", "at most " + std::to_string(options_.limits.header) + " bytes");
    begin(line);
    --number_;
    add(line, text, layout_.header());
    open_ = false;
    header_raw_ = unit_.raw;
    sink_.header(unit_);
}

void FixedStream::take_trailer(const FixedLine& line, std::string_view text) {
    flush(line.offset, line.line);
    begin(line);
    --number_;
    add(line, text, layout_.trailer());
    open_ = false;
    ended_ = true;
    const FixedRecord& record = layout_.records()[layout_.trailer()];
    for (std::size_t i = 0; i < record.totals.size() && !broken_; ++i) {
        const FixedTotal& total = record.totals[i];
        const FixedField& spec = record.fields[total.field];
        value_.clear();
        const FixedFault fault = fixed_read_value(spec, fixed_columns(text, spec.from, spec.length), value_);
        const auto said = fault ? std::nullopt : fixed_scaled(value_, spec.decimals);
        if (said && *said == totals_[i]) continue;
        Error why = error("FIX-008", line, "a total is not what was sent",
                          total.sum.empty() ? fixed_unscaled(totals_[i], spec.decimals) + " of " + total.of
                                            : "the sum of " + total.of + "/" + total.sum);
        why.where().path = "/file/" + record.name + "/" + spec.name;
        why.where().column = spec.from + 1;
        throw why;
    }
    sink_.trailer(unit_);
}

// Into the totals of the trailer.
void FixedStream::count(const FixedUnit& unit) {
    if (totals_.empty()) return;
    const FixedRecord& trailer = layout_.records()[layout_.trailer()];
    for (std::size_t i = 0; i < totals_.size(); ++i) {
        const FixedTotal& total = trailer.totals[i];
        const std::size_t decimals = trailer.fields[total.field].decimals;
        std::int64_t one = 1;  // a count in a field with decimals
        for (std::size_t k = 0; k < decimals; ++k) one *= 10;
        for (const FixedUnit::Line& line : unit.lines) {
            const FixedRecord& record = layout_.records()[line.record];
            if (total.of != "*" && total.of != record.name) continue;
            if (total.sum.empty()) {
                totals_[i] += one;
                continue;
            }
            const auto spec = std::find_if(record.fields.begin(), record.fields.end(),
                                           [&](const FixedField& f) { return f.name == total.sum; });
            value_.clear();
            const std::string_view text = std::string_view(unit.text).substr(line.from, line.size);
            if (fixed_read_value(*spec, fixed_columns(text, spec->from, spec->length), value_)) {
                broken_ = true;
                continue;
            }
            const auto value = fixed_scaled(value_, decimals);
            if (!value || __builtin_add_overflow(totals_[i], *value, &totals_[i])) broken_ = true;
        }
    }
}

void FixedStream::finish() {
    lines_.finish();
    if (first_) {
        FixedLine at;
        at.offset = 0;
        throw error("FIX-011", at, "the file is empty", "at least one line");
    }
    flush(lines_.offset(), lines_.line());
    if (ended_ || !needs_trailer_ || layout_.trailer() == FixedRecord::kNone) return;
    FixedLine at;
    at.offset = lines_.offset();
    at.line = lines_.line();
    throw error("FIX-006", at, "the file ends without its trailer",
                "record '" + layout_.records()[layout_.trailer()].name + "'");
}

void FixedStream::set_next(std::uint64_t offset, std::uint64_t line) {
    next_.record = number_;
    next_.offset = offset;
    next_.line = line;
    next_.state = broken_ ? "1" : "0";
    for (const std::int64_t total : totals_) next_.state += ' ' + std::to_string(total);
    next_.state += ' ';
    next_.state += header_raw_;
}

void FixedStream::resume(const StreamPosition& position) {
    if (position.record <= 1) return;
    const char* p = position.state.data();
    const char* const end = p + position.state.size();
    int broken = 0;
    bool right = true;
    const auto number = [&](auto& out) {
        const auto read = std::from_chars(p, end, out);
        right = right && read.ec == std::errc{} && read.ptr != end;
        p = read.ptr == end ? end : read.ptr + 1;
    };
    number(broken);
    for (std::int64_t& total : totals_) number(total);
    if (!right) throw Error(Fault::kPoison, "FIX-011", "reading fixed width", "the position to go on at is not one of ours");
    header_raw_.assign(p, end);
    broken_ = broken != 0;
    number_ = position.record;
    next_ = position;
    first_ = false;
    lines_.resume(position.offset, position.line);
    if (header_raw_.empty()) return;
    FixedLine line;
    line.raw = std::string_view(header_raw_);
    if (layout_.line_end() != FixedLayout::LineEnd::kNone) line.raw.remove_suffix(1);
    Error why(Fault::kPoison, "", "", "");
    if (!decode(line, text_, &why)) throw Error(why);
    take_header(FixedLine(line), text_);
}

void FixedStream::build(TreeBuilder& builder, const FixedUnit& unit) {
    std::vector<std::size_t> open;  // kinds
    for (const FixedUnit::Line& line : unit.lines) {
        const FixedRecord& record = layout_.records()[line.record];
        while (!open.empty() && open.back() != record.parent) {
            builder.end();
            open.pop_back();
        }
        builder.line(line.line);
        builder.start(record.name);
        open.push_back(line.record);
        const std::string_view text = std::string_view(unit.text).substr(line.from, line.size);
        for (const FixedField& spec : record.fields) field(builder, line, text, spec);
    }
    for (; !open.empty(); open.pop_back()) builder.end();
}

void FixedStream::field(TreeBuilder& builder, const FixedUnit::Line& line, std::string_view text, const FixedField& spec) {
    const std::string_view columns = fixed_columns(text, spec.from, spec.length);
    value_.clear();
    const FixedFault fault = fixed_read_value(spec, columns, value_);
    if (fault) {
        Where where;
        where.file = options_.file;
        where.path = builder.path() + "/" + spec.name;
        where.line = line.line;
        where.column = spec.from + 1;
        where.offset = static_cast<std::int64_t>(line.offset);
        const std::string_view code = fault.code;
        Error error(Fault::kPoison, code, "reading fixed width", std::move(where),
                    code == "FIX-003"   ? "a required field is empty"
                    : code == "FIX-012" ? "a value that is not in the list"
                                        : "the field is not what it must be");
        error.expected(fault.expected);
        throw error;
    }
    builder.start(spec.name);
    if (!value_.empty()) builder.text(value_);
    builder.end();
}

}  // namespace clrbus
