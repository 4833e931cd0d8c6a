#include "adapters_http_poll/poll_plan.hpp"

#include <charconv>
#include <utility>

#include "adapters_http_poll/answer_fields.hpp"
#include "core/counters.hpp"
#include "core/text.hpp"
#include "crypto/hash.hpp"
#include "http/client_url.hpp"

namespace clrbus::adapters::http_poll {

namespace {

std::uint64_t number_of(const std::string& text, std::uint64_t fallback) {
    std::uint64_t out = fallback;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

std::string key_of(const std::vector<std::string>& parts) {
    crypto::Sha256 hash;
    for (const std::string& part : parts) hash.update(std::to_string(part.size()) + ':').update(part);
    return hash.hex().substr(0, 40);
}

bool holds(std::string_view text, std::string_view word) {
    return text.find(word) != std::string_view::npos;
}

}  // namespace

bool PollPlan::whole() const {
    return config_.paging == Paging::kNone;
}

std::string PollPlan::begin(const std::string& place, Time planned, Time now) {
    Place at = Place::decode(place);
    at.begin(planned, now);
    return at.encode();
}

std::optional<std::string> PollPlan::anew(const std::string& place) {
    Place at = Place::decode(place);
    if (at.next.empty() && at.pages == 0) return std::nullopt;
    at.next.clear();
    at.pages = 0;
    at.high = at.since;
    return at.encode();
}

std::string PollPlan::since_text(const Place& place) const {
    const std::string& mark = place.since.empty() ? config_.since_first : place.since;
    if (mark.empty() || config_.mark_type != MarkType::kTime) return mark;
    // What was asked for first is not gone behind.
    Time time = from_rfc3339(mark);
    if (!place.since.empty()) time -= config_.overlap;
    const auto since_1970 = time.time_since_epoch();
    switch (config_.since_format) {
        case SinceFormat::kDate:
            return to_rfc3339(time).substr(0, 10);
        case SinceFormat::kSeconds:
            return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(since_1970).count());
        case SinceFormat::kMillis:
            return std::to_string(since_1970.count());
        case SinceFormat::kDateTime:
            break;
    }
    return to_rfc3339(time).substr(0, 19) + 'Z';
}

std::optional<std::string> PollPlan::value_of(const Place& place, std::string_view name) const {
    if (name == "until") return place.start.substr(0, 19) + 'Z';
    if (name == "size") return config_.size == 0 ? std::nullopt : std::optional(std::to_string(config_.size));
    std::string out;
    if (name == "since") {
        out = since_text(place);
    } else if (name == "cursor") {
        out = place.next;
    } else if (name == "offset") {
        out = std::to_string(number_of(place.next, 0));
    } else {
        out = std::to_string(number_of(place.next, config_.first_page));
    }
    return out.empty() ? std::nullopt : std::optional(std::move(out));
}

std::string PollPlan::url_of(const Place& place) const {
    if (!place.next.empty() && (config_.paging == Paging::kLink || config_.paging == Paging::kNext)) return place.next;
    const auto values = [&](std::string_view name) { return value_of(place, name); };
    std::string query;
    for (const auto& [name, text] : config_.parameters) {
        const auto value = text.fill(values, percent_encoded, false);
        if (value) query += (query.empty() ? "" : "&") + percent_encoded(name) + '=' + *value;
    }
    return http_with_query(*config_.url.fill(values, percent_encoded, true), query);
}

HttpCall PollPlan::request(const std::string& text) {
    const Place place = Place::decode(text);
    HttpCall call;
    call.method = config_.method;
    call.url = url_of(place);
    call.fields = config_.fields;
    call.fields.add("Accept", config_.accept);
    call.timeout = config_.timeout;
    call.max_answer = config_.max_page;
    call.far_side = http_origin(call.url) == config_.origin ? config_.far_side.with : config_.far_side.without;
    if (config_.method == "POST") {
        const bool json = holds(config_.content_type, "json");
        const bool form = holds(config_.content_type, "x-www-form-urlencoded");
        call.fields.add("Content-Type", config_.content_type);
        if (config_.body)
            call.body = *config_.body->fill([&](std::string_view name) { return value_of(place, name); },
                                            json   ? json_escaped
                                            : form ? percent_encoded
                                                   : xml_escaped,
                                            true);
    }
    // The same question: perhaps the answer is the one that we have.
    if (whole() && place.asked == key_of({call.url, call.body})) {
        if (!place.etag.empty()) call.fields.add("If-None-Match", place.etag);
        if (!place.modified.empty()) call.fields.add("If-Modified-Since", place.modified);
    }
    return call;
}

std::string PollPlan::next_of(const Place& place, const ReadPage& page, const HttpAnswer& answer) const {
    if (!page.more) return {};
    switch (config_.paging) {
        case Paging::kNone:
            return {};
        case Paging::kLink:
        case Paging::kNext: {
            const std::string link = config_.paging == Paging::kLink ? next_link(answer.fields) : page.next;
            if (link.empty()) return {};
            const std::string url = http_redirect(url_of(place), link, config_.far_side.with->redirect_to);
            if (url.empty())
                throw Error(Fault::kPoison, "HPOLL-015", "reading a page", "the next page is where we do not follow")
                    .expected("the same origin, or one that origins names");
            return url;
        }
        case Paging::kCursor:
            return page.cursor;
        case Paging::kOffset: {
            const std::uint64_t at = number_of(place.next, 0) + page.count;
            return page.count == 0 || (page.total != 0 && at >= page.total) ? std::string() : std::to_string(at);
        }
        case Paging::kPage: {
            const std::uint64_t at = number_of(place.next, config_.first_page);
            const std::uint64_t last = config_.first_page + page.pages - 1;
            return page.count == 0 || (page.pages != 0 && at >= last) ? std::string() : std::to_string(at + 1);
        }
    }
    return {};
}

void PollPlan::add_items(const Place& place, ReadPage& page, const HttpAnswer& answer, Page& out) const {
    const std::string type = config_.xml ? "application/xml" : "application/json";
    const std::string name = to_rfc3339(from_rfc3339(place.run)) + "/" + std::to_string(place.pages + 1);
    if (config_.page_messages) {
        // With records to be counted, a page without one is no message.
        if (!config_.records.empty() && page.count == 0) return;
        const std::string hash = crypto::sha256_hex(answer.body);
        if (whole() && hash == place.body) return;
        const std::string key = page.version.empty() ? key_of({"page", place.run, hash}) : key_of({"page", page.version});
        out.items.push_back({answer.body, type, key, name});
        return;
    }
    std::size_t number = 0;
    for (ReadRecord& record : page.records) {
        // Without a version each run delivers what it finds, and the run alone knows what it has delivered.
        const std::string key =
            record.version.empty()
                ? key_of({"run", place.run, record.key, crypto::sha256_hex(record.body)})
                : key_of({"version", record.key.empty() ? crypto::sha256_hex(record.body) : record.key, record.version});
        out.items.push_back({std::move(record.body), type, key, name + "/" + std::to_string(++number)});
    }
}

PagePlan::Page PollPlan::read(const std::string& text, const HttpAnswer& answer) {
    Page out;
    Place place = Place::decode(text);
    const bool asked_for_change = whole() && (!place.etag.empty() || !place.modified.empty());
    if (answer.status == 304) {
        if (!asked_for_change)
            throw Error(Fault::kAway, "HPOLL-012", "reading a page", "it answers 304 though nothing was known");
        place.end(config_.mark_type);
        out.place = place.encode();
        return out;
    }
    ReadPage page = read_page(config_, answer.body);
    if (!page.mark.empty()) {
        if (config_.page_mark && later_mark(config_.mark_type, place.since, page.mark) == place.since &&
            page.mark != place.since)
            counter("clrbus_poll_marks_backwards_total").add();
        place.high = later_mark(config_.mark_type, place.high, page.mark);
    }
    out.next = next_of(place, page, answer);
    add_items(place, page, answer, out);
    if (whole()) {
        const HttpCall asked = request(text);
        place.asked = key_of({asked.url, asked.body});
        place.etag = answer.fields.get("ETag");
        place.modified = answer.fields.get("Last-Modified");
        place.body = config_.page_messages ? crypto::sha256_hex(answer.body) : std::string();
    }
    if (out.next.empty()) {
        // Where nothing tells how far it goes, the run's beginning does.
        if (!config_.mark && !config_.page_mark) place.high = place.start;
        place.end(config_.mark_type);
    } else {
        place.next = out.next;
        ++place.pages;
        if (const auto wait = rate_wait(answer.fields, config_.rate_least, clock_.now())) out.wait = *wait;
    }
    out.place = place.encode();
    return out;
}

std::optional<std::chrono::seconds> PollPlan::wait_of(const HttpAnswer& answer) const {
    if (answer.status != 429 && answer.status != 403) return std::nullopt;
    return rate_wait(answer.fields, config_.rate_least, clock_.now());
}

}  // namespace clrbus::adapters::http_poll
