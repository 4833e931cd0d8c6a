#include "adapters_http_poll/page_reader.hpp"

#include <charconv>
#include <cmath>

#include "formats/json.hpp"
#include "formats/json_splitter.hpp"
#include "xml/parser.hpp"

namespace clrbus::adapters::http_poll {

namespace {

Error not_a_page(const std::string& why) {
    return Error(Fault::kAway, "HPOLL-012", "reading a page", why);
}

std::string text_at(const PollConfig::Path& path, const Document& document, Node at = {}) {
    return path ? path->string(document, {}, at ? at : document.root()) : std::string();
}

std::uint64_t count_at(const PollConfig::Path& path, const Document& document) {
    const double number = path ? path->number(document, {}, document.root()) : 0;
    return std::isfinite(number) && number > 0 && number < 1e15 ? static_cast<std::uint64_t>(number) : 0;
}

void take_record(const PollConfig& config, const Document& document, Node record, std::string body, ReadPage& out) {
    ++out.count;
    const std::string mark = text_at(config.mark, document, record);
    if (!mark.empty()) out.mark = later_mark(config.mark_type, out.mark, read_mark(config.mark_type, mark));
    if (config.page_messages) return;
    std::string version = config.version ? text_at(config.version, document, record) : mark;
    out.records.push_back({std::move(body), text_at(config.key, document, record), std::move(version)});
}

// Gives the page with a 0 for each record: what is left can be read though a record cannot.
std::string json_records(const PollConfig& config, const std::string& body, ReadPage& out) {
    std::string around;
    std::size_t taken = 0;
    const auto cut = [&](std::uint64_t offset, std::string_view raw) {
        around.append(body, taken, offset - taken).append("0");
        taken = offset + raw.size();
    };
    RecordHandlers handlers;
    handlers.on_record = [&](std::uint64_t, std::uint64_t offset, std::string_view raw, const Document& record) {
        cut(offset, raw);
        take_record(config, record, record.root(), std::string(raw), out);
    };
    // What this record is the route finds out: there it is dead-lettered with its place.
    handlers.on_broken = [&](std::uint64_t, std::uint64_t offset, std::string_view raw, const Error& error) {
        if (raw.empty()) throw not_a_page("a record cannot be read: " + error.code());
        cut(offset, raw);
        ++out.count;
        if (!config.page_messages) out.records.push_back({std::string(raw), "", ""});
    };
    JsonSplitOptions options;
    if (config.records != ".") options.path = config.records;
    const auto splitter = make_json_splitter(options, std::move(handlers));
    try {
        splitter->write(body);
        splitter->finish();
    } catch (const Error& error) {
        if (error.fault() == Fault::kAway) throw;
        throw not_a_page("no records: " + error.code());
    }
    return around.append(body, taken);
}

// Elements by a path of local names, '*' for any.
void xml_records(const PollConfig& config, const Document& page, Node node, std::string_view path, ReadPage& out) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (name != "*" && node.name() != name) return;
    if (end == path.size()) {
        return take_record(config, page, node, config.page_messages ? std::string() : Document::write(node), out);
    }
    for (const Node& child : node.children()) xml_records(config, page, child, path.substr(end + 1), out);
}

Document parse_page(const PollConfig& config, const std::string& body) {
    try {
        return config.xml ? XmlParser().parse(body) : parse_json(body);
    } catch (const Error& error) {
        throw not_a_page(std::string(config.xml ? "no XML: " : "no JSON: ") + error.code());
    }
}

void check_page(const PollConfig& config, const Document& page) {
    const Node fault = config.xml && page.root().name() == "Envelope" ? page.root().child("Body").child("Fault") : Node();
    if (fault) throw Error(Fault::kAway, "HPOLL-013", "reading a page", "it is a SOAP fault");
    if (config.error && config.error->test(page, {}, page.root()))
        throw Error(Fault::kAway, "HPOLL-013", "reading a page", "the far side says that something is wrong");
}

// The page and its records.
Document page_with_records(const PollConfig& config, const std::string& body, ReadPage& out) {
    Document page;
    try {
        page = parse_page(config, body);
        check_page(config, page);
    } catch (const Error& error) {
        if (config.xml || config.records.empty() || error.code() != "HPOLL-012") throw;
    }
    if (config.records.empty()) return page;
    if (config.xml) {
        const std::string_view root = std::string_view(config.records).substr(0, config.records.find('/'));
        if (root != "*" && page.root().name() != root) throw not_a_page("another document than the records' path begins with");
        xml_records(config, page, page.root(), config.records, out);
        return page;
    }
    const std::string around = json_records(config, body, out);
    if (page) return page;
    page = parse_page(config, around);
    check_page(config, page);
    return page;
}

}  // namespace

ReadPage read_page(const PollConfig& config, const std::string& body) {
    ReadPage out;
    const Document page = page_with_records(config, body, out);
    if (const std::string text = text_at(config.page_mark, page); !text.empty()) out.mark = read_mark(config.mark_type, text);
    out.next = text_at(config.next, page);
    out.cursor = text_at(config.cursor, page);
    if (config.page_messages) out.version = text_at(config.version, page);
    if (config.more) out.more = text_at(config.more, page) == "true" || text_at(config.more, page) == "1";
    out.total = count_at(config.total, page);
    out.pages = count_at(config.pages, page);
    return out;
}

}  // namespace clrbus::adapters::http_poll
