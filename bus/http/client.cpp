#include "http/client.hpp"

#include <curl/curl.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/counters.hpp"
#include "core/log.hpp"
#include "http/client_credentials.hpp"
#include "http/client_transfer.hpp"

namespace clrbus {
namespace {

constexpr int kPollMost = 1000;  // ms: a wake-up ends it earlier

HttpAnswer stopped_answer() {
    HttpAnswer answer;
    answer.error = Error(Fault::kAway, "HTTP-079", "asking a far side", "the bus stops");
    return answer;
}

void count_call(const HttpAnswer& answer) {
    static Counter& good = counter("clrbus_http_calls_total{outcome=\"answered\"}");
    static Counter& bad = counter("clrbus_http_calls_total{outcome=\"failed\"}");
    (answer.error ? bad : good).add();
}

void deliver_answer(Executor* executor, HttpDone done, HttpAnswer answer) {
    count_call(answer);
    if (executor == nullptr) return done(std::move(answer));
    executor->post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

}  // namespace

struct HttpClient::Impl : std::enable_shared_from_this<HttpClient::Impl> {
    Impl() {
        static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
        multi = kReady == CURLE_OK ? curl_multi_init() : nullptr;
        if (multi == nullptr) throw Error(Fault::kConfig, "HTTP-072", "starting the HTTP client", "no resources");
        thread = std::thread([this] { run(); });
    }
    ~Impl() { curl_multi_cleanup(multi); }

    void stop() {
        stopping = true;
        curl_multi_wakeup(multi);
        if (thread.joinable()) thread.join();
    }

    // First who we are, then the call; both may take a while.
    void begin(HttpCall call, Executor* executor, HttpDone done, bool renewed) {
        const auto credential = call.far_side ? call.far_side->credential : nullptr;
        if (!credential) return add(std::move(call), {}, executor, std::move(done), renewed);
        credential->prove([self = shared_from_this(), call = std::move(call), executor, done = std::move(done), renewed](
                              HttpProof proof, const std::optional<Error>& error) mutable {
            if (!error) return self->add(std::move(call), std::move(proof), executor, std::move(done), renewed);
            HttpAnswer answer;
            answer.error = error;
            deliver_answer(executor, std::move(done), std::move(answer));
        });
    }

    void add(HttpCall call, HttpProof own, Executor* executor, HttpDone done, bool renewed) {
        HttpAnswer refused;
        try {
            // done is copied: what cannot be prepared is answered as well.
            auto transfer = std::make_unique<HttpTransfer>(std::move(call), std::move(own), executor, done);
            transfer->renewed = renewed;
            const std::lock_guard lock(mutex);
            if (!closed) {
                arrived.push_back(std::move(transfer));
                curl_multi_wakeup(multi);
                return;
            }
            refused = stopped_answer();
        } catch (const Error& e) {
            refused.error = e;
        }
        deliver_answer(executor, std::move(done), std::move(refused));
    }

    void run() {
        while (!stopping) {
            std::vector<std::unique_ptr<HttpTransfer>> fresh;
            {
                const std::lock_guard lock(mutex);
                fresh.swap(arrived);
            }
            for (auto& transfer : fresh) launch(std::move(transfer));
            int running = 0;
            curl_multi_perform(multi, &running);
            collect();
            if (!stopping) curl_multi_poll(multi, nullptr, 0, kPollMost, nullptr);
        }
        close();
    }

    void launch(std::unique_ptr<HttpTransfer> transfer) {
        void* easy = transfer->easy();
        live[easy] = std::move(transfer);
        curl_multi_add_handle(multi, easy);
    }

    void collect() {
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            CURL* easy = message->easy_handle;
            const CURLcode code = message->data.result;
            curl_multi_remove_handle(multi, easy);
            const auto found = live.find(easy);
            std::unique_ptr<HttpTransfer> transfer = std::move(found->second);
            live.erase(found);
            bool again = false;
            try {
                again = transfer->finished(code);
            } catch (const Error& e) {
                transfer->fail(e);
            }
            if (again) {
                launch(std::move(transfer));
            } else {
                end(std::move(transfer));
            }
        }
    }

    void end(std::unique_ptr<HttpTransfer> transfer) {
        const auto credential = transfer->call.far_side ? transfer->call.far_side->credential : nullptr;
        if (!transfer->answer().error && transfer->answer().status == 401 && credential && !transfer->renewed &&
            credential->refused(transfer->own)) {
            return begin(std::move(transfer->call), transfer->executor, std::move(transfer->done), true);
        }
        deliver_answer(transfer->executor, std::move(transfer->done), std::move(transfer->answer()));
    }

    void close() {
        std::vector<std::unique_ptr<HttpTransfer>> rest;
        {
            const std::lock_guard lock(mutex);
            closed = true;
            rest.swap(arrived);
        }
        for (auto& [easy, transfer] : live) {
            curl_multi_remove_handle(multi, easy);
            rest.push_back(std::move(transfer));
        }
        live.clear();
        for (auto& transfer : rest) deliver_answer(transfer->executor, std::move(transfer->done), stopped_answer());
    }

    CURLM* multi = nullptr;
    std::atomic<bool> stopping{false};
    std::map<void*, std::unique_ptr<HttpTransfer>> live;  // the client's thread only
    std::mutex mutex;                                     // guards arrived and closed
    std::vector<std::unique_ptr<HttpTransfer>> arrived;
    bool closed = false;
    std::thread thread;  // last: runs on all of the above
};

HttpClient::HttpClient() : impl_(std::make_shared<Impl>()) {}

HttpClient::~HttpClient() {
    stop();
}

void HttpClient::request(HttpCall call, Executor& executor, HttpDone done) {
    impl_->begin(std::move(call), &executor, std::move(done), false);
}

HttpAnswer HttpClient::ask(HttpCall call) {
    const auto answer = std::make_shared<std::promise<HttpAnswer>>();
    impl_->begin(
        std::move(call), nullptr, [answer](HttpAnswer got) { answer->set_value(std::move(got)); }, false);
    return answer->get_future().get();
}

void HttpClient::stop() {
    impl_->stop();
}

}  // namespace clrbus
