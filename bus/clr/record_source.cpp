#include "clr/record_source.hpp"

#include "records/store.hpp"

namespace clrbus::clr {

records::ReadAnswer StoreSource::read(const records::Reader& reader, const std::string& learner, std::string_view purpose) {
    return store_.read(reader, learner, purpose, records::RecordsStore::Claims::kApproved);
}

std::optional<records::LearnerLine> StoreSource::line(const std::string& learner) {
    auto line = store_.learner(learner);
    if (line) line->version += store_.approvals().epoch();  // as read() does: an approval changes what is released
    return line;
}

records::Release StoreSource::disclose(const records::Reader& reader, const std::string& learner, std::string_view purpose,
                                       std::string_view what) {
    return store_.disclose(reader, learner, purpose, what);
}

std::optional<records::DefinitionRecord> StoreSource::definition(std::string_view key) {
    return store_.definition(key);
}

}  // namespace clrbus::clr
