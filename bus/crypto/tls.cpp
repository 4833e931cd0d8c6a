#include "crypto/tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>

#include "crypto/handles.hpp"

namespace clrbus::crypto {

namespace {

constexpr std::size_t kTlsPending = std::size_t{256} * 1024;
// TLS 1.2: forward secrecy and an authenticated cipher, nothing else. TLS 1.3 has only such ones.
constexpr const char* kTlsCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kTlsGroups = "X25519:P-256:P-384";

struct TlsFree {
    void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
    void operator()(SSL* p) const { SSL_free(p); }
};

[[noreturn]] void tls_fail(std::string_view doing, std::string_view file, std::string why = {}) {
    Where where;
    where.file = file;
    if (why.empty()) why = detail::library_reason();
    ERR_clear_error();
    throw Error(Fault::kConfig, "TLS-001", std::string(doing), where, std::move(why));
}

void tls_load_identity(SSL_CTX* context, const std::string& certificate, const std::string& key) {
    if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
        tls_fail("loading a TLS certificate", certificate);
    if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) tls_fail("loading a TLS key", key);
    if (SSL_CTX_check_private_key(context) != 1) tls_fail("loading a TLS key", key, "it does not belong to the certificate");
}

void tls_common(SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_cert_list(context, 65536);
    SSL_CTX_set_verify_depth(context, 6);
    if (SSL_CTX_set_cipher_list(context, kTlsCiphers) != 1 || SSL_CTX_set1_groups_list(context, kTlsGroups) != 1)
        tls_fail("choosing TLS ciphers", "");
}

int tls_no_pass_phrase(char*, int, int, void*) {
    return -1;
}

}  // namespace

struct TlsContext::Impl {
    std::unique_ptr<SSL_CTX, TlsFree> context;
    bool is_server = false;
};

TlsContext::TlsContext() = default;
TlsContext::~TlsContext() = default;
TlsContext::TlsContext(TlsContext&&) noexcept = default;
TlsContext& TlsContext::operator=(TlsContext&&) noexcept = default;

TlsContext TlsContext::server(const Server& options) {
    auto impl = std::make_shared<Impl>();
    impl->is_server = true;
    impl->context.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* context = impl->context.get();
    if (context == nullptr) tls_fail("preparing TLS", "");
    tls_common(context);
    SSL_CTX_set_default_passwd_cb(context, tls_no_pass_phrase);
    tls_load_identity(context, options.certificate_file, options.key_file);
    static constexpr unsigned char session_context[] = "clrbus";
    SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1);
    SSL_CTX_set_num_tickets(context, 1);
    if (!options.client_ca_file.empty()) {
        if (SSL_CTX_load_verify_locations(context, options.client_ca_file.c_str(), nullptr) != 1)
            tls_fail("loading the authority of client certificates", options.client_ca_file);
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.client_ca_file.c_str()));
        SSL_CTX_set_verify(
            context, SSL_VERIFY_PEER | (options.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
    } else if (options.require_client_certificate) {
        tls_fail("preparing TLS", "", "client certificates are required, but no authority is named for them");
    }
    TlsContext out;
    out.impl_ = std::move(impl);
    return out;
}

TlsContext TlsContext::client(const Client& options) {
    auto impl = std::make_shared<Impl>();
    impl->context.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* context = impl->context.get();
    if (context == nullptr) tls_fail("preparing TLS", "");
    tls_common(context);
    SSL_CTX_set_default_passwd_cb(context, tls_no_pass_phrase);
    if (options.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) != 1
                                : SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1)
        tls_fail("loading the authority of server certificates", options.ca_file);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (!options.certificate_file.empty()) tls_load_identity(context, options.certificate_file, options.key_file);
    TlsContext out;
    out.impl_ = std::move(impl);
    return out;
}

struct TlsSession::Impl {
    std::shared_ptr<const TlsContext::Impl> context;
    std::unique_ptr<SSL, TlsFree> ssl;
    BIO* in = nullptr;   // owned by ssl
    BIO* out = nullptr;  // owned by ssl
    State state = State::kHandshaking;
    std::string failure;
    std::string pending;  // encrypted bytes that the socket has not taken
    std::size_t pending_at = 0;

    void collect() {
        char* data = nullptr;
        const long size = BIO_get_mem_data(out, &data);
        if (size <= 0) return;
        if (pending_at == pending.size()) {
            pending.clear();
            pending_at = 0;
        }
        pending.append(data, static_cast<std::size_t>(size));
        BIO_reset(out);
    }

    void fail(int result) {
        const int error = SSL_get_error(ssl.get(), result);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
        if (error == SSL_ERROR_ZERO_RETURN) {
            state = State::kPeerClosed;
            return;
        }
        const long verify = SSL_get_verify_result(ssl.get());
        failure = verify != X509_V_OK ? X509_verify_cert_error_string(verify) : detail::library_reason();
        state = State::kFailed;
    }

    void handshake() {
        if (state != State::kHandshaking) return;
        ERR_clear_error();
        const int result = SSL_do_handshake(ssl.get());
        if (result == 1)
            state = State::kOpen;
        else
            fail(result);
        collect();
    }
};

TlsSession::TlsSession(const TlsContext& context, std::string_view host) : impl_(std::make_unique<Impl>()) {
    impl_->context = context.impl_;
    impl_->ssl.reset(SSL_new(context.impl_->context.get()));
    impl_->in = BIO_new(BIO_s_mem());
    impl_->out = BIO_new(BIO_s_mem());
    if (!impl_->ssl || impl_->in == nullptr || impl_->out == nullptr) {
        BIO_free(impl_->in);
        BIO_free(impl_->out);
        tls_fail("starting TLS", "");
    }
    BIO_set_mem_eof_return(impl_->in, -1);  // empty means "more will come", not the end
    BIO_set_mem_eof_return(impl_->out, -1);
    SSL_set_bio(impl_->ssl.get(), impl_->in, impl_->out);
    if (context.impl_->is_server) {
        SSL_set_accept_state(impl_->ssl.get());
        return;
    }
    SSL_set_connect_state(impl_->ssl.get());
    if (!host.empty()) {
        const std::string name(host);
        X509_VERIFY_PARAM* parameters = SSL_get0_param(impl_->ssl.get());
        X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) != 1) {
            ERR_clear_error();
            if (X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) != 1 ||
                SSL_set_tlsext_host_name(impl_->ssl.get(), name.c_str()) != 1)
                tls_fail("starting TLS", "", "the host name cannot be checked");
        }
    }
    impl_->handshake();
}

TlsSession::~TlsSession() = default;
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;

TlsSession::State TlsSession::state() const {
    return impl_->state;
}
const std::string& TlsSession::failure() const {
    return impl_->failure;
}

void TlsSession::feed(std::string_view encrypted) {
    if (impl_->state == State::kFailed || impl_->state == State::kPeerClosed) return;
    while (!encrypted.empty()) {
        const auto part = static_cast<int>(std::min<std::size_t>(encrypted.size(), INT_MAX));
        if (BIO_write(impl_->in, encrypted.data(), part) != part) {
            impl_->state = State::kFailed;
            impl_->failure = detail::library_reason();
            return;
        }
        encrypted.remove_prefix(static_cast<std::size_t>(part));
    }
    impl_->handshake();
}

std::size_t TlsSession::read(char* out, std::size_t size) {
    impl_->handshake();
    if (impl_->state != State::kOpen || size == 0) return 0;
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(impl_->ssl.get(), out, size, &got);
    if (result != 1) {
        got = 0;
        impl_->fail(result);
    }
    impl_->collect();  // an alert, a key update
    return got;
}

std::size_t TlsSession::write(std::string_view plain) {
    impl_->handshake();
    std::size_t taken = 0;
    while (impl_->state == State::kOpen && !plain.empty() && encrypted().size() < kTlsPending) {
        ERR_clear_error();
        std::size_t part = 0;
        const int result = SSL_write_ex(impl_->ssl.get(), plain.data(), std::min<std::size_t>(plain.size(), 16384), &part);
        if (result != 1) {
            impl_->fail(result);
            part = 0;
        }
        impl_->collect();
        if (part == 0) break;
        plain.remove_prefix(part);
        taken += part;
    }
    return taken;
}

std::string_view TlsSession::encrypted() const {
    return std::string_view(impl_->pending).substr(impl_->pending_at);
}

void TlsSession::consume(std::size_t bytes) {
    impl_->pending_at = std::min(impl_->pending_at + bytes, impl_->pending.size());
    if (impl_->pending_at == impl_->pending.size()) {
        impl_->pending_at = 0;
        if (impl_->pending.capacity() > kTlsPending)
            std::string().swap(impl_->pending);
        else
            impl_->pending.clear();
    } else if (impl_->pending_at > kTlsPending / 4 && impl_->pending_at > impl_->pending.size() / 2) {
        impl_->pending.erase(0, impl_->pending_at);
        impl_->pending_at = 0;
    }
}

void TlsSession::close() {
    if (impl_->state != State::kOpen && impl_->state != State::kPeerClosed) return;
    ERR_clear_error();
    SSL_shutdown(impl_->ssl.get());
    ERR_clear_error();
    impl_->collect();
}

bool TlsSession::peer_verified() const {
    return SSL_get0_peer_certificate(impl_->ssl.get()) != nullptr && SSL_get_verify_result(impl_->ssl.get()) == X509_V_OK &&
           SSL_is_init_finished(impl_->ssl.get()) == 1;
}

std::string TlsSession::peer_subject() const {
    if (!peer_verified()) return {};
    const detail::BioHandle bio(BIO_new(BIO_s_mem()));
    X509_NAME* name = X509_get_subject_name(SSL_get0_peer_certificate(impl_->ssl.get()));
    if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
    return detail::bio_text(bio.get());
}

std::string TlsSession::peer_common_name() const {
    if (!peer_verified()) return {};
    X509_NAME* name = X509_get_subject_name(SSL_get0_peer_certificate(impl_->ssl.get()));
    const int first = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (first < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, first) >= 0)
        return {};  // exactly one, else none is meant
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, first)));
    if (size < 0) return {};
    std::string out(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
    OPENSSL_free(text);
    return out.find('\0') == out.npos ? out : std::string();
}

std::string TlsSession::protocol() const {
    return SSL_get_version(impl_->ssl.get());
}

}  // namespace clrbus::crypto
