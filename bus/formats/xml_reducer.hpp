// XML bytes -> the same bytes without the elements that the record must not hold, before the first durable write. Works on the
// bytes, not on a tree: what is broken further on is reduced all the same, and everything else keeps its bytes and its lines.
// Streams; one thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus {

class XmlReducer {
public:
    using Write = std::function<void(std::string_view bytes)>;
    // Numbers of nine and more digits that stood in dropped elements.
    using Numbers = std::set<std::string, std::less<>>;
    // names: local names; an element of that name goes with all it holds, whatever its prefix and place. Line ends inside stay.
    // known: an element that holds nothing but one of these numbers goes, too (a school that uses the SSN as its own number).
    XmlReducer(std::vector<std::string> names, Write write, Numbers known = {});
    ~XmlReducer();
    XmlReducer(XmlReducer&&) noexcept;
    XmlReducer& operator=(XmlReducer&&) noexcept;

    // UTF-8 and what begins as ASCII does, or UTF-16 (told by its mark or its first bytes). Throws Error(kPoison, "XMLR-001")
    // for another encoding: then no byte of the output may be used.
    void write(std::string_view chunk);
    void finish();
    const Numbers& numbers() const;  // seen so far, at most 100,000

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The whole file, read twice: what stands in front of a dropped number is reduced by it as well; out is made or emptied (mode
// 0600), not synced. Throws also Error(kAway, "FILE-001").
void reduce_xml_file(const std::vector<std::string>& names, const std::filesystem::path& in, const std::filesystem::path& out);

}  // namespace clrbus
