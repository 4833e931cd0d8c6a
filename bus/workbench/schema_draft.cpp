#include "workbench/schema_draft.hpp"

#include <algorithm>

namespace clrbus::workbench {
namespace {

// The facets of a text in that shape. An empty text is let through where the sample had one.
std::string shape_type(const Leaf& leaf, bool may_be_empty) {
    const auto pattern = [&](const std::string& text) {
        return "<xs:restriction base=\"xs:token\"><xs:pattern value=\"" + (may_be_empty ? "(" + text + ")?" : text) +
               "\"/></xs:restriction>";
    };
    switch (leaf.shape) {
        case Shape::kInteger:
            return pattern("[+\\-]?[0-9]+");
        case Shape::kDecimal:
            return pattern("[+\\-]?[0-9]+(\\.[0-9]+)?");
        case Shape::kDate:
            if (leaf.pattern.empty()) return pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}");
            if (leaf.pattern == "yyyyMMdd") return pattern("[0-9]{8}");
            return pattern(leaf.pattern == "d.M.yyyy" ? "[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{4}"
                                                      : "[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}");
        case Shape::kInstant:
            return pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?");
        default:
            break;
    }
    std::size_t most = 50;
    for (const std::size_t limit : {200U, 1000U, 20000U, 1000000U}) {
        if (leaf.longest * 2 > most) most = limit;
    }
    return "<xs:restriction base=\"" + std::string(leaf.longest > 200 ? "xs:string" : "xs:token") + "\">" +
           (may_be_empty ? "" : "<xs:minLength value=\"1\"/>") + "<xs:maxLength value=\"" + std::to_string(most) +
           "\"/></xs:restriction>";
}

class SchemaDraft {
public:
    explicit SchemaDraft(const Sample& sample) : sample_(sample), json_(sample.format == "json") {}

    std::string write() {
        const std::string& uri = sample_.root.namespace_uri;
        out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"";
        if (!uri.empty()) out_ += " xmlns=\"" + uri + "\" targetNamespace=\"" + uri + "\"";
        out_ +=
            " elementFormDefault=\"qualified\" version=\"1\">\n  <xs:annotation><xs:documentation>\n    Drawn from a sample "
            "of " +
            std::to_string(sample_.records) +
            " records: what it never had is refused. Make it say what the source promises: lengths,\n    what must be there, "
            "which values there are.\n  "
            "</xs:documentation></xs:annotation>\n\n";
        element(sample_.root, "  ", "", true);
        out_ += "</xs:schema>\n";
        return std::move(out_);
    }

private:
    void attributes(const Element& element, const std::string& indent) {
        for (const Attribute& a : element.attributes) {
            out_ += indent + "<xs:attribute name=\"" + a.name + "\"" + (a.seen == element.count ? " use=\"required\"" : "") +
                    "><xs:simpleType>" + shape_type(a.leaf, a.leaf.filled < a.seen) + "</xs:simpleType></xs:attribute>\n";
        }
        if (json_) {
            out_ += indent + "<xs:attribute name=\"type\" type=\"xs:token\"/>\n";
            out_ += indent + "<xs:attribute name=\"array\" type=\"xs:token\"/>\n";
        }
    }

    // occurs: the minOccurs and maxOccurs of this place.
    void element(const Element& one, const std::string& indent, const std::string& occurs, bool root) {
        out_ += indent + "<xs:element name=\"" + one.name + "\"" + occurs + ">\n";
        const std::string in = indent + "  ";
        const bool foreign = std::any_of(one.children.begin(), one.children.end(),
                                         [&](const auto& c) { return c->namespace_uri != sample_.root.namespace_uri; });
        if (one.children.empty()) {
            const bool empty = root || one.leaf.filled < one.count;
            if (one.attributes.empty() && !json_) {
                out_ += in + "<xs:simpleType>" + shape_type(one.leaf, empty) + "</xs:simpleType>\n";
            } else {
                simple_with_attributes(one, in);
            }
        } else {
            // A text beside children is let through: some sources leave white space and notes there.
            out_ += in + "<xs:complexType" + (one.leaf.filled != 0 ? " mixed=\"true\"" : "") + ">\n";
            children(one, in + "  ", foreign);
            attributes(one, in + "  ");
            out_ += in + "</xs:complexType>\n";
        }
        out_ += indent + "</xs:element>\n";
    }

    // Text with attributes: its shape would need a named type of its own, so any text is taken.
    void simple_with_attributes(const Element& one, const std::string& indent) {
        out_ += indent + "<xs:complexType><xs:simpleContent><xs:extension base=\"xs:string\">\n";
        attributes(one, indent + "  ");
        out_ += indent + "</xs:extension></xs:simpleContent></xs:complexType>\n";
    }

    void children(const Element& one, const std::string& indent, bool foreign) {
        const bool repeated = std::any_of(one.children.begin(), one.children.end(), [](const auto& c) { return c->most > 1; });
        // xs:all knows no repetition and no foreign names: then any number in any order.
        const bool all = !repeated && !foreign && one.leaf.filled == 0;
        out_ += indent + (all ? "<xs:all>\n" : "<xs:choice minOccurs=\"0\" maxOccurs=\"unbounded\">\n");
        for (const auto& child : one.children) {
            if (child->namespace_uri != sample_.root.namespace_uri) continue;
            const bool required = all && child->seen == one.count;
            element(*child, indent + "  ", all && !required ? " minOccurs=\"0\"" : "", false);
        }
        if (foreign) out_ += indent + "  <xs:any namespace=\"##other\" processContents=\"lax\"/>\n";
        out_ += indent + (all ? "</xs:all>\n" : "</xs:choice>\n");
    }

    const Sample& sample_;
    bool json_;
    std::string out_;
};

}  // namespace

std::string draft_schema(const Sample& sample) {
    return SchemaDraft(sample).write();
}

}  // namespace clrbus::workbench
