// The commands that ask a running bus, or a file: each prints facts for people, or one JSON document with --json.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::app {

// A request to the running bus and how its answer is shown. pairs: members of the request; numbers as text are sent as numbers
// when the name says so.
struct Ask {
    std::filesystem::path state;
    std::string command;
    std::vector<std::pair<std::string, std::string>> text;
    std::vector<std::pair<std::string, long long>> numbers;
    bool json = false;
    std::vector<long long> list{};  // member "numbers"
    std::string shown_as{};         // another way to show the answer
};

// Prints the answer; returns the exit status of DESIGN section 9.
int ask(const Ask& question);

// Gives one member of the answer as text and prints nothing; the exit status when it fails, after printing why.
int ask_member(const Ask& question, const char* member, std::string& out);

// clrbus clr: writes the token (or the credential) to a file or standard output.
int ask_clr(const Ask& question, const std::filesystem::path& out, bool credential);

// clrbus verify FILE: with a key set file, or the keys of a running bus.
int verify_file(const std::filesystem::path& file, const std::filesystem::path& jwks, const std::filesystem::path& state,
                bool json);

// clrbus run: until SIGTERM, then until what is in hand is through; a second one, or the deadline, ends it at once. SIGHUP
// reads routes and certificates again.
// role: all, records or worker.
int run_bus(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::filesystem::path& state,
            const std::string& role);

// clrbus check: the configuration and every route, as run would read them.
// broker: also ask the broker of <broker url> for its queues.
struct CheckOptions {
    std::filesystem::path config, overlay;
    bool json = false;
    bool broker = false;  // connect to the broker of <broker url> too
    bool strict = false;  // a warning counts as an error
};
int check(const CheckOptions& options);

// clrbus test: runs the cases of the routes through their steps, without a broker.
int run_cases(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::string& route, bool json);

// clrbus restore: a state directory from a backup; check: only whether the backup is whole.
int restore(const std::filesystem::path& backup, const std::filesystem::path& state, bool check, bool json);

// clrbus publish ROUTE FILE…: over AMQP, with confirms.
struct Publish {
    std::filesystem::path state;
    std::string route;
    std::vector<std::filesystem::path> files;
    std::string url, user, password_file;  // "" = from the state directory
    std::string content_type;
    bool json = false;
};
int publish(const Publish& what);

}  // namespace clrbus::app
