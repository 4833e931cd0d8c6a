// <directory:pickup/>: the door for files of this machine.
#pragma once

#include "adapter/adapter.hpp"

namespace clrbus::adapters::directory {

const AdapterInfo& adapter_info();

}  // namespace clrbus::adapters::directory
