// parse: bytes to a document. XML is validated by the parse itself when a validate stands right behind.
#include <mutex>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "formats/json.hpp"
#include "routing/assets.hpp"
#include "routing/step.hpp"
#include "xml/parser.hpp"

namespace clrbus {
namespace {

// Parsers are costly to make and serve one thread at a time: a worker borrows one.
class ParserPool {
public:
    explicit ParserPool(std::shared_ptr<const Schemas> schemas) : schemas_(std::move(schemas)) {}

    Document parse(std::string_view bytes) {
        std::unique_ptr<XmlParser> parser;
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                parser = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        if (!parser) parser = std::make_unique<XmlParser>(schemas_);
        Document document = parser->parse(bytes);  // one that threw is not given back
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(parser));
        return document;
    }

private:
    std::shared_ptr<const Schemas> schemas_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<XmlParser>> idle_;
};

class ParseXml : public Step {
public:
    explicit ParseXml(std::shared_ptr<const Schemas> schemas) : validates_(schemas != nullptr), parsers_(std::move(schemas)) {}

    Flow apply(Work& work) const override {
        if (work.parsed) return Flow::kNext;  // a splitter that let it pass whole has parsed it
        work.document = parsers_.parse(work.body);
        work.parsed = true;
        work.validated = validates_;
        return Flow::kNext;
    }

private:
    bool validates_;
    mutable ParserPool parsers_;
};

class ParseJson : public Step {
public:
    Flow apply(Work& work) const override {
        work.document = parse_json(work.body);
        work.parsed = true;
        return Flow::kNext;
    }
};

}  // namespace

std::unique_ptr<Step> make_parse(const Config& element, RouteAssets& assets, const Config* validate_behind) {
    const std::string format = element.get("format", "xml");
    if (format == "json") return std::make_unique<ParseJson>();
    if (format == "csv") element.fail("ROUTE-019", "format", "rows are read by <split format=\"csv\"/>");
    std::shared_ptr<const Schemas> schemas;
    if (validate_behind != nullptr) schemas = assets.schemas(*validate_behind, validate_behind->require("schema"));
    return std::make_unique<ParseXml>(std::move(schemas));
}

}  // namespace clrbus
