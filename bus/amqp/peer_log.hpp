// Log lines that a peer can cause, at most so many a second: a flood of bad peers must not fill the disk. What is left out is
// counted and said. Any thread.
#pragma once

#include <string_view>

namespace clrbus::amqp {

// peer: number and address of the connection. text: ours, never the peer's bytes.
void log_peer(std::string_view peer, std::string_view text);

}  // namespace clrbus::amqp
