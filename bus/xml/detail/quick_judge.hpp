// For bus/xml alone: says of a tree that its schema holds, or that it does not know. Most trees are valid, and libxml2 takes
// ten times as long to find that out; what this does not know (a construct of XSD that it does not read, a value that is not
// plain, anything that may be wrong) goes to libxml2, whose judgement and words stand. It never calls a tree valid that libxml2
// refuses: a test holds both against each other.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

struct _xmlDoc;

namespace clrbus::xml_detail {

// Read-only after construction. Any thread.
class QuickJudge {
public:
    struct Source {
        std::filesystem::path file;
        std::string namespace_uri;
        std::vector<std::string> elements;  // global ones
    };
    // Root files that import and include nothing. One that uses more of XSD than is read here makes its own elements unknown.
    explicit QuickJudge(const std::vector<Source>& sources);
    ~QuickJudge();
    QuickJudge(const QuickJudge&) = delete;
    QuickJudge& operator=(const QuickJudge&) = delete;

    // True: valid. False: not known.
    bool holds(_xmlDoc* document) const;

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::xml_detail
