// The state directory: 0700, one process, and the files that scripts read (DESIGN section 9).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/settings.hpp"

namespace clrbus::storage {
class StateDirectory;
}

namespace clrbus::app {

class StateDir {
public:
    // Makes it (0700), holds it (storage/state_directory.hpp), removes an old ports.json. Throws Error(kConfig): "STATE-010"
    // not to be made, "STATE-011" others may read it, and what storage says: another process holds it, written by a newer bus.
    explicit StateDir(std::filesystem::path dir);
    ~StateDir();
    StateDir(const StateDir&) = delete;
    StateDir& operator=(const StateDir&) = delete;

    const std::filesystem::path& path() const { return dir_; }
    // Written by rename, when every listener answers.
    void write_ports(const std::map<std::string, std::uint16_t>& ports) const;
    // The development access: made at the first start, read at the next ones.
    struct Access {
        std::vector<User> users;
        std::vector<Token> tokens;
    };
    Access development_access(const std::vector<std::string>& routes, const std::filesystem::path& ca) const;

private:
    std::filesystem::path dir_;
    std::unique_ptr<storage::StateDirectory> held_;
};

}  // namespace clrbus::app
