#include "broker/link_options.hpp"

#include <algorithm>

namespace clrbus {

std::string LinkOptions::name_of(std::string_view queue) const {
    std::string out = prefix + std::string(queue);
    std::replace(out.begin(), out.end(), '/', '.');
    return out;
}

amqp::LinkAddress LinkOptions::address_of(std::string_view name) const {
    switch (addresses) {
        case Addresses::kDeclare:
            return {"/queue/" + std::string(name), true};
        case Addresses::kExist:
            return {"/amq/queue/" + std::string(name), false};
        case Addresses::kPlain:
            break;
    }
    return {std::string(name), false};
}

}  // namespace clrbus
