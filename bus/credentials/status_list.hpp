// Revocation as the W3C Bitstring Status List has it: one bit for each credential at a random index, in lists of 131072, each
// list a signed credential of its own. A reader who fetches a list learns nothing about who asked for whom. Durable in one
// append-only file; an index is on disk before it goes into a credential. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace clrbus::credentials {

inline constexpr std::uint32_t kStatusListSize = 131'072;

class StatusLists {
public:
    struct Entry {
        std::uint32_t list = 0;
        std::uint32_t index = 0;
    };

    // Throws Error(kConfig, "STATUS-001") with the line for a file that does not add up; a torn last line (power cut) is cut
    // off.
    static StatusLists open(const std::filesystem::path& file, const Clock& clock);
    ~StatusLists();
    StatusLists(StatusLists&&) noexcept;
    StatusLists& operator=(StatusLists&&) noexcept;

    // The place of a credential; given and synced at the first call. Throws Error(kAway, "STATUS-002") when the disk refuses.
    Entry entry(std::string_view credential_id);
    std::optional<Entry> find(std::string_view credential_id) const;

    // For ever. False when the credential has no entry or was revoked before.
    bool revoke(std::string_view credential_id);
    bool revoked(const Entry& entry) const;

    std::size_t lists() const;
    Time changed(std::uint32_t list) const;              // when a bit of it was last set, else when it began
    std::uint32_t revoked_in(std::uint32_t list) const;  // how many: what was signed of the list is good while this stays
    // encodedList: 'u' and base64url of the GZIP bitstring.
    std::string encoded(std::uint32_t list) const;
    // The list as an unsigned BitstringStatusListCredential. issuer_json: the issuer's Profile object.
    std::string credential(std::uint32_t list, std::string_view list_url, std::string_view issuer_json) const;

private:
    StatusLists();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

std::string encode_status_list(std::string_view bits);
// The bits, or none: not the form, fewer than 131072 or more than 64 million bits.
std::optional<std::string> decode_status_list(std::string_view encoded);
// Index 0 is the most significant bit of the first byte. False beyond the end.
bool status_bit(std::string_view bits, std::uint64_t index);

}  // namespace clrbus::credentials
