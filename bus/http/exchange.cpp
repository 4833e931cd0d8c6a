#include "http/exchange.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace clrbus {

HttpMailbox::HttpMailbox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0)
        throw Error(Fault::kConfig, "HTTP-052", "starting the HTTP server",
                    "eventfd: " + std::generic_category().message(errno));
}

HttpMailbox::~HttpMailbox() {
    ::close(fd_);
}

void HttpMailbox::put(HttpLetter letter) {
    {
        const std::lock_guard lock(mutex_);
        letters_.push_back(std::move(letter));
    }
    wake();
}

void HttpMailbox::wake() {
    const std::uint64_t one = 1;
    // Fails only when the counter is full: then the reader is awake anyway.
    [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
}

std::vector<HttpLetter> HttpMailbox::take() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(fd_, &count, sizeof count);
    const std::lock_guard lock(mutex_);
    return std::exchange(letters_, {});
}

std::shared_ptr<void> BodyMemory::reserve(const std::shared_ptr<std::atomic<std::uint64_t>>& used, std::uint64_t bytes,
                                          std::uint64_t most) {
    if (used->fetch_add(bytes) + bytes > most) {
        used->fetch_sub(bytes);
        return nullptr;
    }
    return {used.get(), [used, bytes](void*) { used->fetch_sub(bytes); }};
}

LiveExchange::LiveExchange(HttpRequest request, std::shared_ptr<HttpMailbox> mailbox, std::uint64_t connection,
                           std::uint64_t number, std::shared_ptr<void> memory)
    : request_(std::move(request)),
      mailbox_(std::move(mailbox)),
      connection_(connection),
      number_(number),
      memory_(std::move(memory)) {}

LiveExchange::~LiveExchange() {
    respond(http_problem(500, "HTTP-500", "this request was not answered; the log names the reason"));
    if (!request_.spooled.empty()) ::unlink(request_.spooled.c_str());
}

void LiveExchange::respond(HttpResponse response) {
    if (answered_.exchange(true)) return;
    mailbox_->put({connection_, number_, HttpLetter::Kind::kAnswer, std::move(response)});
}

}  // namespace clrbus
