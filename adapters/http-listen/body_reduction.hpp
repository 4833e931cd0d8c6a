// Reduces a body (<keep>, <drop>) without the whole of it ever lying on a disk. Blocking; any thread.
#pragma once

#include <string_view>

#include "adapter/adapter.hpp"

namespace clrbus::adapters::http_listen {

// Fills incoming.body or incoming.spooled with the reduced form. Throws what the reduction throws, or Error(kAway, "HTL-026").
void give_reduced(Incoming& incoming, std::string_view body, const Inbox& inbox, const Inbox::Reduce& reduce);

}  // namespace clrbus::adapters::http_listen
