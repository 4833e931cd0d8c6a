// claim-check: the body, or the attachments in it, are put away in originals/, and a reference (routing/claim.hpp) takes their
// place; at the other end they are brought back, with their hash checked.
#include <algorithm>

#include "config/config.hpp"
#include "core/error.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"
#include "routing/assets.hpp"
#include "routing/claim.hpp"
#include "routing/hand_over.hpp"
#include "routing/step.hpp"
#include "storage/originals.hpp"

namespace clrbus {
namespace {

constexpr std::int64_t kMostOfElement = 12'000'000;  // its base64 is 16 MB, the longest text of a document
constexpr std::int64_t kMostOfBody = 64 << 20;
constexpr const char* kPlainBytes = "application/octet-stream";

Where claim_place(const Node& node) {
    Where where;
    where.path = node.path();
    where.line = node.line();
    return where;
}

class ClaimIn : public Step {
public:
    struct Options {
        std::shared_ptr<const XPath> select;                 // null: the whole body
        std::string type;                                    // fixed; empty: from select_type, else of the body
        std::shared_ptr<const XPath> select_type = nullptr;  // seen from the element
        std::size_t most = 0;
    };
    explicit ClaimIn(Options options) : options_(std::move(options)) {}

    Flow apply(Work& work) const override {
        if (!options_.select) {
            put_away_body(work);
            return Flow::kNext;
        }
        const auto variables = work.variables();
        for (const Node& node : options_.select->nodes(work.document, variables)) {
            if (!node.is_element() || node.first_child())
                throw Error(Fault::kPoison, "ROUTE-125", "putting an attachment away", claim_place(node),
                            "it is no element with base64 text alone");
            const std::string text = node.text();
            if (text.find_first_not_of(" \t\r\n") == std::string::npos) continue;  // nothing is attached
            const auto bytes = decoded(text);
            if (!bytes)
                throw Error(Fault::kPoison, "ROUTE-125", "putting an attachment away", claim_place(node), "not base64")
                    .expected("RFC 4648, padded; white space is passed over");
            std::string type = options_.type;
            if (options_.select_type) type = options_.select_type->string(work.document, variables, node);
            work.document.set_text(node, put_away(work, *bytes, type, claim_place(node)).text());
        }
        return Flow::kNext;
    }
    bool leaves_document(bool before) const override { return options_.select ? before : true; }

private:
    static std::optional<std::string> decoded(const std::string& text) {
        std::string tight;
        tight.reserve(text.size());
        std::copy_if(text.begin(), text.end(), std::back_inserter(tight),
                     [](char c) { return c != ' ' && c != '\t' && c != '\r' && c != '\n'; });
        return crypto::from_base64(tight);
    }

    // On disk, synced, before it returns. The same bytes are kept once.
    Claim put_away(const Work& work, std::string_view bytes, const std::string& type, const Where& where) const {
        if (bytes.size() > options_.most)
            throw Error(Fault::kPoison, "ROUTE-126", "putting an attachment away", where,
                        "larger than " + std::to_string(options_.most) + " bytes");
        if (work.services != nullptr && work.services->originals != nullptr) work.services->originals->store(bytes);
        return {crypto::sha256_hex(bytes), bytes.size(), is_media_type(type) ? type : kPlainBytes};
    }

    void put_away_body(Work& work) const {
        const LeavingBody body = leaving_body(work);
        const std::string& type = options_.type.empty() ? body.content_type : options_.type;
        const Claim claim = put_away(work, body.bytes, type, Where{});
        work.headers.set(kClaimHeader, claim.text());
        TreeBuilder builder;
        builder.start("claim", "urn:clrbus:claim:1");
        builder.attribute("sha256", claim.sha256);
        builder.attribute("size", std::to_string(claim.size));
        builder.attribute("media-type", claim.media_type);
        builder.end();
        work.document = builder.finish();
        work.parsed = true;
        work.validated = false;
    }

    Options options_;
};

class ClaimOut : public Step {
public:
    ClaimOut(std::shared_ptr<const XPath> select, std::size_t most) : select_(std::move(select)), most_(most) {}

    Flow apply(Work& work) const override {
        if (!select_) {
            auto bytes = std::make_shared<const std::string>(brought_back(work, work.headers.get(kClaimHeader), Where{}));
            work.own_body = bytes;
            work.body = *bytes;
            work.media_type.clear();
            work.document = Document();
            work.parsed = work.validated = false;
            work.headers.remove(kClaimHeader);
            return Flow::kNext;
        }
        for (const Node& node : select_->nodes(work.document, work.variables())) {
            if (!node.is_element() || node.first_child())
                throw Error(Fault::kPoison, "ROUTE-127", "bringing an attachment back", claim_place(node),
                            "it is no element with a claim alone");
            const std::string text = node.text();
            if (!text.empty()) work.document.set_text(node, crypto::base64(brought_back(work, text, claim_place(node))));
        }
        return Flow::kNext;
    }
    bool leaves_document(bool before) const override { return select_ ? before : false; }

private:
    std::string brought_back(const Work& work, std::string_view text, const Where& where) const {
        const auto claim = Claim::parse(text);
        if (!claim)
            throw Error(Fault::kPoison, "ROUTE-127", "bringing an attachment back", where, "there is no claim")
                .expected("claim:sha256:HEX;size=N;type=MEDIA, as claim-check direction=\"in\" writes it");
        if (claim->size > most_)
            throw Error(Fault::kPoison, "ROUTE-126", "bringing an attachment back", where,
                        "larger than " + std::to_string(most_) + " bytes");
        const storage::Originals* originals = work.services != nullptr ? work.services->originals : nullptr;
        const auto size = originals != nullptr ? originals->size(claim->original()) : std::nullopt;
        if (!size)
            throw Error(Fault::kPoison, "ROUTE-128", "bringing an attachment back", where,
                        "what was put away is not here: it was put away on another machine, or removed since");
        if (*size != claim->size)
            throw Error(Fault::kPoison, "ROUTE-127", "bringing an attachment back", where,
                        "what was put away has another size than the claim says");
        return originals->read(claim->original());  // checks the hash
    }

    std::shared_ptr<const XPath> select_;  // null: the whole body
    std::size_t most_;
};

}  // namespace

std::unique_ptr<Step> make_claim_check(const Config& element, RouteAssets& assets, const StepPlace&) {
    const auto select = element.has("select") ? assets.xpath(element, "select") : nullptr;
    const std::int64_t most = element.get_int("max-bytes", select ? kMostOfElement : kMostOfBody);
    if (select && most > kMostOfElement)
        element.fail("ROUTE-020", "max-bytes", "an attachment in a document has at most 12000000 bytes");
    if (element.require("direction") == "out") {
        if (element.has("media-type") || element.has("media-type-select"))
            element.fail("ROUTE-020", "the media type is given on the way in");
        return std::make_unique<ClaimOut>(select, static_cast<std::size_t>(most));
    }
    if (element.has("media-type-select") && (!select || element.has("media-type")))
        element.fail("ROUTE-020", "media-type-select goes with select and without media-type");
    ClaimIn::Options options{select, element.get("media-type")};
    if (!options.type.empty() && !is_media_type(options.type)) element.fail("ROUTE-020", "media-type", "is no type/subtype");
    if (element.has("media-type-select")) options.select_type = assets.xpath(element, "media-type-select");
    options.most = static_cast<std::size_t>(most);
    return std::make_unique<ClaimIn>(std::move(options));
}

}  // namespace clrbus
