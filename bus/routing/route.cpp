#include "routing/route.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "core/ids.hpp"
#include "crypto/hash.hpp"
#include "routing/assets.hpp"
#include "routing/parser_pool.hpp"
#include "routing/route_loader.hpp"
#include "routing/stateful.hpp"
#include "xml/xpath.hpp"

namespace clrbus {
namespace {

void append_element(std::string& out, const Config& element) {
    out += '<';
    out += element.name();
    for (const auto& [name, value] : element.attributes()) out += ' ' + name + "='" + value + '\'';
    out += '>';
    out += element.text();
    for (const Config& child : element.children()) append_element(out, child);
    out += "</>";
}

// The name of a file as people know it: from the project's folder on.
std::string name_below(const RouteAssetFolders& folders, const std::filesystem::path& file) {
    const std::pair<const char*, const std::filesystem::path*> roots[] = {
        {"xsd", &folders.schemas}, {"transforms", &folders.transforms}, {"codes", &folders.codes}};
    for (const auto& [name, root] : roots) {
        const std::string relative = file.lexically_normal().lexically_relative(root->lexically_normal()).string();
        if (!relative.empty() && relative.rfind("..", 0) != 0) return std::string(name) + "/" + relative;
    }
    return "other" + std::filesystem::absolute(file).lexically_normal().string();
}

SplitPlan split_plan(const Config& element, RouteAssets& assets) {
    SplitPlan plan;
    plan.source = FormatPlan::read(element, assets);
    plan.when = element.get("when");
    if (plan.source.format == FormatPlan::Format::kXml && plan.source.path.empty())
        element.fail("ROUTE-015", "path", "an XML split names the elements to split at");
    return plan;
}

// The first parse of the steps, inside others too.
Config first_parse(const std::vector<Config>& elements) {
    for (const Config& element : elements) {
        if (element.name() == "parse") return element;
        if (const Config inside = first_parse(element.children())) return inside;
    }
    return {};
}

OrderPlan order_plan(const Config& element, const CompiledRoute& route, RouteAssets& assets) {
    if (element.has("order-key") == element.has("order-header"))
        element.fail("ROUTE-060", "order", "order=\"key\" goes with an order-key or an order-header");
    if (const Config split = element.child("split"))
        split.fail("ROUTE-061", "a route that splits has no order by key: its records are no messages of the inbox");
    for (const StatefulStep* step : route.stateful()) {
        if (step->parks())
            element.fail("ROUTE-061", "order",
                         "not with step '" + step->name() + "', in which messages wait outside of the inbox");
    }
    OrderPlan plan;
    plan.header = element.get("order-header");
    if (!plan.header.empty()) return plan;
    plan.key = assets.xpath(element, "order-key");
    plan.parse = route.steps().front().get();
    if (plan.parse->name() != "1 parse" && plan.parse->name() != "1 validate")
        element.fail("ROUTE-062", "order-key", "is read from the document: the first step must be one that parses");
    return plan;
}

}  // namespace

std::uint64_t OrderPlan::hash(const CompiledRoute& route, const TakenMessage& message, std::string_view body) const {
    std::string text;
    try {
        if (parse == nullptr) {
            text = message.headers.get(header);
        } else if (!message.headers.has(header::kAtStep)) {  // that one is a document in the middle of the route
            Work work{.route = route, .id = {}, .body = body, .headers = message.headers, .document = {}};
            parse->apply(work);
            text = key->string(work.document, work.variables());
        }
    } catch (const Error&) {
        text.clear();  // its step says what is wrong with it
    }
    return std::stoull(crypto::sha256_hex(text).substr(0, 16), nullptr, 16);
}

std::shared_ptr<const CompiledRoute> CompiledRoute::compile(const Config& element, RouteAssets& assets) {
    auto route = std::make_shared<CompiledRoute>();
    route->element_ = element;
    route->id_ = element.require("id");
    if (!is_valid_name(route->id_)) element.fail("ROUTE-016", "id", "is no name of a route");
    route->max_bytes_ = static_cast<std::uint64_t>(element.get_int("max-bytes", 256 << 20));
    route->workers_ = static_cast<std::uint32_t>(element.get_int("workers", 1));
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
        } else if (child.name() == "key") {
            const std::string name = child.require("name");
            for (const BusinessKey& key : route->keys_) {
                if (key.name == name) child.fail("ROUTE-064", "name", "another key of the route has this name");
            }
            route->keys_.push_back({name, assets.xpath(child, "xpath"), child.get("personal", "yes") != "no"});
        } else {
            steps.push_back(child);
        }
    }
    std::string prefix;
    if (steps.front().name() == "split") {
        route->split_ = split_plan(steps.front(), assets);
        steps.erase(steps.begin());
        // XML records are validated by the parse that splits them, where a validate stands right behind.
        if (route->split_->source.format == FormatPlan::Format::kXml && !steps.empty() && steps.front().name() == "validate") {
            route->split_->schemas = assets.schemas(steps.front(), steps.front().require("schema"));
        }
        if (route->split_->source.format == FormatPlan::Format::kXml)
            route->split_->parsers = std::make_shared<ParserPool>(route->split_->schemas);
        prefix = "child ";
    }
    if (route->split_) {
        route->source_ = route->split_->source;
    } else if (const Config parse = first_parse(steps)) {
        route->source_ = FormatPlan::read(parse, assets);
    }
    route->endpoints_ = route_endpoints(element);
    route->steps_ = make_steps(steps, assets, prefix, route->split_.has_value());
    name_stateful_steps(route->steps_, element);
    route->stateful_ = stateful_steps(route->steps_);
    if (element.has("order")) {
        route->order_ = order_plan(element, *route, assets);
    } else if (element.has("order-key") || element.has("order-header")) {
        element.fail("ROUTE-060", "order", "is missing: an order-key or order-header says nothing without order=\"key\"");
    }

    auto& used = route->dependencies_ = assets.take_used_files();
    std::sort(used.begin(), used.end());
    used.erase(std::unique(used.begin(), used.end()), used.end());
    for (const auto& path : used) {
        if (!std::filesystem::is_regular_file(path)) continue;  // one that would be used if it were there
        route->files_.push_back({name_below(assets.folders(), path), path, assets.sha256_of(path)});
    }
    // By name, so that the same files in another folder make the same route.
    std::sort(route->files_.begin(), route->files_.end(), [](const File& a, const File& b) { return a.name < b.name; });
    crypto::Sha256 all;
    const std::string text = element_text(element);
    all.update(text + assets.properties_in(text));
    for (const File& file : route->files_) all.update("\n" + file.name + "\n" + file.sha256);
    route->hash_ = all.hex();
    const std::filesystem::path file = element.where().file;
    if (std::filesystem::is_regular_file(file)) {
        route->route_file_ = {"routes/" + file.parent_path().filename().string() + "/" + file.filename().string(), file,
                              assets.sha256_of(file)};
    }
    return route;
}

std::string element_text(const Config& element) {
    std::string out;
    append_element(out, element);
    return out;
}

bool CompiledRoute::drops() const {
    return std::any_of(doors_.begin(), doors_.end(), [](const Config& door) { return static_cast<bool>(door.child("drop")); });
}

LoadedRoutes load_routes(const std::filesystem::path& folder, RouteAssets& assets) {
    RouteLoader loader(folder, assets);
    RouteLoader::Result found = loader.load();
    LoadedRoutes out;
    out.routes = std::move(found.routes);
    for (const RouteLoader::Refused& refused : found.refused) out.errors.push_back(refused.error);
    return out;
}

}  // namespace clrbus
