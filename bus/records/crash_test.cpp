// kill -9 while messages are put and applied: each ends once, the ledger balances, the records are those of a quiet day.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <thread>

#include "broker/embedded_queues.hpp"
#include "records/applier.hpp"
#include "records/test_support.hpp"

namespace clrbus::records {
namespace {

using testing::Campus;
using testing::end_state;
using testing::Said;
using testing::TempDir;

constexpr int kMessages = 1500;
constexpr int kBatch = 25;

TakenMessage numbered(int i) {
    const std::string person = std::to_string(100000 + i / 6);
    Said word = Said::person("p" + person).id("institution-id", person).id("hr-id", "H" + person);
    switch (i % 6) {
        case 1:
            word = Said::statement("hr", "job" + person).id("hr-id", "H" + person).says({"job", "rating"});
            break;
        case 2:
            word = Said::part("hr", "job" + person).id("hr-id", "H" + person).says({"rating"}, "good");
            break;
        case 3:
            word =
                Said::statement("pesc", "t" + person).id("institution-id", person).document("D" + person, "aa").says({"math"});
            break;
        case 4:
            word = Said::statement("oai-pmh", "w" + person).name("A", "B").says({"thesis"});
            break;
        case 5:
            word = Said::retraction("hr", "job" + person).says({"job"});
            break;
        default:
            break;
    }
    word.number(static_cast<std::uint64_t>(i) + 1);
    TakenMessage message = word.taken(static_cast<std::uint64_t>(i) + 1);
    if (i % 97 == 96) message.headers.remove(header::kApply);
    return message;
}

EmbeddedOptions queue_options(const std::filesystem::path& dir) {
    EmbeddedOptions options;
    options.directory = (dir / "queues").string();
    options.disk_reserve = 0;
    options.segment_bytes = 4U << 20;
    return options;
}

std::uint64_t left(const Queues& queues) {
    for (const QueueState& state : queues.states()) {
        if (state.name == kRecordsQueue) return state.ready + state.in_hand + state.delayed;
    }
    return 0;
}

// Puts what is not put yet and applies all. Tells the parent after each batch.
void run_bus(const std::filesystem::path& dir, int tell) {
    Campus campus(dir);
    ThreadPool pool(2, "child");
    EmbeddedQueues queues(queue_options(dir));
    Applier applier(*campus.store, queues, pool);
    applier.start();
    int next = 0;
    if (const auto note = queues.note("test/next")) std::from_chars(note->data(), note->data() + note->size(), next);
    while (next < kMessages) {
        Unit unit;
        for (int i = next; i < next + kBatch; ++i) {
            TakenMessage message = numbered(i);
            unit.outputs.push_back({kRecordsQueue, message.message, message.headers, {}});
        }
        next += kBatch;
        unit.notes.push_back({"test/next", std::to_string(next)});
        unit.ledger.push_back({kRecordsAccount, Outcome::kTaken, kBatch});
        std::atomic<int> state{-1};
        queues.commit(std::move(unit), pool, [&state](CommitState s) { state = static_cast<int>(s); });
        while (state < 0) std::this_thread::yield();
        if (state != static_cast<int>(CommitState::kDone) || write(tell, "b", 1) != 1) _exit(3);
    }
    while (left(queues) != 0) std::this_thread::yield();
    applier.stop();
}

pid_t start_bus(const std::filesystem::path& dir, int& heard) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        try {
            run_bus(dir, ends[1]);
        } catch (const std::exception& e) {
            fprintf(stderr, "child: %s\n", e.what());
            _exit(2);
        }
        _exit(0);
    }
    close(ends[1]);
    heard = ends[0];
    return child;
}

TEST(KillNine, EndsEachMessageOnceAndBalancesTheLedger) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer cannot follow the threads of a forked child; tests/e2e/kill_test.py kills the program";
#endif
    TempDir dir;
    crypto::KeyFile::load_or_create(dir.path() / "keys");
    for (const int batches : {1, 7, 3, 11, 2, 9, 5, 4}) {
        int heard = -1;
        const pid_t child = start_bus(dir.path(), heard);
        ASSERT_GT(child, 0);
        char byte = 0;
        for (int i = 0; i < batches; ++i) ASSERT_EQ(read(heard, &byte, 1), 1) << "the child ended by itself";
        kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status));
        close(heard);
    }
    int heard = -1;
    const pid_t last = start_bus(dir.path(), heard);
    char byte = 0;
    while (read(heard, &byte, 1) == 1) {
    }
    close(heard);
    int status = 0;
    ASSERT_EQ(waitpid(last, &status, 0), last);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 0);

    TempDir quiet;
    std::filesystem::copy_file(dir.path() / "keys", quiet.path() / "keys");
    Campus expected(quiet.path());
    std::map<Outcome, std::int64_t> ends;
    for (int i = 0; i < kMessages; ++i) ++ends[expected.apply(numbered(i))];

    EmbeddedQueues queues(queue_options(dir.path()));
    std::map<Outcome, std::int64_t> sums;
    for (const LedgerEntry& entry : queues.ledger()) {
        if (entry.account == kRecordsAccount) sums[entry.outcome] += entry.count;
    }
    EXPECT_EQ(left(queues), 0U);
    EXPECT_EQ(sums[Outcome::kTaken], kMessages);
    for (const Outcome outcome :
         {Outcome::kApplied, Outcome::kUnchanged, Outcome::kSuperseded, Outcome::kHeld, Outcome::kDead}) {
        EXPECT_EQ(sums[outcome], ends[outcome]) << to_string(outcome);
    }
    EXPECT_EQ(queues.browse(kRecordsDeadQueue, 0, 1000).size(), static_cast<std::size_t>(ends[Outcome::kDead]));
    Campus campus(dir.path());
    EXPECT_EQ(end_state(campus), end_state(expected));
}

}  // namespace
}  // namespace clrbus::records
