#include "fuzz/targets.hpp"

namespace clrbus::fuzz {

std::span<const Target> targets() {
    static constexpr Target all[] = {
        {"x12", x12},
        {"x12-tables", x12_tables},
        {"fixed", fixed},
        {"csv", csv},
        {"json", json},
        {"xml", xml},
        {"xml-reducer", xml_reducer},
        {"http-head", http_head},
        {"amqp-frames", amqp_frames},
        {"jws", jws},
    };
    return all;
}

}  // namespace clrbus::fuzz
