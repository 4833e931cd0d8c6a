#include "contract/source_driver.hpp"

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

}  // namespace

std::vector<SourceRow> source_rows() {
    return {
        {"http-poll", [] { return std::make_unique<HttpPollFarSide>(); }},
    };
}

}  // namespace clrbus::contract
