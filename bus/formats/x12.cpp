#include "formats/x12.hpp"

#include <utility>

#include "formats/x12_stream.hpp"

namespace clrbus {
namespace {

class X12Parse final : public X12Sink {
public:
    explicit X12Parse(const X12Options& options) : options_(options), reader_(options), stream_(options, *this) {}

    Document parse(std::string_view bytes) {
        bytes_ = bytes;
        stream_.write(bytes);
        stream_.finish();
        return builder_.finish();
    }

private:
    void interchange(const X12Segment& isa) override {
        if (begun_) fail(isa, "X12-003", "something follows the end of the interchange", "one interchange; several are split");
        begun_ = true;
        isa_ = isa.text;
    }
    void group(const X12Segment& gs) override {
        open();
        builder_.start("group");
        segment(gs);
    }
    void set(std::uint64_t number, std::string_view raw, const X12Place& place, const Error* broken) override {
        if (number > options_.limits.sets) {
            X12Segment at;
            at.offset = place.offset;
            at.line = place.line;
            fail(at, "X12-004", "the interchange has too many transaction sets",
                 "at most " + std::to_string(options_.limits.sets) + "; more are split");
        }
        if (broken != nullptr) throw Error(*broken);
        reader_.set(builder_, raw, stream_.delimiters(), place);
    }
    void other(const X12Segment& other) override {
        open();
        segment(other);
    }
    void end_of_group(const X12Segment& ge) override {
        segment(ge);
        builder_.end();
    }
    void end_of_interchange(const X12Segment& iea) override {
        open();
        segment(iea);
        builder_.end();
    }

    // ISA is written when what follows it is known.
    void open() {
        if (isa_.empty()) return;
        builder_.start("interchange");
        const std::string_view line_end = stream_.scanner().line_end();
        x12_describe(builder_, stream_.delimiters(), line_end);
        if (!bytes_.ends_with(line_end)) builder_.attribute("last-line-end", "none");
        X12Segment isa;
        isa.text = isa_;
        segment(isa);
        isa_.clear();
    }
    void segment(const X12Segment& segment) {
        Where where;
        where.file = options_.file;
        where.line = segment.line;
        where.offset = static_cast<std::int64_t>(segment.offset);
        reader_.segment(builder_, segment.text, stream_.delimiters(), where);
    }
    [[noreturn]] void fail(const X12Segment& at, const char* code, std::string why, std::string expected) const {
        Where where;
        where.file = options_.file;
        where.line = at.line;
        where.offset = static_cast<std::int64_t>(at.offset);
        Error error(Fault::kPoison, code, "reading X12", std::move(where), std::move(why));
        error.expected(std::move(expected));
        throw error;
    }

    X12Options options_;
    X12SetReader reader_;
    TreeBuilder builder_;
    std::string_view bytes_;
    std::string isa_;
    bool begun_ = false;
    X12Stream stream_;  // last: calls back into this
};

}  // namespace

Document parse_x12(std::string_view bytes, const X12Options& options) {
    if (bytes.size() > options.limits.bytes) {
        throw Error(Fault::kPoison, "X12-004", "reading X12", "the interchange is too large")
            .expected("at most " + std::to_string(options.limits.bytes) + " bytes; larger ones are split");
    }
    return X12Parse(options).parse(bytes);
}

}  // namespace clrbus
