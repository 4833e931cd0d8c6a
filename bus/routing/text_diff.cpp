#include "routing/text_diff.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace clrbus {
namespace {

constexpr std::size_t kDiffContext = 3;
constexpr std::size_t kDiffCells = 16'000'000;  // of the table of common lines, 2 bytes each

std::vector<std::string_view> diff_lines(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
        out.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return out;
}

struct DiffEdit {
    char sign;  // ' ', '-', '+'
    std::string_view line;
};
using DiffEdits = std::vector<DiffEdit>;
using DiffLines = std::vector<std::string_view>;

// Between the first and the last difference, by the longest common subsequence.
void diff_middle(const DiffLines& a, std::size_t a0, std::size_t a1, const DiffLines& b, std::size_t b0, std::size_t b1,
                 DiffEdits& out) {
    const std::size_t rows = a1 - a0, columns = b1 - b0;
    if (rows != 0 && columns != 0 && (rows + 1) * (columns + 1) <= kDiffCells && rows < 65'000 && columns < 65'000) {
        std::vector<std::uint16_t> common((rows + 1) * (columns + 1), 0);
        const auto at = [&](std::size_t i, std::size_t j) -> std::uint16_t& { return common[i * (columns + 1) + j]; };
        for (std::size_t i = rows; i-- > 0;) {
            for (std::size_t j = columns; j-- > 0;) {
                at(i, j) = a[a0 + i] == b[b0 + j] ? static_cast<std::uint16_t>(at(i + 1, j + 1) + 1)
                                                  : std::max(at(i + 1, j), at(i, j + 1));
            }
        }
        std::size_t i = 0, j = 0;
        while (i < rows && j < columns) {
            if (a[a0 + i] == b[b0 + j]) {
                out.push_back({' ', a[a0 + i]});
                ++i, ++j;
            } else if (at(i + 1, j) >= at(i, j + 1)) {
                out.push_back({'-', a[a0 + i++]});
            } else {
                out.push_back({'+', b[b0 + j++]});
            }
        }
        a0 += i;
        b0 += j;
    }
    for (; a0 < a1; ++a0) out.push_back({'-', a[a0]});
    for (; b0 < b1; ++b0) out.push_back({'+', b[b0]});
}

DiffEdits diff_edits(const DiffLines& a, const DiffLines& b) {
    DiffEdits out;
    std::size_t head = 0;
    while (head < a.size() && head < b.size() && a[head] == b[head]) out.push_back({' ', a[head++]});
    std::size_t tail = 0;
    while (tail < a.size() - head && tail < b.size() - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
    diff_middle(a, head, a.size() - tail, b, head, b.size() - tail, out);
    for (std::size_t i = a.size() - tail; i < a.size(); ++i) out.push_back({' ', a[i]});
    return out;
}

std::string diff_range(std::size_t first, std::size_t count) {
    return std::to_string(count == 0 ? first : first + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

}  // namespace

std::string unified_diff(std::string_view name, DiffSide before, DiffSide after) {
    if (before.there == after.there && before.text == after.text) return {};
    const DiffEdits edits = diff_edits(diff_lines(before.text), diff_lines(after.text));
    std::string out = "--- " + (before.there ? "a/" + std::string(name) : std::string("/dev/null")) + "\n+++ " +
                      (after.there ? "b/" + std::string(name) : std::string("/dev/null")) + "\n";
    std::size_t old_line = 0, new_line = 0;  // lines before edits[at]
    for (std::size_t at = 0; at < edits.size();) {
        if (edits[at].sign == ' ') {
            ++at, ++old_line, ++new_line;
            continue;
        }
        // The hunk goes on while the next change is less than two contexts away.
        const std::size_t from = at - std::min(at, kDiffContext);
        std::size_t end = at, last = at;
        for (; end < edits.size() && end - last <= 2 * kDiffContext; ++end) {
            if (edits[end].sign != ' ') last = end;
        }
        end = std::min(edits.size(), last + kDiffContext + 1);
        old_line -= at - from;
        new_line -= at - from;
        std::size_t old_count = 0, new_count = 0;
        std::string body;
        for (std::size_t i = from; i < end; ++i) {
            old_count += edits[i].sign != '+' ? 1U : 0U;
            new_count += edits[i].sign != '-' ? 1U : 0U;
            body += edits[i].sign;
            body += edits[i].line;
            if (edits[i].line.back() != '\n') body += "\n\\ No newline at end of file\n";
        }
        out += "@@ -" + diff_range(old_line, old_count) + " +" + diff_range(new_line, new_count) + " @@\n" + body;
        old_line += old_count;
        new_line += new_count;
        at = end;
    }
    return out;
}

}  // namespace clrbus
