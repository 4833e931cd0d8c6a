#include "routing/parser_pool.hpp"

#include <utility>

#include "xml/parser.hpp"
#include "xml/schemas.hpp"

namespace clrbus {

ParserPool::ParserPool(std::shared_ptr<const Schemas> schemas) : schemas_(std::move(schemas)) {}
ParserPool::~ParserPool() = default;

Document ParserPool::parse(std::string_view bytes) {
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

}  // namespace clrbus
