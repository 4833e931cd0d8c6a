// Puts what the files say into the place of what runs, without a restart: takes what compiles whole, refuses what does not
// (what runs stays), keeps each generation, and goes back to one. Doors and rights follow (RouteFollowers). Any thread; one at
// a time.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "routing/assets.hpp"
#include "routing/engine.hpp"
#include "routing/generations.hpp"
#include "routing/route_loader.hpp"

namespace clrbus {

// What follows the routes: their doors, who may publish to them.
class RouteFollowers {
public:
    virtual ~RouteFollowers() = default;
    // Makes what a new generation needs, without any effect. Throws Error(kConfig): the change is refused.
    virtual void prepare(const CompiledRoute& route) = 0;
    // These routes run now. What is not among them closes, what changed is restarted, the rest is not touched.
    virtual void follow(const std::vector<std::shared_ptr<const CompiledRoute>>& routes) = 0;
};

class RouteReloader {
public:
    struct Parts {
        Queues& queues;
        Executor& executor;  // for the answers of commits
        Clock& clock;
        std::filesystem::path state_dir;
        std::filesystem::path routes;  // the folder of route folders
        RouteAssets& assets;
        bool keep_last_good = false;  // at a start, a route that does not compile runs its last generation
    };
    explicit RouteReloader(Parts parts);

    struct Refused {
        std::string route;  // "" when the file does not say which
        std::filesystem::path file;
        std::string code, text;  // text: file:line:column, what and why
        Time since{};
        bool runs = false;  // an earlier generation runs on
    };
    struct Report {
        std::vector<std::string> activated;  // ROUTE and its number: "people 4"
        std::vector<std::string> gone;
        std::vector<Refused> refused;
        std::vector<std::string> cases;  // routes whose cases were run, because a shared stylesheet changed
        std::vector<std::string> pinned;
        bool pending = false;  // files still change: nothing was taken
    };
    struct Info {
        std::string route;
        std::uint64_t generation = 0;
        std::string hash;
        std::optional<std::uint64_t> pinned;  // to the content of this generation
        std::optional<Refused> refused;
        std::filesystem::path file;
        std::vector<std::string> files;
    };

    // What is to run at a start. Then the engine is made with keeper("start", …), and begin() is called.
    std::vector<std::shared_ptr<const CompiledRoute>> first();
    RouteEngine::Keep keeper(std::string by, std::string why);
    void begin(RouteEngine& engine, RouteFollowers& followers);

    // quiet: nothing is taken while a file is younger. by: who asks, for the history.
    Report reload(const std::string& by, std::chrono::milliseconds quiet = {});
    // To an earlier generation; without a number to the one before. It stays until unpin, or until the files of the route
    // change to something that compiles. Throws Error(kPoison, "ROUTE-082").
    Report rollback(const std::string& route, std::optional<std::uint64_t> number, const std::string& by);
    Report unpin(const std::string& route, const std::string& by);

    std::vector<Info> list() const;
    std::vector<Refused> refused() const;
    std::vector<Error> errors() const;  // of refused(), as they were thrown
    GenerationStore& kept() { return kept_; }
    std::vector<std::filesystem::path> folders() const { return loader_.folders(); }

private:
    struct Pin {
        std::uint64_t number = 0;
        std::string live;  // hash of what the files said when it was pinned; "" when they did not compile
    };
    using Routes = std::vector<std::shared_ptr<const CompiledRoute>>;
    RouteLoader::Result load_settled();
    std::optional<Pin> pin_of(const std::string& route) const;
    void write_note(const std::string& name, std::optional<std::string> value);
    std::shared_ptr<const CompiledRoute> compile_kept(const std::string& route, std::uint64_t number);
    std::filesystem::path live_file(const CompiledRoute& route) const;
    std::string cause(const std::vector<std::filesystem::path>& changed) const;
    void refuse(const std::string& route, const std::filesystem::path& file, const Error& error);
    void take_refused(const RouteLoader::Result& loaded);
    void hold_back(Routes& candidates, const RouteLoader::Result& loaded, Report& report);
    std::vector<std::string> shared_changes(const CompiledRoute& running, const CompiledRoute* candidate);
    std::optional<Error> failing_case(const Routes& group);
    void put(const Routes& routes, const std::vector<std::string>& gone, const std::string& by, const std::string& why,
             Report& report);

    Parts parts_;
    mutable std::mutex mutex_;  // of the calls: one at a time
    RouteLoader loader_;
    GenerationStore kept_;
    RouteEngine* engine_ = nullptr;
    RouteFollowers* followers_ = nullptr;
    struct Refusal {
        std::filesystem::path file;
        Error error;
        Time since{};
    };
    mutable std::mutex refused_mutex_;        // guards refused_: asked while a reload runs
    std::map<std::string, Refusal> refused_;  // by route, or by file where the route is not known
    std::string judged_;                      // hashes of the group whose cases were run last
    std::optional<Error> judgement_;          // and how that went
};

}  // namespace clrbus
