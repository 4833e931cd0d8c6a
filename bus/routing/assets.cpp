#include "routing/assets.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "formats/fixed_layout.hpp"
#include "formats/x12_tables.hpp"

#include "config/loader.hpp"
#include "crypto/hash.hpp"

namespace clrbus {
namespace {

constexpr std::uintmax_t kAssetMost = 64U << 20;

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

// f:code() under whatever prefix.
bool asks_code_lists(std::string_view text) {
    return text.find("code(") != std::string_view::npos;
}

// The *.csv of a folder, in order.
FilesRead code_files_of(const std::filesystem::path& folder) {
    FilesRead out;
    std::vector<std::filesystem::path> found;
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
        if (entry->path().extension() == ".csv") found.push_back(entry->path());
    }
    std::sort(found.begin(), found.end());
    for (const auto& file : found) out.add(file);
    return out;
}

}  // namespace

RouteAssets::RouteAssets(RouteAssetFolders folders) : folders_(std::move(folders)) {
    XPath::Variables properties;
    for (const auto& [name, value] : folders_.properties) properties.emplace("property-" + name, value);
    properties_ = std::make_shared<const XPath::Variables>(std::move(properties));
    if (!folders_.codes.empty() && std::filesystem::is_directory(folders_.codes)) code_files_ = code_files_of(folders_.codes);
    code_lists_ = load_code_lists();
}

std::shared_ptr<const CodeLists> RouteAssets::load_code_lists() const {
    if (!folders_.codes.empty() && std::filesystem::is_directory(folders_.codes))
        return CodeLists::load(folders_.codes, folders_.secret);
    return folders_.secret ? CodeLists::none(folders_.secret) : nullptr;
}

std::string RouteAssets::properties_in(std::string_view text) const {
    std::string out;
    for (const auto& [name, value] : *properties_) {
        if (text.find("$" + name) != std::string_view::npos) out += "\n$" + name + "=" + value;
    }
    return out;
}

std::filesystem::path RouteAssets::below(const Config& element, const std::filesystem::path& root, const std::string& name) {
    const std::filesystem::path relative(name);
    for (const auto& part : relative) {
        if (part == "..") element.fail("ROUTE-010", "'" + name + "' leaves its folder");
    }
    std::filesystem::path file = root / relative;
    // A site drops in the official schema: it takes over. Whether it is there is part of what was read.
    const std::filesystem::path official = file.parent_path() / "official" / file.filename();
    used_.push_back(official);
    if (std::filesystem::is_regular_file(official)) return official;
    used_.push_back(file);
    if (!std::filesystem::is_regular_file(file))
        element.fail("ROUTE-011", "there is no file '" + name + "' in " + root.string());
    return file;
}

template <typename T, typename Make>
std::shared_ptr<const T> RouteAssets::made(std::map<std::string, Made<T>>& all, const std::string& name, const Make& make) {
    if (const auto found = all.find(name); found != all.end()) {
        for (const auto& [file, stamp] : found->second.files.files()) used_.push_back(file);
        return found->second.value;
    }
    Made<T> made;
    const std::size_t before = used_.size();
    made.value = make();
    used_.insert(used_.end(), made.value->all_files().begin(), made.value->all_files().end());
    for (std::size_t i = before; i < used_.size(); ++i) made.files.add(used_[i]);
    return all.insert_or_assign(name, std::move(made)).first->second.value;
}

std::shared_ptr<const Schemas> RouteAssets::learner_record() {
    return made(schemas_, "learner-record.xsd", [&] {
        used_.push_back(folders_.schemas / "learner-record.xsd");
        return Schemas::load({folders_.schemas / "learner-record.xsd"});
    });
}

std::shared_ptr<const Schemas> RouteAssets::schemas(const Config& element, const std::string& names) {
    return made(schemas_, names, [&] {
        std::vector<std::filesystem::path> files;
        std::istringstream in(names);
        for (std::string name; in >> name;) files.push_back(below(element, folders_.schemas, name));
        return named_by(element, [&] {
            auto loaded = Schemas::load(files);
            if (complete_) loaded->compile_all();
            return loaded;
        });
    });
}

std::shared_ptr<const Transformer> RouteAssets::transformer(const Config& element, const std::string& name) {
    return made(transformers_, name, [&] {
        const auto file = below(element, folders_.transforms, name);
        auto compiled = named_by(element, [&] { return Transformer::compile(file, folders_.transforms, code_lists_); });
        const auto& files = compiled->all_files();
        if (std::any_of(files.begin(), files.end(),
                        [](const auto& one) { return asks_code_lists(read_file(one, kAssetMost)); }))
            use_code_lists();
        return compiled;
    });
}

std::shared_ptr<const X12Tables> RouteAssets::x12_tables(const Config& element, const std::string& names) {
    std::vector<std::filesystem::path> files;
    std::istringstream in(names);
    for (std::string name; in >> name;) files.push_back(below(element, folders_.schemas, name));
    auto& found = x12_tables_[names];
    if (!found) found = named_by(element, [&] { return X12Tables::load(files, folders_.schemas / "x12" / "table.xsd"); });
    used_.insert(used_.end(), files.begin(), files.end());
    return found;
}

std::shared_ptr<const FixedLayout> RouteAssets::fixed_layout(const Config& element, const std::string& name) {
    const auto file = below(element, folders_.schemas, name);
    auto& found = fixed_layouts_[name];
    if (!found) found = named_by(element, [&] { return FixedLayout::load(file, folders_.schemas / "fixed" / "layout.xsd"); });
    used_.push_back(file);
    return found;
}

std::shared_ptr<const XPath> RouteAssets::xpath(const Config& element, std::string_view attribute) {
    XPath::Namespaces namespaces = element.namespaces();
    namespaces.erase("");  // XPath 1.0: an unprefixed name is in no namespace
    const std::string expression = element.require(attribute);
    if (asks_code_lists(expression)) use_code_lists();
    try {
        return XPath::compile(expression, namespaces, code_lists_, properties_);
    } catch (const Error& e) {
        std::string why = std::string(attribute) + ": ";
        if (e.where().column != 0) why += "character " + std::to_string(e.where().column) + ": ";
        Error out(Fault::kConfig, e.code(), "<" + std::string(element.name()) + ">", element.where(), why + e.why());
        if (!e.expected().empty()) out.expected(e.expected());
        throw out;
    }
}

void RouteAssets::use_code_lists() {
    for (const auto& [file, stamp] : code_files_.files()) used_.push_back(file);
    used_.push_back(folders_.codes);  // a list that comes is a change too
}

void RouteAssets::compile_all() const {
    for (const auto& [names, made] : schemas_) made.value->compile_all();
}

std::vector<std::filesystem::path> RouteAssets::take_used_files() {
    return std::exchange(used_, {});
}

void RouteAssets::refresh() {
    std::erase_if(schemas_, [](const auto& one) { return !one.second.files.unchanged(); });
    std::erase_if(transformers_, [](const auto& one) { return !one.second.files.unchanged(); });
    if (folders_.codes.empty()) return;
    FilesRead now = code_files_of(folders_.codes);
    if (code_files_.settled() && now.files() == code_files_.files()) return;
    auto lists = load_code_lists();
    code_files_ = std::move(now);
    code_lists_ = std::move(lists);
    ++codes_version_;
    std::erase_if(transformers_, [this](const auto& one) {
        const auto& files = one.second.files.files();
        return std::any_of(files.begin(), files.end(), [this](const auto& file) { return file.first == folders_.codes; });
    });
}

void RouteAssets::drop_unused() {
    std::erase_if(schemas_, [](const auto& one) { return one.second.value.use_count() == 1; });
    std::erase_if(transformers_, [](const auto& one) { return one.second.value.use_count() == 1; });
    if (hashes_.size() > 100'000) hashes_.clear();
}

const std::string& RouteAssets::sha256_of(const std::filesystem::path& file) {
    Hashed& known = hashes_[file];
    if (known.sha256.empty() || !known.file.unchanged()) {
        known.file = FilesRead();
        known.sha256 = crypto::sha256_hex(read_file(file, kAssetMost));
        known.file.add(file);
    }
    return known.sha256;
}

}  // namespace clrbus
