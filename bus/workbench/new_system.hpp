// A new source system from a sample file: its route folder, stylesheet, schema, first case and README, ready to be tried. Reads
// the sample, writes below the configured folders; one thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "routing/assets.hpp"

namespace clrbus::workbench {

struct NewSystem {
    std::string name;    // route id and folder: student-clubs
    std::string system;  // as people call it; the name without it
    std::filesystem::path sample;
    std::string format, record;  // "" = seen from the sample
    std::string door;            // the endpoint element, as XML with its namespace: <directory:pickup …/>
    std::string kind = "statement", component, type, steward, refresh = "PT24H", retain = "P7Y", institution;
    bool keep_values = false;  // the case holds the sample's own values instead of made-up ones of the same shape
};

struct NewSystemDone {
    std::vector<std::filesystem::path> files;
    std::size_t records = 0, fields = 0, mapped = 0;
    std::vector<std::string> missing;      // targets that must be filled in before a message gets through
    std::vector<std::string> dropped;      // fields that the door drops
    std::vector<std::string> not_dropped;  // fields that should be and cannot be, by this format
    std::vector<std::string> outcomes;     // of the case's records: "to records", "dead: MAP-002 …"
};

// Throws Error(kConfig, "WORK-02x"): a name that is none or is taken, a sample that cannot be read; nothing is left behind
// then.
NewSystemDone make_new_system(const NewSystem& wanted, const std::filesystem::path& routes, const RouteAssetFolders& folders);

}  // namespace clrbus::workbench
