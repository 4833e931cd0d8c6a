#include "clr/institution.hpp"

#include "clr/json_text.hpp"
#include "clr/terms.hpp"
#include "core/error.hpp"

namespace clrbus::clr {

std::string Institution::profile_json() const {
    JsonText json;
    json.object();
    json.member("id", id)
        .strings("type", {"Profile"})
        .member("name", display_name())
        .optional("url", url)
        .optional("email", email);
    if (!codes.empty()) {
        json.array("otherIdentifier");
        for (const auto& [scheme, value] : codes)
            json.object()
                .member("type", "IdentifierEntry")
                .member("identifier", value)
                .member("identifierType", extension_term(scheme))
                .end();
        json.end();
    }
    json.end();
    return json.take();
}

Institution Institution::from_config(const Config& root, std::string_view public_url) {
    const Config element = root.child("institution");
    if (!element) root.fail("CLR-002", "expected <institution>: who issues the records");
    Institution out;
    out.id = element.require("id");
    out.name = element.require("name");
    out.url = element.require("url");
    out.email = element.get("email");
    try {
        out.zone = Zone::load(element.get("zone", "Z"));
    } catch (const Error& e) {
        element.fail("CLR-001", "zone", e.why());
    }
    for (const Config& code : element.children("code")) out.codes.emplace_back(code.require("scheme"), code.require("value"));
    const Config instance = root.child("instance");
    out.test = instance && instance.get("kind") == "test";
    out.public_url = public_url.empty() ? out.url : std::string(public_url);
    while (out.public_url.ends_with('/')) out.public_url.pop_back();
    return out;
}

}  // namespace clrbus::clr
