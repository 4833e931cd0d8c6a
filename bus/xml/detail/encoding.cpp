#include "xml/detail/encoding.hpp"

#include <algorithm>
#include <string>
#include <xercesc/util/XMLUni.hpp>
#include <xercesc/util/XMLUniDefs.hpp>

#include "xml/detail/library.hpp"
#include "xml/detail/text.hpp"

namespace clrbus::xml_detail {

namespace {

using Kind = Encoding::Kind;

Error encoding_refused(std::string_view code, std::string why, std::string expected) {
    Error error(Fault::kPoison, code, "reading", place({}, {}, 1, 0, 0), std::move(why));
    error.expected(std::move(expected));
    return error;
}

// The declared encoding of an ASCII-compatible input, in upper case; "" for none.
std::string encoding_declared(std::string_view head) {
    if (!head.starts_with("<?xml")) return {};
    head = head.substr(0, head.find("?>"));
    std::size_t at = head.find("encoding");
    if (at == std::string_view::npos) return {};
    at += 8;
    while (at < head.size() && (is_blank_byte(head[at]) || head[at] == '=')) ++at;
    if (at >= head.size() || (head[at] != '"' && head[at] != '\'')) return {};
    const std::size_t end = head.find(head[at], at + 1);
    if (end == std::string_view::npos) return {};
    std::string name;
    for (const char c : head.substr(at + 1, end - at - 1)) {
        name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    }
    return name;
}

// A view on the input in code units.
class Units {
public:
    Units(const Encoding& encoding, std::string_view bytes) : kind_(encoding.kind), bytes_(bytes) {}
    bool two() const { return kind_ == Kind::kUtf16Le || kind_ == Kind::kUtf16Be; }
    std::size_t size() const { return two() ? bytes_.size() / 2 : bytes_.size(); }
    unsigned at(std::size_t i) const {
        if (!two()) return static_cast<unsigned char>(bytes_[i]);
        const auto a = static_cast<unsigned char>(bytes_[2 * i]);
        const auto b = static_cast<unsigned char>(bytes_[2 * i + 1]);
        return kind_ == Kind::kUtf16Le ? a | (b << 8) : (a << 8) | b;
    }
    bool is(std::size_t i, std::string_view text) const {
        if (i + text.size() > size()) return false;
        for (std::size_t k = 0; k < text.size(); ++k) {
            if (at(i + k) != static_cast<unsigned char>(text[k])) return false;
        }
        return true;
    }
    std::size_t find(std::size_t i, std::string_view text) const {
        while (i < size() && !is(i, text)) ++i;
        return i;
    }
    std::uint64_t line(std::size_t i) const {
        std::uint64_t line = 1;
        for (std::size_t k = 0; k < i; ++k) line += at(k) == '\n';
        return line;
    }

private:
    Kind kind_;
    std::string_view bytes_;
};

}  // namespace

bool is_blank_byte(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

Encoding detect_encoding(std::string_view head) {
    using xercesc::XMLUni;
    const auto starts = [&](std::string_view mark) { return head.starts_with(mark); };
    constexpr std::string_view kZeros("\0\0", 2);
    if (head.empty()) throw encoding_refused("XML-010", "the input is empty", "an XML document");
    if (starts({"\xFF\xFE\0\0", 4}) || starts({"\0\0\xFE\xFF", 4}) || starts({"\0\0\0<", 4}) || starts({"<\0\0\0", 4})) {
        throw encoding_refused("XML-003", "the encoding UTF-32 is not supported", "UTF-8 or UTF-16");
    }
    if (starts("\xEF\xBB\xBF")) return {XMLUni::fgUTF8EncodingString, Kind::kUtf8, 3};
    if (starts("\xFF\xFE")) return {XMLUni::fgUTF16LEncodingString, Kind::kUtf16Le, 2};
    if (starts("\xFE\xFF")) return {XMLUni::fgUTF16BEncodingString, Kind::kUtf16Be, 2};
    // No mark: every document starts with '<' or white space, so that one of the first two bytes is 0 in UTF-16.
    if (head.size() >= 4 && head[0] != 0 && head[1] == 0 && head.substr(2, 2) != kZeros) {
        return {XMLUni::fgUTF16LEncodingString, Kind::kUtf16Le, 0};
    }
    if (head.size() >= 4 && head[0] == 0 && head[1] != 0) return {XMLUni::fgUTF16BEncodingString, Kind::kUtf16Be, 0};
    const std::string declared = encoding_declared(head);
    if (declared == "ISO-8859-1" || declared == "ISO_8859-1" || declared == "LATIN1") {
        return {XMLUni::fgISO88591EncodingString, Kind::kOneByte, 0};
    }
    if (declared == "WINDOWS-1252" || declared == "CP1252") return {XMLUni::fgWin1252EncodingString, Kind::kOneByte, 0};
    // A declaration of UTF-16 over bytes that are plainly not: somebody recoded the document on its way.
    if (declared.empty() || declared == "UTF-8" || declared == "UTF8" || declared == "US-ASCII" || declared == "ASCII" ||
        declared.starts_with("UTF-16")) {
        return {XMLUni::fgUTF8EncodingString, Kind::kUtf8, 0};
    }
    throw encoding_refused("XML-003", "the declared encoding is not supported", "UTF-8, UTF-16, ISO-8859-1 or windows-1252");
}

Error bad_byte(const Encoding& encoding, std::string_view before, std::uint64_t offset, std::uint64_t line, bool cut) {
    const std::size_t line_start = before.rfind('\n');
    std::uint64_t column = 0;
    if (encoding.kind == Kind::kUtf8 && (line_start != std::string_view::npos || before.size() == offset)) {
        const std::string_view rest = line_start == std::string_view::npos ? before : before.substr(line_start + 1);
        column = 1 + static_cast<std::uint64_t>(std::count_if(
                         rest.begin(), rest.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
    }
    const std::string name = encoding.kind == Kind::kUtf8 ? "UTF-8" : "UTF-16";
    Error error(Fault::kPoison, "XML-002", "reading", place({}, {}, line, column, static_cast<std::int64_t>(offset)),
                cut ? "the input ends inside a character" : "a byte that is not " + name);
    error.expected("text in " + name + " throughout");
    return error;
}

void check_encoding(const Encoding& encoding, std::string_view bytes, std::size_t start) {
    if (encoding.kind == Kind::kOneByte) return;
    if (encoding.kind == Kind::kUtf8) {
        const std::size_t bad = first_bad_utf8(bytes);
        if (bad == kAllGood) return;
        Utf8Check check;
        const bool cut = check.feed(bytes.substr(bad)) == bytes.size() - bad;
        const std::string_view before = bytes.substr(0, bad);
        const auto line = 1 + static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n'));
        throw bad_byte(encoding, before, start + bad, line, cut);
    }
    const Units units(encoding, bytes);
    for (std::size_t i = 0; i < units.size(); ++i) {
        const unsigned unit = units.at(i) & 0xFC00;
        if (unit != 0xD800 && unit != 0xDC00) continue;
        if (unit == 0xD800 && i + 1 < units.size() && (units.at(i + 1) & 0xFC00) == 0xDC00) {
            ++i;
            continue;
        }
        throw bad_byte(encoding, {}, start + 2 * i, units.line(i), unit == 0xD800 && i + 1 == units.size());
    }
    if (bytes.size() % 2 != 0) throw bad_byte(encoding, {}, start + bytes.size() - 1, units.line(units.size()), true);
}

void refuse_doctype(const Encoding& encoding, std::string_view bytes) {
    const Units units(encoding, bytes);
    std::size_t i = 0;
    while (i < units.size()) {
        if (units.at(i) < 0x80 && is_blank_byte(static_cast<char>(units.at(i)))) {
            ++i;
        } else if (units.is(i, "<?")) {
            i = units.find(i, "?>") + 2;
        } else if (units.is(i, "<!--")) {
            i = units.find(i + 4, "-->") + 3;
        } else {
            break;
        }
    }
    if (i >= units.size() || !units.is(i, "<!DOCTYPE")) return;
    Error error(Fault::kPoison, "XML-004", "reading", place({}, {}, units.line(i)), "a DOCTYPE is not allowed");
    error.expected("a document without DOCTYPE and entities");
    throw error;
}

}  // namespace clrbus::xml_detail
