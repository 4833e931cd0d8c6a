#include "app/clr_mount.hpp"

#include <utility>

#include "clr/record_source.hpp"
#include "clr/service.hpp"
#include "core/error.hpp"
#include "credentials/status_list.hpp"
#include "http/server.hpp"
#include "http/tokens.hpp"

namespace clrbus::app {
namespace {

constexpr std::string_view kLearnerRight = "learner:";

// staff reads every record, learner:ID one; who may neither gets nothing.
records::Reader reader_of(const HttpTokens::Caller& caller) {
    records::Reader reader;
    reader.name = caller.name;
    for (const std::string& right : caller.may) {
        if (right == "staff") {
            reader.kind = records::Reader::Kind::kStaff;
            return reader;
        }
        if (right.rfind(kLearnerRight, 0) == 0) {
            reader.kind = records::Reader::Kind::kLearner;
            reader.learner = right.substr(kLearnerRight.size());
        }
    }
    return reader;
}

}  // namespace

struct ClrMount::Impl {
    clr::StoreSource source;
    credentials::StatusLists status;
    clr::ClrService service;
    HttpTokens& tokens;

    Impl(const Settings& settings, const clr::Institution& institution, const std::filesystem::path& dir,
         records::RecordsStore& store, const credentials::KeyStore& keys, HttpTokens& t, const Clock& clock)
        : source(store),
          status(credentials::StatusLists::open(dir / "status-lists", clock)),
          service({institution, &source, &keys, &status, &clock, settings.transforms}),
          tokens(t) {}

    void answer(const std::shared_ptr<HttpExchange>& exchange) {
        const HttpRequest& request = exchange->request();
        records::Reader reader;
        if (!clr::ClrService::is_public(request.path)) {
            // Any known token may ask; what it gets is the reader's business.
            auto check = tokens.check(request, "known");
            if (check.refuse) return exchange->respond(std::move(*check.refuse));
            reader = reader_of(*check.caller);
        }
        exchange->respond(service.handle(request, reader));
    }
};

ClrMount::ClrMount(const Settings& settings, const clr::Institution& institution, const std::filesystem::path& state_dir,
                   records::RecordsStore& store, const credentials::KeyStore& keys, HttpTokens& tokens, const Clock& clock)
    : impl_(std::make_unique<Impl>(settings, institution, state_dir, store, keys, tokens, clock)) {}

ClrMount::~ClrMount() = default;

void ClrMount::mount(HttpServer& server) {
    for (const char* prefix : {"/ims/clr/v2p0", "/.well-known", "/learners"}) {
        server.mount(
            {prefix, {"GET"}, [impl = impl_.get()](const std::shared_ptr<HttpExchange>& exchange) { impl->answer(exchange); }});
    }
}

Management::Parts::Signed ClrMount::sign(const std::string& who, const std::string& learner, const std::string& alg) {
    const auto algorithm = crypto::algorithm_from(alg);
    if (!algorithm) throw Error(Fault::kPoison, "MGMT-012", "signing", "no such algorithm").expected("ES256 or RS256");
    const records::Reader reader{records::Reader::Kind::kStaff, who, ""};
    auto written = impl_->service.write(reader, learner, "command line", *algorithm);
    switch (written.release) {
        case records::Release::kReleased:
            break;
        case records::Release::kUnknown:
            throw Error(Fault::kPoison, "MGMT-008", "reading a record", "there is no such learner");
        case records::Release::kDenied:
            throw Error(Fault::kPoison, "MGMT-009", "reading a record", "this reader may not");
        case records::Release::kBlocked:
            throw Error(Fault::kPoison, "MGMT-010", "reading a record", "the person asked for no release");
    }
    if (written.token.empty()) throw Error(Fault::kPoison, "MGMT-013", "signing", "the record holds no achievement yet");
    return {std::move(written.token), std::move(written.json)};
}

}  // namespace clrbus::app
