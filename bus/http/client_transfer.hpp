// One call on its way: what libcurl is told, and what it tells. For client.cpp alone; used on the client's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "http/client.hpp"
#include "http/client_credentials.hpp"

namespace clrbus {

class SpoolFile;

class HttpTransfer {
public:
    // Throws Error(kPoison, "HTTP-071") for a method or field that would break the head, Error(kConfig, "HTTP-070") for the
    // URL. own: of the credential, shown to the origin of the call alone.
    HttpTransfer(HttpCall call, HttpProof own, Executor* executor, HttpDone done);
    ~HttpTransfer();
    HttpTransfer(const HttpTransfer&) = delete;
    HttpTransfer& operator=(const HttpTransfer&) = delete;

    void* easy() const { return easy_; }  // CURL*, ready to run
    // What libcurl said at the end (a CURLcode) becomes the answer. True: a redirect, run easy() again.
    bool finished(int code);
    HttpAnswer& answer() { return answer_; }
    void fail(Error error) { answer_.error = std::move(error); }

    HttpCall call;
    HttpProof own;
    Executor* executor;  // null: on the client's own thread
    HttpDone done;
    bool renewed = false;  // asked again with a new credential

private:
    static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
    static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
    void prepare();
    void take_line(std::string_view line);
    bool take_body(std::string_view bytes);
    bool redirect();
    std::string away_text(int code) const;

    void* easy_ = nullptr;
    void* lines_ = nullptr;  // curl_slist*
    std::string url_, method_;
    bool with_body_ = true;
    unsigned redirects_ = 0;
    std::size_t head_bytes_ = 0;
    bool head_ended_ = false;  // libcurl takes a head that was cut off for a whole answer
    bool too_large_ = false, bad_head_ = false;
    std::unique_ptr<SpoolFile> file_;
    HttpAnswer answer_;
};

}  // namespace clrbus
