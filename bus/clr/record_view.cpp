#include "clr/record_view.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "xml/parser.hpp"

namespace clrbus::clr {

namespace {

constexpr std::size_t kMostDefinitions = 2000;

void view_targets(Node node, std::vector<std::string>& keys) {
    for (Node child = node.first_child(); child; child = child.next()) {
        if (child.name() == "definition" || child.name() == "outcome" || child.name() == "part")
            keys.push_back(child.attribute("key"));
        if (child.name() == "association") keys.push_back(child.attribute("target"));
    }
}

}  // namespace

struct RecordReader::Impl {
    FindDefinition definitions;
    XmlParser parser;  // what was validated when it was applied is not validated again

    void add_definitions(LearnerView& view, std::vector<std::string> keys) {
        std::set<std::string> asked;
        for (int step = 0; step < 2 && definitions; ++step) {
            std::vector<std::string> next;
            for (const std::string& key : keys) {
                if (key.empty() || view.definitions.size() == kMostDefinitions || !asked.insert(key).second) continue;
                const auto definition = definitions(key);
                if (!definition || definition->deleted) continue;
                DefinitionView one{key, parser.parse(definition->xml, "definition")};
                view_targets(one.document.root(), next);
                view.changed = std::max(view.changed, definition->provenance.applied);
                view.definitions.push_back(std::move(one));
            }
            keys = std::move(next);
        }
    }
};

RecordReader::RecordReader(FindDefinition definitions) : impl_(std::make_unique<Impl>()) {
    impl_->definitions = std::move(definitions);
}
RecordReader::~RecordReader() = default;
RecordReader::RecordReader(RecordReader&&) noexcept = default;
RecordReader& RecordReader::operator=(RecordReader&&) noexcept = default;

LearnerView RecordReader::view(const records::LearnerRecord& record) {
    LearnerView out;
    out.id = record.id;
    out.version = record.version;
    out.created = record.created;
    out.changed = std::max(record.changed, record.created);
    if (!record.names.empty()) {
        out.full_name = record.names.front().full;
        out.given = record.names.front().given;
        out.family = record.names.front().family;
    }
    for (const auto& identifier : record.identifiers)
        out.identifiers.push_back({identifier.scheme, identifier.issuer, identifier.value});
    out.partial = record.withheld > 0;
    std::vector<std::string> keys;
    for (const records::StatementInForce& statement : record.statements) {
        const records::Provenance& from = statement.provenance;
        StatementView one;
        one.id = from.source + "\n" + statement.key;
        one.own = statement.own;
        one.source = {from.source, from.authority, from.route, from.generation, from.accepted, from.original, {}, {}};
        if (!from.correction.by.empty()) {
            one.source.corrected_by = from.correction.by;
            one.source.corrected_at = from_rfc3339(from.correction.at);
        }
        one.document = impl_->parser.parse(statement.xml, "statement");
        one.in_force = statement.achievements;
        for (const Node achievement : one.document.root().children("achievement")) view_targets(achievement, keys);
        out.statements.push_back(std::move(one));
    }
    impl_->add_definitions(out, std::move(keys));
    return out;
}

}  // namespace clrbus::clr
