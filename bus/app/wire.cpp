#include "app/wire.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iostream>

#include "adapter/adapter.hpp"
#include "all_adapters.hpp"
#include "app/settings.hpp"
#include "config/loader.hpp"
#include "core/error.hpp"
#include "workbench/mapping.hpp"

namespace clrbus::app {
namespace {

namespace fs = std::filesystem;
using boost::json::array;
using boost::json::object;

// Asks on the terminal; what is there already, or nobody to ask, stays.
void ask_for(std::string& value, const char* question, const char* otherwise) {
    if (!value.empty()) return;
    if (isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0) {
        std::cerr << question << (*otherwise != 0 ? std::string(" [") + otherwise + "]" : "") << ": " << std::flush;
        std::getline(std::cin, value);
    }
    if (value.empty()) value = otherwise;
}

// The endpoint element of a door: the adapter's own basic sample, or the shortest for a folder.
std::string door_of(const Settings& settings, const std::string& adapter, const fs::path& sample) {
    if (adapter == "directory") {
        return "<directory:pickup xmlns:directory=\"urn:clrbus:adapter:directory:1\" match=\"*" + sample.extension().string() +
               "\"/>";
    }
    std::string known;
    for (const AdapterInfo* info : adapters::all_adapters()) {
        if (info->source == nullptr) continue;
        known += (known.empty() ? "" : ", ") + std::string(info->name);
        if (info->name != adapter) continue;
        for (const fs::path& schema : settings.adapter_schemas) {
            const fs::path basic = schema.parent_path() / "samples" / "basic.xml";
            if (schema.parent_path().filename() != adapter || !fs::exists(basic)) continue;
            std::string text = read_file(basic);
            if (text.rfind("<?", 0) == 0) text.erase(0, text.find("?>") + 2);
            while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.erase(0, 1);
            while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
            return text;
        }
    }
    throw Error(Fault::kConfig, "WORK-023", "choosing a door", Where{}, "there is no door '" + adapter + "'").expected(known);
}

fs::path stylesheet_of(const Settings& settings, const std::string& name) {
    const fs::path file = settings.transforms / (name + (fs::path(name).extension() == ".xsl" ? "" : ".xsl"));
    if (!fs::exists(file) || name.find("..") != std::string::npos) {
        throw Error(Fault::kConfig, "WORK-012", "finding the stylesheet", Where{.file = file.string()}, "it is not there")
            .expected("the name of a system, or of a stylesheet below " + settings.transforms.string());
    }
    return file;
}

void print_made(const workbench::NewSystem& wanted, const workbench::NewSystemDone& done) {
    std::cout << "Read " << done.records << " records with " << done.fields << " fields; " << done.mapped
              << " of them have a place.\n\nWritten:\n";
    for (const fs::path& file : done.files) std::cout << "  " << file.lexically_normal().string() << '\n';
    if (!done.dropped.empty()) {
        std::cout << "\nDropped at the door, because a learner record must not hold them:\n ";
        for (const std::string& field : done.dropped) std::cout << ' ' << field;
        std::cout << '\n';
    }
    if (!done.not_dropped.empty()) {
        std::cout << "\nNot for a learner record, and not to be dropped by this door: ask the source not to send them.\n ";
        for (const std::string& field : done.not_dropped) std::cout << ' ' << field;
        std::cout << '\n';
    }
    std::cout << "\nThe first records of the sample end so:\n";
    for (const std::string& outcome : done.outcomes) std::cout << "  " << outcome << '\n';
    if (!done.missing.empty()) {
        std::cout << "\nStill missing; every message is refused until the sheet says where it comes from:\n";
        for (const std::string& target : done.missing) std::cout << "  " << target << '\n';
    }
    std::cout << "\nNext:\n"
                 "  clrbus mapping show "
              << wanted.name << " --out " << wanted.name
              << ".csv     # look at each row: the notes say what was not sure\n"
                 "  clrbus mapping write "
              << wanted.name << ' ' << wanted.name
              << ".csv\n"
                 "  clrbus test "
              << wanted.name
              << "                             # the case was made by the first mapping: mend expected*.xml with it\n"
                 "  clrbus check\n"
                 "  (then the README of the route: who gives access, who answers for it)\n";
}

array words_as_json(const std::vector<std::string>& words) {
    array out;
    for (const std::string& word : words) out.emplace_back(word);
    return out;
}

}  // namespace

int new_system(const fs::path& config, const fs::path& overlay, workbench::NewSystem wanted, const std::string& adapter,
               bool json) {
    const Settings settings = read_settings(config, overlay);
    if (!json) {
        ask_for(wanted.system, "The system, as people call it", wanted.name.c_str());
        if (wanted.kind != "person") {
            ask_for(wanted.component, "Component of the record (employment, activities, academic-record, …)", "");
            ask_for(wanted.type, "Achievement type (Course, Degree, Badge, Membership, ext:Employment, …)", "");
        }
        ask_for(wanted.steward, "The unit that answers for the data", "");
    }
    if (wanted.institution.empty() && !settings.institution_codes.empty())
        wanted.institution = settings.institution_codes.front();
    wanted.door = door_of(settings, adapter, wanted.sample);
    const workbench::NewSystemDone done = workbench::make_new_system(
        wanted, settings.routes,
        {settings.schemas, settings.transforms, settings.codes, settings.adapter_schemas, settings.zone});
    if (!json) {
        print_made(wanted, done);
        return 0;
    }
    array files;
    for (const fs::path& file : done.files) files.emplace_back(file.lexically_normal().string());
    std::cout << boost::json::serialize(object{{"name", wanted.name},
                                               {"files", std::move(files)},
                                               {"records", done.records},
                                               {"fields", done.fields},
                                               {"mapped", done.mapped},
                                               {"missing", words_as_json(done.missing)},
                                               {"dropped", words_as_json(done.dropped)},
                                               {"not_dropped", words_as_json(done.not_dropped)},
                                               {"outcomes", words_as_json(done.outcomes)}})
              << '\n';
    return 0;
}

int mapping_show(const fs::path& config, const fs::path& overlay, const std::string& name, const fs::path& out) {
    const Settings settings = read_settings(config, overlay);
    const fs::path file = stylesheet_of(settings, name);
    std::string root;
    bool edited = false;
    const workbench::MappingSheet sheet = workbench::read_mapping_stylesheet(read_file(file), file.string(), root, edited);
    if (edited) std::cerr << "clrbus: " << file.string() << " was edited by hand: the sheet no longer says all that it does\n";
    const std::string csv = workbench::write_mapping_csv(sheet);
    if (out.empty()) {
        std::cout << csv;
        return 0;
    }
    std::ofstream stream(out, std::ios::binary);
    stream << csv;
    stream.close();
    if (stream) return 0;
    std::cerr << "clrbus: '" << out.string() << "' cannot be written\n";
    return 1;
}

int mapping_write(const fs::path& config, const fs::path& overlay, const std::string& name, const fs::path& sheet,
                  bool by_hand) {
    const Settings settings = read_settings(config, overlay);
    const fs::path file = stylesheet_of(settings, name);
    std::string root;
    bool edited = false;
    workbench::read_mapping_stylesheet(read_file(file), file.string(), root, edited);
    if (edited && !by_hand) {
        std::cerr << "clrbus: " << file.string() << " was edited by hand; --by-hand writes over that\n";
        return 1;
    }
    const workbench::MappingSheet rows = workbench::read_mapping_csv(read_file(sheet), sheet.string());
    // Beside it, then over it: nobody reads half a stylesheet.
    const fs::path beside = file.string() + ".new";
    std::ofstream stream(beside, std::ios::binary);
    stream << workbench::write_mapping_stylesheet(rows, root);
    stream.close();
    if (!stream) {
        std::cerr << "clrbus: '" << beside.string() << "' cannot be written\n";
        return 1;
    }
    fs::rename(beside, file);
    const auto missing = workbench::missing_targets(rows);
    for (const std::string& target : missing) std::cout << "still missing: " << target << '\n';
    std::cout << "written: " << file.lexically_normal().string() << "; next: clrbus test " << fs::path(name).stem().string()
              << '\n';
    return missing.empty() ? 0 : 1;
}

int mapping_targets(const std::string& kind, bool json) {
    if (json) {
        array list;
        for (const workbench::MappingTarget& target : workbench::mapping_targets(kind))
            list.push_back(object{{"target", target.path}, {"required", target.required}, {"means", target.means}});
        std::cout << boost::json::serialize(object{{"kind", kind}, {"targets", std::move(list)}}) << '\n';
        return 0;
    }
    for (const workbench::MappingTarget& target : workbench::mapping_targets(kind)) {
        std::string path(target.path);
        path.resize(std::max<std::size_t>(path.size() + 1, 42), ' ');
        std::cout << path << (target.required ? "must " : "     ") << target.means << '\n';
    }
    return 0;
}

}  // namespace clrbus::app
