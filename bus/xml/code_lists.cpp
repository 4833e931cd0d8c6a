#include "xml/code_lists.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <unordered_map>

#include "core/error.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/text.hpp"

namespace clrbus {

namespace {

struct CodeHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

struct CodeList {
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;
    std::unordered_map<std::string, std::size_t, CodeHash, std::equal_to<>> by_key;
};

[[noreturn]] void codes_refuse(const char* code, const std::filesystem::path& file, std::uint64_t line, std::string why) {
    throw Error(Fault::kConfig, code, "reading code list", xml_detail::place(file.string(), {}, line), std::move(why));
}

// The next row of a CSV text (RFC 4180); line moves on.
std::vector<std::string> codes_row(std::string_view text, std::size_t& at, std::uint64_t& line,
                                   const std::filesystem::path& file) {
    std::vector<std::string> row(1);
    const std::uint64_t start = line;
    bool quoted = false, was_quoted = false;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\n') ++line;
        if (quoted) {
            if (c == '"' && at + 1 < text.size() && text[at + 1] == '"') {
                row.back() += '"';
                ++at;
            } else if (c == '"') {
                quoted = false;
            } else {
                row.back() += c;
            }
        } else if (c == '"' && row.back().empty() && !was_quoted) {
            quoted = was_quoted = true;
        } else if (c == ',') {
            row.emplace_back();
            was_quoted = false;
        } else if (c == '\n' || c == '\r') {
            if (c == '\r' && at + 1 < text.size() && text[at + 1] == '\n') {
                ++at;
                ++line;
            }
            ++at;
            break;
        } else if (c == '"' || was_quoted) {
            codes_refuse("CODE-003", file, line, "a quotation mark inside a field");
        } else {
            row.back() += c;
        }
    }
    if (quoted) codes_refuse("CODE-003", file, start, "a quoted field does not end");
    return row;
}

CodeList codes_read(const std::filesystem::path& file) {
    const std::string bytes = xml_detail::read_file(file, "CODE-001");
    std::string_view text = bytes;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    const std::size_t bad = xml_detail::first_bad_xml_char(text);
    if (bad != xml_detail::kAllGood) {
        const std::string_view before = text.substr(0, bad);
        codes_refuse("CODE-002", file, 1 + static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n')),
                     "not UTF-8 text");
    }
    CodeList list;
    std::size_t at = 0;
    std::uint64_t line = 1;
    while (at < text.size()) {
        const std::uint64_t start = line;
        std::vector<std::string> row = codes_row(text, at, line, file);
        if (row.size() == 1 && row[0].empty()) continue;  // an empty line
        if (list.columns.empty()) {
            list.columns = std::move(row);
            if (list.columns.size() < 2) codes_refuse("CODE-004", file, start, "the header names fewer than two columns");
            for (std::size_t i = 0; i < list.columns.size(); ++i) {
                const auto& name = list.columns[i];
                if (name.empty() || std::find(list.columns.begin(), list.columns.begin() + static_cast<std::ptrdiff_t>(i),
                                              name) != list.columns.begin() + static_cast<std::ptrdiff_t>(i)) {
                    codes_refuse("CODE-004", file, start, "a column has no name, or the name of another one");
                }
            }
            continue;
        }
        if (row.size() != list.columns.size()) {
            codes_refuse(
                "CODE-005", file, start,
                "the row has " + std::to_string(row.size()) + " fields, the header " + std::to_string(list.columns.size()));
        }
        if (!list.by_key.emplace(row[0], list.rows.size()).second)
            codes_refuse("CODE-006", file, start, "the key '" + row[0] + "' stands twice");
        list.rows.push_back(std::move(row));
    }
    if (list.columns.empty()) codes_refuse("CODE-004", file, 1, "the file has no header");
    return list;
}

class CsvCodeLists : public CodeLists {
public:
    explicit CsvCodeLists(Secret secret) : secret_(std::move(secret)) {}
    CsvCodeLists(const std::filesystem::path& folder, Secret secret) : secret_(std::move(secret)) {
        std::error_code failed;
        if (!std::filesystem::is_directory(folder, failed)) codes_refuse("CODE-001", folder, 0, "no such folder");
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.path().extension() == ".csv") files_.push_back(entry.path());
        }
        std::sort(files_.begin(), files_.end());
        for (const auto& file : files_) lists_.emplace(file.stem().string(), codes_read(file));
    }

    std::optional<std::string> find(std::string_view list, std::string_view key, std::string_view column) const override {
        const auto known = lists_.find(list);
        if (known == lists_.end()) return std::nullopt;
        const auto row = known->second.by_key.find(key);
        if (row == known->second.by_key.end()) return std::nullopt;
        std::size_t index = 1;
        if (!column.empty()) {
            const auto& columns = known->second.columns;
            index = static_cast<std::size_t>(std::find(columns.begin(), columns.end(), column) - columns.begin());
            if (index == columns.size()) return std::nullopt;
        }
        return known->second.rows[row->second][index];
    }

    bool has(std::string_view list) const override { return lists_.find(list) != lists_.end(); }
    bool has_column(std::string_view list, std::string_view column) const override {
        const auto known = lists_.find(list);
        if (known == lists_.end()) return false;
        const auto& columns = known->second.columns;
        return std::find(columns.begin(), columns.end(), column) != columns.end();
    }
    std::string secret(std::string_view name) const override {
        if (!secret_) throw Error(Fault::kConfig, "FUN-050", "f:hmac", "there are no secrets here");
        return secret_(name);
    }
    const std::vector<std::filesystem::path>& files() const override { return files_; }

private:
    Secret secret_;
    std::map<std::string, CodeList, std::less<>> lists_;
    std::vector<std::filesystem::path> files_;
};

}  // namespace

std::shared_ptr<const CodeLists> CodeLists::load(const std::filesystem::path& folder, Secret secret) {
    return std::make_shared<CsvCodeLists>(folder, std::move(secret));
}

std::shared_ptr<const CodeLists> CodeLists::none(Secret secret) {
    return std::make_shared<CsvCodeLists>(std::move(secret));
}

}  // namespace clrbus
