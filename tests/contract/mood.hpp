// What a far side of the contract tests is made to do.
#pragma once

#include <cstdint>

namespace clrbus::contract {

enum class Mood : std::uint8_t {
    kTakes,
    kGone,      // nobody there
    kSilent,    // takes what is sent and says nothing
    kHangsUp,   // takes what is sent and goes
    kHalf,      // goes within its answer
    kNonsense,  // says what is none of its protocol
    kStranger,  // does not take our credentials
    kTooMany,   // wants to be left alone, for 7 s
    kFails,     // has a fault of its own
    kRefuses,   // takes no such message, knows no such page
};

}  // namespace clrbus::contract
