#include "routing/name_list.hpp"

#include "core/error.hpp"
#include "core/ids.hpp"

namespace clrbus {

std::vector<std::string_view> names_in(std::string_view text, const char* doing) {
    constexpr std::size_t kMostBytes = 4096, kMostNames = 64;
    constexpr std::string_view kSeparators = " \t\r\n,";
    if (text.size() > kMostBytes) throw Error(Fault::kPoison, "ROUTE-123", doing, "the list is longer than 4096 bytes");
    std::vector<std::string_view> out;
    for (std::size_t at = text.find_first_not_of(kSeparators); at != std::string_view::npos;) {
        const std::size_t end = text.find_first_of(kSeparators, at);
        const std::string_view one = text.substr(at, end == std::string_view::npos ? end : end - at);
        if (!is_valid_name(one)) throw Error(Fault::kPoison, "ROUTE-123", doing, "it holds what is no name of a route");
        if (out.size() == kMostNames) throw Error(Fault::kPoison, "ROUTE-123", doing, "the list has more than 64 names");
        out.push_back(one);
        at = end == std::string_view::npos ? end : text.find_first_not_of(kSeparators, end);
    }
    return out;
}

}  // namespace clrbus
