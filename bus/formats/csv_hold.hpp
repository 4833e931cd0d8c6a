// Holds back the last rows of a CSV file: a footer is known at the end only. For csv.cpp and csv_reducer.cpp. One thread.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "formats/csv_lexer.hpp"

namespace clrbus {

class CsvHold {
public:
    explicit CsvHold(std::size_t rows) : rows_(rows) {}

    // Calls on_row with the row that is no longer among the last ones, if there is one.
    void pass(const CsvRow& row, const CsvProblem* problem, const CsvLexer::OnRow& on_row) {
        if (rows_ == 0) return on_row(row, problem);
        if (problem == nullptr && row.raw.empty() && row.fields->size() == 1) return;  // an empty line is no footer
        held_.push_back(copy(row, problem));
        if (held_.size() <= rows_) return;
        const Held out = std::move(held_.front());
        held_.pop_front();
        CsvRow given = out.row;
        given.raw = out.raw;
        const std::vector<std::string_view> fields(out.fields.begin(), out.fields.end());
        given.fields = &fields;
        on_row(given, out.broken ? &out.problem : nullptr);
    }

private:
    struct Held {
        CsvRow row;
        std::string raw;
        std::vector<std::string> fields;
        CsvProblem problem;
        bool broken = false;
    };
    static Held copy(const CsvRow& row, const CsvProblem* problem) {
        Held out;
        out.row = row;
        out.raw = row.raw;
        out.fields.assign(row.fields->begin(), row.fields->end());
        out.broken = problem != nullptr;
        if (out.broken) out.problem = *problem;
        return out;
    }

    std::size_t rows_;
    std::deque<Held> held_;
};

}  // namespace clrbus
