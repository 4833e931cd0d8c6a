#include "routing/route.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "config/loader.hpp"
#include "core/ids.hpp"
#include "crypto/hash.hpp"
#include "routing/assets.hpp"
#include "routing/parser_pool.hpp"
#include "routing/route_graph.hpp"

namespace clrbus {
namespace {

// The element with everything below it as text: what a change of the route changes.
void append_element(std::string& out, const Config& element) {
    out += '<';
    out += element.name();
    for (const auto& [name, value] : element.attributes()) out += ' ' + name + "='" + value + '\'';
    out += '>';
    out += element.text();
    for (const Config& child : element.children()) append_element(out, child);
    out += "</>";
}

SplitPlan split_plan(const Config& element) {
    SplitPlan plan;
    const std::string format = element.get("format");
    plan.path = element.get("path");
    plan.when = element.get("when");
    plan.delimiter = element.get("delimiter");
    plan.encoding = element.get("encoding");
    if (format == "csv") plan.format = SplitPlan::Format::kCsv;
    if (format == "json") plan.format = plan.path == "lines" ? SplitPlan::Format::kJsonLines : SplitPlan::Format::kJson;
    if (format == "xml" && plan.path.empty()) element.fail("ROUTE-015", "path", "an XML split names the elements to split at");
    return plan;
}

}  // namespace

std::shared_ptr<const CompiledRoute> CompiledRoute::compile(const Config& element, RouteAssets& assets) {
    auto route = std::make_shared<CompiledRoute>();
    route->element_ = element;
    route->id_ = element.require("id");
    if (!is_valid_name(route->id_)) element.fail("ROUTE-016", "id", "is no name of a route");
    route->max_bytes_ = static_cast<std::uint64_t>(element.get_int("max-bytes", 256 << 20));
    std::istringstream match(element.get("match"));
    for (std::string scheme; match >> scheme;) route->match_.push_back(scheme);
    if (!leads_somewhere(element)) element.fail("ROUTE-017", "the route ends nowhere: it has no <to>");

    assets.take_used_files();
    std::vector<Config> steps;
    for (const Config& child : element.children()) {
        if (child.name() == "from") {
            route->doors_.push_back(child);
        } else if (child.name() == "on-fault") {
            const Config attempts = child.child("attempts");
            route->attempts_.most = static_cast<std::uint32_t>(attempts.get_int("most", 8));
            route->attempts_.first = attempts.get_duration("first", std::chrono::seconds(2));
            route->attempts_.factor = std::stod(attempts.get("factor", "2"));
        } else {
            steps.push_back(child);
        }
    }
    std::string prefix;
    if (steps.front().name() == "split") {
        route->split_ = split_plan(steps.front());
        steps.erase(steps.begin());
        // XML records are validated by the parse that splits them, where a validate stands right behind.
        if (route->split_->format == SplitPlan::Format::kXml && !steps.empty() && steps.front().name() == "validate") {
            route->split_->schemas = assets.schemas(steps.front(), steps.front().require("schema"));
        }
        if (route->split_->format == SplitPlan::Format::kXml)
            route->split_->parsers = std::make_shared<ParserPool>(route->split_->schemas);
        prefix = "child ";
    }
    route->steps_ = make_steps(steps, assets, prefix, route->split_.has_value());

    std::string all;
    append_element(all, element);
    auto files = assets.take_used_files();
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    for (const auto& file : files) {
        all += '\n';
        all += file.filename().string();
        all += '\n';
        all += read_file(file, 64U << 20);
    }
    route->hash_ = crypto::sha256_hex(all);
    return route;
}

bool CompiledRoute::drops() const {
    return std::any_of(doors_.begin(), doors_.end(), [](const Config& door) { return static_cast<bool>(door.child("drop")); });
}

LoadedRoutes load_routes(const std::filesystem::path& folder, RouteAssets& assets) {
    LoadedRoutes out;
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(folder)) {
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.is_directory() && std::filesystem::is_regular_file(entry.path() / "routes.xml"))
                files.push_back(entry.path() / "routes.xml");
        }
    }
    std::sort(files.begin(), files.end());
    std::vector<std::string> seen;
    std::set<std::string> known;  // of those that do not compile too: what is sent to them waits until they are mended
    std::vector<std::filesystem::path> schemas{assets.folders().schemas / "routes.xsd"};
    schemas.insert(schemas.end(), assets.folders().adapter_schemas.begin(), assets.folders().adapter_schemas.end());
    const ConfigLoader loader(Schemas::load(schemas));
    for (const auto& file : files) {
        known.insert(file.parent_path().filename().string());  // of a file that cannot be read, the folder's name is known
        try {
            for (const Config& element : loader.load(file).children("route")) {
                known.insert(element.get("id"));
                try {
                    auto route = CompiledRoute::compile(element, assets);
                    if (std::find(seen.begin(), seen.end(), route->id()) != seen.end())
                        element.fail("ROUTE-018", "id", "'" + route->id() + "' is taken by another route");
                    seen.push_back(route->id());
                    out.routes.push_back(std::move(route));
                } catch (const Error& e) {
                    out.errors.push_back(e);
                }
            }
        } catch (const Error& e) {
            out.errors.push_back(e);
        }
    }
    const auto wrong = refuse_wrong_targets(out.routes, known);
    out.errors.insert(out.errors.end(), wrong.begin(), wrong.end());
    return out;
}

}  // namespace clrbus
