// For bus/xml alone: root files with what they import and include, compiled for both judges. Content under xs:any is judged by
// every root file of the unit.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "xml/schemas.hpp"

struct _xmlSchema;
struct _xmlNode;

namespace clrbus::xml_detail {

class SharedGrammars;
class QuickJudge;

// Read-only after compile, which happens once, at load or (for large ones) at first use. Any thread.
class SchemaUnit {
public:
    // Reads the files, not yet their meaning. Throws Error(kConfig, "XSD-05x").
    explicit SchemaUnit(const std::filesystem::path& file);
    ~SchemaUnit();
    SchemaUnit(const SchemaUnit&) = delete;
    SchemaUnit& operator=(const SchemaUnit&) = delete;

    // Two units become one when no namespace comes from two different files.
    bool can_join(const SchemaUnit& other) const;
    void join(const SchemaUnit& other);

    struct Root {
        std::filesystem::path file;
        std::string namespace_uri;
        std::vector<std::string> elements;  // global ones
    };
    const Root* find(std::string_view namespace_uri) const;
    const std::vector<Root>& roots() const { return roots_; }
    const std::vector<std::filesystem::path>& files() const { return files_; }
    std::uintmax_t bytes() const { return bytes_; }

    void compile() const;              // throws Error(kConfig, "XSD-05x")
    SharedGrammars* grammars() const;  // locked; compiles
    _xmlSchema* tree_schema() const;   // compiles
    const QuickJudge* quick() const;   // compiles; null where files are imported or included

private:
    struct Compiled;
    void read(const std::filesystem::path& file);
    std::string missing() const;

    std::vector<Root> roots_;
    std::vector<std::filesystem::path> files_;               // all that were read
    std::map<std::string, std::filesystem::path> provided_;  // namespace -> the file that it was taken from
    std::string missing_;
    std::uintmax_t bytes_ = 0;
    mutable std::once_flag once_;
    mutable std::unique_ptr<Compiled> compiled_;  // written once under once_
};

}  // namespace clrbus::xml_detail

namespace clrbus {

struct Schemas::Impl {
    std::vector<std::unique_ptr<xml_detail::SchemaUnit>> units;
    std::vector<std::filesystem::path> files, all_files;

    const xml_detail::SchemaUnit* find(std::string_view namespace_uri) const;
    // The root is of a namespace that no schema knows.
    ValidationError unknown_root(Where where, std::string_view name, std::string_view namespace_uri) const;
};

}  // namespace clrbus
