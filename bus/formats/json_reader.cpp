#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <exception>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "formats/json.hpp"
#include "formats/text.hpp"

namespace clrbus {
namespace json_detail {  // named: JsonReader::Impl holds the handler

namespace bj = boost::json;

constexpr std::size_t kJsonNoKey = static_cast<std::size_t>(-1);

// What a value's bytes ran against; thrown inside the handler, given its place by the reader.
struct JsonRefusal {
    std::string code, why, expected;
};

// A member name: the element it becomes. Kept over many documents, so that a stream of records converts each name once.
struct JsonName {
    std::string key;
    std::string element;
    std::uint64_t document = 0;  // the last one that used it
};

class JsonHandler {
public:
    // NOLINTBEGIN(readability-identifier-naming): Boost.JSON reads these names.
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
    // NOLINTEND(readability-identifier-naming)

    explicit JsonHandler(const JsonLimits& limits) : limits_(limits) { make_builder(); }

    bool on_document_begin(bj::error_code&) { return true; }
    bool on_document_end(bj::error_code&) { return true; }

    bool on_object_begin(bj::error_code& ec) {
        return guarded(ec, [&] {
            begin_element();
            frames_.push_back(Frame{.array = false, .members_from = members_.size()});
        });
    }
    bool on_object_end(std::size_t, bj::error_code& ec) {
        return guarded(ec, [&] {
            if (members_.size() == frames_.back().members_from) builder_->attribute("type", "object");
            members_.resize(frames_.back().members_from);
            frames_.pop_back();
            end_element();
        });
    }
    bool on_array_begin(bj::error_code& ec) {
        return guarded(ec, [&] {
            // A member's array shows as its elements; any other is an element of its own with <item>s.
            const bool flat = !frames_.empty() && !frames_.back().array;
            if (!flat) {
                begin_element();
                builder_->attribute("type", "array");
            }
            frames_.push_back(Frame{.array = true, .flat = flat, .name = flat ? frames_.back().name : kJsonNoKey});
        });
    }
    bool on_array_end(std::size_t, bj::error_code& ec) {
        return guarded(ec, [&] {
            const Frame frame = std::move(frames_.back());
            frames_.pop_back();
            if (!frame.flat) {
                end_element();
            } else {
                if (frame.elements == 0) {
                    start(names_[frame.name]->element);
                    builder_->attribute("type", "array");
                    builder_->end();
                }
                value_done();
            }
        });
    }
    bool on_key_part(bj::string_view s, std::size_t n, bj::error_code& ec) {
        return guarded(ec, [&] { collect(s, n, limits_.key, "JSON-009", "a member name is too long"); });
    }
    bool on_key(bj::string_view s, std::size_t n, bj::error_code& ec) {
        return guarded(ec, [&] { key(whole(s, n, limits_.key, "a member name is too long")); });
    }
    bool on_string_part(bj::string_view s, std::size_t n, bj::error_code& ec) {
        return guarded(ec, [&] { collect(s, n, limits_.string, "JSON-009", "a string is too long"); });
    }
    bool on_string(bj::string_view s, std::size_t n, bj::error_code& ec) {
        return guarded(ec, [&] { scalar(whole(s, n, limits_.string, "a string is too long"), {}); });
    }
    bool on_number_part(bj::string_view s, bj::error_code& ec) {
        return guarded(ec, [&] { collect(s, parts_.size() + s.size(), limits_.number, "JSON-009", "a number is too long"); });
    }
    bool on_int64(std::int64_t, bj::string_view s, bj::error_code& ec) { return number(s, ec); }
    bool on_uint64(std::uint64_t, bj::string_view s, bj::error_code& ec) { return number(s, ec); }
    bool on_double(double, bj::string_view s, bj::error_code& ec) { return number(s, ec); }
    bool on_bool(bool b, bj::error_code& ec) {
        return guarded(ec, [&] { scalar(b ? "true" : "false", "boolean"); });
    }
    bool on_null(bj::error_code& ec) {
        return guarded(ec, [&] { scalar({}, "null"); });
    }
    bool on_comment_part(bj::string_view, bj::error_code&) { return true; }
    bool on_comment(bj::string_view, bj::error_code&) { return true; }

    void clear() {
        frames_.clear();
        members_.clear();
        parts_.clear();
        failure_ = nullptr;
        ++document_;
        document_names_ = 0;
        if (names_.size() > limits_.names) {
            make_builder();
        } else {
            builder_->clear();
        }
    }
    void chunk(std::string_view bytes, std::uint64_t line) {
        chunk_ = bytes;
        counted_ = bytes.data();
        line_ = line;
    }
    Document finish() { return builder_->finish(); }
    std::exception_ptr failure() const { return failure_; }

    std::string path() const {
        std::string out;
        for (const Frame& frame : frames_) {
            if (frame.array) {
                out += '[' + std::to_string(frame.elements + 1) + ']';
            } else if (frame.name != kJsonNoKey) {
                const std::string& name = names_[frame.name]->element;
                out += '/' + (name.size() > 64 ? name.substr(0, 64) + "…" : name);
            }
            if (out.size() > 512) return out + "…";
        }
        return out.empty() ? "/" : out;
    }

private:
    struct Frame {
        bool array = false;
        bool flat = false;              // elements stand under the member's own name
        std::size_t name = kJsonNoKey;  // of a flat array's elements; of an object's open member
        std::size_t elements = 0;       // of an array, finished
        std::size_t members_from = 0;   // of an object: its members so far are members_[members_from…]
        std::unique_ptr<std::unordered_set<std::size_t>> seen = nullptr;  // above 32 members
    };

    template <class Body>
    bool guarded(bj::error_code& ec, Body&& body) {
        try {
            body();
            return true;
        } catch (...) {
            failure_ = std::current_exception();
            ec = bj::make_error_code(bj::error::exception);
            return false;
        }
    }

    void make_builder() {
        names_.clear();
        index_.clear();
        TreeBuilder::Limits limits;
        limits.depth = limits_.depth + 2;
        limits.nodes = limits_.nodes;
        limits.text = limits_.string;
        limits.names = limits_.names * 5;  // well above what this class keeps
        builder_ = std::make_unique<TreeBuilder>(limits);
    }

    void collect(bj::string_view s, std::size_t size, std::size_t most, const char* code, const char* why) {
        if (size > most) throw JsonRefusal{code, why, "at most " + std::to_string(most) + " bytes"};
        parts_.append(s.data(), s.size());
    }
    // The whole text: in the chunk when no part came, else collected.
    std::string_view whole(bj::string_view s, std::size_t size, std::size_t most, const char* why) {
        if (size > most) throw JsonRefusal{"JSON-009", why, "at most " + std::to_string(most) + " bytes"};
        if (parts_.empty()) return {s.data(), s.size()};
        held_.assign(parts_);
        held_.append(s.data(), s.size());
        parts_.clear();
        return held_;
    }
    bool number(bj::string_view s, bj::error_code& ec) {
        return guarded(ec,
                       [&] { scalar(whole(s, parts_.size() + s.size(), limits_.number, "a number is too long"), "number"); });
    }

    void key(std::string_view text) {
        Frame& frame = frames_.back();
        std::size_t id = 0;
        if (const auto found = index_.find(text); found != index_.end()) {
            id = found->second;
        } else {
            if (!check_text(text)) {
                throw JsonRefusal{"JSON-007", "a member name holds a character that XML cannot carry", "printable characters"};
            }
            id = names_.size();
            names_.push_back(std::make_unique<JsonName>(JsonName{.key = std::string(text), .element = xml_name(text)}));
            index_.emplace(names_.back()->key, id);
        }
        // Counted for each document alone: whether one is taken must not depend on those before it.
        if (names_[id]->document != document_) {
            names_[id]->document = document_;
            if (++document_names_ > limits_.names) {
                throw JsonRefusal{"JSON-009", "too many different member names", "at most " + std::to_string(limits_.names)};
            }
        }
        const std::size_t count = members_.size() - frame.members_from;
        bool twice = false;
        if (count < 32) {
            twice = std::find(members_.end() - static_cast<std::ptrdiff_t>(count), members_.end(), id) != members_.end();
        } else {
            if (count >= limits_.members) {
                throw JsonRefusal{"JSON-009", "an object has too many members", "at most " + std::to_string(limits_.members)};
            }
            if (!frame.seen) {
                frame.seen = std::make_unique<std::unordered_set<std::size_t>>(
                    members_.end() - static_cast<std::ptrdiff_t>(count), members_.end());
            }
            twice = !frame.seen->insert(id).second;
        }
        members_.push_back(id);
        frame.name = id;
        if (twice) throw JsonRefusal{"JSON-008", "a member name occurs twice in one object", "each name once"};
        if (text.data() >= counted_ && text.data() < chunk_.data() + chunk_.size()) {
            line_ += count_lines({counted_, static_cast<std::size_t>(text.data() - counted_)});
            counted_ = text.data();
        }
    }

    void start(std::string_view name) {
        builder_->line(line_);
        builder_->start(name);
    }
    void begin_element() {
        if (frames_.empty()) {
            start("json");
        } else if (const Frame& frame = frames_.back(); !frame.array) {
            start(names_[frame.name]->element);
        } else if (frame.flat) {
            start(names_[frame.name]->element);
            builder_->attribute("array", "true");
        } else {
            start("item");
        }
    }
    void end_element() {
        builder_->end();
        value_done();
    }
    void value_done() {
        if (frames_.empty()) return;
        if (frames_.back().array) {
            ++frames_.back().elements;
        } else {
            frames_.back().name = kJsonNoKey;
        }
    }
    void scalar(std::string_view text, std::string_view type) {
        begin_element();
        if (!type.empty()) builder_->attribute("type", type);
        if (!text.empty()) builder_->text(text);
        end_element();
    }

    JsonLimits limits_;
    std::unique_ptr<TreeBuilder> builder_;
    std::vector<Frame> frames_;
    std::vector<std::size_t> members_;  // of the open objects, one after the other
    std::vector<std::unique_ptr<JsonName>> names_;
    std::unordered_map<std::string_view, std::size_t> index_;  // views into names_
    std::uint64_t document_ = 1;
    std::size_t document_names_ = 0;
    std::string parts_, held_;
    std::exception_ptr failure_;
    std::string_view chunk_;
    const char* counted_ = nullptr;
    std::uint64_t line_ = 1;
};

JsonRefusal json_refusal(const bj::error_code& ec) {
    const auto is = [&ec](bj::error e) { return ec == bj::make_error_code(e); };
    if (is(bj::error::incomplete)) return {"JSON-002", "the document ends in the middle", "a closing brace, bracket or quote"};
    if (is(bj::error::too_deep)) return {"JSON-004", "the document is nested too deep", {}};
    if (is(bj::error::illegal_leading_surrogate) || is(bj::error::illegal_trailing_surrogate)) {
        return {"JSON-006", "half of a surrogate pair stands alone", "\\ud800-\\udbff followed by \\udc00-\\udfff"};
    }
    if (is(bj::error::expected_hex_digit)) return {"JSON-001", "not JSON: \\u without four hexadecimal digits", {}};
    if (is(bj::error::exponent_overflow)) return {"JSON-009", "a number's exponent is too large", {}};
    return {"JSON-001", "not JSON at this place", {}};
}

}  // namespace json_detail

namespace bj = boost::json;
using json_detail::JsonHandler;
using json_detail::JsonRefusal;

struct JsonReader::Impl {
    explicit Impl(const JsonLimits& l) : limits(l), parser(options(l), l) {}

    static bj::parse_options options(const JsonLimits& l) {
        bj::parse_options options;
        options.max_depth = l.depth;
        return options;
    }

    [[noreturn]] void refuse(const JsonRefusal& refusal, std::uint64_t at_offset) {
        Where where;
        where.file = file;
        where.path = parser.handler().path();
        where.line = place.line;
        where.column = place.column;
        where.offset = static_cast<std::int64_t>(at_offset);
        Error error(Fault::kPoison, refusal.code, "reading JSON", std::move(where), refusal.why);
        if (!refusal.expected.empty()) error.expected(refusal.expected);
        throw error;
    }

    void fail(const bj::error_code& ec, std::string_view chunk, std::size_t used) {
        const bool bad_byte = used < chunk.size() && (chunk[used] & 0x80) != 0;
        place.pass(chunk.substr(0, used));
        if (const std::exception_ptr failure = parser.handler().failure()) {
            try {
                std::rethrow_exception(failure);
            } catch (const JsonRefusal& refusal) {
                refuse(refusal, place.offset);
            } catch (const Error& error) {  // from the tree
                if (error.code() == "XML-021") {
                    refuse({"JSON-007", "a string holds a character that XML cannot carry",
                            "no control characters but tab and line ends, no U+FFFE or U+FFFF"},
                           place.offset);
                }
                refuse({"JSON-009", error.why(), error.expected()}, place.offset);
            }
        }
        JsonRefusal refusal = json_detail::json_refusal(ec);
        if (refusal.code == "JSON-004") refusal.expected = "at most " + std::to_string(limits.depth) + " levels";
        if (refusal.code == "JSON-001" && bad_byte) refusal = {"JSON-005", "the text is not UTF-8", "UTF-8 without errors"};
        refuse(refusal, place.offset);
    }

    void feed(std::string_view chunk, bool more) {
        if (chunk.size() > limits.bytes - std::min<std::size_t>(limits.bytes, taken)) {
            refuse({"JSON-009", "the document is too large", "at most " + std::to_string(limits.bytes) + " bytes"},
                   place.offset);
        }
        taken += chunk.size();
        std::size_t used = 0;
        if (!parser.done()) {
            bj::error_code ec;
            parser.handler().chunk(chunk, place.line);
            used = parser.write_some(more, chunk.data(), chunk.size(), ec);
            if (ec) fail(ec, chunk, used);
        }
        while (used < chunk.size() && std::string_view(" \t\r\n").find(chunk[used]) != std::string_view::npos) ++used;
        place.pass(chunk.substr(0, used));
        if (used < chunk.size())
            refuse({"JSON-003", "something follows the end of the document", "the end of the input"}, place.offset);
    }

    void reset() {
        parser.reset();
        parser.handler().clear();
        taken = 0;
        place = TextPlace{};
        head.clear();
        begun = false;
    }

    JsonLimits limits;
    bj::basic_parser<JsonHandler> parser;
    std::string file;
    std::string head;  // the first bytes, until it is clear whether a byte order mark stands there
    bool begun = false;
    std::size_t taken = 0;
    TextPlace place;
};

JsonReader::JsonReader(const JsonLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;
JsonReader& JsonReader::operator=(JsonReader&&) noexcept = default;

void JsonReader::file(std::string_view name) {
    impl_->file = name;
}

void JsonReader::start_at(std::uint64_t offset, std::uint64_t line, std::uint64_t column) {
    impl_->place = TextPlace{.offset = offset, .line = line, .column = column};
}

void JsonReader::write(std::string_view chunk) {
    Impl& my = *impl_;
    if (chunk.empty()) return;
    if (my.begun) return my.feed(chunk, true);
    // RFC 8259 section 8.1: a parser may ignore a UTF-8 byte order mark.
    constexpr std::string_view mark = "\xEF\xBB\xBF";
    std::string first;
    if (!my.head.empty() || chunk.size() < mark.size()) {
        my.head.append(chunk);
        if (my.head.size() < mark.size() && mark.starts_with(my.head)) return;
        first = std::exchange(my.head, {});
        chunk = first;
    }
    my.begun = true;
    std::string_view rest = chunk;
    if (rest.starts_with(mark)) {
        rest.remove_prefix(mark.size());
        my.place.offset += mark.size();
    } else if (rest.starts_with("\xFF\xFE") || rest.starts_with("\xFE\xFF")) {
        my.refuse({"JSON-005", "the text is not UTF-8 (UTF-16 mark)", "UTF-8"}, my.place.offset);
    }
    my.feed(rest, true);
}

Document JsonReader::finish() {
    Impl& my = *impl_;
    if (!my.begun && !my.head.empty()) my.feed(std::exchange(my.head, {}), true);
    if (my.taken == 0) my.refuse({"JSON-010", "the document is empty", "a JSON value"}, my.place.offset);
    my.feed({}, false);
    Document document = my.parser.handler().finish();
    my.reset();
    return document;
}

void JsonReader::clear() {
    impl_->reset();
}

Document parse_json(std::string_view bytes, std::string_view file, const JsonLimits& limits) {
    JsonReader reader(limits);
    reader.file(file);
    reader.write(bytes);
    return reader.finish();
}

}  // namespace clrbus
