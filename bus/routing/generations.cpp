#include "routing/generations.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "config/loader.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "routing/text_diff.hpp"

namespace clrbus {
namespace {

constexpr std::uintmax_t kKeptFileMost = 64U << 20;
constexpr std::uintmax_t kShownMost = 2U << 20;  // a larger file is said to differ

[[noreturn]] void cannot_keep(const std::filesystem::path& file) {
    throw Error(Fault::kConfig, "ROUTE-081", "keeping a generation", Where{.file = file.string()},
                "the file cannot be written");
}

// Under another name first: what is found under its name is whole.
void write_kept(const std::filesystem::path& file, const std::string& bytes) {
    const std::filesystem::path part = file.string() + ".part";
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    out << bytes;
    out.close();
    std::error_code failed;
    if (out) std::filesystem::rename(part, file, failed);
    if (!out || failed) cannot_keep(file);
}

std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
    return text;
}

std::string about_text(const KeptGeneration& kept) {
    std::string out = "number " + std::to_string(kept.number) + "\nat " + kept.at + "\nby " + one_line(kept.by) + "\nwhy " +
                      one_line(kept.why) + "\nhash " + kept.hash + "\nroute " + kept.route_file + "\n";
    for (const auto& file : kept.files) out += "file " + file.sha256 + " " + file.name + "\n";
    return out;
}

std::optional<KeptGeneration> about_read(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return std::nullopt;
    KeptGeneration out;
    for (std::string line; std::getline(in, line);) {
        const std::size_t space = line.find(' ');
        if (space == std::string::npos) continue;
        const std::string name = line.substr(0, space), value = line.substr(space + 1);
        if (name == "number") std::from_chars(value.data(), value.data() + value.size(), out.number);
        if (name == "at") out.at = value;
        if (name == "by") out.by = value;
        if (name == "why") out.why = value;
        if (name == "hash") out.hash = value;
        if (name == "route") out.route_file = value;
        if (name == "file" && value.size() > 65) out.files.push_back({value.substr(65), value.substr(0, 64)});
    }
    if (out.number == 0 || out.hash.empty()) return std::nullopt;
    return out;
}

std::vector<std::uint64_t> numbers_in(const std::filesystem::path& folder) {
    std::vector<std::uint64_t> out;
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
        const std::string name = entry->path().filename().string();
        std::uint64_t number = 0;
        const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
        if (read.ec == std::errc() && read.ptr == name.data() + name.size()) out.push_back(number);
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

GenerationStore::GenerationStore(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code failed;
    std::filesystem::create_directories(folder_ / ".objects", failed);
}

std::filesystem::path GenerationStore::object(const std::string& sha256) const {
    return folder_ / ".objects" / sha256.substr(0, 2) / sha256;
}

void GenerationStore::keep_bytes(const CompiledRoute::File& file) {
    const auto to = object(file.sha256);
    std::error_code failed;
    if (std::filesystem::exists(to, failed)) return;
    const std::string bytes = read_file(file.path, kKeptFileMost);
    if (crypto::sha256_hex(bytes) != file.sha256) {
        throw Error(Fault::kAway, "ROUTE-080", "keeping a generation", Where{.file = file.path.string()},
                    "the file changed meanwhile");
    }
    std::filesystem::create_directories(to.parent_path(), failed);
    write_kept(to, bytes);
}

void GenerationStore::keep(const CompiledRoute& route, const Cause& cause, bool fresh) {
    const auto folder = folder_ / route.id() / std::to_string(route.generation);
    std::error_code failed;
    if (!fresh && std::filesystem::exists(folder / "about", failed)) return;
    KeptGeneration kept;
    kept.number = route.generation;
    kept.at = to_rfc3339(cause.at);
    kept.by = cause.by;
    kept.why = cause.why;
    kept.hash = route.hash();
    kept.route_file = route.route_file().name;
    if (!kept.route_file.empty()) {
        keep_bytes(route.route_file());
        kept.files.push_back({route.route_file().name, route.route_file().sha256});
    }
    for (const auto& file : route.files()) {
        keep_bytes(file);
        kept.files.push_back({file.name, file.sha256});
    }
    std::filesystem::create_directories(folder, failed);
    std::string difference;
    const auto numbers = numbers_in(folder.parent_path());
    const auto at = std::lower_bound(numbers.begin(), numbers.end(), route.generation);
    if (at != numbers.begin()) {
        if (const auto before = about_read(folder.parent_path() / std::to_string(*std::prev(at)) / "about"))
            difference = this->difference(*before, kept);
    }
    write_kept(folder / "diff", difference);
    write_kept(folder / "about", about_text(kept));
    if (numbers.size() > kKeptMost) drop_old(route.id());
}

void GenerationStore::drop_old(const std::string& route) {
    const auto numbers = numbers_in(folder_ / route);
    std::error_code ignored;
    for (std::size_t i = 0; i + kKeptMost < numbers.size(); ++i)
        std::filesystem::remove_all(folder_ / route / std::to_string(numbers[i]), ignored);
    // Bytes that no generation names any more.
    std::set<std::string> named;
    for (std::filesystem::directory_iterator entry(folder_, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        if (entry->path().filename() == ".objects") continue;
        for (const KeptGeneration& kept : list(entry->path().filename().string())) {
            for (const auto& file : kept.files) named.insert(file.sha256);
        }
    }
    std::vector<std::filesystem::path> unused;
    for (std::filesystem::recursive_directory_iterator entry(folder_ / ".objects", ignored), end; !ignored && entry != end;
         entry.increment(ignored)) {
        if (entry->is_regular_file(ignored) && named.count(entry->path().filename().string()) == 0)
            unused.push_back(entry->path());
    }
    for (const auto& file : unused) std::filesystem::remove(file, ignored);
}

void GenerationStore::sync() {
    const int folder = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    syncfs(folder);
    close(folder);
}

std::vector<KeptGeneration> GenerationStore::list(const std::string& route) const {
    std::vector<KeptGeneration> out;
    for (const std::uint64_t number : numbers_in(folder_ / route)) {
        if (auto kept = about_read(folder_ / route / std::to_string(number) / "about")) out.push_back(std::move(*kept));
    }
    return out;
}

KeptGeneration GenerationStore::find(const std::string& route, std::uint64_t number) const {
    auto kept = about_read(folder_ / route / std::to_string(number) / "about");
    if (!kept) {
        throw Error(Fault::kPoison, "ROUTE-082", "looking for a generation",
                    "generation " + std::to_string(number) + " of route '" + route + "' is not kept");
    }
    return *kept;
}

std::string GenerationStore::bytes_of(const KeptGeneration::File& file) const {
    std::string bytes = read_file(object(file.sha256), kKeptFileMost);
    if (crypto::sha256_hex(bytes) != file.sha256) {
        throw Error(Fault::kConfig, "ROUTE-083", "reading a kept generation", Where{.file = object(file.sha256).string()},
                    "its bytes are damaged");
    }
    return bytes;
}

std::string GenerationStore::difference(const KeptGeneration& before, const KeptGeneration& after) const {
    std::set<std::string> names;
    const auto find = [](const KeptGeneration& in, const std::string& name) -> const KeptGeneration::File* {
        const auto at = std::find_if(in.files.begin(), in.files.end(), [&](const auto& file) { return file.name == name; });
        return at == in.files.end() ? nullptr : &*at;
    };
    for (const auto& file : before.files) names.insert(file.name);
    for (const auto& file : after.files) names.insert(file.name);
    std::string out;
    for (const std::string& name : names) {
        const auto* old = find(before, name);
        const auto* now = find(after, name);
        if (old != nullptr && now != nullptr && old->sha256 == now->sha256) continue;
        const std::string a = old != nullptr ? bytes_of(*old) : "", b = now != nullptr ? bytes_of(*now) : "";
        if (a.size() > kShownMost || b.size() > kShownMost) {
            out += "--- a/" + name + "\n+++ b/" + name + "\n(differs; too large to be shown)\n";
        } else {
            out += unified_diff(name, {a, old != nullptr}, {b, now != nullptr});
        }
    }
    return out;
}

std::string GenerationStore::diff(const std::string& route, std::uint64_t number) const {
    find(route, number);
    std::ifstream in(folder_ / route / std::to_string(number) / "diff", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string GenerationStore::diff(const std::string& route, std::uint64_t from, std::uint64_t to) const {
    return difference(find(route, from), find(route, to));
}

void GenerationStore::write_out(const KeptGeneration& generation, const std::filesystem::path& folder) const {
    for (const auto& file : generation.files) {
        const std::filesystem::path relative(file.name);
        const bool inside = relative.is_relative() &&
                            std::none_of(relative.begin(), relative.end(), [](const auto& part) { return part == ".."; });
        if (!inside)
            throw Error(Fault::kConfig, "ROUTE-083", "reading a kept generation", "a file of it lies outside of the project");
        std::error_code failed;
        std::filesystem::create_directories((folder / relative).parent_path(), failed);
        write_kept(folder / relative, bytes_of(file));
    }
}

}  // namespace clrbus
