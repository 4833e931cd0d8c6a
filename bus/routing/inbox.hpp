// The inbox of one route, as its doors see it (adapter/adapter.hpp): makes the message, moves a large body to originals/, and
// puts it. Any thread.
#pragma once

#include <memory>

#include "adapter/adapter.hpp"
#include "routing/receipts.hpp"
#include "routing/route.hpp"

namespace clrbus {

namespace storage {
class Originals;
}

class RouteInbox : public Inbox {
public:
    struct Parts {
        Queues& queues;
        storage::Originals& originals;
        Receipts& receipts;
        Executor& executor;
        Clock& clock;
        std::filesystem::path spool_folder;
    };
    // door: the <from> element; the empty Config for doors that are no adapter's. It keeps what it needs of the route, so that
    // it may outlive that generation of it. Answers that are on their way may outlive the inbox, not the parts.
    RouteInbox(const CompiledRoute& route, const Config& door, Parts parts);

    const std::string& route() const override { return route_; }
    bool open() const override;
    void put(Incoming incoming, std::function<void(Receipt)> done) override;
    std::uint64_t spool_above() const override { return kSpoolAbove; }
    std::filesystem::path spool_folder() const override { return parts_.spool_folder; }
    std::uint64_t max_bytes() const override { return max_bytes_; }
    std::optional<std::string> checkpoint(std::string_view name) const override;
    void mark(Incoming::Checkpoint checkpoint, std::function<void(bool)> done) override;
    const Reduce* reduce() const override { return reduce_ ? &reduce_ : nullptr; }
    std::optional<State> state_of(const std::string& id) const override;

    static constexpr std::uint64_t kSpoolAbove = 256U << 10;

private:
    Note note_of(Incoming::Checkpoint checkpoint) const;
    void put_with(Put put, Note note, std::function<void(PutResult)> done);

    const std::string route_, queue_;
    const std::uint64_t max_bytes_;
    Parts parts_;
    Reduce reduce_;
};

// The streaming reduction that a <from> asks for with <keep> and <drop>; empty when it asks for none.
Inbox::Reduce make_reduction(const Config& door, const CompiledRoute& route);

}  // namespace clrbus
