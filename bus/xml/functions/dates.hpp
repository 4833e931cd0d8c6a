// The f: functions on dates. Pure, any thread. Throw Error(kPoison, "FUN-0xx") that names the pattern or the form, never the
// value.
#pragma once

#include <string>
#include <string_view>

namespace clrbus::xml_functions {

// '' stays ''. Patterns: yyyy yy MMMM MMM MM M dd d HH H hh h mm m ss s a, XXX (+01:00 or Z) XX (+0100
// or Z), texts in 'quotes'; other signs stand for themselves.
std::string parse_date(std::string_view text, std::string_view pattern);
std::string format_date(std::string_view iso, std::string_view pattern);

// RFC 3339 with a zone: the zone's offset is added where the text has none; a plain date becomes its midnight.
std::string date_time(std::string_view text, std::string_view zone);
// RFC 3339 with a zone -> the same moment in UTC.
std::string utc(std::string_view text);
// The same moment as the clocks of a zone show it.
std::string in_zone(std::string_view text, std::string_view zone);
// yyyy-MM-dd, a day that exists.
bool is_date(std::string_view text);

}  // namespace clrbus::xml_functions
