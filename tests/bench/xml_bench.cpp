// The parts of the transcript pipeline, each alone on warm objects: one parse with validation, one transform, and what the
// canonical message costs behind it. Beside libxml2's plain parse and a copy of the tree.
#include <benchmark/benchmark.h>
#include <libxml/parser.h>

#include "bench_support.hpp"
#include "formats/json.hpp"
#include "xml/code_lists.hpp"
#include "xml/parser.hpp"
#include "xml/schemas.hpp"
#include "xml/transformer.hpp"

namespace clrbus::bench {
namespace {

const std::filesystem::path kSource = CLRBUS_SOURCE_DIR;

std::shared_ptr<const Schemas> pesc_schemas() {
    static const std::shared_ptr<const Schemas> schemas = [] {
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(kSource / "xsd/pesc")) {
            if (entry.path().filename().string().rfind("college-transcript-", 0) == 0) files.push_back(entry.path());
        }
        return Schemas::load(files);
    }();
    return schemas;
}

std::shared_ptr<const Schemas> canonical_schema() {
    static const std::shared_ptr<const Schemas> schemas = Schemas::load({kSource / "xsd/learner-record.xsd"});
    return schemas;
}

Document transcript_transform(const Document& document) {
    static const auto transformer = Transformer::compile(kSource / "transforms/pesc-college-transcript.xsl",
                                                         kSource / "transforms", CodeLists::load(kSource / "conf/codes"));
    static const std::map<std::string, std::string> parameters{{"route", "pesc"},
                                                               {"system", "PESC"},
                                                               {"component", "academic-record"},
                                                               {"steward", "Registrar's Office"},
                                                               {"zone", "America/Chicago"},
                                                               {"name", "x.xml"},
                                                               {"accepted-at", "2026-01-01T00:00:00Z"}};
    return transformer->transform(document, parameters);
}

// Each document in turn, as the bus gets them: none is warm in the cache because it was the last one, too.
class Turn {
public:
    const std::string& next() { return samples("pesc")[at_++ % samples("pesc").size()]; }

private:
    std::size_t at_ = 0;
};

void count(benchmark::State& state) {
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void validate(benchmark::State& state) {
    XmlParser parser(pesc_schemas());
    Turn turn;
    for (auto _ : state) benchmark::DoNotOptimize(parser.parse(turn.next()).raw());
    count(state);
}

void plain_parse(benchmark::State& state) {
    XmlParser parser;
    Turn turn;
    for (auto _ : state) benchmark::DoNotOptimize(parser.parse(turn.next()).raw());
    count(state);
}

void libxml2_parse(benchmark::State& state) {
    Turn turn;
    for (auto _ : state) {
        const std::string& text = turn.next();
        xmlDoc* document = xmlReadMemory(text.data(), static_cast<int>(text.size()), "x.xml", nullptr, XML_PARSE_NONET);
        benchmark::DoNotOptimize(document);
        xmlFreeDoc(document);
    }
    count(state);
}

const std::vector<Document>& trees() {
    static const std::vector<Document> out = [] {
        XmlParser parser(pesc_schemas());
        std::vector<Document> all;
        for (std::size_t i = 0; i < 20; ++i) all.push_back(parser.parse(samples("pesc")[i]));
        return all;
    }();
    return out;
}

void transform(benchmark::State& state) {
    std::size_t at = 0;
    for (auto _ : state) benchmark::DoNotOptimize(transcript_transform(trees()[at++ % trees().size()]).raw());
    count(state);
}

void copy_tree(benchmark::State& state) {
    std::size_t at = 0;
    for (auto _ : state) benchmark::DoNotOptimize(Document::copy(trees()[at++ % trees().size()].root()).raw());
    count(state);
}

// Parse, validate and transform, one after the other, on each document: the sum of the parts.
void parts(benchmark::State& state) {
    XmlParser parser(pesc_schemas());
    Turn turn;
    for (auto _ : state) benchmark::DoNotOptimize(transcript_transform(parser.parse(turn.next())).raw());
    count(state);
}

// The parts of a small event's route: JSON, the schema of the source, the stylesheet.
void event_parts(benchmark::State& state) {
    static const auto schema = Schemas::load({kSource / "xsd/canvas/live-event.xsd"});
    static const auto transformer = Transformer::compile(kSource / "transforms/canvas-grade-change.xsl", kSource / "transforms",
                                                         CodeLists::load(kSource / "conf/codes"));
    const auto& events = samples("canvas");
    std::size_t at = 0;
    for (auto _ : state) {
        const Document event = parse_json(events[at++ % events.size()]);
        schema->validate(event);
        benchmark::DoNotOptimize(
            transformer->transform(event, {{"institution", "FICE:003658"}, {"zone", "America/Chicago"}}).raw());
    }
    count(state);
}

void canonical(benchmark::State& state) {
    const Document made = transcript_transform(trees().front());
    for (auto _ : state) {
        canonical_schema()->validate(made);
        benchmark::DoNotOptimize(made.write().size());
    }
    count(state);
}

[[maybe_unused]] const bool kRegistered = [] {
    benchmark::RegisterBenchmark("xml/validate-67k", validate);
    benchmark::RegisterBenchmark("xml/validate-67k.libxml2-parse", libxml2_parse);
    benchmark::RegisterBenchmark("xml/validate-67k.parse", plain_parse);
    benchmark::RegisterBenchmark("xml/transform-67k", transform);
    benchmark::RegisterBenchmark("xml/transform-67k.copy", copy_tree);
    benchmark::RegisterBenchmark("xml/canonical-67k", canonical);
    benchmark::RegisterBenchmark("pipeline/parts-67k", parts);
    benchmark::RegisterBenchmark("routes/event-parts", event_parts);
    return true;
}();

}  // namespace
}  // namespace clrbus::bench
