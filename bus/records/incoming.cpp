#include "records/incoming.hpp"

#include <charconv>

#include "core/error.hpp"
#include "core/headers.hpp"
#include "crypto/hash.hpp"
#include "records/database.hpp"

namespace clrbus::records {
namespace {

// Below it a message that changes nothing (a nightly roster) is not worth the work, and above it most are statements.
constexpr std::size_t kPackedAhead = 4096;

std::uint64_t number_header(const Headers& headers, std::string_view name) {
    const std::string_view text = headers.get(name);
    std::uint64_t value = 0;
    if (text.empty()) return 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > std::uint64_t{INT64_MAX}) {
        throw Error(Fault::kPoison, "REC-002", "applying a message", "the header '" + std::string(name) + "' is not a number");
    }
    return value;
}

bool covers_part(const ApplyHeader& header) {
    if (header.kind == ApplyHeader::Kind::kRetraction) return !header.achievements.empty();
    return header.kind == ApplyHeader::Kind::kStatement && !header.covers_all;
}

}  // namespace

Incoming::Incoming(const TakenMessage& message, const Vault& vault, const IdentifierRules& rules, const Clock& clock) {
    namespace names = clrbus::header;  // the member hides it
    const Headers& headers = message.headers;
    if (!headers.has(names::kApply)) {
        throw Error(Fault::kPoison, "REC-001", "applying a message",
                    "it has no apply header: only the records step may write into this queue");
    }
    encoded = headers.get(names::kApply);
    header = ApplyHeader::decode(encoded);
    body = message.message.body();
    if (body.empty()) throw Error(Fault::kPoison, "REC-002", "applying a message", "it has no body");
    version = {header.version, number_header(headers, names::kSourceNumber), number_header(headers, names::kPosition),
               number_header(headers, names::kGeneration)};
    content = crypto::from_hex(header.content_sha256).value_or(std::string());
    original = headers.get(names::kOriginal);
    route = headers.get(names::kRoute);
    const std::string_view said = headers.get(names::kAcceptedAt);
    accepted = to_millis(said.empty() ? clock.now() : from_rfc3339(said));
    if (header.kind == ApplyHeader::Kind::kStatement || header.kind == ApplyHeader::Kind::kRetraction) {
        key_hash = vault.hash("key", header.source, header.key);
        if (covers_part(header)) {
            if (header.achievements.empty())
                throw Error(Fault::kPoison, "REC-002", "applying a message", "it covers a part, but names no achievement");
            for (const std::string& key : header.achievements) parts.push_back(vault.hash("part", key));
        }
    }
    if (header.kind == ApplyHeader::Kind::kStatement) {
        if (!header.document_key.empty()) doc_hash = vault.hash("document", header.source, header.document_key);
        mentions = rules.matching(header);
    }
    if (body.size() > kPackedAhead) packed = vault.pack(encoded, body);
}

std::string Incoming::sealed(const Vault& vault, std::string_view table, std::int64_t row) const {
    return packed.empty() ? vault.seal(table, row, encoded, body) : vault.seal_packed(table, row, packed);
}

}  // namespace clrbus::records
