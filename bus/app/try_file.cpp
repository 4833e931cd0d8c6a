// clrbus try.
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "app/secrets.hpp"
#include "app/settings.hpp"
#include "app/wire.hpp"
#include "core/error.hpp"
#include "routing/assets.hpp"
#include "workbench/mapping.hpp"

namespace clrbus::app {
namespace {

using boost::json::array;
using boost::json::object;
using workbench::TriedRecord;
using workbench::TriedStep;

std::string took_text(std::chrono::nanoseconds took) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f ms", static_cast<double>(took.count()) / 1e6);
    return text;
}

// Colours for people at a terminal alone.
class Painter {
public:
    explicit Painter(bool on) : on_(on) {}
    std::string operator()(const char* code, const std::string& text) const {
        return on_ ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
    }

private:
    bool on_;
};

void print_lines(const std::string& text, const char* before) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) std::cout << before << line << '\n';
}

void print_difference(const std::string& difference, const Painter& paint) {
    std::istringstream in(difference);
    for (std::string line; std::getline(in, line);) {
        std::cout << "    " << (line[0] == '+' ? paint("32", line) : line[0] == '-' ? paint("31", line) : line) << '\n';
    }
}

void print_step(const TriedStep& step, const Painter& paint) {
    std::cout << "  " << paint("1", step.name) << "  " << took_text(step.took)
              << (step.changed ? "" : "  the document stays as it is") << '\n';
    for (const std::string& header : step.set) std::cout << "    header " << header << '\n';
    if (!step.changed) return;
    if (step.difference.empty()) {
        print_lines(step.document, "    ");
    } else {
        print_difference(step.difference, paint);
    }
}

void print_record(const TriedRecord& record, const Painter& paint) {
    std::cout << paint("1;36", record.number == 0 ? std::string("The message") : "Record " + std::to_string(record.number))
              << '\n';
    print_lines(record.input, "    ");
    for (const TriedStep& step : record.steps) print_step(step, paint);
    if (record.error) {
        std::cout << "  " << paint("31", "refused: " + record.error->code() + ": " + record.error->what()) << '\n';
        if (!record.error->expected().empty()) std::cout << "  expected: " << record.error->expected() << '\n';
    }
    if (!record.filtered.empty()) std::cout << "  filtered: " << record.filtered << '\n';
    for (const auto& output : record.outputs)
        std::cout << "  " << paint("32", "to " + output.queue) << " (" << output.body.size() << " bytes)\n";
    if (!record.unread.empty()) {
        std::cout << "  Makes no difference to what comes out:\n";
        for (const std::string& path : record.unread) std::cout << "    " << paint("33", path) << '\n';
    }
    std::cout << '\n';
}

array texts(const std::vector<std::string>& list) {
    array out;
    for (const std::string& one : list) out.emplace_back(one);
    return out;
}

object record_json(const TriedRecord& record) {
    array steps, outputs;
    for (const TriedStep& step : record.steps) {
        steps.push_back(object{{"step", step.name},
                               {"milliseconds", static_cast<double>(step.took.count()) / 1e6},
                               {"changed", step.changed},
                               {"document", step.document},
                               {"headers", texts(step.set)}});
    }
    for (const auto& output : record.outputs) outputs.push_back(object{{"queue", output.queue}, {"body", output.body}});
    object out{{"record", record.number},       {"input", record.input},       {"steps", std::move(steps)},
               {"outputs", std::move(outputs)}, {"filtered", record.filtered}, {"unread", texts(record.unread)}};
    if (record.error) {
        out["error"] = object{{"code", record.error->code()},
                              {"text", record.error->what()},
                              {"path", record.error->where().path},
                              {"expected", record.error->expected()}};
    }
    return out;
}

}  // namespace

int try_file(const Try& what) {
    const Settings settings = read_settings(what.config, what.overlay);
    const Secrets secrets(settings.root, settings.file);
    RouteAssets assets(asset_folders(settings, &secrets));
    const LoadedRoutes loaded = load_routes(settings.routes, assets);
    const auto found =
        std::find_if(loaded.routes.begin(), loaded.routes.end(), [&](const auto& route) { return route->id() == what.route; });
    if (found == loaded.routes.end()) {
        for (const Error& e : loaded.errors) std::cerr << "clrbus: " << e.code() << ": " << e.what() << '\n';
        std::vector<std::string> names;
        for (const auto& route : loaded.routes) names.push_back(route->id());
        const std::string near = workbench::nearest(what.route, names);
        std::cerr << "clrbus: there is no route '" << what.route << "'" << (near.empty() ? "" : "; is '" + near + "' meant?")
                  << '\n';
        return 1;
    }
    const auto records = workbench::try_route(**found, what.file, what.options);
    const bool refused = std::any_of(records.begin(), records.end(), [](const TriedRecord& r) { return r.error.has_value(); });
    if (what.json) {
        array list;
        for (const TriedRecord& record : records) list.push_back(record_json(record));
        std::cout << boost::json::serialize(object{{"route", what.route}, {"held", !refused}, {"records", std::move(list)}})
                  << '\n';
    } else {
        const Painter paint(isatty(STDOUT_FILENO) != 0);
        for (const TriedRecord& record : records) print_record(record, paint);
        if (records.empty()) std::cout << "There is no record in it.\n";
    }
    return refused || records.empty() ? 1 : 0;
}

}  // namespace clrbus::app
