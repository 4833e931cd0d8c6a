#include "clr/assembler.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "clr/achievement_json.hpp"
#include "clr/json_text.hpp"
#include "clr/terms.hpp"
#include "core/error.hpp"
#include "credentials/data_integrity.hpp"
#include "crypto/hash.hpp"

namespace clrbus::clr {

namespace {

constexpr std::string_view kContextVc = "https://www.w3.org/ns/credentials/v2";
constexpr std::string_view kContextClr = "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json";
constexpr std::string_view kContextOb = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json";
constexpr std::string_view kContextExtensions = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json";
constexpr std::string_view kSchemaBase = "https://purl.imsglobal.org/spec/clr/v2p0/schema/json/clr_v2p0_";
constexpr std::size_t kMostIdentifiers = 10;

class Assembly {
public:
    Assembly(const RecordModel& record, const Institution& institution, const AssembleOptions& options)
        : record_(record),
          institution_(institution),
          options_(options),
          book_(record, institution),
          issuer_(institution.profile_json()),
          subject_("urn:uuid:" + record.learner),
          id_(credential_id(institution, record.learner, options.reader)) {}

    Assembled run() {
        if (record_.entries.empty())
            throw Error(Fault::kPoison, "CLR-011", "assembling a record", "it holds no achievement yet");
        json_.reserve(record_.entries.size() * 3000 + 4000);
        const std::string valid_from = credentials::credential_time(record_.changed);
        json_.object().strings("@context", {kContextVc, kContextClr, kContextOb, kContextExtensions});
        json_.member("id", id_).strings("type", {"VerifiableCredential", "ClrCredential"});
        json_.member("name", (institution_.test ? "TEST record of " : "Learner record of ") +
                                 (record_.name.empty() ? "a learner" : record_.name));
        if (institution_.test) json_.member("description", "TEST: made by a test instance. It proves nothing about anybody.");
        json_.raw("issuer", issuer_).member("validFrom", valid_from);
        if (record_.created != Time{})
            json_.member("awardedDate", credentials::credential_time(std::min(record_.created, record_.changed)));
        if (record_.partial) json_.flag("partial", true);
        subject();
        status();
        schema("clrcredential");
        json_.end();
        Assembled out;
        out.json = json_.take();
        out.claims = {institution_.id, id_, subject_,
                      std::chrono::floor<std::chrono::seconds>(record_.changed).time_since_epoch().count(), std::nullopt};
        out.achievements = record_.entries.size();
        out.without_proof = without_proof_;
        out.dropped_associations = book_.dropped_edges();
        return out;
    }

private:
    void schema(std::string_view name) {
        json_.array("credentialSchema").object().member("id", std::string(kSchemaBase) + std::string(name) + "_schema.json");
        json_.member("type", "1EdTechJsonSchemaValidator2019").end().end();
    }

    void status() {
        if (!options_.status) return;
        const std::string url = institution_.status_url(options_.status->list);
        const std::string index = std::to_string(options_.status->index);
        json_.object("credentialStatus").member("id", url + "#" + index).member("type", "BitstringStatusListEntry");
        json_.member("statusPurpose", "revocation").member("statusListIndex", index).member("statusListCredential", url).end();
    }

    void subject() {
        json_.object("credentialSubject").member("id", subject_).strings("type", {"ClrSubject"});
        identifiers();
        json_.array("verifiableCredential");
        for (std::size_t i = 0; i < record_.entries.size(); ++i) json_.raw(credential_text(i));
        json_.end();
        json_.array("achievement");
        for (const std::string& id : book_.all_ids()) json_.raw(book_.json_of(id));
        json_.end();
        const auto edges = book_.edges();
        if (!edges.empty()) {
            json_.array("association");
            for (const auto& edge : edges)
                json_.object()
                    .member("type", "Association")
                    .member("associationType", edge.type)
                    .member("sourceId", edge.source)
                    .member("targetId", edge.target)
                    .end();
            json_.end();
        }
        json_.end();
    }

    // The name as it is; what identifies the person elsewhere as a salted hash: who knows the value can match it, nobody reads
    // it.
    void identifiers() {
        static const std::set<std::string, std::less<>> shown{"email", "institution-id", "sis-id", "orcid"};
        std::set<std::string> seen;
        const std::string salt = crypto::sha256_hex("salt\n" + id_).substr(0, 16);
        json_.array("identifier");
        if (!record_.name.empty())
            json_.object()
                .member("type", "IdentityObject")
                .flag("hashed", false)
                .member("identityHash", record_.name)
                .member("identityType", "name")
                .end();
        for (const IdentifierView& identifier : record_.identifiers) {
            if (!shown.contains(identifier.scheme) || seen.size() == kMostIdentifiers) continue;
            const std::string type = identity_type(identifier.scheme);
            if (!seen.insert(type + "\n" + identifier.value).second) continue;
            json_.object().member("type", "IdentityObject").flag("hashed", true);
            json_.member("identityHash", "sha256$" + crypto::sha256_hex(identifier.value + salt))
                .member("identityType", type)
                .member("salt", salt)
                .end();
        }
        json_.end();
    }

    // A day in the institution's zone; an instant as it is.
    std::string instant(const std::string& text, bool end_of_period) const {
        const auto date = read_date(text);
        if (!date) return {};
        if (!date->instant.empty()) return date->instant;
        return start_of_day(institution_.zone, end_of_period ? date->last : date->first);
    }

    // When the nested credential became true: the award, else the end, else when we took it. Never after this version of the
    // record.
    std::string valid_from(const Entry& entry) const {
        const AchievementModel& a = entry.achievement;
        for (const std::string& text : {a.awarded, a.end, a.session.end}) {
            std::string at = instant(text, true);
            if (!at.empty() && from_rfc3339(at) <= record_.changed) return at;
        }
        const Time accepted = entry.source.accepted;
        return credentials::credential_time(accepted == Time{} ? record_.changed : std::min(accepted, record_.changed));
    }

    std::string credential_text(std::size_t index) {
        JsonText outer = std::exchange(json_, JsonText());
        credential(index);
        std::string text = json_.take();
        json_ = std::move(outer);
        if (options_.proofs == nullptr) return text;
        try {
            return credentials::add_proof(*options_.proofs, text, institution_.id, record_.changed);
        } catch (const Error&) {
            ++without_proof_;  // a source's text that linked data cannot carry must not keep the whole record back
            return text;
        }
    }

    void credential(std::size_t index) {
        const Entry& entry = record_.entries[index];
        const AchievementModel& a = entry.achievement;
        json_.object().strings("@context", {kContextVc, kContextOb, kContextExtensions});
        json_.member("id", stable_urn(institution_, "credential", record_.learner, entry.statement, a.key));
        json_.strings("type", {"VerifiableCredential", "AchievementCredential"})
            .member("name", shown_name(entry))
            .raw("issuer", issuer_);
        json_.member("validFrom", valid_from(entry));
        if (const auto awarded = read_date(a.awarded); awarded && awarded->exact)
            json_.member("awardedDate", instant(a.awarded, false));
        json_.optional("validUntil", instant(a.valid_until, true));
        achievement_subject(index, entry);
        evidence(entry);
        schema("achievementcredential");
        json_.end();
    }

    void achievement_subject(std::size_t index, const Entry& entry) {
        const AchievementModel& a = entry.achievement;
        json_.object("credentialSubject").member("id", subject_).strings("type", {"AchievementSubject"});
        json_.optional("activityStartDate", instant(a.begin.empty() ? a.session.begin : a.begin, false));
        json_.optional("activityEndDate", instant(a.end.empty() ? a.session.end : a.end, true));
        json_.number("creditsEarned", a.credits_earned).optional("term", a.session.title()).optional("role", a.role);
        json_.optional("licenseNumber", a.license_number).optional("narrative", narrative(a));
        results(index, a);
        source(entry);
        json_.raw("achievement", book_.json_of(book_.id_of(index)));
        json_.end();
    }

    static std::string narrative(const AchievementModel& a) {
        std::string out = a.narrative;
        const auto line = [&](const std::string& text) {
            if (!out.empty()) out += '\n';
            out += text;
        };
        for (const auto& [title, level] : a.honors) line("Honors: " + with_detail(title, level));
        if (!a.location.empty()) line("Location: " + a.location);
        if (!a.hours.empty()) line("Hours: " + a.hours);
        for (const std::string& note : a.notes) line(note);
        return out;
    }

    void results(std::size_t index, const AchievementModel& a) {
        const bool status = !a.status.empty() && a.status != "Completed";
        if (a.results.empty() && !status) return;
        json_.array("result");
        bool has_status = false;
        for (const ResultModel& result : a.results) {
            has_status = has_status || result.type == "Status";
            json_.object().strings("type", {"Result"}).member("resultDescription", book_.description_of(index, result));
            json_.optional("value", result.value).optional("status", status_of(result, a));
            json_.optional("achievedLevel", book_.level_of(index, result));
            alignments(result.alignments);
            json_.end();
        }
        if (status && !has_status) {
            json_.object()
                .strings("type", {"Result"})
                .member("resultDescription", book_.description_of(index, status_result(a)));
            json_.member("status", a.status).end();
        }
        json_.end();
    }

    // A result of type Status must say one.
    static std::string status_of(const ResultModel& result, const AchievementModel& a) {
        if (!result.status.empty() || result.type != "Status") return result.status;
        return a.status.empty() ? "Completed" : a.status;
    }

    void alignments(const std::vector<AlignmentModel>& list) {
        if (list.empty()) return;
        json_.array("alignment");
        for (const AlignmentModel& alignment : list) {
            json_.object().strings("type", {"Alignment"}).member("targetName", alignment.name);
            json_.member("targetUrl", is_uri(alignment.url) ? alignment.url
                                                            : stable_urn(institution_, "alignment", alignment.framework,
                                                                         alignment.code, alignment.name));
            json_.optional("targetCode", alignment.code).optional("targetFramework", alignment.framework);
            json_.optional("targetType", alignment_type(alignment.type)).end();
        }
        json_.end();
    }

    // Who taught or witnessed it: the other school of a transfer, the named department or employer, else the unit that answers
    // for it.
    void source(const Entry& entry) {
        if (!entry.achievement.source_organization.empty()) {
            json_.raw("source", profile_of(institution_, entry.achievement.source_organization));
        } else if (entry.transfer) {
            json_.raw("source", profile_of(institution_, entry.organization));
        } else if (!entry.authority.name.empty()) {
            const std::string title =
                entry.authority.unit.empty() ? entry.authority.name : entry.authority.name + ", " + entry.authority.unit;
            json_.object("source");
            json_.member("id",
                         is_uri(entry.authority.url) ? entry.authority.url : stable_urn(institution_, "authority", title));
            json_.strings("type", {"Profile"}).member("name", title).end();
        }
    }

    // What the source gave, and where this entry came from: system, unit, day, and the hash of the document that said it.
    void evidence(const Entry& entry) {
        json_.array("evidence");
        for (const EvidenceModel& item : entry.achievement.evidence) {
            json_.object();
            if (is_uri(item.url) && !item.url.starts_with("data:")) json_.member("id", item.url);
            json_.strings("type", {"Evidence"}).member("name", item.name).optional("description", item.description);
            std::string text = item.narrative;
            if (!item.sha256.empty()) text += (text.empty() ? "SHA-256: " : "\nSHA-256: ") + item.sha256;
            json_.optional("narrative", text).optional("genre", item.genre).end();
        }
        std::string text = "Recorded from " + entry.source.system;
        if (!entry.authority.name.empty()) text += " by " + entry.authority.name;
        if (entry.source.accepted != Time{}) text += ", received " + credentials::credential_time(entry.source.accepted);
        if (entry.source.original.starts_with("sha256:")) text += ", document SHA-256 " + entry.source.original.substr(7, 64);
        if (!entry.source.corrected_by.empty()) {
            text += "; corrected by hand by " + entry.source.corrected_by + " on " +
                    credentials::credential_time(entry.source.corrected_at);
        }
        json_.object()
            .strings("type", {"Evidence"})
            .member("name", "Source of this entry")
            .member("narrative", text + ".")
            .end();
        json_.end();
    }

    const RecordModel& record_;
    const Institution& institution_;
    const AssembleOptions& options_;
    AchievementBook book_;
    std::string issuer_, subject_, id_;
    JsonText json_;
    std::size_t without_proof_ = 0;
};

}  // namespace

std::string credential_id(const Institution& institution, std::string_view learner, std::string_view reader) {
    return stable_urn(institution, "record", learner, reader);
}

Assembled assemble(const RecordModel& record, const Institution& institution, const AssembleOptions& options) {
    return Assembly(record, institution, options).run();
}

}  // namespace clrbus::clr
