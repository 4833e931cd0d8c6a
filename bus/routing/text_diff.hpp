// The difference of two texts, line by line, in the unified format that patch reads. Pure.
#pragma once

#include <string>
#include <string_view>

namespace clrbus {

// "" when they are the same. name stands behind --- a/ and +++ b/; before or after empty with its flag false: the file was not
// there. Texts that differ in more than a few thousand lines are shown as replaced between the first and the last difference.
struct DiffSide {
    std::string_view text;
    bool there = true;
};
std::string unified_diff(std::string_view name, DiffSide before, DiffSide after);

}  // namespace clrbus
