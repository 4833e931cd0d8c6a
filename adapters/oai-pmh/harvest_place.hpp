// Where a harvest goes on: the text that is kept in the commit with each page. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clrbus::adapters::oai_pmh {

struct HarvestPlace {
    std::string since;  // the repository's own time at which the last harvest began, RFC 3339; "" = none yet

    // The harvest in hand; run empty: none.
    std::string run;         // its planned time
    std::string first;       // the repository's time when it began; "" = it was not asked yet
    bool days = false;       // the repository knows days only
    std::uint64_t list = 0;  // which of the lists (a format and a set each)
    std::string token;       // of the list's next page; "" = its first one
    std::uint64_t pages = 0;

    // Nothing or nonsense: the place before the first harvest.
    static HarvestPlace decode(std::string_view text);
    std::string encode() const;
};

}  // namespace clrbus::adapters::oai_pmh
