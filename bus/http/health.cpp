#include "http/health.hpp"

#include <algorithm>

#include "core/counters.hpp"

namespace clrbus {

HttpHandler health_handler(std::function<std::vector<HealthPart>()> parts, std::function<bool(const HttpRequest&)> detail) {
    return [parts = std::move(parts), detail = std::move(detail)](const std::shared_ptr<HttpExchange>& exchange) {
        const std::vector<HealthPart> all = parts();
        const bool ok = std::all_of(all.begin(), all.end(), [](const HealthPart& part) { return part.ok; });
        std::string json = std::string("{\"status\":\"") + (ok ? "ok" : "failing") + '"';
        if (detail && detail(exchange->request())) {
            std::string list;
            for (const HealthPart& part : all) {
                list += (list.empty() ? "{\"name\":" : ",{\"name\":") + json_quoted(part.name) +
                        ",\"ok\":" + (part.ok ? "true" : "false") + ",\"text\":" + json_quoted(part.text) + '}';
            }
            json += ",\"parts\":[" + list + ']';
        }
        exchange->respond(http_json(ok ? 200 : 503, json + "}\n"));
    };
}

std::string metrics_text(const std::map<std::string, std::int64_t>& counters) {
    // Series of one name stand together, below one TYPE line: with labels in the key, the map's order alone does not give that.
    std::map<std::string, std::string> families;
    for (const auto& [series, value] : counters) {
        const std::string family = series.substr(0, series.find('{'));
        families[family] += series + ' ' + std::to_string(value) + '\n';
    }
    std::string out;
    for (const auto& [family, lines] : families)
        out += "# TYPE " + family + (family.ends_with("_total") ? " counter\n" : " gauge\n") + lines;
    return out;
}

HttpHandler metrics_handler() {
    return [](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->respond(http_text(200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(all_counters())));
    };
}

}  // namespace clrbus
