#include "formats/fixed_reducer.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "formats/encoding.hpp"
#include "formats/file_pass.hpp"
#include "formats/fixed_lines.hpp"
#include "formats/fixed_stream.hpp"
#include "formats/fixed_value.hpp"
#include "formats/text.hpp"

namespace clrbus {
namespace {

constexpr char kUnreadableLine = '\x01';

class FixedReducer {
public:
    FixedReducer(const FixedReduction& reduction, PieceWriter& out)
        : layout_(*reduction.fixed.layout), drop_(reduction.drop.begin(), reduction.drop.end()), out_(out) {
        if (const SingleByte* table = layout_.encoding(); table == nullptr || !table->encode(" ", blank_)) blank_ = " ";
    }

    void take(const FixedLine& line) {
        std::string text;
        const FixedRecord* record = nullptr;
        if (!line.too_large && decode(line.raw, text)) {
            if (layout_.line_end() != FixedLayout::LineEnd::kNone && text.find_first_not_of(" \x1A") == std::string::npos)
                return give({});
            record = readable(text);
        }
        if (record == nullptr) {
            ++unreadable_;
            const bool one_length = layout_.line_end() == FixedLayout::LineEnd::kNone;
            return give(std::string(one_length ? std::max<std::size_t>(line.raw.size(), 1) : 1, kUnreadableLine));
        }
        std::string raw(line.raw);
        // From the last one on, so that the places of those before it stay.
        std::vector<const FixedField*> fields;
        for (const FixedField& field : record->fields) {
            if (drop_.count(record->name + "." + field.name) != 0) fields.push_back(&field);
        }
        std::sort(fields.begin(), fields.end(), [](const auto* a, const auto* b) { return a->from > b->from; });
        for (const FixedField* field : fields) blank_out(raw, *field);
        give(raw);
    }
    std::size_t unreadable() const { return unreadable_; }

private:
    bool decode(std::string_view raw, std::string& text) const {
        std::size_t bad = 0;
        if (const SingleByte* table = layout_.encoding()) {
            if (!table->decode(raw, text, bad)) return false;
        } else {
            text = raw;
        }
        return static_cast<bool>(check_text(text));
    }

    // The record that the line is, when all of it is as the layout says; null otherwise.
    const FixedRecord* readable(std::string_view text) {
        for (const FixedRecord& record : layout_.records()) {
            const bool is = std::all_of(record.matches.begin(), record.matches.end(), [&](const FixedRecord::Match& m) {
                return fixed_columns(text, m.from, fixed_characters(m.value)) == m.value;
            });
            if (!is) continue;
            const std::size_t characters = fixed_characters(text);
            const std::size_t wanted = layout_.length() != 0 ? layout_.length() : record.width;
            if (characters > wanted &&
                (layout_.length() != 0 ||
                 fixed_columns(text, wanted, characters).find_first_not_of(' ') != std::string_view::npos))
                return nullptr;
            if (characters < wanted && (!layout_.pads_short_lines() || layout_.line_end() == FixedLayout::LineEnd::kNone))
                return nullptr;
            const bool holds = std::all_of(record.fields.begin(), record.fields.end(), [&](const FixedField& field) {
                value_.clear();
                return !fixed_read_value(field, fixed_columns(text, field.from, field.length), value_);
            });
            return holds ? &record : nullptr;
        }
        return nullptr;
    }

    void blank_out(std::string& raw, const FixedField& field) const {
        std::size_t from = field.from, size = field.length;
        if (layout_.encoding() == nullptr) {
            const std::string_view columns = fixed_columns(raw, field.from, field.length);
            if (columns.empty()) return;
            from = static_cast<std::size_t>(columns.data() - raw.data());
            size = columns.size();
        }
        if (from >= raw.size()) return;
        size = std::min(size, raw.size() - from);
        const std::size_t characters =
            layout_.encoding() == nullptr ? fixed_characters(std::string_view(raw).substr(from, size)) : size;
        std::string blanks;
        for (std::size_t i = 0; i < characters; ++i) blanks += blank_;
        raw.replace(from, size, blanks);
    }

    void give(std::string_view line) {
        std::string whole(line);
        if (layout_.line_end() == FixedLayout::LineEnd::kCrLf) whole += '\r';
        if (layout_.line_end() != FixedLayout::LineEnd::kNone) whole += '\n';
        out_.write(whole);
    }

    const FixedLayout& layout_;
    const std::set<std::string> drop_;
    PieceWriter& out_;
    std::string blank_, value_;
    std::size_t unreadable_ = 0;
};

}  // namespace

std::string fixed_drop_fault(const FixedReduction& reduction) {
    const FixedLayout& layout = *reduction.fixed.layout;
    for (const std::string& name : reduction.drop) {
        const FixedRecord* owner = nullptr;
        const FixedField* found = nullptr;
        for (const FixedRecord& record : layout.records()) {
            for (const FixedField& field : record.fields) {
                if (record.name + "." + field.name != name) continue;
                owner = &record;
                found = &field;
            }
        }
        if (found == nullptr) return "the layout has no field '" + name + "' (RECORD.FIELD)";
        if (found->required) return "'" + name + "' is required by the layout: it cannot be blank";
        const bool tells = std::any_of(owner->matches.begin(), owner->matches.end(), [&](const FixedRecord::Match& m) {
            return m.from < found->from + found->length && found->from < m.from + fixed_characters(m.value);
        });
        if (tells) return "'" + name + "' tells what kind of line it is: it cannot be blank";
        for (const FixedRecord& record : layout.records()) {
            for (const FixedTotal& total : record.totals) {
                const bool summed = total.sum == found->name && (total.of == owner->name || total.of == "*");
                const bool held = &record == owner && &record.fields[total.field] == found;
                if (summed || held) return "a total of the trailer counts '" + name + "': it cannot be blank";
            }
        }
    }
    return {};
}

std::size_t reduce_fixed_file(const FixedReduction& reduction, const std::filesystem::path& in,
                              const std::filesystem::path& out) {
    PieceWriter to(out);
    FixedReducer reducer(reduction, to);
    FixedLines lines(reduction.fixed, [&](const FixedLine& line) { reducer.take(line); });
    read_pieces(in, [&](std::string_view piece) { lines.write(piece); });
    lines.finish();
    return reducer.unreadable();
}

}  // namespace clrbus
