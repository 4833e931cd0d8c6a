// What the service needs of the learner records. The store's implementation is StoreSource; tests have their own. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "records/record.hpp"

namespace clrbus::records {
class RecordsStore;
}

namespace clrbus::clr {

class RecordSource {
public:
    virtual ~RecordSource() = default;
    // Decides and writes the disclosure log before it answers.
    virtual records::ReadAnswer read(const records::Reader& reader, const std::string& learner, std::string_view purpose) = 0;
    virtual std::optional<records::LearnerLine> line(const std::string& learner) = 0;
    // The same decision and log line for what is released from a cache.
    virtual records::Release disclose(const records::Reader& reader, const std::string& learner, std::string_view purpose,
                                      std::string_view what) = 0;
    virtual std::optional<records::DefinitionRecord> definition(std::string_view key) = 0;
};

class StoreSource : public RecordSource {
public:
    explicit StoreSource(records::RecordsStore& store) : store_(store) {}
    records::ReadAnswer read(const records::Reader& reader, const std::string& learner, std::string_view purpose) override;
    std::optional<records::LearnerLine> line(const std::string& learner) override;
    records::Release disclose(const records::Reader& reader, const std::string& learner, std::string_view purpose,
                              std::string_view what) override;
    std::optional<records::DefinitionRecord> definition(std::string_view key) override;

private:
    records::RecordsStore& store_;  // outlives me
};

}  // namespace clrbus::clr
