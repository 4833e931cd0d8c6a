// The envelopes of X12: interchange, group, set, with their control numbers and counts. Hands out each set's bytes. For x12.cpp
// and x12_splitter.cpp. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/x12.hpp"
#include "formats/x12_scanner.hpp"
#include "formats/x12_set.hpp"

namespace clrbus {

class X12Sink {
public:
    virtual ~X12Sink() = default;
    virtual void interchange(const X12Segment& isa) = 0;
    virtual void group(const X12Segment& gs) = 0;
    // raw: from ST to the terminator of SE; empty when it was too large. broken: null, or why it ends where it ends.
    virtual void set(std::uint64_t number, std::string_view raw, const X12Place& place, const Error* broken) = 0;
    virtual void other(const X12Segment& segment) = 0;  // between ISA and GS: TA1
    virtual void end_of_group(const X12Segment& ge) = 0;
    virtual void end_of_interchange(const X12Segment& iea) = 0;
};

class X12Stream {
public:
    X12Stream(const X12Options& options, X12Sink& sink);

    // Throws Error(kPoison) where the envelopes are wrong.
    void write(std::string_view chunk) { scanner_.write(chunk); }
    void finish();

    // After the set that was delivered last.
    const StreamPosition& next() const { return next_; }
    void resume(const StreamPosition& position);

    const X12Delimiters& delimiters() const { return scanner_.delimiters(); }
    const X12Scanner& scanner() const { return scanner_; }
    const std::string& isa() const { return isa_; }  // 105 characters
    const std::string& gs() const { return gs_; }

private:
    enum class In { kNothing, kInterchange, kGroup, kSet };
    void take(const X12Segment& segment);
    void begin_interchange(const X12Segment& segment);
    void begin_group(const X12Segment& segment);
    void end_group(const X12Segment& segment);
    void end_interchange(const X12Segment& segment);
    void begin_set(const X12Segment& segment);
    void in_set(const X12Segment& segment, std::string_view id);
    void deliver(const Error* broken, const X12Segment* behind);
    void add(const X12Segment& segment);
    std::string element(const X12Segment& segment, std::size_t number) const;
    Error error(const char* code, const X12Segment& segment, std::string path, std::string why, std::string expected) const;
    void check_count(const X12Segment& segment, const char* path, std::uint64_t count, const char* what) const;
    std::string state() const;

    X12Options options_;
    X12Sink& sink_;
    In in_ = In::kNothing;
    std::string isa_, gs_;
    std::uint64_t groups_ = 0, sets_ = 0;  // so far, in the interchange and in the group
    bool seen_ = false;                    // an interchange
    // The set in hand:
    X12Place place_;
    std::string raw_;
    std::uint64_t raw_end_ = 0;
    bool too_large_ = false;
    std::uint64_t number_ = 1;  // of the next set
    StreamPosition next_;
    X12Scanner scanner_;  // last: calls back into this
};

}  // namespace clrbus
