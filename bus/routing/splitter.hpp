// Splitter: reads the records of one message as a stream, in order, from where the last run stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "formats/json_splitter.hpp"
#include "routing/route.hpp"
#include "xml/document.hpp"

namespace clrbus {

// Where a run stopped: the number of records done and what the format needs to go on there. Text, for a note.
struct SplitPosition {
    std::uint64_t number = 0;
    std::uint64_t offset = 0;
    std::uint64_t line = 1;
    std::string state;  // of the format: the envelope of X12, the totals of fixed width
    std::string encode() const;
    static SplitPosition decode(std::string_view text);  // Error(kPoison, "ROUTE-104")
};

struct SplitRecord {
    std::uint64_t number = 0;  // from 1
    SplitPosition after;       // where to go on when this one is done
    std::string raw;    // the record so that it can stand alone as a message: CSV with its header line, X12 in its envelopes
    Document document;  // empty when broken
    const Error* broken = nullptr;
    bool validated = false;
};

class Splitter {
public:
    using Read = std::function<std::size_t(char*, std::size_t)>;  // 0 at the end
    virtual ~Splitter() = default;
    // Calls record for each one behind `from`, broken ones too; false from record stops. What breaks the stream itself throws.
    virtual void run(const Read& read, const SplitPosition& from, const std::function<bool(SplitRecord)>& record) = 0;
};

JsonSplitOptions json_split_options(const FormatPlan& source);
std::unique_ptr<Splitter> make_splitter(const SplitPlan& plan);

// A record that stands alone (the body of a child's dead letter, replayed), as one document.
Document parse_record(const SplitPlan& plan, std::string_view raw);

// True when the message is to be split: always but for xml; for xml with when= only if the root has that local name.
bool wants_split(const SplitPlan& plan, std::string_view head);

}  // namespace clrbus
