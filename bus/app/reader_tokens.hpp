// Tokens that let one reader read one learner's record. Kept as hashes in DIR/readers.json (0600); the token itself is shown
// once. Any thread.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "http/tokens.hpp"

namespace clrbus::app {

class ReaderTokens {
public:
    // base: the tokens of the configuration, which stay beside those of the file. Throws Error(kConfig, "STATE-013") for a
    // damaged file.
    ReaderTokens(std::filesystem::path file, HttpTokens& tokens, std::vector<HttpTokens::Entry> base);

    std::string issue(const std::string& learner);
    void base(std::vector<HttpTokens::Entry> base);

private:
    void apply() const;

    const std::filesystem::path file_;
    HttpTokens& tokens_;

    std::mutex mutex_;
    std::vector<HttpTokens::Entry> base_;
    std::vector<HttpTokens::Entry> readers_;
};

}  // namespace clrbus::app
