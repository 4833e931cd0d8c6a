// XML parsers for the workers: costly to make, and each serves one thread at a time, so a worker borrows one. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "xml/document.hpp"

namespace clrbus {

class Schemas;
class XmlParser;

class ParserPool {
public:
    explicit ParserPool(std::shared_ptr<const Schemas> schemas);
    ~ParserPool();

    Document parse(std::string_view bytes);
    bool validates() const { return schemas_ != nullptr; }

private:
    std::shared_ptr<const Schemas> schemas_;  // shared with the routes that name these files
    std::mutex mutex_;
    std::vector<std::unique_ptr<XmlParser>> idle_;
};

}  // namespace clrbus
