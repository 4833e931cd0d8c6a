// Compiled XSDs. The schema is chosen by the root element's namespace. Two judges over the same files: Xerces while it parses
// XML bytes, libxml2 over trees from other formats and over transform results. Loaded once, read-only, shared by all workers.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "xml/document.hpp"

namespace clrbus {

// One thing that a schema refuses. The text names elements and what was expected, never a value of the document.
struct Violation {
    Where where;
    std::string code;      // XSD-001 … by kind (missing, unexpected, value, attribute, root, …)
    std::string what;      // "element 'Course' is not allowed here"
    std::string expected;  // "one of CourseTitle, CourseNumber"; may be empty
};

// Thrown by parse and validate: the Error says the first violation; all of them (at most 50) are here.
class ValidationError : public Error {
public:
    ValidationError(Error first, std::vector<Violation> violations)
        : Error(std::move(first)), violations_(std::move(violations)) {}
    const std::vector<Violation>& violations() const { return violations_; }

private:
    std::vector<Violation> violations_;
};

class Schemas {
public:
    // Files (their imports and includes are found relative to them). Throws Error(kConfig, "XSD-0xx") with file and line.
    static std::shared_ptr<const Schemas> load(const std::vector<std::filesystem::path>& files);
    ~Schemas();

    // Large schemas are compiled when the first document needs them: this compiles all now (for `check`). Throws as load does.
    void compile_all() const;

    bool knows(std::string_view namespace_uri) const;
    const std::vector<std::filesystem::path>& files() const;
    // Every file read, imports included: for the generation's hash.
    const std::vector<std::filesystem::path>& all_files() const;

    // libxml2's judgement over a tree, with paths and lines of the tree. file: the name in errors.
    void validate(const Document& document, std::string_view file = {}) const;

    struct Impl;
    const Impl& impl() const { return *impl_; }  // for bus/xml alone

private:
    Schemas();
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus
