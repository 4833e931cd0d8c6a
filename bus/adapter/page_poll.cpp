#include "adapter/page_poll.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "core/counters.hpp"
#include "core/executor.hpp"
#include "core/log.hpp"
#include "crypto/hash.hpp"
#include "http/spool_file.hpp"

namespace clrbus {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kPlaceMost = 4096;
constexpr int kAnewMost = 3;  // in one run
constexpr milliseconds kInboxAgain{1000};

// Runs at once, on the thread that has the answer.
class PollInline : public Executor {
public:
    void post(Job job) override { job(); }
};
PollInline& poll_inline() {
    static PollInline executor;
    return executor;
}

// What the run waits on. Shared with callbacks, which may outlive the door.
struct PollWait {
    std::mutex mutex;
    std::condition_variable changed;
    bool stopping = false;

    void tell(const std::function<void()>& change) {
        const std::lock_guard lock(mutex);
        change();
        changed.notify_all();
    }
    // False: stopping.
    bool until(const std::function<bool()>& ready) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return stopping || ready(); });
        return !stopping;
    }
    bool pause(milliseconds time) {
        std::unique_lock lock(mutex);
        changed.wait_for(lock, time, [&] { return stopping; });
        return !stopping;
    }
};

}  // namespace

struct PagePoll::Impl {
    Impl(Options given, std::unique_ptr<PagePlan> what, const AdapterContext& context)
        : options(std::move(given)),
          plan(std::move(what)),
          inbox(*context.inbox),
          client(*context.client),
          clock(*context.clock),
          note("place:" + options.schedule.name) {}

    const Options options;
    const std::unique_ptr<PagePlan> plan;  // the run's thread only
    Inbox& inbox;                          // any thread
    HttpClient& client;                    // any thread
    const Clock& clock;                    // any thread
    const std::string note;
    const std::shared_ptr<PollWait> waiting = std::make_shared<PollWait>();
    std::string place;        // the run's thread only, as the note has it
    milliseconds backoff{0};  // the run's thread only
    bool given_up = false;    // the last run; the run's thread only

    mutable std::mutex mutex;  // guards what follows
    Health state{true, "ok", {}};

    std::unique_ptr<ScheduledRun> runs;  // last: calls back into this

    void report(bool ok, const std::string& text) {
        const std::lock_guard lock(mutex);
        if (state.text == text) return;
        // Since when it stands still, also when the reason changes.
        const Time since = !ok && !state.ok ? state.since : clock.now();
        state = {ok, text, since};
        if (!ok) log::warn("adapter", "door of '" + inbox.route() + "': " + text);
    }

    // ── waiting for others; false: the door stops ──

    bool wait_for_inbox() {
        while (!inbox.open()) {
            report(false, "the inbox takes nothing; a run waits");
            if (!waiting->pause(kInboxAgain)) return false;
        }
        return true;
    }
    bool ask(HttpCall call, HttpAnswer& answer) {
        const auto slot = std::make_shared<std::optional<HttpAnswer>>();
        client.request(std::move(call), poll_inline(),
                       [to = waiting, slot](HttpAnswer got) { to->tell([&] { *slot = std::move(got); }); });
        if (!waiting->until([&] { return slot->has_value(); })) return false;
        answer = std::move(**slot);
        return true;
    }
    bool stay_away(const Error& error, std::optional<std::chrono::seconds> wish) {
        report(false, error.code() + ": " + error.what());
        backoff = std::clamp(backoff * 2, options.first, options.most);
        const milliseconds wanted = wish ? milliseconds(*wish) : milliseconds(0);
        return waiting->pause(std::max(backoff, wanted));
    }

    // ── handing over ──

    Incoming incoming_of(const PolledItem& item) const {
        Incoming out;
        out.content_type = item.content_type;
        out.name = item.name;
        if (!item.key.empty()) out.duplicate_key = options.schedule.name + ':' + item.key;
        if (item.body.size() > inbox.spool_above()) {
            SpoolFile file(inbox.spool_folder());
            file.write(item.body);
            out.spooled = file.keep();
        } else {
            out.body = item.body;
        }
        return out;
    }
    // Which of them the inbox has not kept.
    bool put_all(const std::vector<PolledItem>& items, std::vector<std::size_t>& left,
                 const std::optional<Incoming::Checkpoint>& checkpoint) {
        struct Answers {
            std::size_t count = 0;
            std::vector<std::size_t> refused;
        };
        const auto answers = std::make_shared<Answers>();
        for (const std::size_t i : left) {
            Incoming incoming = incoming_of(items[i]);
            if (checkpoint) incoming.checkpoint = *checkpoint;
            inbox.put(std::move(incoming), [to = waiting, answers, i](const Receipt& receipt) {
                const bool kept = receipt.state == PutState::kStored || receipt.state == PutState::kDuplicate;
                to->tell([&] {
                    ++answers->count;
                    if (!kept) answers->refused.push_back(i);
                });
            });
        }
        if (!waiting->until([&] { return answers->count == left.size(); })) return false;
        left = answers->refused;
        std::sort(left.begin(), left.end());
        return true;
    }
    bool put_until_kept(const std::vector<PolledItem>& items, std::vector<std::size_t> left,
                        const std::optional<Incoming::Checkpoint>& checkpoint) {
        while (!left.empty()) {
            try {
                if (!put_all(items, left, checkpoint)) return false;
            } catch (const Error& error) {  // the disk, while spooling; what was put before is known by its key
                report(false, error.code() + ": " + error.what());
                if (!waiting->pause(kInboxAgain)) return false;
                continue;
            }
            if (left.empty()) break;
            report(false, "the inbox could not keep a message; it is tried again");
            if (!waiting->pause(kInboxAgain)) return false;
        }
        return true;
    }
    bool move_to(const std::string& to) {
        if (to == place) return true;
        while (true) {
            const auto written = std::make_shared<std::optional<bool>>();
            inbox.mark({note, to}, [wait = waiting, written](bool good) { wait->tell([&] { *written = good; }); });
            if (!waiting->until([&] { return written->has_value(); })) return false;
            if (**written) break;
            report(false, "the place cannot be noted");
            if (!waiting->pause(kInboxAgain)) return false;
        }
        place = to;
        return true;
    }
    // All but the last first: the place moves when everything before it is durable. A run that is cut off in between reads the
    // page again, and what it hands over twice is known by its key.
    bool hand_over(const PagePlan::Page& page) {
        if (page.items.empty()) return move_to(page.place);
        std::vector<std::size_t> first(page.items.size() - 1);
        for (std::size_t i = 0; i < first.size(); ++i) first[i] = i;
        if (!put_until_kept(page.items, std::move(first), std::nullopt)) return false;
        if (!put_until_kept(page.items, {page.items.size() - 1}, Incoming::Checkpoint{note, page.place})) return false;
        place = page.place;
        return true;
    }

    // ── a run ──

    // False: the door stops.
    bool run(Time planned) {
        place = inbox.checkpoint(note).value_or("");
        std::string at = plan->begin(place, planned, clock.now());
        if (!move_to(at)) return false;  // which run it is stays known when it is cut off
        std::set<std::string> seen;
        int restarts = 0;
        for (std::uint64_t pages = 0;;) {
            if (!wait_for_inbox()) return false;
            PagePlan::Page page;
            HttpAnswer answer;
            std::optional<Error> trouble;
            std::optional<std::chrono::seconds> wish;
            try {
                if (!ask(plan->request(at), answer)) return false;
                const HttpVerdict verdict = judge_answer(answer, options.rule, true);
                if (verdict.kind == HttpVerdict::Kind::kDone) {
                    page = plan->read(at, answer);
                    check(page, seen, ++pages);
                } else {
                    trouble = verdict.error;
                    wish = verdict.wait ? verdict.wait : plan->wait_of(answer);
                    page.lost = verdict.kind == HttpVerdict::Kind::kPoison && answer.status >= 400 && answer.status < 500;
                }
            } catch (const Error& error) {
                if (error.fault() == Fault::kPoison) return give_up(at, error);
                trouble = error;
            }
            if (page.lost) {
                const auto again = plan->anew(at);
                if (!trouble)
                    trouble = Error(Fault::kAway, "POLL-002", "reading page by page", "the place is not known any more");
                // A place that is lost stays lost.
                if (again && ++restarts > kAnewMost) return give_up(at, *trouble);
                if (again) {
                    at = *again;
                    seen.clear();
                    if (!move_to(at)) return false;
                }
            }
            if (trouble) {
                if (!stay_away(*trouble, wish)) return false;
                continue;
            }
            counter("clrbus_poll_pages_total").add();
            counter("clrbus_poll_items_total").add(static_cast<std::int64_t>(page.items.size()));
            if (!hand_over(page)) return false;
            backoff = milliseconds(0);
            if (page.next.empty()) given_up = false;
            if (!given_up) report(true, "ok");
            if (page.next.empty()) return true;
            at = place;
            const milliseconds rest = std::max(options.pause, page.wait);
            if (rest.count() > 0 && !waiting->pause(rest)) return false;
        }
    }
    void check(const PagePlan::Page& page, std::set<std::string>& seen, std::uint64_t pages) const {
        if (page.lost) return;
        if (page.place.size() > kPlaceMost)
            throw Error(Fault::kPoison, "POLL-003", "reading page by page", "the name of the next page is too long to be kept");
        if (page.next.empty()) return;
        if (!seen.insert(crypto::sha256(page.next)).second)
            throw Error(Fault::kPoison, "POLL-004", "reading page by page", "the far side names the same next page twice");
        if (pages >= options.pages)
            throw Error(Fault::kPoison, "POLL-005", "reading page by page", "a run has more pages than are taken")
                .expected("at most " + std::to_string(options.pages));
    }
    // The next run begins where this one did.
    bool give_up(const std::string& at, const Error& error) {
        counter("clrbus_poll_given_up_total").add();
        given_up = true;
        report(false, error.code() + ": " + error.what());
        return move_to(plan->anew(at).value_or(at));
    }
};

PagePoll::PagePoll(Options options, std::unique_ptr<PagePlan> plan, const AdapterContext& context)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(plan), context)) {
    if (context.inbox->reduce() != nullptr)
        context.config.fail("POLL-001", "a route with keep or drop cannot take pages: they would lie here as they came");
}

PagePoll::~PagePoll() {
    stop();
}

void PagePoll::start() {
    Impl* impl = impl_.get();
    impl->runs = std::make_unique<ScheduledRun>(
        impl->options.schedule, impl->inbox, impl->clock,
        [impl](const ScheduledRun::Run& run, const std::function<void(ScheduledRun::Outcome)>& done) {
            const bool ended = impl->run(run.planned);
            done(ended ? ScheduledRun::Outcome::kRan : ScheduledRun::Outcome::kAgain);
        });
}

void PagePoll::stop() {
    impl_->waiting->tell([this] { impl_->waiting->stopping = true; });
    if (impl_->runs) impl_->runs->stop();
}

Source::Health PagePoll::health() const {
    {
        const std::lock_guard lock(impl_->mutex);
        if (!impl_->state.ok) return impl_->state;
    }
    return impl_->runs ? impl_->runs->health() : Health{true, "ok", {}};
}

ScheduledRun::Options read_schedule_options(const Config& config, const ScheduleCodes& codes) {
    Zone zone;
    try {
        zone = Zone::load(config.get("zone", "UTC"));
    } catch (const Error& error) {
        config.fail(codes.zone, "zone", error.why());
    }
    const milliseconds jitter = config.get_duration("jitter", {});
    if (jitter > std::chrono::hours(1)) config.fail(codes.jitter, "jitter", "at most PT1H");
    const std::string catch_up = config.get("catch-up", "one");
    try {
        return {Schedule::parse(config.get("schedule", "P1D"), zone),
                {},
                catch_up == "none" ? CatchUp::kNone : CatchUp::kOne,
                jitter};
    } catch (const Error& error) {
        config.fail(codes.schedule, "schedule", error.why());
    }
}

}  // namespace clrbus
