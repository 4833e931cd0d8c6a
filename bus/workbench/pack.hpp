// A route as one file that another campus takes: route file, cases, stylesheets, schemas, code lists; never a secret, only the
// names of those that it needs. JSON with the SHA-256 of each file: the same files make the same bytes, and nothing in it can
// unfold, point elsewhere or be a link. Pure but for reading and writing files; one thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "routing/assets.hpp"
#include "routing/route.hpp"

namespace clrbus::workbench {

struct RoutePack {
    std::string name;                          // the folder below routes/
    std::map<std::string, std::string> files;  // name below the project (routes/NAME/…, transforms/…, xsd/…, codes/…) -> bytes
    std::map<std::string, std::string> needs;  // shared files that every installation has (transforms/lib/…) -> SHA-256
    std::vector<std::string> secrets;          // names of <secret>s that its endpoints ask for
};

// The folders of an installation that a pack is read from or written into.
struct PackFolders {
    std::filesystem::path routes, transforms, schemas, codes;
    std::filesystem::path file(std::string_view name) const;  // of a name in a pack; empty: no such root
};

// All routes of the folder NAME. Throws Error(kPoison, "PACK-001" … "PACK-004").
RoutePack export_route(const std::string& name, const std::vector<std::shared_ptr<const CompiledRoute>>& routes,
                       const PackFolders& folders);
std::string write_pack(const RoutePack& pack);
// Throws Error(kPoison, "PACK-010" … "PACK-015") for bytes that are no pack or not as they were written.
RoutePack read_pack(std::string_view bytes, const std::string& file);

struct Imported {
    std::vector<std::string> written, kept;  // kept: was there, the same
    std::vector<std::string> routes;
    std::size_t cases = 0;
};
// Lays the pack over a copy of the folders, compiles it and runs its cases there; only when all hold the files are written, the
// route's folder last and in one step. On an error nothing is left. other_lib: shared files may differ from those of the pack.
// Throws Error(kPoison, "PACK-020" … "PACK-026"), or what a route that does not compile throws.
Imported import_route(const RoutePack& pack, const PackFolders& folders, const RouteAssetFolders& assets, bool other_lib,
                      bool dry);

}  // namespace clrbus::workbench
