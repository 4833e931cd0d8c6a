#include "workbench/check_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "config/loader.hpp"

namespace clrbus::workbench {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestLooked = 16U << 20;
constexpr std::string_view kSecretExpected =
    "<secret name=\"…\" file=\"…\"/> or env=\"…\" in the configuration, and its name here; the value that stood here is to be "
    "changed";

std::string secrets_lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

// A word of the name says that the value is a secret.
bool secret_name(std::string_view name) {
    const std::string text = secrets_lower(name);
    for (const std::string_view word : {"password", "passwd", "passphrase", "secret", "api-key", "apikey", "api_key",
                                        "private-key", "access-key", "credential", "authorization"}) {
        if (text.find(word) != std::string::npos) return true;
    }
    return text == "token" || text.ends_with("-token") || text.ends_with("_token") || text == "pwd";
}

// scheme://user:password@host
bool secrets_in_url(std::string_view value) {
    const std::size_t scheme = value.find("://");
    if (scheme == std::string_view::npos) return false;
    const std::string_view authority = value.substr(scheme + 3, value.find_first_of("/?#", scheme + 3) - scheme - 3);
    const std::size_t at = authority.rfind('@');
    return at != std::string_view::npos && authority.substr(0, at).find(':') < at;
}

// A JSON web token: three parts, the first two begin as base64url of {".
bool secrets_token(std::string_view value) {
    const std::size_t from = value.find("eyJ");
    if (from == std::string_view::npos) return false;
    const std::size_t dot = value.find('.', from);
    return dot != std::string_view::npos && dot - from >= 12 && value.substr(dot + 1, 3) == "eyJ" &&
           value.find('.', dot + 1) != std::string_view::npos;
}

std::string_view secret_form(std::string_view value) {
    if (value.find("-----BEGIN ") != std::string_view::npos && value.find("PRIVATE KEY-----") != std::string_view::npos)
        return "a private key";
    if (secrets_token(value)) return "a signed token";
    if (secrets_in_url(value)) return "a password in a URL";
    const std::string lower = secrets_lower(value.substr(0, 8));
    if ((lower.starts_with("bearer ") || lower.starts_with("basic ")) && value.size() > 12 &&
        value.find('{') == std::string_view::npos)
        return "a credential";
    return {};
}

}  // namespace

void check_secrets(const Config& element, Findings& found) {
    // The value of a parameter, header, property or argument is judged by what names it.
    const std::string called = element.get("name");
    for (const auto& [name, value] : element.attributes()) {
        if (value.empty()) continue;
        const bool names_place = name == "name" || name.ends_with("-file") || name.ends_with("-env") || name == "secret" ||
                                 name == "file" || name == "env" || name.ends_with("-secret") || name.ends_with("-field") ||
                                 name.ends_with("-url");
        std::string_view what = secret_form(value);
        const bool expression = name == "select" || name == "test" || name == "when" || name == "key" || name == "until";
        if (what.empty() && !names_place && !expression && (secret_name(name) || (name == "value" && secret_name(called))))
            what = "a secret (by its name)";
        if (what.empty()) continue;
        found.add(Finding::Severity::kError, "CHECK-008", element, name,
                  std::string(name) + ": " + std::string(what) + " in clear text", std::string(kSecretExpected));
    }
    for (const Config& child : element.children()) check_secrets(child, found);
}

void check_secrets_below(const fs::path& folder, Findings& found) {
    std::error_code failed;
    for (fs::recursive_directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
        std::error_code ignored;
        if (!at->is_regular_file(ignored) || at->file_size(ignored) > kLargestLooked) continue;
        std::string text;
        try {
            text = read_file(at->path(), kLargestLooked);
        } catch (const Error&) {
            continue;  // what needs it says so
        }
        std::uint64_t line = 0;
        for (std::size_t from = 0; from < text.size(); ++line) {
            const std::size_t end_of_line = std::min(text.find('\n', from), text.size());
            const std::string_view one(text.data() + from, end_of_line - from);
            std::size_t column = one.find("-----BEGIN ");
            std::string_view what;
            if (column != std::string_view::npos && one.find("PRIVATE KEY-----", column) != std::string_view::npos) {
                what = "a private key";
            } else if (secrets_token(one)) {
                column = one.find("eyJ");
                what = "a signed token";
            }
            if (!what.empty())
                found.add(Finding::Severity::kError, "CHECK-008", at->path(), {line + 1, column + 1},
                          std::string(what) + " in clear text", std::string(kSecretExpected));
            from = end_of_line + 1;
        }
    }
}

void check_writable(const std::vector<fs::path>& paths, Findings& found) {
    const auto look = [&found](const fs::path& path) {
        struct stat status {};
        if (lstat(path.c_str(), &status) != 0 || S_ISLNK(status.st_mode)) return;
        // In a folder with the sticky bit, as /tmp, nobody can replace what is another's.
        if ((status.st_mode & S_IWOTH) == 0 || (S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0)) return;
        found.add(Finding::Severity::kError, "CHECK-009", path, {},
                  std::string(S_ISDIR(status.st_mode) ? "the folder" : "the file") +
                      " can be written to by every user of this machine, who could change what the bus does",
                  "rights for its owner alone: chmod o-w");
    };
    for (const fs::path& path : paths) {
        if (path.empty()) continue;
        look(path);
        std::error_code failed;
        if (!fs::is_directory(path, failed)) continue;
        for (fs::recursive_directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed))
            look(at->path());
    }
}

}  // namespace clrbus::workbench
