#include "formats/x12_stream.hpp"

#include <charconv>
#include <utility>

namespace clrbus {
namespace {

constexpr std::size_t kX12LongestGs = 300;  // it is kept in notes

}  // namespace

X12Stream::X12Stream(const X12Options& options, X12Sink& sink)
    : options_(options), sink_(sink), scanner_(options_, [this](const X12Segment& segment) { take(segment); }) {}

std::string X12Stream::element(const X12Segment& segment, std::size_t number) const {
    return std::string(x12_element_of(segment.text, delimiters().element, number));
}

Error X12Stream::error(const char* code, const X12Segment& segment, std::string path, std::string why,
                       std::string expected) const {
    Where where;
    where.file = options_.file;
    where.path = std::move(path);
    where.line = segment.line;
    where.offset = static_cast<std::int64_t>(segment.offset);
    Error out(Fault::kPoison, code, "reading X12", std::move(where), std::move(why));
    out.expected(std::move(expected));
    return out;
}

void X12Stream::take(const X12Segment& segment) {
    const std::string_view id = segment.id(delimiters().element);
    switch (in_) {
        case In::kNothing:
            return begin_interchange(segment);
        case In::kInterchange:
            if (id == "GS") return begin_group(segment);
            if (id == "IEA") return end_interchange(segment);
            if (id == "TA1") return sink_.other(segment);
            throw error("X12-006", segment, "/interchange", "a segment that does not belong between the groups", "GS or IEA");
        case In::kGroup:
            if (id == "GE") return end_group(segment);
            if (id == "GS" || id == "IEA" || id == "ISA")
                throw error("X12-006", segment, "/interchange/group", "the group has no end", "GE");
            return begin_set(segment);
        case In::kSet:
            return in_set(segment, id);
    }
}

void X12Stream::begin_interchange(const X12Segment& segment) {
    isa_ = segment.text;
    in_ = In::kInterchange;
    groups_ = 0;
    seen_ = true;
    sink_.interchange(segment);
}

void X12Stream::begin_group(const X12Segment& segment) {
    const std::string path = "/interchange/group/GS";
    if (segment.text.size() > kX12LongestGs || segment.too_large)
        throw error("X12-004", segment, path, "GS is too long", "at most " + std::to_string(kX12LongestGs) + " bytes");
    for (const std::size_t needed : {1, 6, 8}) {
        if (element(segment, needed).empty())
            throw error("X12-014", segment, path + "/GS0" + std::to_string(needed), "a mandatory element is missing",
                        needed == 1   ? "Functional Identifier Code"
                        : needed == 6 ? "Group Control Number"
                                      : "Version / Release");
    }
    gs_ = segment.text;
    in_ = In::kGroup;
    ++groups_;
    sets_ = 0;
    place_.group_code = element(segment, 1);
    place_.version = element(segment, 8);
    sink_.group(segment);
}

void X12Stream::check_count(const X12Segment& segment, const char* path, std::uint64_t count, const char* what) const {
    const std::string said = element(segment, 1);
    std::uint64_t number = 0;
    const auto read = std::from_chars(said.data(), said.data() + said.size(), number);
    if (!said.empty() && read.ec == std::errc{} && read.ptr == said.data() + said.size() && number == count) return;
    throw error("X12-008", segment, path, std::string("the number of ") + what + " is not what was sent",
                std::to_string(count));
}

void X12Stream::end_group(const X12Segment& segment) {
    check_count(segment, "/interchange/group/GE/GE01", sets_, "transaction sets");
    if (element(segment, 2) != x12_element_of(gs_, delimiters().element, 6))
        throw error("X12-007", segment, "/interchange/group/GE/GE02", "the control number is not that of GS",
                    "the control number in GS06");
    in_ = In::kInterchange;
    sink_.end_of_group(segment);
}

void X12Stream::end_interchange(const X12Segment& segment) {
    check_count(segment, "/interchange/IEA/IEA01", groups_, "groups");
    if (element(segment, 2) != x12_element_of(isa_, delimiters().element, 13))
        throw error("X12-007", segment, "/interchange/IEA/IEA02", "the control number is not that of ISA",
                    "the control number in ISA13");
    in_ = In::kNothing;
    scanner_.end_interchange();
    sink_.end_of_interchange(segment);
}

void X12Stream::begin_set(const X12Segment& segment) {
    in_ = In::kSet;
    place_.offset = segment.offset;
    place_.line = segment.line;
    raw_.clear();
    raw_end_ = segment.offset;
    too_large_ = false;
    add(segment);
    if (segment.id(delimiters().element) == "SE") deliver(nullptr, nullptr);
}

void X12Stream::in_set(const X12Segment& segment, std::string_view id) {
    const bool envelope = id == "ST" || id == "GE" || id == "GS" || id == "IEA" || id == "ISA";
    if (!envelope) {
        add(segment);
        if (id == "SE") deliver(nullptr, nullptr);
        return;
    }
    const Error broken = error("X12-006", segment, "/interchange/group/transaction", "the transaction set has no end", "SE");
    deliver(&broken, &segment);
    take(segment);
}

void X12Stream::add(const X12Segment& segment) {
    // The line ends between segments are kept, so that offsets in the set are right.
    const std::uint64_t gap = segment.offset - raw_end_;
    raw_end_ = segment.next_offset;
    if (too_large_ || segment.too_large || raw_.size() + gap + segment.text.size() + 1 > options_.limits.set) {
        too_large_ = true;
        std::string().swap(raw_);
        return;
    }
    if (gap == scanner_.line_end().size()) {
        raw_ += scanner_.line_end();
    } else {
        raw_.append(gap, '\n');
    }
    raw_ += segment.text;
    raw_ += delimiters().segment;
}

// behind: the segment that showed that the set has no end; it is not of the set.
void X12Stream::deliver(const Error* broken, const X12Segment* behind) {
    in_ = In::kGroup;
    ++sets_;
    const std::uint64_t number = number_++;
    next_.record = number_;
    next_.offset = behind != nullptr ? behind->offset : raw_end_;
    next_.line = behind != nullptr ? behind->line : scanner_.line();
    next_.state = state();
    if (too_large_) {
        X12Segment at;
        at.offset = place_.offset;
        at.line = place_.line;
        const Error large =
            error("X12-004", at, "/interchange/group/transaction", "a segment or the transaction set is too large",
                  "at most " + std::to_string(options_.limits.segment) + " bytes a segment, " +
                      std::to_string(options_.limits.set) + " a set");
        return sink_.set(number, {}, place_, &large);
    }
    sink_.set(number, raw_, place_, broken);
}

void X12Stream::finish() {
    scanner_.finish();
    X12Segment end;
    end.offset = scanner_.offset();
    end.line = scanner_.line();
    if (!seen_) throw error("X12-003", end, "", "the input is empty", "ISA");
    if (in_ == In::kNothing) return;
    const bool in_set = in_ == In::kSet, in_group = in_ == In::kGroup;
    throw error("X12-003", end,
                in_set     ? "/interchange/group/transaction"
                : in_group ? "/interchange/group"
                           : "/interchange",
                "the input ends before its envelope does",
                in_set     ? "SE"
                : in_group ? "GE"
                           : "IEA");
}

// Numbers, then the texts by their length.
std::string X12Stream::state() const {
    return std::to_string(groups_) + ' ' + std::to_string(sets_) + ' ' + std::to_string(scanner_.line_end().size()) + ' ' +
           isa_ + delimiters().segment + gs_;
}

void X12Stream::resume(const StreamPosition& position) {
    if (position.record <= 1) return;
    const std::string& text = position.state;
    const char* p = text.data();
    const char* const end = p + text.size();
    std::uint64_t line_end = 0;
    for (std::uint64_t* number : {&groups_, &sets_, &line_end}) {
        const auto read = std::from_chars(p, end, *number);
        p = read.ec == std::errc{} && read.ptr != end ? read.ptr + 1 : end;
    }
    if (static_cast<std::size_t>(end - p) <= kX12IsaSize)
        throw Error(Fault::kPoison, "X12-003", "reading X12", "the position to go on at is not one of ours");
    const std::string_view rest(p, static_cast<std::size_t>(end - p));
    Where where;
    where.file = options_.file;
    const X12Delimiters delimiters = x12_read_isa(rest.substr(0, kX12IsaSize), where);
    isa_ = rest.substr(0, kX12IsaSize - 1);
    gs_ = rest.substr(kX12IsaSize);
    place_.group_code = x12_element_of(gs_, delimiters.element, 1);
    place_.version = x12_element_of(gs_, delimiters.element, 8);
    number_ = position.record;
    next_ = position;
    in_ = In::kGroup;
    seen_ = true;
    scanner_.resume(position.offset, position.line, delimiters, line_end);
}

}  // namespace clrbus
