// A source's control totals against the records: a CSV file in, who differs out, by our own ids.
#include <algorithm>
#include <charconv>
#include <set>

#include "config/loader.hpp"
#include "core/error.hpp"
#include "formats/csv.hpp"
#include "management/commands.hpp"
#include "records/reconcile.hpp"
#include "records/store.hpp"

namespace clrbus::management {
namespace {

constexpr std::uintmax_t kControlFileMost = 64U << 20;
constexpr std::size_t kControlRowsMost = 1'000'000;
constexpr std::size_t kDifferencesShown = 10'000;

[[noreturn]] void control_wrong(const std::string& file, std::uint64_t row, const std::string& column, std::string why,
                                std::string expected) {
    Where where;
    where.file = file;
    where.row = row;
    where.path = column;
    throw Error(Fault::kPoison, "MGMT-030", "reading control totals", std::move(where), std::move(why))
        .expected(std::move(expected));
}

std::optional<std::int64_t> control_count(const std::string& file, std::uint64_t row, const char* column,
                                          const std::string& text) {
    if (text.empty()) return std::nullopt;
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size() || out < 0)
        control_wrong(file, row, column, "is no count", "a whole number, or nothing");
    return out;
}

struct ControlFile {
    std::vector<records::ControlRow> rows;
    std::vector<std::uint64_t> unknown;  // rows whose learner nobody knows
};

ControlFile read_control(const std::string& file, const records::RecordsStore& store) {
    ControlFile out;
    CsvOptions options;
    options.file = file;
    options.columns = {"term", "courses"};
    std::set<std::pair<std::string, std::string>> seen;
    RecordHandlers handlers;
    handlers.on_record = [&](std::uint64_t number, std::uint64_t, std::string_view, Document document) {
        const Node row = document.root();
        const auto value = [&](const char* name) {
            for (const Node cell : row.children(name)) return cell.text();
            return std::string();
        };
        if (out.rows.size() >= kControlRowsMost)
            control_wrong(file, number, "", "too many rows", "at most " + std::to_string(kControlRowsMost));
        records::ControlRow one;
        one.row = number;
        one.term = value("term");
        if (one.term.empty()) control_wrong(file, number, "term", "is empty", "the session's designator, as 2024-01");
        one.courses = control_count(file, number, "courses", value("courses"));
        one.learners = control_count(file, number, "learners", value("learners"));
        if (const std::string text = value("credits"); !text.empty()) {
            one.credits = records::credits_from(text);
            if (!one.credits)
                control_wrong(file, number, "credits", "is no number of credits", "45 or 45.5, at most three decimals");
        }
        std::string who = value("learner");
        if (!who.empty()) {
            const std::size_t first = who.find(':'), second = who.rfind(':');  // an issuer may hold colons
            if (first == second)
                control_wrong(file, number, "learner", "names nobody", "SCHEME:ISSUER:VALUE, as institution-id:*:S0012345");
            const auto found =
                store.find_learner(who.substr(0, first), who.substr(first + 1, second - first - 1), who.substr(second + 1));
            if (!found) {
                out.unknown.push_back(number);
                return;
            }
            one.learner = *found;
        }
        if (!seen.emplace(one.term, one.learner).second)
            control_wrong(file, number, "term", "stands twice, for the same learner or as a total", "one row for each");
        out.rows.push_back(std::move(one));
    };
    handlers.on_broken = [&](std::uint64_t, std::uint64_t, std::string_view, const Error& error) { throw Error(error); };
    const auto splitter = make_csv_splitter(options, handlers);
    splitter->write(read_file(file, kControlFileMost));
    splitter->finish();
    if (out.rows.empty() && out.unknown.empty()) control_wrong(file, 0, "", "there is no row", "a header and rows");
    return out;
}

}  // namespace

object reconcile(const Call& call) {
    const std::string file = call.required("file"), source = call.required("source");
    const ControlFile control = read_control(file, call.parts.store);
    records::Reconciliation compared(source);
    call.parts.store.each_record({records::Reader::Kind::kStaff, call.who, ""}, "reconcile " + source,
                                 [&](const records::LearnerRecord& record) { compared.take(record); });
    const auto differences = compared.compare(control.rows);
    array shown, unknown, terms;
    for (const records::Difference& one : differences) {
        if (shown.size() == kDifferencesShown) break;
        object line{
            {"term", one.term}, {"learner", one.learner}, {"what", one.what}, {"expected", one.expected}, {"found", one.found}};
        line["row"] = one.row == 0 ? boost::json::value(nullptr) : boost::json::value(one.row);
        shown.push_back(std::move(line));
    }
    for (const std::uint64_t row : control.unknown) unknown.emplace_back(row);
    for (const auto& [name, term] : compared.terms()) {
        terms.push_back(object{{"term", name},
                               {"courses", term.sum.courses},
                               {"credits", records::credits_text(term.sum.credits)},
                               {"learners", term.learners.size()}});
    }
    return {{"source", source},
            {"held", differences.empty() && control.unknown.empty()},
            {"rows", control.rows.size() + control.unknown.size()},
            {"count", differences.size()},
            {"differences", std::move(shown)},
            {"unknown_rows", std::move(unknown)},
            {"records", std::move(terms)}};
}

}  // namespace clrbus::management
