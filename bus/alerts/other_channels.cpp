#include "alerts/other_channels.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/executor.hpp"
#include "crypto/hash.hpp"
#include "http/client.hpp"
#include "routing/child_process.hpp"

namespace clrbus::alerts {
namespace {

class InPlace : public Executor {
public:
    void post(Job job) override { job(); }
};

// Answers may come after the end of a channel.
InPlace& in_place() {
    static InPlace one;
    return one;
}

class WebhookChannel : public Channel {
public:
    WebhookChannel(WebhookOptions options, HttpClient& client, const Clock& clock)
        : Channel(options.name, options.kinds), options_(std::move(options)), client_(client), clock_(clock) {
        auto side = std::make_shared<HttpFarSide>();
        side->ca_file = options_.ca_file;
        far_side_ = std::move(side);
        origin_ = http_origin(options_.url);
    }

    void cancel() override {
        const std::lock_guard lock(wait_->mutex);
        wait_->cancelled = true;
        wait_->changed.notify_all();
    }

    void send(const Notice& notice) override {
        HttpCall call;
        call.method = "POST";
        call.url = options_.url;
        call.body = notice_json(notice);
        call.far_side = far_side_;
        call.timeout = options_.timeout;
        call.max_answer = 64U << 10;
        call.fields.add("Content-Type", "application/json");
        call.fields.add("Idempotency-Key", notice.id);
        if (options_.token) call.fields.add("Authorization", "Bearer " + options_.token());
        if (options_.key) {
            const std::string now =
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(clock_.now().time_since_epoch()).count());
            call.fields.add("Clrbus-Signature",
                            "t=" + now + ",v1=" + crypto::to_hex(crypto::hmac_sha256(options_.key(), now + "." + call.body)));
        }
        // Not client_.ask: the end of the process does not wait for a far side.
        const auto answer = std::make_shared<std::optional<HttpAnswer>>();
        client_.request(std::move(call), in_place(), [wait = wait_, answer](HttpAnswer got) {
            const std::lock_guard lock(wait->mutex);
            *answer = std::move(got);
            wait->changed.notify_all();
        });
        std::unique_lock lock(wait_->mutex);
        wait_->changed.wait(lock, [&] { return answer->has_value() || wait_->cancelled; });
        const std::string doing = "telling " + origin_;
        if (!answer->has_value()) throw Error(Fault::kAway, "ALERT-021", doing, "the bus stops");
        const HttpAnswer& got = **answer;
        if (got.status >= 200 && got.status < 300) return;  // what follows the head does not matter
        if (got.error && got.status == 0)
            throw Error(Fault::kAway, "ALERT-021", doing, "no answer: " + got.error->code() + ": " + got.error->why());
        throw Error(Fault::kAway, "ALERT-020", doing, "it answers " + std::to_string(got.status));
    }

private:
    struct Wait {
        std::mutex mutex;
        std::condition_variable changed;
        bool cancelled = false;
    };
    const WebhookOptions options_;
    HttpClient& client_;
    const Clock& clock_;
    std::shared_ptr<const HttpFarSide> far_side_;
    std::string origin_;
    const std::shared_ptr<Wait> wait_ = std::make_shared<Wait>();  // shared with answers that come after the end
};

class CommandChannel : public Channel {
public:
    explicit CommandChannel(CommandOptions options) : Channel(options.name, options.kinds), options_(std::move(options)) {}
    void cancel() override { cancelled_ = true; }

    void send(const Notice& notice) override {
        ChildPlan plan;
        plan.program = options_.program;
        plan.directory = options_.program.parent_path();
        plan.time = options_.timeout;
        plan.output_bytes = 64U << 10;
        const ChildResult done =
            run_child(plan, {"PATH=/usr/local/bin:/usr/bin:/bin", "CLRBUS_SUBJECT=" + notice_subject(notice)},
                      notice_json(notice), &cancelled_);
        if (done.end == ChildResult::End::kExit && done.status == 0) return;
        const std::string why = done.end == ChildResult::End::kExit      ? "it ends with " + std::to_string(done.status)
                                : done.end == ChildResult::End::kSignal  ? "signal " + std::to_string(done.status) + " ends it"
                                : done.end == ChildResult::End::kTime    ? "it takes too long"
                                : done.end == ChildResult::End::kOutput  ? "it writes too much"
                                : done.end == ChildResult::End::kStopped ? "the bus stops"
                                                                         : "it does not start";
        throw Error(Fault::kAway, "ALERT-030", "running " + options_.program.filename().string(), why);
    }

private:
    const CommandOptions options_;
    std::atomic<bool> cancelled_{false};
};

}  // namespace

std::unique_ptr<Channel> make_webhook_channel(WebhookOptions options, HttpClient& client, const Clock& clock) {
    return std::make_unique<WebhookChannel>(std::move(options), client, clock);
}

std::unique_ptr<Channel> make_command_channel(CommandOptions options) {
    const std::string file = options.program.string();
    const auto refuse = [&](const std::string& why) {
        throw Error(Fault::kConfig, "ALERT-002", "reading <command>", Where{.file = file}, why)
            .expected("an executable file that root or the user of the bus alone may write to");
    };
    struct stat status {};
    for (const std::filesystem::path& one : {options.program, options.program.parent_path()}) {
        if (::stat(one.c_str(), &status) != 0) refuse("it is not there");
        if (status.st_uid != 0 && status.st_uid != ::geteuid()) refuse("it belongs to another user");
        if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) refuse("others may write to it");
    }
    if (!std::filesystem::is_regular_file(options.program) || ::access(file.c_str(), X_OK) != 0) refuse("it cannot be run");
    return std::make_unique<CommandChannel>(std::move(options));
}

}  // namespace clrbus::alerts
