#include "formats/reduce.hpp"

#include <utility>

#include "core/error.hpp"

namespace clrbus {

std::optional<Document> reduce_document(Document document, const XPath* keep,
                                        const std::vector<std::shared_ptr<const XPath>>& drop, bool must_find) {
    if (keep != nullptr && !keep->test(document)) return std::nullopt;
    std::vector<Node> out;
    for (const auto& path : drop) {
        const std::vector<Node> found = path->nodes(document);
        if (found.empty() && must_find) {
            throw Error(Fault::kPoison, "REDUCE-001", "dropping parts of a document",
                        "nothing stands at '" + path->expression() + "'")
                .expected("the parts that the route drops: the source may have changed");
        }
        out.insert(out.end(), found.begin(), found.end());
    }
    for (const Node& node : out) {
        if (node.raw() == document.root().raw()) {
            throw Error(Fault::kPoison, "REDUCE-001", "dropping parts of a document", "the whole document is to be dropped");
        }
    }
    document.remove(out);
    return document;
}

}  // namespace clrbus
