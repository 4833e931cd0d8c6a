#include <filesystem>

#include "broker/embedded_queues.hpp"
#include "broker/queues_contract.hpp"
#include "support/test_directory.hpp"

namespace clrbus::contract {
namespace {

class EmbeddedPlace : public QueuesPlace {
public:
    std::unique_ptr<Queues> open() override {
        EmbeddedOptions options;
        options.directory = directory_.path() + "/queues";
        options.segment_bytes = 8U << 20;
        options.free_bytes = [] { return ~std::uint64_t{0}; };
        return std::make_unique<EmbeddedQueues>(options);
    }

private:
    TestDirectory directory_;
};

std::unique_ptr<QueuesPlace> embedded_place() {
    return std::make_unique<EmbeddedPlace>();
}

INSTANTIATE_TEST_SUITE_P(Embedded, QueuesContract, testing::Values(&embedded_place));

}  // namespace
}  // namespace clrbus::contract
