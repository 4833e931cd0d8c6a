// <http-listen:post/>: the door for messages that systems POST to the bus.
#pragma once

#include "adapter/adapter.hpp"

namespace clrbus::adapters::http_listen {

const AdapterInfo& adapter_info();

}  // namespace clrbus::adapters::http_listen
