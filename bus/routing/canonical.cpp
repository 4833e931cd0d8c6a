#include "routing/canonical.hpp"

#include "core/error.hpp"

namespace clrbus {
namespace {

void read_person(Node holder, ApplyHeader& out) {
    for (Node child = holder.first_child(); child; child = child.next()) {
        if (child.name() == "identifier") {
            out.identifiers.push_back({child.attribute("scheme"), child.attribute("issuer"), child.attribute("value")});
        } else if (child.name() == "name") {
            out.given = child.attribute("given");
            out.family = child.attribute("family");
            out.full = child.attribute("full");
        }
    }
}

bool is_true(const std::string& text) {
    return text == "true" || text == "1";
}

}  // namespace

ApplyHeader read_apply_header(Node root) {
    ApplyHeader out;
    const std::string_view kind = root ? root.name() : std::string_view{};
    if (kind == "statement") {
        out.kind = ApplyHeader::Kind::kStatement;
    } else if (kind == "retraction") {
        out.kind = ApplyHeader::Kind::kRetraction;
    } else if (kind == "definition") {
        out.kind = ApplyHeader::Kind::kDefinition;
    } else if (kind == "person") {
        out.kind = ApplyHeader::Kind::kPerson;
    } else {
        throw Error(Fault::kPoison, "REC-002", "reading a canonical message", "not one of the four kinds")
            .expected("statement, retraction, definition or person");
    }
    out.source = root.attribute("source");
    out.key = root.attribute("key");
    out.version = root.attribute("version");
    out.covers_all = root.attribute("covers") != "part";
    out.blocked = is_true(root.attribute("blocked"));
    out.deleted = is_true(root.attribute("deleted"));
    if (out.kind == ApplyHeader::Kind::kPerson) read_person(root, out);
    for (Node child = root.first_child(); child; child = child.next()) {
        const std::string_view name = child.name();
        if (name == "document") {
            out.document_key = child.attribute("key");
        } else if (name == "learner") {
            read_person(child, out);
        } else if (name == "organization") {
            out.organization = child.attribute("name");
            for (const Node& code : child.children("code"))
                out.organization_codes.push_back(code.attribute("scheme") + ":" + code.attribute("value"));
        } else if (name == "achievement") {
            out.achievements.push_back(child.attribute("key"));
        }
    }
    return out;
}

}  // namespace clrbus
