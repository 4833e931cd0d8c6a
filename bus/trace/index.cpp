#include "trace/index.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/counters.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "trace/index_impl.hpp"

namespace clrbus::trace {
namespace {

constexpr std::uint32_t kPostingsAtOnce = 4096;

// One visit may be in two files, when it was told again.
class SeenVisits {
public:
    bool is_new(const Visit& visit) {
        return seen_.insert({visit.queue, visit.id, visit.sequence, visit.position, static_cast<int>(visit.state)}).second;
    }

private:
    std::set<std::tuple<std::string, std::string, std::uint64_t, std::uint64_t, int>> seen_;
};

bool in_queues(const MessageQuery& query, std::string_view queue) {
    return query.queues.empty() || std::any_of(query.queues.begin(), query.queues.end(), [queue](const std::string& one) {
               return one.ends_with('/') ? queue.starts_with(one) : queue == one;
           });
}

bool oldest_first(const Visit& a, const Visit& b) {
    return std::tuple(a.accepted, a.ended, a.sequence, a.position) < std::tuple(b.accepted, b.ended, b.sequence, b.position);
}

std::string day_of(std::int64_t ms) {
    return to_rfc3339(Time(std::chrono::milliseconds(ms))).substr(0, 10);
}

}  // namespace

void Index::Impl::drop(std::uint64_t count) {
    const Time now = clock.now();
    if (dropping.from == Time{}) dropping.from = now;
    dropping.to = now;
    dropping.why = "its disk took nothing";
    dropping.visits += count;
    dropped += count;
    counter("clrbus_trace_dropped_total").set(static_cast<std::int64_t>(dropped));
}

Index::Index(IndexOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Index::~Index() {
    stop();
}

void Index::start() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->replaying = false;
    }
    if (impl_->options.read_only || impl_->thread.joinable()) return;
    impl_->thread = std::jthread([this](const std::stop_token& stop) { impl_->run(stop); });
}

void Index::stop() {
    impl_->thread = {};
    impl_->flush(true);
}

void Index::follows(std::uint64_t journal_id) {
    const std::uint64_t known = impl_->known_to(journal_id);
    const std::lock_guard lock(impl_->mutex);
    impl_->journal = journal_id;
    impl_->known_position = known;
}

void Index::arrived(const Arrival& arrival) {
    Visit visit;
    visit.state = VisitState::kWaiting;
    visit.queue = arrival.queue;
    visit.id = arrival.id;
    visit.sequence = arrival.sequence;
    visit.accepted = visit.ended = Time(std::chrono::milliseconds(arrival.accepted));
    visit.bytes = arrival.bytes;
    const std::lock_guard lock(impl_->mutex);
    if (impl_->replaying && arrival.position <= impl_->known_position) return;
    impl_->told_position = std::max(impl_->told_position, arrival.position);
    if (impl_->told.size() < impl_->options.pending_bytes) return append_visit(impl_->told, visit);
    impl_->drop(1);
}

void Index::visited(std::string&& visits, const std::vector<std::uint64_t>& dead, std::uint64_t position) {
    if (!dead.empty()) {
        // The numbers of dead letters are given by the queues: the n-th dead visit is the n-th dead letter.
        std::string numbered;
        auto number = dead.begin();
        std::string_view rest = visits, encoded;
        while (next_visit(rest, encoded)) {
            auto visit = decode_visit(encoded);
            if (!visit) continue;
            if (visit->state == VisitState::kDead && number != dead.end()) visit->dead = *number++;
            append_visit(numbered, *visit);
        }
        visits = std::move(numbered);
    }
    bool wake = false;
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->replaying && position <= impl_->known_position) return;
        impl_->told_position = std::max(impl_->told_position, position);
        if (impl_->told.size() + visits.size() <= impl_->options.pending_bytes) {
            const bool small = impl_->told.size() < impl_->options.batch_bytes;
            impl_->told += visits;
            wake = small && impl_->told.size() >= impl_->options.batch_bytes;
        } else {
            std::uint64_t count = 0;
            for (std::string_view rest = visits, encoded; next_visit(rest, encoded);) ++count;
            impl_->drop(count);
        }
    }
    if (wake) impl_->wake.notify_one();
}

void Index::settle() {
    if (!impl_->flush(true))
        log::warn("trace",
                  "the journal goes on, and the index of messages cannot follow: what is lost now will be missing in it");
}

MessagePage Index::find(const MessageQuery& query) {
    impl_->flush(false);
    MessagePage page;
    SeenVisits seen;
    const auto until = std::chrono::steady_clock::now() + query.limit;
    const auto fits = [&](const Visit& visit) {
        if (query.state && visit.state != *query.state) return false;
        if (!in_queues(query, visit.queue)) return false;
        if ((query.since && visit.ended < *query.since) || (query.until && visit.ended >= *query.until)) return false;
        if (query.key && std::none_of(visit.keys.begin(), visit.keys.end(), [&](const VisitKey& key) {
                return key.hash == *query.key && (query.key_name.empty() || key.name == query.key_name);
            }))
            return false;
        if (query.admit && !query.admit(visit)) return false;
        return (visit.state != VisitState::kWaiting || !ended(visit)) && seen.is_new(visit);
    };
    // False: enough.
    const auto take = [&](const Segment& segment, std::uint32_t row) {
        if (std::chrono::steady_clock::now() > until) {
            page.complete = false;
            return false;
        }
        auto visit = decode_visit(segment.row(row));
        if (!visit || !fits(*visit)) return true;
        if (page.visits.size() == query.most) {
            page.complete = false;
            return false;
        }
        page.visits.push_back(std::move(*visit));
        return true;
    };
    const auto segments = impl_->list();
    for (auto at = segments.rbegin(); at != segments.rend() && page.complete; ++at) {
        const Segment& segment = **at;
        const SegmentDirectory& directory = segment.directory();
        if (query.since && directory.to < query.since->time_since_epoch().count()) continue;
        if (query.until && directory.from >= query.until->time_since_epoch().count()) continue;
        if (query.key) {
            segment.find(tagged(HashOf::kKey, *query.key), [&](std::uint32_t row) { return take(segment, row); });
            continue;
        }
        // The kinds that are asked for, from their ends on, so that the newest row comes first.
        struct Cursor {
            const SegmentKind* kind;
            std::uint32_t left;
            std::vector<SegmentPosting> some{};
        };
        std::vector<Cursor> cursors;
        for (const SegmentKind& kind : directory.kinds) {
            if (query.state && kind.state != *query.state) continue;
            if (!in_queues(query, kind.queue)) continue;
            cursors.push_back({&kind, kind.count});
        }
        const auto seconds = [&directory](Time time) { return (time.time_since_epoch().count() - directory.from) / 1000; };
        for (;;) {
            Cursor* newest = nullptr;
            for (Cursor& one : cursors) {
                if (one.some.empty() && one.left != 0) {
                    const std::uint32_t n = std::min(one.left, kPostingsAtOnce);
                    one.left -= n;
                    one.some = segment.postings(*one.kind, one.left, n);
                }
                if (!one.some.empty() && (newest == nullptr || one.some.back().row > newest->some.back().row)) newest = &one;
            }
            if (newest == nullptr) break;
            const SegmentPosting posting = newest->some.back();
            newest->some.pop_back();
            if (query.since && posting.seconds < seconds(*query.since)) continue;
            if (query.until && posting.seconds > seconds(*query.until)) continue;
            if (!take(segment, posting.row)) break;
        }
    }
    return page;
}

namespace {

// Visits under a hash in all files, the newest first; most: so many that fit.
std::vector<Visit> visits_of(const std::vector<SegmentPointer>& segments, std::uint64_t hash, std::size_t most,
                             const std::function<bool(const Visit&)>& fits) {
    std::vector<Visit> out;
    SeenVisits seen;
    for (auto at = segments.rbegin(); at != segments.rend() && out.size() < most; ++at) {
        (*at)->find(hash, [&](std::uint32_t row) {
            auto visit = decode_visit((*at)->row(row));
            if (visit && fits(*visit) && seen.is_new(*visit)) out.push_back(std::move(*visit));
            return out.size() < most;
        });
    }
    return out;
}

}  // namespace

std::vector<Visit> Index::of_id(std::string_view id, std::size_t most) {
    impl_->flush(false);
    const std::string packed = pack_id(id), text = unpack_id(packed);
    auto out = visits_of(impl_->list(), tagged(HashOf::kId, id_hash(packed)), most,
                         [&text](const Visit& visit) { return visit.id == text; });
    // What waited and is told the end of is one visit.
    std::vector<Visit> whole;
    for (Visit& one : out) {
        const bool told =
            one.state == VisitState::kWaiting && std::any_of(out.begin(), out.end(), [&one](const Visit& other) {
                return other.state != VisitState::kWaiting && other.sequence == one.sequence && other.queue == one.queue;
            });
        if (!told) whole.push_back(one);
    }
    std::sort(whole.begin(), whole.end(), oldest_first);
    return whole;
}

std::vector<Visit> Index::made(std::string_view id, std::size_t most) {
    impl_->flush(false);
    const std::string packed = pack_id(id), text = unpack_id(packed);
    auto out = visits_of(impl_->list(), tagged(HashOf::kMade, id_hash(packed)), most, [&text](const Visit& visit) {
        return std::any_of(visit.outputs.begin(), visit.outputs.end(),
                           [&text](const VisitOutput& one) { return one.id == text; });
    });
    std::sort(out.begin(), out.end(), oldest_first);
    return out;
}

std::vector<Visit> Index::children(std::string_view parent, std::size_t most) {
    impl_->flush(false);
    const std::string packed = pack_id(parent), text = unpack_id(packed);
    auto out = visits_of(impl_->list(), tagged(HashOf::kParent, id_hash(packed)), most,
                         [&text](const Visit& visit) { return visit.child_of_split && visit.parent == text; });
    std::sort(out.begin(), out.end(), [](const Visit& a, const Visit& b) { return a.position < b.position; });
    return out;
}

bool Index::ended(const Visit& waiting) {
    const auto found = visits_of(impl_->list(), tagged(HashOf::kId, id_hash(pack_id(waiting.id))), 1, [&](const Visit& visit) {
        return visit.state != VisitState::kWaiting && visit.queue == waiting.queue && visit.sequence == waiting.sequence;
    });
    return !found.empty();
}

IndexStats Index::stats() {
    impl_->flush(false);
    IndexStats out;
    {
        const std::lock_guard lock(impl_->mutex);
        out.pending_bytes = impl_->told.size();
        out.dropped = impl_->dropped;
    }
    {
        const std::lock_guard lock(impl_->listing);
        out.gaps = impl_->gaps;
        out.trouble = impl_->trouble;
    }
    std::int64_t oldest = 0;
    for (const auto& segment : impl_->list()) {
        const SegmentDirectory& directory = segment->directory();
        ++out.files;
        out.bytes += segment->bytes();
        for (const SegmentKind& kind : directory.kinds) out.visits += kind.count;
        if (oldest == 0 || directory.from < oldest) oldest = directory.from;
        // A file of several days: by how much of each is in it.
        const double whole = static_cast<double>(std::max<std::int64_t>(1, directory.to - directory.from + 1));
        constexpr std::int64_t kDay = 24LL * 3600 * 1000;
        for (std::int64_t at = directory.from; at <= directory.to; at = (at / kDay + 1) * kDay) {
            const std::int64_t end = std::min(directory.to + 1, (at / kDay + 1) * kDay);
            out.days[day_of(at)] +=
                static_cast<std::uint64_t>(static_cast<double>(segment->bytes()) * static_cast<double>(end - at) / whole);
        }
    }
    out.from = Time(std::chrono::milliseconds(oldest));
    return out;
}

void Index::merge() {
    impl_->flush(false);
    while (impl_->merge_once()) {
    }
}

}  // namespace clrbus::trace
