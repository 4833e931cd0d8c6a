// A mount that ends with its owner: no handler runs after it is gone. One thread.
#pragma once

#include <string>

#include "http/server.hpp"

namespace clrbus {

class HttpMounted {
public:
    HttpMounted(HttpServer& server, HttpMount mount) : server_(server), prefix_(mount.prefix) {
        server_.mount(std::move(mount));
    }
    ~HttpMounted() { server_.unmount(prefix_); }
    HttpMounted(const HttpMounted&) = delete;
    HttpMounted& operator=(const HttpMounted&) = delete;

private:
    HttpServer& server_;
    std::string prefix_;
};

}  // namespace clrbus
