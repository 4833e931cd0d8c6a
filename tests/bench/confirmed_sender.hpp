// A plain AMQP 1.0 client that publishes a number of messages and waits until all are confirmed. It writes the frames itself,
// many with one call and each body from one place in memory, so that what is measured is the broker: a client library on the
// same processors takes more of them than the broker does. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::bench {

class ConfirmedSender {
public:
    struct Peer {
        std::string url, address, user, password;  // url: amqp://HOST:PORT, numbers
    };
    // Connects and waits for the first credit. Throws when there is none within 20 s.
    ConfirmedSender(const Peer& peer, std::size_t bytes);
    ~ConfirmedSender();
    ConfirmedSender(const ConfirmedSender&) = delete;
    ConfirmedSender& operator=(const ConfirmedSender&) = delete;

    // Throws when the far side refuses one or goes away.
    void send(std::size_t messages);
    std::uint32_t credit() const { return first_credit_; }  // what the far side granted at first

private:
    void connect(const std::string& url);
    void login(const Peer& peer);
    void attach(const Peer& peer);
    void make_template(std::size_t bytes);

    void write_all(std::string_view bytes);
    bool receive(int wait_ms);  // false: nothing came
    std::string_view next_frame(std::uint8_t type);
    bool read_frames();  // true: something was in them
    void on_frame(std::string_view frame);
    void on_disposition(std::string_view frame);
    std::size_t may_send() const;
    void queue(std::size_t messages);
    bool write_queued();

    struct Socket {
        ~Socket();
        int fd = -1;
    };
    Socket socket_;
    std::string in_;  // received, not read yet
    std::size_t read_ = 0;

    std::string template_;  // a transfer frame without the body, which follows it
    std::size_t id_at_ = 0, tag_at_ = 0, number_at_ = 0;
    std::string body_;
    struct Piece {
        const char* bytes;
        std::size_t size;
    };
    std::string heads_;          // of the messages that are queued
    std::vector<Piece> pieces_;  // heads and bodies, in turn
    std::size_t written_ = 0;    // of pieces_

    std::uint32_t max_frame_ = 0;
    std::uint32_t next_transfer_ = 0;  // its delivery's number, too: each is one frame
    std::uint32_t window_end_ = 0;     // first transfer that the session does not take
    std::uint32_t credit_end_ = 0;     // first delivery that the link does not take
    std::uint32_t first_credit_ = 0;
    std::uint64_t number_ = 0;  // of the message
    std::size_t confirmed_ = 0;
};

}  // namespace clrbus::bench
