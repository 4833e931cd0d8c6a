#include "telemetry/exporter.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/executor.hpp"
#include "core/log.hpp"
#include "http/client.hpp"

namespace clrbus::telemetry {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::chrono::seconds kExportWaitMost{60};

class ExportInPlace : public Executor {
public:
    void post(Job job) override { job(); }
};
// Answers may come after the end.
ExportInPlace& export_in_place() {
    static ExportInPlace one;
    return one;
}

object export_attribute(std::string_view key, std::string_view value) {
    return {{"key", key}, {"value", {{"stringValue", value}}}};
}

object span_object(const spans::Span& span) {
    array attributes;
    for (const auto& [key, value] : span.attributes) attributes.push_back(export_attribute(key, value));
    if (!span.failed.empty()) attributes.push_back(export_attribute("error.type", span.failed));
    object out{{"traceId", span.trace},
               {"spanId", span.id},
               {"name", span.name},
               {"kind", static_cast<int>(span.kind)},
               {"startTimeUnixNano", std::to_string(span.start)},
               {"endTimeUnixNano", std::to_string(span.end)},
               {"attributes", std::move(attributes)},
               {"status", object{{"code", span.failed.empty() ? 1 : 2}}}};
    if (!span.parent.empty()) out["parentSpanId"] = span.parent;
    return out;
}

struct ExportAnswer {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<HttpAnswer> answer;
};

}  // namespace

std::string otlp_json(const std::vector<spans::Span>& spans, const ExportOptions& options) {
    array all;
    for (const spans::Span& span : spans) all.push_back(span_object(span));
    const object resource{{"attributes", array{export_attribute("service.name", "clrbus"),
                                               export_attribute("service.instance.id", options.instance),
                                               export_attribute("service.version", options.version)}}};
    const object scope{{"scope", object{{"name", "clrbus"}, {"version", options.version}}}, {"spans", std::move(all)}};
    return boost::json::serialize(
        object{{"resourceSpans", array{object{{"resource", resource}, {"scopeSpans", array{scope}}}}}});
}

ExportOptions read_export_options(const Config& element, const std::filesystem::path& folder,
                                  const std::function<std::string(std::string_view name)>& secret) {
    ExportOptions out;
    out.url = element.require("url");
    try {
        http_origin(out.url);
    } catch (const Error& e) {
        element.fail("OTLP-001", "url", e.why());
    }
    if (element.has("ca-file")) out.ca_file = (folder / element.get("ca-file")).lexically_normal();
    if (element.has("token-secret")) {
        const std::string name = element.get("token-secret");
        secret(name);  // what is missing is found at the start
        out.token = [name, secret] { return secret(name); };
    }
    out.every = std::max<std::chrono::milliseconds>(element.get_duration("every", out.every), std::chrono::seconds(1));
    out.ring = static_cast<std::size_t>(element.get_int("ring", static_cast<std::int64_t>(out.ring)));
    return out;
}

struct Exporter::Impl {
    const ExportOptions options;
    HttpClient& client;
    std::shared_ptr<const HttpFarSide> far_side;
    bool failing = false;
    std::jthread thread;  // last: uses the others

    Impl(ExportOptions given, HttpClient& to) : options(std::move(given)), client(to) {
        auto side = std::make_shared<HttpFarSide>();
        side->ca_file = options.ca_file;
        far_side = std::move(side);
    }

    // Whether to try again: no answer, or one of those that OTLP names.
    bool send(const std::stop_token& stop, const std::vector<spans::Span>& batch, std::optional<std::chrono::seconds>& wait) {
        HttpCall call;
        call.method = "POST";
        call.url = options.url;
        call.body = otlp_json(batch, options);
        call.far_side = far_side;
        call.timeout = options.timeout;
        call.max_answer = 64U << 10;
        call.fields.add("Content-Type", "application/json");
        if (options.token) call.fields.add("Authorization", "Bearer " + options.token());
        const auto got = std::make_shared<ExportAnswer>();
        client.request(std::move(call), export_in_place(), [got](HttpAnswer answer) {
            const std::lock_guard lock(got->mutex);
            got->answer = std::move(answer);
            got->changed.notify_all();
        });
        std::unique_lock lock(got->mutex);
        if (!got->changed.wait(lock, stop, [&] { return got->answer.has_value(); })) return false;
        const HttpAnswer& answer = *got->answer;
        const bool taken = answer.status >= 200 && answer.status < 300;
        if (taken) {
            counter("clrbus_spans_exported_total").add(static_cast<std::int64_t>(batch.size()));
            if (std::exchange(failing, false)) log::info("telemetry", "the collector takes spans again");
            return false;
        }
        counter("clrbus_spans_export_failed_total").add();
        const bool again = answer.status == 0 || answer.status == 429 || (answer.status >= 502 && answer.status <= 504);
        if (!std::exchange(failing, true)) {
            log::warn("telemetry", "OTLP-002: the collector does not take spans: " +
                                       (answer.status != 0 ? "it answers " + std::to_string(answer.status)
                                        : answer.error     ? answer.error->code() + ": " + answer.error->why()
                                                           : std::string("no answer")));
        }
        if (!again) counter("clrbus_spans_refused_total").add(static_cast<std::int64_t>(batch.size()));
        wait = answer.retry_after;
        return again;
    }

    void run(const std::stop_token& stop) {
        std::mutex none;
        std::condition_variable_any timer;
        std::vector<spans::Span> batch;
        std::chrono::milliseconds pause = options.every;
        while (!stop.stop_requested()) {
            {
                std::unique_lock lock(none);
                timer.wait_for(lock, stop, pause, [] { return false; });
            }
            pause = options.every;
            while (!stop.stop_requested()) {
                if (batch.empty()) batch = spans::take(options.batch);
                if (batch.empty()) break;
                std::optional<std::chrono::seconds> wait;
                bool again = true;
                try {
                    again = send(stop, batch, wait);
                } catch (const Error& e) {  // a secret that cannot be read now
                    if (!std::exchange(failing, true)) log::warn("telemetry", e.code() + ": " + e.what());
                }
                if (again) {
                    const auto longer = std::max<std::chrono::milliseconds>(wait.value_or(std::chrono::seconds(0)), pause * 4);
                    pause = std::min<std::chrono::milliseconds>(longer, kExportWaitMost);
                    break;
                }
                batch.clear();
            }
        }
    }
};

Exporter::Exporter(ExportOptions options, HttpClient& client) : impl_(std::make_unique<Impl>(std::move(options), client)) {
    spans::enable(impl_->options.ring);
    impl_->thread = std::jthread([me = impl_.get()](const std::stop_token& stop) { me->run(stop); });
}

Exporter::~Exporter() {
    spans::enable(0);
}

}  // namespace clrbus::telemetry
