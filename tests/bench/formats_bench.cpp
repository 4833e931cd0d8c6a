// Each format into trees and record by record, beside a copy of the same bytes and beside a scan that looks at each byte.
#include <benchmark/benchmark.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>

#include "bench_support.hpp"
#include "formats/csv.hpp"
#include "formats/fixed.hpp"
#include "formats/json.hpp"
#include "formats/json_splitter.hpp"
#include "formats/x12.hpp"
#include "xml/parser.hpp"

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

std::string file_text(const std::string& name) {
    std::ifstream in(std::string(CLRBUS_SOURCE_DIR) + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// One interchange of transcripts.
const std::string& x12_text() {
    static const std::string text = [] {
        const std::string file = file_text("bus/formats/testdata/x12/130.edi");
        const std::size_t first = file.find("ST*130"), last = file.find("GE*1");
        std::string out = file.substr(0, first);
        std::size_t sets = 0;
        for (; out.size() < kSize; ++sets) out += file.substr(first, last - first);
        return out + "GE*" + std::to_string(sets) + "*45~\nIEA*1*000000001~\n";
    }();
    return text;
}

const X12Options& x12_options() {
    static const X12Options options = [] {
        const std::string source = CLRBUS_SOURCE_DIR;
        X12Options out;
        out.tables = X12Tables::load({source + "/xsd/x12/004010.xml"}, source + "/xsd/x12/table.xsd");
        return out;
    }();
    return options;
}

const FixedOptions& fixed_options() {
    static const FixedOptions options = [] {
        const std::string source = CLRBUS_SOURCE_DIR;
        FixedOptions out;
        out.layout = FixedLayout::load(source + "/bus/formats/testdata/fixed/jobs.xml", source + "/xsd/fixed/layout.xsd");
        return out;
    }();
    return options;
}

const std::string& fixed_text() {
    static const std::string text = [] {
        const auto line = [](std::string columns) {
            columns.resize(60, ' ');
            return columns + "\r\n";
        };
        std::string out = line("H20240601");
        std::size_t jobs = 0;
        for (; out.size() < kSize; ++jobs) out += line("J000000017Roe            09-01-23000012550FT");
        std::string count = std::to_string(jobs), pay = std::to_string(jobs * 12550);
        return out + line("T" + std::string(6 - count.size(), '0') + count + std::string(6 - count.size(), ' ') + count +
                          std::string(12 - pay.size(), '0') + pay);
    }();
    return text;
}

// A batch of courses.
const std::string& xml_text() {
    static const std::string text = [] {
        std::string out = "<batch>\n";
        for (std::size_t i = 0; out.size() < kSize; ++i) {
            out += "<course n=\"" + std::to_string(i) +
                   "\"><subject>MATH</subject><number>240</number><title>Linear Algebra &amp; Its Applications</title>"
                   "<grade>A-</grade><credit attempted=\"3.0\">3.0</credit></course>\n";
        }
        return out + "</batch>\n";
    }();
    return text;
}

template <typename Make>
void split(benchmark::State& state, const std::string& text, const Make& make) {
    std::size_t records = 0;
    for (auto _ : state) {
        const RecordHandlers handlers{
            [&records](std::uint64_t, std::uint64_t, std::string_view, const Document& record) { records += record ? 1 : 0; },
            [](std::uint64_t, std::uint64_t, std::string_view, const Error& error) { throw Error(error); }};
        const auto splitter = make(handlers);
        splitter->write(text);
        splitter->finish();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
    state.counters["rows"] = benchmark::Counter(static_cast<double>(records), benchmark::Counter::kIsRate);
}

void xml_split(benchmark::State& state) {
    XmlParser parser;
    std::size_t records = 0;
    for (auto _ : state) {
        std::string_view left = xml_text();
        parser.split(
            [&left](char* to, std::size_t most) {
                const std::size_t n = left.copy(to, most);
                left.remove_prefix(n);
                return n;
            },
            "batch/*", [&records](std::uint64_t, const Document& record) { records += record ? 1 : 0; },
            [](std::uint64_t, const Error& error, const Document&) { throw Error(error); });
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * xml_text().size()));
    state.counters["rows"] = benchmark::Counter(static_cast<double>(records), benchmark::Counter::kIsRate);
}

// The floor of a split of XML: one parse of the whole.
void xml_plain(benchmark::State& state) {
    XmlParser parser;
    for (auto _ : state) {
        const Document document = parser.parse(xml_text());
        benchmark::DoNotOptimize(document.raw());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * xml_text().size()));
}

void x12_out(benchmark::State& state) {
    const Document document = parse_x12(x12_text(), X12Options{});
    for (auto _ : state) benchmark::DoNotOptimize(write_x12(document, X12Options{}).data());
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * x12_text().size()));
}

[[maybe_unused]] const bool kRegistered = [] {
    benchmark::RegisterBenchmark("formats/json-in", json_in);
    benchmark::RegisterBenchmark("formats/json-in.copy", [](benchmark::State& s) { copy(s, json_text()); });
    benchmark::RegisterBenchmark("formats/json-in.scan", [](benchmark::State& s) { scan(s, json_text()); });
    benchmark::RegisterBenchmark("formats/csv-in", csv_in);
    benchmark::RegisterBenchmark("formats/csv-in.copy", [](benchmark::State& s) { copy(s, csv_text()); });
    benchmark::RegisterBenchmark("formats/csv-in.scan", [](benchmark::State& s) { scan(s, csv_text()); });
    const auto beside = [](const std::string& name, const std::string& (*text)()) {
        benchmark::RegisterBenchmark(("formats/" + name + ".copy").c_str(), [text](benchmark::State& s) { copy(s, text()); });
        benchmark::RegisterBenchmark(("formats/" + name + ".scan").c_str(), [text](benchmark::State& s) { scan(s, text()); });
    };
    benchmark::RegisterBenchmark("formats/json-split", [](benchmark::State& s) {
        split(s, json_text(), [](const RecordHandlers& handlers) { return make_json_splitter(JsonSplitOptions{}, handlers); });
    });
    beside("json-split", json_text);
    benchmark::RegisterBenchmark("formats/x12-split", [](benchmark::State& s) {
        split(s, x12_text(), [](const RecordHandlers& handlers) { return make_x12_splitter(x12_options(), handlers); });
    });
    beside("x12-split", x12_text);
    benchmark::RegisterBenchmark("formats/x12-out", x12_out);
    beside("x12-out", x12_text);
    benchmark::RegisterBenchmark("formats/fixed-split", [](benchmark::State& s) {
        split(s, fixed_text(), [](const RecordHandlers& handlers) { return make_fixed_splitter(fixed_options(), handlers); });
    });
    beside("fixed-split", fixed_text);
    benchmark::RegisterBenchmark("formats/xml-split", xml_split);
    benchmark::RegisterBenchmark("formats/xml-split.plain", xml_plain);
    beside("xml-split", xml_text);
    return true;
}();

}  // namespace
}  // namespace clrbus::bench
