#include "contract/step_world.hpp"

#include <fstream>
#include <future>
#include <stdexcept>
#include <utility>

namespace clrbus::contract {
namespace {

constexpr const char* kNoteSchema =
    R"(<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="note"><xs:complexType><xs:sequence>
<xs:element name="who" type="xs:token"/><xs:element name="n" type="xs:integer"/></xs:sequence></xs:complexType></xs:element></xs:schema>)";
constexpr const char* kNoteTransform =
    R"xsl(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1">
<xsl:param name="system"/>
<xsl:template match="/note"><xsl:if test="not(number(n) = number(n))"><xsl:message terminate="yes">NOTE-1|error|/note/n|no number</xsl:message></xsl:if>
<statement source="{$system}" key="{who}" covers="all"><learner><identifier scheme="sis-id" issuer="x" value="{who}"/></learner>
<achievement key="a{n}" type="Award" component="activities"><name>n<xsl:value-of select="n"/></name></achievement></statement></xsl:template></xsl:stylesheet>)xsl";

constexpr const char* kMerge =
    R"(<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/enrich">
<merged state="{answer/@state}" n="{message/note/n}"/></xsl:template></xsl:stylesheet>)";
constexpr const char* kAwayFile = "far-side-away";

class ContractSink : public Sink {
public:
    void send(Outgoing, std::function<void(SendResult)> done) override { done({}); }
};

class ContractResponder : public Responder {
public:
    explicit ContractResponder(const std::filesystem::path& root) : away_(root / kAwayFile), shy_(root / kShyFile) {}
    void ask(Question question, std::function<void(Reply)> done) override {
        Reply reply;
        reply.body = "<answer/>";
        const bool poison = question.values["id"] == "poison";
        const bool shy = question.values["id"].rfind("shy", 0) == 0 && !was_shy_.exchange(true);
        if (shy) std::ofstream{shy_};
        if (std::filesystem::exists(away_) || poison || shy) {
            reply.result = {poison ? SendResult::Kind::kPoison : SendResult::Kind::kAway,
                            Error(poison ? Fault::kPoison : Fault::kAway, "FAR-001", "asking", "no"), std::nullopt};
        }
        done(std::move(reply));
    }

private:
    const std::filesystem::path away_, shy_;
    std::atomic<bool> was_shy_{false};
};

std::string routes_file(const std::string& id, const std::string& steps) {
    return "<routes xmlns=\"urn:clrbus:routes:1\">\n<route id=\"" + id + "\" system=\"contract\">\n" + steps +
           "\n<on-fault><attempts most=\"3\" first=\"PT1S\" factor=\"1\"/></on-fault></route>\n</routes>\n";
}

}  // namespace

StepWorld::StepWorld(std::filesystem::path root) : root_(std::move(root)) {}

StepWorld::~StepWorld() {
    close();
}

void StepWorld::write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file, std::ios::binary) << text;
}

void StepWorld::make(const std::string& steps) const {
    const auto source = std::filesystem::path(CLRBUS_SOURCE_DIR) / "xsd";
    for (const char* file : {"routes.xsd", "learner-record.xsd"}) {
        std::filesystem::create_directories(root_ / "xsd");
        std::filesystem::copy_file(source / file, root_ / "xsd" / file, std::filesystem::copy_options::overwrite_existing);
    }
    write("xsd/note.xsd", kNoteSchema);
    write("transforms/note.xsl", kNoteTransform);
    write("transforms/merge.xsl", kMerge);
    // Refuses what holds "many", is away while there is a file "away", and hands on the rest.
    write("programs/pass",
          "#!/bin/sh\nbody=$(cat)\n[ -e away ] && exit 75\ncase $body in *many*) echo MANY >&2; exit 65;; esac\nprintf %s "
          "\"$body\"\n");
    for (const char* path : {"programs", "programs/pass"})
        std::filesystem::permissions(root_ / path, static_cast<std::filesystem::perms>(0755));
    write("codes/terms.csv", "code,name\n1,Fall\n");
    write("routes/r/routes.xml", routes_file("r", steps));
    for (const char* id : {"a", "b"})
        write("routes/" + std::string(id) + "/routes.xml", routes_file(id, "<to><records/></to>"));
}

void StepWorld::open() {
    RouteAssetFolders folders;
    folders.schemas = root_ / "xsd";
    folders.transforms = root_ / "transforms";
    folders.codes = root_ / "codes";
    folders.programs = root_ / "programs";
    assets_ = std::make_unique<RouteAssets>(folders);
    LoadedRoutes loaded = load_routes(root_ / "routes", *assets_);
    if (!loaded.errors.empty()) throw Error(loaded.errors.front());
    std::erase_if(loaded.routes, [](const auto& route) { return route->id() == "a" || route->id() == "b"; });
    workers_ = std::make_unique<ThreadPool>(2, "worker");
    splits_ = std::make_unique<ThreadPool>(1, "split");
    EmbeddedOptions options;
    options.directory = (root_ / "queues").string();
    options.segment_bytes = 4U << 20;
    options.disk_reserve = 1000;
    options.free_bytes = [this] { return free_.load(); };
    queues_ = std::make_unique<EmbeddedQueues>(options);
    originals_ = std::make_unique<storage::Originals>((root_ / "originals").string());
    const auto sink = [](const Config&) -> std::unique_ptr<Sink> { return std::make_unique<ContractSink>(); };
    const auto responder = [this](const Config&) -> std::unique_ptr<Responder> {
        return std::make_unique<ContractResponder>(root_);
    };
    endpoints_ = std::make_unique<Endpoints>(Endpoints::Parts{*queues_, *workers_, system_clock(), sink, responder});
    engine_ = std::make_unique<RouteEngine>(
        RouteEngine::Parts{*queues_, *originals_, *workers_, *splits_, system_clock(), root_, {}, endpoints_.get()},
        loaded.routes);
}

void StepWorld::far_side_away(bool away) const {
    if (away) {
        write(kAwayFile, "");
    } else {
        std::filesystem::remove(root_ / kAwayFile);
    }
}

void StepWorld::close() {
    if (engine_) engine_->stop();
    if (splits_) splits_->stop();
    if (workers_) workers_->stop();
    engine_.reset();
    endpoints_.reset();
    queues_.reset();
    originals_.reset();
    workers_.reset();
    splits_.reset();
    assets_.reset();
}

void StepWorld::put(const std::vector<Sent>& messages, const Headers& headers) {
    const std::unique_ptr<Inbox> inbox = engine_->inbox(*engine_->routes().at(0), Config());
    std::vector<std::promise<PutState>> stored(messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        Incoming incoming;
        incoming.body = messages[i].body;
        incoming.message_id = messages[i].id;
        incoming.headers = headers;
        inbox->put(std::move(incoming), [&stored, i](const Receipt& receipt) { stored[i].set_value(receipt.state); });
    }
    for (auto& one : stored) {
        if (one.get_future().get() != PutState::kStored) throw std::runtime_error("the inbox refused a message");
    }
}

QueueState StepWorld::state_of(const std::string& queue) const {
    for (const QueueState& state : queues_->states()) {
        if (state.name == queue) return state;
    }
    return {};
}

bool StepWorld::nothing_waits() const {
    return line("r").waiting == 0;
}

LedgerLine StepWorld::line(const std::string& account) const {
    for (const LedgerLine& one : ledger_lines(queues_->ledger(), queues_->states())) {
        if (one.account == account) return one;
    }
    return {};
}

void StepWorld::disk_full(bool full) {
    free_ = full ? 0 : 1ULL << 40;
    queues_->check_disk();
}

}  // namespace clrbus::contract
