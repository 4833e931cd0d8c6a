#include "workbench/pack.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <set>
#include <utility>

#include "config/loader.hpp"
#include "core/ids.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"
#include "routing/dry_run.hpp"
#include "workbench/check_files.hpp"

namespace clrbus::workbench {
namespace {

namespace fs = std::filesystem;
using boost::json::object;

constexpr std::string_view kPackFormat = "clrbus-route-pack";
constexpr std::int64_t kPackVersion = 1;
constexpr std::uintmax_t kPackFileMost = 16U << 20;
constexpr std::uintmax_t kPackMost = 64U << 20;
constexpr std::size_t kPackFiles = 2000;

[[noreturn]] void pack_refuse(const char* code, const std::string& doing, std::string why, std::string expected) {
    throw Error(Fault::kPoison, code, doing, std::move(why)).expected(std::move(expected));
}

// Names of plain files in plain folders, below one of our roots: nothing hidden, nothing that leads elsewhere.
bool pack_name(std::string_view name) {
    if (name.empty() || name.size() > 200) return false;
    std::size_t parts = 0;
    for (std::size_t at = 0; at <= name.size(); ++parts) {
        const std::size_t end = std::min(name.find('/', at), name.size());
        const std::string_view part = name.substr(at, end - at);
        if (part.empty() || part.front() == '.' || part.front() == '-') return false;
        for (const char c : part) {
            const bool plain =
                (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
            if (!plain) return false;
        }
        at = end + 1;
    }
    const auto below = [name](std::string_view root) { return name.starts_with(root); };
    return parts >= 2 && parts <= 8 && (below("routes/") || below("transforms/") || below("xsd/") || below("codes/"));
}

// What every installation has: packed by its hash alone.
bool pack_shared(std::string_view name) {
    return name.starts_with("transforms/lib/") || name == "xsd/learner-record.xsd" || name == "xsd/routes.xsd" ||
           name == "xsd/configuration.xsd";
}

void pack_secret_names(const Config& element, std::set<std::string>& out) {
    for (const auto& [name, value] : element.attributes()) {
        if (name == "secret" || name.ends_with("-secret")) out.insert(value);
    }
    for (const Config& child : element.children()) pack_secret_names(child, out);
}

// A regular file, no link, and no folder above it below root is one.
std::string pack_bytes(const fs::path& root, const fs::path& file) {
    fs::path at = root;
    for (const auto& part : file.lexically_relative(root)) {
        at /= part;
        if (fs::is_symlink(fs::symlink_status(at)))
            pack_refuse("PACK-003", "reading '" + at.string() + "'", "it is a link", "files and folders");
    }
    return read_file(file, kPackFileMost);
}

void pack_add(RoutePack& pack, const std::string& name, std::string bytes) {
    if (!pack_name(name))
        pack_refuse("PACK-002", "packing '" + name + "'", "this name cannot be packed",
                    "letters, digits, '-', '_', '.', below routes, transforms, xsd or codes");
    if (pack_shared(name)) {
        pack.needs[name] = crypto::sha256_hex(bytes);
    } else {
        pack.files[name] = std::move(bytes);
    }
}

std::string pack_text(const object& from, const char* name) {
    const auto* value = from.if_contains(name);
    if (value == nullptr || !value->is_string())
        pack_refuse("PACK-010", "reading a pack", std::string("'") + name + "' is missing or no text",
                    "a pack of 'clrbus route export'");
    return std::string(std::string_view(value->get_string()));
}

const object& pack_object(const object& from, const char* name) {
    const auto* value = from.if_contains(name);
    if (value == nullptr || !value->is_object())
        pack_refuse("PACK-010", "reading a pack", std::string("'") + name + "' is missing", "a pack of 'clrbus route export'");
    return value->get_object();
}

// Goes when it goes out of scope, unless it was kept.
struct PackStage {
    fs::path path = fs::temp_directory_path() / ("clrbus-import-" + new_uuid());
    PackStage() {
        fs::create_directory(path);
        fs::permissions(path, fs::perms::owner_all);
    }
    ~PackStage() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    PackStage(const PackStage&) = delete;
    PackStage& operator=(const PackStage&) = delete;
};

void pack_write(const fs::path& file, const std::string& bytes) {
    fs::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out << bytes;
    out.close();
    if (!out)
        pack_refuse("PACK-026", "writing '" + file.string() + "'", "it cannot be written", "room, and rights in the folder");
}

// Neither the file nor a folder on the way to it is a link: nothing is written elsewhere.
void pack_no_links(const fs::path& root, const fs::path& file) {
    fs::path at = root;
    for (const auto& part : file.lexically_relative(root)) {
        at /= part;
        std::error_code failed;
        if (fs::is_symlink(fs::symlink_status(at, failed)))
            pack_refuse("PACK-023", "importing into '" + at.string() + "'", "it is a link", "files and folders");
    }
}

}  // namespace

fs::path PackFolders::file(std::string_view name) const {
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos) return {};
    const std::string_view root = name.substr(0, slash);
    const fs::path rest(std::string(name.substr(slash + 1)));
    if (root == "routes") return routes / rest;
    if (root == "transforms") return transforms / rest;
    if (root == "xsd") return schemas / rest;
    if (root == "codes") return codes / rest;
    return {};
}

RoutePack export_route(const std::string& name, const std::vector<std::shared_ptr<const CompiledRoute>>& routes,
                       const PackFolders& folders) {
    RoutePack pack;
    pack.name = name;
    const fs::path folder = folders.routes / name;
    if (name.empty() || !pack_name("routes/" + name + "/routes.xml") || !fs::is_regular_file(folder / "routes.xml"))
        pack_refuse("PACK-001", "exporting '" + name + "'", "there is no such folder below " + folders.routes.string(),
                    "the name of a folder with a routes.xml that compiles");
    for (fs::recursive_directory_iterator at(folder), end; at != end; ++at) {
        if (at->is_directory() && !at->is_symlink()) continue;
        pack_add(pack, "routes/" + name + "/" + at->path().lexically_relative(folder).generic_string(),
                 pack_bytes(folders.routes, at->path()));
    }
    std::set<std::string> secrets;
    Findings clear;
    std::size_t found = 0;
    for (const auto& route : routes) {
        const fs::path file = route->element().where().file;
        if (file.lexically_normal() != (folder / "routes.xml").lexically_normal()) continue;
        ++found;
        pack_secret_names(route->element(), secrets);
        check_secrets(route->element(), clear);
        for (const CompiledRoute::File& used : route->files()) {
            const fs::path place = folders.file(used.name);
            const std::size_t slash = used.name.find('/');
            if (place.empty() || slash == std::string::npos)
                pack_refuse("PACK-002", "packing '" + used.name + "'", "it lies outside of the project's folders",
                            "files below routes, transforms, xsd and codes");
            pack_add(pack, used.name, pack_bytes(folders.file(used.name.substr(0, slash) + "/x").parent_path(), place));
        }
    }
    if (found == 0)
        pack_refuse("PACK-001", "exporting '" + name + "'", "no route of it compiles", "what 'clrbus check' says first");
    PackStage stage;
    for (const auto& [file, bytes] : pack.files) pack_write(stage.path / file, bytes);
    check_secrets_below(stage.path, clear);
    for (const Finding& one : clear.sorted()) {
        const std::string file =
            one.file.starts_with(stage.path.string()) ? one.file.substr(stage.path.string().size() + 1) : one.file;
        pack_refuse("PACK-004", "exporting '" + name + "'",
                    file + ":" + std::to_string(one.line) + ":" + std::to_string(one.column) + ": " + one.text, one.expected);
    }
    pack.secrets.assign(secrets.begin(), secrets.end());
    return pack;
}

std::string write_pack(const RoutePack& pack) {
    object files, needs;
    boost::json::array secrets;
    for (const auto& [name, bytes] : pack.files)
        files[name] = object{{"sha256", crypto::sha256_hex(bytes)}, {"base64", crypto::base64(bytes)}};
    for (const auto& [name, hash] : pack.needs) needs[name] = hash;
    for (const std::string& name : pack.secrets) secrets.emplace_back(name);
    return boost::json::serialize(object{{"format", kPackFormat},
                                         {"version", kPackVersion},
                                         {"name", pack.name},
                                         {"secrets", std::move(secrets)},
                                         {"needs", std::move(needs)},
                                         {"files", std::move(files)}}) +
           "\n";
}

RoutePack read_pack(std::string_view bytes, const std::string& file) {
    const std::string doing = "reading '" + file + "'";
    if (bytes.size() > kPackMost) pack_refuse("PACK-011", doing, "it is too large", "at most 64 MB");
    boost::json::error_code error;
    boost::json::parse_options options;
    options.max_depth = 8;
    const boost::json::value value = boost::json::parse({bytes.data(), bytes.size()}, error, {}, options);
    if (error || !value.is_object()) pack_refuse("PACK-010", doing, "it is no JSON object", "a pack of 'clrbus route export'");
    const object& all = value.get_object();
    if (pack_text(all, "format") != kPackFormat)
        pack_refuse("PACK-010", doing, "it is no pack of a route", "a pack of 'clrbus route export'");
    const auto* version = all.if_contains("version");
    if (version == nullptr || !version->is_int64() || version->get_int64() != kPackVersion)
        pack_refuse("PACK-012", doing, "it is of another version", "version 1");
    RoutePack out;
    out.name = pack_text(all, "name");
    const std::string own = "routes/" + out.name + "/";
    if (!pack_name(own + "routes.xml") || out.name.find('/') != std::string::npos)
        pack_refuse("PACK-013", doing, "its name is no name of a folder", "letters, digits, '-', '_' and '.'");
    const object& files = pack_object(all, "files");
    if (files.size() > kPackFiles) pack_refuse("PACK-011", doing, "it holds too many files", "at most 2000");
    for (const auto& [key, one] : files) {
        const std::string name(key);
        if (!pack_name(name) || (name.starts_with("routes/") && !name.starts_with(own)) || pack_shared(name))
            pack_refuse("PACK-013", doing, "a file has a name that a pack may not write",
                        "names below " + own + ", transforms, xsd and codes, without '..', and none of the shared files");
        if (!one.is_object()) pack_refuse("PACK-010", doing, "a file is no object", "sha256 and base64");
        auto content = crypto::from_base64(pack_text(one.get_object(), "base64"));
        if (!content) pack_refuse("PACK-014", doing, "'" + name + "' is not base64", "a pack as it was written");
        if (content->size() > kPackFileMost) pack_refuse("PACK-011", doing, "'" + name + "' is too large", "at most 16 MB");
        if (crypto::sha256_hex(*content) != pack_text(one.get_object(), "sha256"))
            pack_refuse("PACK-015", doing, "'" + name + "' is not what was packed", "bytes of its SHA-256");
        if (!out.files.emplace(name, std::move(*content)).second)
            pack_refuse("PACK-013", doing, "'" + name + "' stands twice", "each name once");
    }
    if (out.files.count(own + "routes.xml") == 0)
        pack_refuse("PACK-010", doing, "it holds no " + own + "routes.xml", "a pack of 'clrbus route export'");
    for (const auto& [key, one] : pack_object(all, "needs")) {
        if (!pack_shared(key) || !pack_name(key) || !one.is_string())
            pack_refuse("PACK-013", doing, "it needs a file that is none of the shared ones",
                        "transforms/lib/… and learner-record.xsd");
        out.needs[std::string(key)] = std::string(std::string_view(one.get_string()));
    }
    if (const auto* secrets = all.if_contains("secrets"); secrets != nullptr && secrets->is_array()) {
        for (const auto& one : secrets->get_array())
            if (one.is_string() && one.get_string().size() < 200 && out.secrets.size() < 100)
                out.secrets.emplace_back(std::string_view(one.get_string()));
    }
    return out;
}

Imported import_route(const RoutePack& pack, const PackFolders& folders, const RouteAssetFolders& assets, bool other_lib,
                      bool dry) {
    const std::string doing = "importing '" + pack.name + "'";
    if (fs::exists(fs::symlink_status(folders.routes / pack.name)))
        pack_refuse("PACK-020", doing, "there is such a folder already", "a name that is free: take the other one away first");
    for (const auto& [name, hash] : pack.needs) {
        const fs::path file = folders.file(name);
        if (!fs::is_regular_file(file))
            pack_refuse("PACK-021", doing, "it needs " + name + ", which is not here", "a clrbus that has this file");
        if (!other_lib && crypto::sha256_hex(read_file(file, kPackFileMost)) != hash)
            pack_refuse("PACK-022", doing, "it was made with another version of " + name,
                        "the same version; or --other-lib, when its cases are to decide");
    }
    Imported out;
    for (const auto& [name, bytes] : pack.files) {
        const fs::path file = folders.file(name);
        pack_no_links(folders.file(name.substr(0, name.find('/')) + "/x").parent_path(), file);
        if (!fs::exists(file)) {
            out.written.push_back(name);
        } else if (fs::is_regular_file(file) && read_file(file, kPackFileMost) == bytes) {
            out.kept.push_back(name);
        } else {
            pack_refuse("PACK-024", doing, name + " is here, and it is another one", "the same file, or none");
        }
    }
    // As it would be: a copy of the folders with the pack laid over it.
    PackStage stage;
    const PackFolders copy{stage.path / "routes", stage.path / "transforms", stage.path / "xsd", stage.path / "codes"};
    for (const auto& [from, to] : {std::pair(folders.transforms, copy.transforms), std::pair(folders.schemas, copy.schemas),
                                   std::pair(folders.codes, copy.codes)}) {
        if (fs::is_directory(from)) fs::copy(from, to, fs::copy_options::recursive);
        fs::create_directories(to);
    }
    for (const auto& [name, bytes] : pack.files) pack_write(copy.file(name), bytes);
    RouteAssetFolders staged = assets;
    staged.schemas = copy.schemas;
    staged.transforms = copy.transforms;
    staged.codes = copy.codes;
    {
        RouteAssets compiled(staged);
        const LoadedRoutes loaded = load_routes(copy.routes, compiled);
        compiled.compile_all();
        if (!loaded.errors.empty()) throw Error(loaded.errors.front());
        for (const auto& route : loaded.routes) {
            out.routes.push_back(route->id());
            for (fs::directory_iterator at(folders.routes), end; at != end; ++at) {
                std::error_code failed;
                if (!fs::is_regular_file(at->path() / "routes.xml", failed)) continue;
                for (const Config& other : ConfigLoader(nullptr).load(at->path() / "routes.xml").children("route"))
                    if (other.get("id") == route->id())
                        pack_refuse("PACK-020", doing, "there is a route '" + route->id() + "' already", "ids that are free");
            }
        }
        for (const CaseResult& one : run_cases(loaded.routes, copy.routes / pack.name)) {
            ++out.cases;
            if (!one.held)
                pack_refuse("PACK-025", doing, "its case '" + one.name + "' does not hold here", "all of its cases hold");
        }
    }
    if (dry) return out;
    std::vector<fs::path> made;
    // Not below routes/, where a bus that runs would take it before it is whole.
    const fs::path beside = folders.routes.parent_path() / (".clrbus-import-" + new_uuid());
    try {
        for (const std::string& name : out.written) {
            const std::string own = "routes/" + pack.name + "/";
            const bool route = name.starts_with(own);
            const fs::path file = route ? beside / name.substr(own.size()) : folders.file(name);
            if (!route) made.push_back(file);
            pack_write(file, pack.files.at(name));
        }
        fs::rename(beside, folders.routes / pack.name);
    } catch (...) {
        std::error_code ignored;
        for (const fs::path& file : made) fs::remove(file, ignored);
        fs::remove_all(beside, ignored);
        throw;
    }
    return out;
}

}  // namespace clrbus::workbench
