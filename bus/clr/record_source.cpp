#include "clr/record_source.hpp"

#include "records/store.hpp"

namespace clrbus::clr {

records::ReadAnswer StoreSource::read(const records::Reader& reader, const std::string& learner, std::string_view purpose) {
    return store_.read(reader, learner, purpose);
}

std::optional<records::LearnerLine> StoreSource::line(const std::string& learner) {
    return store_.learner(learner);
}

records::Release StoreSource::disclose(const records::Reader& reader, const std::string& learner, std::string_view purpose,
                                       std::string_view what) {
    return store_.disclose(reader, learner, purpose, what);
}

std::optional<records::DefinitionRecord> StoreSource::definition(std::string_view key) {
    return store_.definition(key);
}

}  // namespace clrbus::clr
