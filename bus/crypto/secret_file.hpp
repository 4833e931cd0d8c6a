// Files that hold secrets: readable by their owner alone, written whole or not at all. Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace clrbus::crypto {

// Throws Error(kConfig, "CRYPTO-010") when it cannot be read, is no regular file, is larger than 1 MB, or group or others have
// any right.
std::string read_secret_file(const std::filesystem::path& file);

// Mode 0600; temporary file, sync, rename, sync of the folder. Replaces what stood there. Throws Error(kConfig, "CRYPTO-011").
void write_secret_file(const std::filesystem::path& file, std::string_view bytes);

// As write_secret_file, but keeps a file that is already there: of two processes that make a key at once, both then read the
// same one. False when there was one.
bool create_secret_file(const std::filesystem::path& file, std::string_view bytes);

}  // namespace clrbus::crypto
