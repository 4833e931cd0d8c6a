#include "adapters_http_listen/http_listen_adapter.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <utility>

#include "adapter/http_mounted.hpp"
#include "adapters_http_listen/body_reduction.hpp"
#include "adapters_http_listen/key_set.hpp"
#include "adapters_http_listen/listen_config.hpp"
#include "adapters_http_listen/signed_event.hpp"
#include "core/counters.hpp"
#include "core/log.hpp"
#include "crypto/jws.hpp"
#include "http/spool_file.hpp"
#include "http/tokens.hpp"

namespace clrbus::adapters::http_listen {

namespace {

constexpr int kRetrySeconds = 5;
constexpr std::string_view kMessages = "messages/";

void count_listen_refused(std::string_view reason) {
    counter("clrbus_http_listen_refused_total{reason=\"" + std::string(reason) + "\"}").add();
}

bool is_key_text(std::string_view key) {
    return !key.empty() && key.size() <= 128 &&
           std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// 00-TRACE-PARENT-FLAGS of W3C trace context; anything else is not taken over.
bool is_trace_parent(std::string_view text) {
    if (text.size() != 55) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 2 || i == 35 || i == 52;
        const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (dash ? text[i] != '-' : !hex) return false;
    }
    return true;
}

HttpResponse not_signed(const Error& error) {
    count_listen_refused("signature");
    HttpResponse response = http_problem(401, error.code(), error.why(), error.expected());
    response.fields.add("WWW-Authenticate", R"(Bearer realm="clrbus", error="invalid_token")");
    return response;
}

HttpResponse inbox_closed() {
    count_listen_refused("inbox");
    return http_unavailable("HTL-020", "the inbox takes nothing now", kRetrySeconds);
}

std::string state_json(const std::string& id, const Inbox::State& state) {
    std::string json = "{\"id\":" + json_quoted(id) + ",\"state\":" + json_quoted(state.state) +
                       ",\"finished\":" + (state.finished ? "true" : "false");
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) json += std::string(",\"") + name + "\":" + json_quoted(value);
    };
    add("code", state.code);
    add("path", state.path);
    add("expected", state.expected);
    add("reason", state.reason);
    if (state.children != 0)
        json += ",\"children\":" + std::to_string(state.children) + ",\"dead\":" + std::to_string(state.dead);
    return json + "}\n";
}

// What the sender hears once the inbox has said something.
HttpResponse answer_to(const Receipt& receipt, const std::string& path) {
    if (receipt.state == PutState::kFull || receipt.state == PutState::kFailed) return inbox_closed();
    const bool again = receipt.state == PutState::kDuplicate;
    HttpResponse response =
        http_json(202, "{\"id\":" + json_quoted(receipt.id) + ",\"state\":\"" + (again ? "duplicate" : "accepted") + "\"}\n");
    if (!receipt.id.empty()) response.fields.add("Location", path + '/' + std::string(kMessages) + receipt.id);
    return response;
}

class HttpListenSource : public Source {
public:
    explicit HttpListenSource(const AdapterContext& context)
        : endpoint_(context.config),
          inbox_(*context.inbox),
          http_(context.http),
          tokens_(context.tokens),
          clock_(*context.clock),
          config_(context.config, inbox_),
          right_("publish:" + inbox_.route()) {
        if (http_ == nullptr || tokens_ == nullptr) endpoint_.fail("HTL-013", "there is no listener of protocol http or https");
        if (!config_.jwt) return;
        try {
            keys_.emplace(config_.jwks_file);
        } catch (const Error& error) {
            endpoint_.fail(error.code(), "jwks-file", "the file cannot be read: " + error.why());
        }
    }
    ~HttpListenSource() override = default;

    void start() override {
        HttpMount mount{.prefix = config_.path, .methods = {"GET", "POST"}};
        mount.admit = [this](const HttpRequest& request) { return admit(request); };
        mount.handle = [this](const std::shared_ptr<HttpExchange>& exchange) { handle(exchange); };
        try {
            mounted_ = std::make_unique<HttpMounted>(*http_, std::move(mount));
        } catch (const Error& error) {
            endpoint_.fail("HTL-010", "path", error.why());
        }
    }
    // Stays mounted until it is destroyed: a sender that comes while the bus stops hears 503, not that there is nothing here.
    void stop() override {
        const std::unique_lock lock(closing_);
        closed_ = true;
    }

    Health health() const override {
        const std::string problem = keys_ ? keys_->problem() : std::string();
        const bool open = inbox_.open();
        const std::string text = !problem.empty() ? "the new key set was not taken: " + problem
                                 : open           ? "ok"
                                                  : "the inbox takes nothing; senders hear 503";
        const std::lock_guard lock(mutex_);
        if (health_.text != text) health_ = {problem.empty() && open, text, clock_.now()};
        return health_;
    }

private:
    HttpAdmission admit(const HttpRequest& request);
    void handle(const std::shared_ptr<HttpExchange>& exchange);
    void post(const std::shared_ptr<HttpExchange>& exchange);
    void show(const std::shared_ptr<HttpExchange>& exchange, const std::string& id) const;
    std::string verified_payload(std::string_view compact);
    void give_body(Incoming& incoming, HttpRequest& request) const;

    const Config endpoint_;
    Inbox& inbox_;        // any thread
    HttpServer* http_;    // any thread
    HttpTokens* tokens_;  // any thread
    const Clock& clock_;  // any thread
    const ListenConfig config_;
    const std::string right_;
    std::optional<KeySet> keys_;  // any thread
    std::shared_mutex closing_;   // held shared while a message is handed over, alone by stop()
    bool closed_ = false;
    mutable std::mutex mutex_;
    mutable Health health_;

    std::unique_ptr<HttpMounted> mounted_;  // last: calls back into this
};

HttpAdmission HttpListenSource::admit(const HttpRequest& request) {
    HttpAdmission admission;
    const auto refuse = [&](HttpResponse response, std::string_view reason) {
        count_listen_refused(reason);
        admission.refuse = std::move(response);
        return admission;
    };
    if (request.method != "POST") return admission;
    if (!request.rest.empty()) {
        admission.refuse = http_not_allowed({"GET", "HEAD", "OPTIONS"});
        return admission;
    }
    if (config_.token) {
        HttpTokens::Check check = tokens_->check(request, right_);
        if (check.refuse) return refuse(std::move(*check.refuse), "token");
        admission.known = true;
    }
    if (request.fields.has("Content-Encoding"))
        return refuse(http_problem(415, "HTL-021", "an encoded body is not taken", "a body without Content-Encoding"), "type");
    if (!config_.takes(request.fields.get("Content-Type"))) {
        std::string types;
        for (const std::string& type : config_.content_types) types += (types.empty() ? "" : " ") + type;
        return refuse(http_problem(415, "HTL-022", "this Content-Type is not taken here", types), "type");
    }
    if (request.fields.has("Idempotency-Key") && !is_key_text(request.fields.get("Idempotency-Key")))
        return refuse(http_problem(400, "HTL-023", "the Idempotency-Key cannot be used", "1 to 128 visible ASCII characters"),
                      "key");
    if (request.body_size == 0) return refuse(http_problem(400, "HTL-024", "the body is empty", "a message"), "empty");
    if (!inbox_.open()) {
        admission.refuse = inbox_closed();
        return admission;
    }
    admission.most = config_.most;
    // What is to be reduced or verified first must not lie on a disk before.
    if (!config_.jwt && inbox_.reduce() == nullptr) {
        admission.spool_above = inbox_.spool_above();
        admission.spool_folder = inbox_.spool_folder();
    }
    return admission;
}

void HttpListenSource::handle(const std::shared_ptr<HttpExchange>& exchange) {
    const HttpRequest& request = exchange->request();
    if (request.method == "POST") {
        post(exchange);
    } else if (request.rest.starts_with(kMessages)) {
        show(exchange, request.rest.substr(kMessages.size()));
    } else if (request.rest.empty()) {
        exchange->respond(http_not_allowed({"POST", "OPTIONS"}));
    } else {
        exchange->respond(http_problem(404, "HTTP-404", "there is nothing at this address"));
    }
}

void HttpListenSource::post(const std::shared_ptr<HttpExchange>& exchange) {
    HttpRequest& request = exchange->request();
    Incoming incoming;
    incoming.name = "POST " + config_.path;
    if (config_.token) {  // once more: it may have been withdrawn while the body came
        HttpTokens::Check check = tokens_->check(request, right_);
        if (check.refuse) {
            exchange->respond(std::move(*check.refuse));
            return;
        }
        incoming.user = check.caller->name;
    }
    const std::string_view key = request.fields.get("Idempotency-Key");
    // Bound to who sent it: nobody can use up another sender's keys.
    if (!key.empty()) incoming.duplicate_key = "key:" + incoming.user + ':' + std::string(key);
    if (config_.jwt) {
        try {
            request.body = verified_payload(request.body);
            // Only what is signed may say that it was here before.
            incoming.duplicate_key = event_key(request.body);
        } catch (const Error& error) {
            exchange->respond(not_signed(error));
            return;
        }
        incoming.content_type = "application/json";
    } else {
        incoming.content_type = media_type(request.fields.get("Content-Type"));
    }
    if (const std::string_view trace = request.fields.get("traceparent"); is_trace_parent(trace))
        incoming.headers.set(header::kTrace, trace);
    try {
        give_body(incoming, request);
    } catch (const Error& error) {
        if (error.fault() == Fault::kPoison) count_listen_refused("reduction");
        throw;  // poison is 400 with its place, the disk is 503
    }
    incoming.headers.set(kReceiptHeader, "1");
    const std::shared_lock lock(closing_);
    if (closed_) {
        exchange->respond(inbox_closed());
        return;
    }
    inbox_.put(std::move(incoming),
               [exchange, path = config_.path](const Receipt& receipt) { exchange->respond(answer_to(receipt, path)); });
}

void HttpListenSource::show(const std::shared_ptr<HttpExchange>& exchange, const std::string& id) const {
    HttpTokens::Check check = tokens_->check(exchange->request(), right_);
    if (check.refuse) {
        exchange->respond(std::move(*check.refuse));
        return;
    }
    const std::optional<Inbox::State> state = is_key_text(id) ? inbox_.state_of(id) : std::nullopt;
    exchange->respond(state ? http_json(200, state_json(id, *state))
                            : http_problem(404, "HTL-025", "no message of this route has that id"));
}

std::string HttpListenSource::verified_payload(std::string_view compact) {
    while (!compact.empty() && (compact.back() == '\n' || compact.back() == '\r')) compact.remove_suffix(1);
    crypto::JwsPolicy policy;
    policy.algorithms = config_.algorithms;
    policy.most_bytes = config_.most;
    const auto now = clock_.steady();
    crypto::Jws jws =
        crypto::verify_jws(compact, policy, [&](const crypto::JwsHeader& head) { return keys_->find(head.kid, now); });
    check_claims(jws.payload, config_.claims, clock_.now());
    return std::move(jws.payload);
}

void HttpListenSource::give_body(Incoming& incoming, HttpRequest& request) const {
    if (const Inbox::Reduce* reduce = inbox_.reduce()) {
        give_reduced(incoming, request.body, inbox_, *reduce);
    } else if (!request.spooled.empty()) {
        incoming.spooled = request.take_spooled();
    } else if (request.body.size() > inbox_.spool_above()) {
        SpoolFile file(inbox_.spool_folder());
        file.write(request.body);
        incoming.spooled = file.keep();
    } else {
        incoming.body = std::move(request.body);
    }
}

}  // namespace

const AdapterInfo& adapter_info() {
    static constexpr AdapterInfo kInfo{
        .name = "http-listen",
        .summary = "Takes messages that systems POST: with a bearer token, or as signed events",
        .namespace_uri = "urn:clrbus:adapter:http-listen:1",
        .schema = "config.xsd",
        .source = [](const AdapterContext& context) -> std::unique_ptr<Source> {
            return std::make_unique<HttpListenSource>(context);
        },
    };
    return kInfo;
}

}  // namespace clrbus::adapters::http_listen
