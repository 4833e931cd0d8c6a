// Waits until something happens in a folder, or somebody wakes it, or a time is over. wake(): any thread; the rest: one thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include "adapters_directory/drop_folder.hpp"

namespace clrbus::adapters::directory {

class FolderWatch {
public:
    FolderWatch();  // throws Error(kAway, "DIR-007") without a file number left

    // From now on that folder. False where the system reports nothing: the schedule alone finds files then.
    bool watch(const std::filesystem::path& folder);
    // True when something changed in the folder. Adds to renamed the names that were moved into it.
    bool wait(std::chrono::milliseconds most, std::set<std::string>& renamed);
    void wake();

private:
    OpenFile notify_, wake_;
};

}  // namespace clrbus::adapters::directory
