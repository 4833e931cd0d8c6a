// For this folder's .cpp files alone: owners of OpenSSL objects and the one place that turns its errors into ours. OpenSSL's
// types are only declared here, so that this header needs none of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

struct bio_st;
struct bignum_st;
struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;
struct evp_md_ctx_st;
struct evp_md_st;
struct evp_pkey_ctx_st;
struct evp_pkey_st;
struct x509_st;

namespace clrbus::crypto::detail {

struct HandleFree {
    void operator()(bio_st* p) const;
    void operator()(bignum_st* p) const;
    void operator()(evp_cipher_ctx_st* p) const;
    void operator()(evp_mac_ctx_st* p) const;
    void operator()(evp_md_ctx_st* p) const;
    void operator()(evp_pkey_ctx_st* p) const;
    void operator()(evp_pkey_st* p) const;
    void operator()(x509_st* p) const;
};
template <class T>
using Handle = std::unique_ptr<T, HandleFree>;
using BioHandle = Handle<bio_st>;
using BigNumber = Handle<bignum_st>;
using PkeyHandle = Handle<evp_pkey_st>;
using X509Handle = Handle<x509_st>;

const evp_md_st* sha256_algorithm();  // fetched once

// The library's reason (never a payload) and an empty error queue.
std::string library_reason();
[[noreturn]] void fail(Fault fault, std::string_view code, std::string doing);
[[noreturn]] void fail(Fault fault, std::string_view code, std::string doing, std::string why);

BioHandle memory_bio(std::string_view bytes);  // read-only view of bytes
std::string bio_text(bio_st* bio);             // what was written to a memory BIO

}  // namespace clrbus::crypto::detail
