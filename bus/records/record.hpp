// What the record store answers with: value types, no third-party include.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "routing/apply_header.hpp"

namespace clrbus::records {

// Who asks. Default: nobody, who gets nothing. A learner reads one record, the own one; staff read any, blocked persons' too.
struct Reader {
    enum class Kind : std::uint8_t { kNobody, kStaff, kLearner };
    Kind kind = Kind::kNobody;
    std::string name;     // of the user or token, for the disclosure log
    std::string learner;  // the one record of a learner's token
};

struct Provenance {
    std::string source;     // the system that said it
    std::string authority;  // the steward's unit
    std::string route;
    std::uint64_t generation = 0;
    std::uint64_t source_number = 0;
    std::uint64_t position = 0;
    Time accepted{};                       // at the door
    Time applied{};                        // into the record
    std::string original;                  // reference of the original: sha256:HEX[:spooled]
    ApplyHeader::Correction correction{};  // by hand; empty `by`: nobody corrected it
};

// A statement of which at least one achievement is in force.
struct StatementInForce {
    std::int64_t id = 0;
    std::string key;
    std::string business_version;
    bool covers_all = true;
    std::string document_key;
    std::string organization;
    std::vector<std::string> organization_codes;
    bool own = false;  // one of the codes is the institution's: own credential, else transfer credit
    std::string given, family, full;
    std::string content_sha256;
    Provenance provenance;
    std::string xml;                        // canonical message as it was applied
    std::vector<std::string> achievements;  // keys in force, in document order; others in the body were replaced or retracted
};

struct NameOf {
    std::string source;
    std::string given, family, full;
};
struct IdentifierOf {
    std::string source;
    std::string scheme, issuer, value;
};

struct LearnerRecord {
    std::string id;
    std::uint64_t version = 0;  // changes with every visible change: the key of a cache
    Time created{};
    Time changed{};  // when it became this version; at least a second after the version before
    bool blocked = false;
    std::vector<NameOf> names;  // newest first; persons before statements
    std::vector<IdentifierOf> identifiers;
    std::vector<StatementInForce> statements;  // by source, then statement id
    std::size_t withheld = 0;                  // statements that no approved generation said; Claims::kApproved alone counts
};

enum class Release : std::uint8_t {
    kReleased,
    kUnknown,  // no such learner; nothing was disclosed
    kDenied,   // this reader may not
    kBlocked,  // the person asked for no release
};
struct ReadAnswer {
    Release release = Release::kDenied;
    LearnerRecord record;  // empty unless released
};

struct LearnerLine {
    std::string id;
    std::uint64_t version = 0;
    bool blocked = false;
    std::string merged_into;  // "" unless a person merged it
    std::uint64_t statements = 0;
    Time created{};
};

struct DefinitionRecord {
    std::string key;
    std::string business_version;
    bool deleted = false;
    Provenance provenance;
    std::string xml;
};

struct WaitingItem {
    std::int64_t id = 0;
    bool person = false;  // a person's identifiers; else a statement
    // unknown-learner, no-usable-identifier, ambiguous, person-in-conflict, document-conflict; identifier-conflict,
    // not-authority
    std::string reason;
    Time since{};
    std::string source, route;
    std::vector<std::string> schemes;  // what kinds of identifiers it has, without their values; none: a name at most
};
struct WaitingDetail {
    WaitingItem item;
    ApplyHeader header;  // personal values: for the person who decides
    std::string xml;
    std::vector<std::string> candidates;  // learners that its identifiers lead to
};

struct Why {
    std::int64_t statement = 0;
    std::string key;
    std::string business_version;
    bool in_force = false;
    bool retracted = false;  // this word is a retraction
    std::string content_sha256;
    Provenance provenance;
};

struct Decision {
    std::int64_t id = 0;
    Time at{};
    std::string what;  // attach, reject, merge, unmerge
    std::string who, why;
    std::int64_t waiting = 0;
    std::string learner, other;
};

struct DisclosureLine {
    std::int64_t id = 0;
    Time at{};
    std::string who, kind, learner, purpose, what;
    bool released = false;
};
struct ChainCheck {
    std::int64_t lines = 0;
    std::int64_t first_bad = 0;  // 0: the chain is whole
    std::string head;            // hex, of the last line: note it elsewhere to see a cut tail
};

struct StoreCounts {
    std::uint64_t learners = 0, statements = 0, definitions = 0, persons = 0;
    std::uint64_t waiting = 0;
    Time oldest_waiting{};  // Time{} when nothing waits
    // All that ever entered the waiting list = waiting + these.
    std::uint64_t attached_by_itself = 0, attached = 0, rejected = 0, superseded = 0;
};

}  // namespace clrbus::records
