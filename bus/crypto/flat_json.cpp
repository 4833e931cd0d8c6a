#include "crypto/flat_json.hpp"

#include <cstdint>

#include "core/error.hpp"

namespace clrbus::crypto {

namespace {

void json_append_utf8(std::string& out, std::uint32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | c >> 6);
        out += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | c >> 12);
        out += static_cast<char>(0x80 | (c >> 6 & 63));
        out += static_cast<char>(0x80 | (c & 63));
    } else {
        out += static_cast<char>(0xf0 | c >> 18);
        out += static_cast<char>(0x80 | (c >> 12 & 63));
        out += static_cast<char>(0x80 | (c >> 6 & 63));
        out += static_cast<char>(0x80 | (c & 63));
    }
}

// A cursor over the text; each function returns false at the first thing that is wrong.
class JsonReader {
public:
    explicit JsonReader(std::string_view text) : text_(text) {}

    bool object(std::vector<FlatJson::Member>& members) {
        space();
        if (!take('{')) return false;
        space();
        if (take('}')) return at_end();
        do {
            FlatJson::Member member;
            space();
            if (!string(&member.name)) return false;
            for (const auto& other : members)
                if (other.name == member.name) return false;
            space();
            if (!take(':')) return false;
            space();
            const std::size_t start = at_;
            if (!value(0, &member)) return false;
            if (member.kind != FlatJson::Kind::kString) member.value = text_.substr(start, at_ - start);
            if (members.size() == 64) return false;
            members.push_back(std::move(member));
            space();
        } while (take(','));
        return take('}') && at_end();
    }

private:
    bool at_end() {
        space();
        return at_ == text_.size();
    }
    void space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }
    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    bool take(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }
    bool digits() {
        const std::size_t start = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        return at_ > start;
    }
    bool number() {
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (take('e') || take('E')) {
            if (!take('+')) take('-');
            return digits();
        }
        return true;
    }
    bool hex4(std::uint32_t& out) {
        if (text_.size() - at_ < 4) return false;
        out = 0;
        for (int i = 0; i < 4; ++i) {
            const char c = text_[at_++];
            if (c >= '0' && c <= '9')
                out = out * 16 + static_cast<std::uint32_t>(c - '0');
            else if ((c | 32) >= 'a' && (c | 32) <= 'f')
                out = out * 16 + static_cast<std::uint32_t>((c | 32) - 'a' + 10);
            else
                return false;
        }
        return true;
    }
    bool escape(std::string* out) {
        if (at_ >= text_.size()) return false;
        const char c = text_[at_++];
        static constexpr std::string_view names = "\"\\/bfnrt";
        static constexpr std::string_view values = "\"\\/\b\f\n\r\t";
        if (const auto i = names.find(c); i != names.npos) {
            if (out != nullptr) *out += values[i];
            return true;
        }
        std::uint32_t code = 0;
        if (c != 'u' || !hex4(code)) return false;
        if (code >= 0xdc00 && code <= 0xdfff) return false;
        if (code >= 0xd800 && code <= 0xdbff) {
            std::uint32_t low = 0;
            if (!take("\\u") || !hex4(low) || low < 0xdc00 || low > 0xdfff) return false;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        if (out != nullptr) json_append_utf8(*out, code);
        return true;
    }
    bool string(std::string* out) {
        if (!take('"')) return false;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == '"') return true;
            if (static_cast<unsigned char>(c) < 0x20) return false;
            if (c == '\\') {
                if (!escape(out)) return false;
            } else if (out != nullptr) {
                *out += c;
            }
        }
        return false;
    }
    bool value(int depth, FlatJson::Member* member) {
        if (at_ >= text_.size() || depth > 16) return false;
        const auto kind = [member](FlatJson::Kind k) {
            if (member != nullptr) member->kind = k;
        };
        switch (text_[at_]) {
            case '"':
                kind(FlatJson::Kind::kString);
                return string(member != nullptr ? &member->value : nullptr);
            case 't':
                kind(FlatJson::Kind::kTrue);
                return take("true");
            case 'f':
                kind(FlatJson::Kind::kFalse);
                return take("false");
            case 'n':
                kind(FlatJson::Kind::kNull);
                return take("null");
            case '{':
                kind(FlatJson::Kind::kObject);
                return nested('{', '}', depth);
            case '[':
                kind(FlatJson::Kind::kArray);
                return nested('[', ']', depth);
            default:
                kind(FlatJson::Kind::kNumber);
                return number();
        }
    }
    bool nested(char open, char close, int depth) {
        take(open);
        space();
        if (take(close)) return true;
        do {
            space();
            if (open == '{') {
                if (!string(nullptr)) return false;
                space();
                if (!take(':')) return false;
                space();
            }
            if (!value(depth + 1, nullptr)) return false;
            space();
        } while (take(','));
        return take(close);
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

std::optional<FlatJson> FlatJson::parse(std::string_view text, std::size_t limit) {
    FlatJson out;
    if (text.size() > limit || !is_utf8(text) || !JsonReader(text).object(out.members_)) return std::nullopt;
    return out;
}

const FlatJson::Member* FlatJson::find(std::string_view name) const {
    for (const Member& member : members_)
        if (member.name == name) return &member;
    return nullptr;
}

std::optional<std::string> FlatJson::string(std::string_view name) const {
    const Member* member = find(name);
    if (member == nullptr || member->kind != Kind::kString) return std::nullopt;
    return member->value;
}

bool is_utf8(std::string_view text) {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const end = at + text.size();
    while (at < end) {
        const unsigned char c = *at++;
        if (c < 0x80) continue;
        int more = 0;
        std::uint32_t code = 0, least = 0;
        if (c >= 0xc2 && c <= 0xdf) {
            more = 1, code = c & 31u, least = 0x80;
        } else if (c >= 0xe0 && c <= 0xef) {
            more = 2, code = c & 15u, least = 0x800;
        } else if (c >= 0xf0 && c <= 0xf4) {
            more = 3, code = c & 7u, least = 0x10000;
        } else {
            return false;
        }
        if (end - at < more) return false;
        for (; more > 0; --more, ++at) {
            if ((*at & 0xc0) != 0x80) return false;
            code = code << 6 | (*at & 63u);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
    }
    return true;
}

std::string json_string(std::string_view text) {
    if (!is_utf8(text)) throw Error(Fault::kPoison, "CRYPTO-040", "writing JSON", "a text is not UTF-8");
    static constexpr char hex[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += hex[byte >> 4];
            out += hex[byte & 15];
        } else {
            out += c;
        }
    }
    return out += '"';
}

}  // namespace clrbus::crypto
