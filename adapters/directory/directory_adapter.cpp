#include "adapters_directory/directory_adapter.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "adapter/repeater.hpp"
#include "adapter/schedule.hpp"
#include "adapters_directory/drop_folder.hpp"
#include "adapters_directory/folder_watch.hpp"
#include "adapters_directory/intake.hpp"
#include "adapters_directory/pickup_plan.hpp"
#include "adapters_directory/receipt.hpp"
#include "core/counters.hpp"
#include "core/log.hpp"

namespace clrbus::adapters::directory {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock::time_point;

constexpr std::size_t kInHandMost = 16;  // files that were put and not answered yet
constexpr std::size_t kReceiptsATime = 200;
constexpr std::size_t kReceiptsAsked = 8;  // that were not through, in one go
constexpr milliseconds kReceiptEvery{500};
constexpr milliseconds kClosedWait{1000};
constexpr milliseconds kLookAgainMost{86'400'000};
constexpr milliseconds kStopWait{10'000};  // for answers to what was handed over

struct DirectoryConfig {
    std::filesystem::path path;
    PlanOptions plan;
    IntakeOptions intake;
    milliseconds schedule{30'000};
    std::optional<Schedule> cron;  // instead of the interval
    bool keep = true;
    bool receipts = true;

    DirectoryConfig(const Config& config, const Inbox& inbox, const std::filesystem::path& state_dir) {
        const std::string given = config.get("path");
        path = given.empty() ? state_dir / "drop" / inbox.route() : std::filesystem::path(given);
        if (!given.empty() && path.is_relative()) config.fail("DIR-010", "path", "a whole path, from '/' on");
        for (const auto& part : path)
            if (part == "..") config.fail("DIR-010", "path", "a path without '..'");
        plan.match = config.get("match", "*");
        if (plan.match.find('/') != std::string::npos) config.fail("DIR-011", "match", "a name holds no '/'");
        plan.settle = config.get_duration("settle", seconds(2));
        if (const std::string text = config.get("schedule"); text.empty() || text.starts_with('P')) {
            schedule = read_schedule(config, "schedule", seconds(30), seconds(1));
        } else {
            std::string_view option = "zone";
            try {
                const Zone zone = Zone::load(config.get("zone", "UTC"));
                option = "schedule";
                cron = Schedule::parse(text, zone);
            } catch (const Error& error) {
                config.fail("DIR-012", option, error.why());
            }
        }
        const auto most = static_cast<std::uint64_t>(config.get_int("max-bytes", 0));
        plan.most = intake.most = most == 0 ? inbox.max_bytes() : std::min(most, inbox.max_bytes());
        intake.content_type = config.get("content-type");
        // The original of what was reduced is not kept: it holds what the record must not hold.
        keep = config.get("taken", "move") == "move" && inbox.reduce() == nullptr;
        receipts = config.get_bool("receipts", true);
    }

    milliseconds until_look(Time now) const {
        if (!cron) return schedule;
        const std::optional<Time> next = cron->next_run(now);
        return next ? std::min<milliseconds>(*next - now, kLookAgainMost) : kLookAgainMost;
    }
};

// Where answers wait for the door's thread. Shared with callbacks, which may outlive the door.
struct Answers {
    FolderWatch watch;
    std::mutex mutex;
    std::vector<std::pair<std::string, Receipt>> arrived;

    void add(const std::string& name, const Receipt& receipt) {
        {
            const std::lock_guard lock(mutex);
            arrived.emplace_back(name, receipt);
        }
        watch.wake();
    }
};

class DirectorySource : public Source {
public:
    explicit DirectorySource(const AdapterContext& context)
        : inbox_(*context.inbox), clock_(*context.clock), config_(context.config, inbox_, context.state_dir) {}
    ~DirectorySource() override { stop(); }

    void start() override {
        thread_ = std::thread([this] { run(); });
    }
    void stop() override {
        stopping_ = true;
        answers_->watch.wake();
        if (thread_.joinable()) thread_.join();
    }
    Health health() const override {
        const std::lock_guard lock(mutex_);
        return health_;
    }

private:
    void run();
    milliseconds turn(Steady now);
    void open_folder();
    void look(Steady now);
    void take(const std::string& name);
    void take_later(const std::string& name, const std::exception& why);
    void settle_answers(Steady now);
    void settle_answers(const std::vector<std::pair<std::string, Receipt>>& arrived, Steady now);
    std::string note_accepted(const std::string& name, const std::string& id);
    void finish_accepted(const std::string& name, const std::string& as);
    void failed(const std::string& name, const std::string& code, const std::string& expected);
    void write_receipts(Steady now);
    bool write_receipt(const std::string& id, const std::string& as);
    void report(bool ok, std::string text);

    Inbox& inbox_;        // any thread
    const Clock& clock_;  // any thread
    const DirectoryConfig config_;
    std::shared_ptr<Answers> answers_ = std::make_shared<Answers>();
    std::atomic<bool> stopping_{false};

    // The door's thread only:
    std::unique_ptr<DropFolder> folder_;
    std::set<std::string> in_hand_, renamed_;
    std::map<std::string, SeenFile> seen_;
    std::deque<std::string> to_take_;             // claimed or still to be claimed, in order
    std::set<std::string> claimed_;               // of to_take_: already in .taking/
    std::map<std::string, std::string> waiting_;  // message id -> name in done/; ids rise with acceptance
    std::string next_receipt_;                    // the id where the next round of receipts goes on
    Steady closed_until_{}, receipts_at_{}, look_at_{};
    bool changed_ = false, unsettled_ = false;

    mutable std::mutex mutex_;
    Health health_;

    std::thread thread_;  // last: runs on all of the above
};

void DirectorySource::report(bool ok, std::string text) {
    const std::lock_guard lock(mutex_);
    if (health_.ok == ok && health_.text == text) return;
    health_ = {ok, std::move(text), clock_.now()};
    if (!ok) log::warn("directory", "door of '" + inbox_.route() + "': " + health_.text);
}

void DirectorySource::run() {
    milliseconds wait{0};
    while (!stopping_) {
        if (answers_->watch.wait(wait, renamed_)) changed_ = true;
        const Steady now = clock_.steady();
        try {
            if (!folder_) open_folder();
            wait = turn(now);
        } catch (const std::exception& error) {  // the folder or the disk: it is tried again
            report(false, error.what());
            folder_.reset();  // opened anew: it may have been replaced or mounted again
            wait = kClosedWait;
        }
    }
    // What was handed over finishes; an answer that does not come leaves its file in .taking/ for the next start.
    const Steady give_up = clock_.steady() + kStopWait;
    while (folder_ && !in_hand_.empty() && clock_.steady() < give_up) {
        answers_->watch.wait(milliseconds(50), renamed_);
        try {
            settle_answers(clock_.steady());
        } catch (const std::exception& error) {
            log::warn("directory", error.what());
        }
    }
}

void DirectorySource::open_folder() {
    auto folder = std::make_unique<DropFolder>(config_.path);
    answers_->watch.watch(config_.path);
    claimed_.clear();
    to_take_.clear();
    for (std::string& name : folder->claimed()) {  // left over from an earlier run or from before an error
        if (in_hand_.contains(name)) continue;
        claimed_.insert(name);
        to_take_.push_back(std::move(name));
    }
    waiting_ = folder->waiting();
    folder_ = std::move(folder);
}

// One round; gives how long there is nothing to do.
milliseconds DirectorySource::turn(Steady now) {
    settle_answers(now);
    if (config_.receipts && now >= receipts_at_) write_receipts(now);

    const bool open = inbox_.open() && now >= closed_until_;
    if (open) {
        if (to_take_.empty() && (now >= look_at_ || changed_ || !renamed_.empty() || unsettled_)) look(now);
        while (!to_take_.empty() && in_hand_.size() < kInHandMost && now >= closed_until_ && !stopping_) {
            const std::string name = std::move(to_take_.front());
            to_take_.pop_front();
            take(name);
        }
        report(true, "ok");
    } else {
        report(false, "the inbox takes nothing; files wait in the folder");
    }

    milliseconds wait = config_.until_look(clock_.now());
    if (!open) wait = std::min(wait, kClosedWait);
    if (!waiting_.empty()) wait = std::min(wait, kReceiptEvery);
    if (open && unsettled_) wait = std::min(wait, std::max(config_.plan.settle / 2, milliseconds(10)));
    if (open && !to_take_.empty() && in_hand_.size() < kInHandMost) wait = milliseconds(0);
    return wait;
}

void DirectorySource::look(Steady now) {
    changed_ = false;
    PickupPlan plan = plan_pickup(folder_->list(), seen_, std::exchange(renamed_, {}), now, config_.plan);
    for (const RefusedFile& file : plan.refuse)
        if (folder_->claim(file.name)) failed(file.name, file.code, file.expected);
    to_take_.assign(plan.take.begin(), plan.take.end());
    seen_ = std::move(plan.seen);
    unsettled_ = plan.unsettled;
    look_at_ = now + config_.until_look(clock_.now());
}

void DirectorySource::take(const std::string& name) {
    if (claimed_.erase(name) == 0 && !folder_->claim(name)) {
        // Gone, or one of that name is in hand: the next look finds it.
        if (in_hand_.contains(name)) unsettled_ = true;
        return;
    }
    try {
        Incoming incoming = take_in(*folder_, name, inbox_, config_.intake);
        if (config_.receipts) incoming.headers.set(kReceiptHeader, "1");
        in_hand_.insert(name);
        inbox_.put(std::move(incoming), [answers = answers_, name](const Receipt& receipt) { answers->add(name, receipt); });
    } catch (const Error& error) {
        if (error.fault() == Fault::kPoison) {
            failed(name, error.code(), error.expected().empty() ? error.why() : error.expected());
        } else {
            take_later(name, error);
        }
    } catch (const std::exception& error) {
        take_later(name, error);
    }
}

void DirectorySource::take_later(const std::string& name, const std::exception& why) {
    log::warn("directory", why.what());
    in_hand_.erase(name);
    folder_->put_back(name);
    unsettled_ = true;
}

void DirectorySource::settle_answers(Steady now) {
    std::vector<std::pair<std::string, Receipt>> arrived;
    {
        const std::lock_guard lock(answers_->mutex);
        arrived.swap(answers_->arrived);
    }
    for (const auto& [name, receipt] : arrived) in_hand_.erase(name);
    settle_answers(arrived, now);  // after an error what is still claimed is taken again, as a duplicate if need be
}

void DirectorySource::settle_answers(const std::vector<std::pair<std::string, Receipt>>& arrived, Steady now) {
    std::vector<std::pair<std::string, std::string>> moves;
    for (const auto& [name, receipt] : arrived) {
        switch (receipt.state) {
            case PutState::kStored:
            case PutState::kDuplicate:
                counter("clrbus_directory_accepted_total").add();
                if (std::string as = note_accepted(name, receipt.id); waiting_.contains(receipt.id)) {
                    moves.emplace_back(name, std::move(as));
                } else {
                    finish_accepted(name, as);  // no receipt is asked for
                }
                break;
            case PutState::kFull:
            case PutState::kFailed:
                closed_until_ = now + kClosedWait;
                counter("clrbus_directory_put_back_total").add();
                if (!folder_->put_back(name)) {  // a new one of that name came meanwhile: this one first
                    claimed_.insert(name);
                    to_take_.push_front(name);
                } else {
                    renamed_.insert(name);  // it was complete before
                }
                break;
        }
    }
    // The notes are on disk before the moves: a crash between the two takes the files again, as duplicates with the same ids.
    if (!moves.empty()) folder_->sync_waiting();
    for (const auto& [name, as] : moves) finish_accepted(name, as);
}

void DirectorySource::finish_accepted(const std::string& name, const std::string& as) {
    if (config_.keep) {
        folder_->finish(name, DropFolder::Place::kDone, as);
    } else {
        folder_->remove_claimed(name);
    }
}

// The name under which an accepted file stands from now on.
std::string DirectorySource::note_accepted(const std::string& name, const std::string& id) {
    if (const auto known = waiting_.find(id); known != waiting_.end()) return known->second;
    std::string as = folder_->free_name(name);
    if (config_.receipts && folder_->note_waiting(id, as)) waiting_[id] = as;
    return as;
}

void DirectorySource::failed(const std::string& name, const std::string& code, const std::string& expected) {
    counter("clrbus_directory_failed_total").add();
    log::warn("directory", "door of '" + inbox_.route() + "': a file was refused with " + code + "; see failed/");
    const std::string as = folder_->free_name(plain_name(name));
    Inbox::State state{.state = "refused", .code = code, .path = {}, .expected = expected, .reason = {}};
    folder_->write_receipt(DropFolder::Place::kFailed, as, receipt_text(state));
    if (inbox_.reduce() == nullptr) {
        folder_->finish(name, DropFolder::Place::kFailed, as);
    } else {
        folder_->remove_claimed(name);
    }
}

// Asking costs the inbox a search, so that a round asks little: the oldest first, which are through first, then on from where
// the last round ended, so that one that takes long holds up nobody.
void DirectorySource::write_receipts(Steady now) {
    receipts_at_ = now + kReceiptEvery;
    std::vector<std::string> written;  // ids
    const auto round = [&](std::map<std::string, std::string>::iterator entry) {
        for (std::size_t asked = 0; entry != waiting_.end() && asked < kReceiptsAsked && written.size() < kReceiptsATime;
             ++entry) {
            if (write_receipt(entry->first, entry->second)) {
                written.push_back(entry->first);
            } else {
                ++asked;
            }
        }
        return entry;
    };
    const auto first = round(waiting_.begin());
    auto next = waiting_.lower_bound(next_receipt_);
    if (first == waiting_.end() || next == waiting_.end() || next->first < first->first) next = first;
    next = round(next);
    next_receipt_ = next == waiting_.end() ? std::string() : next->first;
    if (written.empty()) return;
    folder_->sync_receipts();
    for (const std::string& id : written) {
        folder_->forget_waiting(id, waiting_.at(id));
        waiting_.erase(id);
    }
}

// False: the message is not through yet.
bool DirectorySource::write_receipt(const std::string& id, const std::string& as) {
    std::optional<Inbox::State> state;
    try {
        state = inbox_.state_of(id);
    } catch (const std::exception& error) {  // of this message alone: the other receipts go on
        log::warn("directory", "asking for the state of message '" + id + "': " + error.what());
    }
    if (!state || !state->finished) return false;
    const bool dead = state->state == "dead";
    if (dead) folder_->fail_done(as);
    folder_->write_receipt(dead ? DropFolder::Place::kFailed : DropFolder::Place::kDone, as, receipt_text(*state));
    return true;
}

}  // namespace

const AdapterInfo& adapter_info() {
    static constexpr AdapterInfo kInfo{
        .name = "directory",
        .summary = "Takes files from a folder of this machine once they are complete",
        .namespace_uri = "urn:clrbus:adapter:directory:1",
        .schema = "config.xsd",
        .source = [](const AdapterContext& context) -> std::unique_ptr<Source> {
            return std::make_unique<DirectorySource>(context);
        },
    };
    return kInfo;
}

}  // namespace clrbus::adapters::directory
