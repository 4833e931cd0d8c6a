// A record as a page that a person reads: self-contained HTML, no script, nothing from elsewhere. One stylesheet decides how it
// looks (transforms/clr-page.xsl); what it shows is decided here. Any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "clr/institution.hpp"
#include "clr/model.hpp"
#include "xml/document.hpp"

namespace clrbus::clr {

// What the stylesheet gets: groups, sessions, entries with facts, results, evidence and sources, all as text for people.
Document page_view(const RecordModel& record, const Institution& institution);

class Page {
public:
    explicit Page(const std::filesystem::path& transforms);  // Error(kConfig, "XSL-0xx")
    ~Page();
    std::string html(const RecordModel& record, const Institution& institution) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::clr
