#include "core/executor.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace clrbus {

struct ThreadPool::State {
    std::mutex mutex;
    std::condition_variable ready;
    std::deque<Job> jobs;
    bool stopping = false;
    std::vector<std::thread> threads;

    void run() {
        std::unique_lock lock(mutex);
        for (;;) {
            ready.wait(lock, [this] { return stopping || !jobs.empty(); });
            if (jobs.empty()) return;
            Job job = std::move(jobs.front());
            jobs.pop_front();
            lock.unlock();
            job();
            job = nullptr;  // what it captured goes before the lock is taken again
            lock.lock();
        }
    }
};

ThreadPool::ThreadPool(std::size_t threads, std::string name) : state_(std::make_unique<State>()) {
    name.resize(std::min<std::size_t>(name.size(), 15));  // the kernel's limit for a thread's name
    for (std::size_t i = 0; i < threads; ++i) {
        state_->threads.emplace_back([state = state_.get()] { state->run(); });
        pthread_setname_np(state_->threads.back().native_handle(), name.c_str());
    }
}

ThreadPool::~ThreadPool() {
    stop();
}

void ThreadPool::post(Job job) {
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->stopping) return;
        state_->jobs.push_back(std::move(job));
    }
    state_->ready.notify_one();
}

void ThreadPool::stop() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    state_->ready.notify_all();
    for (auto& thread : state_->threads) {
        if (thread.joinable()) thread.join();
    }
}

}  // namespace clrbus
