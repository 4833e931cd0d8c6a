#include "adapters_http_poll/poll_config.hpp"

#include <fstream>
#include <iterator>

#include "crypto/hash.hpp"
#include "http/client_url.hpp"

namespace clrbus::adapters::http_poll {

namespace {

constexpr FarSideCodes kFarSideCodes{"HPOLL-001", "HPOLL-002", "HPOLL-003", "HPOLL-004", "HPOLL-005", "HPOLL-006"};
constexpr ScheduleCodes kScheduleCodes{"HPOLL-020", "HPOLL-021", "HPOLL-022"};

constexpr std::size_t kBodyMost = 256 << 10;

RequestText read_places(const Config& config, const char* attribute, const std::string& text, bool only_places) {
    std::string why;
    const auto out = RequestText::read(text, only_places, why);
    if (!out) config.fail("HPOLL-007", attribute, why);
    return *out;
}

PollConfig::Path read_path(const Config& config, const char* attribute) {
    if (!config.has(attribute)) return nullptr;
    try {
        return XPath::compile(config.get(attribute), config.namespaces());
    } catch (const Error& error) {
        config.fail("HPOLL-008", attribute, error.why());
    }
}

std::string body_text(const Config& config) {
    const Config body = config.child("body");
    if (!config.has("body-file")) return body ? body.text() : std::string();
    if (body) config.fail("HPOLL-009", "body-file", "a body stands in the element, too");
    std::filesystem::path file = config.get("body-file");
    if (file.is_relative()) file = std::filesystem::path(config.where().file).parent_path() / file;
    std::ifstream in(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in || text.empty()) config.fail("HPOLL-009", "body-file", "there is no such file, or nothing in it");
    if (text.size() > kBodyMost) config.fail("HPOLL-009", "body-file", "larger than 256 KB");
    return text;
}

Paging read_paging(const Config& config) {
    const std::string word = config.get("paging", "none");
    const auto needs = [&](const char* attribute) {
        if (!config.has(attribute)) config.fail("HPOLL-010", attribute, "paging='" + word + "' needs it");
    };
    if (word == "link") return Paging::kLink;
    if (word == "next") {
        needs("next");
        return Paging::kNext;
    }
    if (word == "cursor") {
        needs("cursor");
        return Paging::kCursor;
    }
    if (word == "offset" || word == "page") {
        needs("records");
        return word == "page" ? Paging::kPage : Paging::kOffset;
    }
    return Paging::kNone;
}

}  // namespace

PollConfig::PollConfig(const AdapterContext& context) : poll{read_schedule_options(context.config, kScheduleCodes)} {
    const Config& config = context.config;
    const FarSideOptions options(context, kFarSideCodes);
    method = config.name() == "post" ? "POST" : "GET";
    xml = config.get("format", "json") == "xml";

    // The request.
    url = read_places(config, "url", config.require("url"), true);
    const std::string sample = *url.fill([](std::string_view) { return "1"; }, percent_encoded, true);
    origin = options.checked_origin("url", sample);
    if (url.has("cursor")) config.fail("HPOLL-007", "url", "the first page has no {cursor}: use a parameter");
    for (const Config& parameter : config.children("parameter")) {
        parameters.emplace_back(parameter.require("name"), read_places(parameter, "value", parameter.get("value"), true));
    }
    if (const std::string text = body_text(config); !text.empty()) {
        std::string why;
        body = RequestText::read(text, false, why);
        if (!body) config.fail("HPOLL-007", config.has("body-file") ? "body-file" : "body", why);
    }
    content_type = config.get("content-type", xml ? "text/xml; charset=utf-8" : "application/json");
    accept = config.get("accept", xml ? "application/xml, text/xml" : "application/json");
    fields = options.header_fields({"Accept", "Content-Type", "If-None-Match", "If-Modified-Since"});
    far_side = options.far_side();
    timeout = config.get_duration("timeout", std::chrono::seconds(60));
    max_page =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(config.get_int("max-page", 16 << 20)), context.inbox->max_bytes());

    // The answer.
    records = config.get("records");
    page_messages = records.empty() || config.get("messages", "records") == "pages";
    key = read_path(config, "key");
    version = read_path(config, "version");
    mark = read_path(config, "mark");
    if (records.empty() && (key || mark))
        config.fail("HPOLL-011", key ? "key" : "mark", "it is of a record: records says where");
    page_mark = read_path(config, "page-mark");
    if (mark && page_mark) config.fail("HPOLL-011", "page-mark", "either mark or page-mark");
    next = read_path(config, "next");
    cursor = read_path(config, "cursor");
    more = read_path(config, "more");
    total = read_path(config, "total");
    pages = read_path(config, "pages");
    error = read_path(config, "error");
    paging = read_paging(config);
    size = static_cast<std::uint64_t>(config.get_int("page-size", 0));
    first_page = static_cast<std::uint64_t>(config.get_int("first-page", 1));

    // The mark.
    const std::string type = config.get("mark-type", "time");
    mark_type = type == "number" ? MarkType::kNumber : type == "text" ? MarkType::kText : MarkType::kTime;
    const std::string format = config.get("since-format", "date-time");
    since_format = format == "date"      ? SinceFormat::kDate
                   : format == "seconds" ? SinceFormat::kSeconds
                   : format == "millis"  ? SinceFormat::kMillis
                                         : SinceFormat::kDateTime;
    if (mark_type != MarkType::kTime && !mark && !page_mark)
        config.fail("HPOLL-011", "mark-type", "mark or page-mark says where");
    overlap = config.get_duration("overlap", {});
    if (overlap.count() > 0 && mark_type != MarkType::kTime) config.fail("HPOLL-011", "overlap", "marks are no times");
    if (config.has("since-first")) {
        try {
            since_first = read_mark(mark_type, config.get("since-first"));
        } catch (const Error& e) {
            config.fail("HPOLL-011", "since-first", e.expected());
        }
    }
    if (url.has("since") && since_first.empty()) config.fail("HPOLL-011", "since-first", "the first request needs a {since}");
    rate_least = static_cast<double>(config.get_int("rate-least", 0));

    poll.rule.success = *HttpStatusSet::read("200-299 304");
    poll.rule.away = options.status_set("away");
    poll.most = config.get_duration("away-most", std::chrono::minutes(5));
    poll.pause = config.get_duration("pause", {});
    poll.pages = static_cast<std::uint64_t>(config.get_int("max-pages", 10'000));
    // The same door after a restart, whatever is changed of who we are and when we ask.
    crypto::Sha256 hash;
    const auto add = [&hash](const std::string& part) { hash.update(part).update(std::string_view("\0", 1)); };
    for (const std::string& part : {method, config.get("url"), records, config.get("mark"), config.get("page-mark"), type,
                                    config.child("body").text(), config.get("body-file")})
        add(part);
    for (const Config& parameter : config.children("parameter")) {
        add(parameter.get("name"));
        add(parameter.get("value"));
    }
    poll.schedule.name = "http-poll:" + hash.hex().substr(0, 16);
}

}  // namespace clrbus::adapters::http_poll
