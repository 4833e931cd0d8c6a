// The options of <http-listen:post/>, checked. A value type.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "adapter/adapter.hpp"
#include "adapters_http_listen/signed_event.hpp"
#include "crypto/signing.hpp"

namespace clrbus::adapters::http_listen {

struct ListenConfig {
    std::string path;
    bool token = true;
    bool jwt = false;
    std::filesystem::path jwks_file;
    std::vector<crypto::Algorithm> algorithms;
    ClaimsPolicy claims;
    std::vector<std::string> content_types;  // lower case
    std::uint64_t most = 0;

    ListenConfig(const Config& config, const Inbox& inbox);  // throws Error(kConfig, "HTL-01x")

    // value: of the Content-Type field. Parameters do not matter.
    bool takes(std::string_view value) const;
};

// application/xml of "application/XML; charset=utf-8"
std::string media_type(std::string_view value);

}  // namespace clrbus::adapters::http_listen
