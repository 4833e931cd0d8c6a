#include "crypto/certificates.hpp"

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <sstream>

#include "core/ids.hpp"
#include "crypto/handles.hpp"
#include "crypto/secret_file.hpp"
#include "crypto/signing.hpp"

namespace clrbus::crypto {

namespace {

constexpr long kDayInSeconds = 86400;
constexpr long kDevDays = 397;
constexpr long kDevRenewDays = 30;

[[noreturn]] void certificate_fail(const std::filesystem::path& file) {
    Where where;
    where.file = file.string();
    throw Error(Fault::kConfig, "TLS-010", "making a development certificate", where, detail::library_reason());
}

detail::PkeyHandle certificate_key(const SigningKey& key) {
    const std::string pem = key.pem();
    const auto bio = detail::memory_bio(pem);
    return detail::PkeyHandle(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

bool certificate_is_address(const std::string& name) {
    ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
    ASN1_OCTET_STRING_free(address);
    detail::library_reason();
    return address != nullptr;
}

void certificate_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    const bool good = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    if (!good) certificate_fail("");
}

void certificate_name(X509_NAME* name, const char* field, const std::string& value) {
    if (X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                   static_cast<int>(value.size()), -1, 0) != 1)
        certificate_fail("");
}

// A version 3 certificate without extensions and signature.
detail::X509Handle certificate_start(EVP_PKEY* key, const std::string& common_name) {
    detail::X509Handle out(X509_new());
    detail::BigNumber serial(BN_new());
    if (!out || !serial || X509_set_version(out.get(), 2) != 1 ||
        BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
        BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(out.get())) == nullptr ||
        X509_gmtime_adj(X509_getm_notBefore(out.get()), -kDayInSeconds) == nullptr ||
        X509_gmtime_adj(X509_getm_notAfter(out.get()), kDevDays * kDayInSeconds) == nullptr ||
        X509_set_pubkey(out.get(), key) != 1)
        certificate_fail("");
    certificate_name(X509_get_subject_name(out.get()), "O", "clrbus development");
    certificate_name(X509_get_subject_name(out.get()), "CN", common_name);
    return out;
}

void certificate_sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key) {
    if (X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1 ||
        X509_sign(certificate, issuer_key, detail::sha256_algorithm()) == 0)
        certificate_fail("");
}

std::string certificate_pem(X509* certificate) {
    const detail::BioHandle bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) certificate_fail("");
    return detail::bio_text(bio.get());
}

// The first certificate of a PEM file, or none.
detail::X509Handle certificate_read(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    const std::string pem = text.str();
    const auto bio = detail::memory_bio(pem);
    detail::X509Handle out(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!out) detail::library_reason();
    return out;
}

long certificate_days(const X509* certificate) {
    int days = 0;
    int seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1) return -1;
    return days;
}

bool certificate_serves(const DevCertificates& files, const std::vector<std::string>& names) {
    if (!std::filesystem::exists(files.key) || !std::filesystem::exists(files.ca)) return false;
    const auto certificate = certificate_read(files.certificate);
    const auto authority = certificate_read(files.ca);
    if (!certificate || !authority || certificate_days(certificate.get()) < kDevRenewDays) return false;
    if (X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) != 1) return false;
    for (const std::string& name : names) {
        if (X509_check_host(certificate.get(), name.data(), name.size(), 0, nullptr) != 1 &&
            X509_check_ip_asc(certificate.get(), name.c_str(), 0) != 1)
            return false;
    }
    const auto key = certificate_key(SigningKey::load(files.key));
    return key && X509_check_private_key(certificate.get(), key.get()) == 1;
}

void certificate_write_public(const std::filesystem::path& file, const std::string& pem) {
    write_secret_file(file, pem);
    std::filesystem::permissions(file, std::filesystem::perms(0644));
}

void certificate_make(const DevCertificates& files, const std::string& common_name, const std::string& alternative_names,
                      const std::string& use) {
    const SigningKey authority_key = SigningKey::generate(Algorithm::kEs256);
    const SigningKey own_key = SigningKey::generate(Algorithm::kEs256);
    const auto authority_pkey = certificate_key(authority_key);
    const auto own_pkey = certificate_key(own_key);
    // A name of its own for each authority: a client that trusts an older one must not mix them up.
    const auto authority =
        certificate_start(authority_pkey.get(), "clrbus development authority " + authority_key.kid().substr(0, 12));
    certificate_extension(authority.get(), authority.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    certificate_extension(authority.get(), authority.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    certificate_extension(authority.get(), authority.get(), NID_subject_key_identifier, "hash");
    certificate_sign(authority.get(), authority.get(), authority_pkey.get());

    const auto own = certificate_start(own_pkey.get(), common_name);
    certificate_extension(own.get(), authority.get(), NID_basic_constraints, "critical,CA:FALSE");
    certificate_extension(own.get(), authority.get(), NID_key_usage, "critical,digitalSignature");
    certificate_extension(own.get(), authority.get(), NID_ext_key_usage, use);
    certificate_extension(own.get(), authority.get(), NID_authority_key_identifier, "keyid");
    if (!alternative_names.empty()) certificate_extension(own.get(), authority.get(), NID_subject_alt_name, alternative_names);
    certificate_sign(own.get(), authority.get(), authority_pkey.get());

    own_key.store(files.key);
    certificate_write_public(files.certificate, certificate_pem(own.get()));
    certificate_write_public(files.ca, certificate_pem(authority.get()));
}

}  // namespace

DevCertificates make_dev_certificates(const std::filesystem::path& folder, const std::vector<std::string>& names) {
    DevCertificates files{folder / "ca.pem", folder / "server.pem", folder / "server.key"};
    if (names.empty()) throw Error(Fault::kConfig, "TLS-010", "making a development certificate", "no host name is given");
    if (certificate_serves(files, names)) return files;
    std::string alternative_names;
    for (const std::string& name : names) {
        if (name.empty() || name.find_first_of(", \n\r\t:") != name.npos) {
            if (!certificate_is_address(name))
                throw Error(Fault::kConfig, "TLS-010", "making a development certificate",
                            "a host name holds a character that none can hold");
        }
        if (!alternative_names.empty()) alternative_names += ",";
        alternative_names += (certificate_is_address(name) ? "IP:" : "DNS:") + name;
    }
    std::filesystem::create_directories(folder);
    certificate_make(files, names.front().substr(0, 64), alternative_names, "serverAuth");
    return files;
}

DevCertificates make_client_certificate(const std::filesystem::path& folder, const std::string& name) {
    if (!is_valid_name(name))
        throw Error(Fault::kConfig, "TLS-010", "making a client certificate", "its name is no valid name");
    DevCertificates files{folder / (name + "-ca.pem"), folder / (name + ".pem"), folder / (name + ".key")};
    std::filesystem::create_directories(folder);
    certificate_make(files, name, "", "clientAuth");
    return files;
}

long days_left(const std::filesystem::path& file) {
    const auto certificate = certificate_read(file);
    if (!certificate) {
        Where where;
        where.file = file.string();
        throw Error(Fault::kConfig, "TLS-001", "reading a certificate", where, "it holds no PEM certificate");
    }
    return certificate_days(certificate.get());
}

}  // namespace clrbus::crypto
