// The waiting list and what a person decides about it. Each decision is a line that stays.
#include "core/error.hpp"
#include "records/writer.hpp"

namespace clrbus::records {
namespace {

[[noreturn]] void refuse_decision(std::string_view code, std::string why) {
    throw Error(Fault::kPoison, code, "deciding about the waiting list", std::move(why));
}

}  // namespace

void Writer::open_waiting(WaitingKind kind, std::int64_t ref, const char* reason, const std::string& source,
                          const std::string& route, bool fresh) {
    if (!fresh) {
        std::int64_t id = 0;
        bool same = false;
        {
            Query query = database_.use("SELECT id,reason FROM waiting WHERE kind=? AND ref=? AND open=1");
            query.add(static_cast<int>(kind)).add(ref);
            if (query.step()) {
                id = query.integer(0);
                same = query.bytes(1) == reason;
            }
        }
        if (id != 0) {
            if (!same) database_.use("UPDATE waiting SET reason=? WHERE id=?").text(reason).add(id).run();
            return;
        }
    }
    Query query = database_.use("INSERT INTO waiting(kind,ref,reason,since,source,route,open) VALUES(?,?,?,?,?,?,1)");
    query.add(static_cast<int>(kind)).add(ref).text(reason).add(now_).text(source).text(route).run();
}

void Writer::close_waiting(WaitingKind kind, std::int64_t ref, const char* how) {
    Query query = database_.use("UPDATE waiting SET open=0,closed=?,how=? WHERE kind=? AND ref=? AND open=1");
    query.add(now_).text(how).add(static_cast<int>(kind)).add(ref).run();
}

std::int64_t Writer::log_decision(const char* what, const Decider& decider, std::int64_t waiting, std::int64_t statement,
                                  std::int64_t person, std::int64_t learner, std::int64_t other, std::int64_t undoes) {
    if (decider.who.empty() || decider.why.empty()) refuse_decision("REC-030", "a decision needs who decided and why");
    const std::int64_t id = next_id(last_decision_, "SELECT coalesce(max(id),0) FROM decision");
    const std::string why = vault_.seal_text("decision", id, decider.why);  // people write names into it
    Query query = database_.use(
        "INSERT INTO decision(id,at,what,who,why,waiting,statement,person,learner,other,undoes) VALUES(?,?,?,?,?,?,?,?,?,?,?)");
    query.add(id)
        .add(now_)
        .text(what)
        .text(decider.who)
        .blob(why)
        .id(waiting)
        .id(statement)
        .id(person)
        .id(learner)
        .id(other)
        .id(undoes)
        .run();
    return id;
}

void Writer::attach(std::int64_t waiting, std::int64_t learner, const Decider& decider) {
    now_ = to_millis(clock_.now());
    WaitingKind kind{};
    std::int64_t ref = 0;
    {
        Query query = database_.use("SELECT kind,ref FROM waiting WHERE id=? AND open=1");
        query.add(waiting);
        if (!query.step()) refuse_decision("REC-031", "nothing waits under this number; it may have been decided already");
        kind = static_cast<WaitingKind>(query.integer(0));
        ref = query.integer(1);
    }
    learner = merged_learner(database_, learner);
    if (kind == WaitingKind::kPerson) {
        Person person;
        if (!load_person(ref, person)) refuse_decision("REC-031", "nothing waits under this number");
        const std::int64_t own = merged_learner(database_, person.learner);
        log_decision("attach", decider, waiting, 0, ref, learner, own != learner ? own : 0, 0);
        if (own == 0) {
            database_.use("UPDATE person SET learner=?,decided=1 WHERE id=?").add(learner).add(ref).run();
        } else {
            database_.use("UPDATE person SET decided=1 WHERE id=?").add(ref).run();
            if (own != learner) database_.use("UPDATE learner SET merged_into=? WHERE id=?").add(learner).add(own).run();
        }
        if (person.state == PersonState::kInConflict) {
            database_.use("UPDATE person SET state=0 WHERE id=?").add(ref).run();
        }
        close_waiting(WaitingKind::kPerson, ref, "attached");
        if (own != 0 && own != learner) move_statements(own, learner);
        reevaluate(claims_of(ref, false));
        update_blocked(learner);
        return;
    }
    std::string key_hash;
    {
        std::string print;
        Query query = database_.use("SELECT key_hash,sealed FROM statement WHERE id=?");
        query.add(ref);
        if (!query.step()) refuse_decision("REC-031", "nothing waits under this number");
        key_hash = query.string(0);
        print = fingerprint(vault_.open("statement", ref, query.bytes(1)).header);
        const std::int64_t id = log_decision("attach", decider, waiting, ref, 0, learner, 0, 0);
        database_.use("INSERT OR REPLACE INTO attachment(key_hash,fingerprint,learner,decision) VALUES(?,?,?,?)")
            .blob(key_hash)
            .blob(print)
            .add(learner)
            .add(id)
            .run();
    }
    attachments_ = 1;
    database_.use("UPDATE statement SET decided=1 WHERE id=?").add(ref).run();
    settle_key(key_hash);
}

void Writer::reject(std::int64_t waiting, const Decider& decider) {
    now_ = to_millis(clock_.now());
    WaitingKind kind{};
    std::int64_t ref = 0;
    {
        Query query = database_.use("SELECT kind,ref FROM waiting WHERE id=? AND open=1");
        query.add(waiting);
        if (!query.step()) refuse_decision("REC-031", "nothing waits under this number; it may have been decided already");
        kind = static_cast<WaitingKind>(query.integer(0));
        ref = query.integer(1);
    }
    if (kind == WaitingKind::kPerson) {
        Person person;
        if (!load_person(ref, person)) refuse_decision("REC-031", "nothing waits under this number");
        log_decision("reject", decider, waiting, 0, ref, 0, 0, 0);
        database_.use("UPDATE person SET decided=2 WHERE id=?").add(ref).run();
        close_waiting(WaitingKind::kPerson, ref, "rejected");
        reevaluate(claims_of(ref, false));
        return;
    }
    std::string key_hash;
    std::string doc_hash;
    {
        Query query = database_.use("SELECT key_hash,doc_hash FROM statement WHERE id=?");
        query.add(ref);
        if (!query.step()) refuse_decision("REC-031", "nothing waits under this number");
        key_hash = query.string(0);
        doc_hash = query.string(1);
    }
    log_decision("reject", decider, waiting, ref, 0, 0, 0, 0);
    database_.use("UPDATE statement SET decided=2,conflict=0 WHERE id=?").add(ref).run();
    close_waiting(WaitingKind::kStatement, ref, "rejected");
    // What it had replaced may stand again.
    database_.use("UPDATE statement SET live=1 WHERE key_hash=?").blob(key_hash).run();
    if (!doc_hash.empty()) {
        Row none;
        none.doc_hash = doc_hash;
        std::vector<Row> rows = load_rows(key_hash);
        find_conflicts(none, rows);
        settle_rows(rows);
    } else {
        settle_key(key_hash);
    }
}

std::int64_t Writer::merge(std::int64_t from, std::int64_t into, const Decider& decider) {
    now_ = to_millis(clock_.now());
    from = merged_learner(database_, from);
    into = merged_learner(database_, into);
    if (from == into) refuse_decision("REC-032", "both are one learner already");
    const std::int64_t id = log_decision("merge", decider, 0, 0, 0, into, from, 0);
    database_.use("UPDATE learner SET merged_into=?,version=version+1 WHERE id=?").add(into).add(from).run();
    move_statements(from, into);
    update_blocked(into);
    return id;
}

void Writer::unmerge(std::int64_t decision, const Decider& decider) {
    now_ = to_millis(clock_.now());
    std::int64_t into = 0;
    std::int64_t from = 0;
    std::int64_t person = 0;
    std::string what;
    {
        Query query = database_.use(
            "SELECT what,learner,other,person FROM decision d WHERE id=? AND NOT EXISTS(SELECT 1 FROM decision u WHERE "
            "u.undoes=d.id)");
        query.add(decision);
        if (query.step()) {
            what = query.string(0);
            into = query.integer(1);
            from = query.integer(2);
            person = query.integer(3);
        }
    }
    if (what != "merge" && !(what == "attach" && person != 0))
        refuse_decision("REC-033", "this is no merge, or it was undone before");
    log_decision("unmerge", decider, 0, 0, person, into, from, decision);
    if (person != 0) {
        database_
            .use("UPDATE person SET decided=0,learner=CASE WHEN ?1=0 AND learner=?2 THEN NULL ELSE learner END WHERE id=?3")
            .add(from)
            .add(into)
            .add(person)
            .run();
    }
    if (from != 0)
        database_.use("UPDATE learner SET merged_into=NULL,version=version+1,changed=max(changed+1000,?) WHERE id=?")
            .add(now_)
            .add(from)
            .run();
    move_statements(into, from);
    if (person != 0) reevaluate(claims_of(person, false));
    update_blocked(into);
    if (from != 0) update_blocked(from);
}

// After a merge or its end: every statement of the two finds its learner again, and so does every person who shares with them.
void Writer::move_statements(std::int64_t a, std::int64_t b) {
    Hashes keys;
    Hashes hashes;
    for (const std::int64_t learner : {a, b}) {
        if (learner == 0) continue;
        {
            Query query = database_.use("SELECT key_hash FROM statement WHERE learner=? AND standing=1");
            query.add(learner);
            while (query.step()) keys.insert(query.string(0));
        }
        Query query = database_.use(
            "WITH RECURSIVE one(id) AS (SELECT ?1 UNION SELECT l.id FROM learner l JOIN one ON l.merged_into=one.id) "
            "SELECT c.hash FROM person p JOIN claim c ON c.person=p.id WHERE p.learner IN (SELECT id FROM one)");
        query.add(learner);
        while (query.step()) hashes.insert(query.string(0));
    }
    for (const std::string& key : keys) settle_key(key);
    reevaluate(hashes);
}

}  // namespace clrbus::records
