#include "http/client_transfer.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "http/client_url.hpp"
#include "http/spool_file.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kAnswerHeadMost = 64 << 10;  // of all heads of one answer, interim ones included
constexpr std::size_t kAnswerFieldsMost = 200;
constexpr long kRetryAfterMost = 3600;

const HttpFarSide& default_far_side() {
    static const HttpFarSide kDefaults;
    return kDefaults;
}

template <typename Value>
void curl_set(void* easy, CURLoption option, Value value) {
    if (curl_easy_setopt(easy, option, value) != CURLE_OK)
        throw Error(Fault::kConfig, "HTTP-072", "preparing a call", "libcurl does not take option " + std::to_string(option));
}

void check_field(std::string_view name, std::string_view value) {
    if (!is_http_token(name) || !is_http_field_value(value))
        throw Error(Fault::kPoison, "HTTP-071", "writing a header field", "its name or value would break the head")
            .expected("a token, and a value without control characters");
}

bool belongs_to_us(std::string_view name) {
    return same_field_name(name, "Host") || same_field_name(name, "Content-Length") ||
           same_field_name(name, "Transfer-Encoding") || same_field_name(name, "Connection") ||
           same_field_name(name, "Expect") || same_field_name(name, "Accept-Encoding");
}

}  // namespace

HttpTransfer::HttpTransfer(HttpCall given, HttpProof credential, Executor* runs, HttpDone finish)
    : call(std::move(given)),
      own(std::move(credential)),
      executor(runs),
      done(std::move(finish)),
      url_(call.url),
      method_(call.method) {
    answer_.origin = http_origin(url_);
    if (!is_http_token(method_)) throw Error(Fault::kPoison, "HTTP-071", "writing a request", "the method is no token");
    for (const auto& [name, value] : call.fields.entries()) check_field(name, value);
    for (const auto& [name, value] : own.fields.entries()) check_field(name, value);
    easy_ = curl_easy_init();
    if (easy_ == nullptr) throw Error(Fault::kAway, "HTTP-072", "preparing a call", "no memory");
    try {
        prepare();
    } catch (...) {
        curl_slist_free_all(static_cast<curl_slist*>(lines_));
        curl_easy_cleanup(easy_);
        throw;
    }
}

HttpTransfer::~HttpTransfer() {
    curl_easy_cleanup(easy_);
    curl_slist_free_all(static_cast<curl_slist*>(lines_));
}

// All that a call needs, and everything off that libcurl would do by itself.
void HttpTransfer::prepare() {
    const HttpFarSide& far = call.far_side ? *call.far_side : default_far_side();
    // Who we are is for the origin that was asked, and no other one.
    const bool known = http_origin(url_) == http_origin(call.url);
    curl_set(easy_, CURLOPT_URL, (known ? http_with_query(url_, own.query) : url_).c_str());
    curl_set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_set(easy_, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_set(easy_, CURLOPT_NOSIGNAL, 1L);
    curl_set(easy_, CURLOPT_NOPROGRESS, 1L);
    curl_set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
    curl_set(easy_, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_set(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_set(easy_, CURLOPT_PROXY, far.proxy.c_str());  // "" also overrides the environment
    curl_set(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!far.ca_file.empty()) {
        curl_set(easy_, CURLOPT_CAINFO, far.ca_file.c_str());
        curl_set(easy_, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    if (!far.certificate.empty()) {
        curl_set(easy_, CURLOPT_SSLCERT, far.certificate.c_str());
        curl_set(easy_, CURLOPT_SSLKEY, far.key.c_str());
    }
    curl_set(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(far.connect.count()));
    curl_set(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
    curl_set(easy_, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(far.low_rate));
    curl_set(easy_, CURLOPT_LOW_SPEED_TIME, static_cast<long>(far.stall.count()));
    curl_set(easy_, CURLOPT_ACCEPT_ENCODING, "gzip");  // what comes out is counted, by pieces of 16 KB
    curl_set(easy_, CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
    curl_set(easy_, CURLOPT_HEADERDATA, static_cast<void*>(this));
    curl_set(easy_, CURLOPT_WRITEFUNCTION, &HttpTransfer::on_body);
    curl_set(easy_, CURLOPT_WRITEDATA, static_cast<void*>(this));
    curl_set(easy_, CURLOPT_PRIVATE, static_cast<void*>(this));

    curl_slist* lines = nullptr;
    const auto add = [&](const std::string& line) {
        curl_slist* longer = curl_slist_append(lines, line.c_str());
        if (longer != nullptr) lines = longer;
    };
    add("Expect:");  // many servers answer it badly
    bool typed = false;
    const auto add_all = [&](const HttpFields& fields) {
        for (const auto& [name, value] : fields.entries()) {
            if (belongs_to_us(name)) continue;
            typed = typed || same_field_name(name, "Content-Type");
            add(value.empty() ? name + ';' : name + ": " + value);
        }
    };
    add_all(call.fields);
    if (known) add_all(own.fields);
    if (!typed) add("Content-Type:");
    if (!call.fields.has("User-Agent")) add("User-Agent: clrbus");
    if (!call.fields.has("Accept")) add("Accept: */*");
    curl_slist_free_all(static_cast<curl_slist*>(lines_));
    lines_ = lines;
    curl_set(easy_, CURLOPT_HTTPHEADER, lines);

    curl_set(easy_, CURLOPT_CUSTOMREQUEST, static_cast<const char*>(nullptr));
    if (method_ == "GET") {
        curl_set(easy_, CURLOPT_HTTPGET, 1L);
    } else if (method_ == "HEAD") {
        curl_set(easy_, CURLOPT_NOBODY, 1L);
    } else {
        curl_set(easy_, CURLOPT_POST, 1L);
        curl_set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
        curl_set(easy_, CURLOPT_POSTFIELDS, call.body.data());
        if (method_ != "POST") curl_set(easy_, CURLOPT_CUSTOMREQUEST, method_.c_str());
    }
}

std::size_t HttpTransfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<HttpTransfer*>(self);
    transfer->head_bytes_ += size * count;
    if (transfer->head_bytes_ > kAnswerHeadMost || transfer->answer_.fields.entries().size() > kAnswerFieldsMost) {
        transfer->bad_head_ = true;
        return 0;
    }
    transfer->take_line({bytes, size * count});
    return size * count;
}

void HttpTransfer::take_line(std::string_view line) {
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.rfind("HTTP/", 0) == 0) {  // also after an interim answer
        answer_.fields = HttpFields();
        head_ended_ = false;
        return;
    }
    if (line.empty()) head_ended_ = true;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    answer_.fields.add(line.substr(0, colon), value);
}

std::size_t HttpTransfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<HttpTransfer*>(self);
    try {
        return transfer->take_body({bytes, size * count}) ? size * count : 0;
    } catch (const Error& e) {
        transfer->answer_.error = e;
    } catch (const std::exception&) {
        transfer->too_large_ = true;  // no memory for it
    }
    return 0;
}

bool HttpTransfer::take_body(std::string_view bytes) {
    answer_.body_size += bytes.size();
    if (answer_.body_size > call.max_answer) {
        too_large_ = true;
        return false;
    }
    if (call.save_in.empty()) {
        answer_.body.append(bytes);
    } else {
        if (!file_) file_ = std::make_unique<SpoolFile>(call.save_in);
        file_->write(bytes);
    }
    return true;
}

std::string HttpTransfer::away_text(int code) const {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return "its name is not known";
        case CURLE_COULDNT_RESOLVE_PROXY:
            return "the proxy's name is not known";
        case CURLE_COULDNT_CONNECT:
            return "it cannot be reached";
        case CURLE_PEER_FAILED_VERIFICATION:
            return "its certificate is not good for this name or authority";
        case CURLE_SSL_CONNECT_ERROR:
            return "no TLS session";
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
            return "our certificate, key or authority file cannot be used";
        default:
            return "the connection failed: " + std::string(curl_easy_strerror(static_cast<CURLcode>(code)));
    }
}

bool HttpTransfer::finished(int code) {
    long status = 0, connect = 0;
    curl_off_t wait = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &connect);
    curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &wait);
    answer_.status = static_cast<int>(status);
    answer_.origin = http_origin(url_);
    if (wait > 0) answer_.retry_after = std::chrono::seconds(std::min<curl_off_t>(wait, kRetryAfterMost));
    const std::string doing = "asking " + answer_.origin;
    if (code == CURLE_OK && !head_ended_) code = CURLE_PARTIAL_FILE;
    if (code == CURLE_OK) {
        try {
            if (file_) answer_.saved = file_->keep();
        } catch (const Error& e) {
            answer_.error = e;
        }
        return !answer_.error && redirect();
    }
    if (answer_.error) return false;  // the disk, while saving
    if (too_large_) {
        answer_.error = Error(Fault::kPoison, "HTTP-075", doing, "the answer is larger than is taken")
                            .expected("at most " + std::to_string(call.max_answer) + " bytes");
    } else if (connect == 407) {
        answer_.error = Error(Fault::kAway, "HTTP-078", doing, "the proxy wants credentials (407)");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        answer_.error = Error(Fault::kAway, "HTTP-074", doing,
                              status == 0 ? "no answer in time" : "the answer did not come to its end in time");
    } else if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
               code == CURLE_GOT_NOTHING) {
        answer_.error = Error(Fault::kAway, "HTTP-076", doing,
                              status == 0 ? "it hung up without an answer" : "it hung up within its answer");
    } else if (bad_head_ || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
               code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_WRITE_ERROR || code == CURLE_OUT_OF_MEMORY) {
        answer_.error = Error(Fault::kAway, "HTTP-077", doing, "what it answers is no HTTP that can be read");
    } else {
        answer_.error = Error(Fault::kAway, "HTTP-073", doing, away_text(code));
    }
    answer_.body.clear();
    file_.reset();
    return false;
}

bool HttpTransfer::redirect() {
    const int status = answer_.status;
    const bool moved = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    const unsigned most = call.far_side ? call.far_side->redirects : 0;
    if (!moved || most == 0) return false;
    const std::string doing = "asking " + answer_.origin;
    const bool safe = method_ == "GET" || method_ == "HEAD";
    const std::string next = http_redirect(url_, answer_.fields.get("Location"), call.far_side->redirect_to);
    if (redirects_ >= most || next.empty() || (!safe && status != 307 && status != 308)) {
        answer_.error = Error(Fault::kAway, "HTTP-080", doing,
                              redirects_ >= most ? "it redirects too often" : "it redirects to where we do not follow");
        return false;
    }
    ++redirects_;
    url_ = next;
    answer_ = HttpAnswer();
    answer_.origin = http_origin(url_);
    file_.reset();
    head_bytes_ = 0;
    prepare();
    return true;
}

}  // namespace clrbus
