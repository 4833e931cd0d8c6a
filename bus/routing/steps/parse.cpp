// parse: bytes to a document. XML is validated by the parse itself when a validate stands right behind.
#include <utility>

#include "config/config.hpp"
#include "formats/json.hpp"
#include "routing/assets.hpp"
#include "routing/parser_pool.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class ParseXml : public Step {
public:
    explicit ParseXml(std::shared_ptr<const Schemas> schemas) : schemas_(schemas), parsers_(std::move(schemas)) {}

    Flow apply(Work& work) const override {
        if (work.parsed) {  // it goes on here as the document that it was
            if (schemas_) schemas_->validate(work.document);
            return Flow::kNext;
        }
        work.document = parsers_.parse(work.body);
        work.parsed = true;
        work.validated = parsers_.validates();
        return Flow::kNext;
    }

private:
    std::shared_ptr<const Schemas> schemas_;  // shared with the parsers
    mutable ParserPool parsers_;
};

class ParseJson : public Step {
public:
    Flow apply(Work& work) const override {
        if (work.parsed) return Flow::kNext;
        work.document = parse_json(work.body);
        work.parsed = true;
        return Flow::kNext;
    }
};

}  // namespace

std::unique_ptr<Step> make_parse(const Config& element, RouteAssets& assets, const StepPlace&) {
    return make_parse_with(element, assets, nullptr);
}

std::unique_ptr<Step> make_parse_with(const Config& element, RouteAssets& assets, const Config* validate_behind) {
    const std::string format = element.get("format", "xml");
    if (format == "json") return std::make_unique<ParseJson>();
    if (format == "csv") element.fail("ROUTE-019", "format", "rows are read by <split format=\"csv\"/>");
    std::shared_ptr<const Schemas> schemas;
    if (validate_behind != nullptr) schemas = assets.schemas(*validate_behind, validate_behind->require("schema"));
    return std::make_unique<ParseXml>(std::move(schemas));
}

}  // namespace clrbus
