#include <optional>
#include <utility>

#include "formats/x12.hpp"
#include "formats/x12_stream.hpp"

namespace clrbus {
namespace {

class X12Splitter final : public RecordSplitter, private X12Sink {
public:
    X12Splitter(const X12Options& options, RecordHandlers handlers)
        : options_(options), handlers_(std::move(handlers)), reader_(options), stream_(options, *this) {}

    void write(std::string_view chunk) override { stream_.write(chunk); }
    void finish() override { stream_.finish(); }
    StreamPosition next() const override { return stream_.next(); }
    void resume(const StreamPosition& position) override { stream_.resume(position); }
    bool needs_head() const override { return false; }  // the position has the envelope

private:
    void interchange(const X12Segment&) override {}
    void group(const X12Segment&) override {}
    void other(const X12Segment&) override {}
    void end_of_group(const X12Segment&) override {}
    void end_of_interchange(const X12Segment&) override {}

    void set(std::uint64_t number, std::string_view raw, const X12Place& place, const Error* broken) override {
        if (!raw.empty()) envelope(raw);
        const std::string_view alone = raw.empty() ? std::string_view() : std::string_view(alone_);
        if (broken != nullptr) return give_broken(number, place, alone, *broken);
        Document record;
        std::optional<Error> error;
        try {
            builder_.clear();
            record = document(raw, place);
        } catch (const Error& e) {
            error = e;
        }
        if (error) return give_broken(number, place, alone, *error);
        handlers_.on_record(number, place.offset, alone, std::move(record));
    }

    void give_broken(std::uint64_t number, const X12Place& place, std::string_view alone, Error error) {
        error.where().row = number;
        handlers_.on_broken(number, place.offset, alone, error);
    }

    Document document(std::string_view raw, const X12Place& place) {
        const X12Delimiters& delimiters = stream_.delimiters();
        Where where;
        where.file = options_.file;
        where.offset = 0;
        builder_.start("interchange");
        x12_describe(builder_, delimiters, stream_.scanner().line_end());
        reader_.segment(builder_, stream_.isa(), delimiters, where);
        builder_.start("group");
        reader_.segment(builder_, stream_.gs(), delimiters, where);
        reader_.set(builder_, raw, delimiters, place);
        builder_.end();
        builder_.end();
        return builder_.finish();
    }

    // The set in envelopes of its own.
    void envelope(std::string_view raw) {
        const X12Delimiters& d = stream_.delimiters();
        alone_.clear();
        const auto end = [&] {
            alone_ += d.segment;
            alone_ += stream_.scanner().line_end();
        };
        const auto element = [&](std::string_view text) {
            alone_ += d.element;
            alone_ += text;
        };
        alone_ += stream_.isa();
        end();
        alone_ += stream_.gs();
        end();
        alone_ += raw;
        alone_ += stream_.scanner().line_end();
        alone_ += "GE";
        element("1");
        element(x12_element_of(stream_.gs(), d.element, 6));
        end();
        alone_ += "IEA";
        element("1");
        element(x12_element_of(stream_.isa(), d.element, 13));
        end();
    }

    X12Options options_;
    RecordHandlers handlers_;
    X12SetReader reader_;
    TreeBuilder builder_;
    std::string alone_;
    X12Stream stream_;  // last: calls back into this
};

}  // namespace

std::unique_ptr<RecordSplitter> make_x12_splitter(const X12Options& options, RecordHandlers handlers) {
    return std::make_unique<X12Splitter>(options, std::move(handlers));
}

}  // namespace clrbus
