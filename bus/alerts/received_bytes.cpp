#include "alerts/received_bytes.hpp"

#include <linux/tcp.h>  // glibc's own tcp_info is older than the member; the two cannot stand in one file
#include <netinet/in.h>
#include <sys/socket.h>

namespace clrbus::alerts {

std::uint64_t received_bytes(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

}  // namespace clrbus::alerts
