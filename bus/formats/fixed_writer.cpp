#include <algorithm>
#include <optional>
#include <utility>

#include "formats/encoding.hpp"
#include "formats/fixed.hpp"
#include "formats/fixed_value.hpp"

namespace clrbus {
namespace {

[[noreturn]] void fixed_unwritable(Node node, std::string_view code, std::string why, std::string expected) {
    Where where;
    where.path = node.path();
    where.line = node.line();
    Error error(Fault::kPoison, code, "writing fixed width", std::move(where), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

class FixedWriter {
public:
    explicit FixedWriter(const FixedLayout& layout) : layout_(layout) {
        if (layout_.trailer() != FixedRecord::kNone) totals_.resize(layout_.records()[layout_.trailer()].totals.size());
    }

    std::string write(Node root) {
        if (!root || root.name() != "file") fixed_unwritable(root, "FIX-020", "the document is no file of records", "<file>");
        choose_line_end(root);
        bool first = true, ended = false;
        for (Node node = root.first_child(); node; node = node.next(), first = false) {
            const std::size_t kind = layout_.find(node.name());
            if (kind == FixedRecord::kNone || layout_.records()[kind].parent != FixedRecord::kNone)
                fixed_unwritable(node, "FIX-020", "an element that is no record of the layout",
                                 "a record that belongs to no other");
            if ((kind == layout_.header()) != (first && layout_.header() != FixedRecord::kNone))
                fixed_unwritable(node, "FIX-020", "the header is not at the beginning, or missing",
                                 layout_.header() == FixedRecord::kNone
                                     ? "no header"
                                     : "record '" + layout_.records()[layout_.header()].name + "' first, and once");
            if (ended) fixed_unwritable(node, "FIX-020", "a record behind the trailer", "the trailer last");
            ended = kind == layout_.trailer();
            record(node, kind);
        }
        if (!ended && layout_.trailer() != FixedRecord::kNone) line(root, Node(), layout_.trailer());
        if (root.attribute("last-line-end") == "none") out_.resize(out_.size() - std::min(out_.size(), line_end_.size()));
        return std::move(out_);
    }

private:
    void choose_line_end(Node root) {
        const std::string end = root.attribute("line-end");
        line_end_ = end == "lf" ? "\n" : end == "cr" ? "\r" : "\r\n";
        if (layout_.line_end() == FixedLayout::LineEnd::kLf) line_end_ = "\n";
        if (layout_.line_end() == FixedLayout::LineEnd::kCrLf) line_end_ = "\r\n";
        if (layout_.line_end() == FixedLayout::LineEnd::kNone) line_end_.clear();
    }

    void record(Node node, std::size_t kind) {
        line(node, node, kind);
        const FixedRecord& spec = layout_.records()[kind];
        for (Node child = node.first_child(); child; child = child.next()) {
            const bool field = std::any_of(spec.fields.begin(), spec.fields.end(),
                                           [&](const FixedField& f) { return f.name == child.name(); });
            if (field) continue;
            const std::size_t inner = layout_.find(child.name());
            if (inner == FixedRecord::kNone || layout_.records()[inner].parent != kind)
                fixed_unwritable(child, "FIX-020", "an element that is neither field nor record",
                                 "a field of record '" + spec.name + "'");
            record(child, inner);
        }
    }

    // place: where an error is; node: the record's element, null for a trailer that the tree lacks.
    void line(Node place, Node node, std::size_t kind) {
        const FixedRecord& spec = layout_.records()[kind];
        text_.assign(spec.width, ' ');
        std::vector<std::string> columns;  // characters, since they may have several bytes
        for (std::size_t i = 0; i < spec.fields.size(); ++i) {
            const FixedField& field = spec.fields[i];
            const Node element = node ? node.child(field.name) : Node();
            std::string value = element ? element.text() : std::string();
            if (const auto total = total_of(spec, i)) value = *total;
            value_.clear();
            const FixedFault fault = fixed_write_value(field, value, value_);
            if (fault) {
                const std::string_view code = fault.code;
                Where where;
                where.path = (node ? node.path() : place.path() + "/" + spec.name) + "/" + field.name;
                where.line = place.line();
                Error error(Fault::kPoison, code, "writing fixed width", std::move(where),
                            code == "FIX-003"   ? "a required field is empty"
                            : code == "FIX-021" ? "the value does not fit"
                            : code == "FIX-012" ? "a value that is not in the list"
                                                : "the field is not what it must be");
                error.expected(fault.expected);
                throw error;
            }
            put(columns, field.from, value_);
        }
        for (const FixedRecord::Match& match : spec.matches) put(columns, match.from, match.value);
        if (layout_.length() != 0 && columns.size() < layout_.length()) columns.resize(layout_.length());
        text_.clear();
        for (const std::string& column : columns) {
            if (column.empty()) {
                text_ += ' ';
            } else {
                text_ += column;
            }
        }
        if (const SingleByte* table = layout_.encoding()) {
            if (!table->encode(text_, out_))
                fixed_unwritable(node ? node : place, "FIX-021", "a character that the encoding lacks",
                                 "text in the encoding of the layout");
        } else {
            out_ += text_;
        }
        out_ += line_end_;
        count(node, spec);
    }

    static void put(std::vector<std::string>& columns, std::size_t from, std::string_view text) {
        std::size_t at = from;
        for (std::size_t i = 0; i < text.size(); ++at) {
            std::size_t n = 1;
            while (i + n < text.size() && (static_cast<unsigned char>(text[i + n]) & 0xC0) == 0x80) ++n;
            if (columns.size() <= at) columns.resize(at + 1);
            columns[at] = text.substr(i, n);
            i += n;
        }
    }

    std::optional<std::string> total_of(const FixedRecord& spec, std::size_t field) const {
        for (std::size_t i = 0; i < spec.totals.size(); ++i) {
            if (spec.totals[i].field == field) return fixed_unscaled(totals_[i], spec.fields[field].decimals);
        }
        return std::nullopt;
    }

    void count(Node node, const FixedRecord& spec) {
        if (totals_.empty() || spec.at != FixedRecord::At::kBody) return;
        const FixedRecord& trailer = layout_.records()[layout_.trailer()];
        for (std::size_t i = 0; i < totals_.size(); ++i) {
            const FixedTotal& total = trailer.totals[i];
            const std::size_t decimals = trailer.fields[total.field].decimals;
            if (total.of != "*" && total.of != spec.name) continue;
            std::int64_t more = 1;
            for (std::size_t k = 0; k < decimals && total.sum.empty(); ++k) more *= 10;
            if (!total.sum.empty()) {
                const auto value = fixed_scaled(node.child_text(total.sum), decimals);
                if (!value) fixed_unwritable(node, "FIX-004", "a number that cannot be summed", "at most 18 digits");
                more = *value;
            }
            if (__builtin_add_overflow(totals_[i], more, &totals_[i]))
                fixed_unwritable(node, "FIX-004", "the sum is too large", "at most 18 digits");
        }
    }

    const FixedLayout& layout_;
    std::vector<std::int64_t> totals_;
    std::string line_end_, out_, text_, value_;
};

}  // namespace

std::string write_fixed(const Document& document, const FixedOptions& options) {
    return FixedWriter(*options.layout).write(document.root());
}

}  // namespace clrbus
