// What an element of this adapter asks for, checked. Pure but for the secrets' function.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapter/adapter.hpp"
#include "adapters_http_call/url_template.hpp"
#include "http/client.hpp"
#include "http/client_rule.hpp"

namespace clrbus::adapters::http_call {

struct CallConfig {
    // Throws Error(kConfig, "HTC-0xx") with the place.
    explicit CallConfig(const AdapterContext& context);

    UrlTemplate url;
    std::string method, content_type, id_field;
    HttpFields fields;
    std::shared_ptr<const HttpFarSide> far_side;  // shared by the calls
    HttpRule rule;
    HttpStatusSet nothing;
    std::chrono::milliseconds timeout{};
    std::uint32_t window = 8;
    std::uint64_t max_answer = 0;
};

}  // namespace clrbus::adapters::http_call
