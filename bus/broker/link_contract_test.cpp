// The contract of queues over a real RabbitMQ. Skipped where it is not installed.
#include <atomic>
#include <filesystem>

#include "broker/link_queues.hpp"
#include "broker/queues_fixture.hpp"
#include "support/rabbitmq_process.hpp"
#include "support/test_directory.hpp"

namespace clrbus::contract {
namespace {

// One broker for all tests; each place has names of its own there.
RabbitMqProcess& link_broker() {
    static RabbitMqProcess broker;
    return broker;
}

struct LocalHolder {
    explicit LocalHolder(const std::string& directory) {
        EmbeddedOptions options;
        options.directory = directory;
        options.segment_bytes = 8U << 20;
        options.free_bytes = [] { return ~std::uint64_t{0}; };
        local = std::make_unique<EmbeddedQueues>(options);
    }
    std::unique_ptr<EmbeddedQueues> local;
};
class OwnedLinkQueues : private LocalHolder, public LinkQueues {
public:
    OwnedLinkQueues(const std::string& directory, const LinkOptions& options)
        : LocalHolder(directory), LinkQueues(*local, options) {
        start();
    }
};

class LinkPlace : public QueuesPlace {
public:
    std::unique_ptr<Queues> open() override {
        LinkOptions options;
        options.client.host = "127.0.0.1";
        options.client.port = link_broker().port();
        options.client.user = "guest";
        options.client.password = "guest";
        options.prefix = "contract" + std::to_string(number_) + ".";
        options.window = 0;
        return std::make_unique<OwnedLinkQueues>(directory_.path() + "/queues", options);
    }

private:
    static int next() {
        static std::atomic<int> number{0};
        return ++number;
    }
    const int number_ = next();
    TestDirectory directory_;
};

std::unique_ptr<QueuesPlace> link_place() {
    return std::make_unique<LinkPlace>();
}

// Told without starting it: this is asked for by every run of the binary.
bool link_broker_installed() {
    return std::filesystem::exists("/usr/lib/rabbitmq/lib");
}
std::vector<MakePlace> link_places() {
    if (!link_broker_installed()) return {};
    return {&link_place};
}

INSTANTIATE_TEST_SUITE_P(Links, QueuesContract, testing::ValuesIn(link_places()));

// Where the suite above is empty, this says why.
TEST(LinksContract, RunsAgainstRabbitMq) {
    if (!link_broker_installed()) GTEST_SKIP() << "RabbitMQ is not installed (apt-get install rabbitmq-server)";
}

}  // namespace
}  // namespace clrbus::contract
