// JSON and CSV into trees, beside a copy of the same bytes and beside a scan that looks at each byte.
#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>

#include "bench_support.hpp"
#include "formats/csv.hpp"
#include "formats/json.hpp"

namespace clrbus::bench {
namespace {

constexpr std::size_t kSize = 1U << 20;

// An array of events, as a file of them has it.
const std::string& json_text() {
    static const std::string text = [] {
        std::string out = "[";
        for (std::size_t i = 0; out.size() < kSize; ++i) {
            if (i != 0) out += ",";
            out += samples("canvas")[i % samples("canvas").size()];
        }
        return out + "]";
    }();
    return text;
}

// The roster's rows again and again.
const std::string& csv_text() {
    static const std::string text = [] {
        const std::string& file = samples("people").front();
        const std::size_t head = file.find('\n') + 1;
        std::string out = file.substr(0, head);
        while (out.size() < kSize) out += file.substr(head);
        return out;
    }();
    return text;
}

void copy(benchmark::State& state, const std::string& text) {
    std::string to(text.size(), '\0');
    for (auto _ : state) {
        std::memcpy(to.data(), text.data(), text.size());
        benchmark::DoNotOptimize(to.data());
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void scan(benchmark::State& state, const std::string& text) {
    for (auto _ : state) {
        std::size_t found = 0;
        for (const char c : text) {
            if (c == '"' || c == ',' || c == '\n') ++found;
            benchmark::DoNotOptimize(found);
        }
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void json_in(benchmark::State& state) {
    for (auto _ : state) {
        const Document document = parse_json(json_text());
        benchmark::DoNotOptimize(document.raw());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * json_text().size()));
}

void csv_in(benchmark::State& state) {
    std::size_t rows = 0;
    for (auto _ : state) {
        const RecordHandlers handlers{
            [&rows](std::uint64_t, std::uint64_t, std::string_view, const Document& row) { rows += row ? 1 : 0; },
            [](std::uint64_t, std::uint64_t, std::string_view, const Error& error) { throw Error(error); }};
        const auto splitter = make_csv_splitter(CsvOptions{}, handlers);
        splitter->write(csv_text());
        splitter->finish();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * csv_text().size()));
    state.counters["rows"] = benchmark::Counter(static_cast<double>(rows), benchmark::Counter::kIsRate);
}

[[maybe_unused]] const bool kRegistered = [] {
    benchmark::RegisterBenchmark("formats/json-in", json_in);
    benchmark::RegisterBenchmark("formats/json-in.copy", [](benchmark::State& s) { copy(s, json_text()); });
    benchmark::RegisterBenchmark("formats/json-in.scan", [](benchmark::State& s) { scan(s, json_text()); });
    benchmark::RegisterBenchmark("formats/csv-in", csv_in);
    benchmark::RegisterBenchmark("formats/csv-in.copy", [](benchmark::State& s) { copy(s, csv_text()); });
    benchmark::RegisterBenchmark("formats/csv-in.scan", [](benchmark::State& s) { scan(s, csv_text()); });
    return true;
}();

}  // namespace
}  // namespace clrbus::bench
