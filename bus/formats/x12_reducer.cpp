#include "formats/x12_reducer.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/error.hpp"
#include "formats/file_pass.hpp"
#include "formats/x12_scanner.hpp"

namespace clrbus {
namespace {

// Segments of bytes that the tables hold for right.
class X12Blanker {
public:
    X12Blanker(const std::vector<X12Drop>& drop, PieceWriter& out) : drop_(drop), out_(out) {}

    void write(std::string_view bytes) {
        for (const char c : bytes) take(c);
        flush();
    }
    void finish() {
        ready_ += text_;
        flush();
    }

private:
    void take(char c) {
        if (text_.empty() && (c == '\r' || c == '\n' || c == ' ' || (!inside_ && c != 'I'))) {
            ready_ += c;
            return;
        }
        text_ += c;
        if (!inside_) {
            if (text_.size() < kX12IsaSize) return;
            delimiters_ = x12_read_isa(text_, Where{});
            inside_ = true;
            ready_ += std::exchange(text_, {});
            return;
        }
        if (c != delimiters_.segment) return;
        text_.pop_back();
        if (text_.substr(0, text_.find(delimiters_.element)) == "IEA") inside_ = false;
        blank_out();
        ready_ += std::exchange(text_, {});
        ready_ += c;
    }

    void blank_out() {
        const std::string_view id = std::string_view(text_).substr(0, text_.find(delimiters_.element));
        if (std::none_of(drop_.begin(), drop_.end(), [&](const X12Drop& one) { return one.segment == id; })) return;
        std::vector<std::string> elements;
        for (std::size_t from = 0; from <= text_.size();) {
            const std::size_t to = std::min(text_.find(delimiters_.element, from), text_.size());
            elements.push_back(text_.substr(from, to - from));
            from = to + 1;
        }
        const std::vector<std::string> before = elements;
        for (const X12Drop& one : drop_) {
            if (one.segment != before[0] || one.element >= elements.size()) continue;
            if (one.where != 0 && (one.where >= before.size() || before[one.where] != one.is)) continue;
            elements[one.element].clear();
        }
        // A segment does not end with empty elements: those at its end go with their separators.
        if (elements != before) {
            while (elements.size() > 1 && elements.back().empty()) elements.pop_back();
        }
        text_ = elements[0];
        for (std::size_t i = 1; i < elements.size(); ++i) text_ += delimiters_.element + elements[i];
    }

    void flush() {
        out_.write(ready_);
        ready_.clear();
    }

    const std::vector<X12Drop>& drop_;
    PieceWriter& out_;
    std::string text_, ready_;  // the segment so far; what is to be written
    X12Delimiters delimiters_;
    bool inside_ = false;  // of an interchange
};

bool x12_drop_place(std::string_view text, std::string& segment, std::size_t& element) {
    if (text.size() < 4 || text.size() > 5) return false;
    segment = text.substr(0, text.size() - 2);
    const auto good = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    if (!std::all_of(segment.begin(), segment.end(), good)) return false;
    const auto read = std::from_chars(text.data() + text.size() - 2, text.data() + text.size(), element);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() && element > 0;
}

}  // namespace

std::optional<X12Drop> X12Drop::read(std::string_view text) {
    X12Drop out;
    std::string_view condition;
    if (const auto bracket = text.find('['); bracket != std::string_view::npos) {
        if (text.back() != ']') return std::nullopt;
        condition = text.substr(bracket + 1, text.size() - bracket - 2);
        text = text.substr(0, bracket);
        const auto equals = condition.find('=');
        std::string segment;
        if (equals == std::string_view::npos || equals + 1 == condition.size() ||
            !x12_drop_place(condition.substr(0, equals), segment, out.where) ||
            !x12_drop_place(text, out.segment, out.element) || segment != out.segment || out.where == out.element)
            return std::nullopt;
        out.is = condition.substr(equals + 1);
    } else if (!x12_drop_place(text, out.segment, out.element)) {
        return std::nullopt;
    }
    for (const char* envelope : {"ISA", "IEA", "GS", "GE", "ST", "SE", "TA1"}) {
        if (out.segment == envelope) return std::nullopt;
    }
    return out;
}

void reduce_x12_file(const X12Reduction& reduction, const std::filesystem::path& in, const std::filesystem::path& out) {
    const auto splitter = make_x12_splitter(
        reduction.x12, {[](std::uint64_t, std::uint64_t, std::string_view, Document) {},
                        [](std::uint64_t, std::uint64_t, std::string_view, const Error& error) { throw Error(error); }});
    read_pieces(in, [&](std::string_view piece) { splitter->write(piece); });
    splitter->finish();
    PieceWriter to(out);
    X12Blanker blanker(reduction.drop, to);
    read_pieces(in, [&](std::string_view piece) { blanker.write(piece); });
    blanker.finish();
}

}  // namespace clrbus
