// RDF quads and their canonical form (W3C RDF Dataset Canonicalization, RDFC-1.0, with SHA-256). Pure; any thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::credentials {

struct RdfTerm {
    enum class Kind : std::uint8_t { kNone, kIri, kBlank, kLiteral };
    Kind kind = Kind::kNone;
    std::string value;     // IRI, label without "_:", or lexical form
    std::string datatype;  // of a literal; xsd:string stands for none
    std::string language;

    friend auto operator<=>(const RdfTerm&, const RdfTerm&) = default;
    friend bool operator==(const RdfTerm&, const RdfTerm&) = default;
};

struct RdfQuad {
    RdfTerm subject, predicate, object;
    RdfTerm graph;  // kNone: the default graph

    friend auto operator<=>(const RdfQuad&, const RdfQuad&) = default;
    friend bool operator==(const RdfQuad&, const RdfQuad&) = default;
};

inline constexpr std::string_view kXsdString = "http://www.w3.org/2001/XMLSchema#string";

std::string to_nquad(const RdfQuad& quad);  // one line with its newline

// Canonical N-Quads. Throws Error(kPoison, "RDF-001") when the graph is made so that its symmetry costs too much (work is the
// number of steps allowed: a record takes a few for each blank node).
std::string canonical_nquads(const std::vector<RdfQuad>& quads, std::size_t work = 200'000);

}  // namespace clrbus::credentials
