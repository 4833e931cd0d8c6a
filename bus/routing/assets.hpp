// What routes are compiled from: schemas, stylesheets, code lists and expressions, found by file name below their folders,
// compiled once and shared by all routes that name them. Used while routes load, on one thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "xml/code_lists.hpp"
#include "xml/schemas.hpp"
#include "xml/transformer.hpp"
#include "xml/xpath.hpp"

namespace clrbus {

struct RouteAssetFolders {
    std::filesystem::path schemas, transforms, codes;
    std::vector<std::filesystem::path> adapter_schemas;  // of the endpoint elements in <from>
    std::string zone = "Z";                              // of the institution, for stylesheets
};

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

    // What is compiled at first use otherwise: all of it now. Throws Error(kConfig) for the first schema that is wrong.
    void compile_all() const;
    // Every file that was used since the last call, for the generation's hash.
    std::vector<std::filesystem::path> take_used_files();

private:
    std::filesystem::path below(const Config& element, const std::filesystem::path& root, const std::string& name) const;

    RouteAssetFolders folders_;
    std::shared_ptr<const CodeLists> code_lists_;  // shared with every stylesheet and expression
    std::map<std::string, std::shared_ptr<const Schemas>> schemas_;
    std::map<std::string, std::shared_ptr<const Transformer>> transformers_;
    std::vector<std::filesystem::path> used_;
};

}  // namespace clrbus
