// One ClrCredential (1EdTech CLR 2.0) from a learner's record: pure, no clock, no random; the same record gives the same bytes.
// Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clr/institution.hpp"
#include "clr/model.hpp"
#include "credentials/vc_jwt.hpp"

namespace clrbus::clr {

struct AssembleOptions {
    std::string reader;  // whose credential it is: part of its id
    struct Status {
        std::uint32_t list = 0, index = 0;
    };
    std::optional<Status> status;  // its place in the status lists
    // Ed25519: each credential inside gets a proof of its own, so that it can be cut out and still verifies. Null: none does.
    const crypto::SigningKey* proofs = nullptr;
};

struct Assembled {
    std::string json;
    credentials::Claims claims;
    std::size_t achievements = 0;
    std::size_t without_proof = 0;         // credentials inside that could not get one; the record's signature covers them
    std::size_t dropped_associations = 0;  // they named an achievement that the record does not hold
};

// Stable for a learner and reader of one issuer; the status list's place is asked with it.
std::string credential_id(const Institution& institution, std::string_view learner, std::string_view reader);

// A record without achievements has no credential: the standard asks for at least one. Then Error(kPoison, "CLR-011").
Assembled assemble(const RecordModel& record, const Institution& institution, const AssembleOptions& options);

}  // namespace clrbus::clr
