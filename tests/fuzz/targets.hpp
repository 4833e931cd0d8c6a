// One entry for each parser of outside bytes. What it may throw is caught inside; anything else is a finding, and so is an
// answer that depends on how the bytes were cut into chunks, or a document that does not survive writing and reading again.
#pragma once

#include <span>
#include <string_view>

namespace clrbus::fuzz {

struct Target {
    std::string_view name;  // of the corpus folder, too
    void (*run)(std::string_view bytes);
};

void x12(std::string_view bytes);
void x12_tables(std::string_view bytes);
void fixed(std::string_view bytes);
void csv(std::string_view bytes);
void json(std::string_view bytes);
void xml(std::string_view bytes);
void xml_reducer(std::string_view bytes);
void http_head(std::string_view bytes);
void amqp_frames(std::string_view bytes);
void jws(std::string_view bytes);

std::span<const Target> targets();

}  // namespace clrbus::fuzz
