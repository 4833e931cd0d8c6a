// The bytes of an OAI-PMH 2.0 answer. Pure; one thread.
#pragma once

#include <string>
#include <vector>

namespace clrbus::adapters::oai_pmh {

struct OaiRecord {
    std::string identifier, datestamp;
    std::string body;  // a GetRecord answer with this record alone
};
struct OaiAnswer {
    std::string response_date;  // RFC 3339
    std::string error;          // a code of the protocol; "" = none
    // Of Identify:
    std::string granularity, deleted_record;
    // Of ListRecords:
    std::vector<OaiRecord> records;
    std::string token;  // "" = the list ends
};

// repair: characters that XML does not have are taken out first. verb: of the answer that is expected. Throws Error(kAway):
// HARV-012 no such answer; HARV-013 an error of the protocol that waiting does not mend (the text names its code). Of
// noRecordsMatch and badResumptionToken error tells.
OaiAnswer read_oai_answer(const std::string& body, const std::string& verb, bool repair);

// Without control characters and references to them. changed: how many there were.
std::string without_control_characters(const std::string& xml, std::size_t& changed);

}  // namespace clrbus::adapters::oai_pmh
