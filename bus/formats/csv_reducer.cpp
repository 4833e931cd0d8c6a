#include "formats/csv_reducer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <system_error>
#include <utility>

#include "formats/csv_columns.hpp"
#include "formats/csv_hold.hpp"
#include "formats/csv_lexer.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kReducerChunk = std::size_t{64} * 1024;

[[noreturn]] void reducer_io(const std::filesystem::path& file, const char* doing) {
    Where where;
    where.file = file.filename().string();
    throw Error(Fault::kAway, "FILE-001", doing, std::move(where), std::generic_category().message(errno));
}

bool reducer_name_char(char c, bool first) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalpha(byte) != 0 || c == '_' || byte >= 0x80 || (!first && (std::isdigit(byte) != 0 || c == '-' || c == '.'));
}

// The columns that a condition on a row asks for: its names, but those of functions, axes, variables, attributes and operators.
std::vector<std::string> reducer_columns_of(std::string_view expression) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < expression.size();) {
        const char c = expression[i];
        if (c == '\'' || c == '"') {
            i = std::min(expression.find(c, i + 1), expression.size() - 1) + 1;
        } else if (!reducer_name_char(c, true)) {
            ++i;
        } else {
            const std::size_t from = i;
            while (i < expression.size() && reducer_name_char(expression[i], false)) ++i;
            const std::string name(expression.substr(from, i - from));
            const char before = from == 0 ? ' ' : expression[from - 1];
            const std::size_t next = expression.find_first_not_of(" \t\n", i);
            const char after = next == std::string_view::npos ? ' ' : expression[next];
            const bool other = before == '$' || before == '@' || before == ':' || after == '(' || after == ':';
            if (!other && name != "and" && name != "or" && name != "div" && name != "mod" && name != "row") out.push_back(name);
        }
    }
    return out;
}

class ReducerFile {
public:
    ReducerFile(const std::filesystem::path& file, int flags) : fd_(::open(file.c_str(), flags | O_CLOEXEC, 0600)) {
        if (fd_ < 0) reducer_io(file, "opening a file");
    }
    ~ReducerFile() { ::close(fd_); }
    ReducerFile(const ReducerFile&) = delete;
    ReducerFile& operator=(const ReducerFile&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

}  // namespace

struct CsvReducer::Impl {
    Impl(const CsvReduction& r, Write w, Rejects j)
        : reduction(r),
          out(std::move(w)),
          rejects(std::move(j)),
          columns(r.csv),
          hold(r.csv.footer),
          lexer(r.csv, [this](const CsvRow& row, const CsvProblem* problem) {
              if (columns.known()) {
                  hold.pass(row, problem, [this](const CsvRow& held, const CsvProblem* p) { take(held, p); });
              } else {
                  take(row, problem);
              }
          }) {
        if (columns.known()) header({});
    }

    void take(const CsvRow& row, const CsvProblem* problem) {
        if (!columns.known()) {
            if (row.line < reduction.csv.header_line) return;
            if (problem == nullptr && row.raw.empty() && row.fields->size() == 1) return;
            columns.take_header(row, problem);
            header(row);
            return;
        }
        if (problem == nullptr && columns.blank(row)) return;
        ++counts.rows;
        CsvProblem what;
        if (!columns.fits(row, problem, what)) return reject(row, what);
        if (reduction.keep && !keeps(row)) return;
        ++counts.kept;
        place(row);
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (!dropped[i]) field(CsvColumns::field(row, i));
        }
        end_row();
    }

    // The row is the context: a bare column name is its child.
    bool keeps(const CsvRow& row) {
        const Document document = columns.document(row);
        return reduction.keep->test(document, {}, document.root());
    }

    // Nothing of the row's text goes on: a shifted field could be what is to be dropped.
    void reject(const CsvRow& row, const CsvProblem& what) {
        ++counts.rejected;
        std::string marker = std::to_string(counts.rows) + '@' + std::to_string(row.line) + '!';
        marker += what.code;
        marker += ';' + what.why + ';' + what.expected;
        first(marker);
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (!dropped[i]) field({});
        }
        end_row();
        if (rejects) rejects({counts.rows, row.line, what.code, what.why, what.expected});
    }

    void header(const CsvRow& row) {
        dropped.assign(columns.size(), false);
        for (const std::string& name : reduction.drop) {
            const std::size_t at = columns.find(name);
            if (at == columns.size()) missing(name, row, "the columns that the route drops: the extract may have changed");
            dropped[at] = true;
        }
        // Without the column the condition would hold for no row, and nobody would notice.
        if (reduction.keep) {
            for (const std::string& name : reducer_columns_of(reduction.keep->expression())) {
                const std::string column = original_name(name);
                if (columns.find(column) == columns.size()) {
                    missing(column, row, "the columns that the route keeps rows by: the extract may have changed");
                }
            }
        }
        if (std::find(columns.names().begin(), columns.names().end(), kCsvPlaceColumn) != columns.names().end()) {
            Where where;
            where.file = reduction.csv.file;
            throw Error(Fault::kPoison, "CSV-016", "dropping columns", std::move(where),
                        "the file uses a column name of the bus");
        }
        buffer = "\xEF\xBB\xBF";
        first(kCsvPlaceColumn);
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (!dropped[i]) field(columns.names()[i]);
        }
        end_row();
    }

    [[noreturn]] void missing(const std::string& name, const CsvRow& row, const char* expected) const {
        Where where;
        where.file = reduction.csv.file;
        where.line = row.line;
        throw Error(Fault::kPoison, "CSV-015", "reducing a file", std::move(where), "the header has no column '" + name + "'")
            .expected(expected);
    }

    void place(const CsvRow& row) { first(std::to_string(counts.rows) + '@' + std::to_string(row.line)); }
    void first(std::string_view text) { put(text); }
    void field(std::string_view text) {
        buffer.push_back(lexer.delimiter());
        put(text);
    }
    void put(std::string_view text) {
        const char quote = reduction.csv.quote;
        const char special[] = {quote, lexer.delimiter(), '\r', '\n', '\0'};
        if (text.find_first_of(special) == std::string_view::npos) {
            buffer.append(text);
            return;
        }
        buffer.push_back(quote);
        for (const char c : text) {
            if (c == quote) buffer.push_back(quote);
            buffer.push_back(c);
        }
        buffer.push_back(quote);
    }
    void end_row() {
        buffer += "\r\n";
        if (buffer.size() >= kReducerChunk) flush();
    }
    void flush() {
        if (!buffer.empty()) out(buffer);
        buffer.clear();
    }

    CsvReduction reduction;
    Write out;
    Rejects rejects;
    CsvReduced counts;
    std::vector<bool> dropped;
    std::string buffer;
    CsvColumns columns;
    CsvHold hold;
    CsvLexer lexer;  // last: calls back into this
};

CsvReducer::CsvReducer(const CsvReduction& reduction, Write write, Rejects rejects)
    : impl_(std::make_unique<Impl>(reduction, std::move(write), std::move(rejects))) {}
CsvReducer::~CsvReducer() = default;
CsvReducer::CsvReducer(CsvReducer&&) noexcept = default;
CsvReducer& CsvReducer::operator=(CsvReducer&&) noexcept = default;

void CsvReducer::write(std::string_view chunk) {
    impl_->lexer.write(chunk);
}

CsvReduced CsvReducer::finish() {
    impl_->lexer.finish();
    if (!impl_->columns.known()) {
        Where where;
        where.file = impl_->reduction.csv.file;
        throw Error(Fault::kPoison, "CSV-012", "reading CSV", std::move(where), "the file is empty").expected("a header row");
    }
    impl_->flush();
    return impl_->counts;
}

CsvReduced reduce_csv_file(const CsvReduction& reduction, const std::filesystem::path& in, const std::filesystem::path& out,
                           const CsvReducer::Rejects& rejects) {
    const ReducerFile from(in, O_RDONLY);
    const ReducerFile to(out, O_WRONLY | O_CREAT | O_TRUNC);
    const auto write = [&](std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::write(to.get(), bytes.data(), bytes.size());
            if (n < 0 && errno != EINTR) reducer_io(out, "writing a file");
            if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    };
    CsvReducer reducer(reduction, write, rejects);
    std::string chunk(kReducerChunk, '\0');
    for (;;) {
        const ssize_t n = ::read(from.get(), chunk.data(), chunk.size());
        if (n < 0 && errno != EINTR) reducer_io(in, "reading a file");
        if (n == 0) break;
        if (n > 0) reducer.write({chunk.data(), static_cast<std::size_t>(n)});
    }
    return reducer.finish();
}

}  // namespace clrbus
