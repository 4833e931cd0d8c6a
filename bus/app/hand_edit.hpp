// Bytes in a person's editor: $VISUAL, else $EDITOR, else vi.
#pragma once

#include <string>
#include <string_view>

namespace clrbus::app {

// The bytes as the person left them. They lie in a file of mode 0600 in a folder of its own below $XDG_RUNTIME_DIR, else
// $TMPDIR, else /tmp, which goes with all that the editor left there, whatever happens but a kill -9. Throws Error(kConfig,
// "DEAD-012") when there is no room for it, or the editor does not start or does not end with 0. Ignores SIGINT, SIGQUIT,
// SIGHUP and SIGTERM while it waits: only while the process has one thread.
std::string edit_by_hand(std::string_view bytes);

}  // namespace clrbus::app
