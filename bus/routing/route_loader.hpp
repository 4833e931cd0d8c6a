// Reads every routes.xml below a folder and compiles what changed since the last time: one route among many costs that route.
// One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "routing/file_stamp.hpp"
#include "routing/route.hpp"

namespace clrbus {

class ConfigLoader;
class RouteAssets;

class RouteLoader {
public:
    RouteLoader(std::filesystem::path folder, RouteAssets& assets);
    ~RouteLoader();
    RouteLoader(const RouteLoader&) = delete;
    RouteLoader& operator=(const RouteLoader&) = delete;

    struct Refused {
        std::string route;           // "" when the file does not say which
        std::filesystem::path file;  // the routes.xml
        Error error;
    };
    struct Result {
        // All that compile now, in the order of the files; the same object as the last time while nothing of it changed.
        std::vector<std::shared_ptr<const CompiledRoute>> routes;
        // What does not. A file that cannot be read refuses every route that it held when it could.
        std::vector<Refused> refused;
        std::vector<std::filesystem::path> changed;  // files that differ from the last time
        bool settled = true;                         // false: a file was written to meanwhile; load again
    };
    Result load();

    // What a change of files may change: the folders to watch.
    std::vector<std::filesystem::path> folders() const;
    // The routes.xml that a route was read from; "" when there is none.
    std::filesystem::path file_of(const std::string& route) const;

    std::size_t compiled() const { return compiled_; }  // routes compiled so far, failed ones too

private:
    struct Entry {  // one <route>
        std::string id;
        Config element;
        std::shared_ptr<const CompiledRoute> route;  // null when it does not compile
        std::optional<Error> error;
        FilesRead files;
        std::uint64_t codes_version = 0;
        bool uses_codes = false;
    };
    struct File {
        FilesRead read;
        std::size_t judged_by = 0;  // schemas_version_ then
        std::optional<Error> error;
        std::vector<std::shared_ptr<Entry>> entries;
    };
    // begun: when this load began; what was written to since then may have been read before or after it.
    void look_at_schemas(const FilesRead& begun);
    void read(const std::filesystem::path& path, File& file, const FilesRead& begun);
    void compile(Entry& entry, const std::filesystem::path& path, const FilesRead& begun, Result& result);

    std::filesystem::path folder_;
    RouteAssets& assets_;
    std::unique_ptr<ConfigLoader> loader_;
    FilesRead schema_files_;  // of loader_
    std::size_t schemas_version_ = 0;
    std::map<std::filesystem::path, File> files_;
    std::size_t compiled_ = 0;
};

}  // namespace clrbus
