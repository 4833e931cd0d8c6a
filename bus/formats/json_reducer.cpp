#include "formats/json_reducer.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/error.hpp"
#include "formats/file_pass.hpp"
#include "formats/text.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kDropKeyMost = 8192;  // bytes of a name as it is written; a longer one is none that a configuration drops
constexpr std::size_t kBrokenMost = 100'000;
constexpr std::string_view kBrokenRecord = "{!";  // with its line ends behind, and a bracket

bool dropper_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// What the text between the quotes means.
std::string dropper_decoded(std::string_view raw) {
    if (raw.find('\\') == std::string_view::npos) return std::string(raw);
    std::string out;
    const auto unit = [&raw](std::size_t at) {
        std::uint32_t c = 0;
        if (at + 4 <= raw.size()) std::from_chars(raw.data() + at, raw.data() + at + 4, c, 16);
        return c;
    };
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] != '\\' || i + 1 == raw.size()) {
            out += raw[i];
            continue;
        }
        constexpr std::string_view from = "bfnrt", to = "\b\f\n\r\t";
        const char c = raw[++i];
        if (const std::size_t at = from.find(c); at != std::string_view::npos) {
            out += to[at];
        } else if (c != 'u') {
            out += c;
        } else {
            std::uint32_t code = unit(i + 1);
            i += 4;
            if (code >= 0xD800 && code < 0xDC00 && i + 6 < raw.size() && raw[i + 1] == '\\' && raw[i + 2] == 'u') {
                code = 0x10000 + ((code - 0xD800) << 10U) + (unit(i + 3) - 0xDC00);
                i += 6;
            }
            append_utf8(out, code);
        }
    }
    return out;
}

}  // namespace

struct JsonDropper::Impl {
    enum class State : std::uint8_t { kBetween, kString, kKey, kDropColon, kDropValue, kDropString, kDropScalar };
    struct Level {
        bool object = false;
        bool owes = false;  // a member was dropped, and the comma behind it goes with it
        std::string held;   // the comma behind the last member, with the blanks behind it, until it is known who follows
    };

    std::vector<std::string> names;
    Write out;
    std::string ready;
    std::vector<Level> levels;
    State state = State::kBetween;
    bool key_next = false, escaped = false;
    std::string key;        // as written
    std::size_t depth = 0;  // of brackets in a value that goes

    void give(char c) {
        if (!levels.empty() && !levels.back().held.empty() && dropper_blank(c)) {
            levels.back().held += c;
        } else {
            ready += c;
        }
    }
    void give_held() {
        if (levels.empty() || levels.back().held.empty()) return;
        ready += levels.back().held;
        levels.back().held.clear();
    }
    void line_end(char c) {  // of what goes: lines keep their numbers
        if (c == '\n') give(c);
    }

    void take(char c) {
        switch (state) {
            case State::kBetween:
                return between(c);
            case State::kString:
                ready += c;
                if (escaped) {
                    escaped = false;
                } else if (c == '\\') {
                    escaped = true;
                } else if (c == '"') {
                    state = State::kBetween;
                }
                return;
            case State::kKey:
                return in_key(c);
            case State::kDropColon:
                if (c == ':') state = State::kDropValue;
                return line_end(c);
            case State::kDropValue:
                return drop_value(c);
            case State::kDropString:
                if (escaped) {
                    escaped = false;
                } else if (c == '\\') {
                    escaped = true;
                } else if (c == '"') {
                    state = State::kDropValue;
                    if (depth == 0) dropped();
                }
                return;
            case State::kDropScalar:
                if (c != ',' && c != '}' && c != ']' && !dropper_blank(c)) return;
                dropped();
                return between(c);
        }
    }

    void between(char c) {
        if (dropper_blank(c)) return give(c);
        const bool object = !levels.empty() && levels.back().object;
        if (c == '"' && object && key_next) {
            key.clear();
            state = State::kKey;
            return;
        }
        if (c == ',' && object) {
            key_next = true;
            if (!std::exchange(levels.back().owes, false)) {
                give_held();
                levels.back().held = ",";
            }
            return;
        }
        if ((c == '}' || c == ']') && !levels.empty()) {
            Level last = std::move(levels.back());
            levels.pop_back();
            if (!last.owes) {
                ready += last.held;
            } else {
                for (const char blank : last.held) {
                    if (blank != ',') ready += blank;
                }
            }
            key_next = false;
            ready += c;
            return;
        }
        ready += c;
        if (c == '{' || c == '[') {
            levels.push_back({c == '{', false, {}});
            key_next = c == '{';
        } else if (c == '"') {
            state = State::kString;
        }
    }

    void in_key(char c) {
        if (!escaped && c == '"') {
            key_next = false;
            if (std::find(names.begin(), names.end(), dropper_decoded(key)) != names.end()) {
                state = State::kDropColon;
                return;
            }
            give_held();
            levels.back().owes = false;
            ready += '"';
            ready += key;
            ready += '"';
            state = State::kBetween;
            return;
        }
        escaped = !escaped && c == '\\';
        key += c;
        if (key.size() <= kDropKeyMost) return;
        give_held();
        levels.back().owes = false;
        ready += '"';
        ready += key;
        key_next = false;
        state = State::kString;
    }

    void drop_value(char c) {
        if (dropper_blank(c)) return line_end(c);
        if (c == '"') {
            state = State::kDropString;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            if (depth > 0 && --depth == 0) dropped();
        } else if (depth == 0) {
            state = State::kDropScalar;
        }
    }
    void dropped() {
        state = State::kBetween;
        levels.back().owes = true;
    }
};

JsonDropper::JsonDropper(std::vector<std::string> names, Write write) : impl_(std::make_unique<Impl>()) {
    impl_->names = std::move(names);
    impl_->out = std::move(write);
}
JsonDropper::~JsonDropper() = default;
JsonDropper::JsonDropper(JsonDropper&&) noexcept = default;
JsonDropper& JsonDropper::operator=(JsonDropper&&) noexcept = default;

void JsonDropper::write(std::string_view chunk) {
    for (const char c : chunk) impl_->take(c);
    if (!impl_->ready.empty()) impl_->out(impl_->ready);
    impl_->ready.clear();
}

void JsonDropper::instead(std::string_view bytes) {
    impl_->ready += bytes;
}

void JsonDropper::finish() {
    if (!impl_->ready.empty()) impl_->out(impl_->ready);
    impl_->ready.clear();
}

std::size_t reduce_json_file(const JsonReduction& reduction, const std::filesystem::path& in,
                             const std::filesystem::path& out) {
    struct Range {
        std::uint64_t from = 0, to = 0;
    };
    std::vector<Range> broken;
    const std::string file = in.filename().string();
    if (reduction.split) {
        std::unique_ptr<RecordSplitter> splitter;
        splitter =
            make_json_splitter(reduction.records, {[](std::uint64_t, std::uint64_t, std::string_view, Document) {},
                                                   [&](std::uint64_t, std::uint64_t offset, std::string_view, const Error&) {
                                                       if (broken.size() == kBrokenMost) {
                                                           throw Error(Fault::kPoison, "JSON-014", "reducing JSON",
                                                                       Where{.file = file}, "too many records cannot be read")
                                                               .expected("at most " + std::to_string(kBrokenMost));
                                                       }
                                                       broken.push_back({offset, splitter->next().offset});
                                                   }});
        read_pieces(in, [&](std::string_view piece) { splitter->write(piece); });
        splitter->finish();
    } else {
        JsonReader reader(reduction.limits);
        reader.file(file);
        read_pieces(in, [&](std::string_view piece) { reader.write(piece); });
        reader.finish();
    }
    PieceWriter to(out);
    JsonDropper dropper(reduction.drop, [&](std::string_view bytes) { to.write(bytes); });
    std::uint64_t at = 0;
    auto next = broken.begin();
    bool inside = false;
    read_pieces(in, [&](std::string_view piece) {
        while (!piece.empty()) {
            if (next == broken.end()) {
                dropper.write(piece);
                at += piece.size();
                return;
            }
            if (!inside) {
                const std::size_t before = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), next->from - at));
                dropper.write(piece.substr(0, before));
                piece.remove_prefix(before);
                at += before;
                if (at < next->from) return;
                dropper.instead(kBrokenRecord);
                inside = true;
            }
            const std::size_t over = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), next->to - at));
            for (const char c : piece.substr(0, over)) {
                if (c == '\n') dropper.instead("\n");
            }
            piece.remove_prefix(over);
            at += over;
            if (at < next->to) return;
            dropper.instead("}");
            inside = false;
            ++next;
        }
    });
    if (inside) dropper.instead("}");
    dropper.finish();
    return broken.size();
}

}  // namespace clrbus
