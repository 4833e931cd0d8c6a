// What discard_unsynced.cpp writes and undo_unsynced_main.cpp reads: for each file what its unsynced writes replaced, and the
// names that were made, changed or removed.
//
//   LOG/DEV-INO.undo   records of UndoHead + the bytes that stood there; emptied when the file is synced
//   LOG/names          lines: "+ path", "> from<TAB>to<TAB>saved or -", "- path<TAB>saved", "S directory" (synced), "F path"
//   (file synced) LOG/saved-PID-N    hard links of files that a rename or removal would have ended
#pragma once

#include <cstdint>

namespace clrbus::undo {

struct UndoHead {
    std::uint64_t offset = 0;    // where the bytes stood
    std::uint64_t length = 0;    // how many bytes follow
    std::uint64_t written = 0;   // length of the write that replaced them; 0: the file was cut
    std::uint64_t old_size = 0;  // of the file
};

}  // namespace clrbus::undo
