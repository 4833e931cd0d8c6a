// parse: bytes to a document, the whole message. XML is validated by the parse itself when a validate stands right behind.
#include <utility>

#include "config/config.hpp"
#include "routing/assets.hpp"
#include "routing/format.hpp"
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
    bool reads_only() const override { return true; }

private:
    std::shared_ptr<const Schemas> schemas_;  // shared with the parsers
    mutable ParserPool parsers_;
};

class ParseFormat : public Step {
public:
    explicit ParseFormat(FormatPlan plan) : plan_(std::move(plan)) {}

    Flow apply(Work& work) const override {
        if (work.parsed) return Flow::kNext;
        work.document = plan_.parse(work.body);
        work.parsed = true;
        return Flow::kNext;
    }
    bool reads_only() const override { return true; }

private:
    FormatPlan plan_;
};

}  // namespace

std::unique_ptr<Step> make_parse(const Config& element, RouteAssets& assets, const StepPlace&) {
    return make_parse_with(element, assets, nullptr);
}

std::unique_ptr<Step> make_parse_with(const Config& element, RouteAssets& assets, const Config* validate_behind) {
    if (element && element.get("format") != "xml") {
        FormatPlan plan = FormatPlan::read(element, assets);
        if (plan.format == FormatPlan::Format::kJsonLines)
            element.fail("ROUTE-019", "format", "lines are read by <split format=\"json-lines\"/>");
        return std::make_unique<ParseFormat>(std::move(plan));
    }
    std::shared_ptr<const Schemas> schemas;
    if (validate_behind != nullptr) schemas = assets.schemas(*validate_behind, validate_behind->require("schema"));
    return std::make_unique<ParseXml>(std::move(schemas));
}

}  // namespace clrbus
