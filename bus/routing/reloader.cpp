#include "routing/reloader.hpp"

#include <algorithm>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include "config/loader.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "xml/schemas.hpp"

namespace clrbus {
namespace {

constexpr int kSettleTries = 40;
constexpr std::chrono::milliseconds kSettlePause{25};

std::string pin_note(const std::string& route) {
    return "pin/" + route;
}

// What was written out for one compilation goes with it.
class WrittenOut {
public:
    explicit WrittenOut(std::filesystem::path folder) : folder_(std::move(folder)) {}
    ~WrittenOut() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    WrittenOut(const WrittenOut&) = delete;
    WrittenOut& operator=(const WrittenOut&) = delete;
    const std::filesystem::path& path() const { return folder_; }

private:
    std::filesystem::path folder_;
};

}  // namespace

RouteReloader::RouteReloader(Parts parts)
    : parts_(std::move(parts)), loader_(parts_.routes, parts_.assets), kept_(parts_.state_dir / "generations") {}

RouteLoader::Result RouteReloader::load_settled() {
    RouteLoader::Result out = loader_.load();
    for (int i = 0; i < kSettleTries && !out.settled; ++i) {
        std::this_thread::sleep_for(kSettlePause);
        auto changed = std::move(out.changed);
        out = loader_.load();
        out.changed.insert(out.changed.end(), changed.begin(), changed.end());
    }
    std::sort(out.changed.begin(), out.changed.end());
    out.changed.erase(std::unique(out.changed.begin(), out.changed.end()), out.changed.end());
    return out;
}

std::optional<RouteReloader::Pin> RouteReloader::pin_of(const std::string& route) const {
    const auto note = parts_.queues.note(pin_note(route));
    if (!note) return std::nullopt;
    const auto space = note->find(' ');
    return Pin{std::stoull(note->substr(0, space)), space == std::string::npos ? "" : note->substr(space + 1)};
}

void RouteReloader::write_note(const std::string& name, std::optional<std::string> value) {
    Unit unit;
    unit.notes.push_back({name, std::move(value)});
    std::promise<CommitState> done;
    parts_.queues.commit(std::move(unit), parts_.executor, [&done](CommitState state) { done.set_value(state); });
    if (done.get_future().get() != CommitState::kDone)
        throw Error(Fault::kAway, "ROUTE-031", "writing to the journal", "it takes nothing: disk full or failed");
}

std::shared_ptr<const CompiledRoute> RouteReloader::compile_kept(const std::string& route, std::uint64_t number) {
    const KeptGeneration kept = kept_.find(route, number);
    const WrittenOut tree(parts_.state_dir / "generations" / (".tree-" + new_uuid()));
    kept_.write_out(kept, tree.path());
    RouteAssetFolders folders = parts_.assets.folders();
    std::vector<std::filesystem::path> schemas{folders.schemas / "routes.xsd"};
    schemas.insert(schemas.end(), folders.adapter_schemas.begin(), folders.adapter_schemas.end());
    folders.schemas = tree.path() / "xsd";
    folders.transforms = tree.path() / "transforms";
    folders.codes = tree.path() / "codes";
    RouteAssets assets(folders);
    assets.complete(true);  // the tree goes when it is compiled
    const Config file = ConfigLoader(Schemas::load(schemas)).load(tree.path() / kept.route_file);
    for (const Config& element : file.children("route")) {
        if (element.get("id") != route) continue;
        return CompiledRoute::compile(element, assets);
    }
    throw Error(Fault::kConfig, "ROUTE-083", "reading a kept generation", "it holds no route '" + route + "'");
}

RouteEngine::Keep RouteReloader::keeper(std::string by, std::string why) {
    return [this, by = std::move(by), why = std::move(why)](const CompiledRoute& route, bool fresh) {
        kept_.keep(route, {by, why, parts_.clock.now()}, fresh);
    };
}

void RouteReloader::refuse(const std::string& route, const std::filesystem::path& file, const Error& error) {
    const std::lock_guard lock(refused_mutex_);
    const std::string key = route.empty() ? file.string() : route;
    const auto known = refused_.find(key);
    if (known != refused_.end() && std::string(known->second.error.what()) == error.what()) return;
    log::error("route", (route.empty() ? std::string("a change") : "a change of route '" + route + "'") +
                            " is refused: " + error.code() + ": " + error.what());
    refused_.insert_or_assign(key, Refusal{file, error, known != refused_.end() ? known->second.since : parts_.clock.now()});
}

// What is refused by the files now; what was refused for another reason and is not any more is forgotten by reload.
void RouteReloader::take_refused(const RouteLoader::Result& loaded) {
    std::set<std::string> now;
    for (const auto& one : loaded.refused) now.insert(one.route.empty() ? one.file.string() : one.route);
    {
        const std::lock_guard lock(refused_mutex_);
        std::erase_if(refused_, [&now](const auto& one) { return now.count(one.first) == 0; });
    }
    for (const auto& one : loaded.refused) refuse(one.route, one.file, one.error);
}

RouteReloader::Routes RouteReloader::first() {
    const std::lock_guard lock(mutex_);
    const RouteLoader::Result loaded = load_settled();
    take_refused(loaded);
    Routes out;
    const auto kept = [&](const std::string& route, std::uint64_t number) -> std::shared_ptr<const CompiledRoute> {
        try {
            return compile_kept(route, number);
        } catch (const Error& e) {
            log::error("route",
                       "generation " + std::to_string(number) + " of route '" + route + "' cannot be used: " + e.what());
            return nullptr;
        }
    };
    for (const auto& route : loaded.routes) {
        const auto pin = pin_of(route->id());
        auto old = pin && (pin->live == route->hash()) ? kept(route->id(), pin->number) : nullptr;
        out.push_back(old ? old : route);
    }
    for (const auto& one : loaded.refused) {
        if (one.route.empty()) continue;
        const auto pin = pin_of(one.route);
        const auto note = parts_.queues.note("generation/" + one.route);
        std::optional<std::uint64_t> number;
        if (pin) number = pin->number;
        if (!pin && parts_.keep_last_good && note) number = std::stoull(*note);
        if (!number) continue;
        if (auto old = kept(one.route, *number)) {
            log::warn("route", "route '" + one.route + "' runs generation " + std::to_string(*number) +
                                   " that was kept: its files do not compile");
            out.push_back(std::move(old));
        }
    }
    parts_.assets.complete(true);
    return out;
}

void RouteReloader::begin(RouteEngine& engine, RouteFollowers& followers) {
    const std::lock_guard lock(mutex_);
    engine_ = &engine;
    followers_ = &followers;
    kept_.sync();
    // One whose door cannot be made does not run, and the others do.
    std::vector<std::string> without;
    for (const auto& route : engine.routes()) {
        try {
            followers.prepare(*route);
        } catch (const Error& e) {
            refuse(route->id(), loader_.file_of(route->id()), e);
            without.push_back(route->id());
        }
    }
    if (!without.empty()) engine.activate({}, without);
    followers.follow(engine.routes());
}

std::string RouteReloader::cause(const std::vector<std::filesystem::path>& changed) const {
    std::string out;
    for (std::size_t i = 0; i < changed.size() && i < 5; ++i) {
        const auto& path = changed[i];
        out += (i == 0 ? "" : ", ") + (path.parent_path().filename() / path.filename()).string();
    }
    if (changed.size() > 5) out += " and " + std::to_string(changed.size() - 5) + " more";
    return out.empty() ? "files changed" : out;
}

void RouteReloader::put(const Routes& routes, const std::vector<std::string>& gone, const std::string& by,
                        const std::string& why, Report& report) {
    if (!routes.empty() || !gone.empty()) {
        engine_->activate(routes, gone, keeper(by, why));
        kept_.sync();
    }
    followers_->follow(engine_->routes());
    for (const auto& route : routes) report.activated.push_back(route->id() + " " + std::to_string(route->generation));
    report.gone = gone;
}

RouteReloader::Report RouteReloader::reload(const std::string& by, std::chrono::milliseconds quiet) {
    const std::lock_guard lock(mutex_);
    Report report;
    const RouteLoader::Result loaded = load_settled();
    const auto young =
        std::chrono::duration_cast<std::chrono::nanoseconds>((std::chrono::system_clock::now() - quiet).time_since_epoch())
            .count();
    report.pending = !loaded.settled ||
                     (quiet.count() != 0 && std::any_of(loaded.changed.begin(), loaded.changed.end(),
                                                        [&](const auto& file) { return FileStamp::of(file).changed > young; }));
    if (report.pending) return report;
    take_refused(loaded);
    std::map<std::string, std::shared_ptr<const CompiledRoute>> running;
    for (const auto& route : engine_->routes()) running[route->id()] = route;
    std::set<std::string> known;
    Routes candidates;
    std::vector<std::string> unpinned;
    for (const auto& one : loaded.refused) known.insert(one.route);
    for (const auto& route : loaded.routes) {
        known.insert(route->id());
        const auto found = running.find(route->id());
        if (const auto pin = pin_of(route->id())) {
            if (found != running.end() && pin->live == route->hash()) {
                report.pinned.push_back(route->id());
                continue;
            }
            unpinned.push_back(route->id());
        }
        if (found == running.end() || found->second->hash() != route->hash()) candidates.push_back(route);
    }
    std::vector<std::string> gone;
    for (const auto& [id, route] : running) {
        // A file that cannot be read may hold it.
        const bool unreadable = std::any_of(loaded.refused.begin(), loaded.refused.end(), [&id = id](const auto& one) {
            return one.route.empty() && one.file.parent_path().filename() == id;
        });
        if (known.count(id) == 0 && !unreadable) gone.push_back(id);
    }
    hold_back(candidates, loaded, report);
    std::erase_if(candidates, [this](const auto& route) {
        try {
            followers_->prepare(*route);
            return false;
        } catch (const Error& e) {
            refuse(route->id(), loader_.file_of(route->id()), e);
            return true;
        }
    });
    put(candidates, gone, by, cause(loaded.changed), report);
    for (const std::string& id : unpinned) {
        const bool taken =
            std::any_of(candidates.begin(), candidates.end(), [&](const auto& route) { return route->id() == id; });
        const auto now = engine_->route(id);
        const bool same = now && std::any_of(loaded.routes.begin(), loaded.routes.end(), [&](const auto& route) {
                              return route->id() == id && route->hash() == now->hash();
                          });
        if (taken || same) write_note(pin_note(id), std::nullopt);
    }
    for (const std::string& id : gone) {
        if (pin_of(id)) write_note(pin_note(id), std::nullopt);
    }
    report.refused = refused();
    return report;
}

RouteReloader::Report RouteReloader::rollback(const std::string& route, std::optional<std::uint64_t> number,
                                              const std::string& by) {
    const std::lock_guard lock(mutex_);
    const auto now = engine_->route(route);
    if (!number) {
        for (const KeptGeneration& kept : kept_.list(route)) {
            if (now == nullptr || (kept.number < now->generation && kept.hash != now->hash())) number = kept.number;
        }
        if (!number) {
            throw Error(Fault::kPoison, "ROUTE-082", "going back", "route '" + route + "' has no earlier generation")
                .expected("clrbus route history " + route);
        }
    }
    const KeptGeneration kept = kept_.find(route, *number);
    Report report;
    const RouteLoader::Result loaded = load_settled();
    std::string live;
    for (const auto& one : loaded.routes) {
        if (one->id() == route) live = one->hash();
    }
    const bool runs = now && now->hash() == kept.hash;
    const auto old = runs ? nullptr : compile_kept(route, *number);
    if (old) followers_->prepare(*old);
    // First the pin: a start that finds it goes back too.
    const auto before = parts_.queues.note(pin_note(route));
    const bool pinned = live != kept.hash;
    write_note(pin_note(route), pinned ? std::optional(std::to_string(*number) + " " + live) : std::nullopt);
    try {
        if (old) put({old}, {}, by, "rollback to " + std::to_string(*number), report);
    } catch (const Error&) {
        write_note(pin_note(route), before);
        throw;
    }
    if (pinned) report.pinned.push_back(route);
    report.refused = refused();
    return report;
}

RouteReloader::Report RouteReloader::unpin(const std::string& route, const std::string& by) {
    {
        const std::lock_guard lock(mutex_);
        if (!pin_of(route)) {
            throw Error(Fault::kPoison, "ROUTE-084", "unpinning", "route '" + route + "' is not pinned");
        }
        write_note(pin_note(route), std::nullopt);
    }
    return reload(by);
}

// In the folder, also of a route that was compiled from kept bytes.
std::filesystem::path RouteReloader::live_file(const CompiledRoute& route) const {
    return parts_.routes / std::filesystem::path(route.route_file().name).lexically_relative("routes");
}

std::vector<RouteReloader::Refused> RouteReloader::refused() const {
    std::vector<Refused> out;
    const std::lock_guard lock(refused_mutex_);
    for (const auto& [key, one] : refused_) {
        const bool known = key != one.file.string();
        out.push_back({known ? key : "", one.file, one.error.code(), one.error.what(), one.since,
                       known && engine_ != nullptr && engine_->route(key) != nullptr});
    }
    return out;
}

std::vector<Error> RouteReloader::errors() const {
    std::vector<Error> out;
    const std::lock_guard lock(refused_mutex_);
    for (const auto& [key, one] : refused_) out.push_back(one.error);
    return out;
}

std::vector<RouteReloader::Info> RouteReloader::list() const {
    std::vector<Info> out;
    const auto refused_by_now = refused();
    std::set<std::string> listed;
    const auto refusal_of = [&](const std::string& id) -> std::optional<Refused> {
        const auto found =
            std::find_if(refused_by_now.begin(), refused_by_now.end(), [&](const auto& one) { return one.route == id; });
        return found == refused_by_now.end() ? std::nullopt : std::optional(*found);
    };
    for (const auto& route : engine_->routes()) {
        Info info{route->id(),       route->generation,         route->hash(), std::nullopt, refusal_of(route->id()),
                  live_file(*route), {route->route_file().name}};
        if (const auto pin = pin_of(route->id())) info.pinned = pin->number;
        for (const auto& file : route->files()) info.files.push_back(file.name);
        listed.insert(route->id());
        out.push_back(std::move(info));
    }
    for (const auto& one : refused_by_now) {
        if (!one.route.empty() && listed.insert(one.route).second)
            out.push_back({one.route, 0, "", std::nullopt, one, one.file, {}});
    }
    return out;
}

}  // namespace clrbus
