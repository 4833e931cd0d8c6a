// The options by which an adapter's element says how a far side is reached over HTTP and who we are to it: the same words with
// the same meaning in every adapter. Read once, when the element is; any thread.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "adapter/adapter.hpp"
#include "http/client.hpp"
#include "http/client_rule.hpp"

namespace clrbus {

// The adapter's own codes for what can be wrong.
struct FarSideCodes {
    std::string_view url, plain, status, file, credential, field;
};

// Everything throws Error(kConfig) at the element.
class FarSideOptions {
public:
    FarSideOptions(const AdapterContext& context, const FarSideCodes& codes) : context_(context), codes_(codes) {}

    // scheme://host:port of a URL that may be asked: https, or http to this machine, or what plain="allow" allows.
    std::string checked_origin(const char* attribute, const std::string& url) const;
    struct FarSide {
        std::shared_ptr<const HttpFarSide> with;     // with our credential; shared by the calls
        std::shared_ptr<const HttpFarSide> without;  // for other origins
    };
    // ca-file, certificate-file, key-file, connect-timeout, redirects, origins, proxy, authentication and what belongs to it.
    FarSide far_side() const;
    // <header name= value=/> children; ours: fields that the adapter writes itself.
    HttpFields header_fields(std::initializer_list<std::string_view> ours) const;
    HttpStatusSet status_set(const char* attribute) const;  // empty when absent

private:
    std::string origin_of(const char* attribute, const std::string& url) const;
    std::string needed(const char* attribute, const std::string& kind) const;
    std::filesystem::path file_beside(const char* attribute) const;
    std::function<std::string()> secret(const char* attribute, const std::string& kind) const;
    std::shared_ptr<HttpCredential> credential(const std::shared_ptr<const HttpFarSide>& without) const;

    const AdapterContext& context_;  // outlives this
    const FarSideCodes codes_;
};

}  // namespace clrbus
