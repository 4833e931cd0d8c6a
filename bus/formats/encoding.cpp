#include "formats/encoding.hpp"

#include <iconv.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "formats/text.hpp"

namespace clrbus {
namespace {

std::string encoding_lower(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name;
}

class EncodingIconv {
public:
    explicit EncodingIconv(const std::string& name) : handle_(::iconv_open("UTF-32LE", name.c_str())) {}
    ~EncodingIconv() {
        if (known()) ::iconv_close(handle_);
    }
    EncodingIconv(const EncodingIconv&) = delete;
    EncodingIconv& operator=(const EncodingIconv&) = delete;
    bool known() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

    enum class Answer { kCharacter, kNone, kMore };
    Answer character(unsigned char byte, std::uint32_t& code_point) const {
        char in = static_cast<char>(byte);
        char* from = &in;
        std::size_t in_left = 1;
        unsigned char out[8] = {};
        char* to = reinterpret_cast<char*>(out);
        std::size_t out_left = sizeof out;
        ::iconv(handle_, nullptr, nullptr, nullptr, nullptr);
        const std::size_t result = ::iconv(handle_, &from, &in_left, &to, &out_left);
        if (result == static_cast<std::size_t>(-1)) return errno == EILSEQ ? Answer::kNone : Answer::kMore;
        if (sizeof out - out_left != 4) return Answer::kMore;
        code_point = out[0] | std::uint32_t{out[1]} << 8 | std::uint32_t{out[2]} << 16 | std::uint32_t{out[3]} << 24;
        return Answer::kCharacter;
    }

private:
    iconv_t handle_;
};

// The next character of valid UTF-8.
std::uint32_t encoding_next(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned lead = byte(at);
    const std::size_t more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    std::uint32_t out = more == 0 ? lead : lead & (0x3FU >> more);
    for (std::size_t k = 1; k <= more && at + k < text.size(); ++k) out = out << 6 | (byte(at + k) & 0x3FU);
    at += more + 1;
    return out;
}

}  // namespace

std::shared_ptr<const SingleByte> SingleByte::find(const std::string& name) {
    const EncodingIconv iconv(encoding_lower(name));
    if (!iconv.known()) return nullptr;
    auto out = std::make_shared<SingleByte>();
    for (unsigned byte = 0; byte < 256; ++byte) {
        std::uint32_t code_point = 0;
        const auto answer = iconv.character(static_cast<unsigned char>(byte), code_point);
        if (answer == EncodingIconv::Answer::kMore) return nullptr;
        if (answer == EncodingIconv::Answer::kNone) code_point = 0;
        out->table_[byte] = code_point;
        if (byte < 0x80 && code_point != byte) out->ascii_ = false;
        if (code_point != 0) out->back_.emplace(code_point, static_cast<char>(byte));
    }
    return out;
}

bool SingleByte::decode(std::string_view bytes, std::string& out, std::size_t& bad) const {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        const std::uint32_t code_point = table_[byte];
        if (code_point == 0 && byte != 0) {
            bad = i;
            return false;
        }
        append_utf8(out, code_point);
    }
    return true;
}

bool SingleByte::encode(std::string_view utf8, std::string& out) const {
    for (std::size_t at = 0; at < utf8.size();) {
        const std::uint32_t code_point = encoding_next(utf8, at);
        const auto found = back_.find(code_point);
        if (found == back_.end()) return false;
        out.push_back(found->second);
    }
    return true;
}

bool is_utf8_name(const std::string& name) {
    const std::string lower = encoding_lower(name);
    return lower.empty() || lower == "utf-8" || lower == "utf8";
}

}  // namespace clrbus
