// For bus/xml alone: one schema (a root file with what it imports and includes) compiled for both judges.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "xml/schemas.hpp"

struct _xmlSchema;
struct _xmlNode;

namespace clrbus::xml_detail {

// Read-only after compile, which happens once, at load or (for large ones) at first use. Any thread.
class SchemaUnit {
public:
    // Reads the files, not yet their meaning. Throws Error(kConfig, "XSD-05x").
    explicit SchemaUnit(const std::filesystem::path& file);
    ~SchemaUnit();
    SchemaUnit(const SchemaUnit&) = delete;
    SchemaUnit& operator=(const SchemaUnit&) = delete;

    const std::filesystem::path& file() const { return file_; }
    const std::string& namespace_uri() const { return namespace_; }
    const std::vector<std::filesystem::path>& files() const { return files_; }
    const std::vector<std::string>& roots() const { return roots_; }  // global elements of the root file
    std::uintmax_t bytes() const { return bytes_; }

    void compile() const;             // throws Error(kConfig, "XSD-05x")
    void* grammars() const;           // xercesc::XMLGrammarPool, locked; compiles
    _xmlSchema* tree_schema() const;  // compiles

private:
    struct Compiled;
    void read(const std::filesystem::path& file);
    std::string missing() const;

    std::filesystem::path file_;
    std::string namespace_;
    std::vector<std::filesystem::path> files_;
    std::vector<std::string> roots_;
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
