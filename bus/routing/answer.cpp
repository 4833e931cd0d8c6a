#include "routing/answer.hpp"

#include "core/error.hpp"
#include "formats/json.hpp"
#include "routing/parser_pool.hpp"

namespace clrbus {

Document read_answer(std::string_view endpoint, const std::string& format, std::string_view body,
                     const std::string& content_type) {
    static ParserPool parsers(nullptr);  // of all endpoints
    try {
        const bool json = format.empty() ? content_type.find("json") != std::string::npos : format == "json";
        return json ? parse_json(body) : parsers.parse(body);
    } catch (const Error& e) {
        throw Error(Fault::kPoison, "ROUTE-136", "reading the answer of '" + std::string(endpoint) + "'",
                    e.code() + ": it cannot be read")
            .expected(format.empty() ? "XML, or JSON and a content type that says so" : format)
            .may_pass();
    }
}

}  // namespace clrbus
