// For the tests of this room.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "core/error.hpp"

namespace clrbus::xml_test {

inline std::filesystem::path testdata(const std::string& name) {
    return std::filesystem::path(CLRBUS_SOURCE_DIR) / "bus/xml/testdata" / name;
}

inline std::string slurp(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return std::move(bytes).str();
}

// The first folder of that name beside the checkout or above it, for documents that are not part of the project; empty when
// absent.
inline std::filesystem::path shared_folder(const std::string& name) {
    std::filesystem::path folder(CLRBUS_SOURCE_DIR);
    for (int up = 0; up < 3; ++up) {
        folder = folder.parent_path();
        if (std::filesystem::is_directory(folder / "shared" / name)) return folder / "shared" / name;
    }
    return {};
}

// The error that act throws; fails with code "nothing thrown" otherwise.
inline Error error_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& e) {
        return e;
    }
    return Error(Fault::kPoison, "nothing thrown", "", "");
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) return "no '" + from + "' in the document";
    return text.replace(at, from.size(), to);
}

inline std::string to_utf16_bytes(const std::string& ascii, bool big, bool mark) {
    std::string out;
    if (mark) out = big ? std::string("\xFE\xFF") : std::string("\xFF\xFE");
    for (const char c : ascii) {
        if (big) out += '\0';
        out += c;
        if (!big) out += '\0';
    }
    return out;
}

}  // namespace clrbus::xml_test
