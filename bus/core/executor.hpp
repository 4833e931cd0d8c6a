// Where callbacks run. An Executor outlives all who post to it; a job must not throw and must not block for long.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace clrbus {

using Job = std::function<void()>;

class Executor {
public:
    virtual ~Executor() = default;
    virtual void post(Job job) = 0;  // any thread; returns at once
};

// A fixed number of threads on one queue. The destructor runs what was posted, then joins.
class ThreadPool : public Executor {
public:
    ThreadPool(std::size_t threads, std::string name);
    ~ThreadPool() override;
    void post(Job job) override;
    void stop();  // runs what was posted, joins; later posts are dropped

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace clrbus
