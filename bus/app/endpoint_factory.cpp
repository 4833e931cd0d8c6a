#include "app/endpoint_factory.hpp"

#include <string>

#include "all_adapters.hpp"

namespace clrbus::app {
namespace {

const AdapterInfo& adapter_of(const Config& element) {
    for (const AdapterInfo* one : adapters::all_adapters())
        if (one->namespace_uri == element.namespace_uri()) return *one;
    element.fail("CHECK-001", "no adapter has the namespace '" + std::string(element.namespace_uri()) + "'");
}

}  // namespace

std::unique_ptr<Sink> make_sink(const AdapterContext& context) {
    const AdapterInfo& adapter = adapter_of(context.config);
    if (adapter.sink == nullptr) context.config.fail("CHECK-003", std::string(adapter.name) + " takes no message anywhere");
    return adapter.sink(context);
}

std::unique_ptr<Responder> make_responder(const AdapterContext& context) {
    const AdapterInfo& adapter = adapter_of(context.config);
    if (adapter.responder == nullptr) context.config.fail("CHECK-003", std::string(adapter.name) + " answers no question");
    return adapter.responder(context);
}

}  // namespace clrbus::app
