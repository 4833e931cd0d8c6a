// A claimed file as what the inbox takes: read once, hashed on the way, in memory or as a spooled copy, reduced first where the
// route drops something. Blocking; one thread.
#pragma once

#include <cstdint>
#include <string>

#include "adapter/adapter.hpp"
#include "adapters_directory/drop_folder.hpp"

namespace clrbus::adapters::directory {

struct IntakeOptions {
    std::uint64_t most = 0;  // bytes
    std::string content_type;
};

// Throws Error(kPoison, "DIR-00x" or of the reduction): the file is to go to failed/. Error(kAway): the disk, or the file
// changed while it was read: it is to be put back.
Incoming take_in(const DropFolder& folder, const std::string& name, const Inbox& inbox, const IntakeOptions& options);

}  // namespace clrbus::adapters::directory
