// Parsers that make documents: the same answer in every chunking, and what was written is read again as the same.
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "formats/csv.hpp"
#include "formats/csv_writer.hpp"
#include "formats/fixed.hpp"
#include "formats/json.hpp"
#include "formats/json_splitter.hpp"
#include "formats/x12.hpp"
#include "formats/xml_reducer.hpp"
#include "fuzz/targets.hpp"
#include "xml/parser.hpp"

namespace clrbus::fuzz {
namespace {

const std::string kFuzzSource = CLRBUS_SOURCE_DIR;
using MakeSplitter = std::function<std::unique_ptr<RecordSplitter>(RecordHandlers)>;

void require(bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
}

// All that a splitter says of these bytes, as text.
std::string split_all(const MakeSplitter& make, std::string_view bytes, std::size_t chunk) {
    std::string out;
    const auto splitter = make({[&](std::uint64_t number, std::uint64_t offset, std::string_view raw, const Document& record) {
                                    out += std::to_string(number) + '@' + std::to_string(offset) + ' ' + record.write() + ' ';
                                    out += raw;
                                    out += '\n';
                                },
                                [&](std::uint64_t number, std::uint64_t offset, std::string_view raw, const Error& error) {
                                    out += std::to_string(number) + '@' + std::to_string(offset) + ' ' + error.code() + ' ';
                                    out += raw;
                                    out += '\n';
                                }});
    try {
        for (std::size_t i = 0; i < bytes.size(); i += chunk) splitter->write(std::string(bytes.substr(i, chunk)));
        splitter->finish();
    } catch (const Error& e) {
        out += e.code();
    }
    return out;
}

void same_in_chunks(const MakeSplitter& make, std::string_view bytes) {
    const std::string whole = split_all(make, bytes, 1U << 20);
    require(whole == split_all(make, bytes, 1), "one byte at a time gives another answer");
    require(whole == split_all(make, bytes, 7), "seven bytes at a time give another answer");
}

// Read, written, read: the same document. write may refuse what only a sender could mean.
template <typename Read, typename Write>
void round_trip(const Read& read, const Write& write, std::string_view bytes) {
    Document first;
    std::string written;
    try {
        first = read(bytes);
    } catch (const Error&) {
        return;
    }
    try {
        written = write(first);
    } catch (const Error&) {
        return;
    }
    const Document second = read(written);  // what we wrote, we read
    require(write(second) == written, "what was written and read is written otherwise");
}

}  // namespace

void x12(std::string_view bytes) {
    static const auto tables = X12Tables::load({kFuzzSource + "/xsd/x12/004010.xml"}, kFuzzSource + "/xsd/x12/table.xsd");
    for (const bool with_tables : {false, true}) {
        X12Options options;
        if (with_tables) options.tables = tables;
        same_in_chunks([&](RecordHandlers handlers) { return make_x12_splitter(options, std::move(handlers)); }, bytes);
        round_trip([&](std::string_view b) { return parse_x12(b, options); },
                   [&](const Document& document) { return write_x12(document, options); }, bytes);
    }
}

void fixed(std::string_view bytes) {
    static const auto layout =
        FixedLayout::load(kFuzzSource + "/bus/formats/testdata/fixed/jobs.xml", kFuzzSource + "/xsd/fixed/layout.xsd");
    FixedOptions options;
    options.layout = layout;
    same_in_chunks([&](RecordHandlers handlers) { return make_fixed_splitter(options, std::move(handlers)); }, bytes);
    round_trip([&](std::string_view b) { return parse_fixed(b, options); },
               [&](const Document& document) { return write_fixed(document, options); }, bytes);
}

void csv(std::string_view bytes) {
    CsvOptions lenient;
    lenient.delimiter = '\0';
    lenient.lenient_header = lenient.pad_ragged = true;
    lenient.footer = 1;
    lenient.encoding = "windows-1252";
    for (const CsvOptions& options : {CsvOptions{}, lenient}) {
        same_in_chunks([&](RecordHandlers handlers) { return make_csv_splitter(options, std::move(handlers)); }, bytes);
    }
    round_trip([&](std::string_view b) { return parse_csv(b, CsvOptions{}); },
               [&](const Document& document) { return write_csv(document, CsvOptions{}); }, bytes);
}

void json(std::string_view bytes) {
    JsonSplitOptions lines, array;
    lines.lines = true;
    array.path = "a";
    for (const JsonSplitOptions& options : {lines, JsonSplitOptions{}, array}) {
        same_in_chunks([&](RecordHandlers handlers) { return make_json_splitter(options, std::move(handlers)); }, bytes);
    }
    round_trip([&](std::string_view b) { return parse_json(b); },
               [&](const Document& document) { return write_json(document); }, bytes);
}

void xml(std::string_view bytes) {
    static XmlParser parser;
    round_trip([&](std::string_view b) { return parser.parse(b); }, [&](const Document& document) { return document.write(); },
               bytes);
    try {
        std::string_view left = bytes;
        parser.split(
            [&left](char* to, std::size_t most) {
                const std::size_t n = std::min({most, left.size(), std::size_t{17}});
                left.copy(to, n);
                left.remove_prefix(n);
                return n;
            },
            "*/*", [](std::uint64_t, Document) {}, [](std::uint64_t, const Error&, const Document&) {});
    } catch (const Error&) {  // a broken stream
    }
}

void xml_reducer(std::string_view bytes) {
    const auto reduced = [&](std::size_t chunk) {
        std::string out;
        XmlReducer reducer({"SSN"}, [&](std::string_view part) { out += part; });
        try {
            for (std::size_t i = 0; i < bytes.size(); i += chunk) reducer.write(std::string(bytes.substr(i, chunk)));
            reducer.finish();
        } catch (const Error& e) {
            return e.code();
        }
        return out;
    };
    const std::string whole = reduced(1U << 20);
    require(whole == reduced(1), "one byte at a time gives another answer");
    // Well-formed XML has no such element any more.
    static XmlParser parser;
    try {
        (void)parser.parse(bytes);
    } catch (const Error&) {
        return;
    }
    try {
        const Document document = parser.parse(whole);
        const std::function<void(Node)> look = [&](Node node) {
            require(node.name() != "SSN", "an element that was to be dropped is there");
            for (Node child = node.first_child(); child; child = child.next()) look(child);
        };
        if (document && document.root().name() != "SSN") look(document.root());
    } catch (const Error&) {  // its root was dropped
    }
}

}  // namespace clrbus::fuzz
