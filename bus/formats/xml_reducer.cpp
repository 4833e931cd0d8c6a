#include "formats/xml_reducer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kTagNameMost = 256;  // a longer name is none that a configuration drops
constexpr std::size_t kHeldMost = 4096;    // a start tag and its text, kept back until it is known that it is no dropped number
constexpr std::size_t kNumbersMost = 100'000;
constexpr std::size_t kDigitsLeast = 9;

// The digits of a number, however it is written (123456789, 123-45-6789); empty for what is none, or shorter.
std::string digits_of(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c >= '0' && c <= '9') {
            digits += c;
        } else if (c != ' ' && c != '-' && c != '\t' && c != '\r' && c != '\n') {
            return {};
        }
    }
    return digits.size() >= kDigitsLeast ? digits : std::string();
}

bool ends_name(std::uint32_t c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '>' || c == '/' || c == '<';
}

std::string_view local_name(std::string_view name) {
    const auto colon = name.rfind(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

}  // namespace

struct XmlReducer::Impl {
    enum class State { kText, kName, kDropTag, kDropContent, kDropName, kDropEnd };

    std::vector<std::string> names;
    Write out;
    std::string head;  // the first bytes, until the encoding is known
    bool known = false;
    std::size_t width = 1;  // bytes of a code unit
    bool big = false;
    std::string half;   // a code unit cut by a chunk's end
    std::string ready;  // to be written

    State state = State::kText;
    std::string pending;  // bytes of a tag whose name is not complete
    std::string name;     // of that tag, narrowed; a letter beyond ASCII as '?', which no configured name holds
    std::string dropping;
    std::uint32_t quote = 0, before = 0;
    Numbers known_numbers, seen;
    std::string dropped_text;  // narrowed, since the last tag within a dropped element

    // With known numbers: bytes of the last start tag and the text behind it, and that text narrowed.
    bool holding = false, tag_open = false;
    std::string held, held_text;

    void hold_or_give(std::string_view bytes, std::uint32_t c) {
        if (known_numbers.empty()) {
            ready += bytes;
            return;
        }
        if (!holding) {
            ready += bytes;
            return;
        }
        held += bytes;
        if (tag_open) {
            if (c == '>') tag_open = false;
        } else {
            held_text += c < 0x80 ? static_cast<char>(c) : '?';
        }
        if (held.size() > kHeldMost) give_held();
    }
    void give_held() {
        ready += held;
        held.clear();
        held_text.clear();
        holding = false;
    }

    void find_encoding() {
        const auto byte = [this](std::size_t i) { return i < head.size() ? static_cast<unsigned char>(head[i]) : 0x20U; };
        const bool utf32 = (byte(0) == 0 && byte(1) == 0) ||
                           (byte(2) == 0 && byte(3) == 0 && head.size() >= 4 && (byte(0) == 0xff || byte(0) == '<'));
        if (utf32 || byte(0) == 0x4c) {  // UTF-32, EBCDIC
            throw Error(Fault::kPoison, "XMLR-001", "reducing an XML file", "an encoding that is not read")
                .expected("UTF-8 or UTF-16");
        }
        if ((byte(0) == 0xff && byte(1) == 0xfe) || (byte(0) == '<' && byte(1) == 0)) width = 2;
        if ((byte(0) == 0xfe && byte(1) == 0xff) || (byte(0) == 0 && byte(1) == '<')) {
            width = 2;
            big = true;
        }
        known = true;
    }

    bool dropped(std::string_view local) const {
        return std::any_of(names.begin(), names.end(), [&](const std::string& one) { return one == local; });
    }

    void unit(std::string_view bytes) {
        std::uint32_t c = static_cast<unsigned char>(bytes[0]);
        if (width == 2) {
            const std::uint32_t second = static_cast<unsigned char>(bytes[1]);
            c = big ? c << 8 | second : second << 8 | c;
        }
        switch (state) {
            case State::kText:
                if (c == '<') {
                    state = State::kName;
                    pending = bytes;
                    name.clear();
                } else {
                    hold_or_give(bytes, c);
                }
                break;
            case State::kName:
                if (name.empty() ? c == '/' || c == '!' || c == '?' : false) {
                    if (c == '/' && holding && known_numbers.count(digits_of(held_text)) != 0) {
                        // The element held a dropped number and nothing else: it goes, with its end tag.
                        held.clear();
                        held_text.clear();
                        holding = false;
                        pending.clear();
                        state = State::kDropEnd;
                        break;
                    }
                    give_held();
                    give_pending(bytes);
                } else if (ends_name(c)) {
                    give_held();
                    if (!dropped(local_name(name))) {
                        if (known_numbers.empty()) {
                            ready += pending;
                        } else {
                            held = pending;
                            holding = tag_open = true;
                        }
                        pending.clear();
                        state = State::kText;
                        return unit(bytes);
                    }
                    dropped_text.clear();
                    dropping = local_name(name);
                    pending.clear();
                    quote = before = 0;
                    state = State::kDropTag;
                    return unit(bytes);
                } else {
                    pending += bytes;
                    name += c < 0x80 ? static_cast<char>(c) : '?';
                    if (name.size() > kTagNameMost) {
                        give_held();
                        give_pending({});
                    }
                }
                break;
            case State::kDropTag:
                keep_line_end(c, bytes);
                if (quote != 0) {
                    if (c == quote) quote = 0;
                } else if (c == '"' || c == '\'') {
                    quote = c;
                } else if (c == '>') {
                    state = before == '/' ? State::kText : State::kDropContent;
                }
                before = c;
                break;
            case State::kDropContent:
                keep_line_end(c, bytes);
                if (c == '<') {
                    state = State::kDropName;
                    name.clear();
                    std::string number = digits_of(dropped_text);
                    if (!number.empty() && seen.size() < kNumbersMost) seen.insert(std::move(number));
                    dropped_text.clear();
                } else if (c == '>') {
                    dropped_text.clear();
                } else if (dropped_text.size() <= 64) {
                    dropped_text += c < 0x80 ? static_cast<char>(c) : '?';
                }
                break;
            case State::kDropName:
                if (c == '<') {
                    name.clear();
                } else if (name.empty() && c != '/') {
                    state = State::kDropContent;
                } else if (name.size() > 1 && ends_name(c)) {
                    state = local_name(std::string_view(name).substr(1)) == dropping ? State::kDropEnd : State::kDropContent;
                    return unit(bytes);
                } else {
                    name += c < 0x80 ? static_cast<char>(c) : '?';
                    if (name.size() > kTagNameMost) state = State::kDropContent;
                }
                keep_line_end(c, bytes);
                break;
            case State::kDropEnd:
                keep_line_end(c, bytes);
                if (c == '>') state = State::kText;
                break;
        }
    }

    void give_pending(std::string_view bytes) {
        ready += pending;
        ready += bytes;
        pending.clear();
        state = State::kText;
    }

    void keep_line_end(std::uint32_t c, std::string_view bytes) {
        if (c == '\n' || c == '\r') ready += bytes;
    }

    // Up to the next tag; of one that may be a dropped number, first to the end of its start tag. Single bytes alone.
    std::size_t take_text(std::string_view bytes) {
        const std::string_view text = bytes.substr(0, bytes.find('<'));
        if (!holding) {
            ready += text;
            return text.size();
        }
        std::string_view content = text;
        if (tag_open) {
            const std::size_t end = text.find('>');
            if (end != std::string_view::npos) tag_open = false;
            content = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        }
        held += text;
        add_narrowed(held_text, content);
        if (held.size() > kHeldMost) give_held();
        return text.size();
    }
    // The letters of a tag's name, without what ends it. None for </, <! and <?.
    std::size_t take_name(std::string_view bytes) {
        if (name.empty() && (bytes[0] == '/' || bytes[0] == '!' || bytes[0] == '?')) return 0;
        const std::string_view letters = bytes.substr(0, bytes.find_first_of(" \t\r\n>/<"));
        if (name.size() + letters.size() > kTagNameMost) return 0;
        pending += letters;
        add_narrowed(name, letters);
        return letters.size();
    }
    static void add_narrowed(std::string& to, std::string_view bytes) {
        for (const char c : bytes) to += static_cast<unsigned char>(c) < 0x80 ? c : '?';
    }

    // What stays, in one piece: text and whole tags up to one that is dropped, holds a known number, or is cut off by the end
    // of the chunk. Those are left to the steps below, which say what counts. Single bytes, between two elements.
    std::size_t take_kept(std::string_view bytes) {
        std::size_t at = 0, kept = bytes.size();
        while (at < bytes.size()) {
            const std::size_t tag = bytes.find('<', at);
            if (tag == std::string_view::npos) break;
            kept = tag;  // unless more is known of it
            if (tag + 1 == bytes.size()) break;
            const char first = bytes[tag + 1];
            if (first == '/' || first == '!' || first == '?') {
                at = tag + 1;
                kept = bytes.size();
                continue;
            }
            std::size_t end = tag + 1;
            while (end < bytes.size() && !ends_name(static_cast<unsigned char>(bytes[end]))) ++end;
            if (end == bytes.size() || end - tag > kTagNameMost) break;
            if (dropped(local_name(bytes.substr(tag + 1, end - tag - 1)))) break;
            at = end;
            if (!known_numbers.empty()) {
                at = bytes.find('<', end);
                if (at == std::string_view::npos || at + 1 == bytes.size()) break;
                if (bytes[at + 1] == '/' && may_be_number(bytes.substr(end, at - end))) break;
            }
            kept = bytes.size();
        }
        ready += bytes.substr(0, kept);
        return kept;
    }
    // The rest of a start tag and the text behind it.
    static bool may_be_number(std::string_view tag) {
        const std::size_t from = tag.find('>');
        if (from == std::string_view::npos || tag.size() - from <= kDigitsLeast) return false;
        const char last = tag.back();  // most texts end with a letter
        return (last >= '0' && last <= '9') || last == ' ' || last == '-' || last == '\t' || last == '\r' || last == '\n';
    }

    void units(std::string_view bytes) {
        if (width == 1) {
            // Most of a file is text and names that stay: taken as far as one step goes. The rest is looked at unit by unit.
            while (!bytes.empty()) {
                std::size_t taken = 0;
                if (state == State::kText && !holding && (taken = take_kept(bytes)) != 0) {
                    bytes.remove_prefix(taken);
                    continue;
                }
                if (state == State::kText) {
                    taken = take_text(bytes);
                } else if (state == State::kName) {
                    taken = take_name(bytes);
                }
                if (taken == 0) {
                    unit(bytes.substr(0, 1));
                    taken = 1;
                }
                bytes.remove_prefix(taken);
            }
        } else {
            if (!half.empty()) {
                half += bytes[0];
                bytes.remove_prefix(1);
                unit(std::exchange(half, {}));
            }
            for (; bytes.size() >= 2; bytes.remove_prefix(2)) unit(bytes.substr(0, 2));
            if (!bytes.empty()) half = bytes;
        }
        if (!ready.empty()) out(std::exchange(ready, {}));
    }
};

XmlReducer::XmlReducer(std::vector<std::string> names, Write write, Numbers known) : impl_(std::make_unique<Impl>()) {
    impl_->known_numbers = std::move(known);
    impl_->names = std::move(names);
    impl_->out = std::move(write);
}
XmlReducer::~XmlReducer() = default;
XmlReducer::XmlReducer(XmlReducer&&) noexcept = default;
XmlReducer& XmlReducer::operator=(XmlReducer&&) noexcept = default;

void XmlReducer::write(std::string_view chunk) {
    if (chunk.empty()) return;
    if (impl_->known) return impl_->units(chunk);
    impl_->head += chunk;
    if (impl_->head.size() < 4) return;
    impl_->find_encoding();
    impl_->units(std::exchange(impl_->head, {}));
}

void XmlReducer::finish() {
    if (!impl_->known) {
        impl_->find_encoding();
        if (!impl_->head.empty()) impl_->units(std::exchange(impl_->head, {}));
    }
    if (!impl_->held.empty()) impl_->out(impl_->held);
    // A tag whose name was cut off by the end of the file: its first letters are no value.
    if (impl_->state == Impl::State::kName) impl_->out(impl_->pending);
}

const XmlReducer::Numbers& XmlReducer::numbers() const {
    return impl_->seen;
}

void reduce_xml_file(const std::vector<std::string>& names, const std::filesystem::path& in, const std::filesystem::path& out) {
    struct Descriptor {
        int fd;
        ~Descriptor() {
            if (fd >= 0) close(fd);
        }
    };
    const auto away = [](const std::filesystem::path& file, const char* why) {
        return Error(Fault::kAway, "FILE-001", "reducing a file", Where{.file = file.filename().string()}, why);
    };
    const Descriptor from{open(in.c_str(), O_RDONLY | O_CLOEXEC)};
    if (from.fd < 0) throw away(in, "cannot be read");
    const Descriptor to{open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (to.fd < 0) throw away(out, "cannot be written");
    std::string buffer(64U << 10, '\0');
    const auto read_through = [&](XmlReducer& reducer) {
        if (lseek(from.fd, 0, SEEK_SET) != 0) throw away(in, "cannot be read twice");
        for (;;) {
            const ssize_t n = ::read(from.fd, buffer.data(), buffer.size());
            if (n < 0) throw away(in, "cannot be read");
            if (n == 0) break;
            reducer.write(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
        }
        reducer.finish();
    };
    XmlReducer look(names, [](std::string_view) {});
    read_through(look);
    XmlReducer reducer(
        names,
        [&](std::string_view bytes) {
            while (!bytes.empty()) {
                const ssize_t n = ::write(to.fd, bytes.data(), bytes.size());
                if (n <= 0) throw away(out, "cannot be written");
                bytes.remove_prefix(static_cast<std::size_t>(n));
            }
        },
        look.numbers());
    read_through(reducer);
}

}  // namespace clrbus
