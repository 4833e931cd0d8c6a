// Each fuzz target on its corpus, and on seeded mutations of it: the same ones each time. CLRBUS_FUZZ_ROUNDS: mutations of each
// file, CLRBUS_FUZZ_SEED: other ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"

namespace clrbus::fuzz {
namespace {

std::vector<std::string> corpus(std::string_view name) {
    const std::filesystem::path folder = std::filesystem::path(CLRBUS_SOURCE_DIR) / "tests/fuzz/corpus" / name;
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::vector<std::string> out;
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return out;
}

unsigned number_from(const char* name, unsigned fallback) {
    const char* const text = std::getenv(name);
    return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : fallback;
}

// One to four changes: a byte, a likely byte, a piece cut out, doubled or taken from another file.
std::string mutated(const std::vector<std::string>& all, std::size_t which, std::mt19937& random) {
    static constexpr char kBytes[] = "\0\r\n\t \"'\\<>&{}[]:,;*~|^/=.-0123456789AZaz\x80\xBF\xC3\xFF";
    constexpr std::string_view kLikely(kBytes, sizeof kBytes - 1);
    std::string out = all[which];
    for (unsigned n = random() % 4 + 1; n != 0; --n) {
        const std::size_t at = out.empty() ? 0 : random() % out.size();
        const std::size_t size = std::min<std::size_t>(random() % 20 + 1, out.size() - at);
        const std::string& other = all[random() % all.size()];
        switch (random() % 6) {
            case 0:
                if (!out.empty()) out[at] = static_cast<char>(random());
                break;
            case 1:
                out.insert(at, 1, kLikely[random() % kLikely.size()]);
                break;
            case 2:
                out.erase(at, size);
                break;
            case 3:
                out.insert(at, out.substr(at, size));
                break;
            case 4:
                if (!out.empty()) out[at] = kLikely[random() % kLikely.size()];
                break;
            default:
                if (!other.empty()) out.insert(at, other.substr(random() % other.size(), random() % 60));
        }
    }
    return out;
}

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, RunsAndSurvivesMutations) {
    const Target& target = GetParam();
    const std::vector<std::string> all = corpus(target.name);
    ASSERT_FALSE(all.empty()) << target.name << " has no corpus";
    const auto run = [&](const std::string& bytes) {
        try {
            target.run(bytes);
        } catch (const std::exception& e) {
            const std::string file = testing::TempDir() + "fuzz-" + std::string(target.name);
            std::ofstream(file, std::ios::binary) << bytes;
            FAIL() << e.what() << "; the bytes are in " << file;
        }
    };
    for (const std::string& bytes : all) {
        run(bytes);
        if (HasFatalFailure()) return;
    }
    std::mt19937 random(number_from("CLRBUS_FUZZ_SEED", 1));
    const unsigned rounds = number_from("CLRBUS_FUZZ_ROUNDS", 300);
    for (std::size_t which = 0; which < all.size(); ++which) {
        for (unsigned i = 0; i < rounds; ++i) {
            run(mutated(all, which, random));
            if (HasFatalFailure()) return;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const testing::TestParamInfo<Target>& tested) {
                             std::string name(tested.param.name);
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

}  // namespace
}  // namespace clrbus::fuzz
