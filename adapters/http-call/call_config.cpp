#include "adapters_http_call/call_config.hpp"

#include <utility>

#include "adapter/far_side.hpp"
#include "http/client_url.hpp"

namespace clrbus::adapters::http_call {
namespace {

constexpr FarSideCodes kCodes{"HTC-001", "HTC-002", "HTC-003", "HTC-004", "HTC-005", "HTC-006"};

// The places filled with a harmless word: what is left must be a URL.
UrlTemplate checked_template(const Config& config, const FarSideOptions& options) {
    std::string why, missing;
    const auto read = UrlTemplate::read(config.require("url"), why);
    if (!read) config.fail("HTC-001", "url", why);
    const auto filled = read->fill([](std::string_view) { return std::optional<std::string>("x"); }, missing);
    options.checked_origin("url", *filled);
    return *read;
}

}  // namespace

CallConfig::CallConfig(const AdapterContext& context) {
    const Config& config = context.config;
    const FarSideOptions options(context, kCodes);
    url = checked_template(config, options);
    method = config.name() == "get" ? "GET" : config.get("method", "POST");
    content_type = config.get("content-type");
    id_field = config.get("id-field", "Idempotency-Key");
    if (!is_http_token(id_field)) config.fail("HTC-006", "id-field", "no name of a header field");
    fields = options.header_fields({"Content-Type", "traceparent", id_field});
    timeout = config.get_duration("timeout", std::chrono::seconds(30));
    const auto windows = config.get_int("window", 8);
    if (windows > 64) config.fail("HTC-007", "window", "at most 64");
    window = static_cast<std::uint32_t>(windows);
    max_answer = static_cast<std::uint64_t>(config.get_int("max-answer", 1 << 20));
    rule = {options.status_set("success"), options.status_set("away"), options.status_set("again"),
            options.status_set("poison")};
    nothing = options.status_set("nothing");
    far_side = options.far_side().with;
}

}  // namespace clrbus::adapters::http_call
