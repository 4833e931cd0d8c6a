// Identifiers. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace clrbus {

// Random (version 4), from getrandom(2).
std::string new_uuid();
// Time-ordered (version 7): ids of messages and statements, so that indexes stay local.
std::string new_ordered_uuid();
// UUIDv5 of RFC 4122 (SHA-1) below a namespace UUID in text form. The id of an output is
// name_uuid(kOutputNamespace, input id + "\n" + route + "\n" + step + "\n" + index).
std::string name_uuid(std::string_view namespace_uuid, std::string_view name);
inline constexpr std::string_view kOutputNamespace = "6f6b9f1e-4a0e-5d0b-9a5e-0c4a1b7d2e10";

// True for names of routes, queues, connections: [a-z0-9][a-z0-9._-]{0,63}
bool is_valid_name(std::string_view name);

}  // namespace clrbus
