// enrich: content enricher. Asks an endpoint about the message and merges the answer by a stylesheet, which sees
// <enrich><message>…</message><answer state="…">…</answer></enrich>. It waits for the answer: a route with it runs on threads
// of its own (engine.cpp).
#include <utility>

#include "config/config.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "crypto/hash.hpp"
#include "routing/answer.hpp"
#include "routing/answer_cache.hpp"
#include "routing/assets.hpp"
#include "routing/endpoints.hpp"
#include "routing/parser_pool.hpp"
#include "routing/route.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kCachedBytes = 16U << 20;  // of one step
constexpr std::string_view kStateAnswered = "answered";

class Enrich : public Step {
public:
    struct Options {
        std::string endpoint;
        Config element;  // of the adapter
        std::vector<std::pair<std::string, std::shared_ptr<const XPath>>> values;
        std::shared_ptr<const Transformer> request, merge;
        std::chrono::milliseconds timeout{};
        bool skip_when_away = false;
        std::string format, zone;
        std::chrono::milliseconds cache{};
        std::size_t cache_most = 0;
    };
    explicit Enrich(Options options)
        : options_(std::move(options)), cache_(options_.cache, options_.cache_most, kCachedBytes), parsers_(nullptr) {}

    Flow apply(Work& work) const override {
        Question question = question_of(work);
        std::string state(kStateAnswered);
        std::optional<CachedAnswer> answer;
        if (work.services == nullptr || work.services->endpoints == nullptr) {
            state = "unasked";  // a dry run has no effect
        } else {
            try {
                answer = answer_to(work, std::move(question));
                if (answer->nothing) state = "nothing";
            } catch (const Error& e) {
                if (e.fault() != Fault::kAway || !options_.skip_when_away) throw;
                state = "away";
            }
        }
        merge(work, state, answer && !answer->nothing ? &*answer : nullptr);
        work.headers.set("enrich-" + options_.endpoint, state);
        return Flow::kNext;
    }
    std::vector<Effect> effects() const override { return {{"asks", options_.endpoint}}; }

private:
    std::map<std::string, std::string> parameters(const Work& work) const {
        return {{"route", work.route.id()},
                {"system", work.route.system()},
                {"component", work.route.component()},
                {"steward", work.route.steward()},
                {"zone", options_.zone}};
    }

    Question question_of(const Work& work) const {
        Question question;
        question.id = name_uuid(kOutputNamespace, work.id + "\n" + work.route.id() + "\n" + name());
        question.headers = work.headers;
        const auto variables = work.variables();
        for (const auto& [name, select] : options_.values) question.values[name] = select->string(work.document, variables);
        if (options_.request) {
            question.body = options_.request->transform(work.document, parameters(work)).write();
            question.content_type = "application/xml";
        }
        return question;
    }

    CachedAnswer answer_to(const Work& work, Question question) const {
        const bool cached = options_.cache.count() > 0;
        std::string key;
        if (cached) {
            for (const auto& [name, value] : question.values) key += name + '=' + std::to_string(value.size()) + ':' + value;
            key = crypto::sha256_hex(key + '\n' + question.body);
            if (auto found = cache_.find(key, work.services->clock->steady())) return *found;
        }
        const auto endpoint = work.services->endpoints->asked(work.route.id(), options_.endpoint, options_.element);
        Reply reply = endpoint->ask(std::move(question), options_.timeout, work.route.attempts());
        CachedAnswer answer{std::move(reply.body), std::move(reply.content_type), reply.nothing};
        if (cached) cache_.put(key, answer, work.services->clock->steady());
        return answer;
    }

    void merge(Work& work, const std::string& state, const CachedAnswer* answer) const {
        std::string both = "<enrich><message>" + work.document.write() + "</message><answer state=\"" + state + "\">";
        if (answer != nullptr)
            both += read_answer(options_.endpoint, options_.format, answer->body, answer->content_type).write();
        both += "</answer></enrich>";
        work.document = options_.merge->transform(parsers_.parse(both), parameters(work));
        work.validated = false;
    }

    const Options options_;
    mutable AnswerCache cache_;   // any thread
    mutable ParserPool parsers_;  // any thread
};

}  // namespace

std::unique_ptr<Step> make_enrich(const Config& element, RouteAssets& assets, const StepPlace&) {
    Enrich::Options options;
    options.endpoint = element.require("name");
    options.element = adapter_element(element);
    if (!options.element) element.fail("ROUTE-137", "an endpoint element of an adapter is asked");
    for (const Config& value : element.children("value"))
        options.values.emplace_back(value.require("name"), assets.xpath(value, "select"));
    if (const Config request = element.child("request"))
        options.request = assets.transformer(request, request.require("stylesheet"));
    options.merge = assets.transformer(element, element.require("stylesheet"));
    options.timeout = element.get_duration("timeout", std::chrono::seconds(30));
    options.skip_when_away = element.get("on-away", "wait") == "skip";
    options.format = element.get("format");
    options.cache = element.get_duration("cache", std::chrono::milliseconds(0));
    options.cache_most = static_cast<std::size_t>(element.get_int("cache-most", 1000));
    options.zone = assets.folders().zone;
    return std::make_unique<Enrich>(std::move(options));
}

}  // namespace clrbus
