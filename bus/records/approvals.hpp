// Which generations of which routes their stewards approved. Where a route needs approval, what a generation says without it is
// stored and stands in the record, and enters no credential: an earlier approved word stays in its place. A retraction counts
// at once: nothing is released that its source has withdrawn. The lines are in the store; this is what they come to. Any
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.hpp"

namespace clrbus::records {

class Database;

struct ApprovalLine {
    std::int64_t id = 0;
    Time at{};
    bool withdrawn = false;  // else: approved
    std::string route;
    std::uint64_t generation = 0;
    std::string hash;          // of the route's content, as RouteReloader::Info
    std::string steward;       // who answers for it
    std::string who, why;      // who typed it, and the reason
    std::int64_t same_as = 0;  // the line that approved the same content before
};

class Approvals {
public:
    using Needed = std::function<bool(const std::string& route)>;

    void load(Database& database);
    // Which routes need it; none without it.
    void needed(Needed needed);
    bool needs(const std::string& route) const;

    bool approved(const std::string& route, std::uint64_t generation) const;
    // A claim of this generation may be released.
    bool counts(const std::string& route, std::uint64_t generation) const {
        return !needs(route) || approved(route, generation);
    }
    // The line by which this content is approved in another generation; 0: it is not.
    std::int64_t approved_content(const std::string& route, const std::string& hash) const;

    // Rises with each change, so that a cache knows.
    std::uint64_t epoch() const;
    Time changed(const std::string& route) const;  // the last line about it; Time{}: none

    // Writes the line, gives it its id. database: in a transaction; take() when it is committed.
    static void write(Database& database, ApprovalLine& line);
    void take(const ApprovalLine& line);
    static std::vector<ApprovalLine> lines(Database& database, std::string_view route);  // "" = all

private:
    mutable std::mutex mutex_;
    Needed needed_;
    std::map<std::pair<std::string, std::uint64_t>, ApprovalLine> last_;  // of each generation
    std::map<std::string, Time> changed_;
    std::uint64_t epoch_ = 0;
};

}  // namespace clrbus::records
