#include "http/connection.hpp"

#include <algorithm>
#include <utility>

#include "core/clock.hpp"
#include "core/counters.hpp"
#include "core/log.hpp"
#include "http/wire.hpp"

namespace clrbus {

namespace {

constexpr std::size_t kHttpInMost = 64 << 10;  // bytes read ahead
constexpr std::size_t kHttpSpoolChunk = 256 << 10;
constexpr std::uint64_t kHttpLingerMost = 1 << 20;
constexpr std::chrono::seconds kHttpLinger{2};

void count_refused(std::string_view reason) {
    counter("clrbus_http_refused_total{reason=\"" + std::string(reason) + "\"}").add();
}

void run_http_handler(MountedHandler& mounted, const std::shared_ptr<HttpExchange>& exchange) {
    const bool there = mounted.inside([&](const HttpMount& mount) {
        try {
            mount.handle(exchange);
        } catch (const Error& error) {
            if (error.fault() != Fault::kPoison) log::error("http", error.what());
            exchange->respond(http_problem(error));
        } catch (const std::exception& error) {
            log::error("http", "a handler of '" + mount.prefix + "' failed: " + error.what());
            exchange->respond(http_problem(500, "HTTP-500", "this request met an error on our side; the log names it"));
        }
    });
    if (!there) exchange->respond(http_problem(404, "HTTP-404", "there is nothing at this address"));
}

std::vector<std::string> allowed_methods(const HttpMount& mount) {
    std::vector<std::string> methods = mount.methods;
    if (std::find(methods.begin(), methods.end(), "GET") != methods.end()) methods.emplace_back("HEAD");
    methods.emplace_back("OPTIONS");
    return methods;
}

}  // namespace

HttpConnection::HttpConnection(std::uint64_t id, std::unique_ptr<HttpTransport> transport, std::string peer, HttpShared& shared,
                               Steady now)
    : id_(id), transport_(std::move(transport)), peer_(std::move(peer)), shared_(shared), since_(now) {}

void HttpConnection::enter(State state, Steady now) {
    state_ = state;
    since_ = now;
    moved_ = 0;
}

bool HttpConnection::wants_read() const {
    if (ended_) return false;
    return state_ == State::kHead || state_ == State::kBody || state_ == State::kLinger;
}

HttpConnection::Steady HttpConnection::deadline() const {
    const HttpServerOptions& options = shared_.options;
    switch (state_) {
        case State::kHead:
            return since_ + (in_.empty() && number_ != 0 ? options.keep_alive : options.head_deadline);
        case State::kBody:
        case State::kAnswer:
            return since_ + options.stall + std::chrono::milliseconds(moved_ * 1000 / options.min_rate);
        case State::kSpooling:
        case State::kWorking:
            return since_ + options.answer_deadline;
        case State::kLinger:
            break;
    }
    return since_ + kHttpLinger;
}

bool HttpConnection::on_events(bool readable, bool writable, bool broken, Steady now) {
    if (writable && wants_write()) {
        const Went went = write(now);
        if (went == Went::kOver || (went == Went::kOn && !advance(now))) return false;
    }
    if (readable && wants_read() && !read(now)) return false;
    // A reset, or both sides shut down while a handler works: its answer has nowhere to go.
    return !broken || (wants_read() && readable);
}

bool HttpConnection::read(Steady now) {
    const bool idle = state_ == State::kHead && in_.empty();
    const std::size_t before = in_.size();
    switch (transport_->read(in_)) {
        case HttpTransport::Result::kOk:
            break;
        case HttpTransport::Result::kAgain:
            return true;
        case HttpTransport::Result::kEnd:
            ended_ = true;
            break;
        case HttpTransport::Result::kBroken:
            return false;
    }
    if (state_ == State::kLinger) {
        moved_ += in_.size();
        in_.clear();
        return !ended_ && moved_ < kHttpLingerMost;
    }
    if (idle && !in_.empty()) since_ = now;  // the head's deadline runs from its first byte
    if (state_ == State::kBody) moved_ += in_.size() - before;
    return advance(now);
}

bool HttpConnection::advance(Steady now) {
    for (;;) {
        switch (step(now)) {
            case Went::kOn:
                continue;
            case Went::kWait:
                return true;
            case Went::kOver:
                return false;
        }
    }
}

HttpConnection::Went HttpConnection::step(Steady now) {
    switch (state_) {
        case State::kHead:
            return head_step(now);
        case State::kBody:
            return body_step(now);
        default:
            return Went::kWait;
    }
}

HttpConnection::Went HttpConnection::head_step(Steady now) {
    try {
        // One empty line in front is forgiven (RFC 9112 section 2.2).
        if (number_ != 0 && in_.starts_with("\r\n")) in_.erase(0, 2);
        const std::size_t size = scanner_.scan(in_, shared_.options.head);
        if (size == 0) return ended_ ? ended(now) : Went::kWait;
        head_ = read_http_head(std::string_view(in_).substr(0, size), shared_.options.head);
        in_.erase(0, size);
        scanner_.reset();
    } catch (const HttpRefusal& refusal) {
        return refuse(refusal, now);
    }
    return begin(now);
}

HttpConnection::Went HttpConnection::begin(Steady now) {
    ++number_;
    HttpRequest& request = head_.request;
    request.peer = peer_;
    request.tls = transport_->tls();
    request.tls_subject = transport_->peer_subject();
    request.body_size = head_.length;
    left_ = head_.length;
    head_only_ = request.method == "HEAD";
    close_ = !head_.keep_alive;
    enter(State::kBody, now);
    moved_ = std::min<std::uint64_t>(left_, in_.size());

    mounted_ = shared_.mounts.find(request.path, request.rest);
    if (!mounted_) return answer(http_problem(404, "HTTP-404", "there is nothing at this address"), false, now);
    const HttpMount& mount = mounted_->mount();
    if (!mount.methods.empty()) {
        const std::vector<std::string> methods = allowed_methods(mount);
        if (std::find(methods.begin(), methods.end(), request.method) == methods.end())
            return answer(http_not_allowed(methods), false, now);
        if (request.method == "OPTIONS") {
            HttpResponse allow = http_not_allowed(methods);
            allow.status = 204;
            allow.body.clear();
            return answer(std::move(allow), false, now);
        }
    }
    HttpAdmission admission;
    if (mount.admit) mounted_->inside([&](const HttpMount& open) { admission = open.admit(request); });
    if (admission.refuse) return answer(std::move(*admission.refuse), false, now);
    if (left_ > admission.most) {
        count_refused("body-size");
        return answer(
            http_problem(413, "HTTP-024", "the body is too large", "at most " + std::to_string(admission.most) + " bytes"),
            false, now);
    }
    if (left_ > admission.spool_above) {
        try {
            spool_ = std::make_shared<SpoolFile>(admission.spool_folder);
        } catch (const Error& error) {
            log::error("http", error.what());
            return answer(http_unavailable(error.code(), "there is no room for the body now", 30), false, now);
        }
    } else if (left_ != 0) {
        const std::uint64_t most = shared_.options.body_memory;
        memory_ = admission.known ? BodyMemory::reserve(shared_.known_bodies, left_, most)
                                  : BodyMemory::reserve(shared_.other_bodies, left_, most / 4);
        if (!memory_) {
            count_refused("body-memory");
            return answer(http_unavailable("HTTP-025", "too many bodies are on their way now", 2), false, now);
        }
        request.body.reserve(left_);
    }
    if (head_.expects_continue && in_.empty()) {
        out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        if (write(now) == Went::kOver) return Went::kOver;
    }
    return Went::kOn;
}

HttpConnection::Went HttpConnection::body_step(Steady now) {
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in_.size()));
    (spool_ ? chunk_ : head_.request.body).append(in_, 0, take);
    in_.erase(0, take);
    left_ -= take;
    if (spool_ && (left_ == 0 || chunk_.size() >= kHttpSpoolChunk)) return spool(now);
    if (left_ == 0) {
        dispatch(now);
        return Went::kWait;
    }
    return ended_ ? ended(now) : Went::kWait;
}

HttpConnection::Went HttpConnection::ended(Steady now) {
    if (state_ == State::kHead && in_.empty()) return Went::kOver;
    return refuse({400, "cut", "HTTP-026", "the request was cut off", "as many bytes as Content-Length says"}, now);
}

HttpConnection::Went HttpConnection::spool(Steady now) {
    auto write_chunk = [file = spool_, chunk = std::exchange(chunk_, {})] { file->write(chunk); };
    if (left_ == 0) {
        auto exchange = make_exchange();
        enter(State::kWorking, now);
        shared_.pool->post([write_chunk = std::move(write_chunk), file = std::exchange(spool_, nullptr), mounted = mounted_,
                            exchange = std::move(exchange)] {
            try {
                write_chunk();
                exchange->request().spooled = file->keep();
            } catch (const Error& error) {
                log::error("http", error.what());
                exchange->respond(http_unavailable(error.code(), "there is no room for the body now", 30));
                return;
            }
            run_http_handler(*mounted, exchange);
        });
        return Went::kWait;
    }
    // Reading goes on when the chunk is written: a body is never further ahead of the disk than this.
    state_ = State::kSpooling;
    spooling_since_ = now;
    shared_.pool->post([write_chunk = std::move(write_chunk), mailbox = shared_.mailbox, id = id_, number = number_] {
        HttpLetter letter{id, number, HttpLetter::Kind::kSpooled, {}};
        try {
            write_chunk();
        } catch (const Error& error) {
            log::error("http", error.what());
            letter.kind = HttpLetter::Kind::kSpoolFailed;
        }
        mailbox->put(std::move(letter));
    });
    return Went::kWait;
}

std::shared_ptr<LiveExchange> HttpConnection::make_exchange() {
    return std::make_shared<LiveExchange>(std::move(head_.request), shared_.mailbox, id_, number_,
                                          std::exchange(memory_, nullptr));
}

void HttpConnection::dispatch(Steady now) {
    enter(State::kWorking, now);
    shared_.pool->post([mounted = mounted_, exchange = make_exchange()] { run_http_handler(*mounted, exchange); });
}

bool HttpConnection::on_letter(HttpLetter letter, Steady now) {
    if (letter.request != number_) return true;
    Went went = Went::kWait;
    if (letter.kind == HttpLetter::Kind::kAnswer) {
        if (state_ != State::kWorking) return true;
        went = answer(std::move(letter.response), false, now);
    } else {
        if (state_ != State::kSpooling) return true;
        since_ += now - spooling_since_;  // the sender does not pay for our disk
        state_ = State::kBody;
        went = letter.kind == HttpLetter::Kind::kSpooled
                   ? Went::kOn
                   : answer(http_unavailable("HTTP-061", "there is no room for the body now", 30), false, now);
    }
    return went == Went::kOn ? advance(now) : went == Went::kWait;
}

bool HttpConnection::on_time(Steady now) {
    if (now < deadline()) return true;
    switch (state_) {
        case State::kHead:
            if (in_.empty()) return false;
            [[fallthrough]];
        case State::kBody:
            return refuse({408, "slow", "HTTP-027", "the request took too long to arrive", "a whole request within 10 s"},
                          now) != Went::kOver;
        case State::kSpooling:
        case State::kWorking:
            count_refused("answer-late");
            return answer(http_unavailable("HTTP-028", "no answer was ready in time; what was sent may have been taken", 5),
                          true, now) != Went::kOver;
        case State::kAnswer:
            count_refused("slow-reader");
            return false;
        case State::kLinger:
            break;
    }
    return false;
}

bool HttpConnection::on_stop() const {
    return state_ != State::kLinger && (state_ != State::kHead || !in_.empty());
}

HttpConnection::Went HttpConnection::refuse(const HttpRefusal& refusal, Steady now) {
    count_refused(refusal.reason);
    head_only_ = false;
    return answer(http_problem(refusal.status, refusal.code, refusal.what, refusal.expected), true, now);
}

HttpConnection::Went HttpConnection::answer(HttpResponse response, bool close, Steady now) {
    // A body that is here already can be stepped over; one that is still on its way ends the connection.
    if (!close && left_ <= in_.size()) {
        in_.erase(0, left_);
        left_ = 0;
    }
    close_ = close_ || close || left_ != 0 || shared_.stopping;
    spool_.reset();
    chunk_.clear();
    memory_.reset();
    const std::string status_class{static_cast<char>('0' + response.status / 100)};
    counter("clrbus_http_answers_total{status=\"" + status_class + "xx\"}").add();
    HttpWireOptions options{.keep_alive = !close_,
                            .without_body = head_only_,
                            .date = std::chrono::floor<std::chrono::seconds>(system_clock().now())};
    try {
        out_ += http_wire(std::move(response), options);
    } catch (const Error& error) {
        log::error("http", error.what());
        out_ += http_wire(http_problem(500, error.code(), "this request met an error on our side; the log names it"), options);
    }
    enter(State::kAnswer, now);
    return write(now);
}

HttpConnection::Went HttpConnection::write(Steady now) {
    std::string_view left = std::string_view(out_).substr(out_sent_);
    const std::size_t before = left.size();
    const HttpTransport::Result result = transport_->write(left);
    out_sent_ += before - left.size();
    if (state_ == State::kAnswer) moved_ += before - left.size();
    if (result == HttpTransport::Result::kBroken) return Went::kOver;
    if (wants_write()) return Went::kWait;
    out_ = {};  // gives the memory of a large answer back
    out_sent_ = 0;
    return state_ == State::kAnswer ? answered(now) : Went::kWait;
}

HttpConnection::Went HttpConnection::answered(Steady now) {
    head_ = {};
    mounted_.reset();
    left_ = 0;
    head_only_ = false;
    if (close_) {
        if (ended_) return Went::kOver;
        // What was sent beyond the answer is read and dropped, since a reset would take the answer away from the peer.
        transport_->end_writing();
        in_ = {};
        enter(State::kLinger, now);
        return Went::kWait;
    }
    scanner_.reset();
    enter(State::kHead, now);
    return Went::kOn;
}

}  // namespace clrbus
