// unbalance DIR ACCOUNT COUNT: books so many delivered messages of an account that there never were (negative: takes them
// back), in the queues of a bus that does not run. What a bug or a damaged disk would leave behind.
#include <cstdlib>
#include <future>

#include "broker/embedded_queues.hpp"
#include "core/executor.hpp"

int main(int count, char** arguments) {
    if (count != 4) return 2;
    clrbus::ThreadPool pool(1, "unbalance");
    clrbus::EmbeddedOptions options;
    options.directory = arguments[1];
    clrbus::EmbeddedQueues queues(options);
    clrbus::Unit unit;
    unit.ledger.push_back({arguments[2], clrbus::Outcome::kDelivered, std::atoll(arguments[3])});
    std::promise<clrbus::CommitState> done;
    queues.commit(std::move(unit), pool, [&done](clrbus::CommitState state) { done.set_value(state); });
    return done.get_future().get() == clrbus::CommitState::kDone ? 0 : 1;
}
