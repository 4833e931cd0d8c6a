#include "formats/json_splitter.hpp"

#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "formats/text.hpp"

namespace clrbus {
namespace {

namespace bj = boost::json;

// Judges what stands around the records, and keeps nothing of it.
struct JsonEnvelopeHandler {
    // NOLINTBEGIN(readability-identifier-naming): Boost.JSON reads these names.
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
    // NOLINTEND(readability-identifier-naming)
    bool on_document_begin(bj::error_code&) { return true; }
    bool on_document_end(bj::error_code&) { return true; }
    bool on_object_begin(bj::error_code&) { return true; }
    bool on_object_end(std::size_t, bj::error_code&) { return true; }
    bool on_array_begin(bj::error_code&) { return true; }
    bool on_array_end(std::size_t, bj::error_code&) { return true; }
    bool on_key_part(bj::string_view, std::size_t, bj::error_code&) { return true; }
    bool on_key(bj::string_view, std::size_t, bj::error_code&) { return true; }
    bool on_string_part(bj::string_view, std::size_t, bj::error_code&) { return true; }
    bool on_string(bj::string_view, std::size_t, bj::error_code&) { return true; }
    bool on_number_part(bj::string_view, bj::error_code&) { return true; }
    bool on_int64(std::int64_t, bj::string_view, bj::error_code&) { return true; }
    bool on_uint64(std::uint64_t, bj::string_view, bj::error_code&) { return true; }
    bool on_double(double, bj::string_view, bj::error_code&) { return true; }
    bool on_bool(bool, bj::error_code&) { return true; }
    bool on_null(bj::error_code&) { return true; }
    bool on_comment_part(bj::string_view, bj::error_code&) { return true; }
    bool on_comment(bj::string_view, bj::error_code&) { return true; }
};

constexpr bool json_is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Bytes that end a run: inside a string, and outside.
constexpr std::array<bool, 256> json_bytes(std::string_view some) {
    std::array<bool, 256> out{};
    for (const char c : some) out[static_cast<unsigned char>(c)] = true;
    return out;
}
constexpr auto kJsonInString = json_bytes("\"\\");
constexpr auto kJsonBrackets = json_bytes("\"{}[]");
constexpr auto kJsonScalarEnd = json_bytes("\"{}[],: \t\r\n");
constexpr std::size_t kJsonDeepestRecord = 1u << 20;  // brackets that are counted; the reader refuses far fewer

// What both kinds of stream do with one record's bytes.
class JsonRecords : public RecordSplitter {
public:
    JsonRecords(const JsonSplitOptions& options, RecordHandlers handlers)
        : options_(options), handlers_(std::move(handlers)), reader_(limits(options)) {
        reader_.file(options_.file);
    }
    StreamPosition next() const override { return next_; }
    bool needs_head() const override { return false; }

protected:
    static JsonLimits limits(const JsonSplitOptions& options) {
        JsonLimits out = options.limits;
        out.bytes = options.record;
        return out;
    }

    [[noreturn]] void broken_stream(const char* code, std::string why, std::string expected) const {
        Where where;
        where.file = options_.file;
        where.path = path_;
        where.line = place_.line;
        where.column = place_.column;
        where.row = number_;
        where.offset = static_cast<std::int64_t>(place_.offset);
        Error error(Fault::kPoison, code, "splitting JSON", std::move(where), std::move(why));
        if (!expected.empty()) error.expected(std::move(expected));
        throw error;
    }

    void open_chunk(const char* begin) {
        if (in_record_) from_ = begin;
    }
    void close_chunk(const char* end) {
        if (in_record_) keep(end);
    }
    void begin_record(const char* at) {
        in_record_ = true;
        from_ = at;
        started_ = place_;
        kept_.clear();
        size_ = 0;
    }
    void end_record(const char* end) {
        std::string_view raw;
        if (size_ == 0) {  // it lies in this chunk
            raw = {from_, static_cast<std::size_t>(end - from_)};
            size_ = raw.size();
            place_.pass(raw);
        } else {
            keep(end);
            raw = kept_;
        }
        if (size_ > options_.record) raw = {};
        in_record_ = false;
        next_ = {number_ + 1, place_.offset, place_.line};
        deliver(raw);
        ++number_;
    }
    bool in_record() const { return in_record_; }

private:
    void keep(const char* end) {
        const std::string_view part(from_, static_cast<std::size_t>(end - from_));
        size_ += part.size();
        place_.pass(part);
        if (size_ <= options_.record) {
            kept_.append(part);
        } else {
            std::string().swap(kept_);
        }
    }
    void deliver(std::string_view raw) {
        Document record;
        std::optional<Error> error;
        try {
            if (size_ > options_.record) {
                throw Error(Fault::kPoison, "JSON-013", "reading JSON",
                            "the record is too large (at most " + std::to_string(options_.record) + " bytes)");
            }
            reader_.start_at(started_.offset, started_.line, started_.column);
            reader_.write(raw);
            record = reader_.finish();
        } catch (const Error& e) {
            error = e;
            reader_.clear();
            Where& where = error->where();
            where.file = options_.file;
            where.row = number_;
            if (where.line == 0) {
                where.line = started_.line;
                where.column = started_.column;
                where.offset = static_cast<std::int64_t>(started_.offset);
            }
            const std::string inside = where.path == "/" ? "" : where.path;
            where.path = options_.lines ? where.path : path_ + '[' + std::to_string(number_) + ']' + inside;
        }
        if (error) {
            handlers_.on_broken(number_, started_.offset, raw, *error);
        } else {
            handlers_.on_record(number_, started_.offset, raw, std::move(record));
        }
    }

protected:
    JsonSplitOptions options_;
    std::string path_;
    std::uint64_t number_ = 1;
    TextPlace place_;  // of the next byte that is in no record yet
    StreamPosition next_;

private:
    RecordHandlers handlers_;
    JsonReader reader_;
    bool in_record_ = false;
    const char* from_ = nullptr;  // where its bytes begin in this chunk
    TextPlace started_;
    std::string kept_;      // of earlier chunks
    std::size_t size_ = 0;  // of the record so far
};

class JsonLines final : public JsonRecords {
public:
    using JsonRecords::JsonRecords;

    void write(std::string_view chunk) override {
        const char* p = chunk.data();
        const char* const end = p + chunk.size();
        open_chunk(p);
        while (p != end) {
            if (!in_record()) {
                const char* const blank = p;
                while (p != end && json_is_blank(*p)) ++p;
                place_.pass({blank, static_cast<std::size_t>(p - blank)});
                if (p == end) break;
                begin_record(p);
            }
            const void* const feed = std::memchr(p, '\n', static_cast<std::size_t>(end - p));
            p = feed != nullptr ? static_cast<const char*>(feed) : end;
            if (feed != nullptr) end_record(p);
        }
        close_chunk(end);
    }
    void finish() override {
        open_chunk("");
        if (in_record()) end_record("");
    }
    void resume(const StreamPosition& position) override {
        number_ = position.record;
        place_ = {position.offset, position.line, 1};
        next_ = position;
    }
};

class JsonArray final : public JsonRecords {
public:
    JsonArray(const JsonSplitOptions& options, RecordHandlers handlers)
        : JsonRecords(options, std::move(handlers)), envelope_(envelope_options(options)) {
        std::string_view rest = options_.path;
        while (!rest.empty()) {
            const std::size_t slash = rest.find('/');
            segments_.emplace_back(rest.substr(0, slash));
            rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
        }
        for (const std::string& segment : segments_) path_ += '/' + segment;
    }

    void write(std::string_view chunk) override {
        const char* p = chunk.data();
        const char* const end = p + chunk.size();
        open_chunk(p);
        outside_ = p;
        while (p != end) {
            switch (state_) {
                case State::kMark:
                    p = byte_order_mark(p);
                    break;
                case State::kAround:
                    p = around(p, end);
                    break;
                case State::kBetween:
                    p = between(p, end);
                    break;
                case State::kRecord:
                    p = record(p, end);
                    break;
            }
        }
        if (in_record()) {
            close_chunk(end);
        } else {
            judge(end);
        }
    }

    void finish() override {
        if (in_record()) broken_stream("JSON-002", "the input ends in the middle of a record", "the end of the array");
        judge({}, false);
        if (!found_) broken_stream("JSON-011", "there is no array of records", "an array at " + place_name());
    }

    void resume(const StreamPosition& position) override {
        if (position.record <= 1) return;
        // What was before the position is known to be right: the array is open, and a record has been read.
        std::string before;
        for (const std::string& segment : segments_) before += "{\"" + segment + "\":";
        judge(before + "[0", true);
        number_ = position.record;
        place_ = {position.offset, position.line, 1};
        next_ = position;
        state_ = State::kBetween;
        found_ = true;
    }

private:
    enum class State { kMark, kAround, kBetween, kRecord };

    static bj::parse_options envelope_options(const JsonSplitOptions& options) {
        bj::parse_options out;
        out.max_depth = options.limits.depth;
        return out;
    }
    std::string place_name() const { return path_.empty() ? "the top" : path_; }

    // The bytes since the last record go to the judge of the envelope.
    void judge(const char* end) {
        const std::string_view bytes(outside_, static_cast<std::size_t>(end - outside_));
        judge(bytes, true);
        place_.pass(bytes);
        outside_ = end;
    }
    void judge(std::string_view bytes, bool more) {
        if (bytes.empty() && more) return;
        std::size_t used = 0;
        bj::error_code ec;
        if (!envelope_.done()) {
            used = envelope_.write_some(more, bytes.data(), bytes.size(), ec);
        }
        while (!ec && used < bytes.size() && json_is_blank(bytes[used])) ++used;
        if (!ec && used == bytes.size()) return;
        place_.pass(bytes.substr(0, used));
        if (!ec) broken_stream("JSON-003", "something follows the end of the document", "the end of the input");
        if (ec == bj::make_error_code(bj::error::incomplete)) {
            broken_stream("JSON-002", "the input ends in the middle", found_ ? "the end of the array" : "a JSON document");
        }
        if (ec == bj::make_error_code(bj::error::too_deep)) {
            broken_stream("JSON-004", "the document is nested too deep",
                          "at most " + std::to_string(options_.limits.depth) + " levels");
        }
        broken_stream("JSON-001", "not JSON at this place", found_ ? "',' or ']' between records" : "");
    }

    const char* byte_order_mark(const char* p) {
        constexpr std::string_view mark = "\xEF\xBB\xBF";
        if (*p == mark[marked_]) {
            ++p;
            ++marked_;
            outside_ = p;
            ++place_.offset;
            if (marked_ < mark.size()) return p;
        } else if (marked_ != 0) {
            broken_stream("JSON-001", "not JSON at this place", "a JSON document");
        }
        state_ = State::kAround;
        return p;
    }

    // Looks for the array. Only the objects on the way to it are looked into; all else is counted through.
    const char* around(const char* p, const char* end) {
        if (in_string_) return string_around(p, end);
        for (; p != end; ++p) {
            const char c = *p;
            if (c == '"') {
                in_string_ = true;
                is_key_ = on_way_ && depth_ == matched_ && key_next_;
                key_.clear();
                return p + 1;
            }
            if (c == '{' || c == '[') {
                const bool wanted = depth_ == matched_ && on_way_value();
                if (wanted && c == '[' && matched_ == segments_.size()) {
                    if (found_) broken_stream("JSON-008", "the array of records occurs twice", "once, at " + place_name());
                    found_ = true;
                    ++p;
                    judge(p);
                    state_ = State::kBetween;
                    return p;
                }
                ++depth_;
                if (wanted && c == '{' && matched_ < segments_.size()) {
                    on_way_ = true;
                    key_next_ = true;
                    value_wanted_ = false;
                    ++matched_;
                } else if (wanted) {
                    judge(p);
                    broken_stream("JSON-011", "the path to the records leads to something else", "an array at " + place_name());
                }
            } else if (c == '}' || c == ']') {
                if (depth_ > 0) --depth_;
                if (depth_ + 1 == matched_ && matched_ > 0) --matched_;
                value_wanted_ = false;
            } else if (c == ',' && depth_ == matched_) {
                key_next_ = true;
                value_wanted_ = false;
            } else if (c == ':' && depth_ == matched_) {
                key_next_ = false;
                value_wanted_ = matched_ > 0 && key_ == segments_[matched_ - 1];
            }
        }
        return p;
    }
    bool on_way_value() const { return depth_ == 0 ? !found_ : value_wanted_; }

    const char* string_around(const char* p, const char* end) {
        const char* const from = p;
        while (p != end && (escaped_ || !kJsonInString[static_cast<unsigned char>(*p)])) {
            escaped_ = false;
            ++p;
        }
        if (is_key_ && key_.size() < 1024) key_.append(from, p);
        if (p == end) return p;
        if (*p == '\\') {
            escaped_ = true;
            if (is_key_) key_.push_back('\\');
        } else {
            in_string_ = false;
        }
        return p + 1;
    }

    // After the opening bracket, or after a record.
    const char* between(const char* p, const char* end) {
        while (p != end && (json_is_blank(*p) || *p == ',')) ++p;
        if (p == end) return p;
        if (*p == ']') {
            state_ = State::kAround;
            // The array is closed like any other: the depth it was opened at is the one that stands.
            return p + 1;
        }
        judge(p);
        judge("0", true);  // the record's stand-in
        state_ = State::kRecord;
        begin_record(p);
        brackets_.clear();
        scalar_ = *p != '{' && *p != '[' && *p != '"';
        return p;
    }

    const char* record(const char* p, const char* end) {
        for (;;) {
            if (in_string_) {
                while (p != end && (escaped_ || !kJsonInString[static_cast<unsigned char>(*p)])) {
                    escaped_ = false;
                    ++p;
                }
                if (p == end) return p;
                if (*p++ == '\\') {
                    escaped_ = true;
                    continue;
                }
                in_string_ = false;
                if (brackets_.empty()) return record_ends(p);
            }
            const auto& stops = scalar_ ? kJsonScalarEnd : kJsonBrackets;
            while (p != end && !stops[static_cast<unsigned char>(*p)]) ++p;
            if (p == end) return p;
            const char c = *p;
            if (scalar_) {
                if (c == ',' || c == ']' || json_is_blank(c)) return record_ends(p);
                mismatch(p);
            }
            ++p;
            if (c == '"') {
                in_string_ = true;
            } else if (c == '{' || c == '[') {
                if (brackets_.size() == kJsonDeepestRecord) {
                    close_chunk(p);
                    broken_stream("JSON-004", "a record is nested too deep",
                                  "at most " + std::to_string(options_.limits.depth) + " levels");
                }
                brackets_.push_back(c);
            } else if (c == '}' || c == ']') {
                if (brackets_.empty() || brackets_.back() != (c == '}' ? '{' : '[')) mismatch(p - 1);
                brackets_.pop_back();
                if (brackets_.empty()) return record_ends(p);
            }
        }
    }
    const char* record_ends(const char* p) {
        state_ = State::kBetween;
        outside_ = p;
        end_record(p);
        return p;
    }
    [[noreturn]] void mismatch(const char* p) {
        close_chunk(p);
        broken_stream("JSON-012", "the brackets of a record do not match: where it ends is unknown", "a complete JSON value");
    }

    bj::basic_parser<JsonEnvelopeHandler> envelope_;
    std::vector<std::string> segments_;
    State state_ = State::kMark;
    std::size_t marked_ = 0;
    const char* outside_ = nullptr;  // the first byte that the envelope's judge has not seen
    bool found_ = false;
    // Around the array.
    std::size_t depth_ = 0, matched_ = 0;  // matched: objects on the way that are open
    bool on_way_ = false, key_next_ = false, value_wanted_ = false, is_key_ = false;
    std::string key_;
    // In a string; in a record.
    bool in_string_ = false, escaped_ = false, scalar_ = false;
    std::string brackets_;
};

}  // namespace

std::unique_ptr<RecordSplitter> make_json_splitter(const JsonSplitOptions& options, RecordHandlers handlers) {
    if (options.lines) return std::make_unique<JsonLines>(options, std::move(handlers));
    return std::make_unique<JsonArray>(options, std::move(handlers));
}

}  // namespace clrbus
