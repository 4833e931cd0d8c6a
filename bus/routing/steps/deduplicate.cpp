// deduplicate: idempotent receiver by a key of the message's content. A key belongs to the first message that had it, by that
// message's id: the same message again, after a crash or a retry, passes; another one is counted as duplicate and ends. A
// message that dies behind this step gives its key back. Keys are kept as keyed hashes.
#include <deque>
#include <map>
#include <mutex>

#include "config/config.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "routing/assets.hpp"
#include "routing/route.hpp"
#include "routing/stateful.hpp"
#include "routing/step_keeper.hpp"

namespace clrbus {
namespace {

// Keys on their way to the disk are known from here. More than all that one route has in hand.
constexpr std::size_t kMostPending = 10'000;

class Pending {
public:
    // True: the key is this message's. False: it is another one's, since a time that still counts.
    bool claim(const std::string& key, const std::string& id, std::int64_t now, std::int64_t since) {
        const std::lock_guard lock(mutex_);
        const auto [found, made] = owners_.emplace(key, Owner{id, now});
        if (made) {
            order_.push_back(key);
            if (order_.size() > kMostPending) {
                owners_.erase(order_.front());
                order_.pop_front();
            }
            return true;
        }
        if (found->second.at < since) found->second = {id, now};
        return found->second.id == id;
    }
    void give_back(const std::string& key, const std::string& id) {
        const std::lock_guard lock(mutex_);
        const auto found = owners_.find(key);
        if (found == owners_.end() || found->second.id != id) return;
        owners_.erase(found);
        std::erase(order_, key);
    }

private:
    struct Owner {
        std::string id;  // hash
        std::int64_t at = 0;
    };
    std::mutex mutex_;
    std::map<std::string, Owner> owners_;  // by key hash
    std::deque<std::string> order_;
};

class Deduplicate : public StatefulStep {
public:
    Deduplicate(const Config& element, RouteAssets& assets)
        : StatefulStep(element),
          key_(assets.xpath(element, "key")),
          window_(element.get_duration("window", std::chrono::hours(24 * 7))),
          most_(static_cast<std::uint64_t>(element.get_int("most", 1'000'000))) {}

    bool parks() const override { return false; }

    Flow apply(Work& work) const override {
        const std::string text = key_->string(work.document, work.variables());
        if (text.empty()) {
            throw Error(Fault::kPoison, "STEP-003", "looking for duplicates", "the message has no key")
                .expected("a value at " + key_->expression());
        }
        if (work.services == nullptr || work.services->keeper == nullptr) return Flow::kNext;
        StepKeeper& keeper = *work.services->keeper;
        const std::string name = queue(work.route.id());
        const std::int64_t step = keeper.number(name);
        const std::string key = keeper.state().hash(name, text), id = keeper.state().hash(name, work.id);
        const std::int64_t now = work.services->clock->now().time_since_epoch().count();
        const std::int64_t since = now - window_.count();

        // First what is on its way to the disk, then the disk: what leaves the one is in the other.
        if (!pending_->claim(key, id, now, since)) return duplicate(work);
        std::optional<storage::StepTables::Seen> seen;
        keeper.state().read([&](storage::StepTables& tables) { seen = tables.seen(step, key); });
        const bool known = seen && seen->at >= since;
        if (known && seen->id_hash != id) {
            pending_->give_back(key, id);
            return duplicate(work);
        }
        if (!known) {
            work.changes.emplace_back([step, key, id, now, since, most = most_](storage::StepTables& tables) {
                tables.see(step, key, id, now);
                tables.forget_seen(step, since, most);
            });
        }
        work.on_dead.emplace_back([pending = pending_, &keeper, step, key, id] {
            pending->give_back(key, id);
            keeper.later([step, key, id](storage::StepTables& tables) { tables.unsee(step, key, id); });
        });
        return Flow::kNext;
    }

private:
    static Flow duplicate(Work& work) {
        work.duplicate = true;
        return Flow::kDone;
    }

    std::shared_ptr<const XPath> key_;
    std::chrono::milliseconds window_;
    std::uint64_t most_;
    std::shared_ptr<Pending> pending_ = std::make_shared<Pending>();  // shared with messages in hand
};

}  // namespace

std::unique_ptr<Step> make_deduplicate(const Config& element, RouteAssets& assets, const StepPlace&) {
    return std::make_unique<Deduplicate>(element, assets);
}

}  // namespace clrbus
