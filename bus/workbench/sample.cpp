#include "workbench/sample.hpp"

#include <algorithm>
#include <cctype>

#include "config/loader.hpp"
#include "core/error.hpp"
#include "formats/csv.hpp"
#include "formats/json.hpp"
#include "workbench/shapes.hpp"
#include "xml/parser.hpp"

namespace clrbus::workbench {
namespace {

struct EnoughRecords {};  // thrown through a splitter

[[noreturn]] void no_sample(const std::filesystem::path& file, const std::string& why, const std::string& expected) {
    throw Error(Fault::kConfig, "WORK-001", "reading the sample", Where{.file = file.string()}, why).expected(expected);
}

std::string guessed_format(const std::filesystem::path& file, std::string_view bytes) {
    const std::string extension = file.extension().string();
    if (extension == ".csv" || extension == ".tsv" || extension == ".txt") return "csv";
    const std::size_t first = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    if (first == std::string_view::npos) return {};
    if (bytes[first] == '<') return "xml";
    if (bytes[first] == '{' || bytes[first] == '[') return "json";
    return extension == ".json" ? "json" : extension == ".xml" ? "xml" : "csv";
}

bool of_mapping(const Node::Attribute& attribute) {
    return attribute.namespace_uri.empty() && (attribute.name == "type" || attribute.name == "array");
}

void see_element(Element& element, Node node, bool json, std::size_t& places) {
    if (++places > kSampleFields * 500) return;
    ++element.count;
    for (const auto& attribute : node.attributes()) {
        if (json && of_mapping(attribute)) continue;
        auto found = std::find_if(element.attributes.begin(), element.attributes.end(),
                                  [&](const Attribute& a) { return a.name == attribute.name; });
        if (found == element.attributes.end()) {
            element.attributes.push_back({attribute.name, 0, {}});
            found = element.attributes.end() - 1;
        }
        ++found->seen;
        found->leaf.see(attribute.value);
    }
    if (!node.first_child()) {
        if (!json || (node.attribute("type") != "array" && node.attribute("type") != "object")) element.leaf.see(node.text());
        return;
    }
    std::map<Element*, std::size_t> here;
    for (Node child = node.first_child(); child; child = child.next()) {
        auto found = std::find_if(element.children.begin(), element.children.end(), [&](const auto& e) {
            return e->name == child.name() && e->namespace_uri == child.namespace_uri();
        });
        if (found == element.children.end()) {
            if (element.children.size() >= kSampleFields) continue;
            element.children.push_back(std::make_unique<Element>());
            found = element.children.end() - 1;
            (*found)->name = child.name();
            (*found)->namespace_uri = child.namespace_uri();
        }
        Element& one = **found;
        const std::size_t times = ++here[&one];
        if (times == 1) ++one.seen;
        one.most = std::max(one.most, times);
        see_element(one, child, json, places);
    }
}

// The path of the first repeated element below node, by local names, and whether there is one.
bool find_records(Node node, const std::string& path, std::string& found, int depth) {
    std::map<std::string, std::size_t> names;
    for (Node child = node.first_child(); child; child = child.next()) {
        if (child.first_child() || !child.attributes().empty()) ++names[std::string(child.name())];
    }
    const auto most =
        std::max_element(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != names.end() && most->second > 1) {
        found = path.empty() ? most->first : path + "/" + most->first;
        return true;
    }
    if (depth == 0) return false;
    for (Node child = node.first_child(); child; child = child.next()) {
        if (!child.first_child() || names[std::string(child.name())] != 1) continue;
        const std::string below = path.empty() ? std::string(child.name()) : path + "/" + std::string(child.name());
        if (find_records(child, below, found, depth - 1)) return true;
    }
    return false;
}

class FieldLister {
public:
    explicit FieldLister(Sample& sample) : sample_(sample) {}

    void list(const Element& element, const std::string& path, const std::string& group, bool json) {
        for (const Attribute& attribute : element.attributes) {
            add((path.empty() ? "@" : path + "/@") + attribute.name, attribute.name, group, attribute.leaf, false);
        }
        for (const auto& child : element.children) {
            const std::string step = prefixed(*child);
            const std::string below = path.empty() ? step : path + "/" + step;
            const bool repeated = child->most > 1;
            const bool holds = !child->children.empty() || !child->attributes.empty();
            if (child->leaf.filled != 0 || !holds)
                add(below, original_name(child->name), group, child->leaf, repeated && !holds);
            if (holds) list(*child, below, repeated && group.empty() ? below : group, json);
        }
    }

private:
    std::string prefixed(const Element& element) {
        if (element.namespace_uri.empty()) return element.name;
        for (const auto& [prefix, uri] : sample_.prefixes) {
            if (uri == element.namespace_uri) return prefix + ":" + element.name;
        }
        const std::string prefix = "s" + std::to_string(sample_.prefixes.size() + 1);
        sample_.prefixes[prefix] = element.namespace_uri;
        return prefix + ":" + element.name;
    }
    void add(std::string path, std::string name, const std::string& group, const Leaf& leaf, bool repeated) {
        if (sample_.fields.size() < kSampleFields)
            sample_.fields.push_back({std::move(path), std::move(name), group, &leaf, repeated});
    }
    Sample& sample_;
};

char sample_delimiter(std::string_view bytes) {
    const std::string_view line = bytes.substr(0, bytes.find('\n'));
    char best = ',';
    for (const char c : {';', '\t', '|'}) {
        if (std::count(line.begin(), line.end(), c) > std::count(line.begin(), line.end(), best)) best = c;
    }
    return best;
}

std::string delimiter_name(char delimiter) {
    if (delimiter == ',') return {};
    return delimiter == '\t' ? "tab" : std::string(1, delimiter);
}

bool is_json_lines(std::string_view bytes) {
    // More than one document, each on a line of its own.
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos || bytes.find_first_not_of(" \t\r\n", end) == std::string_view::npos) return false;
    try {
        parse_json(bytes.substr(0, end));
        return true;
    } catch (const Error&) {
        return false;
    }
}

void each_csv(const Sample& sample, const std::string& bytes, std::size_t most,
              const std::function<void(const Document&)>& record) {
    CsvOptions options;
    options.delimiter = sample.delimiter == "tab" ? '\t' : sample.delimiter.empty() ? ',' : sample.delimiter[0];
    options.encoding = sample.encoding;
    std::size_t n = 0;
    RecordHandlers handlers;
    handlers.on_record = [&](std::uint64_t, std::uint64_t, std::string_view, const Document& row) {
        record(row);
        if (++n == most) throw EnoughRecords{};
    };
    handlers.on_broken = [](std::uint64_t, std::uint64_t, std::string_view, const Error& error) { throw Error(error); };
    const auto splitter = make_csv_splitter(options, handlers);
    try {
        splitter->write(bytes);
        splitter->finish();
    } catch (const EnoughRecords&) {
        return;
    }
}

Node node_at(Node node, const std::string& path) {
    std::size_t at = 0;
    while (node && at < path.size()) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        node = node.child(std::string_view(path).substr(at, end - at));
        at = end + 1;
    }
    return node;
}

void each_below(const Document& document, const std::string& path, std::size_t most,
                const std::function<void(const Document&)>& record) {
    const std::size_t last = path.rfind('/');
    const Node parent = last == std::string::npos ? document.root() : node_at(document.root(), path.substr(0, last));
    const std::string name = last == std::string::npos ? path : path.substr(last + 1);
    std::size_t n = 0;
    if (!parent) return;
    for (const Node child : parent.children(name == "*" ? std::string() : name)) {
        if (n++ == most) return;
        record(Document::copy(child));
    }
}

// A first line that holds an address or a date names no columns.
void check_header(const Sample& sample, const std::filesystem::path& file) {
    for (const auto& column : sample.root.children) {
        std::string pattern;
        const Shape shape = shape_of(original_name(column->name), pattern);
        if (shape == Shape::kEmail || shape == Shape::kDate || shape == Shape::kDecimal || shape == Shape::kUrl) {
            no_sample(file, "its first line looks like a record and not like the names of columns", "a header line");
        }
    }
}

}  // namespace

void each_record(const Sample& sample, const std::filesystem::path& file, std::size_t most,
                 const std::function<void(const Document&)>& record) {
    const std::string bytes = read_file(file, kSampleBytes);
    if (sample.format == "csv") return each_csv(sample, bytes, most, record);
    if (sample.format == "xml") {
        const Document document = XmlParser().parse(bytes, file.string());
        if (sample.whole) return record(document);
        // The split names the root first.
        return each_below(document, sample.record.substr(sample.record.find('/') + 1), most, record);
    }
    if (sample.record == "lines") {
        std::size_t at = 0, n = 0;
        while (at < bytes.size() && n < most) {
            const std::size_t end = std::min(bytes.find('\n', at), bytes.size());
            const std::string_view line = std::string_view(bytes).substr(at, end - at);
            at = end + 1;
            if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
            record(parse_json(line, file.string()));
            ++n;
        }
        return;
    }
    const Document document = parse_json(bytes, file.string());
    if (sample.whole) return record(document);
    // What the split makes of an array's element: a document of its own, with the root "json".
    each_below(document, sample.record.empty() ? "item" : sample.record, most, [&](const Document& element) {
        std::string text = write_json(element.root());
        record(parse_json(text, file.string()));
    });
}

Sample read_sample(const std::filesystem::path& file, const std::string& format, const std::string& record) {
    std::error_code failed;
    const std::uintmax_t size = std::filesystem::file_size(file, failed);
    if (failed) no_sample(file, "it cannot be read", "a file with a few records of the source");
    if (size > kSampleBytes) no_sample(file, "it is larger than 16 MB", "the first few hundred records of the source");
    const std::string bytes = read_file(file, kSampleBytes);
    Sample sample;
    sample.format = format.empty() ? guessed_format(file, bytes) : format;
    if (sample.format == "csv") {
        sample.delimiter = delimiter_name(sample_delimiter(bytes));
        if (!is_utf8(bytes)) sample.encoding = bytes.find('\0') != std::string::npos ? "utf-16" : "windows-1252";
    } else if (sample.format == "json") {
        if (!record.empty()) {
            sample.record = record;
        } else if (is_json_lines(bytes)) {
            sample.record = "lines";
        } else {
            const Document document = parse_json(bytes, file.string());
            std::string found;
            if (document.root().attribute("type") != "array" && find_records(document.root(), "", found, 3)) {
                sample.record = found;
            }
            sample.whole = sample.record.empty() && document.root().attribute("type") != "array";
        }
    } else if (sample.format == "xml") {
        const Document document = XmlParser().parse(bytes, file.string());
        std::string found;
        if (!record.empty()) {
            sample.record = record;
        } else if (find_records(document.root(), "", found, 3)) {
            sample.record = std::string(document.root().name()) + "/" + found;
        }
        sample.whole = sample.record.empty();
    } else {
        no_sample(file, "its format is not to be seen from it", "--format csv, json or xml");
    }
    std::size_t places = 0;
    each_record(sample, file, kSampleRecords, [&](const Document& document) {
        sample.root.name = document.root().name();
        sample.root.namespace_uri = document.root().namespace_uri();
        ++sample.records;
        see_element(sample.root, document.root(), sample.format == "json", places);
    });
    if (sample.records == 0) no_sample(file, "there is no record in it", "at least one record; --record PATH names them");
    if (sample.format == "csv") check_header(sample, file);
    FieldLister(sample).list(sample.root, "", "", sample.format == "json");
    if (sample.fields.empty()) no_sample(file, "its records hold no text", "records with elements, members or columns");
    return sample;
}

}  // namespace clrbus::workbench
