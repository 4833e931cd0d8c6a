#include "routing/assets.hpp"

#include <sstream>
#include <utility>

namespace clrbus {
namespace {

// An error inside a schema or stylesheet keeps its own place; who named it is said in front.
template <typename Load>
auto named_by(const Config& element, const Load& load) {
    try {
        return load();
    } catch (Error& e) {
        e.within(element.where().text() + ": <" + std::string(element.name()) + ">");
        throw;
    }
}

}  // namespace

RouteAssets::RouteAssets(RouteAssetFolders folders) : folders_(std::move(folders)) {
    if (!folders_.codes.empty() && std::filesystem::is_directory(folders_.codes)) code_lists_ = CodeLists::load(folders_.codes);
}

std::filesystem::path RouteAssets::below(const Config& element, const std::filesystem::path& root,
                                         const std::string& name) const {
    const std::filesystem::path relative(name);
    for (const auto& part : relative) {
        if (part == "..") element.fail("ROUTE-010", "'" + name + "' leaves its folder");
    }
    std::filesystem::path file = root / relative;
    // A site drops in the official schema: it takes over.
    const std::filesystem::path official = file.parent_path() / "official" / file.filename();
    if (std::filesystem::is_regular_file(official)) file = official;
    if (!std::filesystem::is_regular_file(file))
        element.fail("ROUTE-011", "there is no file '" + name + "' in " + root.string());
    return file;
}

std::shared_ptr<const Schemas> RouteAssets::learner_record() {
    auto& found = schemas_["learner-record.xsd"];
    if (!found) found = Schemas::load({folders_.schemas / "learner-record.xsd"});
    used_.insert(used_.end(), found->all_files().begin(), found->all_files().end());
    return found;
}

std::shared_ptr<const Schemas> RouteAssets::schemas(const Config& element, const std::string& names) {
    auto& found = schemas_[names];
    if (!found) {
        std::vector<std::filesystem::path> files;
        std::istringstream in(names);
        for (std::string name; in >> name;) files.push_back(below(element, folders_.schemas, name));
        found = named_by(element, [&] { return Schemas::load(files); });
    }
    used_.insert(used_.end(), found->all_files().begin(), found->all_files().end());
    return found;
}

std::shared_ptr<const Transformer> RouteAssets::transformer(const Config& element, const std::string& name) {
    auto& found = transformers_[name];
    if (!found) {
        const auto file = below(element, folders_.transforms, name);
        found = named_by(element, [&] { return Transformer::compile(file, folders_.transforms, code_lists_); });
    }
    used_.insert(used_.end(), found->all_files().begin(), found->all_files().end());
    if (code_lists_) used_.insert(used_.end(), code_lists_->files().begin(), code_lists_->files().end());
    return found;
}

std::shared_ptr<const XPath> RouteAssets::xpath(const Config& element, std::string_view attribute) {
    XPath::Namespaces namespaces = element.namespaces();
    namespaces.erase("");  // XPath 1.0: an unprefixed name is in no namespace
    try {
        return XPath::compile(element.require(attribute), namespaces, code_lists_);
    } catch (const Error& e) {
        Error out(Fault::kConfig, e.code(), "<" + std::string(element.name()) + " " + std::string(attribute) + ">",
                  element.where(), e.why());
        if (!e.expected().empty()) out.expected(e.expected());
        throw out;
    }
}

void RouteAssets::compile_all() const {
    for (const auto& [names, schemas] : schemas_) schemas->compile_all();
}

std::vector<std::filesystem::path> RouteAssets::take_used_files() {
    return std::exchange(used_, {});
}

}  // namespace clrbus
