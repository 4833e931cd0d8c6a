// A route engine on real embedded queues in a directory of the test, with routes written by the test. Tests only.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/embedded_queues.hpp"
#include "broker/test_directory.hpp"
#include "core/executor.hpp"
#include "routing/assets.hpp"
#include "routing/endpoints.hpp"
#include "routing/engine.hpp"
#include "routing/ledger.hpp"
#include "storage/originals.hpp"

namespace clrbus {

class EngineTest : public testing::Test {
protected:
    EngineTest() {
        root_ = folder_.path();
        for (const char* sub : {"xsd", "transforms", "routes", "codes"}) std::filesystem::create_directories(root_ / sub);
        const std::filesystem::path source = CLRBUS_SOURCE_DIR;
        for (const char* file : {"routes.xsd", "learner-record.xsd"})
            std::filesystem::copy_file(source / "xsd" / file, root_ / "xsd" / file);
        write("xsd/note.xsd",
              R"(<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="note"><xs:complexType><xs:sequence>
            <xs:element name="who" type="xs:token"/><xs:element name="n" type="xs:integer"/></xs:sequence></xs:complexType></xs:element></xs:schema>)");
        write(
            "transforms/note.xsl",
            R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1">
            <xsl:param name="system"/>
            <xsl:template match="/note | /row"><statement source="{$system}" key="{who}" covers="all"><learner><identifier scheme="sis-id" issuer="x" value="{who}"/></learner>
            <achievement key="a{n}" type="Award" component="activities"><name>n<xsl:value-of select="n"/></name></achievement></statement></xsl:template></xsl:stylesheet>)");
    }
    ~EngineTest() override { close(); }

    void write(const std::string& file, const std::string& text) {
        std::filesystem::create_directories((root_ / file).parent_path());
        std::ofstream(root_ / file, std::ios::binary) << text;
    }
    // A folder routes/ID with one route of these steps.
    void route(const std::string& id, const std::string& steps, const std::string& attributes = "") {
        write("routes/" + id + "/routes.xml", "<routes xmlns=\"urn:clrbus:routes:1\">\n<route id=\"" + id +
                                                  "\" system=\"test\" " + attributes + ">\n" + steps + "\n</route>\n</routes>");
    }
    LoadedRoutes load() {
        RouteAssetFolders folders{root_ / "xsd", root_ / "transforms", root_ / "codes", {}, "Z"};
        folders.programs = programs_;
        RouteAssets assets(folders);
        return load_routes(root_ / "routes", assets);
    }

    // A step "0 fake" in front of the route's own, from the next open on: it throws what `fails` throws.
    void put_in_front(const std::string& id, std::function<void(const Work&)> fails) { fakes_[id] = std::move(fails); }

    void open_queues() {
        workers_ = std::make_unique<ThreadPool>(threads_, "worker");
        splits_ = std::make_unique<ThreadPool>(1, "split");
        EmbeddedOptions options;
        options.directory = (root_ / "queues").string();
        options.segment_bytes = 4U << 20;
        options.disk_reserve = 1000;
        options.clock = clock_;
        options.free_bytes = [this] { return free_.load(); };
        queues_ = std::make_unique<EmbeddedQueues>(options);
        originals_ = std::make_unique<storage::Originals>((root_ / "originals").string());
        if (make_sink_ || make_responder_)
            endpoints_ =
                std::make_unique<Endpoints>(Endpoints::Parts{*queues_, *workers_, *clock_, make_sink_, make_responder_});
    }
    void open() {
        LoadedRoutes loaded = load();
        for (const Error& e : loaded.errors) ADD_FAILURE() << e.what();
        for (const auto& route : loaded.routes) {
            const auto fake = fakes_.find(route->id());
            if (fake == fakes_.end()) continue;
            auto& steps = const_cast<CompiledRoute&>(*route).steps_;  // NOLINT(cppcoreguidelines-pro-type-const-cast)
            auto step = std::make_unique<FakeStep>(fake->second);
            step->name("0 fake");
            step->next(steps.front().get());
            steps.insert(steps.begin(), std::move(step));
        }
        open_queues();
        engine_ = std::make_unique<RouteEngine>(
            RouteEngine::Parts{*queues_, *originals_, *workers_, *splits_, *clock_, root_, {}, endpoints_.get()},
            loaded.routes);
    }
    void start() {
        if (!engine_) open();
        if (endpoints_) endpoints_->start();
        engine_->start();
    }
    void close() {
        if (engine_) engine_->stop();
        if (endpoints_) endpoints_->stop();
        if (splits_) splits_->stop();
        if (workers_) workers_->stop();
        engine_.reset();
        endpoints_.reset();
        queues_.reset();
        originals_.reset();
        workers_.reset();
        splits_.reset();
    }

    Receipt put(const std::string& id, Incoming incoming) {
        for (const auto& one : engine_->routes()) {
            if (one->id() != id) continue;
            std::promise<Receipt> done;
            const auto inbox = engine_->inbox(*one, Config());
            inbox->put(std::move(incoming), [&done](Receipt receipt) { done.set_value(std::move(receipt)); });
            return done.get_future().get();
        }
        throw std::runtime_error("no route " + id);
    }
    Receipt put(const std::string& id, const std::string& body) {
        Incoming incoming;
        incoming.body = body;
        return put(id, std::move(incoming));
    }

    // Until nothing waits in the route's inbox.
    void settle(const std::string& id) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        for (;;) {
            for (const QueueState& state : queues_->states()) {
                if (state.name == "in/" + id && state.ready + state.in_hand + state.delayed == 0) return;
            }
            ASSERT_LT(std::chrono::steady_clock::now(), until) << "messages still wait in in/" << id;
            std::this_thread::yield();
        }
    }
    void until(const std::string& what, const std::function<bool()>& holds) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!holds()) {
            ASSERT_LT(std::chrono::steady_clock::now(), limit) << what;
            std::this_thread::yield();
        }
    }

    std::vector<BrowsedMessage> in(const std::string& queue) { return queues_->browse(queue, 0, 100'000); }
    LedgerLine line(const std::string& account) {
        for (const LedgerLine& one : ledger_lines(queues_->ledger(), queues_->states())) {
            if (one.account == account) return one;
        }
        return {};
    }

    class FakeStep : public Step {
    public:
        explicit FakeStep(std::function<void(const Work&)> fails) : fails_(std::move(fails)) {}
        Flow apply(Work& work) const override {
            fails_(work);
            return Flow::kNext;
        }

    private:
        std::function<void(const Work&)> fails_;
    };

    std::map<std::string, std::function<void(const Work&)>> fakes_;
    Clock* clock_ = &system_clock();               // set before open
    std::size_t threads_ = 2;                      // of workers
    std::atomic<std::uint64_t> free_{1ULL << 40};  // what the disk is said to have
    std::filesystem::path programs_;               // of routes that run one
    TestDirectory folder_;
    std::filesystem::path root_;
    std::unique_ptr<ThreadPool> workers_, splits_;
    std::unique_ptr<EmbeddedQueues> queues_;
    std::unique_ptr<storage::Originals> originals_;
    // Set before open: what the elements of adapters become.
    std::function<std::unique_ptr<Sink>(const Config&)> make_sink_;
    std::function<std::unique_ptr<Responder>(const Config&)> make_responder_;
    std::unique_ptr<Endpoints> endpoints_;
    std::unique_ptr<RouteEngine> engine_;
};

}  // namespace clrbus
