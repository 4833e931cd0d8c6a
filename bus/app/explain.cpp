#include "app/explain.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <iostream>

namespace clrbus::app {

int explain(const std::string& code, bool json) {
    std::string wanted = code;
    std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const std::string area = wanted.substr(0, wanted.find('-'));
    std::string like;
    for (const std::string_view page : kCodePages) {
        const std::string_view name = page.substr(0, page.find('\n'));
        if (name == wanted) {
            std::string_view text = page.substr(std::min(page.size(), name.size() + 1));
            while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
            while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
            if (json) {
                std::cout << boost::json::serialize(boost::json::object{{"code", wanted}, {"page", text}}) << '\n';
            } else {
                std::cout << wanted << "\n\n" << text << '\n';
            }
            return 0;
        }
        if (name.substr(0, name.find('-')) == area && name.size() < 20) like += (like.empty() ? "" : ", ") + std::string(name);
    }
    if (json) std::cout << boost::json::serialize(boost::json::object{{"code", wanted}, {"page", nullptr}}) << '\n';
    std::cerr << "clrbus: there is no code '" << wanted << "'" << (like.empty() ? "" : "; of that area there are " + like)
              << '\n';
    return 1;
}

}  // namespace clrbus::app
