#include "xml/functions/calendar.hpp"

#include <cstdio>

namespace clrbus::xml_functions {

namespace {

bool calendar_digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
    if (at + count > text.size()) return false;
    value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    return true;
}

bool calendar_zone(std::string_view text, std::optional<int>& offset) {
    if (text.empty()) return true;
    if (text == "Z" || text == "z") {
        offset = 0;
        return true;
    }
    int hours = 0, minutes = 0;
    if ((text[0] != '+' && text[0] != '-') || !calendar_digits(text, 1, 2, hours)) return false;
    const std::size_t at = text.size() == 6 && text[3] == ':' ? 4 : 3;
    if (text.size() != at + 2 || !calendar_digits(text, at, 2, minutes) || hours > 14 || minutes > 59) return false;
    offset = (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

}  // namespace

std::int64_t days_from_date(int year, int month, int day) {
    const int y = month <= 2 ? year - 1 : year;
    const int era = (y >= 0 ? y : y - 399) / 400;
    const int year_of_era = y - era * 400;
    const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return std::int64_t{era} * 146097 + day_of_era - 719468;
}

void date_from_days(std::int64_t days, int& year, int& month, int& day) {
    days += 719468;
    const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int day_of_era = static_cast<int>(days - era * 146097);
    const int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int shifted = (5 * day_of_year + 2) / 153;
    day = day_of_year - (153 * shifted + 2) / 5 + 1;
    month = shifted < 10 ? shifted + 3 : shifted - 9;
    year = static_cast<int>(year_of_era + era * 400) + (month <= 2 ? 1 : 0);
}

bool exists(int year, int month, int day) {
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31) return false;
    int y = 0, m = 0, d = 0;
    date_from_days(days_from_date(year, month, day), y, m, d);
    return y == year && m == month && d == day;
}

std::int64_t Moment::seconds() const {
    return days_from_date(year, month, day) * 86400 + std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 + second;
}

void Moment::set_seconds(std::int64_t all) {
    std::int64_t days = all / 86400;
    std::int64_t rest = all % 86400;
    if (rest < 0) {
        rest += 86400;
        --days;
    }
    date_from_days(days, year, month, day);
    hour = static_cast<int>(rest / 3600);
    minute = static_cast<int>(rest / 60 % 60);
    second = static_cast<int>(rest % 60);
}

std::optional<Moment> parse_iso(std::string_view text) {
    Moment m;
    if (!calendar_digits(text, 0, 4, m.year) || text.size() < 10 || text[4] != '-' || !calendar_digits(text, 5, 2, m.month) ||
        text[7] != '-' || !calendar_digits(text, 8, 2, m.day) || !exists(m.year, m.month, m.day)) {
        return std::nullopt;
    }
    std::size_t at = 10;
    if (at < text.size() && (text[at] == 'T' || text[at] == 't' || text[at] == ' ')) {
        m.has_time = true;
        if (!calendar_digits(text, at + 1, 2, m.hour) || at + 3 >= text.size() || text[at + 3] != ':' ||
            !calendar_digits(text, at + 4, 2, m.minute)) {
            return std::nullopt;
        }
        at += 6;
        if (at < text.size() && text[at] == ':') {
            if (!calendar_digits(text, at + 1, 2, m.second)) return std::nullopt;
            at += 3;
            if (at < text.size() && text[at] == '.') {
                std::size_t end = at + 1;
                while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
                if (end == at + 1) return std::nullopt;
                m.fraction = text.substr(at + 1, end - at - 1);
                at = end;
            }
        }
        const bool end_of_day = m.hour == 24 && m.minute == 0 && m.second == 0;
        if ((m.hour > 23 && !end_of_day) || m.minute > 59 || m.second > 60) return std::nullopt;
        if (m.second == 60) m.second = 59;  // a leap second: no clock here has one
        if (end_of_day) m.set_seconds(m.seconds());
    }
    if (!calendar_zone(text.substr(at), m.offset_seconds)) return std::nullopt;
    return m;
}

std::string to_iso(const Moment& m) {
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02d", m.year, m.month, m.day);
    std::string text = buffer;
    if (m.has_time) {
        std::snprintf(buffer, sizeof buffer, "T%02d:%02d:%02d", m.hour, m.minute, m.second);
        text += buffer;
        if (!m.fraction.empty()) text += "." + m.fraction;
    }
    if (m.offset_seconds && *m.offset_seconds == 0) {
        text += 'Z';
    } else if (m.offset_seconds) {
        const int minutes = (*m.offset_seconds < 0 ? -*m.offset_seconds : *m.offset_seconds) / 60;
        std::snprintf(buffer, sizeof buffer, "%c%02d:%02d", *m.offset_seconds < 0 ? '-' : '+', minutes / 60, minutes % 60);
        text += buffer;
    }
    return text;
}

}  // namespace clrbus::xml_functions
