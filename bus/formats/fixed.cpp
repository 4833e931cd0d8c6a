#include "formats/fixed.hpp"

#include <optional>
#include <utility>

#include "formats/fixed_stream.hpp"

namespace clrbus {
namespace {

class FixedParse final : public FixedSink {
public:
    FixedParse(const FixedOptions& options, bool whole) : stream_(options, *this, whole) {}

    Document parse(std::string_view bytes) {
        bytes_ = bytes;
        stream_.write(bytes);
        stream_.finish();
        begin();
        builder_.end();
        return builder_.finish();
    }

private:
    // The first line's end is known when the second line is there.
    void begin() {
        if (std::exchange(begun_, true)) return;
        builder_.start("file");
        const std::string_view end = stream_.line_end();
        if (!end.empty()) builder_.attribute("line-end", end == "\r\n" ? "crlf" : end == "\n" ? "lf" : "cr");
        if (!bytes_.ends_with(end)) builder_.attribute("last-line-end", "none");
        if (header_) stream_.build(builder_, *header_);
    }
    void header(const FixedUnit& header) override { header_ = header; }
    void unit(const FixedUnit& unit, const Error* broken) override {
        if (broken != nullptr) throw Error(*broken);
        begin();
        stream_.build(builder_, unit);
    }
    void trailer(const FixedUnit& trailer) override {
        begin();
        stream_.build(builder_, trailer);
    }

    TreeBuilder builder_;
    std::optional<FixedUnit> header_;
    std::string_view bytes_;
    bool begun_ = false;
    FixedStream stream_;  // last: calls back into this
};

class FixedSplitter final : public RecordSplitter, private FixedSink {
public:
    FixedSplitter(const FixedOptions& options, RecordHandlers handlers)
        : handlers_(std::move(handlers)), stream_(options, *this, true) {}

    void write(std::string_view chunk) override { stream_.write(chunk); }
    void finish() override { stream_.finish(); }
    StreamPosition next() const override { return stream_.next(); }
    void resume(const StreamPosition& position) override { stream_.resume(position); }
    bool needs_head() const override { return false; }  // the position has the header

private:
    void header(const FixedUnit& header) override {
        header_ = header;
        builder_.clear();
        builder_.start("file");
        stream_.build(builder_, header);  // what is wrong with it stops the file
        builder_.clear();
    }
    void trailer(const FixedUnit& trailer) override {
        builder_.clear();
        builder_.start("file");
        stream_.build(builder_, trailer);
        builder_.clear();
    }
    void unit(const FixedUnit& unit, const Error* broken) override {
        alone_ = stream_.header_raw();
        alone_ += unit.raw;
        const std::string_view raw = unit.raw.empty() ? std::string_view() : std::string_view(alone_);
        if (broken != nullptr) return handlers_.on_broken(unit.number, unit.offset, raw, *broken);
        Document record;
        std::optional<Error> error;
        try {
            builder_.clear();
            builder_.start("file");
            if (header_) stream_.build(builder_, *header_);
            stream_.build(builder_, unit);
            builder_.end();
            record = builder_.finish();
        } catch (const Error& e) {
            error = e;
            error->where().row = unit.number;
        }
        if (error) return handlers_.on_broken(unit.number, unit.offset, raw, *error);
        handlers_.on_record(unit.number, unit.offset, raw, std::move(record));
    }

    RecordHandlers handlers_;
    TreeBuilder builder_;
    std::optional<FixedUnit> header_;
    std::string alone_;
    FixedStream stream_;  // last: calls back into this
};

}  // namespace

Document parse_fixed(std::string_view bytes, const FixedOptions& options) {
    if (bytes.size() > options.limits.bytes) {
        throw Error(Fault::kPoison, "FIX-007", "reading fixed width", "the file is too large")
            .expected("at most " + std::to_string(options.limits.bytes) + " bytes; larger ones are split");
    }
    return FixedParse(options, true).parse(bytes);
}

Document parse_fixed_record(std::string_view raw, const FixedOptions& options) {
    return FixedParse(options, false).parse(raw);
}

std::unique_ptr<RecordSplitter> make_fixed_splitter(const FixedOptions& options, RecordHandlers handlers) {
    return std::make_unique<FixedSplitter>(options, std::move(handlers));
}

}  // namespace clrbus
