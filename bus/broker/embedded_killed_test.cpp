// kill -9 of another process that works on the queues, and the same with unsynced writes discarded at the kill.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "broker/embedded_queues.hpp"
#include "support/test_directory.hpp"

namespace clrbus {
namespace {

const std::string kKilledPrograms = CLRBUS_BINARY_DIR "/bin/";

struct KilledAnswers {
    std::set<std::string> accepted, committed;
};

// One life of the victim: killed after so many answers.
void killed_live(const TestDirectory& directory, int round, bool discard, KilledAnswers& answers) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const auto state = directory.path() + "/queues", log = directory.path() + "/undo";
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::close(ends[0]);
        if (discard) {
            ::setenv("LD_PRELOAD", (kKilledPrograms + "libdiscard_unsynced.so").c_str(), 1);
            ::setenv("CLRBUS_DISCARD_DIR", state.c_str(), 1);
            ::setenv("CLRBUS_DISCARD_LOG", log.c_str(), 1);
        }
        const auto program = kKilledPrograms + "queues_victim", number = std::to_string(round),
                   report = std::to_string(ends[1]);
        ::execl(program.c_str(), program.c_str(), state.c_str(), number.c_str(), report.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(ends[1]);
    const auto lines_before_kill = 50 + static_cast<std::ptrdiff_t>(round) * 397;
    std::ptrdiff_t lines = 0;
    std::string text;
    char piece[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], piece, sizeof piece)) > 0;) {
        lines += std::count(piece, piece + got, '\n');
        text.append(piece, static_cast<std::size_t>(got));
        if (lines >= lines_before_kill) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the victim ended by itself";
    std::size_t from = 0;
    for (auto end = text.find('\n'); end != std::string::npos; from = end + 1, end = text.find('\n', from)) {
        (text[from] == 'a' ? answers.accepted : answers.committed).insert(text.substr(from + 1, end - from - 1));
    }
    if (!discard) return;
    auto command = kKilledPrograms + "undo_unsynced " + state + " " + log;
    if (round % 2 == 1) command += " " + std::to_string(round);
    ASSERT_EQ(::system((command + " 2>/dev/null").c_str()), 0);
}

void killed_check(const TestDirectory& directory, const KilledAnswers& answers) {
    ASSERT_GT(answers.accepted.size(), 300U);
    EmbeddedOptions options;
    options.directory = directory.path() + "/queues";
    options.segment_bytes = 1U << 20;
    const EmbeddedQueues queues(options);
    std::set<std::string> inbox, records;
    for (const auto& message : queues.browse("in/r", 0, 1'000'000)) inbox.insert(message.message.message_id());
    std::size_t outputs = 0;
    for (const auto& message : queues.browse("records", 0, 1'000'000)) {
        records.insert(message.message.message_id());
        ++outputs;
    }
    EXPECT_EQ(outputs, records.size()) << "an input was used twice";
    for (const auto& id : answers.accepted) EXPECT_TRUE(inbox.contains(id) != records.contains(id)) << id;
    for (const auto& id : answers.committed) EXPECT_TRUE(records.contains(id)) << id;
    EXPECT_EQ(queues.notes("done/").size(), records.size());
    const auto all = inbox.size() + records.size();
    for (const auto& entry : queues.ledger()) {
        EXPECT_EQ(entry.count, static_cast<std::int64_t>(entry.outcome == Outcome::kAccepted ? all : records.size()));
    }
}

TEST(EmbeddedQueuesKilled, LosesNothingAndDoesNothingTwice) {
    const TestDirectory directory;
    KilledAnswers answers;
    for (int round = 0; round < 8 && !testing::Test::HasFailure(); ++round) killed_live(directory, round, false, answers);
    killed_check(directory, answers);
}

TEST(EmbeddedQueuesKilled, LosesNothingThatWasSynced) {
    const TestDirectory directory;
    // The preloaded library watches a directory that is there.
    std::filesystem::create_directory(directory.path() + "/queues");
    KilledAnswers answers;
    for (int round = 0; round < 8 && !testing::Test::HasFailure(); ++round) killed_live(directory, round, true, answers);
    killed_check(directory, answers);
}

}  // namespace
}  // namespace clrbus
