// TLS 1.2 and 1.3 without a socket: bytes in, bytes out. The caller owns the socket and decides when to read and write; a
// session never blocks. Contexts: any thread, made once, read-only. Sessions: one thread each.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace clrbus::crypto {

class TlsContext {
public:
    struct Server {
        std::string certificate_file;  // PEM: certificate, then the chain
        std::string key_file;          // PEM, 0600
        std::string client_ca_file;    // PEM; empty: no client certificates are asked for
        bool require_client_certificate = false;
    };
    struct Client {
        std::string ca_file;           // PEM; empty: the system's authorities
        std::string certificate_file;  // own certificate, may be empty
        std::string key_file;
    };
    // Throw Error(kConfig, "TLS-001") naming the file.
    static TlsContext server(const Server& options);
    static TlsContext client(const Client& options);
    ~TlsContext();
    TlsContext(TlsContext&&) noexcept;
    TlsContext& operator=(TlsContext&&) noexcept;

private:
    friend class TlsSession;
    TlsContext();
    struct Impl;
    std::shared_ptr<const Impl> impl_;  // shared by the sessions made from it
};

class TlsSession {
public:
    // host: for a client, the name that the server's certificate must carry (and SNI). The session keeps the context alive.
    explicit TlsSession(const TlsContext& context, std::string_view host = {});
    ~TlsSession();
    TlsSession(TlsSession&&) noexcept;
    TlsSession& operator=(TlsSession&&) noexcept;

    enum class State : unsigned char {
        kHandshaking,
        kOpen,
        kPeerClosed,  // the peer said goodbye (close_notify); what it sent before has been read
        kFailed,      // failure() says why; send what is in encrypted(), then close
    };
    State state() const;
    const std::string& failure() const;  // the library's reason; no peer data

    // From the socket. Call read() after it until it returns 0: that is what moves the handshake on. The caller feeds what it
    // read from the socket (16 to 64 KB) and no more before it has drained read(), so that buffers stay small.
    void feed(std::string_view encrypted);
    std::size_t read(char* out, std::size_t size);  // plain bytes; 0: nothing now
    // Plain bytes to the peer. Returns how many were taken: 0 while handshaking, or when encrypted() holds more than 256 KB.
    std::size_t write(std::string_view plain);

    std::string_view encrypted() const;  // for the socket; valid until the next call that is not consume()
    void consume(std::size_t bytes);     // that many of them are sent
    bool wants_write() const { return !encrypted().empty(); }

    void close();  // close_notify into encrypted()

    bool peer_verified() const;        // the peer gave a certificate and the authority signed it
    std::string peer_subject() const;  // RFC 2253: CN=reader,O=Campus; empty without a verified certificate
    std::string peer_common_name() const;
    std::string protocol() const;  // "TLSv1.3"
    // RFC 9266 'tls-exporter' or RFC 5929 'tls-server-end-point' are not offered: SCRAM-SHA-256 runs without channel binding.

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::crypto
