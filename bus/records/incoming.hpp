// A message of the queue `records`, read and made ready before the one writer sees it: header decoded, keys hashed, a large
// body compressed. All that needs no database happens here, on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queues.hpp"
#include "core/clock.hpp"
#include "records/identifiers.hpp"
#include "records/standing.hpp"
#include "records/vault.hpp"

namespace clrbus::records {

struct Incoming {
    // Throws Error(kPoison) for a message that can never be applied.
    Incoming(const TakenMessage& message, const Vault& vault, const IdentifierRules& rules, const Clock& clock);

    std::string sealed(const Vault& vault, std::string_view table, std::int64_t row) const;

    ApplyHeader header;
    std::string encoded;    // the apply header as it came
    std::string_view body;  // of the message, which outlives this
    std::string packed;     // header and body, compressed; empty for a small body, which may not have to be stored
    WordVersion version;
    std::string content;  // 32 bytes
    std::string original, route;
    std::int64_t accepted = 0;
    std::string key_hash, doc_hash;                // of a statement; the document's may be empty
    std::vector<std::string> parts;                // hashes, of what covers a part
    std::vector<IdentifierRules::Known> mentions;  // by which a statement may find its learner
};

}  // namespace clrbus::records
