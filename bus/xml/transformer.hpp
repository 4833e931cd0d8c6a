// A compiled stylesheet (XSLT 1.0 with the EXSLT modules common, strings, dates, sets, math, func, and our functions, see
// README.md). Compiled once, shared by all workers; a transform is pure: no files, no network, no clock, no random.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "xml/code_lists.hpp"
#include "xml/document.hpp"

namespace clrbus {

// <xsl:message>CODE|severity|path|text</xsl:message> raises a business warning; terminate="yes" ends as Error(kPoison) of that
// CODE.
struct TransformMessage {
    std::string code, severity, path, text;
};

// A stylesheet that does not compile: the Error says the first reason; all that the engine gave are here.
class StylesheetError : public Error {
public:
    explicit StylesheetError(const std::vector<Error>& all) : Error(all.front()), all_(all) {}
    const std::vector<Error>& all() const { return all_; }

private:
    std::vector<Error> all_;
};

class Transformer {
public:
    struct Limits {
        int template_depth = 500;
        unsigned long operations = 10'000'000;
    };
    // Imports and includes are found relative to the importing file and must lie below root. Throws Error(kConfig, "XSL-0xx")
    // with file and line. code_lists may be null.
    static std::shared_ptr<const Transformer> compile(const std::filesystem::path& file, const std::filesystem::path& root,
                                                      std::shared_ptr<const CodeLists> code_lists, const Limits& limits);
    static std::shared_ptr<const Transformer> compile(const std::filesystem::path& file, const std::filesystem::path& root,
                                                      std::shared_ptr<const CodeLists> code_lists = nullptr) {
        return compile(file, root, std::move(code_lists), Limits{});
    }
    ~Transformer();

    // Parameters are strings, never expressions. Throws Error(kPoison, "XSL-1xx").
    Document transform(const Document& input, const std::map<std::string, std::string>& parameters,
                       std::vector<TransformMessage>* messages = nullptr) const;

    const std::vector<std::filesystem::path>& all_files() const;  // the stylesheet and its imports, for the generation's hash

    // For a stylesheet whose output method is html or text: serialised as xsl:output says.
    std::string transform_to_text(const Document& input, const std::map<std::string, std::string>& parameters) const;

private:
    Transformer();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus
