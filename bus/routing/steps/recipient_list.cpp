// recipient-list: the message goes to the routes that it names itself, out of those that the step allows.
#include <algorithm>
#include <set>
#include <sstream>

#include "config/config.hpp"
#include "core/error.hpp"
#include "routing/assets.hpp"
#include "routing/hand_over.hpp"
#include "routing/name_list.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

class RecipientList : public Step {
public:
    RecipientList(std::shared_ptr<const XPath> select, std::string from_header, std::set<std::string, std::less<>> allowed,
                  bool skip)
        : select_(std::move(select)), header_(std::move(from_header)), allowed_(std::move(allowed)), skip_(skip) {}

    Flow apply(Work& work) const override {
        std::vector<std::string> names;
        if (select_) {
            for (const std::string& text : select_->strings(work.document, work.variables(*select_))) append(names, text);
        } else {
            append(names, work.headers.get(header_));
        }
        if (names.empty()) {
            if (!skip_)
                throw Error(Fault::kPoison, "ROUTE-122", "reading the recipients", "there is none").expected("a route's name");
            work.filtered = "no recipient";
            return Flow::kDone;
        }
        const LeavingBody body = leaving_body(work);
        for (const std::string& route : names) hand_over(work, route, name(), body);
        return Flow::kDone;
    }

private:
    void append(std::vector<std::string>& names, std::string_view text) const {
        for (const std::string_view one : names_in(text, "reading the recipients")) {
            const auto known = allowed_.find(one);
            if (known == allowed_.end()) {
                if (skip_) continue;
                throw Error(Fault::kPoison, "ROUTE-121", "reading the recipients", "a name that is not allowed here")
                    .expected(allowed_text());
            }
            if (std::find(names.begin(), names.end(), *known) == names.end()) names.push_back(*known);
        }
    }
    std::string allowed_text() const {
        std::string out = "one of:";
        for (const std::string& one : allowed_) out += " " + one;
        return out;
    }

    std::shared_ptr<const XPath> select_;  // null: header_
    std::string header_;
    std::set<std::string, std::less<>> allowed_;
    bool skip_;
};

}  // namespace

std::unique_ptr<Step> make_recipient_list(const Config& element, RouteAssets& assets, const StepPlace&) {
    if (element.has("select") == element.has("header")) element.fail("ROUTE-020", "a recipient-list has a select or a header");
    std::istringstream in(element.require("allowed"));
    std::set<std::string, std::less<>> allowed;
    for (std::string one; in >> one;) allowed.insert(one);
    return std::make_unique<RecipientList>(element.has("select") ? assets.xpath(element, "select") : nullptr,
                                           element.get("header"), std::move(allowed), element.get("unknown") == "skip");
}

}  // namespace clrbus
