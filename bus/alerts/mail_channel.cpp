#include "alerts/mail_channel.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/DNS.h>
#include <Poco/Net/DialogSocket.h>
#include <Poco/Net/MailMessage.h>
#include <Poco/Net/MailRecipient.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SMTPClientSession.h>
#include <Poco/Net/SSLException.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "alerts/received_bytes.hpp"
#include "core/error.hpp"

namespace clrbus::alerts {
namespace {

using Poco::Net::Context;
using Poco::Net::SecureStreamSocket;
using Poco::Net::StreamSocket;

constexpr std::uint64_t kMailReadMost = 256U << 10;
constexpr std::uint64_t kMailTalkMost = 32U << 10;  // more than any server says in a conversation that goes well
constexpr std::chrono::milliseconds kMailGlance{100};

// Closes the socket under the library when the time is over, too much was sent, or nobody wants the answer any more: it reads
// lines without a limit, and its own time-out begins anew with each byte.
class MailGuard {
public:
    MailGuard(const StreamSocket& socket, std::chrono::steady_clock::time_point until, const std::atomic<bool>& cancelled)
        : fd_(::dup(socket.impl()->sockfd())), thread_([this, until, &cancelled](const std::stop_token& stop) {
              std::mutex mutex;
              std::condition_variable_any timer;
              while (!stop.stop_requested()) {
                  if (std::chrono::steady_clock::now() >= until) why_ = Why::kTime;
                  if (received_bytes(fd_) > kMailReadMost) why_ = Why::kTooMuch;
                  if (cancelled) why_ = Why::kCancelled;
                  if (why_ != Why::kNot) {
                      ::shutdown(fd_, SHUT_RDWR);
                      return;
                  }
                  std::unique_lock lock(mutex);
                  timer.wait_for(lock, stop, kMailGlance, [] { return false; });
              }
          }) {}
    ~MailGuard() {
        thread_ = {};
        ::close(fd_);
    }
    MailGuard(const MailGuard&) = delete;
    MailGuard& operator=(const MailGuard&) = delete;

    enum class Why : std::uint8_t { kNot, kTime, kTooMuch, kCancelled };
    // The library gives up by itself at a line that does not end.
    Why why() const { return why_ == Why::kNot && received_bytes(fd_) > kMailTalkMost ? Why::kTooMuch : why_.load(); }

private:
    const int fd_;
    std::atomic<Why> why_{Why::kNot};
    std::jthread thread_;  // last: uses the others
};

// The library's session on a socket that we connected ourselves: with a time-out, and with the name that the certificate must
// carry.
class MailSession : public Poco::Net::SMTPClientSession {
public:
    explicit MailSession(const StreamSocket& socket) : SMTPClientSession(socket) {}
    // The reply code; 2xx: the socket is secure now.
    int start_tls(const std::string& host, const Context::Ptr& context) {
        std::string reply;
        const int status = sendCommand("STARTTLS", reply);
        if (isPositiveCompletion(status)) socket() = SecureStreamSocket::attach(socket(), host, context);
        return status;
    }
    // EHLO again, and what the server offers.
    std::string greet(const std::string& name) {
        std::string offers;
        login(name, offers);
        return offers;
    }
    void log_in(const std::string& offers, const std::string& user, const std::string& password) {
        if (offers.find("AUTH") != std::string::npos && offers.find("PLAIN") == std::string::npos &&
            offers.find("LOGIN") != std::string::npos) {
            loginUsingLogin(user, password);
        } else {
            loginUsingPlain(user, password);
        }
    }
};

bool mail_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

class MailChannel : public Channel {
public:
    explicit MailChannel(MailOptions options) : Channel(options.name, options.kinds), options_(std::move(options)) {
        if (options_.port == 0) options_.port = options_.tls == MailOptions::Tls::kTls ? 465 : 587;
        Poco::Net::initializeSSL();
    }
    ~MailChannel() override { Poco::Net::uninitializeSSL(); }

    void cancel() override { cancelled_ = true; }

    void send(const Notice& notice) override {
        const auto until = std::chrono::steady_clock::now() + options_.timeout;
        const std::string doing = "sending mail by " + options_.host + ":" + std::to_string(options_.port);
        if (cancelled_) throw Error(Fault::kAway, "ALERT-010", doing, "the bus stops");
        MailGuard::Why why = MailGuard::Why::kNot;
        const char* step = "connecting";
        std::string library;
        try {
            StreamSocket socket;
            const Poco::Timespan patience(std::chrono::duration_cast<std::chrono::microseconds>(options_.timeout).count());
            socket.connect(Poco::Net::SocketAddress(options_.host, options_.port), patience);
            socket.setReceiveTimeout(patience);
            socket.setSendTimeout(patience);
            MailGuard guard(socket, until, cancelled_);
            try {
                talk(notice, socket, doing, step);
                return;
            } catch (const Poco::Exception&) {
                why = guard.why();
                throw;
            }
        } catch (const Poco::Net::SMTPException& e) {
            refuse(why, e.code(), doing, step);
        } catch (const Poco::Net::SSLException&) {
            if (why == MailGuard::Why::kNot)
                throw Error(Fault::kAway, "ALERT-013", doing,
                            std::string(step) + ": no TLS, or a certificate that is not trusted")
                    .expected("a certificate for '" + options_.host + "' of an authority in ca-file or of the system");
            refuse(why, 0, doing, step);
        } catch (const Poco::Exception&) {  // its text may hold what the server said
            refuse(why, 0, doing, step);
        }
    }

private:
    [[noreturn]] void refuse(MailGuard::Why why, int status, const std::string& doing, const std::string& step) const {
        if (why == MailGuard::Why::kTooMuch)
            throw Error(Fault::kAway, "ALERT-012", doing, step + ": it sends more than a mail server says");
        if (why != MailGuard::Why::kNot)
            throw Error(Fault::kAway, "ALERT-010", doing,
                        step + ": not in " + std::to_string(options_.timeout.count()) + " ms");
        if (status == 535 || status == 530 || status == 534)
            throw Error(Fault::kAway, "ALERT-015", doing, step + ": refused with " + std::to_string(status));
        if (status >= 400 && status < 600)
            throw Error(Fault::kAway, "ALERT-011", doing, step + ": refused with " + std::to_string(status));
        if (status != 0) throw Error(Fault::kAway, "ALERT-012", doing, step + ": what it said is no SMTP");
        throw Error(Fault::kAway, "ALERT-010", doing, step + ": no answer, or the connection was closed");
    }

    Context::Ptr tls_context() const {
        Context::Params params;
        params.caLocation = options_.ca_file.string();
        params.loadDefaultCAs = options_.ca_file.empty();
        params.verificationMode = Context::VERIFY_STRICT;
        Context::Ptr context = new Context(Context::CLIENT_USE, params);
        context->requireMinimumProtocol(Context::PROTO_TLSV1_2);
        context->enableExtendedCertificateVerification(true);
        return context;
    }

    void talk(const Notice& notice, const StreamSocket& socket, const std::string& doing, const char*& step) {
        const std::string us = Poco::Net::DNS::hostName();
        const bool direct = options_.tls == MailOptions::Tls::kTls;
        step = direct ? "TLS" : "greeting";
        MailSession session(direct ? SecureStreamSocket::attach(socket, options_.host, tls_context()) : socket);
        step = "greeting";
        session.open();
        std::string offers = session.greet(us);
        if (options_.tls == MailOptions::Tls::kStartTls) {
            step = "STARTTLS";
            if (offers.find("STARTTLS") == std::string::npos)
                throw Error(Fault::kAway, "ALERT-014", doing, "the server does not offer STARTTLS")
                    .expected("tls=\"tls\" for its port 465, or tls=\"none\" on this machine alone");
            const int status = session.start_tls(options_.host, tls_context());
            if (status / 100 != 2) refuse(MailGuard::Why::kNot, status, doing, step);
            offers = session.greet(us);
        }
        if (!options_.user.empty()) {
            step = "logging in";
            session.log_in(offers, options_.user, options_.password());
        }
        step = "handing over";
        Poco::Net::MailMessage message;
        fill(message, notice, us);
        session.sendMessage(message);
        step = "ending";
        // The server has the message: what happens to the goodbye does not matter.
        try {
            session.close();
        } catch (const Poco::Exception&) {
            return;
        }
    }

    void fill(Poco::Net::MailMessage& message, const Notice& notice, const std::string& us) const {
        message.setSender(options_.from);
        for (const std::string& to : options_.to)
            message.addRecipient(Poco::Net::MailRecipient(Poco::Net::MailRecipient::PRIMARY_RECIPIENT, to));
        message.setSubject(Poco::Net::MailMessage::encodeWord(notice_subject(notice), "UTF-8"));
        message.setContentType("text/plain; charset=UTF-8");
        message.set("Message-ID", "<" + notice.id + "@" + us + ">");
        message.set("Auto-Submitted", "auto-generated");
        message.setContent(notice_text(notice), Poco::Net::MailMessage::ENCODING_QUOTED_PRINTABLE);
    }

    MailOptions options_;
    std::atomic<bool> cancelled_{false};
};

}  // namespace

std::unique_ptr<Channel> make_mail_channel(MailOptions options) {
    if (!options.user.empty() && options.tls == MailOptions::Tls::kNone && !mail_loopback(options.host))
        throw Error(Fault::kConfig, "ALERT-001", "reading <mail>", "a password does not leave this machine without TLS")
            .expected("tls=\"starttls\" or tls=\"tls\"");
    return std::make_unique<MailChannel>(std::move(options));
}

}  // namespace clrbus::alerts
