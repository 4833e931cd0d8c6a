// Persons: who claims which identifier, who holds it, and whose statements move when that changes.
//
// An identifier belongs to the person who claimed it first (the time at the door, not of arrival here). A person who came after
// that claim and shares an identifier that tells people apart is held whole until somebody decides: its statements wait. A
// deleted person still holds what nobody else claims, so that a leaver's record stays.
#include <algorithm>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "records/writer.hpp"

namespace clrbus::records {
namespace {

#define CLRBUS_PERSON_COLUMNS                                                                                                \
    "id,key_hash,origin,source,route,business,source_number,position,generation,content,born,learner,deleted,blocked,state," \
    "decided,"                                                                                                               \
    "ever_blocked"

constexpr int kRealPerson = 0;
constexpr int kPrincipal = 1;  // an identifier that an authority's statement named: nobody else may know the person yet
constexpr int kMostMerges = 64;

struct Claimant {
    std::int64_t person = 0, learner = 0, first = 0;
    int rank = 0;  // a person, a deleted one, a principal
    PersonState state = PersonState::kSound;
    std::string key_hash;
    bool identity = false;
};

std::int64_t claimant_identity(const Claimant& claimant) {
    return claimant.learner != 0 ? claimant.learner : -claimant.person;
}

}  // namespace

std::int64_t merged_learner(Database& database, std::int64_t learner) {
    for (int i = 0; i < kMostMerges && learner != 0; ++i) {
        Query query = database.use("SELECT merged_into FROM learner WHERE id=?");
        query.add(learner);
        if (!query.step() || query.is_null(0)) return learner;
        learner = query.integer(0);
    }
    return learner;
}

Owner owner_of(Database& database, const std::string& hash) {
    std::vector<Claimant> claimants;
    {
        Query query = database.use(
            "SELECT p.id,p.learner,c.first,p.origin,p.deleted,p.state,p.decided,c.current,p.key_hash,c.identity FROM claim c "
            "JOIN person p ON p.id=c.person WHERE c.hash=?");
        query.blob(hash);
        while (query.step()) {
            Claimant claimant{
                query.integer(0), query.integer(1), query.integer(2), 0, static_cast<PersonState>(query.integer(5)), {}, false};
            const bool accepted = static_cast<Decided>(query.integer(6)) == Decided::kAccepted;
            const bool deleted = query.integer(4) != 0;
            if (claimant.state == PersonState::kNotAuthority && !accepted) continue;
            if (!deleted && query.integer(7) == 0) continue;
            claimant.rank = query.integer(3) == kPrincipal ? 2 : deleted ? 1 : 0;
            claimant.key_hash = query.string(8);
            claimant.identity = query.integer(9) != 0;
            claimants.push_back(std::move(claimant));
        }
    }
    if (claimants.empty()) return {};
    const auto senior = std::min_element(claimants.begin(), claimants.end(), [](const Claimant& a, const Claimant& b) {
        return std::tie(a.rank, a.first, a.key_hash) < std::tie(b.rank, b.first, b.key_hash);
    });
    for (Claimant& claimant : claimants) claimant.learner = merged_learner(database, claimant.learner);
    Owner owner{Owner::State::kOwned, senior->person, senior->learner, senior->first};
    if (senior->rank == 0 && senior->state == PersonState::kInConflict) owner.state = Owner::State::kInConflict;
    if (senior->rank == 1 || !senior->identity) {
        // No order among claimants says whose it is: nothing is guessed.
        const bool several = std::any_of(claimants.begin(), claimants.end(), [&](const Claimant& other) {
            return other.rank == senior->rank && claimant_identity(other) != claimant_identity(*senior);
        });
        if (several) owner.state = Owner::State::kAmbiguous;
    }
    return owner;
}

Writer::Person Writer::read_person(Query& query) {
    Person person;
    person.id = query.integer(0);
    person.key_hash = query.string(1);
    person.origin = static_cast<int>(query.integer(2));
    person.source = query.string(3);
    person.route = query.string(4);
    person.version = {query.string(5), query.number(6), query.number(7), query.number(8)};
    person.content = query.string(9);
    person.born = query.integer(10);
    person.learner = query.integer(11);
    person.deleted = query.integer(12) != 0;
    person.blocked = query.integer(13) != 0;
    person.state = static_cast<PersonState>(query.integer(14));
    person.decided = static_cast<Decided>(query.integer(15));
    person.ever_blocked = query.integer(16) != 0;
    return person;
}

bool Writer::load_person(std::int64_t id, Person& person) {
    Query query = database_.use("SELECT " CLRBUS_PERSON_COLUMNS " FROM person WHERE id=?");
    query.add(id);
    if (!query.step()) return false;
    person = read_person(query);
    return true;
}

bool Writer::load_person(const std::string& key_hash, Person& person) {
    Query query = database_.use("SELECT " CLRBUS_PERSON_COLUMNS " FROM person WHERE key_hash=?");
    query.blob(key_hash);
    if (!query.step()) return false;
    person = read_person(query);
    return true;
}

// True when somebody may now find another owner.
bool Writer::claim(const std::string& hash, std::int64_t person, bool identity, std::int64_t first, bool current) {
    Query query = database_.use(
        "INSERT INTO claim(hash,person,identity,first,current) VALUES(?1,?2,?3,?4,?5) ON CONFLICT(hash,person) DO UPDATE SET "
        "identity=?3,first=min(first,?4),current=max(current,?5) WHERE identity<>?3 OR first>?4 OR current<?5");
    query.blob(hash).add(person).add(identity).add(first).add(current).run();
    return database_.changes() != 0;
}

Writer::Hashes Writer::claims_of(std::int64_t person, bool current_only) {
    Hashes hashes;
    Query query = database_.use("SELECT hash,current FROM claim WHERE person=?");
    query.add(person);
    while (query.step()) {
        if (!current_only || query.integer(1) != 0) hashes.insert(query.string(0));
    }
    return hashes;
}

Outcome Writer::apply_person(const Incoming& incoming) {
    const ApplyHeader& h = incoming.header;
    const std::vector<IdentifierRules::Known> known = rules_.known(h.identifiers, nullptr);
    Person person;
    const std::string key_hash = vault_.hash("person", h.source, h.key);
    const bool fresh = !load_person(key_hash, person);
    bool same = false;
    if (!fresh) {
        const auto order = compare(incoming.version, person.version);
        same = person.content == incoming.content;
        if (order < 0 || (order == 0 && incoming.content <= person.content)) return apply_older_person(person, incoming, known);
    }
    const bool same_route = person.version.generation == incoming.version.generation &&
                            (person.state == PersonState::kNotAuthority) == !h.identity_authority;
    if (same && same_route) return renew_person(person, incoming, known);
    const bool was_blocked = person.blocked;
    const bool was_deleted = person.deleted;
    const PersonState was = person.state;
    const std::int64_t had = person.learner;
    if (fresh) {
        person.id = next_id(last_person_, "SELECT coalesce(max(id),0) FROM person");
        person.born = incoming.accepted;
    }
    person.key_hash = key_hash;
    person.born = std::min(person.born, incoming.accepted);
    person.ever_blocked = person.ever_blocked || h.blocked;
    person.blocked = h.deleted ? person.ever_blocked : h.blocked;
    person.deleted = h.deleted;
    if (!same && person.decided == Decided::kRejected)
        person.decided = Decided::kNone;  // what was decided was about other identifiers
    if (!h.identity_authority)
        person.state = PersonState::kNotAuthority;
    else if (known.empty() && !h.deleted)
        person.state = PersonState::kNoIdentifier;
    else if (person.state != PersonState::kInConflict)
        person.state = PersonState::kSound;
    person.source = h.source;
    person.route = incoming.route;
    const std::string sealed = incoming.sealed(vault_, "person", person.id);
    {
        Query query =
            database_.use("INSERT INTO person(" CLRBUS_PERSON_COLUMNS
                          ",accepted,sealed) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19) "
                          "ON CONFLICT(id) DO UPDATE SET "
                          "source=?4,route=?5,business=?6,source_number=?7,position=?8,generation=?9,content=?10,born=?11,"
                          "deleted=?13,blocked=?14,state=?15,decided=?16,ever_blocked=?17,accepted=?18,sealed=?19");
        query.add(person.id)
            .blob(person.key_hash)
            .add(kRealPerson)
            .text(h.source)
            .text(incoming.route)
            .text(incoming.version.business);
        query.add(incoming.version.source_number)
            .add(incoming.version.position)
            .add(incoming.version.generation)
            .blob(incoming.content);
        query.add(person.born).id(person.learner).add(person.deleted).add(person.blocked).add(static_cast<int>(person.state));
        query.add(static_cast<int>(person.decided)).add(person.ever_blocked).add(incoming.accepted).blob(sealed).run();
    }
    // A deletion that names no identifiers says nothing about them.
    const Hashes before = fresh ? Hashes{} : claims_of(person.id, true);
    Hashes changed;
    Hashes mine;
    for (const auto& id : known) {
        mine.insert(id.hash);
        if (claim(id.hash, person.id, id.identity, incoming.accepted, true)) changed.insert(id.hash);
    }
    if (!(person.deleted && known.empty())) {
        for (const std::string& hash : before) {
            if (mine.count(hash) != 0) continue;
            changed.insert(hash);
            database_.use("UPDATE claim SET current=0 WHERE hash=? AND person=?").blob(hash).add(person.id).run();
        }
    }
    if (!fresh && (was_deleted != person.deleted || was != person.state)) {
        const Hashes all = claims_of(person.id, false);
        changed.insert(all.begin(), all.end());
    }
    if (was_blocked != person.blocked || person.blocked) {
        const Hashes all = claims_of(person.id, false);
        changed.insert(all.begin(), all.end());
    }
    Hashes affected;
    evaluate_person(person, affected);
    changed.insert(affected.begin(), affected.end());
    reevaluate(changed);
    load_person(person.id, person);
    if (had != 0 && !same) touch(merged_learner(database_, had));
    if (same) return Outcome::kUnchanged;
    return person.state == PersonState::kSound || person.deleted || person.decided == Decided::kAccepted ? Outcome::kApplied
                                                                                                         : Outcome::kHeld;
}

// The same once more, as in a nightly roster: it takes the newer version, nothing else.
Outcome Writer::renew_person(const Person& person, const Incoming& incoming, const std::vector<IdentifierRules::Known>& known) {
    {
        Query query = database_.use("UPDATE person SET business=?,source_number=?,position=?,accepted=? WHERE id=?");
        query.text(incoming.version.business).add(incoming.version.source_number).add(incoming.version.position);
        query.add(incoming.accepted).add(person.id).run();
    }
    apply_older_person(person, incoming, known);
    return Outcome::kUnchanged;
}

// It replaces nothing, but what it claimed, and when, counts: whoever claimed first must not depend on the order of arrival.
Outcome Writer::apply_older_person(const Person& person, const Incoming& incoming,
                                   const std::vector<IdentifierRules::Known>& known) {
    Hashes changed;
    for (const auto& id : known) {
        if (claim(id.hash, person.id, id.identity, incoming.accepted, false)) changed.insert(id.hash);
    }
    if (incoming.accepted < person.born) {
        database_.use("UPDATE person SET born=? WHERE id=?").add(incoming.accepted).add(person.id).run();
        const Hashes all = claims_of(person.id, true);
        changed.insert(all.begin(), all.end());
    }
    if (incoming.header.blocked && !person.ever_blocked) {
        database_.use("UPDATE person SET ever_blocked=1,blocked=max(blocked,deleted) WHERE id=?").add(person.id).run();
        const Hashes all = claims_of(person.id, false);
        changed.insert(all.begin(), all.end());
    }
    reevaluate(changed);
    return person.content == incoming.content ? Outcome::kUnchanged : Outcome::kSuperseded;
}

// An authority's statement may be the first to know a person: its best identifier then stands for one.
void Writer::claim_principal(const Incoming& incoming, const std::vector<IdentifierRules::Known>& matching) {
    if (matching.empty()) return;
    const auto best = std::min_element(matching.begin(), matching.end(), [](const auto& a, const auto& b) {
        return std::tie(a.rank, a.hash) < std::tie(b.rank, b.hash);
    });
    const std::string key_hash = vault_.hash("principal", best->hash);
    Person person;
    if (load_person(key_hash, person)) return;
    person.id = next_id(last_person_, "SELECT coalesce(max(id),0) FROM person");
    {
        Query query = database_.use("INSERT INTO person(" CLRBUS_PERSON_COLUMNS
                                    ",accepted,sealed) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
        query.add(person.id)
            .blob(key_hash)
            .add(kPrincipal)
            .text(incoming.header.source)
            .text(incoming.route)
            .text("")
            .add(0)
            .add(0)
            .add(0);
        query.blob("")
            .add(0)
            .null()
            .add(0)
            .add(0)
            .add(static_cast<int>(PersonState::kSound))
            .add(0)
            .add(0)
            .add(0)
            .blob("")
            .run();
    }
    claim(best->hash, person.id, true, 0, true);
    reevaluate({best->hash});
}

// The owners of these identifiers may have changed: persons who share them come to their state, then statements that name them.
void Writer::reevaluate(const Hashes& hashes) {
    if (hashes.empty()) return;
    Hashes affected = hashes;
    std::set<std::int64_t> persons;
    std::set<std::int64_t> learners;
    for (const std::string& hash : hashes) {
        Query query = database_.use("SELECT person FROM claim WHERE hash=?");
        query.blob(hash);
        while (query.step()) persons.insert(query.integer(0));
    }
    for (const std::int64_t id : persons) {
        Person person;
        if (!load_person(id, person)) continue;
        evaluate_person(person, affected);
        if (person.learner != 0) learners.insert(person.learner);
    }
    for (const std::int64_t learner : learners) update_blocked(learner);
    std::set<std::string> keys;
    for (const std::string& hash : affected) {
        Query query =
            database_.use("SELECT s.key_hash FROM mention m JOIN statement s ON s.id=m.statement WHERE m.hash=? AND s.live=1");
        query.blob(hash);
        while (query.step()) keys.insert(query.string(0));
    }
    for (const std::string& key : keys) settle_key(key);
}

void Writer::evaluate_person(Person& person, Hashes& affected) {
    if (person.origin != kRealPerson) return;
    const Hashes current = claims_of(person.id, true);
    bool lost = false;
    bool second = false;
    if (!person.deleted && person.state != PersonState::kNotAuthority && person.decided == Decided::kNone) {
        std::vector<std::string> identity;
        {
            Query query = database_.use("SELECT hash FROM claim WHERE person=? AND current=1 AND identity=1");
            query.add(person.id);
            while (query.step()) identity.push_back(query.string(0));
        }
        const std::int64_t mine = merged_learner(database_, person.learner);
        for (const std::string& hash : identity) {
            const Owner owner = owner_of(database_, hash);
            if (owner.person == 0 || owner.person == person.id || (mine != 0 && owner.learner == mine)) continue;
            lost = true;
            second = second || person.born >= owner.first;
        }
    }
    PersonState state = person.state;
    if (state == PersonState::kSound && second) state = PersonState::kInConflict;
    if (state == PersonState::kInConflict && !second) state = PersonState::kSound;
    if (state != person.state) {
        person.state = state;
        database_.use("UPDATE person SET state=? WHERE id=?").add(static_cast<int>(state)).add(person.id).run();
        affected.insert(current.begin(), current.end());
    }
    if (state == PersonState::kSound && person.learner == 0 && !person.deleted) make_learner(person);
    const bool waits = !person.deleted && person.decided == Decided::kNone && (lost || state != PersonState::kSound);
    if (waits) {
        const char* reason = state == PersonState::kNotAuthority   ? "not-authority"
                             : state == PersonState::kNoIdentifier ? "no-usable-identifier"
                                                                   : "identifier-conflict";
        open_waiting(WaitingKind::kPerson, person.id, reason, person.source, person.route, false);
    } else {
        close_waiting(WaitingKind::kPerson, person.id, person.decided == Decided::kNone ? "by itself" : "attached");
    }
}

std::int64_t Writer::make_learner(Person& person) {
    const std::string uuid = vault_.uuid("learner", person.key_hash);
    database_.use("INSERT INTO learner(uuid,blocked,created) VALUES(?,?,?)").text(uuid).add(person.blocked).add(now_).run();
    Query query = database_.use("SELECT id FROM learner WHERE uuid=?");
    query.text(uuid);
    query.step();
    person.learner = query.integer(0);
    database_.use("UPDATE person SET learner=? WHERE id=?").add(person.learner).add(person.id).run();
    return person.learner;
}

std::int64_t Writer::learner_of(Owner& owner) {
    if (owner.learner != 0) return owner.learner;
    Person person;
    if (!load_person(owner.person, person)) return 0;
    owner.learner = make_learner(person);
    return owner.learner;
}

// A person who asked for no release in one place is blocked in all that were merged with it. So is, until somebody decides, the
// learner who holds an identifier of a person in conflict that asked for it: it may be the same human.
void Writer::update_blocked(std::int64_t learner) {
    const std::int64_t top = merged_learner(database_, learner);
    bool was = false;
    bool blocked = false;
    {
        Query query = database_.use(
            "WITH RECURSIVE one(id) AS (SELECT ?1 UNION SELECT l.id FROM learner l JOIN one ON l.merged_into=one.id) "
            "SELECT (SELECT blocked FROM learner WHERE id=?1),"
            "EXISTS(SELECT 1 FROM one JOIN person p ON p.learner=one.id WHERE p.blocked=1) OR "
            "EXISTS(SELECT 1 FROM one JOIN person p ON p.learner=one.id JOIN claim c ON c.person=p.id AND c.current=1 AND "
            "c.identity=1 "
            "JOIN claim d ON d.hash=c.hash AND d.current=1 JOIN person q ON q.id=d.person "
            "WHERE q.blocked=1 AND q.state=1 AND q.decided=0)");
        query.add(top);
        query.step();
        was = query.integer(0) != 0;
        blocked = query.integer(1) != 0;
    }
    if (was == blocked) return;
    database_.use("UPDATE learner SET blocked=?,version=version+1,changed=max(changed+1000,?) WHERE id=?")
        .add(blocked)
        .add(now_)
        .add(top)
        .run();
}

}  // namespace clrbus::records
