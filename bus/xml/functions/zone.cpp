// Zones from the files of the zone data base (RFC 8536), read once each and kept.
#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <sstream>
#include <vector>

#include "xml/functions/calendar.hpp"

namespace clrbus::xml_functions {

namespace {

constexpr const char* kZoneFolder = "/usr/share/zoneinfo/";
constexpr std::size_t kMostZoneBytes = 256u << 10;

// The day on which summer time starts or ends: Mm.w.d/time
struct ZoneRule {
    int month = 0, week = 0, day = 0, seconds = 7200;

    std::int64_t local(int year) const {
        const std::int64_t first = days_from_date(year, month, 1);
        const int weekday = static_cast<int>(((first + 4) % 7 + 7) % 7);
        std::int64_t at = first + (day - weekday + 7) % 7 + std::int64_t{7} * (week - 1);
        const std::int64_t next = month == 12 ? days_from_date(year + 1, 1, 1) : days_from_date(year, month + 1, 1);
        while (at >= next) at -= 7;
        return at * 86400 + seconds;
    }
};

// What holds behind the last transition, in the form of the TZ variable: CET-1CEST,M3.5.0,M10.5.0/3
class ZoneFooter {
public:
    explicit ZoneFooter(std::string_view text) : text_(text) {
        valid_ = name() && offset(standard_);
        standard_ = -standard_;
        if (!valid_ || at_ == text_.size()) return;
        valid_ = name();
        summer_ = standard_ + 3600;
        if (valid_ && at_ < text_.size() && text_[at_] != ',') {
            valid_ = offset(summer_);
            summer_ = -summer_;
        }
        valid_ = valid_ && rule(start_) && rule(end_);
        has_summer_ = valid_;
    }

    bool valid() const { return valid_; }
    int at(std::int64_t utc) const {
        if (!has_summer_) return standard_;
        int year = 0, month = 0, day = 0;
        date_from_days((utc + standard_) / 86400, year, month, day);
        const std::int64_t start = start_.local(year) - standard_;
        const std::int64_t end = end_.local(year) - summer_;
        const bool summer = start < end ? utc >= start && utc < end : utc >= start || utc < end;
        return summer ? summer_ : standard_;
    }

private:
    bool name() {
        const std::size_t from = at_;
        if (at_ < text_.size() && text_[at_] == '<') {
            at_ = text_.find('>', at_);
            if (at_ == std::string_view::npos) return at_ = text_.size(), false;
            ++at_;
            return true;
        }
        while (at_ < text_.size() && ((text_[at_] >= 'A' && text_[at_] <= 'Z') || (text_[at_] >= 'a' && text_[at_] <= 'z')))
            ++at_;
        return at_ > from;
    }
    bool number(int& value) {
        const std::size_t from = at_;
        value = 0;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && at_ < from + 4)
            value = value * 10 + (text_[at_++] - '0');
        return at_ > from;
    }
    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    bool offset(int& seconds) {
        const bool minus = take('-');
        if (!minus) take('+');
        int hours = 0, minutes = 0, rest = 0;
        if (!number(hours)) return false;
        if (take(':') && !number(minutes)) return false;
        if (take(':') && !number(rest)) return false;
        seconds = (minus ? -1 : 1) * (hours * 3600 + minutes * 60 + rest);
        return true;
    }
    bool rule(ZoneRule& rule) {
        if (!take(',') || !take('M') || !number(rule.month) || !take('.') || !number(rule.week) || !take('.') ||
            !number(rule.day))
            return false;
        if (take('/') && !offset(rule.seconds)) return false;
        return rule.month >= 1 && rule.month <= 12 && rule.week >= 1 && rule.week <= 5 && rule.day <= 6;
    }

    std::string text_;
    std::size_t at_ = 0;
    bool valid_ = false, has_summer_ = false;
    int standard_ = 0, summer_ = 0;
    ZoneRule start_, end_;
};

class Zone {
public:
    // Null when the bytes are not a zone.
    static std::shared_ptr<const Zone> read(const std::string& bytes) {
        auto zone = std::make_shared<Zone>();
        return zone->parse(bytes) ? zone : nullptr;
    }

    int at(std::int64_t utc) const {
        const auto next = std::upper_bound(times_.begin(), times_.end(), utc);
        if (next == times_.end() && footer_ && footer_->valid()) return footer_->at(utc);
        if (next == times_.begin()) return first_;
        return offsets_[static_cast<std::size_t>(next - times_.begin()) - 1];
    }

private:
    static std::uint64_t big(const std::string& bytes, std::size_t at, std::size_t size) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < size; ++i) value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
        return value;
    }

    bool parse(const std::string& bytes) {
        std::size_t at = 0;
        for (const int pass : {1, 2}) {
            if (bytes.size() < at + 44 || bytes.compare(at, 4, "TZif") != 0) return false;
            const bool large = pass == 2;
            std::array<std::size_t, 6> count{};  // isut, isstd, leap, time, type, char
            for (std::size_t i = 0; i < 6; ++i) count[i] = big(bytes, at + 20 + 4 * i, 4);
            const std::size_t wide = large ? 8 : 4;
            for (const std::size_t n : count) {
                if (n > kMostZoneBytes) return false;
            }
            const std::size_t body = at + 44;
            const std::size_t end =
                body + count[3] * (wide + 1) + count[4] * 6 + count[5] + count[2] * (wide + 4) + count[1] + count[0];
            if (end > bytes.size() || count[4] == 0) return false;
            const bool last = large || bytes[at + 4] == '\0';
            if (last) {
                const std::size_t types = body + count[3] * (wide + 1);
                std::vector<int> type_offsets;
                for (std::size_t i = 0; i < count[4]; ++i)
                    type_offsets.push_back(static_cast<std::int32_t>(big(bytes, types + 6 * i, 4)));
                first_ = type_offsets.front();
                for (std::size_t i = 0; i < count[3]; ++i) {
                    const std::uint64_t raw = big(bytes, body + i * wide, wide);
                    const auto index = static_cast<unsigned char>(bytes[body + count[3] * wide + i]);
                    if (index >= type_offsets.size()) return false;
                    times_.push_back(large ? static_cast<std::int64_t>(raw) : static_cast<std::int32_t>(raw));
                    offsets_.push_back(type_offsets[index]);
                }
                if (large && end + 1 < bytes.size() && bytes[end] == '\n') {
                    footer_.emplace(std::string_view(bytes).substr(end + 1, bytes.find('\n', end + 1) - end - 1));
                }
                return true;
            }
            at = end;
        }
        return false;
    }

    std::vector<std::int64_t> times_;
    std::vector<int> offsets_;  // from times_ of the same index on
    int first_ = 0;
    std::optional<ZoneFooter> footer_;
};

bool zone_name_is_safe(std::string_view name) {
    if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string_view::npos) return false;
    return name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
           std::string_view::npos;
}

std::shared_ptr<const Zone> zone_of(std::string_view name) {
    static std::shared_mutex mutex;
    static std::map<std::string, std::shared_ptr<const Zone>, std::less<>> zones;  // under mutex; only zones that exist
    {
        const std::shared_lock lock(mutex);
        const auto known = zones.find(name);
        if (known != zones.end()) return known->second;
    }
    if (!zone_name_is_safe(name)) return nullptr;
    std::ifstream in(kZoneFolder + std::string(name), std::ios::binary);
    if (!in) return nullptr;
    std::string bytes(kMostZoneBytes, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(in.gcount()));
    std::shared_ptr<const Zone> zone = Zone::read(bytes);
    if (zone) {
        const std::unique_lock lock(mutex);
        zones.emplace(name, zone);
    }
    return zone;
}

}  // namespace

std::optional<int> zone_offset(std::string_view zone, std::int64_t local) {
    const std::optional<Moment> fixed = parse_iso("2000-01-01" + std::string(zone));
    if (fixed && fixed->offset_seconds) return fixed->offset_seconds;
    const std::shared_ptr<const Zone> named = zone_of(zone);
    if (!named) return std::nullopt;
    const int before = named->at(local - 86400);
    const int after = named->at(local + 86400);
    if (named->at(local - before) == before) return before;
    if (named->at(local - after) == after) return after;
    return before;
}

std::optional<int> zone_offset_at(std::string_view zone, std::int64_t utc) {
    const std::optional<Moment> fixed = parse_iso("2000-01-01" + std::string(zone));
    if (fixed && fixed->offset_seconds) return fixed->offset_seconds;
    const std::shared_ptr<const Zone> named = zone_of(zone);
    return named ? std::optional<int>(named->at(utc)) : std::nullopt;
}

}  // namespace clrbus::xml_functions
