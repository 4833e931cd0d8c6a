// What routes are compiled from: schemas, stylesheets, code lists and expressions, found by file name below their folders,
// compiled once and shared by all routes that name them. Used while routes load, on one thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "routing/file_stamp.hpp"
#include "xml/code_lists.hpp"
#include "xml/schemas.hpp"
#include "xml/transformer.hpp"
#include "xml/xpath.hpp"

namespace clrbus {

struct RouteAssetFolders {
    std::filesystem::path schemas, transforms, codes;
    std::vector<std::filesystem::path> adapter_schemas;  // of the endpoint elements in <from>
    std::string zone = "Z";                              // of the institution, for stylesheets
    std::map<std::string, std::string> properties{};     // of the configuration: $property-NAME in expressions
    std::filesystem::path programs{};                    // the only folder whose programs run as a step; empty: none do
    std::string programs_user{};                         // whose rights they have; empty: the bus's own
    CodeLists::Secret secret{};                          // by name, for f:hmac; called while messages run
};

class FixedLayout;
class X12Tables;

class RouteAssets {
public:
    explicit RouteAssets(RouteAssetFolders folders);

    const RouteAssetFolders& folders() const { return folders_; }
    std::shared_ptr<const CodeLists> code_lists() const { return code_lists_; }
    // The canonical message's own schema, learner-record.xsd.
    std::shared_ptr<const Schemas> learner_record();
    // Blank separated names below xsd/. A file of the same name below official/ beside it takes its place.
    std::shared_ptr<const Schemas> schemas(const Config& element, const std::string& names);
    std::shared_ptr<const Transformer> transformer(const Config& element, const std::string& name);
    std::shared_ptr<const XPath> xpath(const Config& element, std::string_view attribute);

    // Those properties that a text names ($property-NAME), with their values, for the generation's hash.
    std::string properties_in(std::string_view text) const;

    // From now on a schema is compiled whole when it is read: what is taken while the bus runs must be known to work.
    void complete(bool on) { complete_ = on; }
    // Blank separated names of tables of X12 below xsd/ (xsd/x12/table.xsd), and the layout of a fixed-width file.
    std::shared_ptr<const X12Tables> x12_tables(const Config& element, const std::string& names);
    std::shared_ptr<const FixedLayout> fixed_layout(const Config& element, const std::string& name);

    // What is compiled at first use otherwise: all of it now. Throws Error(kConfig) for the first schema that is wrong.
    void compile_all() const;
    // A file that a step reads: it becomes part of the route's hash, and a change of it changes the route. It need not be
    // there.
    void use(const std::filesystem::path& file) { used_.push_back(file); }
    // Every file that was used since the last call, for the generation's hash; some of them may not be there (yet).
    std::vector<std::filesystem::path> take_used_files();

    // Forgets what was made of files that changed since, so that it is made again at the next use. Code lists are read again
    // when one of them changed, came or went: throws Error(kConfig) when they are broken, and those of before stay.
    void refresh();
    bool settled() const { return code_files_.settled(); }  // false: a code list was written to while it was read
    // Rises when refresh() took other code lists. Who uses them has the folder itself among its used files.
    std::uint64_t codes_version() const { return codes_version_; }
    // Frees what no route uses any more.
    void drop_unused();
    // SHA-256 of a file's bytes, read again only when its stamp changed. Throws Error(kConfig, "CONF-001").
    const std::string& sha256_of(const std::filesystem::path& file);

private:
    std::shared_ptr<const CodeLists> load_code_lists() const;
    template <typename T>
    struct Made {
        std::shared_ptr<const T> value;  // shared by the routes that name it
        FilesRead files;
    };
    std::filesystem::path below(const Config& element, const std::filesystem::path& root, const std::string& name);
    void use_code_lists();
    // The one of that name, made with make() when it is not there; its files are used in both cases.
    template <typename T, typename Make>
    std::shared_ptr<const T> made(std::map<std::string, Made<T>>& made, const std::string& name, const Make& make);

    RouteAssetFolders folders_;
    std::shared_ptr<const XPath::Variables> properties_;  // shared with every expression; names with "property-" in front
    std::shared_ptr<const CodeLists> code_lists_;         // shared with every stylesheet and expression
    FilesRead code_files_;
    std::uint64_t codes_version_ = 0;
    bool complete_ = false;
    std::map<std::string, Made<Schemas>> schemas_;
    std::map<std::string, Made<Transformer>> transformers_;
    std::map<std::string, std::shared_ptr<const X12Tables>> x12_tables_;
    std::map<std::string, std::shared_ptr<const FixedLayout>> fixed_layouts_;
    std::vector<std::filesystem::path> used_;
    struct Hashed {
        FilesRead file;
        std::string sha256;
    };
    std::map<std::filesystem::path, Hashed> hashes_;
};

}  // namespace clrbus
