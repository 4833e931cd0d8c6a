#include "formats/csv.hpp"

#include <charconv>
#include <optional>
#include <utility>

#include "formats/csv_columns.hpp"
#include "formats/csv_hold.hpp"
#include "formats/csv_lexer.hpp"
#include "formats/encoding.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kCsvWhole = 64U << 20;  // of a file that is read whole

// What the place column of a reduced file says of a row.
struct CsvPlace {
    std::uint64_t number = 0, line = 0;
    std::string_view refused;  // CSV-001;why;expected, empty for a row that is right
};

std::optional<CsvPlace> csv_place(std::string_view text) {
    CsvPlace place;
    const char* p = text.data();
    const char* const end = p + text.size();
    const auto number = std::from_chars(p, end, place.number);
    if (number.ec != std::errc{} || number.ptr == end || *number.ptr != '@') return std::nullopt;
    const auto line = std::from_chars(number.ptr + 1, end, place.line);
    if (line.ec != std::errc{}) return std::nullopt;
    if (line.ptr != end) {
        if (*line.ptr != '!') return std::nullopt;
        place.refused = {line.ptr + 1, static_cast<std::size_t>(end - line.ptr - 1)};
    }
    return place;
}

class CsvSplitter final : public RecordSplitter {
public:
    CsvSplitter(const CsvOptions& options, RecordHandlers handlers)
        : options_(options),
          handlers_(std::move(handlers)),
          columns_(std::make_unique<CsvColumns>(options)),
          hold_(options.footer),
          lexer_(options, [this](const CsvRow& row, const CsvProblem* problem) {
              if (!head_seen_ || reduced_ || (resuming_ && head_seen_)) return take(row, problem);
              hold_.pass(row, problem, [this](const CsvRow& held, const CsvProblem* p) { take(held, p); });
          }) {}

    void write(std::string_view chunk) override {
        go_on();
        lexer_.write(chunk);
    }

    void finish() override {
        go_on();
        lexer_.finish();
        if (columns_->known()) return;
        Where where;
        where.file = options_.file;
        throw Error(Fault::kPoison, "CSV-012", "reading CSV", std::move(where), "the file is empty").expected("a header row");
    }

    StreamPosition next() const override { return next_; }
    bool needs_head() const override { return !head_seen_; }
    std::string_view head() const override { return head_; }

    void resume(const StreamPosition& position) override {
        if (position.record <= 1) return;
        resuming_ = true;
        next_ = position;
    }

private:
    // After the head: the next bytes are those at the position.
    void go_on() {
        if (!resuming_ || !head_seen_) return;
        resuming_ = false;
        number_ = next_.record;
        lexer_.resume(next_.offset, next_.line);
    }

    void take(const CsvRow& row, const CsvProblem* problem) {
        if (resuming_ && head_seen_) return;  // rows of the head's chunk, delivered long ago
        if (!head_seen_) {
            const bool ours = problem == nullptr && row.fields->front() == kCsvPlaceColumn;
            if (options_.header && row.line < options_.header_line && !ours) return;  // above the header
            if (problem == nullptr && row.raw.empty() && row.fields->size() == 1 && options_.header) return;
            head_seen_ = true;
            if (take_header(row, problem)) {
                if (lexer_.raw_is_utf8() && !is_utf8_name(options_.encoding)) head_ = "\xEF\xBB\xBF";
                head_ += row.raw;
                head_ += "\r\n";
                if (!resuming_) next_ = {1, row.next_offset, row.next_line};
                return;
            }
            if (resuming_) return;
        }
        if (problem == nullptr && columns_->blank(row)) return;
        if (reduced_) return take_reduced(row, problem);
        CsvProblem what;
        const bool fits = columns_->fits(row, problem, what);
        const std::uint64_t number = number_++;
        next_ = {number_, row.next_offset, row.next_line};
        if (fits) {
            handlers_.on_record(number, row.offset, row.raw, columns_->document(row));
        } else {
            handlers_.on_broken(number, row.offset, row.raw, columns_->error(what, number, row));
        }
    }

    // True when the file's first row is a header.
    bool take_header(const CsvRow& row, const CsvProblem* problem) {
        if (problem == nullptr && row.fields->front() == kCsvPlaceColumn) {
            // The door has seen that the columns are right, and some of them are gone.
            reduced_ = true;
            CsvOptions options = options_;
            options.header = true;
            options.columns.clear();
            columns_ = std::make_unique<CsvColumns>(options);
            columns_->take_header(without_place(row), nullptr);
            return true;
        }
        if (options_.header) columns_->take_header(row, problem);
        return options_.header;
    }

    CsvRow without_place(const CsvRow& row) {
        rest_.assign(row.fields->begin() + 1, row.fields->end());
        CsvRow out = row;
        out.fields = &rest_;
        return out;
    }

    // A row of a file that a door reduced: our own writing, so anything odd in it means that the file was changed since.
    void take_reduced(const CsvRow& row, const CsvProblem* problem) {
        const auto place = problem != nullptr ? std::nullopt : csv_place(row.fields->front());
        if (!place || place->number < number_ || row.fields->size() != columns_->size() + 1) {
            Where where;
            where.file = options_.file;
            where.offset = static_cast<std::int64_t>(row.offset);
            throw Error(Fault::kPoison, "CSV-016", "reading CSV", std::move(where),
                        "a reduced file is not as the door wrote it")
                .expected("rising row numbers in its first column");
        }
        number_ = place->number + 1;
        next_ = {number_, row.next_offset, row.next_line};
        CsvRow rest = without_place(row);
        rest.line = place->line;
        if (place->refused.empty()) {
            handlers_.on_record(place->number, row.offset, row.raw, columns_->document(rest));
            return;
        }
        const std::size_t first = place->refused.find(';');
        const std::size_t second = place->refused.find(';', first + 1);
        const std::string code(place->refused.substr(0, first));
        CsvProblem what{code.c_str(), "refused at the door", {}, 0};
        if (first != std::string_view::npos && second != std::string_view::npos) {
            what.why = "refused at the door: " + std::string(place->refused.substr(first + 1, second - first - 1));
            what.expected = place->refused.substr(second + 1);
        }
        handlers_.on_broken(place->number, row.offset, {}, columns_->error(what, place->number, rest));
    }

    CsvOptions options_;
    RecordHandlers handlers_;
    std::unique_ptr<CsvColumns> columns_;
    bool reduced_ = false, head_seen_ = false, resuming_ = false;
    std::uint64_t number_ = 1;
    StreamPosition next_;
    std::vector<std::string_view> rest_;
    std::string head_;
    CsvHold hold_;
    CsvLexer lexer_;  // last: calls back into this
};

}  // namespace

std::unique_ptr<RecordSplitter> make_csv_splitter(const CsvOptions& options, RecordHandlers handlers) {
    return std::make_unique<CsvSplitter>(options, std::move(handlers));
}

Document parse_csv(std::string_view bytes, const CsvOptions& options) {
    if (bytes.size() > kCsvWhole)
        throw Error(Fault::kPoison, "CSV-007", "reading CSV", "the file is too large")
            .expected("at most " + std::to_string(kCsvWhole) + " bytes; larger ones are split");
    TreeBuilder builder;
    builder.start("rows");
    const auto splitter = make_csv_splitter(
        options, {[&builder](std::uint64_t, std::uint64_t, std::string_view, const Document& record) {
                      const Node row = record.root();
                      builder.line(row.line());
                      builder.start("row");
                      for (Node field = row.first_child(); field; field = field.next()) {
                          builder.start(field.name());
                          if (const std::string text = field.text(); !text.empty()) builder.text(text);
                          builder.end();
                      }
                      builder.end();
                  },
                  [](std::uint64_t, std::uint64_t, std::string_view, const Error& error) { throw Error(error); }});
    splitter->write(bytes);
    splitter->finish();
    builder.end();
    return builder.finish();
}

}  // namespace clrbus
