// The ways out that the elements of adapters in routes become.
#pragma once

#include <memory>

#include "adapter/adapter.hpp"

namespace clrbus::app {

// By the adapter of the element's namespace. Throws Error(kConfig): CHECK-001 no adapter has it, CHECK-003 it goes the other
// way only, and what the adapter itself refuses.
std::unique_ptr<Sink> make_sink(const AdapterContext& context);
std::unique_ptr<Responder> make_responder(const AdapterContext& context);

}  // namespace clrbus::app
