// What `clrbus check` finds: each with file, line, column, what is wrong, what was expected, and the nearest known name where
// an unknown one stands. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "core/error.hpp"
#include "workbench/source_places.hpp"

namespace clrbus::workbench {

struct Finding {
    enum class Severity : std::uint8_t { kError, kWarning };
    Severity severity = Severity::kError;
    std::string code, file, route;  // route: "" where it is no route's
    std::uint64_t line = 0, column = 0;
    std::string text, expected, nearest;
};

class Findings {
public:
    // The known names by which an unknown one is judged, by the code of the error whose text quotes it.
    using Names = std::function<std::vector<std::string>()>;
    void known(std::string_view code, Names names) { names_[std::string(code)] = std::move(names); }

    // An error of ours, placed at the attribute that it speaks of. A ValidationError and a StylesheetError bring all that they
    // hold. near: the element that stands for it when the error has no place of its own.
    void add(const Error& error, const std::string& route = {}, const Config& near = {});
    // attribute: "" = the element itself.
    void add(Finding::Severity severity, std::string_view code, const Config& element, std::string_view attribute,
             std::string text, std::string expected, const std::string& route = {});
    // At a file, or a line of it.
    void add(Finding::Severity severity, std::string_view code, const std::filesystem::path& file, SourcePlace place,
             std::string text, std::string expected);

    // By file and place, each once.
    const std::vector<Finding>& sorted();
    bool good() const;

    const SourcePlaces& places(const std::string& file);

private:
    void place(Finding& finding, const Where& where, const std::string& attribute, std::uint64_t character);
    void take(Finding finding);

    std::map<std::string, Names, std::less<>> names_;
    std::map<std::string, std::unique_ptr<SourcePlaces>> places_;
    std::vector<Finding> all_;
};

// What was expected, for an error whose thrower says only what is wrong. Each code that check can meet has an entry or says it
// itself.
std::string_view expectation(std::string_view code);

}  // namespace clrbus::workbench
