// clrbus run: the life of the process, from the first signal mask to the exit status.
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <future>
#include <iostream>
#include <thread>

#include "app/bus.hpp"
#include "app/cli.hpp"
#include "app/settings.hpp"
#include "app/worker_bus.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace clrbus::app {
namespace {

constexpr timespec kRunLook{0, 20'000'000};  // between two looks at a stop that is under way

// Returns when everything in hand is through; ends the process at the deadline, or when somebody loses patience.
void run_drained(Bus& bus, const sigset_t& signals, std::chrono::milliseconds deadline) {
    const auto until = std::chrono::steady_clock::now() + deadline;
    std::promise<void> promise;
    std::future<void> done = promise.get_future();
    std::thread stopping([&bus, promise = std::move(promise)]() mutable {
        bus.stop();
        promise.set_value();
    });
    for (;;) {
        if (done.wait_for(std::chrono::seconds(0)) == std::future_status::ready) break;
        const int signal = sigtimedwait(&signals, nullptr, &kRunLook);
        const bool again = signal == SIGTERM || signal == SIGINT;
        if (!again && std::chrono::steady_clock::now() < until) continue;
        log::warn("bus", again ? "told to end again: what is in hand is taken again at the next start"
                               : "the deadline is over: what is in hand is taken again at the next start");
        bus.abandon();
        _exit(1);  // as a kill would, but nothing in hand is suspected; what was accepted is on disk
    }
    stopping.join();
}

// Routes alone, on messages that come over another broker.
int run_worker(const Settings& settings, const std::filesystem::path& state, const sigset_t& signals) {
    WorkerBus worker(settings, state);
    worker.start();
    int signal = SIGHUP;
    while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) worker.reload("SIGHUP");
    log::info("bus", "stopping");
    worker.stop();
    if (!worker.failed()) return 0;
    log::error("bus", "ended because its own journal failed: what was confirmed is with the books");
    return 1;
}

}  // namespace

int run_bus(const std::filesystem::path& config, const std::filesystem::path& overlay, const std::filesystem::path& state,
            const std::string& role) {
    // Blocked before the first thread, so that only the waits here get them.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int one : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, one);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    try {
        const Settings settings = read_settings(config, overlay);
        std::filesystem::create_directories(state);
        std::filesystem::permissions(state, std::filesystem::perms::owner_all);
        const log::Session log({(state / "clrbus.log").string(), true, settings.log_level});
        try {
            if (role == "worker") return run_worker(settings, state, signals);
            Bus bus(settings, state, role == "records");
            bus.start();
            int signal = SIGHUP;
            while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) bus.reload("SIGHUP");
            log::info("bus", "stopping");
            run_drained(bus, signals, settings.drain);
            if (bus.failed()) {
                log::error("bus", "ended because the journal failed: what was accepted is on disk, nothing more was");
                return 1;
            }
        } catch (const Error& e) {
            log::error("bus", e.code() + ": " + e.what());
            return 3;
        }
        return 0;
    } catch (const Error& e) {
        std::cerr << "clrbus: " << e.code() << ": " << e.what() << '\n';
        return 3;
    }
}

}  // namespace clrbus::app
