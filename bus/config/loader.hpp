// Reads a configuration file: parsed, validated by its schema, every error with file, line and column; then an overlay file for
// one environment laid over it. Pure but for reading files; any thread.
#pragma once

#include <filesystem>
#include <memory>

#include "config/config.hpp"

namespace clrbus {

class Schemas;

class ConfigLoader {
public:
    // schemas may be null: well-formedness only (an element of an adapter is validated by its own schema later).
    explicit ConfigLoader(std::shared_ptr<const Schemas> schemas);

    // Throws Error(kConfig, "CONF-001") when the file cannot be read or is larger than 4 MB, the parser's and the schema's
    // errors as Error(kConfig) otherwise.
    Config load(const std::filesystem::path& file) const;

    // base with an overlay laid over it. An element of the overlay meets the element of the same name and the same id, name,
    // scheme or protocol (whichever it has) below the same parent: its attributes replace, its children are laid over; one that
    // meets none is added behind.
    static Config overlay(const Config& base, const Config& over);

private:
    std::shared_ptr<const Schemas> schemas_;  // shared with other loaders and routes
};

// Reads a whole file. Throws Error(kConfig, "CONF-001") when it is missing, no regular file, or larger.
std::string read_file(const std::filesystem::path& file, std::uintmax_t most = 4U << 20);

}  // namespace clrbus
