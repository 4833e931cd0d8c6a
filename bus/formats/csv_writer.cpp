#include "formats/csv_writer.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "formats/encoding.hpp"

namespace clrbus {
namespace {

[[noreturn]] void csv_unwritable(Node node, const char* code, std::string why, std::string expected) {
    Where where;
    where.path = node.path();
    where.line = node.line();
    Error error(Fault::kPoison, code, "writing CSV", std::move(where), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

class CsvWriter {
public:
    explicit CsvWriter(const CsvOptions& options)
        : options_(options), delimiter_(options.delimiter == '\0' ? ',' : options.delimiter) {
        for (const auto& [theirs, ours] : options.rename) back_[ours] = theirs;
        if (is_utf8_name(options.encoding)) return;
        table_ = SingleByte::find(options.encoding);
        if (!table_ || !table_->contains_ascii())
            throw Error(Fault::kConfig, "CSV-013", "writing CSV", "encoding '" + options.encoding + "' cannot be written")
                .expected("utf-8, windows-1252, iso-8859-1 or another single-byte encoding that contains ASCII");
    }

    std::string write(Node root) {
        if (!root) csv_unwritable(root, "CSV-020", "the document has no root", "<rows> of <row>, or one <row>");
        std::vector<Node> rows = root.name() == "row" ? std::vector<Node>{root} : root.children();
        for (const std::string& name : options_.columns) columns_.push_back(name);
        if (columns_.empty() && !rows.empty()) {
            for (Node field = rows.front().first_child(); field; field = field.next()) columns_.push_back(column_of(field));
        }
        if (columns_.empty()) csv_unwritable(root, "CSV-020", "there are no columns", "a row with fields, or columns");
        if (options_.header) {
            for (std::size_t i = 0; i < columns_.size(); ++i) field(root, columns_[i], i);
            out_ += "\r\n";
        }
        for (const Node& row : rows) write_row(row);
        // Text that begins with a byte order mark would lose it when it is read.
        if (constexpr std::string_view mark = "\xEF\xBB\xBF"; out_.starts_with(mark)) out_.insert(0, mark);
        return std::move(out_);
    }

private:
    std::string column_of(Node field) const {
        const std::string name = original_name(field.name());
        const auto found = back_.find(name);
        return found == back_.end() ? name : found->second;
    }

    void write_row(Node row) {
        std::vector<Node> cells(columns_.size());
        for (Node field = row.first_child(); field; field = field.next()) {
            const std::string name = column_of(field);
            const auto at = std::find(columns_.begin(), columns_.end(), name);
            if (at == columns_.end())
                csv_unwritable(field, "CSV-020", "an element that is no column",
                               "the columns of the route, or those of the first row");
            Node& cell = cells[static_cast<std::size_t>(at - columns_.begin())];
            if (cell || field.first_child())
                csv_unwritable(field, "CSV-020", cell ? "a column is there twice" : "a field has elements of its own",
                               "one element with text for each column");
            cell = field;
        }
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string text = cells[i] ? cells[i].text() : std::string();
            width(cells[i], columns_[i], text);
            field(cells[i] ? cells[i] : row, text, i);
        }
        out_ += "\r\n";
    }

    void width(Node node, const std::string& column, std::string_view text) const {
        const auto found = options_.widths.find(column);
        if (found == options_.widths.end() || text.empty()) return;
        const auto characters = static_cast<std::size_t>(
            std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
        if (characters != found->second)
            csv_unwritable(node, "CSV-017", "the field has " + std::to_string(characters) + " characters",
                           std::to_string(found->second));
    }

    void field(Node node, std::string_view text, std::size_t column) {
        if (column != 0) out_ += delimiter_;
        const bool formula =
            options_.escape_formulas && !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
        const char special[] = {delimiter_, options_.quote, '\r', '\n'};
        // A row of one empty field would be an empty line.
        const bool quoted = text.find_first_of(std::string_view(special, sizeof special)) != std::string_view::npos ||
                            (text.empty() && columns_.size() == 1);
        if (quoted && options_.quote == '\0')
            csv_unwritable(node, "CSV-021", "the text holds a delimiter or a line end, and there are no quotes",
                           "other text, or a quote");
        if (quoted) out_ += options_.quote;
        if (formula) out_ += '\'';
        if (table_) {
            std::string bytes;
            if (!table_->encode(text, bytes))
                csv_unwritable(node, "CSV-021", "a character that the encoding lacks", "text in the encoding of the route");
            put(bytes, quoted);
        } else {
            put(text, quoted);
        }
        if (quoted) out_ += options_.quote;
    }

    void put(std::string_view text, bool quoted) {
        if (!quoted) {
            out_ += text;
            return;
        }
        for (const char c : text) {
            if (c == options_.quote) out_ += c;
            out_ += c;
        }
    }

    const CsvOptions& options_;
    char delimiter_;
    std::map<std::string, std::string> back_;  // our name -> theirs
    std::shared_ptr<const SingleByte> table_;
    std::vector<std::string> columns_;
    std::string out_;
};

}  // namespace

std::string write_csv(const Document& document, const CsvOptions& options) {
    return CsvWriter(options).write(document.root());
}

}  // namespace clrbus
