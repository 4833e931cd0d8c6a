#include "routing/crash_guard.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>

#include "core/error.hpp"

namespace clrbus {
namespace {

constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr std::uint64_t kNobody = ~0ULL;

std::atomic<std::uint64_t*> crash_word{nullptr};  // of the guard that was made last
thread_local std::uint64_t in_hand_here = 0;

extern "C" void clrbus_note_crash(int signal) {
    if (std::uint64_t* word = crash_word.load()) *word = in_hand_here != 0 ? in_hand_here : kNobody;
    std::signal(signal, SIG_DFL);
    raise(signal);
}

// A stack that ran over leaves no room for a handler: each thread that works has another one for it.
class CrashStack {
public:
    CrashStack() {
        stack_t now{};
        if (sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer has its own
        bytes_ = std::make_unique<char[]>(kSize);
        stack_t own{};
        own.ss_sp = bytes_.get();
        own.ss_size = kSize;
        sigaltstack(&own, nullptr);
    }
    ~CrashStack() {
        if (!bytes_) return;
        stack_t none{};
        none.ss_flags = SS_DISABLE;
        sigaltstack(&none, nullptr);
    }
    CrashStack(const CrashStack&) = delete;
    CrashStack& operator=(const CrashStack&) = delete;

private:
    static constexpr std::size_t kSize = 32U << 10;
    std::unique_ptr<char[]> bytes_;
};

// Where nobody else (a sanitizer, a debugger's library) catches them.
void catch_fatal_signals() {
    for (const int signal : kFatal) {
        struct sigaction now {};
        if (sigaction(signal, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
        struct sigaction own {};
        own.sa_handler = clrbus_note_crash;
        own.sa_flags = SA_ONSTACK;
        sigaction(signal, &own, nullptr);
    }
}

}  // namespace

CrashGuard::CrashGuard(const std::filesystem::path& file) {
    file_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0 || ftruncate(file_, kWords * sizeof(std::uint64_t)) != 0) {
        throw Error(Fault::kConfig, "ROUTE-030", "opening the list of messages in hand", Where{.file = file.string()},
                    "cannot be written");
    }
    void* mapped = mmap(nullptr, kWords * sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (mapped == MAP_FAILED) {
        close(file_);
        throw Error(Fault::kConfig, "ROUTE-030", "opening the list of messages in hand", Where{.file = file.string()},
                    "cannot be mapped");
    }
    words_ = static_cast<std::uint64_t*>(mapped);
}

CrashGuard::~CrashGuard() {
    std::uint64_t* mine = words_ + kCrashed;
    crash_word.compare_exchange_strong(mine, nullptr);
    munmap(words_, kWords * sizeof(std::uint64_t));
    close(file_);
}

std::vector<CrashGuard::Suspect> CrashGuard::take_leftovers() {
    std::vector<Suspect> out;
    const std::uint64_t crashed = words_[kCrashed];
    for (int i = 0; i < kSlots; ++i) {
        const std::uint64_t sequence = words_[i];
        // A signal says who it was: nobody else is suspected.
        if (sequence != 0 && (crashed == 0 || crashed == sequence))
            out.push_back({sequence, crashed == sequence || words_[kAlone] == sequence});
    }
    std::fill_n(words_, kWords, 0);
    // Counted once: a power cut must not bring back what an earlier end of the process left here.
    if (!out.empty()) fdatasync(file_);
    crash_word = words_ + kCrashed;
    catch_fatal_signals();
    return out;
}

void CrashGuard::runs_alone(std::uint64_t sequence) {
    std::atomic_ref(words_[kAlone]).store(sequence);
}

void CrashGuard::clear() {
    for (int i = 0; i < kWords; ++i) std::atomic_ref(words_[i]).store(0);
}

CrashGuard::Hold::Hold(CrashGuard& guard, std::uint64_t sequence) : guard_(guard), slot_(-1), outer_(in_hand_here) {
    thread_local const CrashStack stack;
    in_hand_here = sequence;
    for (int i = 0; i < kSlots; ++i) {
        std::uint64_t free = 0;
        if (std::atomic_ref(guard_.words_[i]).compare_exchange_strong(free, sequence)) {
            slot_ = i;
            return;
        }
    }
}

CrashGuard::Hold::~Hold() {
    in_hand_here = outer_;
    if (slot_ >= 0) std::atomic_ref(guard_.words_[slot_]).store(0);
}

}  // namespace clrbus
