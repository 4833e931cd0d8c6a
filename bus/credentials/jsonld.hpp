// JSON-LD of credentials to RDF, in safe mode: what the contexts do not define is an error, never dropped, because a member
// that is not signed could be changed. Only the contexts built in here are known; nothing is loaded. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "credentials/rdf.hpp"

namespace boost::json {
class value;
}

namespace clrbus::credentials {

// Throws Error(kPoison, "JSONLD-001") with the member's path: unknown context, undefined member or type, relative reference, a
// construct of JSON-LD that credentials do not use (inline contexts, @graph, @reverse, @index, @json).
std::vector<RdfQuad> to_rdf(const boost::json::value& document);

bool is_known_context(std::string_view url);

}  // namespace clrbus::credentials
