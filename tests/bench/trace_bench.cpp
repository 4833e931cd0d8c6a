// The index of messages at ten million: what it costs to be told and to write, how much it takes on disk, and how long it takes
// to find some of them by key, by id, and by route and state. Each step is one line of tools/bench.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench_support.hpp"
#include "core/ids.hpp"
#include "trace/index.hpp"
#include "trace/key_hasher.hpp"

namespace clrbus::bench {
namespace {

constexpr std::uint64_t kMessages = 10'000'000;
constexpr std::uint64_t kStudents = 500'000;
constexpr std::uint64_t kAUnit = 50;

// Spreads, so that neighbours are no neighbours among the hashes.
std::string message_id(std::uint64_t number) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out = "00000000-0000-7000-8000-000000000000";
    std::uint64_t x = number * 0x9e3779b97f4a7c15ULL;
    for (std::size_t i = 19; i < out.size(); ++i) {
        if (out[i] == '-') continue;
        out[i] = kDigits[x & 15];
        x >>= 4;
    }
    for (std::size_t i = 0; i < 8; ++i) out[i] = kDigits[number >> (28 - 4 * i) & 15];
    return out;
}

trace::Visit message(std::uint64_t number, Time now) {
    trace::Visit out;
    out.state = number % 1000 == 7 ? trace::VisitState::kDead : trace::VisitState::kDelivered;
    out.queue = number % 3 == 0 ? "in/canvas" : number % 3 == 1 ? "in/people" : "in/pesc";
    out.id = message_id(number);
    out.sequence = number + 1;
    out.generation = 4;
    out.ended = now;
    out.accepted = now - std::chrono::milliseconds(3);
    out.took = 120;
    out.bytes = 900;
    if (out.state == trace::VisitState::kDead) {
        out.code = "XSD-002";
    } else {
        out.outputs.push_back({"records", message_id(number + kMessages)});
    }
    // Hashes of keys are random as those of the hasher are.
    out.keys.push_back({"student", trace::id_hash(std::to_string(number * 7919 % kStudents)), {}});
    out.keys.push_back({"course", trace::id_hash("c" + std::to_string(number % 5000)), {}});
    return out;
}

std::filesystem::path index_directory() {
    const char* folder = std::getenv("CLRBUS_BENCH_DIR");
    return std::filesystem::path(folder != nullptr ? folder : "/tmp") / "trace-index";
}

trace::IndexOptions index_options() {
    trace::IndexOptions options;
    options.directory = index_directory().string();
    return options;
}

// As a bus does it: visits of a worker, arrivals, and the thread that writes and merges; all CPU of the process.
void write(benchmark::State& state) {
    for (auto _ : state) {
        std::filesystem::remove_all(index_directory());
        trace::Index index(index_options());
        index.follows(1);
        index.start();
        const Time begin = from_rfc3339("2026-01-01T00:00:00Z");
        for (std::uint64_t n = 0; n < kMessages;) {
            std::string visits;
            const Time now = begin + std::chrono::milliseconds(n);
            for (std::uint64_t i = 0; i < kAUnit; ++i, ++n) {
                const trace::Visit one = message(n, now);
                index.arrived({one.queue, one.sequence, one.accepted.time_since_epoch().count(), one.id, one.bytes, n + 1});
                trace::append_visit(visits, one);
            }
            index.visited(std::move(visits), {}, n);
            while (n % (kAUnit * 1000) == 0 && index.stats().pending_bytes > (8U << 20)) {
            }
        }
        index.merge();
        const auto stats = index.stats();
        // Some are told as waiting in one file, and their end in the next that is not merged with it.
        if (stats.visits < kMessages || stats.dropped != 0) throw std::runtime_error("messages are missing in the index");
        state.counters["bytes"] = static_cast<double>(stats.bytes) / static_cast<double>(kMessages);
        state.counters["files"] = static_cast<double>(stats.files);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * static_cast<std::int64_t>(kMessages)));
}

// The making of what is told alone: what write does beside the index.
void make(benchmark::State& state) {
    const Time now = from_rfc3339("2026-01-01T00:00:00Z");
    constexpr std::uint64_t kMade = 100'000;
    for (auto _ : state) {
        std::uint64_t bytes = 0;
        for (std::uint64_t n = 0; n < kMade; ++n) bytes += message(n, now).id.size();
        benchmark::DoNotOptimize(bytes);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * static_cast<std::int64_t>(kMade)));
}

template <typename Ask>
void ask(benchmark::State& state, const Ask& question) {
    trace::IndexOptions options = index_options();
    options.read_only = true;
    trace::Index index(options);
    if (index.stats().visits < kMessages) {
        state.SkipWithError("the index of ten million is not there: trace/write makes it");
        return;
    }
    std::vector<double> times;
    std::uint64_t number = 1;
    for (auto _ : state) {
        number = number * 6364136223846793005ULL + 1442695040888963407ULL;
        const auto begin = std::chrono::steady_clock::now();
        const std::size_t found = question(index, number >> 20);
        times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        if (found == 0) throw std::runtime_error("nothing was found");
    }
    std::sort(times.begin(), times.end());
    state.counters["p50"] = times[times.size() / 2];
    state.counters["p99"] = times[std::min(times.size() - 1, times.size() * 99 / 100)];
}

void by_key(benchmark::State& state) {
    ask(state, [](trace::Index& index, std::uint64_t random) {
        trace::MessageQuery query;
        query.key = trace::id_hash(std::to_string(random % kStudents));
        query.key_name = "student";
        return index.find(query).visits.size();
    });
}
void by_key_of_many(benchmark::State& state) {
    ask(state, [](trace::Index& index, std::uint64_t random) {
        trace::MessageQuery query;
        query.key = trace::id_hash("c" + std::to_string(random % 5000));
        query.queues = {"in/pesc"};
        query.since = from_rfc3339("2026-01-01T00:00:00Z") + std::chrono::milliseconds(random % (kMessages / 2));
        return index.find(query).visits.size();
    });
}
void by_state(benchmark::State& state) {
    ask(state, [](trace::Index& index, std::uint64_t random) {
        trace::MessageQuery query;
        query.state = trace::VisitState::kDead;
        query.queues = {random % 2 == 0 ? "in/people" : "in/canvas"};
        query.until =
            from_rfc3339("2026-01-01T00:00:00Z") + std::chrono::milliseconds(kMessages / 10 + random % (kMessages / 2));
        return index.find(query).visits.size();
    });
}
void by_id(benchmark::State& state) {
    ask(state, [](trace::Index& index, std::uint64_t random) { return index.of_id(message_id(random % kMessages)).size(); });
}

[[maybe_unused]] const bool kRegistered = [] {
    benchmark::RegisterBenchmark("trace/write", write)->MeasureProcessCPUTime()->UseRealTime()->Iterations(1);
    benchmark::RegisterBenchmark("trace/make", make)->MeasureProcessCPUTime()->UseRealTime();
    benchmark::RegisterBenchmark("trace/by-key", by_key)->Iterations(2000);
    benchmark::RegisterBenchmark("trace/by-key-of-many", by_key_of_many)->Iterations(500);
    benchmark::RegisterBenchmark("trace/by-state", by_state)->Iterations(500);
    benchmark::RegisterBenchmark("trace/by-id", by_id)->Iterations(2000);
    return true;
}();

}  // namespace
}  // namespace clrbus::bench
