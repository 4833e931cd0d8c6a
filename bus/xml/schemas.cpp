#include "xml/schemas.hpp"

#include <libxml/tree.h>

#include <algorithm>

#include "xml/detail/judge.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/quick_judge.hpp"
#include "xml/detail/schema_unit.hpp"

namespace clrbus {

namespace {

// Beyond this much text in one set (the official PESC schemas: about a megabyte, 60 ms each; ours for all versions: 200 ms) a
// schema is compiled when the first document needs it, so that the bus starts at once. compile_all() does it for a check.
constexpr std::uintmax_t kSchemasAtOnce = 256u << 10;

}  // namespace

Schemas::Schemas() : impl_(std::make_unique<Impl>()) {}
Schemas::~Schemas() = default;

std::shared_ptr<const Schemas> Schemas::load(const std::vector<std::filesystem::path>& files) {
    const std::shared_ptr<Schemas> schemas(new Schemas());
    Impl& impl = *schemas->impl_;
    std::uintmax_t text = 0;
    xml_detail::SchemaUnit* together = nullptr;
    std::vector<const xml_detail::SchemaUnit*> compile;
    for (const std::filesystem::path& file : files) {
        auto unit = std::make_unique<xml_detail::SchemaUnit>(file);
        const xml_detail::SchemaUnit::Root& root = unit->roots().front();
        if (const xml_detail::SchemaUnit* other = impl.find(root.namespace_uri)) {
            throw Error(
                Fault::kConfig, "XSD-056", "loading schema", xml_detail::place(file.string()),
                "its namespace '" + root.namespace_uri + "' is also that of " + other->find(root.namespace_uri)->file.string())
                .expected("one file for a namespace; xs:include joins several");
        }
        impl.files.push_back(file);
        for (const std::filesystem::path& read : unit->files()) {
            if (std::find(impl.all_files.begin(), impl.all_files.end(), read) == impl.all_files.end())
                impl.all_files.push_back(read);
        }
        text += unit->bytes();
        const bool at_once = text <= kSchemasAtOnce;
        // Those together, so that one judges what stands under xs:any in another; the others alone, so that one version of an
        // official schema is compiled without all versions.
        if (at_once && together != nullptr && together->can_join(*unit)) {
            together->join(*unit);
            continue;
        }
        impl.units.push_back(std::move(unit));
        if (at_once) compile.push_back(impl.units.back().get());
        if (at_once && together == nullptr) together = impl.units.back().get();
    }
    for (const xml_detail::SchemaUnit* unit : compile) unit->compile();
    return schemas;
}

void Schemas::compile_all() const {
    for (const auto& unit : impl_->units) unit->compile();
}

bool Schemas::knows(std::string_view namespace_uri) const {
    return impl_->find(namespace_uri) != nullptr;
}

const std::vector<std::filesystem::path>& Schemas::files() const {
    return impl_->files;
}

const std::vector<std::filesystem::path>& Schemas::all_files() const {
    return impl_->all_files;
}

void Schemas::validate(const Document& document, std::string_view file) const {
    const Node root = document.root();
    if (!root) {
        throw Error(Fault::kPoison, "XML-010", "validating", xml_detail::place(std::string(file)), "the document is empty");
    }
    const xml_detail::SchemaUnit* unit = impl_->find(root.namespace_uri());
    if (unit == nullptr) {
        throw impl_->unknown_root(xml_detail::place(std::string(file), root.path(), root.line()), root.name(),
                                  root.namespace_uri());
    }
    auto* tree = static_cast<xmlDoc*>(document.raw());
    if (const auto* quick = unit->quick(); quick != nullptr && quick->holds(tree)) return;
    std::vector<Violation> violations = xml_detail::judge_tree(*unit, tree, file);
    if (violations.empty()) return;
    for (Violation& violation : violations) {
        if (violation.code != "XSD-001") continue;
        for (const std::string& name : unit->find(root.namespace_uri())->elements)
            violation.expected += (violation.expected.empty() ? "" : ", ") + name;
    }
    throw xml_detail::violations_error(std::move(violations));
}

const xml_detail::SchemaUnit* Schemas::Impl::find(std::string_view namespace_uri) const {
    for (const auto& unit : units) {
        if (unit->find(namespace_uri) != nullptr) return unit.get();
    }
    return nullptr;
}

ValidationError Schemas::Impl::unknown_root(Where where, std::string_view name, std::string_view namespace_uri) const {
    Violation violation;
    violation.where = std::move(where);
    violation.code = "XSD-001";
    violation.what = "no schema knows the root element '" + xml_detail::shown_name(name) + "' " +
                     (namespace_uri.empty() ? std::string("in no namespace")
                                            : "of namespace '" + xml_detail::shown_name(namespace_uri) + "'");
    for (const auto& unit : units) {
        for (const auto& root : unit->roots()) {
            if (violation.expected.size() > 400) continue;
            if (!violation.expected.empty()) violation.expected += ", ";
            violation.expected += root.namespace_uri.empty() ? "no namespace" : "namespace '" + root.namespace_uri + "'";
            if (violation.expected.size() > 400) violation.expected += ", …";
        }
    }
    return xml_detail::violations_error({std::move(violation)});
}

}  // namespace clrbus
