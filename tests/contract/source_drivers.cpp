#include "contract/source_driver.hpp"

#include <algorithm>

#include "contract/source_far_side.hpp"
#include "crypto/flat_json.hpp"

namespace clrbus::contract {
namespace {

// A list by a number that grows with each change: ?after=N&cursor=C, three at a time.
class HttpPollFarSide : public HttpSourceFarSide {
public:
    HttpPollFarSide() { open(); }
    ~HttpPollFarSide() override { close(); }

    std::shared_ptr<Config::Element> element() const override {
        auto out = std::make_shared<Config::Element>();
        out->name = "get";
        out->attributes = {{"url", url() + "/items"}, {"schedule", "PT1S"}, {"timeout", "PT1S"}, {"authentication", "bearer"},
                           {"secret", "far-side"},    {"records", "items"}, {"key", "id"},       {"mark", "n"},
                           {"mark-type", "number"},   {"paging", "cursor"}, {"cursor", "next"}};
        for (const auto& [name, value] : std::map<std::string, std::string>{{"after", "{since}"}, {"cursor", "{cursor}"}}) {
            auto parameter = std::make_shared<Config::Element>();
            parameter->name = "parameter";
            parameter->attributes = {{"name", name}, {"value", value}};
            out->children.push_back(std::move(parameter));
        }
        return out;
    }
    void offer(const std::string& id, const std::string& text) override {
        const std::lock_guard lock(mutex_);
        items_.push_back({id, text});
    }
    std::pair<std::string, std::string> carried(const Incoming& message) const override {
        const auto json = crypto::FlatJson::parse(message.body);
        return json ? std::pair(json->string("id").value_or(""), json->string("text").value_or(""))
                    : std::pair(std::string(), std::string());
    }

private:
    std::string answer(const std::string& target) override {
        constexpr std::size_t kPage = 3;
        const std::string cursor = value(target, "cursor"), after = value(target, "after");
        if (cursor.empty()) ++beginnings_;
        std::size_t at = std::strtoul((cursor.empty() ? after : cursor).c_str(), nullptr, 10);
        std::string out = "{\"items\":[";
        for (std::size_t i = 0; i < kPage && at < items_.size(); ++i) {
            const auto& [id, text] = items_[at++];
            out += std::string(i == 0 ? "" : ",") + "{\"id\":" + crypto::json_string(id) + ",\"n\":" + std::to_string(at) +
                   ",\"text\":" + crypto::json_string(text) + "}";
        }
        return out + "],\"next\":\"" + (at < items_.size() ? std::to_string(at) : "") + "\"}";
    }

    std::vector<std::pair<std::string, std::string>> items_;
};

// A repository of days, three records a page, that lists what is not older than from.
class OaiPmhFarSide : public HttpSourceFarSide {
public:
    OaiPmhFarSide() { open(); }
    ~OaiPmhFarSide() override { close(); }

    std::shared_ptr<Config::Element> element() const override {
        auto out = std::make_shared<Config::Element>();
        out->name = "harvest";
        out->attributes = {{"url", url() + "/oai"},
                           {"schedule", "PT1S"},
                           {"timeout", "PT1S"},
                           {"authentication", "bearer"},
                           {"secret", "far-side"}};
        return out;
    }
    void offer(const std::string& id, const std::string& text) override {
        const std::lock_guard lock(mutex_);
        items_.erase(std::remove_if(items_.begin(), items_.end(), [&](const auto& item) { return item.first == id; }),
                     items_.end());
        items_.push_back({id, text});
    }
    std::pair<std::string, std::string> carried(const Incoming& message) const override {
        const auto between = [&](const std::string& open, const std::string& close) {
            const std::size_t at = message.body.find(open);
            if (at == std::string::npos) return std::string();
            const std::size_t from = at + open.size();
            return message.body.substr(from, message.body.find(close, from) - from);
        };
        return {between("<identifier>", "</identifier>"), between("<t xmlns=\"urn:t\">", "</t>")};
    }

private:
    std::string answer(const std::string& target) override {
        constexpr std::size_t kPage = 3;
        const std::string day = to_rfc3339(system_clock().now()).substr(0, 10);
        std::string out = "<OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\"><responseDate>" + day +
                          "T00:00:00Z</responseDate><request/>";
        if (value(target, "verb") == "Identify") {
            ++beginnings_;
            return out +
                   "<Identify><granularity>YYYY-MM-DD</granularity><deletedRecord>persistent</deletedRecord></Identify></"
                   "OAI-PMH>";
        }
        const std::string token = value(target, "resumptionToken");
        std::size_t at = std::strtoul(token.c_str(), nullptr, 10);
        out += "<ListRecords>";
        for (std::size_t i = 0; i < kPage && at < items_.size(); ++i, ++at) {
            out += "<record><header><identifier>" + items_[at].first + "</identifier><datestamp>" + day +
                   "</datestamp></header><metadata><t xmlns=\"urn:t\">" + items_[at].second + "</t></metadata></record>";
        }
        return out + "<resumptionToken>" + (at < items_.size() ? std::to_string(at) : "") +
               "</resumptionToken></ListRecords></OAI-PMH>";
    }

    std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace

std::vector<SourceRow> source_rows() {
    return {
        {"http-poll", [] { return std::make_unique<HttpPollFarSide>(); }},
        {"oai-pmh", [] { return std::make_unique<OaiPmhFarSide>(); }},
    };
}

}  // namespace clrbus::contract
