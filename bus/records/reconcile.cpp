#include "records/reconcile.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace clrbus::records {
namespace {

std::string attribute_of(Node node, std::string_view name) {
    for (const auto& one : node.attributes())
        if (one.name == name) return one.value;
    return {};
}

}  // namespace

std::optional<std::int64_t> credits_from(std::string_view text) {
    std::int64_t out = 0;
    std::size_t decimals = 0, digits = 0;
    bool point = false;
    for (const char c : text) {
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || ++digits > 12) return std::nullopt;
        if (point && ++decimals > 3) {
            if (c != '0') return std::nullopt;
            continue;
        }
        out = out * 10 + (c - '0');
    }
    if (digits == 0) return std::nullopt;
    for (; decimals < 3; ++decimals) out *= 10;
    return out;
}

std::string credits_text(std::int64_t thousandths) {
    std::string out = std::to_string(thousandths / 1000);
    if (const std::int64_t rest = thousandths % 1000; rest != 0) {
        std::string digits = std::to_string(1000 + rest).substr(1);
        digits.erase(digits.find_last_not_of('0') + 1);
        out += "." + digits;
    }
    return out;
}

void Reconciliation::take(const LearnerRecord& record) {
    std::set<std::pair<std::string, std::string>> seen;  // statement key and achievement
    for (const StatementInForce& statement : record.statements) {
        if (statement.provenance.source != source_) continue;
        const Document document = parser_.parse(statement.xml, "statement");
        for (const Node achievement : document.root().children("achievement")) {
            const std::string key = attribute_of(achievement, "key");
            if (attribute_of(achievement, "type") != "Course" ||
                std::find(statement.achievements.begin(), statement.achievements.end(), key) == statement.achievements.end() ||
                !seen.emplace(statement.key, key).second)
                continue;
            std::string term;
            std::int64_t credits = 0;
            for (const Node session : achievement.children("session")) term = attribute_of(session, "designator");
            for (const Node one : achievement.children("credits"))
                credits = credits_from(attribute_of(one, "earned")).value_or(0);
            if (term.empty()) continue;
            Term& of = terms_[term];
            for (Sum* sum : {&of.sum, &of.learners[record.id]}) {
                ++sum->courses;
                sum->credits += credits;
            }
        }
    }
}

std::vector<Difference> Reconciliation::compare(const std::vector<ControlRow>& rows) const {
    std::vector<Difference> out;
    std::map<std::string, std::set<std::string>> named;  // learners of a term that have a row
    for (const ControlRow& row : rows) {
        const auto term = terms_.find(row.term);
        Sum sum;
        std::int64_t learners = 0;
        if (term != terms_.end() && row.learner.empty()) {
            sum = term->second.sum;
            learners = static_cast<std::int64_t>(term->second.learners.size());
        } else if (term != terms_.end()) {
            if (const auto found = term->second.learners.find(row.learner); found != term->second.learners.end())
                sum = found->second;
        }
        if (!row.learner.empty()) named[row.term].insert(row.learner);
        const auto look = [&](const char* what, const std::optional<std::int64_t>& expected, std::int64_t found, bool credits) {
            if (!expected || *expected == found) return;
            out.push_back({row.row, row.term, row.learner, what, credits ? credits_text(*expected) : std::to_string(*expected),
                           credits ? credits_text(found) : std::to_string(found)});
        };
        look("courses", row.courses, sum.courses, false);
        look("credits", row.credits, sum.credits, true);
        if (row.learner.empty()) look("learners", row.learners, learners, false);
    }
    for (const auto& [name, learners] : named) {
        const auto term = terms_.find(name);
        if (term == terms_.end()) continue;
        for (const auto& [learner, sum] : term->second.learners) {
            if (learners.count(learner) == 0)
                out.push_back({0, name, learner, "courses", "no row of this learner", std::to_string(sum.courses)});
        }
    }
    return out;
}

}  // namespace clrbus::records
