// The generations of routes that were activated, each with the bytes of its files, time, cause and difference to the one
// before: DIR/generations/ROUTE/N/{about,diff}, bytes by hash in DIR/generations/.objects/. Written before the generation's
// number is: what has a number can be gone back to. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "routing/route.hpp"

namespace clrbus {

struct KeptGeneration {
    std::uint64_t number = 0;
    std::string at, by, why;  // RFC 3339; who (a user, "files", "start"); what was changed
    std::string hash;
    std::string route_file;  // name of the routes.xml among files
    struct File {
        std::string name, sha256;
    };
    std::vector<File> files;
};

class GenerationStore {
public:
    static constexpr std::size_t kKeptMost = 100;  // of one route; older ones go

    explicit GenerationStore(std::filesystem::path folder);

    struct Cause {
        std::string by, why;
        Time at{};
    };
    // Writes the generation that route carries; fresh = false: only when it is not there yet. Throws Error(kAway, "ROUTE-080")
    // when a file is no longer what the route was compiled from, Error(kConfig, "ROUTE-081") when it cannot be written.
    void keep(const CompiledRoute& route, const Cause& cause, bool fresh);
    // Everything that was kept is on disk.
    void sync();

    std::vector<KeptGeneration> list(const std::string& route) const;  // oldest first
    // Throws Error(kPoison, "ROUTE-082"): it is not kept.
    KeptGeneration find(const std::string& route, std::uint64_t number) const;
    std::string diff(const std::string& route, std::uint64_t number) const;
    // Of any two of them.
    std::string diff(const std::string& route, std::uint64_t from, std::uint64_t to) const;
    // The files as they were, below a folder: routes/, xsd/, transforms/, codes/. Throws as find does, and when bytes are
    // missing.
    void write_out(const KeptGeneration& generation, const std::filesystem::path& folder) const;

private:
    std::filesystem::path object(const std::string& sha256) const;
    std::string bytes_of(const KeptGeneration::File& file) const;
    void keep_bytes(const CompiledRoute::File& file);
    std::string difference(const KeptGeneration& before, const KeptGeneration& after) const;
    void drop_old(const std::string& route);

    std::filesystem::path folder_;
};

}  // namespace clrbus
