// What counts as an identifier, and for what. Internal to records/. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "records/vault.hpp"
#include "routing/apply_header.hpp"

namespace clrbus::records {

class IdentifierRules {
public:
    IdentifierRules(const Vault& vault, const std::vector<std::string>& placeholders,
                    const std::vector<std::string>& match_schemes);

    struct Known {
        std::string hash;
        bool identity = false;  // of a scheme that tells one person from another: two claimants are a conflict
        std::size_t rank = 0;   // of its scheme in the list of schemes to match
    };
    // Without placeholders and repetitions. allowed: schemes that count; null: all.
    std::vector<Known> known(const std::vector<ApplyHeader::Identifier>& identifiers,
                             const std::vector<std::string>* allowed) const;
    // Those by which this statement may find its learner: its route's schemes, else the configuration's. Names, birth dates and
    // national numbers are never among them.
    std::vector<Known> matching(const ApplyHeader& header) const;
    std::string hash(std::string_view scheme, std::string_view issuer, std::string_view value) const;
    bool is_placeholder(std::string_view value) const;

private:
    const Vault& vault_;
    std::unordered_set<std::string> placeholders_;
    std::vector<std::string> match_;
};

}  // namespace clrbus::records
