#include "adapters_http_call/http_call_adapter.hpp"

#include <utility>

#include "adapters_http_call/call_config.hpp"

namespace clrbus::adapters::http_call {
namespace {

SendResult result_of(const HttpVerdict& verdict) {
    const auto kind = verdict.kind == HttpVerdict::Kind::kDone    ? SendResult::Kind::kDone
                      : verdict.kind == HttpVerdict::Kind::kAway  ? SendResult::Kind::kAway
                      : verdict.kind == HttpVerdict::Kind::kAgain ? SendResult::Kind::kAgain
                                                                  : SendResult::Kind::kPoison;
    return {kind, verdict.error, verdict.wait};
}

// What sink and responder share: the request of one message.
class Caller {
public:
    explicit Caller(const AdapterContext& context) : config_(context), client_(*context.client), executor_(*context.executor) {}

    const CallConfig& config() const { return config_; }

    // Throws Error(kPoison, "HTC-020") for a message without what a place of the URL needs.
    HttpCall call(const std::string& id, std::string body, const std::string& content_type, const Headers& headers,
                  const UrlTemplate::Values& values) const {
        HttpCall out;
        std::string missing;
        const auto url = config_.url.fill(values, missing);
        if (!url)
            throw Error(Fault::kPoison, "HTC-020", "filling the URL", "the message has no usable '" + missing + "'")
                .expected("a header of this name that is not empty");
        out.url = *url;
        out.method = config_.method;
        out.fields = config_.fields;
        out.far_side = config_.far_side;
        out.timeout = config_.timeout;
        out.max_answer = config_.max_answer;
        if (out.method != "GET") {
            out.body = std::move(body);
            const std::string& type = config_.content_type.empty() ? content_type : config_.content_type;
            out.fields.add("Content-Type", type.empty() ? "application/octet-stream" : type);
            out.fields.add(config_.id_field, id);
        }
        if (headers.has(header::kTrace)) out.fields.add("traceparent", headers.get(header::kTrace));
        return out;
    }
    void ask(HttpCall call, HttpDone done) const { client_.request(std::move(call), executor_, std::move(done)); }

private:
    const CallConfig config_;
    HttpClient& client_;  // any thread
    Executor& executor_;  // any thread
};

std::optional<std::string> header_value(const Headers& headers, std::string_view name) {
    for (const std::string& full : {std::string(name), "clrbus-" + std::string(name)})
        if (headers.has(full)) return std::string(headers.get(full));
    return std::nullopt;
}

class HttpCallSink : public Sink {
public:
    explicit HttpCallSink(const AdapterContext& context) : caller_(context) {
        if (context.config.name() != "post") context.config.fail("HTC-008", "it takes no message anywhere: use post");
    }

    void send(Outgoing outgoing, std::function<void(SendResult)> done) override {
        HttpCall call =
            caller_.call(outgoing.id, outgoing.message.body_copy(), outgoing.message.content_type(), outgoing.headers,
                         [&](std::string_view name) { return header_value(outgoing.headers, name); });
        caller_.ask(std::move(call), [this, done = std::move(done)](const HttpAnswer& answer) {
            done(result_of(judge_answer(answer, caller_.config().rule, false)));
        });
    }
    std::uint32_t window() const override { return caller_.config().window; }

private:
    const Caller caller_;
};

class HttpCallResponder : public Responder {
public:
    explicit HttpCallResponder(const AdapterContext& context) : caller_(context) {}

    void ask(Question question, std::function<void(Reply)> done) override {
        HttpCall call = caller_.call(question.id, std::move(question.body), question.content_type, question.headers,
                                     [&](std::string_view name) -> std::optional<std::string> {
                                         const auto found = question.values.find(std::string(name));
                                         if (found != question.values.end()) return found->second;
                                         return header_value(question.headers, name);
                                     });
        // What asks may be gone when the answer comes; what judges it is kept.
        caller_.ask(std::move(call), [rule = caller_.config().rule, nothing = caller_.config().nothing,
                                      done = std::move(done)](const HttpAnswer& answer) {
            Reply reply;
            reply.nothing = !answer.error && nothing.has(answer.status);
            if (!reply.nothing) reply.result = result_of(judge_answer(answer, rule, true));
            if (!reply.nothing && reply.result.kind == SendResult::Kind::kDone) {
                reply.body = answer.body;
                reply.content_type = std::string(answer.fields.get("Content-Type"));
            }
            done(std::move(reply));
        });
    }

private:
    const Caller caller_;
};

}  // namespace

const AdapterInfo& adapter_info() {
    static constexpr AdapterInfo kInfo{
        .name = "http-call",
        .summary = "Takes messages to a system by HTTP, and asks it",
        .namespace_uri = "urn:clrbus:adapter:http-call:1",
        .schema = "config.xsd",
        .sink = [](const AdapterContext& context) -> std::unique_ptr<Sink> { return std::make_unique<HttpCallSink>(context); },
        .responder = [](const AdapterContext& context) -> std::unique_ptr<Responder> {
            return std::make_unique<HttpCallResponder>(context);
        },
    };
    return kInfo;
}

}  // namespace clrbus::adapters::http_call
