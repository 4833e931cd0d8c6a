#include "core/error.hpp"

#include <utility>

namespace clrbus {

std::string_view to_string(Fault fault) {
    switch (fault) {
        case Fault::kConfig:
            return "configuration";
        case Fault::kAway:
            return "away";
        case Fault::kPoison:
            return "message";
    }
    return "unknown";
}

std::string Where::text() const {
    std::string out = file;
    if (line != 0) {
        out += out.empty() ? "line " : ":";
        out += std::to_string(line);
        if (column != 0) out += ":" + std::to_string(column);
    }
    const auto add = [&out](const std::string& part) {
        if (!out.empty()) out += ": ";
        out += part;
    };
    if (row != 0) add("row " + std::to_string(row));
    if (!path.empty()) add(path);
    if (line == 0 && offset >= 0) add("byte " + std::to_string(offset));
    return out;
}

Error::Error(Fault fault, std::string_view code, std::string doing, Where where, std::string why)
    : fault_(fault), code_(code), doing_(std::move(doing)), where_(std::move(where)), why_(std::move(why)) {}

Error::Error(Fault fault, std::string_view code, std::string doing, std::string why)
    : Error(fault, code, std::move(doing), Where{}, std::move(why)) {}

Error& Error::expected(std::string text) {
    expected_ = std::move(text);
    text_.clear();
    return *this;
}

Error& Error::may_pass() {
    again_ = true;
    return *this;
}

Error& Error::within(std::string_view outer) & {
    context_ = std::string(outer) + ": " + context_;
    text_.clear();
    return *this;
}

Error&& Error::within(std::string_view outer) && {
    return std::move(within(outer));
}

Error& Error::file(std::string name) {
    if (where_.file.empty()) where_.file = std::move(name);
    text_.clear();
    return *this;
}

const char* Error::what() const noexcept {
    if (text_.empty()) {
        text_ = context_;
        const auto add = [this](const std::string& part) {
            if (part.empty()) return;
            if (!text_.empty() && text_.back() != ' ') text_ += ": ";
            text_ += part;
        };
        add(doing_);
        add(where_.text());
        add(why_);
        if (!expected_.empty()) text_ += " (expected " + expected_ + ")";
    }
    return text_.c_str();
}

}  // namespace clrbus
