#include "app/reader_tokens.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "crypto/password.hpp"
#include "crypto/secret_file.hpp"

namespace clrbus::app {

ReaderTokens::ReaderTokens(std::filesystem::path file, HttpTokens& tokens, std::vector<HttpTokens::Entry> base)
    : file_(std::move(file)), tokens_(tokens), base_(std::move(base)) {
    if (std::filesystem::exists(file_)) {
        const std::string text = crypto::read_secret_file(file_);
        try {
            const auto value = boost::json::parse(text);
            for (const auto& one : value.as_array()) {
                const auto& entry = one.as_object();
                const auto text_of = [&entry](const char* name) {
                    return std::string(std::string_view(entry.at(name).as_string()));
                };
                readers_.push_back({text_of("name"), text_of("hash"), {"learner:" + text_of("learner"), "known"}});
            }
        } catch (const std::exception&) {
            throw Error(Fault::kConfig, "STATE-013", "reading the readers' tokens", Where{.file = file_.string()},
                        "not what this program wrote: remove it, and issue the tokens anew");
        }
    }
    apply();
}

std::string ReaderTokens::issue(const std::string& learner) {
    const std::lock_guard lock(mutex_);
    std::string token = crypto::random_token();
    readers_.push_back({"reader-" + new_uuid().substr(0, 8), HttpTokens::hash(token), {"learner:" + learner, "known"}});
    boost::json::array list;
    for (const auto& one : readers_) {
        list.push_back(boost::json::object{{"name", one.name}, {"hash", one.hash}, {"learner", one.may.front().substr(8)}});
    }
    crypto::write_secret_file(file_, boost::json::serialize(list) + "\n");
    apply();
    return token;
}

void ReaderTokens::base(std::vector<HttpTokens::Entry> base) {
    const std::lock_guard lock(mutex_);
    base_ = std::move(base);
    apply();
}

void ReaderTokens::apply() const {
    std::vector<HttpTokens::Entry> all = base_;
    all.insert(all.end(), readers_.begin(), readers_.end());
    tokens_.replace(std::move(all));
}

}  // namespace clrbus::app
