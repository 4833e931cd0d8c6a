#include "routing/splitter.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "formats/json_splitter.hpp"
#include "formats/records.hpp"
#include "routing/parser_pool.hpp"
#include "xml/parser.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kReadSize = 64U << 10;

struct StopReading {};  // the caller has enough

}  // namespace

JsonSplitOptions json_split_options(const FormatPlan& source) {
    JsonSplitOptions options;
    options.lines = source.format == FormatPlan::Format::kJsonLines;
    options.path = options.lines ? "" : source.path;
    std::replace(options.path.begin(), options.path.end(), '.', '/');
    return options;
}

namespace {

std::unique_ptr<RecordSplitter> record_splitter(const FormatPlan& source, RecordHandlers handlers) {
    using Format = FormatPlan::Format;
    if (source.format == Format::kCsv) return make_csv_splitter(source.csv, std::move(handlers));
    if (source.format == Format::kX12) return make_x12_splitter(source.x12, std::move(handlers));
    if (source.format == Format::kFixed) return make_fixed_splitter(source.fixed, std::move(handlers));
    return make_json_splitter(json_split_options(source), std::move(handlers));
}

class StreamSplitter : public Splitter {
public:
    explicit StreamSplitter(const SplitPlan& plan) : plan_(plan) {}

    void run(const Read& read, const SplitPosition& from, const std::function<bool(SplitRecord)>& record) override {
        std::unique_ptr<RecordSplitter> splitter;
        const auto deliver = [&](std::uint64_t number, std::string_view raw, Document document, const Error* broken) {
            const StreamPosition next = splitter->next();
            SplitRecord out;
            out.number = number;
            out.after = {number, next.offset, next.line, next.state};
            if (!raw.empty()) out.raw = splitter->head();
            out.raw += raw;
            out.document = std::move(document);
            out.broken = broken;
            if (!record(std::move(out))) throw StopReading{};
        };
        splitter = record_splitter(
            plan_.source, RecordHandlers{[&](std::uint64_t number, std::uint64_t, std::string_view raw, Document document) {
                                             deliver(number, raw, std::move(document), nullptr);
                                         },
                                         [&](std::uint64_t number, std::uint64_t, std::string_view raw, const Error& error) {
                                             deliver(number, raw, Document(), &error);
                                         }});
        std::vector<char> buffer(kReadSize);
        std::uint64_t at = 0;  // bytes read so far
        bool resumed = from.number == 0;
        try {
            for (;;) {
                const std::size_t n = read(buffer.data(), buffer.size());
                if (n == 0) break;
                std::string_view chunk(buffer.data(), n);
                if (!resumed) {
                    // The head (a CSV header) is read again; what lies between it and the position is passed over.
                    for (; splitter->needs_head() && !chunk.empty() && at < from.offset; chunk.remove_prefix(1), ++at)
                        splitter->write(chunk.substr(0, 1));
                    if (!splitter->needs_head() || at >= from.offset) {
                        const std::size_t skip = static_cast<std::size_t>(
                            std::min<std::uint64_t>(chunk.size(), from.offset - std::min(at, from.offset)));
                        chunk.remove_prefix(skip);
                        at += skip;
                        if (at >= from.offset) {
                            splitter->resume({from.number + 1, from.offset, from.line, from.state});
                            resumed = true;
                        }
                    }
                }
                if (resumed && !chunk.empty()) splitter->write(chunk);
                at += chunk.size();
            }
            splitter->finish();
        } catch (const StopReading&) {  // asked for
        }
    }

private:
    const SplitPlan& plan_;
};

class XmlSplitter : public Splitter {
public:
    explicit XmlSplitter(const SplitPlan& plan) : plan_(plan) {}

    // XML cannot be entered in the middle: the records that are done are read again and passed over.
    void run(const Read& read, const SplitPosition& from, const std::function<bool(SplitRecord)>& record) override {
        XmlParser parser(plan_.schemas);
        // One that is not valid keeps its bytes, too, for the dead letter.
        const auto deliver = [&](std::uint64_t number, std::string raw, Document document, const Error* broken) {
            if (number <= from.number) return;
            SplitRecord out;
            out.number = number;
            out.after.number = number;
            out.raw = std::move(raw);
            out.document = std::move(document);
            out.broken = broken;
            out.validated = plan_.schemas != nullptr;
            if (!record(std::move(out))) throw StopReading{};
        };
        try {
            parser.split(
                read, plan_.source.path,
                [&](std::uint64_t number, Document document) {
                    std::string raw = number > from.number ? document.write() : std::string();
                    deliver(number, std::move(raw), std::move(document), nullptr);
                },
                [&](std::uint64_t number, const Error& error, const Document& invalid) {
                    deliver(number, invalid ? invalid.write() : std::string(), Document(), &error);
                });
        } catch (const StopReading&) {  // asked for
        }
    }

private:
    const SplitPlan& plan_;
};

}  // namespace

std::string SplitPosition::encode() const {
    std::string out = std::to_string(number) + " " + std::to_string(offset) + " " + std::to_string(line);
    if (!state.empty()) out += " " + state;
    return out;
}

SplitPosition SplitPosition::decode(std::string_view text) {
    SplitPosition out;
    const char* p = text.data();
    const char* const end = p + text.size();
    for (std::uint64_t* number : {&out.number, &out.offset, &out.line}) {
        const auto read = std::from_chars(p, end, *number);
        if (read.ec != std::errc{} || (read.ptr != end && *read.ptr != ' '))
            throw Error(Fault::kPoison, "ROUTE-104", "reading a split position", "not three numbers");
        p = read.ptr == end ? end : read.ptr + 1;
    }
    out.state.assign(p, end);
    return out;
}

std::unique_ptr<Splitter> make_splitter(const SplitPlan& plan) {
    if (plan.source.format == FormatPlan::Format::kXml) return std::make_unique<XmlSplitter>(plan);
    return std::make_unique<StreamSplitter>(plan);
}

Document parse_record(const SplitPlan& plan, std::string_view raw) {
    if (plan.source.format == FormatPlan::Format::kXml) return plan.parsers->parse(raw);
    if (plan.source.format == FormatPlan::Format::kFixed) return parse_fixed_record(raw, plan.source.fixed);
    if (plan.source.format != FormatPlan::Format::kCsv) return plan.source.parse(raw);
    SplitPlan alone = plan;
    alone.source.csv.header_line = 1;
    alone.source.csv.footer = 0;
    Document out;
    std::size_t rows = 0;
    StreamSplitter splitter(alone);
    splitter.run(
        [&raw](char* to, std::size_t size) {
            const std::size_t n = std::min(size, raw.size());
            std::copy_n(raw.data(), n, to);
            raw.remove_prefix(n);
            return n;
        },
        {},
        [&](SplitRecord record) {
            if (record.broken != nullptr) throw Error(*record.broken);
            out = std::move(record.document);
            return ++rows < 2;
        });
    if (rows != 1)
        throw Error(Fault::kPoison, "ROUTE-109", "reading a row", std::to_string(rows) + " rows")
            .expected("a header line and one row");
    return out;
}

bool wants_split(const SplitPlan& plan, std::string_view head) {
    if (plan.source.format != FormatPlan::Format::kXml || plan.when.empty()) return true;
    std::string text;  // the first bytes, UTF-16 narrowed: a root's name is enough
    for (const char c : head.substr(0, 8192)) {
        if (c != '\0') text += c;
    }
    std::size_t at = 0;
    while ((at = text.find('<', at)) != std::string::npos) {
        if (text.compare(at, 4, "<!--") == 0) {
            at = text.find("-->", at);
            if (at == std::string::npos) return false;
            continue;
        }
        const char next = at + 1 < text.size() ? text[at + 1] : '\0';
        if (next != '?' && next != '!') {
            const std::size_t end = text.find_first_of(" \t\r\n/>", at);
            std::string name = text.substr(at + 1, end == std::string::npos ? std::string::npos : end - at - 1);
            if (const auto colon = name.find(':'); colon != std::string::npos) name.erase(0, colon + 1);
            return name == plan.when;
        }
        ++at;
    }
    return false;
}

}  // namespace clrbus
