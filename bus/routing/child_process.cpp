#include "routing/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace clrbus {
namespace {

constexpr std::size_t kMostErrors = 4096;
constexpr int kLookMilliseconds = 20;  // how long a stop or an end may go unseen

class ChildFd {
public:
    ChildFd() = default;
    ~ChildFd() { reset(); }
    ChildFd(const ChildFd&) = delete;
    ChildFd& operator=(const ChildFd&) = delete;
    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }
    int get() const { return fd_; }

private:
    int fd_ = -1;
};

struct ChildPipe {
    ChildFd read, write;
    bool open() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return false;
        read.reset(ends[0]);
        write.reset(ends[1]);
        return true;
    }
};

void child_limit(int what, rlim_t value) {
    const rlimit limit{value, value};
    ::syscall(SYS_prlimit64, 0, what, &limit, nullptr);
}

// What the child needs between vfork and exec: prepared before, because nothing may be allocated there.
struct ChildStart {
    const char* program;
    char* const* arguments;
    char* const* environment;
    const char* directory;
    int in, out, err;
    rlim_t memory, seconds;
    const ChildPlan::User* user;
    volatile int failed = 0;  // written by the child into our memory, which it shares until exec
};

// In the child: system calls alone. glibc's setuid and friends would ask all threads of the parent along.
[[noreturn]] void child_main(ChildStart& start) {
    const auto fail = [&start]() {
        start.failed = errno != 0 ? errno : EINVAL;
        ::_exit(127);
    };
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    for (const int one :
         {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
        ::sigaction(one, &plain, nullptr);
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a bus that is killed leaves no program behind
    if (::dup2(start.in, 0) < 0 || ::dup2(start.out, 1) < 0 || ::dup2(start.err, 2) < 0) fail();
    if (::syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
        for (int fd = 3; fd < 65'536; ++fd) ::close(fd);
    }
    if (::chdir(start.directory) != 0) fail();
    child_limit(RLIMIT_CORE, 0);
    child_limit(RLIMIT_CPU, start.seconds);
    child_limit(RLIMIT_NOFILE, 64);
    child_limit(RLIMIT_AS, start.memory);
    if (start.user != nullptr) {
        const gid_t group = start.user->group;
        const uid_t user = start.user->user;
        if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, group, group, group) != 0 ||
            ::syscall(SYS_setresuid, user, user, user) != 0)
            fail();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it was forgotten with the user
    }
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(start.program, start.arguments, start.environment);
    fail();
    ::_exit(127);
}

// Signals wait meanwhile: a handler of ours must not run in the child, which shares our memory.
pid_t child_start(ChildStart& start) {
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t child = ::vfork();
    if (child == 0) child_main(start);
    const int error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
    return child;
}

// Writing to a program that has closed its input raises SIGPIPE in the writing thread: it is held back, and taken off after.
class ChildPipeSignal {
public:
    ChildPipeSignal() {
        sigset_t pending;
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~ChildPipeSignal() {
        const timespec now{};
        if (!was_pending_) ::sigtimedwait(&pipe_, nullptr, &now);
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    ChildPipeSignal(const ChildPipeSignal&) = delete;
    ChildPipeSignal& operator=(const ChildPipeSignal&) = delete;

private:
    sigset_t pipe_, before_;
    bool was_pending_ = false;
};

// Feeds and reads the child until it has ended or must be ended.
class ChildTalk {
public:
    ChildTalk(const ChildPlan& plan, pid_t child, std::string_view input, const std::atomic<bool>* stop)
        : plan_(plan), child_(child), input_(input), stop_(stop), until_(std::chrono::steady_clock::now() + plan.time) {}

    ChildResult run(ChildPipe& in, ChildPipe& out, ChildPipe& err) {
        const ChildPipeSignal held_back;
        for (const int fd : {in.write.get(), out.read.get(), err.read.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
        for (bool ended = false;;) {
            feed(in.write);
            const bool out_open = take(out.read, result_.output, plan_.output_bytes + 1, false);
            const bool err_open = take(err.read, result_.errors, kMostErrors, true);
            if (result_.output.size() > plan_.output_bytes) return killed(ChildResult::End::kOutput);
            // What a program that has ended wrote is read by now; one that left others behind is not waited for.
            if (ended || (!out_open && !err_open && has_ended(true))) break;
            if (stop_ != nullptr && stop_->load()) return killed(ChildResult::End::kStopped);
            if (std::chrono::steady_clock::now() >= until_) return killed(ChildResult::End::kTime);
            if (has_ended(false)) {
                ended = true;
                continue;
            }
            std::array<pollfd, 3> fds{pollfd{in.write.get(), POLLOUT, 0}, pollfd{out_open ? out.read.get() : -1, POLLIN, 0},
                                      pollfd{err_open ? err.read.get() : -1, POLLIN, 0}};
            ::poll(fds.data(), fds.size(), kLookMilliseconds);
        }
        ::kill(-child_, SIGKILL);  // whoever it left behind
        result_.end = WIFSIGNALED(wait_status_) ? ChildResult::End::kSignal : ChildResult::End::kExit;
        result_.status = WIFSIGNALED(wait_status_) ? WTERMSIG(wait_status_) : WEXITSTATUS(wait_status_);
        return std::move(result_);
    }

private:
    void feed(ChildFd& fd) {
        while (fd.get() >= 0 && !input_.empty()) {
            const ssize_t n = ::write(fd.get(), input_.data(), std::min<std::size_t>(input_.size(), 64U << 10U));
            if (n > 0) {
                input_.remove_prefix(static_cast<std::size_t>(n));
            } else if (errno == EAGAIN) {
                return;
            } else if (errno != EINTR) {
                input_ = {};  // it does not want the rest: its own business
            }
        }
        fd.reset();
    }
    // False at the end. over: what is beyond most is read and forgotten.
    bool take(ChildFd& fd, std::string& into, std::size_t most, bool over) const {
        std::array<char, 16'384> piece;
        while (fd.get() >= 0 && (over || into.size() < most)) {
            const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
            if (n > 0) {
                into.append(piece.data(), std::min(static_cast<std::size_t>(n), most - into.size()));
            } else if (n < 0 && errno == EINTR) {
                continue;
            } else if (n < 0 && errno == EAGAIN) {
                return true;
            } else {
                fd.reset();
            }
        }
        return fd.get() >= 0;
    }
    // wait: it has closed its outputs and is about to go; until then look every few milliseconds.
    bool has_ended(bool wait) {
        for (;;) {
            if (reaped_ || ::waitpid(child_, &wait_status_, WNOHANG) == child_) return reaped_ = true;
            if (!wait || std::chrono::steady_clock::now() >= until_ || (stop_ != nullptr && stop_->load())) return false;
            ::poll(nullptr, 0, 1);
        }
    }
    ChildResult killed(ChildResult::End end) {
        ::kill(-child_, SIGKILL);
        ::kill(child_, SIGKILL);  // before it had a group of its own
        if (!reaped_) {
            while (::waitpid(child_, &wait_status_, 0) < 0 && errno == EINTR) {
            }
        }
        result_.end = end;
        result_.output.clear();
        return std::move(result_);
    }

    const ChildPlan& plan_;
    const pid_t child_;
    std::string_view input_;
    const std::atomic<bool>* stop_;
    const std::chrono::steady_clock::time_point until_;
    ChildResult result_;
    int wait_status_ = 0;
    bool reaped_ = false;
};

std::vector<char*> child_strings(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& one : texts)
        out.push_back(const_cast<char*>(one.c_str()));  // execve takes them so, and reads alone
    out.push_back(nullptr);
    return out;
}

}  // namespace

ChildResult run_child(const ChildPlan& plan, const std::vector<std::string>& environment, std::string_view input,
                      const std::atomic<bool>* stop) {
    ChildPipe in, out, err;
    ChildResult failed;
    if (!in.open() || !out.open() || !err.open()) {
        failed.status = errno;
        return failed;
    }
    std::vector<std::string> arguments{plan.program.string()};
    arguments.insert(arguments.end(), plan.arguments.begin(), plan.arguments.end());
    const auto argument_list = child_strings(arguments);
    const auto environment_list = child_strings(environment);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(plan.time).count() + 1;
    ChildStart start{.program = plan.program.c_str(),
                     .arguments = argument_list.data(),
                     .environment = environment_list.data(),
                     .directory = plan.directory.c_str(),
                     .in = in.read.get(),
                     .out = out.write.get(),
                     .err = err.write.get(),
                     .memory = plan.memory_bytes,
                     .seconds = static_cast<rlim_t>(seconds),
                     .user = plan.user ? &*plan.user : nullptr};
    const pid_t child = child_start(start);
    if (child < 0) {
        failed.status = errno;
        return failed;
    }
    in.read.reset();
    out.write.reset();
    err.write.reset();
    if (start.failed != 0) {
        int ignored = 0;
        while (::waitpid(child, &ignored, 0) < 0 && errno == EINTR) {
        }
        failed.status = start.failed;
        return failed;
    }
    return ChildTalk(plan, child, input, stop).run(in, out, err);
}

}  // namespace clrbus
