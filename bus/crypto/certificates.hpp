// Certificates for development and tests, made here so that nobody needs a tool for the first start. Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::crypto {

struct DevCertificates {
    std::filesystem::path ca;           // ca.pem: give it to clients
    std::filesystem::path certificate;  // server.pem
    std::filesystem::path key;          // server.key, 0600
};

// A private authority and a server certificate for names (host names and IP addresses; the first is the subject). Kept when
// they are there, cover the names and are good for another 30 days; else made anew. The authority's key is not kept: it signs
// once. For development alone: who ships this to production has no trust in it. Throws Error(kConfig, "TLS-010").
DevCertificates make_dev_certificates(const std::filesystem::path& folder, const std::vector<std::string>& names);

// A client certificate for tests, signed by an authority made with it: folder/NAME.pem, NAME.key, NAME-ca.pem.
DevCertificates make_client_certificate(const std::filesystem::path& folder, const std::string& name);

// Days until the certificate in a PEM file expires (negative: it has). Throws Error(kConfig, "TLS-001").
long days_left(const std::filesystem::path& certificate);

}  // namespace clrbus::crypto
