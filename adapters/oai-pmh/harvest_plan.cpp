#include "adapters_oai_pmh/harvest_plan.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "adapters_oai_pmh/oai_answer.hpp"
#include "core/log.hpp"
#include "crypto/hash.hpp"
#include "http/client_url.hpp"

namespace clrbus::adapters::oai_pmh {

namespace {

constexpr FarSideCodes kFarSideCodes{"HARV-001", "HARV-002", "HARV-003", "HARV-004", "HARV-005", "HARV-006"};
constexpr ScheduleCodes kScheduleCodes{"HARV-020", "HARV-021", "HARV-022"};

std::vector<std::string> words_of(const Config& config, const char* attribute, const char* fallback) {
    std::vector<std::string> out;
    std::istringstream words(config.get(attribute, fallback));
    for (std::string one; words >> one;) {
        if (std::find(out.begin(), out.end(), one) != out.end()) config.fail("HARV-010", attribute, "the same word twice");
        out.push_back(one);
    }
    return out;
}

std::string time_of(const Config& config, const char* attribute) {
    if (!config.has(attribute)) return {};
    std::string text = config.get(attribute);
    if (text.size() == 10) text += "T00:00:00Z";
    try {
        return to_rfc3339(from_rfc3339(text));
    } catch (const Error&) {
        config.fail("HARV-011", attribute, "a date, or a time with its zone");
    }
}

std::string stamp_of(const std::string& time, bool days) {
    return days ? time.substr(0, 10) : time.substr(0, 19) + 'Z';
}

}  // namespace

HarvestConfig::HarvestConfig(const AdapterContext& context) : poll{read_schedule_options(context.config, kScheduleCodes)} {
    const Config& config = context.config;
    const FarSideOptions options(context, kFarSideCodes);
    url = config.require("url");
    options.checked_origin("url", url);
    if (url.find_first_of("?#") != std::string::npos) config.fail("HARV-001", "url", "the base URL has no query");
    const std::vector<std::string> sets = words_of(config, "sets", "");
    for (const std::string& format : words_of(config, "formats", "oai_dc")) {
        if (sets.empty()) lists.push_back({format, ""});
        for (const std::string& set : sets) lists.push_back({format, set});
    }
    from = time_of(config, "from");
    until = time_of(config, "until");
    if (!from.empty() && !until.empty() && until < from) config.fail("HARV-011", "until", "earlier than from");
    overlap = config.get_duration("overlap", std::chrono::hours(1));
    repair = config.get("repair", "no") == "yes";
    fields = options.header_fields({"Accept", "From"});
    if (config.has("contact")) fields.add("From", config.get("contact"));
    far_side = options.far_side();
    timeout = config.get_duration("timeout", std::chrono::minutes(2));
    max_page = static_cast<std::uint64_t>(config.get_int("max-page", 64 << 20));

    poll.most = config.get_duration("away-most", std::chrono::minutes(5));
    poll.pause = config.get_duration("pause", {});
    poll.pages = static_cast<std::uint64_t>(config.get_int("max-pages", 100'000));
    // The same door after a restart, whatever is changed of who we are and when we ask.
    crypto::Sha256 hash;
    for (const char* attribute : {"url", "formats", "sets", "from", "until"})
        hash.update(config.get(attribute)).update(std::string_view("\0", 1));
    poll.schedule.name = "oai-pmh:" + hash.hex().substr(0, 16);
}

std::string HarvestPlan::begin(const std::string& text, Time planned, Time) {
    HarvestPlace place = HarvestPlace::decode(text);
    if (place.run.empty()) place = {place.since, to_rfc3339(planned), "", false, 0, "", 0};
    return place.encode();
}

std::optional<std::string> HarvestPlan::anew(const std::string& text) {
    HarvestPlace place = HarvestPlace::decode(text);
    if (place.token.empty()) return std::nullopt;
    place.token.clear();
    return place.encode();
}

std::string HarvestPlan::list_query(const HarvestPlace& place) const {
    // resumptionToken stands alone (OAI-PMH 2.0 section 3.5).
    if (!place.token.empty()) return "verb=ListRecords&resumptionToken=" + percent_encoded(place.token);
    const HarvestConfig::List& list = config_.lists.at(place.list);
    std::string out = "verb=ListRecords&metadataPrefix=" + percent_encoded(list.format);
    if (!list.set.empty()) out += "&set=" + percent_encoded(list.set);
    std::string from = config_.from;
    if (!place.since.empty()) from = std::max(from, to_rfc3339(from_rfc3339(place.since) - config_.overlap));
    if (!from.empty()) out += "&from=" + percent_encoded(stamp_of(from, place.days));
    if (!config_.until.empty()) out += "&until=" + percent_encoded(stamp_of(config_.until, place.days));
    return out;
}

HttpCall HarvestPlan::request(const std::string& text) {
    const HarvestPlace place = HarvestPlace::decode(text);
    HttpCall call;
    call.url = http_with_query(config_.url, place.first.empty() ? "verb=Identify" : list_query(place));
    call.fields = config_.fields;
    call.fields.add("Accept", "application/xml, text/xml");
    call.timeout = config_.timeout;
    call.max_answer = config_.max_page;
    call.far_side = config_.far_side.with;
    return call;
}

PagePlan::Page HarvestPlan::identified(HarvestPlace place, const HttpAnswer& answer) const {
    const OaiAnswer identity = read_oai_answer(answer.body, "Identify", config_.repair);
    place.first = identity.response_date;
    place.days = identity.granularity == "YYYY-MM-DD";
    if (identity.deleted_record != "persistent" && place.since.empty())
        log::warn("adapter", "the repository at " + answer.origin + " does not keep what it deletes: such records stay here");
    Page out;
    out.place = place.encode();
    out.next = "lists";
    return out;
}

PagePlan::Page HarvestPlan::read(const std::string& text, const HttpAnswer& answer) {
    HarvestPlace place = HarvestPlace::decode(text);
    // Written for other lists than there are now.
    place.list = std::min<std::uint64_t>(place.list, config_.lists.size() - 1);
    if (place.first.empty()) return identified(std::move(place), answer);
    OaiAnswer got = read_oai_answer(answer.body, "ListRecords", config_.repair);
    Page out;
    if (got.error == "badResumptionToken") {
        out.lost = true;
        return out;
    }
    const std::string format = config_.lists[place.list].format;
    const std::string name = place.run + "/" + std::to_string(place.pages + 1);
    for (std::size_t i = 0; i < got.records.size(); ++i) {
        OaiRecord& record = got.records[i];
        // The datestamp alone does not tell two changes of one day, where days are all there is.
        const std::string key =
            crypto::sha256_hex(format + '\n' + record.identifier + '\n' + record.datestamp + '\n' + record.body).substr(0, 40);
        out.items.push_back({std::move(record.body), "application/xml", key, name + "/" + std::to_string(i + 1)});
    }
    ++place.pages;
    place.token = got.token;
    if (place.token.empty()) ++place.list;
    if (place.list < config_.lists.size()) {
        out.next = std::to_string(place.list) + ':' + place.token;
    } else {
        place = {std::max(place.since, place.first), "", "", false, 0, "", 0};
    }
    out.place = place.encode();
    return out;
}

}  // namespace clrbus::adapters::oai_pmh
