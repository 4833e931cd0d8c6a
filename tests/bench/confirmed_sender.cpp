#include "confirmed_sender.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

#include "amqp/encoding.hpp"
#include "amqp/performative.hpp"
#include "core/amqp_types.hpp"

namespace clrbus::bench {
namespace {

using amqp::Code;
using amqp::ListWriter;
using amqp::Performative;

constexpr std::uint32_t kOwnMaxFrame = 64 * 1024, kMostValues = 2048, kWindow = 1U << 20;
constexpr std::size_t kAtOnce = 32;  // messages of one write
constexpr std::size_t kDigits = 12;
constexpr int kPatience = 20'000;  // milliseconds
constexpr std::string_view kSaslHeader("AMQP\x03\x01\x00\x00", 8), kAmqpHeader("AMQP\x00\x01\x00\x00", 8);

[[noreturn]] void give_up(const std::string& why) {
    throw std::runtime_error("the AMQP client: " + why);
}

void put_big_endian(char* into, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) into[i] = static_cast<char>(value >> (24 - 8 * i));
}

// The performative's list of a frame: where its first field stands, and how many there are.
std::size_t fields_of(std::string_view frame, std::uint64_t& code, std::size_t& count) {
    std::size_t at = static_cast<std::size_t>(frame[4]) * 4;
    code = amqp_types::section_code(frame, at);
    count = amqp_types::enter(frame, at).count;
    return at;
}

}  // namespace

ConfirmedSender::ConfirmedSender(const Peer& peer, std::size_t bytes) : body_(bytes, 'x') {
    connect(peer.url);
    login(peer);
    attach(peer);
    make_template(bytes);
    while (may_send() == 0) {
        if (!read_frames() && !receive(kPatience)) give_up("no credit within 20 s");
    }
    first_credit_ = credit_end_ - next_transfer_;
}

ConfirmedSender::~ConfirmedSender() {
    const std::string bytes = amqp::frame(0, 0, ListWriter().described(static_cast<std::uint8_t>(Code::kClose)));
    [[maybe_unused]] const auto sent = ::send(socket_.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(socket_.fd, SHUT_WR);
    try {
        while (receive(1000)) in_.clear();  // until the other side has closed, too
    } catch (const std::exception&) {
    }
}

ConfirmedSender::Socket::~Socket() {
    if (fd >= 0) ::close(fd);
}

void ConfirmedSender::connect(const std::string& url) {
    const std::size_t host = url.find("//") + 2, port = url.rfind(':');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(port + 1))));
    if (::inet_pton(AF_INET, url.substr(host, port - host).c_str(), &address.sin_addr) != 1) give_up("no address: " + url);
    socket_.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_.fd < 0 || ::connect(socket_.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        give_up("cannot connect to " + url);
    const int on = 1;
    ::setsockopt(socket_.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void ConfirmedSender::login(const Peer& peer) {
    const std::string response = std::string(1, '\0') + peer.user + std::string(1, '\0') + peer.password;
    write_all(kSaslHeader);
    while (in_.size() < kSaslHeader.size())
        if (!receive(kPatience)) give_up("no answer to the SASL header");
    if (in_.substr(0, kSaslHeader.size()) != kSaslHeader) give_up("no SASL");
    read_ = kSaslHeader.size();
    next_frame(1);  // the mechanisms
    write_all(amqp::frame(1, 0, ListWriter().symbol("PLAIN").binary(response).described(0x41)));
    const std::string_view outcome = next_frame(1);
    std::uint64_t code = 0;
    std::size_t count = 0, at = fields_of(outcome, code, count);
    if (code != 0x44 || count == 0 || amqp_types::to_text(outcome, amqp_types::read(outcome, at)) != "0")
        give_up("the login was refused");
    write_all(kAmqpHeader);
    while (in_.size() - read_ < kAmqpHeader.size())
        if (!receive(kPatience)) give_up("no answer to the AMQP header");
    read_ += kAmqpHeader.size();
}

void ConfirmedSender::attach(const Peer& peer) {
    const std::string name = "bench-" + std::to_string(std::random_device()());
    const auto send = [this](const ListWriter& fields, Code code) {
        write_all(amqp::frame(0, 0, fields.described(static_cast<std::uint8_t>(code))));
    };
    send(ListWriter().string(name).string("127.0.0.1").uint(kOwnMaxFrame).ushort(0), Code::kOpen);
    send(ListWriter().null().uint(0).uint(kWindow).uint(kWindow), Code::kBegin);
    send(ListWriter()
             .string(name)
             .uint(0)
             .boolean(false)
             .ubyte(0)
             .ubyte(0)
             .raw(ListWriter().described(0x28))
             .raw(ListWriter().string(peer.address).described(0x29))
             .null()
             .null()
             .uint(0),
         Code::kAttach);
}

// Everything in front of the body, with a delivery-id, a delivery-tag and a message-id that are written over for each message.
void ConfirmedSender::make_template(std::size_t bytes) {
    const std::string prefix = "bench-" + std::to_string(std::random_device()()) + "-";  // no id comes twice
    const std::string transfer = ListWriter().uint(0).uint(0).binary("0000").uint(0).boolean(false).described(
        static_cast<std::uint8_t>(Code::kTransfer));
    const std::string head = ListWriter().boolean(true).described(0x70) +
                             ListWriter().string(prefix + std::string(kDigits, '0')).described(0x73) +
                             std::string("\x00\x53\x75\xb0\x00\x00\x00\x00", 8);
    template_ = amqp::frame(0, 0, transfer + head);
    put_big_endian(template_.data(), static_cast<std::uint32_t>(template_.size() + bytes));
    put_big_endian(template_.data() + template_.size() - 4, static_cast<std::uint32_t>(bytes));
    tag_at_ = template_.find(
                  "\xa0\x04"
                  "0000") +
              2;
    id_at_ = tag_at_ - 2 - 4;
    number_at_ = template_.find(prefix) + prefix.size();
    while (max_frame_ == 0)
        if (!read_frames() && !receive(kPatience)) give_up("no open within 20 s");
    if (template_.size() + bytes > max_frame_) give_up("a message does not fit into one frame of the far side");
}

void ConfirmedSender::send(std::size_t messages) {
    using Clock = std::chrono::steady_clock;
    confirmed_ = 0;
    auto last = Clock::now();
    std::size_t left = messages;
    while (confirmed_ < messages) {
        if (pieces_.empty() && left > 0) {
            const std::size_t now = std::min({left, may_send(), kAtOnce});
            queue(now);
            left -= now;
        }
        bool moved = write_queued();
        moved = receive(0) || moved;
        moved = read_frames() || moved;
        if (moved) {
            last = Clock::now();
            continue;
        }
        pollfd waiting{socket_.fd, static_cast<short>(pieces_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
        ::poll(&waiting, 1, kPatience);
        if (Clock::now() - last > std::chrono::seconds(120)) give_up("not confirmed within 120 s");
    }
}

std::size_t ConfirmedSender::may_send() const {
    const auto least = std::min(static_cast<std::int32_t>(window_end_ - next_transfer_),
                                static_cast<std::int32_t>(credit_end_ - next_transfer_));  // serial numbers
    return static_cast<std::size_t>(std::max(least, 0));
}

void ConfirmedSender::queue(std::size_t messages) {
    heads_.clear();
    for (std::size_t i = 0; i < messages; ++i) heads_ += template_;
    for (std::size_t i = 0; i < messages; ++i) {
        char* head = heads_.data() + i * template_.size();
        put_big_endian(head + id_at_, next_transfer_);
        std::memcpy(head + tag_at_, head + id_at_, 4);
        ++next_transfer_;
        std::uint64_t number = ++number_;
        for (std::size_t digit = kDigits; digit-- > 0; number /= 10)
            head[number_at_ + digit] = static_cast<char>('0' + number % 10);
        pieces_.push_back({head, template_.size()});
        pieces_.push_back({body_.data(), body_.size()});
    }
}

// True when some of it went out.
bool ConfirmedSender::write_queued() {
    if (pieces_.empty()) return false;
    iovec vectors[2 * kAtOnce];
    msghdr message{};
    message.msg_iov = vectors;
    for (std::size_t i = written_; i < pieces_.size(); ++i)
        vectors[message.msg_iovlen++] = {const_cast<char*>(pieces_[i].bytes), pieces_[i].size};
    const ssize_t sent = ::sendmsg(socket_.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EINTR) return false;
        give_up(std::string("writing: ") + std::strerror(errno));
    }
    for (auto left = static_cast<std::size_t>(sent); left > 0;) {
        Piece& piece = pieces_[written_];
        const std::size_t part = std::min(left, piece.size);
        piece = {piece.bytes + part, piece.size - part};
        left -= part;
        if (piece.size == 0) ++written_;
    }
    if (written_ == pieces_.size()) {
        pieces_.clear();
        written_ = 0;
    }
    return sent > 0;
}

void ConfirmedSender::write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) give_up(std::string("writing: ") + std::strerror(errno));
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

bool ConfirmedSender::receive(int wait_ms) {
    if (wait_ms > 0) {
        pollfd waiting{socket_.fd, POLLIN, 0};
        if (::poll(&waiting, 1, wait_ms) <= 0) return false;
    }
    char bytes[16 * 1024];
    const ssize_t got = ::recv(socket_.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) give_up("the connection ended");
    in_.append(bytes, static_cast<std::size_t>(got));
    return true;
}

// Valid until the next call that receives.
std::string_view ConfirmedSender::next_frame(std::uint8_t type) {
    while (true) {
        const std::string_view all = std::string_view(in_).substr(read_);
        const std::size_t length = amqp::frame_length(all, kOwnMaxFrame, type);
        if (length != 0 && all.size() >= length) {
            read_ += length;
            return all.substr(0, length);
        }
        if (!receive(kPatience)) give_up("no answer within 20 s");
    }
}

bool ConfirmedSender::read_frames() {
    bool any = false;
    while (true) {
        const std::string_view all = std::string_view(in_).substr(read_);
        const std::size_t length = amqp::frame_length(all, kOwnMaxFrame, 0);
        if (length == 0 || all.size() < length) break;
        on_frame(all.substr(0, length));
        read_ += length;
        any = true;
    }
    in_.erase(0, std::exchange(read_, 0));
    return any;
}

void ConfirmedSender::on_frame(std::string_view frame) {
    const auto p = Performative::read(frame, kMostValues);
    if (!p) return;
    switch (p->code()) {
        case Code::kOpen:
            max_frame_ = static_cast<std::uint32_t>(p->number(2, 0xffffffff));
            break;
        case Code::kBegin:
            window_end_ = static_cast<std::uint32_t>(p->number(2));
            break;
        case Code::kFlow:
            window_end_ = static_cast<std::uint32_t>(p->number(0) + p->number(1));
            if (p->has(4)) credit_end_ = static_cast<std::uint32_t>(p->number(5) + p->number(6));
            break;
        case Code::kDisposition:
            on_disposition(frame);
            break;
        case Code::kDetach:
        case Code::kEnd:
        case Code::kClose:
            give_up("the far side ended it");
        default:
            break;
    }
}

void ConfirmedSender::on_disposition(std::string_view frame) {
    const auto p = Performative::read(frame, kMostValues);
    std::uint64_t code = 0;
    std::size_t count = 0, at = fields_of(frame, code, count), outcome = 0;
    for (std::size_t field = 0; field <= 4 && field < count; ++field) {
        outcome = at;
        amqp_types::read(frame, at);
    }
    if (!p->flag(3) || count < 5 || amqp_types::section_code(frame, outcome) != 0x24) give_up("a message was not accepted");
    confirmed_ += static_cast<std::size_t>(p->number(2, p->number(1)) - p->number(1) + 1);
}

}  // namespace clrbus::bench
