// What applying needs to know of a canonical message, so that it parses no body: written by the <records/> step into the
// message header clrbus-apply, read by records/. Value type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

struct ApplyHeader {
    enum class Kind : std::uint8_t { kStatement, kRetraction, kDefinition, kPerson };
    struct Identifier {
        std::string scheme, issuer, value;
        friend bool operator==(const Identifier&, const Identifier&) = default;
    };
    // A person mended the document before it could be read. Neither who nor why is the learner's.
    struct Correction {
        std::string by;        // user; empty: nobody corrected it
        std::string at;        // RFC 3339
        std::string why;       // for staff
        std::string letter;    // ROUTE/NUMBER of the dead letter
        std::string original;  // reference of the corrected body
        friend bool operator==(const Correction&, const Correction&) = default;
    };
    Kind kind = Kind::kStatement;
    std::string source;
    std::string key;
    std::string version;                          // business version, may be empty
    bool covers_all = true;                       // statements
    bool blocked = false;                         // persons
    bool deleted = false;                         // persons, definitions
    std::string document_key;                     // may be empty
    std::string content_sha256;                   // hex, of the canonical form of the message body: "equal content"
    std::string organization;                     // display name of the speaking organization, may be empty
    std::vector<std::string> organization_codes;  // SCHEME:VALUE, to tell our own from others
    std::vector<Identifier> identifiers;          // of the learner or person
    std::string given, family, full;              // name, for people to read
    std::vector<std::string> achievements;        // keys, in document order
    // From the route:
    std::string authority;            // the steward's unit
    bool identity_authority = false;  // the source may create learners
    std::vector<std::string> match;   // schemes by which this source may attach; empty: the configuration's default
    Correction correction;

    std::string encode() const;
    static ApplyHeader decode(std::string_view bytes);  // Error(kPoison, "REC-001")
    friend bool operator==(const ApplyHeader&, const ApplyHeader&) = default;
};

}  // namespace clrbus
