#include "xml/detail/records.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <xercesc/framework/XMLAttr.hpp>
#include <xercesc/framework/XMLPScanToken.hpp>
#include <xercesc/sax/InputSource.hpp>

#include "xml/detail/judge.hpp"
#include "xml/detail/library.hpp"
#include "xml/detail/reader.hpp"
#include "xml/detail/xerces_text.hpp"

namespace clrbus::xml_detail {

namespace {

// The bytes of a stream: counted, checked, and given on only as far as they are good.
class CheckedStream {
public:
    explicit CheckedStream(const XmlParser::Read& read) : read_(read) {
        head_.resize(64u << 10);
        std::size_t have = 0;
        while (have < head_.size()) {
            const std::size_t n = read_(head_.data() + have, head_.size() - have);
            if (n == 0) break;
            have += n;
        }
        head_.resize(have);
        encoding_ = detect_encoding(std::string_view(head_).substr(0, 1024));
        refuse_doctype(encoding_, std::string_view(head_).substr(encoding_.mark));
        at_ = encoding_.mark;
        offset_ = encoding_.mark;
    }

    const Encoding& encoding() const { return encoding_; }

    // At a bad byte the stream ends for Xerces, so that the records in front of it come first; then complaint() says why.
    std::size_t next(char* to, std::size_t most) {
        if (bad_) return 0;
        std::size_t n = 0;
        if (at_ < head_.size()) {
            n = std::min(most, head_.size() - at_);
            std::memcpy(to, head_.data() + at_, n);
            at_ += n;
        } else {
            head_.clear();
            n = read_(to, most);
        }
        if (encoding_.kind != Encoding::Kind::kUtf8) return n;
        if (n == 0) bad_ = cut_ = !check_.complete();
        const std::size_t good = check_.feed({to, n});
        offset_ += good;
        line_ += static_cast<std::uint64_t>(std::count(to, to + good, '\n'));
        if (good != n) bad_ = true;
        return good;
    }

    std::optional<Error> complaint() const {
        if (!bad_) return std::nullopt;
        return bad_byte(encoding_, {}, offset_, line_, cut_);
    }

private:
    const XmlParser::Read& read_;
    std::string head_;
    std::size_t at_ = 0;
    Encoding encoding_;
    Utf8Check check_;
    std::uint64_t offset_ = 0, line_ = 1;
    bool bad_ = false, cut_ = false;
};

std::vector<std::string> records_steps(std::string_view path) {
    std::vector<std::string> steps;
    if (path.starts_with('/')) path.remove_prefix(1);
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        steps.emplace_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
        if (steps.back() != "*" && !is_name(steps.back())) steps.clear(), path = {};
    }
    if (steps.empty()) {
        throw Error(Fault::kConfig, "XML-030", "splitting", "the record path is not a path of local names")
            .expected("a path such as 'batch/content/*'");
    }
    return steps;
}

class RecordReader : public LockedReader {
public:
    RecordReader(const Schemas* schemas, const XmlLimits& limits, const TreeLimits& tree_limits, std::vector<std::string> steps)
        : LockedReader(nullptr), schemas_(schemas), limits_(limits), steps_(std::move(steps)), writer_(tree_limits) {
        feed().most_in_token = most_in_token(limits.text);
    }

    // Called while a record is read: a record that goes on for too long ends the stream.
    void check_size() {
        if (in_record_ && feed().total - record_start_ > limits_.bytes) {
            throw Error(Fault::kPoison, "XML-020", "reading", place({}, open_path(), line()), "a record is too long")
                .expected("at most " + std::to_string(limits_.bytes) + " bytes");
        }
    }

    // The record that the last step completed.
    bool complete() const { return complete_; }
    std::uint64_t number() const { return number_; }
    void hand_over(const XmlParser::Record& record, const XmlParser::Broken& broken, std::string_view file) {
        complete_ = false;
        if (!refused_) {
            Document document(static_cast<void*>(writer_.sink.take()));
            try {
                if (known_) schemas_->validate(document, file);
            } catch (ValidationError& e) {
                e.where().row = number_;
                writer_.clear();
                broken(number_, e, document);
                return;
            }
            writer_.clear();
            record(number_, std::move(document));
            return;
        }
        const Error error = *refused_;
        refused_.reset();
        writer_.clear();
        broken(number_, error, Document());
    }

private:
    void on_start(const XMLCh* local, unsigned uri, const XMLCh* prefix,
                  const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count) override {
        ++depth_;
        if (in_record_) {
            if (!refused_) refusing([&] { add(local, uri, prefix, attributes, count); });
            return;
        }
        if (depth_ > limits_.depth) {
            throw Error(Fault::kPoison, "XML-022", "reading", place({}, open_path(), line()), "elements are nested too deep");
        }
        const std::string name = to_utf8(local);
        path_.push_back(name);
        const bool fits = matched_ == depth_ - 1 && (steps_[matched_] == "*" || steps_[matched_] == name);
        if (depth_ == 1 && !fits) {
            throw Error(Fault::kPoison, "XML-031", "splitting", place({}, open_path(), line()),
                        "the root element is '" + shown_name(name) + "'")
                .expected("'" + steps_.front() + "'");
        }
        if (!fits || depth_ < steps_.size()) {
            if (fits) ++matched_;
            remember(attributes, count);
            return;
        }
        in_record_ = true;
        ++number_;
        record_start_ = feed().total;
        known_ = schemas_ != nullptr && schemas_->knows(to_utf8(getURIText(uri)));
        inherit(attributes, count);
        refusing([&] { add(local, uri, prefix, attributes, count); });
    }

    void on_text(const XMLCh* text, XMLSize_t length) override {
        if (in_record_ && !refused_) refusing([&] { writer_.text(text, length); });
    }

    void on_end() override {
        if (in_record_) {
            if (!refused_) writer_.end(known_);
            if (depth_ == steps_.size()) {
                in_record_ = false;
                complete_ = true;
            }
        }
        if (!in_record_) {
            path_.pop_back();
            std::erase_if(around_, [&](const Around& a) { return a.depth >= depth_; });
        }
        --depth_;
        matched_ = std::min(matched_, depth_);
    }

    void on_invalid(unsigned, std::uint64_t, std::uint64_t) override {}

    std::string open_path() const override {
        std::string path;
        const std::size_t outer = in_record_ ? path_.size() - 1 : path_.size();
        for (std::size_t i = 0; i < outer; ++i) path += "/" + shown_name(path_[i]);
        if (in_record_) path += writer_.sink.depth() != 0 ? writer_.sink.path() : "/" + shown_name(path_.back());
        return path;
    }

    void add(const XMLCh* local, unsigned uri, const XMLCh* prefix, const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes,
             XMLSize_t count) {
        writer_.start(*this, local, uri, prefix, attributes, count, line(), column());
    }

    template <typename Act>
    void refusing(const Act& act) {
        try {
            act();
        } catch (Error& e) {
            e.where().row = number_;
            refused_ = e;
            writer_.clear();
        }
    }

    // Namespaces declared around the records.
    struct Around {
        std::u16string prefix, uri;
        std::size_t depth;
    };
    template <typename Take>
    static void declarations(const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count, const Take& take) {
        for (XMLSize_t i = 0; i < count; ++i) {
            const xercesc::XMLAttr& attribute = *attributes.elementAt(i);
            const XMLCh* p = attribute.getPrefix();
            if (p != nullptr && std::u16string_view(p) == u"xmlns") {
                take(std::u16string(attribute.getName()), attribute.getValue());
            } else if ((p == nullptr || *p == 0) && std::u16string_view(attribute.getName()) == u"xmlns") {
                take(std::u16string(), attribute.getValue());
            }
        }
    }
    void remember(const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count) {
        declarations(attributes, count, [&](std::u16string prefix, const XMLCh* uri) {
            if (around_.size() >= limits_.attributes) {
                throw Error(Fault::kPoison, "XML-023", "reading", place({}, open_path(), line()), "too many namespaces");
            }
            around_.push_back({std::move(prefix), uri, depth_});
        });
    }
    void inherit(const xercesc::RefVectorOf<xercesc::XMLAttr>& attributes, XMLSize_t count) {
        std::vector<std::u16string> own;
        declarations(attributes, count, [&](std::u16string prefix, const XMLCh*) { own.push_back(std::move(prefix)); });
        for (auto a = around_.rbegin(); a != around_.rend(); ++a) {
            if (std::find(own.begin(), own.end(), a->prefix) != own.end()) continue;
            own.push_back(a->prefix);
            writer_.inherit(a->prefix.c_str(), a->uri.c_str());
        }
    }

    const Schemas* schemas_;
    const XmlLimits& limits_;
    std::vector<std::string> steps_, path_;  // path_: open elements, to the record's root
    std::size_t depth_ = 0, matched_ = 0;
    std::vector<Around> around_;
    bool in_record_ = false, complete_ = false, known_ = false;
    std::uint64_t number_ = 0, record_start_ = 0;
    std::optional<Error> refused_;  // why the record that is being read is broken; its rest is skipped
    ElementWriter writer_;
};

}  // namespace

void split_records(const Schemas* schemas, const XmlLimits& limits, const TreeLimits& tree_limits, const XmlParser::Read& read,
                   std::string_view record_path, const XmlParser::Record& record, const XmlParser::Broken& broken,
                   std::string_view file) {
    std::vector<std::string> steps = records_steps(record_path);
    std::optional<CheckedStream> stream;
    std::optional<RecordReader> reader;
    bool ours = true;  // an error of the stream, not of the callbacks
    try {
        stream.emplace(read);
        reader.emplace(schemas, limits, tree_limits, std::move(steps));
        reader->feed().total = stream->encoding().mark;
        reader->feed().read = [&](char* to, std::size_t most) {
            reader->check_size();
            return stream->next(to, most);
        };
        const auto source = feed_source(reader->feed(), stream->encoding());
        xercesc::XMLPScanToken token;
        bool more = false;
        guard_xerces([&] { more = reader->parseFirst(*source, token); });
        if (!more) throw Error(Fault::kPoison, "XML-001", "reading", "the document is not well-formed");
        const std::function<void()> step = [&] { more = reader->parseNext(token); };
        while (more) {
            guard_xerces(step);
            if (!reader->complete()) continue;
            ours = false;
            reader->hand_over(record, broken, file);
            ours = true;
        }
        if (const std::optional<Error> bad = stream->complaint()) throw *bad;
    } catch (Error& e) {
        if (ours) {
            if (const std::optional<Error> bad = stream ? stream->complaint() : std::nullopt) {
                const std::string path = e.where().path;
                e = *bad;
                e.where().path = path;
            }
            if (!file.empty()) e.file(std::string(file));
            if (reader && e.where().row == 0) e.where().row = reader->number();
        }
        throw;
    }
}

}  // namespace clrbus::xml_detail
