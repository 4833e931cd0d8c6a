// Random sets of messages in random orders: the end must be the same. CLRBUS_RANDOM_SETS=N tries more of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "records/test_support.hpp"
#include "support/sanitized.hpp"

namespace clrbus::records {
namespace {

using testing::Campus;
using testing::end_state;
using testing::Said;
using testing::TempDir;

class Dice {
public:
    explicit Dice(unsigned seed) : engine_(seed) {}
    int upto(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }
    bool one_in(int n) { return upto(n) == 0; }
    std::mt19937& engine() { return engine_; }

private:
    std::mt19937 engine_;
};

void add_identifiers(Dice& dice, Said& word) {
    if (!dice.one_in(3)) word.id("institution-id", "90000001" + std::to_string(dice.upto(3)));
    if (dice.one_in(2)) word.id("hr-id", "551" + std::to_string(dice.upto(2)));
    if (dice.one_in(4)) word.id("email", "mail" + std::to_string(dice.upto(2)));
}

std::vector<std::string> some_parts(Dice& dice) {
    std::vector<std::string> parts;
    for (const char* part : {"a", "b", "c"}) {
        if (dice.one_in(2)) parts.emplace_back(part);
    }
    if (parts.empty()) parts.emplace_back("a");
    return parts;
}

Said random_word(Dice& dice, int number) {
    const std::string key = "k" + std::to_string(dice.upto(2));
    Said word = Said::person("p" + std::to_string(dice.upto(3)));
    switch (dice.upto(7)) {
        case 0:
        case 1:
            add_identifiers(dice, word);
            if (dice.one_in(6)) word.deleted();
            if (dice.one_in(6)) word.blocked();
            if (dice.one_in(8)) word.header.identity_authority = false;
            break;
        case 2:
            word = Said::part("sis", key).says(some_parts(dice), std::to_string(dice.upto(3)));
            add_identifiers(dice, word);
            break;
        case 3:
            word = Said::retraction("sis", key);
            if (dice.one_in(2)) word.says(some_parts(dice));
            break;
        case 4:
            word = Said::statement("pesc", key).says(some_parts(dice), std::to_string(dice.upto(2)));
            word.document("D" + std::to_string(dice.upto(2)), "o" + std::to_string(dice.upto(3)));
            add_identifiers(dice, word);
            break;
        default:
            word = Said::statement("sis", key).says(some_parts(dice), std::to_string(dice.upto(3)));
            add_identifiers(dice, word);
            if (dice.one_in(4)) word.authority();
            break;
    }
    word.number(static_cast<std::uint64_t>(number)).accepted(number);
    if (dice.one_in(3)) word.version(std::to_string(dice.upto(4)));
    return word;
}

std::string described(const std::vector<Said>& words) {
    std::string text;
    for (const Said& word : words) {
        const TakenMessage message = word.taken();
        text += word.xml() + " number " + std::string(message.headers.get(header::kSourceNumber)) + " original " +
                std::string(message.headers.get(header::kOriginal)) + " document " + word.header.document_key +
                (word.header.covers_all ? "" : " part") + (word.header.identity_authority ? " authority" : "") + "\n";
    }
    return text;
}

TEST(RandomOrder, OfARandomSetEndsTheSame) {
    const char* asked = std::getenv("CLRBUS_RANDOM_SETS");
    const int sets = asked != nullptr ? std::atoi(asked) : kSanitized ? 25 : 250;
    TempDir keys;
    crypto::KeyFile::load_or_create(keys.path() / "keys");
    for (int set = 0; set < sets; ++set) {
        Dice dice(static_cast<unsigned>(set + 1));
        std::vector<Said> words;
        const int size = 4 + dice.upto(7);
        words.reserve(static_cast<std::size_t>(size));
        for (int i = 0; i < size; ++i) words.push_back(random_word(dice, i + 1));
        std::string expected;
        for (int order = 0; order < 6; ++order) {
            std::vector<TakenMessage> messages;
            for (const Said& word : words) {
                messages.push_back(word.taken());
                if (order > 2) messages.push_back(word.taken());
            }
            if (order > 0) std::shuffle(messages.begin(), messages.end(), dice.engine());
            TempDir dir;
            std::filesystem::copy_file(keys.path() / "keys", dir.path() / "keys");
            Campus campus(dir.path());
            for (const auto& result : campus.store->apply(messages).results) ASSERT_NE(result.outcome, Outcome::kDead);
            const std::string state = end_state(campus);
            if (order == 0) expected = state;
            ASSERT_EQ(state, expected) << "set " << set << ", order " << order << ":\n" << described(words);
        }
    }
}

}  // namespace
}  // namespace clrbus::records
