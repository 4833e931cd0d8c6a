#include "app/secrets.hpp"

#include <cstdlib>
#include <utility>

#include "crypto/secret_file.hpp"

namespace clrbus::app {

Secrets::Secrets(const Config& root, const std::filesystem::path& file) {
    for (const Config& element : root.children("secret")) {
        if (element.has("file") == element.has("env"))
            element.fail("CONF-030", "a secret has a file or an env, one of the two");
        Place place{element, {}, element.get("env")};
        if (element.has("file")) {
            // A relative path in a configuration means: beside it.
            place.file = (std::filesystem::absolute(file).parent_path() / element.get("file")).lexically_normal();
        }
        read(place);  // what is missing is found at the start, not in the night
        if (!places_.emplace(element.require("name"), std::move(place)).second)
            element.fail("CONF-030", "name", "there are two secrets of this name");
    }
}

std::string Secrets::get(std::string_view name) const {
    const auto found = places_.find(name);
    if (found == places_.end())
        throw Error(Fault::kConfig, "CONF-034", "reading a secret", "there is no secret '" + std::string(name) + "'")
            .expected("<secret name=\"" + std::string(name) + "\" file=\"…\"/> in the configuration");
    return read(found->second);
}

std::string Secrets::read(const Place& place) {
    std::string value;
    if (!place.env.empty()) {
        const char* text = std::getenv(place.env.c_str());
        if (text == nullptr) place.element.fail("CONF-032", "env", "the environment variable is not set");
        value = text;
    } else {
        try {
            value = crypto::read_secret_file(place.file);
        } catch (const Error& e) {
            place.element.fail("CONF-031", "file", e.why());
        }
    }
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
    if (value.empty()) place.element.fail("CONF-033", "the secret is empty");
    return value;
}

}  // namespace clrbus::app
