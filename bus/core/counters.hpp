// Counters and gauges for metrics and status. Registered once by name, then an atomic add. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace clrbus {

class Counter {
public:
    void add(std::int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_{0};
};

// The counter of that name, made at first use; the reference stays valid. Names as Prometheus writes them:
// clrbus_http_refused_total{reason="too-large"}. Keep the set of names bounded: nothing a peer sends becomes part of a name.
Counter& counter(std::string_view name);
std::map<std::string, std::int64_t> all_counters();

}  // namespace clrbus
