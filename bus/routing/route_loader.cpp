#include "routing/route_loader.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "config/loader.hpp"
#include "routing/assets.hpp"
#include "routing/route_graph.hpp"
#include "xml/schemas.hpp"

namespace clrbus {
namespace {

std::vector<std::filesystem::path> route_files(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> out;
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
        const auto file = entry->path() / "routes.xml";
        std::error_code ignored;
        if (std::filesystem::is_regular_file(file, ignored)) out.push_back(file);
    }
    std::sort(out.begin(), out.end());
    return out;
}

void note_changed(std::vector<std::filesystem::path>& changed, const FilesRead& files) {
    for (const auto& [path, stamp] : files.files()) {
        if (!(FileStamp::of(path) == stamp)) changed.push_back(path);
    }
}

}  // namespace

RouteLoader::RouteLoader(std::filesystem::path folder, RouteAssets& assets) : folder_(std::move(folder)), assets_(assets) {}
RouteLoader::~RouteLoader() = default;

void RouteLoader::look_at_schemas(const FilesRead& begun) {
    if (loader_ && schema_files_.unchanged()) return;
    std::vector<std::filesystem::path> schemas{assets_.folders().schemas / "routes.xsd"};
    schemas.insert(schemas.end(), assets_.folders().adapter_schemas.begin(), assets_.folders().adapter_schemas.end());
    FilesRead read = begun;
    loader_ = std::make_unique<ConfigLoader>(Schemas::load(schemas));
    for (const auto& schema : schemas) read.add(schema);
    schema_files_ = std::move(read);
    ++schemas_version_;  // every file is judged anew
}

void RouteLoader::read(const std::filesystem::path& path, File& file, const FilesRead& begun) {
    file.read = begun;
    file.judged_by = schemas_version_;
    file.error.reset();
    try {
        std::vector<std::shared_ptr<Entry>> entries;
        for (const Config& element : loader_->load(path).children("route")) {
            entries.push_back(std::make_shared<Entry>());
            entries.back()->element = element;
            entries.back()->id = element.get("id");
        }
        file.entries = std::move(entries);
    } catch (const Error& e) {
        file.error = e;  // the entries of before say which routes are meant
    }
    file.read.add(path);
}

void RouteLoader::compile(Entry& entry, const std::filesystem::path& path, const FilesRead& begun, Result& result) {
    const bool known = entry.route != nullptr;
    if (known && entry.files.unchanged() && (!entry.uses_codes || entry.codes_version == assets_.codes_version())) return;
    if (known) note_changed(result.changed, entry.files);
    ++compiled_;
    entry.files = begun;
    entry.error.reset();
    entry.codes_version = assets_.codes_version();
    try {
        entry.route = CompiledRoute::compile(entry.element, assets_);
        for (const auto& file : entry.route->dependencies()) {
            if (file == assets_.folders().codes) {
                entry.uses_codes = true;
            } else {
                entry.files.add(file);
            }
        }
        result.settled = result.settled && entry.files.settled();
    } catch (Error& e) {
        e.file(path.string());
        entry.route = nullptr;
        entry.error = e;
    }
}

RouteLoader::Result RouteLoader::load() {
    const FilesRead begun;
    Result out;
    try {
        assets_.refresh();
    } catch (const Error& e) {
        out.refused.push_back({"", assets_.folders().codes, e});
    }
    look_at_schemas(begun);
    out.settled = schema_files_.settled() && assets_.settled();
    const auto found = route_files(folder_);
    std::erase_if(files_, [&](const auto& one) { return !std::binary_search(found.begin(), found.end(), one.first); });
    std::set<std::string> seen;
    std::set<std::string> known;  // of those that do not compile too: what is sent to them waits until they are mended
    for (const auto& path : found) {
        const auto [at, fresh] = files_.try_emplace(path);
        File& file = at->second;
        if (fresh || file.judged_by != schemas_version_ || !file.read.unchanged()) {
            if (fresh || !(FileStamp::of(path) == file.read.files().front().second)) out.changed.push_back(path);
            read(path, file, begun);
            out.settled = out.settled && file.read.settled();
        }
        known.insert(path.parent_path().filename().string());  // of a file that cannot be read, the folder's name is known
        for (const auto& entry : file.entries) known.insert(entry->id);
        if (file.error) {
            if (file.entries.empty()) out.refused.push_back({"", path, *file.error});
            for (const auto& entry : file.entries) out.refused.push_back({entry->id, path, *file.error});
            continue;
        }
        for (const auto& entry : file.entries) {
            compile(*entry, path, begun, out);
            std::optional<Error> error = entry->error;
            if (!error && !seen.insert(entry->id).second) {
                try {
                    entry->element.fail("ROUTE-018", "id", "'" + entry->id + "' is taken by another route");
                } catch (const Error& e) {
                    error = e;
                }
            }
            if (error) {
                out.refused.push_back({entry->id, path, *error});
            } else {
                out.routes.push_back(entry->route);
            }
        }
    }
    for (const auto& [id, error] : refuse_wrong_targets(out.routes, known)) out.refused.push_back({id, file_of(id), error});
    assets_.drop_unused();
    std::sort(out.changed.begin(), out.changed.end());
    out.changed.erase(std::unique(out.changed.begin(), out.changed.end()), out.changed.end());
    return out;
}

std::vector<std::filesystem::path> RouteLoader::folders() const {
    std::vector<std::filesystem::path> out{folder_, assets_.folders().schemas, assets_.folders().transforms};
    if (!assets_.folders().codes.empty()) out.push_back(assets_.folders().codes);
    return out;
}

std::filesystem::path RouteLoader::file_of(const std::string& route) const {
    for (const auto& [path, file] : files_) {
        for (const auto& entry : file.entries) {
            if (entry->id == route) return path;
        }
    }
    return {};
}

}  // namespace clrbus
