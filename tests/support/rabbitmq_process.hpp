// For tests alone: a RabbitMQ of its own (tests/support/rabbitmq_server.py), told what to do by lines. Ends with its owner.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/test_directory.hpp"

namespace clrbus {

class RabbitMqProcess {
public:
    // "NAME=quorum" or "NAME=classic": a queue that is there before the first client comes. "heartbeat=SECONDS",
    // "tls=CERTIFICATE,KEY,CA".
    explicit RabbitMqProcess(const std::vector<std::string>& with = {}) {
        int to[2], from[2];
        if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
        std::vector<std::string> words{"python3", CLRBUS_SOURCE_DIR "/tests/support/rabbitmq_server.py",
                                       folder_.path() + "/rabbitmq"};
        words.insert(words.end(), with.begin(), with.end());
        process_ = fork();
        if (process_ == 0) {
            dup2(to[0], 0);
            dup2(from[1], 1);
            std::vector<char*> arguments;
            for (std::string& word : words) arguments.push_back(word.data());
            arguments.push_back(nullptr);
            execvp("python3", arguments.data());
            _exit(127);
        }
        ::close(to[0]);
        ::close(from[1]);
        in_ = to[1];
        out_ = from[0];
        const std::string first = line();
        if (first.empty()) throw std::runtime_error("RabbitMQ did not start");
        if (first == "-") return;
        port_ = static_cast<std::uint16_t>(std::stoi(first));
        tls_port_ = static_cast<std::uint16_t>(std::stoi(first.substr(first.find(' '))));
    }
    ~RabbitMqProcess() {
        ::close(in_);
        int status = 0;
        waitpid(process_, &status, 0);
        ::close(out_);
    }
    RabbitMqProcess(const RabbitMqProcess&) = delete;
    RabbitMqProcess& operator=(const RabbitMqProcess&) = delete;

    bool installed() const { return port_ != 0; }
    std::uint16_t port() const { return port_; }
    std::uint16_t tls_port() const { return tls_port_; }
    // restart, kill, start, list, purge NAME, ctl WORDS. Returns the answer.
    std::string tell(const std::string& what) {
        const std::string text = what + "\n";
        if (::write(in_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            throw std::runtime_error("RabbitMQ is gone");
        return line();
    }

private:
    std::string line() const {
        std::string out;
        char c = 0;
        while (::read(out_, &c, 1) == 1 && c != '\n') out += c;
        return out;
    }

    TestDirectory folder_;
    pid_t process_ = -1;
    int in_ = -1, out_ = -1;
    std::uint16_t port_ = 0, tls_port_ = 0;
};

}  // namespace clrbus
