#include "core/counters.hpp"

#include <deque>
#include <mutex>

namespace clrbus {
namespace {

struct CounterRegistry {
    std::mutex mutex;
    std::deque<Counter> values;  // stable addresses
    std::map<std::string, Counter*, std::less<>> by_name;
};

CounterRegistry& counter_registry() {
    static CounterRegistry registry;
    return registry;
}

}  // namespace

Counter& counter(std::string_view name) {
    CounterRegistry& registry = counter_registry();
    const std::lock_guard lock(registry.mutex);
    if (const auto at = registry.by_name.find(name); at != registry.by_name.end()) return *at->second;
    Counter& made = registry.values.emplace_back();
    registry.by_name.emplace(name, &made);
    return made;
}

std::map<std::string, std::int64_t> all_counters() {
    CounterRegistry& registry = counter_registry();
    const std::lock_guard lock(registry.mutex);
    std::map<std::string, std::int64_t> out;
    for (const auto& [name, value] : registry.by_name) out.emplace(name, value->value());
    return out;
}

}  // namespace clrbus
