#include "clr/page.hpp"

#include "xml/transformer.hpp"

namespace clrbus::clr {

struct Page::Impl {
    std::shared_ptr<const Transformer> stylesheet;  // shared with nobody, read-only
};

Page::Page(const std::filesystem::path& transforms) : impl_(std::make_unique<Impl>()) {
    impl_->stylesheet = Transformer::compile(transforms / "clr-page.xsl", transforms);
}

Page::~Page() = default;

std::string Page::html(const RecordModel& record, const Institution& institution) const {
    return impl_->stylesheet->transform_to_text(page_view(record, institution), {});
}

}  // namespace clrbus::clr
