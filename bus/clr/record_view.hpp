// The record store's answer as the view that assembly takes. One thread each (it parses).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "clr/learner_view.hpp"
#include "records/record.hpp"

namespace clrbus::clr {

// The newest word about a catalogue item, or none.
using FindDefinition = std::function<std::optional<records::DefinitionRecord>(std::string_view key)>;

class RecordReader {
public:
    explicit RecordReader(FindDefinition definitions);
    ~RecordReader();
    RecordReader(RecordReader&&) noexcept;
    RecordReader& operator=(RecordReader&&) noexcept;

    // Parses the statements and fetches the definitions that they point to, and those that these point to (two steps, at most
    // 2000).
    LearnerView view(const records::LearnerRecord& record);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::clr
