// Learners, what waits for a person's decision, where a claim came from, and the keys that sign.
#include "core/error.hpp"
#include "credentials/key_store.hpp"
#include "management/commands.hpp"
#include "records/store.hpp"
#include "routing/engine.hpp"

namespace clrbus::management {
namespace {

using records::Reader;

Reader staff(const Call& call) {
    return {Reader::Kind::kStaff, call.who, ""};
}

std::string shown(Time time) {
    return time == Time{} ? std::string() : to_rfc3339(time);
}

object provenance_object(const records::Provenance& from) {
    object out{{"source", from.source},         {"authority", from.authority},         {"route", from.route},
               {"generation", from.generation}, {"accepted", shown(from.accepted)},    {"applied", shown(from.applied)},
               {"original", from.original},     {"source_number", from.source_number}, {"position", from.position}};
    if (const auto& by_hand = from.correction; !by_hand.by.empty()) {
        out["corrected_by_hand"] = {
            {"by", by_hand.by}, {"at", by_hand.at}, {"why", by_hand.why}, {"dead_letter", by_hand.letter}};
    }
    return out;
}

object waiting_object(const records::WaitingItem& item) {
    return {{"number", item.id},     {"kind", item.person ? "person" : "statement"},
            {"reason", item.reason}, {"since", shown(item.since)},
            {"source", item.source}, {"route", item.route}};
}

// A learner by our id, or by SCHEME:ISSUER:VALUE with --by.
std::string learner_of(const Call& call) {
    const std::string by = call.text("by");
    if (by.empty()) return call.required("learner");
    const auto first = by.find(':');
    const auto last = by.rfind(':');
    if (first == std::string::npos || last == first)
        throw Error(Fault::kPoison, "MGMT-006", "finding a learner", "not of the form").expected("SCHEME:ISSUER:VALUE");
    const auto found =
        call.parts.store.find_learner(by.substr(0, first), by.substr(first + 1, last - first - 1), by.substr(last + 1));
    if (!found) throw Error(Fault::kPoison, "MGMT-007", "finding a learner", "nobody has that identifier");
    return *found;
}

std::string purpose_of(const Call& call) {
    return call.text("purpose", "command line");
}

void need_released(records::Release release) {
    switch (release) {
        case records::Release::kReleased:
            return;
        case records::Release::kUnknown:
            throw Error(Fault::kPoison, "MGMT-008", "reading a record", "there is no such learner");
        case records::Release::kDenied:
            throw Error(Fault::kPoison, "MGMT-009", "reading a record", "this reader may not");
        case records::Release::kBlocked:
            throw Error(Fault::kPoison, "MGMT-010", "reading a record", "the person asked for no release");
    }
}

}  // namespace

object waiting_list(const Call& call) {
    array out;
    for (const auto& item :
         call.parts.store.waiting(call.number("after", 0), static_cast<std::size_t>(call.number("most", 1000))))
        out.push_back(waiting_object(item));
    return {{"count", call.parts.store.counts().waiting}, {"waiting", std::move(out)}};
}

object waiting_show(const Call& call) {
    const auto detail = call.parts.store.show(staff(call), call.number("number", 0), purpose_of(call));
    object out = waiting_object(detail.item);
    array identifiers;
    for (const auto& one : detail.header.identifiers)
        identifiers.push_back(object{{"scheme", one.scheme}, {"issuer", one.issuer}, {"value", one.value}});
    array candidates;
    for (const auto& one : detail.candidates) candidates.push_back(one.c_str());
    out["key"] = detail.header.key;
    out["name"] = detail.header.full.empty() ? detail.header.given + " " + detail.header.family : detail.header.full;
    out["organization"] = detail.header.organization;
    out["identifiers"] = std::move(identifiers);
    out["candidates"] = std::move(candidates);
    out["xml"] = detail.xml;
    return out;
}

object waiting_attach(const Call& call) {
    const std::string learner = learner_of(call);
    call.parts.store.attach(call.number("number", 0), learner, call.who, call.required("why"));
    return {{"attached", call.number("number", 0)}, {"learner", learner}};
}

object waiting_reject(const Call& call) {
    call.parts.store.reject(call.number("number", 0), call.who, call.required("why"));
    return {{"rejected", call.number("number", 0)}};
}

object learners(const Call& call) {
    array out;
    for (const auto& line :
         call.parts.store.learners(call.text("after"), static_cast<std::size_t>(call.number("most", 1000)))) {
        out.push_back(object{{"learner", line.id},
                             {"version", line.version},
                             {"blocked", line.blocked},
                             {"merged_into", line.merged_into},
                             {"statements", line.statements},
                             {"created", shown(line.created)}});
    }
    return {{"learners", std::move(out)}};
}

object learner(const Call& call) {
    const auto answer = call.parts.store.read(staff(call), learner_of(call), purpose_of(call));
    need_released(answer.release);
    const auto& record = answer.record;
    array names, identifiers, statements;
    for (const auto& one : record.names)
        names.push_back(object{{"source", one.source}, {"name", one.full.empty() ? one.given + " " + one.family : one.full}});
    for (const auto& one : record.identifiers)
        identifiers.push_back(
            object{{"source", one.source}, {"scheme", one.scheme}, {"issuer", one.issuer}, {"value", one.value}});
    for (const auto& one : record.statements) {
        array achievements;
        for (const auto& key : one.achievements) achievements.push_back(key.c_str());
        statements.push_back(object{{"key", one.key},
                                    {"organization", one.organization},
                                    {"own", one.own},
                                    {"provenance", provenance_object(one.provenance)},
                                    {"achievements", std::move(achievements)}});
    }
    return {{"learner", record.id},
            {"version", record.version},
            {"blocked", record.blocked},
            {"names", std::move(names)},
            {"identifiers", std::move(identifiers)},
            {"statements", std::move(statements)}};
}

object why(const Call& call) {
    const std::string learner = learner_of(call);
    array out;
    for (const auto& one : call.parts.store.why(staff(call), learner, call.required("achievement"))) {
        out.push_back(object{{"statement", one.statement},
                             {"key", one.key},
                             {"version", one.business_version},
                             {"in_force", one.in_force},
                             {"retracted", one.retracted},
                             {"content_sha256", one.content_sha256},
                             {"provenance", provenance_object(one.provenance)}});
    }
    if (out.empty())
        throw Error(Fault::kPoison, "MGMT-011", "asking why", "no source ever named this achievement for this learner");
    return {{"learner", learner}, {"achievement", call.required("achievement")}, {"words", std::move(out)}};
}

object clr(const Call& call) {
    const auto made = call.parts.sign(call.who, learner_of(call), call.text("alg", "ES256"));
    return {{"token", made.token}, {"credential", made.credential}};
}

object reader(const Call& call) {
    const std::string learner = learner_of(call);
    if (!call.parts.store.learner(learner)) need_released(records::Release::kUnknown);
    const std::string token = call.parts.issue_reader(learner);
    call.parts.store.disclose(staff(call), learner, call.required("why"), "a reader's token issued");
    return {{"learner", learner}, {"token", token}};
}

object disclosures(const Call& call) {
    array out;
    for (const auto& line : call.parts.store.disclosures(call.text("learner"), call.number("after", 0),
                                                         static_cast<std::size_t>(call.number("most", 100)))) {
        out.push_back(object{{"number", line.id},
                             {"at", shown(line.at)},
                             {"who", line.who},
                             {"kind", line.kind},
                             {"learner", line.learner},
                             {"purpose", line.purpose},
                             {"what", line.what},
                             {"released", line.released}});
    }
    const auto chain = call.parts.store.verify_chain();
    return {{"lines", std::move(out)},
            {"chain",
             {{"lines", chain.lines}, {"whole", chain.first_bad == 0}, {"first_bad", chain.first_bad}, {"head", chain.head}}}};
}

object keys(const Call& call) {
    array out;
    for (const auto& key : call.parts.keys.list())
        out.push_back(object{
            {"kid", key.kid}, {"alg", crypto::to_string(key.algorithm)}, {"created", key.created}, {"current", key.current}});
    return {{"keys", std::move(out)}, {"jwks", *call.parts.keys.jwks()}};
}

object keys_rotate(const Call& call) {
    const auto algorithm = crypto::algorithm_from(call.text("alg", "ES256"));
    if (!algorithm)
        throw Error(Fault::kPoison, "MGMT-012", "rotating a key", "no such algorithm").expected("ES256, RS256 or EdDSA");
    const auto signer = call.parts.keys.rotate(*algorithm);
    return {{"kid", signer.kid}, {"alg", crypto::to_string(*algorithm)}};
}

}  // namespace clrbus::management
