#include "routing/replay.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "core/counters.hpp"
#include "core/ids.hpp"
#include "routing/continuation.hpp"
#include "routing/faults.hpp"
#include "routing/splitter.hpp"
#include "storage/originals.hpp"

namespace clrbus {
namespace {

constexpr std::size_t kDocumentMost = 64U << 10;
constexpr std::size_t kHistoryMost = 20;
constexpr std::size_t kPlannedOutputs = 1000;
constexpr std::string_view kReplaySpooled = "clrbus-spooled";

// True when nothing that comes before the step changes the document: nothing, when the step is not there.
std::optional<bool> only_read_before(const Steps& steps, std::string_view label) {
    for (const auto& step : steps) {
        if (step->name() == label) return true;
        for (const Steps* branch : step->branches()) {
            if (const auto inside = only_read_before(*branch, label)) return inside;
        }
        if (!step->reads_only()) {
            return find_step(steps, label) != nullptr ? std::optional<bool>(false) : std::nullopt;
        }
    }
    return std::nullopt;
}

bool is_allowed(const std::vector<std::string>& only, const std::string& name) {
    return only.empty() || std::find(only.begin(), only.end(), name) != only.end();
}

std::vector<std::string> words_of(std::string_view text) {
    std::istringstream in{std::string(text)};
    std::vector<std::string> out;
    for (std::string word; in >> word;) out.push_back(word);
    return out;
}

// Is one of the outputs the message itself, to go on in its own route?
bool is_itself(const Put& put) {
    return put.queue.rfind("step/", 0) == 0 || put.headers.has(header::kAtStep) || put.headers.has(header::kAttemptFailed) ||
           !put.message.reply_to().empty();  // what waits for the answer needs its request
}

void plan_outside(ReplayPlan& plan, const std::string& step, const std::string& kind, const std::string& target) {
    const auto same = std::find_if(plan.outside.begin(), plan.outside.end(), [&](const ReplayPlan::Outside& one) {
        return one.step == step && one.target == target && one.kind == kind;
    });
    if (same != plan.outside.end()) {
        ++same->times;
    } else {
        plan.outside.push_back({step, kind, target, 1});
    }
}

class PlanWatch : public StepWatch {
public:
    explicit PlanWatch(ReplayPlan& plan) : plan_(plan) {}
    void comes(const Step& step, const Work&) override {
        for (const Step::Effect& effect : step.effects()) plan_outside(plan_, step.name(), effect.kind, effect.target);
    }
    void left(const Step&, const Work&) override {}

private:
    ReplayPlan& plan_;
};

void plan_steps(const CompiledRoute& route, Work& work, std::string_view at, ReplayPlan& plan) {
    PlanWatch watch(plan);
    work.watch = &watch;
    const std::vector<std::string> only = words_of(work.headers.get(header::kOnly));
    try {
        if (at.empty()) {
            apply_steps(route.steps(), work);
        } else {
            work.headers.remove(header::kAtStep);
            work.headers.remove(header::kAtBody);
            apply_steps_from(route.steps(), at, work);
        }
    } catch (const Error& e) {
        ++plan.fails;
        if (!plan.error) plan.error = e;
        return;
    }
    if (!work.filtered.empty()) plan.filtered = work.filtered;
    for (const Put& put : work.outputs) {
        const std::string name = output_name(put.queue);
        const bool suppressed = !is_itself(put) && !is_allowed(only, name);
        if (suppressed) {
            ++plan.suppressed;
        } else if (put.queue.rfind("out/", 0) == 0) {
            ++plan.others;
            plan_outside(plan, "to", "sends to", put.queue);
        } else if (name == "records") {
            ++plan.records;
        } else {
            ++plan.others;
        }
        if (plan.outputs.size() < kPlannedOutputs) plan.outputs.push_back({name, put.message.message_id(), suppressed});
    }
}

Work plan_work(const CompiledRoute& route, const Put& put, const std::string& id, std::string_view body) {
    Work work{.route = route, .id = id, .body = body, .headers = put.headers, .document = {}};
    const std::string number(put.headers.get(header::kSourceNumber));
    work.source_number = number.empty() ? 0 : std::stoull(number);
    return work;
}

void plan_children(const CompiledRoute& route, const Put& put, const Splitter::Read& read, const SplitPosition& from,
                   ReplayPlan& plan) {
    const std::string parent = put.message.message_id();
    make_splitter(*route.split())->run(read, from, [&](SplitRecord record) {
        ++plan.children;
        if (record.broken != nullptr) {
            ++plan.fails;
            if (!plan.error) plan.error = *record.broken;
            return true;
        }
        Work work = plan_work(route, put, name_uuid(kOutputNamespace, parent + "\nsplit\n" + std::to_string(record.number)),
                              record.raw);
        work.document = std::move(record.document);
        work.parsed = true;
        work.validated = record.validated;
        work.number = record.number;
        plan_steps(route, work, {}, plan);
        return true;
    });
}

}  // namespace

std::string output_name(std::string_view queue) {
    if (queue.rfind("in/", 0) == 0) return "route:" + std::string(queue.substr(3));
    std::string out(queue);
    if (const auto slash = out.find('/'); slash != std::string::npos) out[slash] = ':';
    return out;
}

void add_history(Headers& headers, std::string_view what, const std::string& who, Time at) {
    std::istringstream in{std::string(headers.get(header::kHistory))};
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    lines.push_back(to_rfc3339(at) + " " + who + ": " + std::string(what));
    if (lines.size() > kHistoryMost) lines.erase(lines.begin());
    std::string out;
    for (const std::string& line : lines) out += line + "\n";
    headers.set(header::kHistory, out);
}

Put replay_put(const CompiledRoute& route, const BrowsedMessage& dead, const ReplayOptions& options) {
    const std::string step(dead.headers.get(header::kDeadStep));
    const std::string_view at = dead.headers.get(header::kAtStep);
    Put put;
    put.queue = route.inbox();
    put.message = dead.message;
    put.headers = without_dead_facts(dead.headers);
    add_history(put.headers,
                "replayed; died in generation " + std::string(dead.headers.get(header::kGeneration)) + " at " + step + ", " +
                    std::string(dead.headers.get(header::kDeadCode)),
                options.who, options.at);
    put.headers.remove(header::kOnly);
    if (!options.only.empty()) {
        std::string only;
        for (const std::string& name : options.only) only += (only.empty() ? "" : " ") + name;
        put.headers.set(header::kOnly, only);
    }
    if (options.from == ReplayOptions::From::kStart && !at.empty()) {
        throw Error(Fault::kPoison, "DEAD-002", "replaying from the start",
                    "it went on at '" + std::string(at) + "': it is the document in the middle of the route")
            .expected("no --from-start: it goes on where it was");
    }
    if (options.from != ReplayOptions::From::kStep || step == at) return put;
    const auto reads = only_read_before(route.steps(), step);
    if (!reads) {
        throw Error(Fault::kPoison, "DEAD-003", "replaying from the step",
                    "it failed at '" + step + "', which is no step of the present generation")
            .expected("a replay from the start");
    }
    if (const std::string_view document = dead.headers.get(header::kDeadDocument); !document.empty()) {
        put.message = MessageBuilder().message_id(dead.message.message_id()).content_type("application/xml").build(document);
        put.headers.set(header::kAtStep, step);
        put.headers.set(header::kAtBody, "document");
        put.headers.remove(kReplaySpooled);
    } else if (!*reads) {
        throw Error(Fault::kPoison, "DEAD-004", "replaying from the step",
                    "the document as it came to '" + step + "' is not kept: it was larger than 64 KB")
            .expected("a replay from the start");
    }
    return put;  // nothing before the step changes anything: from the start is from the step
}

ReplayPlan plan_replay(const CompiledRoute& route, const Put& put, const storage::Originals& originals,
                       const std::optional<std::string>& split_note) {
    ReplayPlan plan;
    try {
        const std::string_view at = put.headers.get(header::kAtStep);
        const bool spooled = put.headers.has(kReplaySpooled);
        const bool child = put.headers.has(header::kPosition);
        std::string body = spooled ? std::string() : put.message.body_copy();
        if (route.split() && !child && at.empty()) {
            SplitPosition from;
            if (split_note) from = SplitPosition::decode(Headers::decode(*split_note).get("position"));
            std::string head = body.substr(0, 8192);
            if (spooled) {
                head.assign(8192, '\0');
                head.resize(originals.open(put.headers.get(header::kOriginal))->read(head.data(), head.size()));
            }
            if (wants_split(*route.split(), head)) {
                if (spooled) {
                    const auto original = originals.open(put.headers.get(header::kOriginal));
                    plan_children(
                        route, put, [&original](char* to, std::size_t size) { return original->read(to, size); }, from, plan);
                } else {
                    std::string_view left = body;
                    plan_children(
                        route, put,
                        [&left](char* to, std::size_t size) {
                            const std::size_t n = std::min(size, left.size());
                            std::copy_n(left.data(), n, to);
                            left.remove_prefix(n);
                            return n;
                        },
                        from, plan);
                }
                return plan;
            }
        }
        if (spooled) body = originals.read(put.headers.get(header::kOriginal));
        Work work = plan_work(route, put, put.message.message_id(), body);
        if (!at.empty()) {
            const std::string label(at);
            continue_work(work);
            plan_steps(route, work, label, plan);
            return plan;
        }
        if (route.split()) {
            work.document = parse_record(*route.split(), body);
            work.parsed = true;
            work.validated = route.split()->schemas != nullptr;
        }
        plan_steps(route, work, {}, plan);
    } catch (const Error& e) {
        ++plan.fails;
        if (!plan.error) plan.error = e;
    }
    return plan;
}

void suppress_outputs(Work& work) {
    const std::vector<std::string> only = words_of(work.headers.get(header::kOnly));
    if (only.empty()) return;
    std::vector<Put> kept;
    for (Put& put : work.outputs) {
        if (is_itself(put)) {
            kept.push_back(std::move(put));
        } else if (is_allowed(only, output_name(put.queue))) {
            put.headers.remove(header::kOnly);  // of this route alone
            kept.push_back(std::move(put));
        } else {
            ++work.suppressed;
            const std::string account = put.queue.rfind("in/", 0) == 0 ? put.queue.substr(3) : put.queue;
            const auto entry = std::find_if(work.ledger.begin(), work.ledger.end(), [&account](const LedgerEntry& one) {
                return one.account == account && (one.outcome == Outcome::kTaken || one.outcome == Outcome::kAccepted);
            });
            if (entry != work.ledger.end() && --entry->count == 0) work.ledger.erase(entry);
        }
    }
    work.outputs = std::move(kept);
    counter("clrbus_outputs_suppressed_total{route=\"" + work.route.id() + "\"}").add(work.suppressed);
}

Outcome outcome_of(const Work& work, const std::vector<Put>& outputs) {
    if (work.duplicate) return Outcome::kDuplicate;
    if (!outputs.empty()) return Outcome::kDelivered;
    return work.suppressed != 0 ? Outcome::kDiscarded : Outcome::kFiltered;
}

void keep_document(Put& dead, const CompiledRoute& route, const Work& work) {
    if (!work.parsed || !work.document) return;
    if (only_read_before(route.steps(), dead.headers.get(header::kDeadStep)).value_or(true)) return;
    const std::string document = work.document.write();
    if (document.size() <= kDocumentMost) dead.headers.set(header::kDeadDocument, document);
}

}  // namespace clrbus
