// The Achievement objects of one credential: one for each definition, and one for each entry without a definition. Each is
// written once and used wherever it stands, because the same id must have the same content. Internal to clr/.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "clr/institution.hpp"
#include "clr/model.hpp"

namespace clrbus::clr {

class AchievementBook {
public:
    AchievementBook(const RecordModel& record, const Institution& institution);

    const std::string& id_of(std::size_t entry) const { return ids_[entry]; }
    // By key, as seen from an entry's statement: an achievement of the same statement, else a definition. Empty when unknown.
    std::string id_of_target(const std::string& statement, const std::string& key) const;
    const std::string& json_of(const std::string& achievement_id);
    std::vector<std::string> all_ids() const;  // entries' first, in order, then definitions that they point to

    // The id of the ResultDescription of an entry's result, and of the level that it reached ("" when none).
    std::string description_of(std::size_t entry, const ResultModel& result) const;
    std::string level_of(std::size_t entry, const ResultModel& result) const;

    struct Edge {
        std::string type, source, target;
        friend bool operator<(const Edge& a, const Edge& b) {
            return std::tie(a.type, a.source, a.target) < std::tie(b.type, b.source, b.target);
        }
    };
    std::vector<Edge> edges() const;  // each once
    std::size_t dropped_edges() const { return dropped_; }

private:
    struct Description {
        std::string id;
        ResultModel shape;  // type, name, bounds and all levels met
    };
    struct Item {
        const DefinitionModel* definition = nullptr;
        const Entry* entry = nullptr;  // the first that it was met with; null: only a definition
        std::vector<Description> descriptions;
        std::string json;
    };

    void add_definition(const std::string& key);
    void add_description(Item& item, const std::string& achievement_id, const ResultModel& result);
    const Description* find(std::size_t entry, const ResultModel& result) const;
    std::string write(const std::string& id, const Item& item) const;
    void collect_edges();

    const RecordModel& record_;
    const Institution& institution_;
    std::vector<std::string> ids_;                                      // by entry
    std::vector<std::string> order_;                                    // achievement ids, as they were met
    std::map<std::string, Item> items_;                                 // by achievement id
    std::map<std::pair<std::string, std::string>, std::string> local_;  // statement, key -> achievement id
    std::vector<Edge> edges_;
    std::size_t dropped_ = 0;
};

// The type that the credential shows: what is not official never shows as a course or degree.
std::string shown_type(const AchievementModel& achievement);
std::string shown_name(const Entry& entry);
// The achievement's own status as a result, for one that is not completed.
ResultModel status_result(const AchievementModel& achievement);

// "urn:uuid:" and a name-based UUID below the issuer.
std::string stable_urn(const Institution& institution, std::string_view kind, std::string_view a, std::string_view b = {},
                       std::string_view c = {});

// A Profile object for an organization or unit.
std::string profile_of(const Institution& institution, const OrganizationModel& organization);

}  // namespace clrbus::clr
