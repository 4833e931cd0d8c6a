// What went wrong, where, and what happens next. Thrown everywhere, translated into from library exceptions once, where the
// library is called. The text never holds a payload's values, a person's identifiers or a secret (DESIGN.md promise 7): it
// holds our own names and ids, a code, a place and what was expected.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace clrbus {

enum class Fault : std::uint8_t {
    kConfig,  // wrong at start: refuse to run, with file and line
    kAway,    // the far side is away: pause the endpoint, keep the message, cost no attempt
    kPoison,  // this message can never work: dead-letter it with the reason
};

std::string_view to_string(Fault fault);

// A place in a file or document. Unknown parts stay empty or 0.
struct Where {
    std::string file;          // configuration, route, stylesheet or input file, as the user named it
    std::string path;          // element path, JSON pointer-like path, or column name: /enrollments/enrollment[104]/term
    std::uint64_t line = 0;    // from 1
    std::uint64_t column = 0;  // from 1, in characters
    std::uint64_t row = 0;     // record number in a CSV, JSON array or batch, from 1
    std::int64_t offset = -1;  // bytes from the start of the input

    bool known() const { return !file.empty() || !path.empty() || line != 0 || row != 0 || offset >= 0; }
    std::string text() const;  // file:line:column: path, only the known parts
};

class Error : public std::exception {
public:
    // code: stable, upper case, area and number, e.g. "XML-014"; each has a page. doing: what was tried ("reading enrollment").
    // why: what was wrong and what was expected.
    Error(Fault fault, std::string_view code, std::string doing, Where where, std::string why);
    Error(Fault fault, std::string_view code, std::string doing, std::string why);

    Fault fault() const noexcept { return fault_; }
    const std::string& code() const noexcept { return code_; }
    const Where& where() const noexcept { return where_; }
    Where& where() noexcept {
        text_.clear();
        return where_;
    }
    const std::string& doing() const noexcept { return doing_; }
    const std::string& why() const noexcept { return why_; }
    const std::string& expected() const noexcept { return expected_; }

    // For kPoison: another attempt may go better (a program that took too long, an answer 409 or 425). The route's attempts
    // apply before it is dead-lettered.
    bool again() const noexcept { return again_; }
    Error& may_pass();

    Error& expected(std::string text);        // what would have been right, when it can be said apart from why
    Error& within(std::string_view outer) &;  // "route 'banner-courses'": added in front
    Error&& within(std::string_view outer) &&;
    Error& file(std::string name);  // fills where().file when it is empty

    // "route 'x': doing: place: why (expected …)"
    const char* what() const noexcept override;

private:
    Fault fault_;
    std::string code_;
    std::string context_;
    std::string doing_;
    Where where_;
    std::string why_;
    std::string expected_;
    bool again_ = false;
    mutable std::string text_;  // what() is built on first use; an Error is used by one thread at a time
};

}  // namespace clrbus
