// A source's control totals against what stands in the records: for each term the courses, the credits earned and the learners,
// and for single learners their courses and credits. Pure; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "records/record.hpp"
#include "xml/parser.hpp"

namespace clrbus::records {

// Thousandths of a credit: sums are exact. Nothing: no number of at most three decimals.
std::optional<std::int64_t> credits_from(std::string_view text);
std::string credits_text(std::int64_t thousandths);

struct ControlRow {
    std::uint64_t row = 0;  // in the file
    std::string term;       // the session's designator
    std::string learner;    // our id; "" = the total of the term
    std::optional<std::int64_t> courses, credits, learners;
};

struct Difference {
    std::uint64_t row = 0;            // 0: the records have what the file does not name
    std::string term, learner, what;  // what: courses, credits, learners
    std::string expected, found;
};

class Reconciliation {
public:
    explicit Reconciliation(std::string source) : source_(std::move(source)) {}

    // What the source's statements in force say of courses with a session. Throws Error(kPoison) for a body that is damaged.
    void take(const LearnerRecord& record);

    // Rows of single learners make a term whole: who stands in the records and in no row of it is a difference too.
    std::vector<Difference> compare(const std::vector<ControlRow>& rows) const;

    struct Sum {
        std::int64_t courses = 0, credits = 0;
    };
    struct Term {
        Sum sum;
        std::map<std::string, Sum> learners;
    };
    const std::map<std::string, Term>& terms() const { return terms_; }

private:
    std::string source_;
    XmlParser parser_;
    std::map<std::string, Term> terms_;
};

}  // namespace clrbus::records
