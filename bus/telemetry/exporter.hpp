// Sends finished spans (core/spans.hpp) to a collector: OTLP/HTTP with JSON, https://opentelemetry.io/docs/specs/otlp/. On a
// thread of its own; nothing else waits for it. While the collector is away one batch is kept and tried again, and the ring
// drops what it cannot hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "core/spans.hpp"

namespace clrbus {
class HttpClient;
}

namespace clrbus::telemetry {

struct ExportOptions {
    std::string url;  // with its path: http://localhost:4318/v1/traces
    std::filesystem::path ca_file;
    std::function<std::string()> token;  // Authorization: Bearer; null: none
    std::string instance, version;       // of the resource
    std::chrono::milliseconds every{2'000};
    std::chrono::milliseconds timeout{10'000};
    std::size_t ring = 20'000;  // spans that wait at most
    std::size_t batch = 512;
};

// An ExportTraceServiceRequest as OTLP's JSON: ids in hex, numbers of 64 bits as text.
std::string otlp_json(const std::vector<spans::Span>& spans, const ExportOptions& options);

// <telemetry>, without which nothing is exported. Throws Error(kConfig).
ExportOptions read_export_options(const Config& element, const std::filesystem::path& folder,
                                  const std::function<std::string(std::string_view name)>& secret);

class Exporter {
public:
    // Enables the spans of the process. client outlives me.
    Exporter(ExportOptions options, HttpClient& client);
    ~Exporter();  // disables, ends; what waits is lost
    Exporter(const Exporter&) = delete;
    Exporter& operator=(const Exporter&) = delete;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::telemetry
