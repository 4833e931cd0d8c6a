// Secrets by name: <secret name="sis-key" file="…"/> or env="…". Files are read anew each time, so that a rotated one counts
// from the next use on. Values are never kept, logged or shown. Any thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace clrbus::app {

class Secrets {
public:
    // Throws Error(kConfig): CONF-030 two of one name or no single place, CONF-031 the file cannot be used (missing, or group
    // or others have a right to it), CONF-032 the environment variable is not set, CONF-033 empty.
    Secrets(const Config& root, const std::filesystem::path& file);

    // Throws Error(kConfig): CONF-034 no such name; the others as above.
    std::string get(std::string_view name) const;

private:
    struct Place {
        Config element;
        std::filesystem::path file;
        std::string env;
    };
    static std::string read(const Place& place);

    std::map<std::string, Place, std::less<>> places_;
};

}  // namespace clrbus::app
