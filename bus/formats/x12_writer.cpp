#include <array>
#include <charconv>
#include <utility>

#include "formats/encoding.hpp"
#include "formats/x12.hpp"
#include "formats/x12_scanner.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kX12Isa13 = 90;  // its offset
constexpr std::array<std::size_t, 16> kX12IsaWidths{2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1};

[[noreturn]] void x12_unwritable(Node node, const char* code, std::string why, std::string expected) {
    Where where;
    where.path = node.path();
    where.line = node.line();
    Error error(Fault::kPoison, code, "writing X12", std::move(where), std::move(why));
    error.expected(std::move(expected));
    throw error;
}

class X12Writer {
public:
    explicit X12Writer(const X12Options& options) {
        if (is_utf8_name(options.encoding)) return;
        table_ = SingleByte::find(options.encoding);
        if (!table_ || !table_->contains_ascii())
            throw Error(Fault::kConfig, "X12-009", "writing X12", "encoding '" + options.encoding + "' cannot be written");
    }

    std::string write(Node root) {
        if (!root || root.name() != "interchange")
            x12_unwritable(root, "X12-020", "the document is no interchange", "<interchange>");
        const Node first = expect(root.first_child(), root, "ISA");
        isa(root, first);
        std::size_t groups = 0;
        Node node = first.next();
        for (; node && node.name() == "TA1"; node = node.next()) segment(node);
        for (; node && node.name() == "group"; node = node.next(), ++groups) group(node);
        if (node && node.name() != "IEA")
            x12_unwritable(node, "X12-020", "an element that is not of the mapping", "group or IEA");
        trailer("IEA", node, groups, out_.substr(kX12Isa13, 9));
        if (node && node.next())
            x12_unwritable(node.next(), "X12-020", "an element behind the end of the interchange", "nothing");
        if (root.attribute("last-line-end") == "none") out_.resize(out_.size() - line_end_.size());
        return std::move(out_);
    }

private:
    static Node expect(Node node, Node parent, std::string_view name) {
        if (node && node.name() == name) return node;
        x12_unwritable(node ? node : parent, "X12-020", "an element is missing", "<" + std::string(name) + "> first");
    }
    static std::string control(Node segment, std::size_t number) {
        return segment.child_text(std::string(segment.name()) + (number < 10 ? "0" : "") + std::to_string(number));
    }
    char delimiter(Node root, const char* attribute, char fallback) const {
        if (!root.has_attribute(attribute)) return fallback;
        const char out = x12_delimiter(root.attribute(attribute));
        if (out == '\0')
            x12_unwritable(root, "X12-020", std::string("attribute ") + attribute + " is no delimiter",
                           "one character, or x1D for one that does not print");
        return out;
    }

    void isa(Node root, Node node) {
        d_.element = delimiter(root, "element", '*');
        d_.segment = delimiter(root, "segment", '~');
        const std::string end = root.attribute("line-end");
        line_end_ = end == "crlf" ? "\r\n" : end == "lf" ? "\n" : end == "cr" ? "\r" : "";
        if (!end.empty() && line_end_.empty()) x12_unwritable(root, "X12-020", "attribute line-end is wrong", "crlf, lf or cr");
        std::size_t number = 0;
        out_ = "ISA";
        for (Node element = node.first_child(); element; element = element.next()) {
            if (++number > kX12IsaWidths.size() || element.name() != (number < 10 ? "ISA0" : "ISA") + std::to_string(number))
                x12_unwritable(element, "X12-020", "an element of ISA is not in its place", "ISA01 to ISA16");
            std::string text = element.text();
            const std::size_t width = kX12IsaWidths[number - 1];
            if (number == 11 || number == 16) {
                const char c = x12_delimiter(text);
                text = c == '\0' ? "" : std::string(1, c);
            }
            if (text.size() > width)
                x12_unwritable(element, "X12-020", "the text is too long for ISA", std::to_string(width) + " characters");
            if (number == 13) text.insert(0, width - text.size(), '0');
            text.resize(width, ' ');
            out_ += d_.element;
            out_ += text;
        }
        if (number != kX12IsaWidths.size()) x12_unwritable(node, "X12-020", "ISA has too few elements", "ISA01 to ISA16");
        out_ += d_.segment;
        try {
            d_ = x12_read_isa(out_, Where{});
        } catch (const Error& e) {
            x12_unwritable(node, "X12-021", e.why(), e.expected());
        }
        out_ += line_end_;
    }

    void group(Node group) {
        const Node gs = expect(group.first_child(), group, "GS");
        segment(gs);
        std::size_t sets = 0;
        Node node = gs.next();
        for (; node && node.name() == "transaction"; node = node.next(), ++sets) set(node);
        if (node && (node.name() != "GE" || node.next()))
            x12_unwritable(node, "X12-020", "an element that is not of the mapping", "transaction or GE");
        trailer("GE", node, sets, control(gs, 6));
    }

    void set(Node transaction) {
        const Node st = expect(transaction.first_child(), transaction, "ST");
        segments_ = 0;
        segment(st);
        Node last;
        for (Node node = st.next(); node; node = node.next()) {
            if (node.name() == "SE") {
                if (node.next()) x12_unwritable(node, "X12-020", "something follows SE", "SE last");
                last = node;
            } else {
                item(node);
            }
        }
        trailer("SE", last, segments_ + 1, control(st, 2));
    }

    void item(Node node) {
        if (!node.name().ends_with("-loop")) return segment(node);
        for (Node child = node.first_child(); child; child = child.next()) item(child);
    }

    // The count is what is there; its spelling is kept where it says the same.
    void trailer(std::string_view id, Node given, std::size_t count, const std::string& control_number) {
        std::string said = given ? control(given, 1) : std::string();
        std::size_t number = 0;
        const auto read = std::from_chars(said.data(), said.data() + said.size(), number);
        if (said.empty() || read.ptr != said.data() + said.size() || number != count) said = std::to_string(count);
        out_ += id;
        out_ += d_.element;
        out_ += said;
        out_ += d_.element;
        out_ += control_number;
        end_segment();
    }

    void end_segment() {
        out_ += d_.segment;
        out_ += line_end_;
        ++segments_;
    }

    void segment(Node node) {
        const std::string_view id = node.name();
        if (id.size() < 2 || id.size() > 3)
            x12_unwritable(node, "X12-020", "an element that is no segment",
                           "an id of 2 or 3 capital letters and digits, or a loop");
        out_ += id;
        std::size_t number = 0;
        for (Node element = node.first_child(); element; element = element.next()) {
            const std::string_view name = element.name();
            std::size_t place = 0;
            const auto digits = name.substr(std::min(id.size(), name.size()));
            const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), place);
            if (!name.starts_with(id) || digits.size() < 2 || read.ec != std::errc{} ||
                read.ptr != digits.data() + digits.size() || place < number || place == 0 || place > 999)
                x12_unwritable(element, "X12-020", "an element is not in its place", std::string(id) + "01 and so on, rising");
            if (place == number) {
                if (d_.repetition == '\0')
                    x12_unwritable(element, "X12-021", "a repeated element, and ISA11 names no repetition separator",
                                   "one value");
                out_ += d_.repetition;
            }
            for (; number < place; ++number) out_ += d_.element;  // what is left out is empty
            value(element);
        }
        end_segment();
    }

    void value(Node element) {
        if (!element.first_child()) return text(element);
        std::size_t number = 0;
        for (Node part = element.first_child(); part; part = part.next()) {
            const std::string_view name = part.name();
            std::size_t place = 0;
            const std::size_t dash = name.find('-');
            const std::string_view digits = dash == std::string_view::npos ? std::string_view() : name.substr(dash + 1);
            const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), place);
            if (read.ec != std::errc{} || name.substr(0, dash) != element.name() || place <= number || place > 999 ||
                part.first_child())
                x12_unwritable(part, "X12-020", "a component is not in its place",
                               std::string(element.name()) + "-1 and so on, rising");
            for (std::size_t i = number == 0 ? 1 : number; i < place; ++i) out_ += d_.component;
            number = place;
            text(part);
        }
    }

    void text(Node node) {
        const std::string value = node.text();
        for (const char c : value) {
            if (c == d_.element || c == d_.component || c == d_.segment || (d_.repetition != '\0' && c == d_.repetition))
                x12_unwritable(
                    node, "X12-021", "the text holds a delimiter of this interchange",
                    "text without " + x12_shown(d_.element) + " " + x12_shown(d_.component) + " " + x12_shown(d_.segment));
            if (c == '\n' || c == '\r') x12_unwritable(node, "X12-021", "the text holds a line end", "one line");
        }
        if (!table_) {
            out_ += value;
        } else if (!table_->encode(value, out_)) {
            x12_unwritable(node, "X12-021", "a character that the encoding lacks", "text in the encoding of the route");
        }
    }

    std::shared_ptr<const SingleByte> table_;
    X12Delimiters d_;
    std::string line_end_, out_;
    std::size_t segments_ = 0;
};

}  // namespace

std::string write_x12(const Document& document, const X12Options& options) {
    std::string out = X12Writer(options).write(document.root());
    if (options.tables != nullptr) {
        try {
            (void)parse_x12(out, options);
        } catch (Error& e) {
            e.within("writing X12");
            throw;
        }
    }
    return out;
}

}  // namespace clrbus
