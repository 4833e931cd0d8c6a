// How the contract tests play the far side of one adapter that reads it. A new adapter of the kind adds one row to
// source_rows() in source_drivers.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapter/adapter.hpp"
#include "config/element.hpp"
#include "contract/mood.hpp"

namespace clrbus::contract {

class SourceDriver {
public:
    virtual ~SourceDriver() = default;
    // The endpoint element, with schedule="PT1S" and a time-out of a second; asks for a few items at a time, so that ten are
    // several pages.
    virtual std::shared_ptr<Config::Element> element() const = 0;
    // A new item on the far side, or a new version of one.
    virtual void offer(const std::string& id, const std::string& text) = 0;
    // id and text of the item that a message carries.
    virtual std::pair<std::string, std::string> carried(const Incoming& message) const = 0;
    // What it does from now on; next: what it does at the next requests, one each, before that.
    virtual void mood(Mood mood) = 0;
    virtual void next(std::vector<Mood> moods) = 0;
    // What it takes as our secret; with another one we are strangers. False: it knows no secrets.
    virtual bool expect_secret(const std::string& secret) = 0;
    // How many requests began a list at its first page.
    virtual int beginnings() = 0;
};

struct SourceRow {
    std::string adapter;
    std::function<std::unique_ptr<SourceDriver>()> far_side;
};
std::vector<SourceRow> source_rows();

}  // namespace clrbus::contract
