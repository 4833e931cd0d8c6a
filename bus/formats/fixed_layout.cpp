#include "formats/fixed_layout.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "core/error.hpp"
#include "formats/encoding.hpp"
#include "formats/fixed_value.hpp"
#include "xml/parser.hpp"
#include "xml/schemas.hpp"

namespace clrbus {
namespace {

[[noreturn]] void fixed_bad_layout(const std::string& file, Node node, std::string why, std::string expected,
                                   const char* code = "FIX-009") {
    Where where;
    where.file = file;
    where.line = node.line();
    where.path = node.path();
    Error error(Fault::kConfig, code, "reading a layout", std::move(where), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

std::size_t fixed_number(Node node, const char* attribute, std::size_t fallback) {
    const std::string text = node.attribute(attribute);
    return text.empty() ? fallback : std::stoul(text);
}

bool fixed_true(Node node, const char* attribute) {
    const std::string text = node.attribute(attribute);
    return text == "true" || text == "1";
}

FixedField fixed_read_field(Node node, const std::string& file) {
    using Type = FixedField::Type;
    FixedField out;
    const std::string type = node.attribute("type"), trim = node.attribute("trim"), align = node.attribute("align");
    out.name = node.attribute("name");
    out.from = fixed_number(node, "from", 1) - 1;
    out.length = fixed_number(node, "length", 1);
    if (type == "integer") out.type = Type::kInteger;
    if (type == "decimal") out.type = Type::kDecimal;
    if (type == "date") out.type = Type::kDate;
    out.required = fixed_true(node, "required");
    out.overpunch = fixed_true(node, "overpunch");
    out.trim_left = out.type != Type::kText || trim == "left" || trim == "both";
    out.trim_right = out.type != Type::kText || (trim != "left" && trim != "none");
    out.right = align.empty() ? out.number() : align == "right";
    if (const std::string pad = node.attribute("pad"); !pad.empty()) out.pad = pad[0];
    out.decimals = fixed_number(node, "decimals", 0);
    out.pattern = node.attribute("pattern");
    out.pivot = static_cast<int>(fixed_number(node, "pivot", 50));
    out.empty = node.attribute("empty");
    std::istringstream values(node.attribute("values"));
    for (std::string value; values >> value;) out.values.push_back(value);
    std::sort(out.values.begin(), out.values.end());
    if ((static_cast<unsigned char>(out.pad) & 0x80) != 0)
        fixed_bad_layout(file, node, "pad is not ASCII", "an ASCII character");
    if (out.number() && !out.right && out.pad != ' ')
        fixed_bad_layout(file, node, "a number on the left would be filled with more digits", "align=\"right\", or blanks");
    if (out.decimals != 0 && out.type != Type::kDecimal)
        fixed_bad_layout(file, node, "only a decimal has decimals", "type=\"decimal\"");
    if (out.overpunch && !out.number())
        fixed_bad_layout(file, node, "only a number can be overpunched", "type=\"integer\" or \"decimal\"");
    if ((out.type == Type::kDate) == out.pattern.empty())
        fixed_bad_layout(file, node, "a date has a pattern, and nothing else has", "pattern=\"yyyyMMdd\"");
    if (!out.pattern.empty() && !fixed_pattern_holds(out))
        fixed_bad_layout(file, node, "the pattern is none, or has not the length of the field",
                         "yyyy or yy with MM and dd, HH mm ss, and signs between them");
    if (out.empty.size() > out.length)
        fixed_bad_layout(file, node, "empty is longer than the field", "at most " + std::to_string(out.length) + " characters");
    return out;
}

}  // namespace

std::shared_ptr<const FixedLayout> FixedLayout::load(const std::filesystem::path& file, const std::filesystem::path& schema) {
    XmlParser parser(Schemas::load({schema}));
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    auto out = std::make_shared<FixedLayout>();
    try {
        const Document document = parser.parse(bytes, file.string());
        out->read(document.root(), file.string());
    } catch (const Error& e) {
        if (e.fault() == Fault::kConfig) throw;
        Error error(Fault::kConfig, "FIX-009", "reading a layout", e.where(), e.why());
        error.expected(e.expected());
        throw error;
    }
    return out;
}

void FixedLayout::read(Node root, const std::string& file) {
    const std::string encoding = root.attribute("encoding"), line_end = root.attribute("line-end");
    length_ = fixed_number(root, "length", 0);
    pads_ = root.attribute("short") != "refuse";
    if (line_end == "crlf") line_end_ = LineEnd::kCrLf;
    if (line_end == "lf") line_end_ = LineEnd::kLf;
    if (line_end == "none") line_end_ = LineEnd::kNone;
    if (line_end_ == LineEnd::kNone && length_ == 0)
        fixed_bad_layout(file, root, "records without line ends have no length", "length");
    if (!is_utf8_name(encoding)) {
        encoding_ = SingleByte::find(encoding);
        if (!encoding_)
            fixed_bad_layout(file, root, "encoding '" + encoding + "' cannot be read",
                             "utf-8, windows-1252, ibm037 or another single-byte encoding", "FIX-010");
        if (!encoding_->contains_ascii() && line_end_ != LineEnd::kNone)
            fixed_bad_layout(file, root, "an encoding without ASCII has no line ends that are known",
                             "line-end=\"none\" and length");
    } else if (line_end_ == LineEnd::kNone) {
        fixed_bad_layout(file, root, "UTF-8 has characters of several bytes", "a single-byte encoding, or line ends",
                         "FIX-010");
    }
    for (Node node = root.first_child(); node; node = node.next()) {
        FixedRecord record;
        record.name = node.attribute("name");
        const std::string at = node.attribute("at"), in = node.attribute("in");
        if (find(record.name) != FixedRecord::kNone)
            fixed_bad_layout(file, node, "record '" + record.name + "' is there twice", "each name once");
        if (at == "first") record.at = FixedRecord::At::kFirst;
        if (at == "last") record.at = FixedRecord::At::kLast;
        if (!in.empty()) {
            record.parent = find(in);
            if (record.parent == FixedRecord::kNone || !at.empty() || records_[record.parent].at != FixedRecord::At::kBody)
                fixed_bad_layout(file, node, "in names no record that is defined above", "a record that is not first or last");
        }
        for (std::size_t* place : {&header_, &trailer_}) {
            if (record.at != (place == &header_ ? FixedRecord::At::kFirst : FixedRecord::At::kLast)) continue;
            if (*place != FixedRecord::kNone) fixed_bad_layout(file, node, "a second record at=\"" + at + "\"", "one");
            *place = records_.size();
        }
        std::unordered_set<std::string> names;
        for (const Node match : node.children("match")) {
            record.matches.push_back({fixed_number(match, "from", 1) - 1, match.attribute("value")});
            record.width = std::max(record.width, record.matches.back().from + record.matches.back().value.size());
        }
        for (const Node field : node.children("field")) {
            record.fields.push_back(fixed_read_field(field, file));
            record.width = std::max(record.width, record.fields.back().from + record.fields.back().length);
            if (!names.insert(record.fields.back().name).second)
                fixed_bad_layout(file, field, "field '" + record.fields.back().name + "' is there twice", "each name once");
        }
        if (length_ != 0 && record.width > length_)
            fixed_bad_layout(file, node, "a field ends behind the end of the line",
                             "at most column " + std::to_string(length_));
        for (const Node total : node.children("total")) {
            FixedTotal out;
            out.of = total.attribute("of");
            out.sum = total.attribute("sum");
            while (out.field < record.fields.size() && record.fields[out.field].name != total.attribute("field")) ++out.field;
            if (out.field == record.fields.size() || !record.fields[out.field].number())
                fixed_bad_layout(file, total, "the total is in no number of this record", "a field of type integer or decimal");
            if (record.at != FixedRecord::At::kLast)
                fixed_bad_layout(file, total, "totals are at the end", "a record at=\"last\"");
            const std::size_t of = find(out.of);
            if (out.of != "*" && of == FixedRecord::kNone)
                fixed_bad_layout(file, total, "of names no record that is defined above", "a record, or *");
            if (!out.sum.empty()) {
                const bool known =
                    out.of != "*" &&
                    std::any_of(records_[of].fields.begin(), records_[of].fields.end(), [&](const FixedField& f) {
                        return f.name == out.sum && f.number() && f.decimals <= record.fields[out.field].decimals;
                    });
                if (!known)
                    fixed_bad_layout(file, total,
                                     "sum names no number of that record, or one with more decimals than the total",
                                     "a field of type integer or decimal");
            }
            record.totals.push_back(std::move(out));
        }
        records_.push_back(std::move(record));
    }
}

std::size_t FixedLayout::find(std::string_view name) const {
    for (std::size_t i = 0; i < records_.size(); ++i) {
        if (records_[i].name == name) return i;
    }
    return FixedRecord::kNone;
}

}  // namespace clrbus
