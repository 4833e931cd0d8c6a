#include "core/zone.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "core/error.hpp"

namespace clrbus {

using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

namespace {

constexpr const char* kCoreZoneFolder = "/usr/share/zoneinfo";

[[noreturn]] void core_zone_fail(std::string_view name, std::string why) {
    throw Error(Fault::kConfig, "CORE-006", "reading the time zone '" + std::string(name) + "'", std::move(why));
}

// The rule after the last stored transition, as in "CST6CDT,M3.2.0,M11.1.0": only the form that zone files use.
struct ZoneRule {
    struct Change {
        unsigned month = 0, week = 0, weekday = 0;
        seconds at{7200};

        sys_seconds in(std::chrono::year year) const {
            const auto weekday_value = std::chrono::weekday(weekday);
            const auto month_value = year / std::chrono::month(month);
            const sys_days day = week == 5 ? sys_days(month_value / weekday_value[std::chrono::last])
                                           : sys_days(month_value / weekday_value[week]);
            return day + at;
        }
    };
    seconds standard{0}, summer{0};
    bool has_summer = false;
    Change begin, end;  // in local time: standard before begin, summer before end

    seconds at(sys_seconds instant) const {
        if (!has_summer) return standard;
        const auto year = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(instant + standard)).year();
        const sys_seconds from = begin.in(year)-standard;
        const sys_seconds to = end.in(year)-summer;
        const bool inside = from < to ? instant >= from && instant < to : instant >= from || instant < to;
        return inside ? summer : standard;
    }
};

class ZoneRuleReader {
public:
    explicit ZoneRuleReader(std::string_view text) : text_(text) {}
    std::optional<ZoneRule> read() {
        ZoneRule out;
        if (!name() || !hours(out.standard)) return std::nullopt;
        out.standard = -out.standard;  // POSIX counts west
        if (text_.empty()) return out;
        out.has_summer = true;
        out.summer = out.standard + std::chrono::hours(1);
        if (!name()) return std::nullopt;
        if (!text_.starts_with(',')) {
            if (!hours(out.summer)) return std::nullopt;
            out.summer = -out.summer;
        }
        if (!change(out.begin) || !change(out.end) || !text_.empty()) return std::nullopt;
        return out;
    }

private:
    bool take(char c) {
        if (!text_.starts_with(c)) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool name() {
        const bool quoted = take('<');
        std::size_t size = 0;
        while (size < text_.size() &&
               (quoted ? text_[size] != '>' : std::isalpha(static_cast<unsigned char>(text_[size])) != 0))
            ++size;
        text_.remove_prefix(size);
        return size >= 3 && (!quoted || take('>'));
    }
    bool number(int& out) {
        const auto result = std::from_chars(text_.data(), text_.data() + text_.size(), out);
        if (result.ec != std::errc()) return false;
        text_.remove_prefix(static_cast<std::size_t>(result.ptr - text_.data()));
        return true;
    }
    bool hours(seconds& out) {
        int sign = 1;
        if (take('-'))
            sign = -1;
        else
            take('+');
        int h = 0, m = 0, s = 0;
        if (!number(h) || (take(':') && (!number(m) || (take(':') && !number(s))))) return false;
        out = sign * (std::chrono::hours(h) + std::chrono::minutes(m) + seconds(s));
        return true;
    }
    bool change(ZoneRule::Change& out) {
        int month = 0, week = 0, weekday = 0;
        if (!take(',') || !take('M') || !number(month) || !take('.') || !number(week) || !take('.') || !number(weekday))
            return false;
        if (month < 1 || month > 12 || week < 1 || week > 5 || weekday < 0 || weekday > 6) return false;
        out.month = static_cast<unsigned>(month);
        out.week = static_cast<unsigned>(week);
        out.weekday = static_cast<unsigned>(weekday);
        return !take('/') || hours(out.at);
    }

    std::string_view text_;
};

// A TZif file (RFC 8536), its 64-bit part.
class ZoneFile {
public:
    ZoneFile(std::string_view name, std::string_view bytes) : name_(name), bytes_(bytes) {}

    std::size_t skip_first_part() {
        const auto counts = header(0);
        if (bytes_.at(4) < '2') core_zone_fail(name_, "its file is of a version that is too old");
        return 44 + size_of(counts, 4);
    }
    struct Counts {
        std::uint32_t utc, standard, leap, time, type, text;
    };
    Counts header(std::size_t at) const {
        if (bytes_.size() < at + 44 || bytes_.substr(at, 4) != "TZif") core_zone_fail(name_, "its file is not a zone file");
        const auto count = [&](std::size_t i) { return static_cast<std::uint32_t>(big(at + 20 + 4 * i, 4)); };
        const Counts out{count(0), count(1), count(2), count(3), count(4), count(5)};
        if (out.time > 10'000 || out.type > 256 || out.text > 10'000 || out.type == 0)
            core_zone_fail(name_, "its file is not sound");
        return out;
    }
    static std::size_t size_of(const Counts& c, std::size_t width) {
        return c.time * (width + 1) + c.type * std::size_t{6} + c.text + c.leap * (width + 4) + c.standard + c.utc;
    }
    std::int64_t big(std::size_t at, std::size_t width) const {
        if (at + width > bytes_.size()) core_zone_fail(name_, "its file is cut short");
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < width; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
        if (width == 4) return static_cast<std::int32_t>(value);  // offsets west of UTC are negative
        return static_cast<std::int64_t>(value);
    }
    std::string_view rest(std::size_t at) const { return at <= bytes_.size() ? bytes_.substr(at) : std::string_view{}; }

private:
    std::string_view name_, bytes_;
};

std::optional<seconds> core_zone_fixed(std::string_view name) {
    if (name.empty() || name == "Z" || name == "UTC") return seconds(0);
    if (name.size() != 6 || (name[0] != '+' && name[0] != '-') || name[3] != ':') return std::nullopt;
    int h = 0, m = 0;
    const auto number = [](std::string_view digits, int& out) {
        const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), out);
        return result.ec == std::errc() && result.ptr == digits.data() + digits.size();
    };
    if (!number(name.substr(1, 2), h) || !number(name.substr(4, 2), m) || h > 14 || m > 59) return std::nullopt;
    return (name[0] == '-' ? -1 : 1) * (std::chrono::hours(h) + std::chrono::minutes(m));
}

bool core_zone_name_is_safe(std::string_view name) {
    if (name.empty() || name.size() > 100 || name.front() == '/' || name.find("..") != name.npos) return false;
    return std::all_of(name.begin(), name.end(),
                       [](unsigned char c) { return std::isalnum(c) != 0 || c == '/' || c == '_' || c == '-' || c == '+'; });
}

}  // namespace

struct Zone::Impl {
    std::vector<sys_seconds> transitions;
    std::vector<seconds> offsets;  // one more than transitions: offsets[i] holds before transitions[i]
    ZoneRule rule;                 // after the last transition
    bool has_rule = false;

    seconds at(sys_seconds instant) const {
        const auto next = std::upper_bound(transitions.begin(), transitions.end(), instant);
        if (next == transitions.end() && has_rule) return rule.at(instant);
        return offsets[static_cast<std::size_t>(next - transitions.begin())];
    }
};

Zone::Zone() = default;

Zone Zone::load(std::string_view name) {
    Zone out;
    auto impl = std::make_shared<Impl>();
    if (const auto fixed = core_zone_fixed(name)) {
        if (fixed->count() == 0) return out;
        impl->offsets = {*fixed};
        out.impl_ = std::move(impl);
        return out;
    }
    if (!core_zone_name_is_safe(name))
        core_zone_fail(name, "expected Z, an offset like -06:00, or a name like America/Chicago");
    std::ifstream in(std::filesystem::path(kCoreZoneFolder) / name, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) core_zone_fail(name, "there is no zone of that name on this system (package tzdata)");
    const std::string bytes = text.str();
    ZoneFile file(name, bytes);
    const std::size_t part = file.skip_first_part();
    const auto counts = file.header(part);
    const std::size_t times = part + 44, kinds = times + counts.time * std::size_t{8}, types = kinds + counts.time;
    const auto type = [&](std::int64_t index) { return seconds(file.big(types + static_cast<std::size_t>(index) * 6, 4)); };
    impl->offsets.push_back(type(0));
    for (std::size_t i = 0; i < counts.time; ++i) {
        impl->transitions.emplace_back(seconds(file.big(times + i * 8, 8)));
        const auto index = file.big(kinds + i, 1);
        if (index >= static_cast<std::int64_t>(counts.type)) core_zone_fail(name, "its file is not sound");
        impl->offsets.push_back(type(index));
    }
    std::string_view footer = file.rest(times + ZoneFile::size_of(counts, 8));
    if (footer.size() >= 2 && footer.front() == '\n' && footer.back() == '\n') {
        if (const auto rule = ZoneRuleReader(footer.substr(1, footer.size() - 2)).read()) {
            impl->rule = *rule;
            impl->has_rule = true;
        }
    }
    out.impl_ = std::move(impl);
    return out;
}

seconds Zone::offset_at(sys_seconds instant) const {
    return impl_ ? impl_->at(instant) : seconds(0);
}

seconds Zone::offset_at_local(sys_seconds local) const {
    if (!impl_) return seconds(0);
    const seconds before = impl_->at(local - std::chrono::hours(24));
    if (impl_->at(local - before) == before) return before;
    const seconds after = impl_->at(local + std::chrono::hours(24));
    return impl_->at(local - after) == after ? after : before;
}

sys_seconds Zone::to_instant(sys_seconds local) const {
    if (!impl_) return local;
    const seconds before = impl_->at(local - std::chrono::hours(24));
    const seconds after = impl_->at(local + std::chrono::hours(24));
    if (impl_->at(local - before) == before) return local - before;
    if (impl_->at(local - after) == after) return local - after;
    // In a gap: the change lies between the two.
    sys_seconds low = local - std::max(before, after), high = local - std::min(before, after);
    while (high - low > seconds(1)) {
        const sys_seconds middle = low + (high - low) / 2;
        (impl_->at(middle) == before ? low : high) = middle;
    }
    return high;
}

}  // namespace clrbus
