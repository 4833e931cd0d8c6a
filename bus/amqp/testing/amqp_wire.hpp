// For tests alone: an AMQP client that writes bytes by hand, so that it can write wrong ones. Blocking, one thread; every wait
// ends after ten seconds.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "amqp/encoding.hpp"
#include "core/amqp_types.hpp"

namespace clrbus::amqp::testing {

inline const std::string kWireSasl("AMQP\x03\x01\x00\x00", 8);
inline const std::string kWireAmqp("AMQP\x00\x01\x00\x00", 8);

struct WireFrame {
    std::uint8_t type = 0;
    std::uint16_t channel = 0;
    std::uint64_t code = 0;           // 0: empty frame
    std::string body;                 // behind the frame header
    std::vector<std::string> fields;  // each as text; compound ones encoded
    std::string payload;
};

class AmqpWire {
public:
    explicit AmqpWire(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval wait{10, 0};
        const int one = 1;
        setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) throw std::runtime_error("cannot connect");
    }
    ~AmqpWire() { ::close(socket_); }
    AmqpWire(const AmqpWire&) = delete;
    AmqpWire& operator=(const AmqpWire&) = delete;

    // False: the other side is gone.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    bool performative(std::uint8_t code, const ListWriter& fields, std::uint16_t channel = 0, std::string_view payload = {}) {
        return send(frame(0, channel, fields.described(code).append(payload)));
    }

    // Exactly that many bytes; fewer when the other side is gone.
    std::string read(std::size_t size) {
        std::string out(size, '\0');
        std::size_t have = 0;
        while (have < size) {
            const ssize_t got = ::recv(socket_, out.data() + have, size - have, 0);
            if (got <= 0) {
                timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
                break;
            }
            have += static_cast<std::size_t>(got);
        }
        out.resize(have);
        return out;
    }
    std::string read_all() {
        std::string out;
        while (true) {
            const std::string more = read(1);
            if (more.empty()) return out;
            out += more;
        }
    }
    // Nothing: the other side is gone (or silent for ten seconds: timed_out()).
    std::optional<WireFrame> read_frame() {
        while (true) {
            const std::string head = read(8);
            if (head.size() < 8) return std::nullopt;
            if (head.substr(0, 4) == "AMQP") continue;  // a protocol header
            std::size_t size = 0;
            for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<std::uint8_t>(head[static_cast<std::size_t>(i)]);
            WireFrame out;
            out.type = static_cast<std::uint8_t>(head[5]);
            out.channel =
                static_cast<std::uint16_t>(static_cast<std::uint8_t>(head[6]) << 8 | static_cast<std::uint8_t>(head[7]));
            out.body = read(size - 8);
            if (!out.body.empty()) parse(out);
            return out;
        }
    }
    // The next frame of that code; others are passed over.
    std::optional<WireFrame> read_until(std::uint64_t code) {
        while (auto got = read_frame()) {
            if (got->code == code) return got;
        }
        return std::nullopt;
    }
    // The condition of the next error: in close, end or detach (code tells which). "" when the connection just ends.
    std::string read_error(std::uint64_t* code = nullptr) {
        while (const auto got = read_frame()) {
            if (got->code != 0x16 && got->code != 0x17 && got->code != 0x18) continue;
            if (code != nullptr) *code = got->code;
            const std::string& error = got->fields.empty() ? std::string() : got->fields.back();
            return condition(error);
        }
        return {};
    }
    bool timed_out() const { return timed_out_; }
    bool ended() { return read(1).empty() && !timed_out_; }
    void half_close() { ::shutdown(socket_, SHUT_WR); }
    int socket() const { return socket_; }

    static std::string condition(std::string_view encoded_error) {
        if (encoded_error.size() < 3 || encoded_error[0] != '\0') return {};
        std::size_t at = 0;
        amqp_types::section_code(encoded_error, at);
        amqp_types::enter(encoded_error, at);
        return amqp_types::to_text(encoded_error, amqp_types::read(encoded_error, at));
    }

    // The usual first steps. Each throws when the other side does not go along.
    std::uint8_t sasl_plain(std::string_view user, std::string_view password) {
        send(kWireSasl + frame(1, 0,
                               ListWriter()
                                   .symbol("PLAIN")
                                   .binary(std::string(1, '\0').append(user).append(1, '\0').append(password))
                                   .described(0x41)));
        const auto outcome = read_until(0x44);
        if (!outcome) throw std::runtime_error("no SASL outcome");
        return static_cast<std::uint8_t>(std::stoi(outcome->fields.at(0)));
    }
    void login(std::string_view user = "ada", std::string_view password = "pencil") {
        if (sasl_plain(user, password) != 0) throw std::runtime_error("login refused");
        send(kWireAmqp);
        if (read(8) != kWireAmqp) throw std::runtime_error("no AMQP header");
    }
    void open(std::uint32_t max_frame = 65536, std::uint32_t idle = 0) {
        ListWriter fields;
        fields.string("wire").string("localhost").uint(max_frame);
        if (idle != 0) fields.null().uint(idle);
        performative(0x10, fields);
        if (!read_until(0x10)) throw std::runtime_error("no open");
    }
    void begin(std::uint16_t channel = 0, std::uint32_t next_outgoing = 0) {
        performative(0x11, ListWriter().null().uint(next_outgoing).uint(2048).uint(2048), channel);
        if (!read_until(0x11)) throw std::runtime_error("no begin");
    }
    static std::string target(std::string_view address) { return ListWriter().string(address).described(0x29); }
    static std::string source(std::string_view address) { return ListWriter().string(address).described(0x28); }
    // We send. Waits for the first credit and returns it.
    std::uint32_t attach_sender(std::string_view address, std::uint32_t handle = 0, std::string_view name = "s",
                                std::uint16_t channel = 0) {
        performative(0x12,
                     ListWriter()
                         .string(name)
                         .uint(handle)
                         .boolean(false)
                         .null()
                         .null()
                         .raw(source("me"))
                         .raw(target(address))
                         .null()
                         .null()
                         .uint(0),
                     channel);
        const auto attach = read_until(0x12);
        if (!attach) throw std::runtime_error("no attach");
        while (true) {
            const auto flow = read_until(0x13);
            if (!flow) throw std::runtime_error("no credit");
            if (flow->fields.size() > 6 && !flow->fields[6].empty())
                return static_cast<std::uint32_t>(std::stoul(flow->fields[6]));
        }
    }
    void attach_receiver(std::string_view address, std::uint32_t handle = 0, std::string_view name = "r",
                         std::uint16_t channel = 0) {
        performative(0x12,
                     ListWriter().string(name).uint(handle).boolean(true).null().null().raw(source(address)).raw(target("me")),
                     channel);
        if (!read_until(0x12)) throw std::runtime_error("no attach");
    }
    void flow(std::uint32_t handle, std::uint32_t delivery_count, std::uint32_t credit, bool drain = false,
              std::uint16_t channel = 0) {
        performative(0x13,
                     ListWriter()
                         .uint(0)
                         .uint(2048)
                         .uint(0)
                         .uint(2048)
                         .uint(handle)
                         .uint(delivery_count)
                         .uint(credit)
                         .null()
                         .boolean(drain),
                     channel);
    }
    struct Transfer {
        std::uint32_t handle = 0;
        std::optional<std::uint32_t> id{};
        std::optional<std::string> tag{};
        bool settled = false, more = false, aborted = false;
        std::uint16_t channel = 0;
    };
    bool transfer(const Transfer& with, std::string_view payload) {
        ListWriter fields;
        fields.uint(with.handle);
        with.id ? fields.uint(*with.id) : fields.null();
        with.tag ? fields.binary(*with.tag) : fields.null();
        fields.uint(0).boolean(with.settled).boolean(with.more).null().null().null().boolean(with.aborted);
        return performative(0x14, fields, with.channel, payload);
    }
    // One small message, whole.
    bool message(std::uint32_t id, std::string_view body = "hello", std::uint32_t handle = 0) {
        return transfer({.handle = handle, .id = id, .tag = std::to_string(id)}, data(body));
    }
    static std::string data(std::string_view body) {
        std::string out("\x00\x53\x75\xb0", 4);
        for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(body.size() >> shift);
        return out.append(body);
    }

private:
    static void parse(WireFrame& out) {
        const std::string_view body = out.body;
        std::size_t at = 0;
        out.code = amqp_types::section_code(body, at);
        std::size_t end = at;
        amqp_types::read(body, end);
        const auto list = amqp_types::enter(body, at);
        for (std::size_t i = 0; i < list.count; ++i) {
            const auto value = amqp_types::read(body, at);
            const bool compound = value.described || value.is_list() || value.is_map() || value.is_array();
            const bool bytes = value.is_binary();
            out.fields.push_back(compound ? std::string(body.substr(value.offset, value.size))
                                 : bytes  ? std::string(body.substr(value.payload, value.payload_size))
                                          : amqp_types::to_text(body, value));
        }
        out.payload = body.substr(end);
    }

    int socket_;
    bool timed_out_ = false;
};

}  // namespace clrbus::amqp::testing
