// What peers send before anybody is known: request heads, AMQP frames, signed tokens.
#include <atomic>
#include <stdexcept>
#include <string>

#include "amqp/frame_guard.hpp"
#include "core/error.hpp"
#include "crypto/jws.hpp"
#include "fuzz/targets.hpp"
#include "http/request_head.hpp"

namespace clrbus::fuzz {

void http_head(std::string_view bytes) {
    const HttpHeadLimits limits;
    try {
        // As bytes arrive, and at once: the same end.
        HttpHeadScanner slow, quick;
        std::size_t end = 0, at_once = 0;
        int refused = 0, refused_at_once = 0;
        try {
            for (std::size_t n = 1; n <= bytes.size() && end == 0; ++n) end = slow.scan(bytes.substr(0, n), limits);
        } catch (const HttpRefusal& refusal) {
            refused = refusal.status;
        }
        try {
            at_once = quick.scan(bytes, limits);
        } catch (const HttpRefusal& refusal) {
            refused_at_once = refusal.status;
        }
        if (end != at_once || (refused != 0) != (refused_at_once != 0))
            throw std::logic_error("the head ends elsewhere when it comes at once");
        if (end != 0) (void)read_http_head(bytes.substr(0, end), limits);
    } catch (const HttpRefusal&) {
    }
}

void amqp_frames(std::string_view bytes) {
    const amqp::Limits limits;
    for (const auto begins : {amqp::FrameGuard::Begins::kPeer, amqp::FrameGuard::Begins::kWe}) {
        std::atomic<std::uint64_t> unfinished{0};
        {
            amqp::FrameGuard guard(limits, unfinished, begins);
            std::string_view left = bytes;
            try {
                while (true) {
                    const std::size_t length = guard.length(left);
                    if (length == 0 || length > left.size()) break;
                    (void)guard.check(left.substr(0, length));
                    left.remove_prefix(length);
                }
            } catch (const amqp::Violation&) {
            }
        }
        if (unfinished != 0) throw std::logic_error("bytes of deliveries stay counted when the connection is gone");
    }
}

void jws(std::string_view bytes) {
    // RFC 7515, appendix A.3.
    static const crypto::PublicKey key = crypto::PublicKey::from_jwk(
        R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})");
    const crypto::JwsPolicy policy{
        .algorithms = {crypto::Algorithm::kEs256, crypto::Algorithm::kRs256, crypto::Algorithm::kEdDsa}};
    bool read = false;
    try {
        (void)crypto::read_jws_unverified(bytes, policy);
        read = true;
    } catch (const Error&) {
    }
    try {
        const crypto::Jws good = crypto::verify_jws(bytes, policy, [](const crypto::JwsHeader&) { return key; });
        if (!read) throw std::logic_error("what cannot be read is verified");
        // Nobody has the key: only the one text of the standard is signed by it.
        if (good.payload.find("\"joe\"") == std::string::npos) throw std::logic_error("a changed payload is verified");
    } catch (const Error&) {
    }
}

}  // namespace clrbus::fuzz
