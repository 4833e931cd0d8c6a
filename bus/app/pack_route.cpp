// clrbus route export and import: a route as one file.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iostream>

#include "app/settings.hpp"
#include "app/wire.hpp"
#include "config/loader.hpp"
#include "workbench/pack.hpp"

namespace clrbus::app {
namespace {

workbench::PackFolders pack_folders(const Settings& settings) {
    return {settings.routes, settings.transforms, settings.schemas, settings.codes};
}

boost::json::array pack_names(const std::vector<std::string>& names) {
    boost::json::array out;
    for (const std::string& name : names) out.emplace_back(name);
    return out;
}

}  // namespace

int export_route(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::string& name,
                 const std::filesystem::path& out) {
    const Settings settings = read_settings(config, overlay);
    RouteAssets assets(asset_folders(settings, nullptr));
    const LoadedRoutes loaded = load_routes(settings.routes, assets);
    const std::string bytes = workbench::write_pack(workbench::export_route(name, loaded.routes, pack_folders(settings)));
    if (out.empty()) {
        std::cout << bytes;
        return 0;
    }
    std::ofstream stream(out, std::ios::binary);
    stream << bytes;
    stream.close();
    if (!stream) {
        std::cerr << "clrbus: '" << out.string() << "' cannot be written\n";
        return 1;
    }
    std::cerr << "written: " << out.string() << ", " << bytes.size() << " bytes\n";
    return 0;
}

int import_route(const ImportRoute& what) {
    const Settings settings = read_settings(what.config, what.overlay);
    const workbench::RoutePack pack = workbench::read_pack(read_file(what.file, 65U << 20), what.file.string());
    const workbench::Imported done =
        workbench::import_route(pack, pack_folders(settings), asset_folders(settings, nullptr), what.other_lib, what.dry);
    std::vector<std::string> missing;
    const auto known = settings.root.children("secret");
    for (const std::string& name : pack.secrets) {
        if (std::none_of(known.begin(), known.end(), [&](const Config& one) { return one.get("name") == name; }))
            missing.push_back(name);
    }
    if (what.json) {
        std::cout << boost::json::serialize(boost::json::object{{"name", pack.name},
                                                                {"installed", !what.dry},
                                                                {"routes", pack_names(done.routes)},
                                                                {"cases", done.cases},
                                                                {"written", pack_names(done.written)},
                                                                {"kept", pack_names(done.kept)},
                                                                {"secrets_missing", pack_names(missing)}})
                  << '\n';
        return 0;
    }
    for (const std::string& name : done.written) std::cout << (what.dry ? "would write " : "written     ") << name << '\n';
    for (const std::string& name : done.kept) std::cout << "was there   " << name << '\n';
    for (const std::string& name : missing) std::cout << "it needs <secret name=\"" << name << "\" …/> in the configuration\n";
    std::cout << done.cases << " cases hold; next: clrbus check\n";
    return 0;
}

}  // namespace clrbus::app
