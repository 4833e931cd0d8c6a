#include "formats/x12_set.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "formats/text.hpp"
#include "formats/x12_value.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kX12Said = 12;  // segments in "expected"

bool x12_is_segment_id(std::string_view id) {
    if (id.size() < 2 || id.size() > 3 || id[0] < 'A' || id[0] > 'Z') return false;
    return std::all_of(id.begin(), id.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

void x12_numbered(std::string& out, std::string_view id, std::size_t number) {
    out.assign(id);
    if (number < 10) out += '0';
    out += std::to_string(number);
}

// Without the blanks that fill an element of ISA.
std::string_view x12_trimmed(std::string_view text) {
    const std::size_t last = text.find_last_not_of(' ');
    return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace

std::string_view x12_element_of(std::string_view segment, char separator, std::size_t number) {
    for (; number != 0; --number) {
        const std::size_t end = segment.find(separator);
        if (end == std::string_view::npos) return {};
        segment.remove_prefix(end + 1);
    }
    return segment.substr(0, segment.find(separator));
}

void x12_describe(TreeBuilder& builder, const X12Delimiters& delimiters, std::string_view line_end) {
    builder.attribute("element", x12_shown(delimiters.element));
    builder.attribute("segment", x12_shown(delimiters.segment));
    if (!line_end.empty()) builder.attribute("line-end", line_end.size() == 2 ? "crlf" : line_end == "\r" ? "cr" : "lf");
}

struct X12SetReader::Now {
    TreeBuilder& builder;
    const X12Delimiters& delimiters;
    std::string_view text;     // of the segment
    std::uint64_t number = 0;  // in the set, ST is 1; 0 in an envelope
    std::uint64_t offset = 0, line = 1;
    const X12Place* place = nullptr;
    const X12Set* set = nullptr;
    std::string_view control;  // ST02
    std::string_view id() const { return text.substr(0, text.find(delimiters.element)); }
};

X12SetReader::X12SetReader(const X12Options& options) : options_(options) {
    if (is_utf8_name(options_.encoding)) return;
    table_ = SingleByte::find(options_.encoding);
    if (!table_ || !table_->contains_ascii()) {
        throw Error(Fault::kConfig, "X12-009", "reading X12", "encoding '" + options_.encoding + "' cannot be read")
            .expected("utf-8, windows-1252, iso-8859-1 or another single-byte encoding that contains ASCII");
    }
}

void X12SetReader::segment(TreeBuilder& builder, std::string_view text, const X12Delimiters& delimiters, const Where& where) {
    Now now{.builder = builder,
            .delimiters = delimiters,
            .text = text,
            .offset = static_cast<std::uint64_t>(where.offset),
            .line = where.line};
    builder.line(where.line);
    write(now, nullptr);
}

void X12SetReader::set(TreeBuilder& builder, std::string_view raw, const X12Delimiters& delimiters, const X12Place& place) {
    Now now{.builder = builder, .delimiters = delimiters, .offset = place.offset, .line = place.line, .place = &place};
    const bool recoded = table_ != nullptr;
    const std::string_view text = decoded(raw, delimiters, place);
    std::uint64_t count = 0;
    for (std::size_t at = 0; at < text.size();) {
        while (at < text.size() && (text[at] == '\r' || text[at] == '\n') && text[at] != delimiters.segment) {
            now.line += text[at] == '\n' ? 1 : 0;
            ++at;
        }
        if (at == text.size()) break;
        const std::size_t end = std::min(text.find(delimiters.segment, at), text.size());
        now.text = text.substr(at, end - at);
        now.number = ++count;
        now.offset = recoded ? place.offset : place.offset + at;
        builder.line(now.line);
        if (!x12_is_segment_id(now.id()))
            fail(now, "X12-005", {}, "this is no segment", "an id of 2 or 3 capital letters and digits");
        if (count == 1) {
            begin(now);
        } else if (now.id() == "SE") {
            this->end(now, count);
        } else {
            in_set(now);
        }
        now.line += count_lines(now.text) + (delimiters.segment == '\n' ? 1 : 0);
        at = end + 1;
    }
}

// The set as UTF-8; one look for the whole.
std::string_view X12SetReader::decoded(std::string_view raw, const X12Delimiters& delimiters, const X12Place& place) {
    std::size_t bad = 0;
    std::string_view text = raw;
    const char* why = nullptr;
    if (table_ != nullptr) {
        decoded_.clear();
        if (!table_->decode(raw, decoded_, bad)) why = "a byte is no character of the encoding";
        text = decoded_;
    }
    if (why == nullptr) {
        // A delimiter may be a control character; in text it would be refused when the tree is built.
        for (std::size_t from = 0; from < text.size() && why == nullptr;) {
            const TextCheck ok = check_text(text.substr(from));
            if (ok) break;
            bad = from + ok.offset;
            const char c = text[bad];
            const bool delimiter = c == delimiters.element || c == delimiters.component || c == delimiters.segment ||
                                   (delimiters.repetition != '\0' && c == delimiters.repetition);
            if (ok.fault == TextFault::kNotUtf8) why = "the text is not UTF-8";
            if (ok.fault == TextFault::kForbidden && !delimiter) why = "a control character";
            from = bad + 1;
        }
    }
    if (why == nullptr) return text;
    Where where;
    where.file = options_.file;
    where.offset = static_cast<std::int64_t>(place.offset + bad);
    where.line = place.line + count_lines(raw.substr(0, std::min(bad, raw.size())));
    Error error(Fault::kPoison, "X12-009", "reading X12", std::move(where), why);
    error.expected("printable text in UTF-8, or the file's encoding in the route (windows-1252?)");
    throw error;
}

void X12SetReader::begin(Now& now) {
    const char separator = now.delimiters.element;
    const std::string id(x12_element_of(now.text, separator, 1));
    now.control = x12_element_of(now.text, separator, 2);
    now.builder.start("transaction");
    if (now.id() != "ST") fail(now, "X12-006", {}, "a segment outside of a transaction set", "ST or GE");
    const bool three = id.size() == 3 && std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!three) fail(now, "X12-014", "ST01", "the kind of transaction set is missing or wrong", "three digits");
    if (now.control.size() < 4 || now.control.size() > 9)
        fail(now, "X12-015", "ST02", "the control number is missing, too short or too long", "4 to 9 characters");
    frames_.clear();
    if (options_.tables != nullptr) {
        now.set = options_.tables->find(id, now.place->version);
        if (now.set == nullptr)
            fail(now, "X12-010", "ST01", "there is no table for set " + id + " in the release that GS08 names",
                 "a set of the route's tables");
        if (!now.set->group.empty() && now.set->group != now.place->group_code)
            fail(now, "X12-019", "ST01", "set " + id + " stands in a group of another kind",
                 "a group with GS01 " + now.set->group);
        frames_.push_back({&now.set->items});
    }
    now.builder.attribute("set", id);
    write(now, nullptr);
}

void X12SetReader::in_set(Now& now) {
    if (now.set == nullptr) return write(now, nullptr);
    write(now, place(now).segment);
}

// Finds where the segment stands: onward from here in the innermost loop, else in the loops around it.
const X12Item& X12SetReader::place(Now& now) {
    const std::string_view id = now.id();
    bool full = false;
    for (std::size_t depth = frames_.size(); depth-- > 0;) {
        const Frame& frame = frames_[depth];
        for (std::size_t i = frame.at; i < frame.items->size(); ++i) {
            const X12Item& item = (*frame.items)[i];
            if (item.id != id) continue;
            if ((i == frame.at ? frame.count : 0) >= item.max) {
                full = true;
                continue;
            }
            while (frames_.size() > depth + 1) leave(now);
            require(now, frames_[depth], i);
            Frame& here = frames_[depth];
            here.count = i == here.at ? here.count + 1 : 1;
            here.at = i;
            if (!item.is_loop()) return item;
            now.builder.start(item.loop_name);
            frames_.push_back({&item.items, 0, 1});
            return item.items.front();
        }
    }
    if (full) fail(now, "X12-012", {}, "the segment or its loop occurs too often here", allowed());
    fail(now, "X12-011", {}, "the segment is not allowed here", allowed());
}

// Everything up to `until` has been passed: what had to be there is there.
void X12SetReader::require(Now& now, const Frame& frame, std::size_t until) {
    for (std::size_t i = frame.at; i < until; ++i) {
        const X12Item& item = (*frame.items)[i];
        const std::size_t count = i == frame.at ? frame.count : 0;
        if (count >= item.min) continue;
        const std::string what = item.is_loop() ? "loop " + item.id : "segment " + item.id;
        fail(now, "X12-013", {}, what + " is missing before this segment",
             item.min == 1 ? item.id : "at least " + std::to_string(item.min) + " of " + item.id);
    }
}

void X12SetReader::leave(Now& now) {
    require(now, frames_.back(), frames_.back().items->size());
    frames_.pop_back();
    now.builder.end();
}

void X12SetReader::end(Now& now, std::size_t count) {
    const char separator = now.delimiters.element;
    while (frames_.size() > 1) leave(now);
    if (!frames_.empty()) require(now, frames_.back(), frames_.back().items->size());
    const std::string_view said = x12_element_of(now.text, separator, 1);
    std::size_t number = 0;
    const auto read = std::from_chars(said.data(), said.data() + said.size(), number);
    if (said.empty() || read.ec != std::errc{} || read.ptr != said.data() + said.size() || number != count)
        fail(now, "X12-008", "SE01", "the number of segments is not what was sent", std::to_string(count));
    if (x12_element_of(now.text, separator, 2) != now.control)
        fail(now, "X12-007", "SE02", "the control number is not that of ST", "the control number in ST02");
    write(now, nullptr);
    now.builder.end();
}

void X12SetReader::write(Now& now, const X12SegmentSpec* spec) {
    // check_text lets pass what XML can carry.
    for (const char c : {'\t', '\r', '\n'}) {
        if (now.text.find(c) != std::string_view::npos && c != now.delimiters.element && c != now.delimiters.component &&
            c != now.delimiters.repetition)
            fail(now, "X12-009", {}, "a tab or a line end inside the segment", "printable text");
    }
    const std::string_view id = now.id();
    now.builder.start(id);
    std::string_view rest = now.text.substr(id.size());
    std::size_t number = 0;
    while (!rest.empty()) {
        rest.remove_prefix(1);
        const std::size_t end = std::min(rest.find(now.delimiters.element), rest.size());
        if (++number > options_.limits.elements)
            fail(now, "X12-018", {}, "the segment has too many elements",
                 "at most " + std::to_string(options_.limits.elements));
        if (spec == nullptr) {
            std::string name;
            x12_numbered(name, id, number);
            element(now, rest.substr(0, end), name, nullptr);
        } else {
            if (number > spec->uses.size())
                fail(now, "X12-018", {}, "the segment has too many elements", "at most " + std::to_string(spec->uses.size()));
            const X12Use& use = spec->uses[number - 1];
            element(now, rest.substr(0, end), use.name, &use);
        }
        rest.remove_prefix(end);
    }
    if (spec != nullptr) {
        for (std::size_t i = number; i < spec->uses.size(); ++i) {
            if (spec->uses[i].required)
                fail(now, "X12-014", spec->uses[i].name, "a mandatory element is missing", spec->uses[i].element->name);
        }
    }
    now.builder.end();
}

void X12SetReader::element(Now& now, std::string_view text, const std::string& name, const X12Use* use) {
    const char repetition = now.delimiters.repetition;
    if (text.empty() && use != nullptr && use->required)
        fail(now, "X12-014", name, "a mandatory element is missing", use->element->name);
    if (repetition == '\0' || now.number == 0 || text.find(repetition) == std::string_view::npos)
        return value(now, text, name, use);
    for (std::size_t count = 1;; ++count) {
        const std::size_t end = text.find(repetition);
        if (count > (use != nullptr ? use->repeat : options_.limits.elements))
            fail(now, "X12-018", name, "the element is repeated too often",
                 use != nullptr ? "at most " + std::to_string(use->repeat)
                                : "at most " + std::to_string(options_.limits.elements));
        value(now, text.substr(0, end), name, use);
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
    }
}

void X12SetReader::value(Now& now, std::string_view text, const std::string& name, const X12Use* use) {
    const char separator = now.delimiters.component;
    // An envelope has no composites, and ISA16 is the separator itself.
    const bool several = now.number != 0 && text.find(separator) != std::string_view::npos;
    const bool composite = use != nullptr && use->element->type == X12Element::Type::kComposite;
    if (several && use != nullptr && !composite) fail(now, "X12-018", name, "the element has components", "one value");
    if (!several && (!composite || text.empty())) {
        if (use != nullptr && !text.empty()) check(now, text, name, *use);
        if (now.number == 0 && now.id() == "ISA") text = x12_trimmed(text);
        if (now.number == 0 && text.size() > 1 && !check_text(text))
            fail(now, "X12-009", name, "the element is not text in UTF-8", "printable ASCII");
        now.builder.start(name);
        if (now.number == 0 && text.size() == 1) {
            now.builder.text(x12_shown(text[0]));
        } else if (!text.empty()) {
            now.builder.text(text);
        }
        return now.builder.end();
    }
    const auto* parts = composite ? &use->element->parts : nullptr;
    now.builder.start(name);
    std::size_t number = 0;
    for (bool more = true; more;) {
        const std::size_t end = text.find(separator);
        const std::string_view part = text.substr(0, end);
        const std::size_t most = parts != nullptr ? parts->size() : options_.limits.elements;
        if (++number > most)
            fail(now, "X12-018", name, "the element has too many components", "at most " + std::to_string(most));
        const std::string part_name = name + "-" + std::to_string(number);
        if (parts != nullptr) {
            const X12Use& wanted = (*parts)[number - 1];
            if (part.empty() && wanted.required)
                fail(now, "X12-014", part_name, "a mandatory component is missing", wanted.element->name);
            if (!part.empty()) check(now, part, part_name, wanted);
        }
        now.builder.start(part_name);
        if (!part.empty()) now.builder.text(part);
        now.builder.end();
        more = end != std::string_view::npos;
        if (more) text.remove_prefix(end + 1);
    }
    for (std::size_t i = number; parts != nullptr && i < parts->size(); ++i) {
        if ((*parts)[i].required)
            fail(now, "X12-014", name + "-" + std::to_string(i + 1), "a mandatory component is missing",
                 (*parts)[i].element->name);
    }
    now.builder.end();
}

void X12SetReader::check(Now& now, std::string_view text, const std::string& name, const X12Use& use) const {
    std::string expected;
    const char* const code = x12_check_value(use, text, expected);
    if (code == nullptr) return;
    const std::string what = use.element->id + (use.element->name.empty() ? "" : ", " + use.element->name);
    fail(now, code, name, "the element is not what it must be (element " + what + ")", expected);
}

// What could stand here, for people.
std::string X12SetReader::allowed() const {
    std::string out;
    std::size_t said = 0;
    for (std::size_t depth = frames_.size(); depth-- > 0;) {
        const Frame& frame = frames_[depth];
        bool stop = false;
        for (std::size_t i = frame.at; i < frame.items->size() && !stop; ++i) {
            const X12Item& item = (*frame.items)[i];
            const std::size_t count = i == frame.at ? frame.count : 0;
            if (count >= item.max) continue;
            if (++said > kX12Said) return out + " …";
            out += (out.empty() ? "" : ", ") + item.id;
            stop = count < item.min;  // nothing behind it may come first
        }
        if (stop) return out;
    }
    return out + (out.empty() ? "SE" : ", SE");
}

void X12SetReader::fail(const Now& now, const char* code, const std::string& name, std::string why,
                        std::string expected) const {
    Where where;
    where.file = options_.file;
    where.line = now.line;
    where.offset = static_cast<std::int64_t>(now.offset);
    where.path = now.builder.path();
    const std::string_view id = now.id();
    const std::string shown = x12_is_segment_id(id) ? std::string(id) : std::string();
    if (!shown.empty() && !where.path.ends_with("/" + shown) && where.path.find("/" + shown + "[") == std::string::npos)
        where.path += "/" + shown;
    if (!name.empty() && !where.path.ends_with("/" + name)) where.path += "/" + name;
    if (now.number != 0) why = "segment " + std::to_string(now.number) + (shown.empty() ? "" : " (" + shown + ")") + ": " + why;
    Error error(Fault::kPoison, code, "reading X12", std::move(where), std::move(why));
    if (!expected.empty()) error.expected(std::move(expected));
    throw error;
}

}  // namespace clrbus
