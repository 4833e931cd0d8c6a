// Takes what the routes put into the queue `records` and applies it: one transaction for what waits, then one Unit that settles
// it and counts it in the account "records". Who puts into `records` counts kTaken in its own Unit, so that always
//   taken = applied + unchanged + superseded + held + dead + what is in the queue.
//
// A disk that is full or away: the group stays in hand and is tried again. Anything unexpected pauses the applier with its
// group in hand; it never drains the queue into dead letters. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "broker/queues.hpp"
#include "core/executor.hpp"
#include "records/store.hpp"

namespace clrbus::records {

inline constexpr const char* kRecordsQueue = "records";
inline constexpr const char* kRecordsDeadQueue = "dead/records";
inline constexpr const char* kRecordsAccount = "records";
inline constexpr const char* kTrailKey = "record";  // in the index of messages: RecordsStore::trails

class Applier {
public:
    struct Options {
        std::size_t most_messages = 500;                        // of one transaction
        std::size_t most_bytes = std::size_t{4} << 20;          // of one transaction
        std::size_t most_waiting_bytes = std::size_t{8} << 20;  // taken from the queue, not applied yet
        std::uint32_t window = 128;                             // credit that is out at any time
        std::size_t most_units = 4;                             // on their way to the journal
        std::chrono::milliseconds retry_first{500};
        std::chrono::milliseconds retry_most{30'000};
        std::chrono::milliseconds stop_wait{30'000};  // for the journal, when stopping
    };
    // Declares both queues. Store, queues and executor outlive me.
    Applier(RecordsStore& store, Queues& queues, Executor& executor);
    Applier(RecordsStore& store, Queues& queues, Executor& executor, const Options& options);
    ~Applier();  // stops
    Applier(const Applier&) = delete;
    Applier& operator=(const Applier&) = delete;

    void start();
    void stop();    // ends the group in hand, waits for its Unit; the rest goes back to the queue
    void resume();  // after a pause, when a person mended what was wrong

    struct State {
        bool running = false;
        bool paused = false;       // something unexpected: needs a person
        bool away = false;         // the disk does not take it: tried again by itself
        std::string code, reason;  // why paused or away
        Time since{};              // paused or away since
        std::size_t waiting = 0;   // taken, not applied yet
        std::size_t units = 0;     // applied, not settled yet
    };
    State state() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with the callbacks of Units on their way
};

}  // namespace clrbus::records
