// What assembly takes: one learner's statements in force and the definitions that they point to. The record store's answer
// becomes one by view_of(). Stays on one thread (it holds Documents).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "xml/document.hpp"

namespace clrbus::clr {

struct Source {
    std::string system;     // pesc, canvas, hr
    std::string authority;  // the unit that answers for it
    std::string route;
    std::uint64_t generation = 0;
    Time accepted{};           // at our door
    std::string original;      // sha256:HEX
    std::string corrected_by;  // who mended it by hand; empty: nobody
    Time corrected_at{};
};

struct StatementView {
    std::string id;    // stable for this statement: source and key, not its version
    bool own = false;  // an organization of the institution's own speaks
    Source source;
    Document document;                  // <statement>
    std::vector<std::string> in_force;  // achievement keys; others in the document were replaced or retracted
};

struct DefinitionView {
    std::string key;
    Document document;  // <definition>
};

struct IdentifierView {
    std::string scheme, issuer, value;
};

struct LearnerView {
    std::string id;             // our UUID of the learner
    std::uint64_t version = 0;  // of the record
    Time changed{};             // when the record became this version
    Time created{};             // when the learner's first statement came; Time{}: unknown
    std::string full_name, given, family;
    std::vector<IdentifierView> identifiers;
    std::vector<StatementView> statements;
    std::vector<DefinitionView> definitions;
    bool partial = false;  // the reader may not see everything that the record holds
};

}  // namespace clrbus::clr
