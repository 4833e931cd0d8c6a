// Boost.Regex: its matcher does not use the stack and gives up on expressions that explode.
// The number of states that one match may visit: some tens of milliseconds.
#define BOOST_REGEX_MAX_STATE_COUNT 2000000
#include <boost/regex.hpp>
#include <memory>
#include <unordered_map>

#include "core/error.hpp"
#include "xml/detail/text.hpp"
#include "xml/functions/words.hpp"

namespace clrbus::xml_functions {

namespace {

constexpr std::size_t kMostRegexText = 64u << 10;
constexpr std::size_t kMostRegexLength = 1000;
constexpr std::size_t kMostRegexKept = 256;  // a thread

using Traits = boost::cpp_regex_traits<wchar_t>;
using Expression = boost::basic_regex<wchar_t, Traits>;
using Iterator = std::wstring::const_iterator;

[[noreturn]] void regex_refuse(const char* code, std::string why) {
    throw Error(Fault::kPoison, code, "regular expression", std::move(why));
}

std::wstring regex_wide(std::string_view text) {
    std::wstring out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) out += static_cast<wchar_t>(xml_detail::next_character(text, at));
    return out;
}

std::string regex_narrow(Iterator from, Iterator to) {
    std::string out;
    for (; from != to; ++from) xml_detail::append_utf8(out, static_cast<char32_t>(*from));
    return out;
}

const Expression& regex_compiled(std::string_view text) {
    thread_local std::unordered_map<std::string, std::unique_ptr<Expression>> compiled;
    const std::string key(text);
    const auto known = compiled.find(key);
    if (known != compiled.end()) return *known->second;
    if (text.size() > kMostRegexLength) regex_refuse("FUN-022", "the expression is longer than 1000 bytes");
    if (compiled.size() >= kMostRegexKept) compiled.clear();
    try {
        auto made = std::make_unique<Expression>(regex_wide(text), boost::regex_constants::perl);
        return *compiled.emplace(key, std::move(made)).first->second;
    } catch (const std::runtime_error&) {
        regex_refuse("FUN-022", "'" + key.substr(0, 100) + "' is not a regular expression");
    }
}

// Runs act on the text; what the engine throws becomes ours.
template <typename Act>
auto regex_run(std::string_view text, std::string_view expression, const Act& act) {
    if (text.size() > kMostRegexText) regex_refuse("FUN-020", "the text is longer than 64 KB");
    const Expression& compiled = regex_compiled(expression);
    const std::wstring wide = regex_wide(text);
    try {
        return act(wide, compiled);
    } catch (const std::runtime_error&) {
        regex_refuse("FUN-021", "'" + std::string(expression.substr(0, 100)) + "' is too complex for this text");
    }
}

}  // namespace

bool matches(std::string_view text, std::string_view expression) {
    return regex_run(text, expression,
                     [](const std::wstring& wide, const Expression& compiled) { return boost::regex_search(wide, compiled); });
}

std::string replace(std::string_view text, std::string_view expression, std::string_view replacement) {
    // Only $1 … $9, $0 and $$: the engine's own format language has conditions.
    const std::wstring format = regex_wide(replacement);
    return regex_run(text, expression, [&](const std::wstring& wide, const Expression& compiled) {
        std::string out;
        Iterator from = wide.begin();
        for (boost::regex_iterator<Iterator, wchar_t, Traits> found(wide.begin(), wide.end(), compiled), none; found != none;
             ++found) {
            const auto& match = *found;
            out += regex_narrow(from, match[0].first);
            for (auto c = format.begin(); c != format.end(); ++c) {
                const auto next = c + 1;
                if (*c == L'$' && next != format.end() && *next >= L'0' && *next <= L'9') {
                    const auto n = static_cast<int>(*next - L'0');
                    if (match[n].matched) out += regex_narrow(match[n].first, match[n].second);
                    c = next;
                } else {
                    if (*c == L'$' && next != format.end() && *next == L'$') c = next;
                    xml_detail::append_utf8(out, static_cast<char32_t>(*c));
                }
            }
            from = match[0].second;
            if (out.size() > 16 * kMostRegexText) regex_refuse("FUN-020", "the result is longer than 1 MB");
        }
        return out + regex_narrow(from, wide.end());
    });
}

std::string group(std::string_view text, std::string_view expression, std::size_t n) {
    return regex_run(text, expression, [&](const std::wstring& wide, const Expression& compiled) {
        boost::match_results<Iterator> match;
        if (!boost::regex_search(wide, match, compiled) || n >= match.size() || !match[static_cast<int>(n)].matched)
            return std::string();
        return regex_narrow(match[static_cast<int>(n)].first, match[static_cast<int>(n)].second);
    });
}

}  // namespace clrbus::xml_functions
