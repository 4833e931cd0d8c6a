#include "xml/detail/quick_judge.hpp"

#include <libxml/parser.h>
#include <libxml/tree.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "xml/detail/library.hpp"
#include "xml/detail/quick_types.hpp"

namespace clrbus::xml_detail {

namespace {

constexpr const char* kQuickXsd = "http://www.w3.org/2001/XMLSchema";
constexpr unsigned kQuickUnbounded = UINT32_MAX;
constexpr std::size_t kQuickAttributesMost = 64;
constexpr unsigned kQuickDepthMost = 256;

struct QuickComplex;

// "No two children of that name have the same attribute", or "one child of that name is there".
struct QuickRule {
    std::string child, attribute;  // no attribute: one child
};

struct QuickElement {
    std::string name, namespace_uri;
    const QuickSimple* simple = nullptr;  // one of the two
    const QuickComplex* complex = nullptr;
    std::vector<QuickRule> rules;
};

struct QuickParticle {
    const QuickElement* element = nullptr;  // null: any element of any namespace, judged where it is declared
    unsigned least = 1, most = 1;
};

struct QuickAttribute {
    std::string name;
    const QuickSimple* type = nullptr;
    bool required = false;
};

struct QuickComplex {
    enum class Content : std::uint8_t { kEmpty, kSimple, kSequence, kAll };
    Content content = Content::kEmpty;
    const QuickSimple* simple = nullptr;
    std::vector<QuickParticle> particles;
    std::vector<QuickAttribute> attributes;
    std::uint64_t required = 0;  // bits, in the order of attributes
};

const char* quick_name(const xmlNode* node) {
    return reinterpret_cast<const char*>(node->name);
}

const char* quick_namespace(const xmlNode* node) {
    return node->ns != nullptr && node->ns->href != nullptr ? reinterpret_cast<const char*>(node->ns->href) : "";
}

bool quick_blank(const xmlChar* text) {
    for (; *text != 0; ++text) {
        if (*text != ' ' && *text != '\t' && *text != '\n' && *text != '\r') return false;
    }
    return true;
}

// The one text of a node, or of an attribute; null for anything else.
const char* quick_text(const xmlNode* first) {
    if (first == nullptr) return "";
    if (first->next != nullptr || first->type != XML_TEXT_NODE || first->content == nullptr) return nullptr;
    return reinterpret_cast<const char*>(first->content);
}

const xmlNode* quick_element(const xmlNode* node) {
    while (node != nullptr && node->type != XML_ELEMENT_NODE) node = node->next;
    return node;
}

}  // namespace

// Owns all that was read. The addresses of what it holds do not change.
struct QuickJudge::Impl {
    std::deque<QuickSimple> simples;
    std::deque<QuickComplex> complexes;
    std::deque<QuickElement> elements;
    // By name, then namespace; a null element: its declaration is not known here.
    std::unordered_map<std::string, std::map<std::string, const QuickElement*, std::less<>>> globals;

    bool declared(const xmlNode* node, const QuickElement*& found) const {
        const auto name = globals.find(quick_name(node));
        if (name == globals.end()) return false;
        const auto by_namespace = name->second.find(std::string_view(quick_namespace(node)));
        if (by_namespace == name->second.end()) return false;
        found = by_namespace->second;
        return true;
    }
};

namespace {

// Reads one schema file. Throws QuickUnknown at the first thing that it does not know.
class QuickReader {
public:
    QuickReader(QuickJudge::Impl& to, std::string target) : to_(to), target_(std::move(target)) {}

    // The global elements.
    std::vector<const QuickElement*> read(const xmlNode* schema) {
        const bool qualified = attribute(schema, "elementFormDefault") == "qualified" || target_.empty();
        if (!qualified || !attribute(schema, "attributeFormDefault", "unqualified").starts_with("un")) throw QuickUnknown{};
        for (const xmlNode* node = quick_element(schema->children); node != nullptr; node = quick_element(node->next)) {
            const std::string kind = kind_of(node);
            if (kind == "annotation") continue;
            if (kind != "element" && kind != "complexType" && kind != "simpleType" && kind != "attributeGroup")
                throw QuickUnknown{};
            nodes_[kind == "simpleType" ? "complexType" : kind][attribute(node, "name")] = node;
        }
        std::vector<const QuickElement*> out;
        for (const auto& [name, node] : nodes_["element"]) out.push_back(global(name));
        return out;
    }

private:
    static std::string attribute(const xmlNode* node, const char* name, const char* otherwise = "") {
        xmlChar* value = xmlGetNoNsProp(const_cast<xmlNode*>(node), reinterpret_cast<const xmlChar*>(name));
        if (value == nullptr) return otherwise;
        std::string out = reinterpret_cast<const char*>(value);
        xmlFree(value);
        return out;
    }
    static bool has(const xmlNode* node, const char* name) {
        return xmlHasNsProp(const_cast<xmlNode*>(node), reinterpret_cast<const xmlChar*>(name), nullptr) != nullptr;
    }
    static std::string kind_of(const xmlNode* node) {
        if (std::strcmp(quick_namespace(node), kQuickXsd) != 0) throw QuickUnknown{};
        return quick_name(node);
    }
    // Nothing but these attributes.
    static void only(const xmlNode* node, std::initializer_list<std::string_view> names) {
        for (const xmlAttr* a = node->properties; a != nullptr; a = a->next) {
            const std::string_view name = reinterpret_cast<const char*>(a->name);
            if (a->ns != nullptr || std::find(names.begin(), names.end(), name) == names.end()) throw QuickUnknown{};
        }
    }
    // The children, without annotations.
    static std::vector<const xmlNode*> children(const xmlNode* node) {
        std::vector<const xmlNode*> out;
        for (const xmlNode* child = quick_element(node->children); child != nullptr; child = quick_element(child->next)) {
            if (kind_of(child) != "annotation") out.push_back(child);
        }
        return out;
    }
    struct Name {
        bool built_in = false;
        std::string local;
    };
    Name resolve(const xmlNode* at, const std::string& qualified) const {
        const std::size_t colon = qualified.find(':');
        const std::string prefix = colon == std::string::npos ? std::string() : qualified.substr(0, colon);
        const std::string local = colon == std::string::npos ? qualified : qualified.substr(colon + 1);
        const xmlNs* ns = xmlSearchNs(at->doc, const_cast<xmlNode*>(at),
                                      prefix.empty() ? nullptr : reinterpret_cast<const xmlChar*>(prefix.c_str()));
        const std::string uri = ns != nullptr && ns->href != nullptr ? reinterpret_cast<const char*>(ns->href) : "";
        if (uri == kQuickXsd) return {true, local};
        if (uri != target_) throw QuickUnknown{};
        return {false, local};
    }
    static unsigned count(const std::string& text) {
        if (text == "unbounded") return kQuickUnbounded;
        unsigned value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size()) throw QuickUnknown{};
        return value;
    }

    const QuickSimple* keep(QuickSimple type) {
        type.number = to_.simples.size();
        to_.simples.push_back(std::move(type));
        return &to_.simples.back();
    }
    const QuickSimple* simple_named(const xmlNode* at, const std::string& qualified) {
        const Name name = resolve(at, qualified);
        auto& known = simples_[(name.built_in ? "xs:" : "") + name.local];
        if (known != nullptr) return known;
        if (name.built_in) return known = keep(QuickSimple::built_in_type(name.local));
        const auto node = nodes_["complexType"].find(name.local);
        if (node == nodes_["complexType"].end() || kind_of(node->second) != "simpleType") throw QuickUnknown{};
        const QuickSimple* made = simple(node->second);
        simples_[name.local] = made;
        return made;
    }
    const QuickSimple* simple(const xmlNode* node) {
        const std::vector<const xmlNode*> parts = children(node);
        if (parts.size() != 1) throw QuickUnknown{};
        const xmlNode* how = parts.front();
        if (kind_of(how) == "union") {
            only(how, {"memberTypes"});
            if (!children(how).empty()) throw QuickUnknown{};
            QuickSimple out;
            out.kind = QuickSimple::Kind::kUnion;
            const std::string names = attribute(how, "memberTypes");
            for (std::size_t at = 0; at < names.size();) {
                const std::size_t end = std::min(names.find(' ', at), names.size());
                if (end > at) out.members.push_back(simple_named(how, names.substr(at, end - at)));
                at = end + 1;
            }
            if (out.members.empty()) throw QuickUnknown{};
            return keep(std::move(out));
        }
        if (kind_of(how) != "restriction") throw QuickUnknown{};
        only(how, {"base"});
        QuickSimple out = *simple_named(how, attribute(how, "base"));
        if (out.kind == QuickSimple::Kind::kUnion) throw QuickUnknown{};
        facets(how, out);
        return keep(std::move(out));
    }
    static void facets(const xmlNode* restriction, QuickSimple& out) {
        std::vector<std::shared_ptr<const QuickRegexp>> patterns;
        std::vector<std::string> values;
        for (const xmlNode* facet : children(restriction)) {
            only(facet, {"value"});
            const std::string kind = kind_of(facet);
            const std::string value = attribute(facet, "value");
            if (kind == "pattern") {
                patterns.push_back(std::make_shared<const QuickRegexp>(value));
            } else if (kind == "enumeration" && out.compares_text()) {
                values.push_back(value);
            } else if (kind == "minLength" && out.counts_characters()) {
                out.least = std::max<std::size_t>(out.least, count(value));
            } else if (kind == "maxLength" && out.counts_characters()) {
                out.most = std::min<std::size_t>(out.most, count(value));
            } else {
                throw QuickUnknown{};
            }
        }
        if (!patterns.empty()) out.patterns.push_back(std::move(patterns));
        if (values.empty()) return;
        std::sort(values.begin(), values.end());
        out.values.push_back(std::move(values));
    }

    const QuickComplex* complex_named(const std::string& local) {
        if (const auto known = complexes_.find(local); known != complexes_.end()) return known->second;
        const xmlNode* node = nodes_["complexType"].at(local);
        only(node, {"name"});
        to_.complexes.emplace_back();
        QuickComplex& made = to_.complexes.back();
        complexes_[local] = &made;  // first of all: a type may hold itself
        complex(node, made);
        return &made;
    }
    void complex(const xmlNode* node, QuickComplex& out) {
        for (const xmlNode* part : children(node)) {
            const std::string kind = kind_of(part);
            if (kind == "sequence" || kind == "all") {
                only(part, {});
                out.content = kind == "all" ? QuickComplex::Content::kAll : QuickComplex::Content::kSequence;
                for (const xmlNode* item : children(part)) out.particles.push_back(particle(item));
                if (kind == "all") check_all(out);
            } else if (kind == "simpleContent") {
                simple_content(part, out);
            } else {
                add_attribute(part, out);
            }
        }
        if (out.attributes.size() > kQuickAttributesMost) throw QuickUnknown{};
        out.required = 0;
        for (std::size_t i = 0; i < out.attributes.size(); ++i) {
            if (out.attributes[i].required) out.required |= std::uint64_t{1} << i;
        }
    }
    static void check_all(const QuickComplex& type) {
        if (type.particles.size() > kQuickAttributesMost) throw QuickUnknown{};
        for (const QuickParticle& one : type.particles) {
            if (one.element == nullptr || one.most != 1) throw QuickUnknown{};
        }
    }
    void simple_content(const xmlNode* node, QuickComplex& out) {
        const std::vector<const xmlNode*> parts = children(node);
        if (parts.size() != 1 || kind_of(parts.front()) != "extension") throw QuickUnknown{};
        only(parts.front(), {"base"});
        out.content = QuickComplex::Content::kSimple;
        out.simple = simple_named(parts.front(), attribute(parts.front(), "base"));
        for (const xmlNode* part : children(parts.front())) add_attribute(part, out);
    }
    void add_attribute(const xmlNode* node, QuickComplex& out) {
        const std::string kind = kind_of(node);
        if (kind == "attributeGroup") {
            only(node, {"ref"});
            const Name name = resolve(node, attribute(node, "ref"));
            const auto group = nodes_["attributeGroup"].find(name.local);
            if (name.built_in || group == nodes_["attributeGroup"].end()) throw QuickUnknown{};
            only(group->second, {"name"});
            for (const xmlNode* part : children(group->second)) add_attribute(part, out);
            return;
        }
        if (kind != "attribute") throw QuickUnknown{};
        only(node, {"name", "type", "use", "default"});
        const std::string use = attribute(node, "use", "optional");
        if (use != "required" && use != "optional") throw QuickUnknown{};
        out.attributes.push_back({attribute(node, "name"), type_of(node), use == "required"});
    }
    const QuickSimple* type_of(const xmlNode* node) {
        const std::vector<const xmlNode*> inner = children(node);
        if (has(node, "type") && inner.empty()) return simple_named(node, attribute(node, "type"));
        if (has(node, "type") || inner.size() != 1 || kind_of(inner.front()) != "simpleType") throw QuickUnknown{};
        return simple(inner.front());
    }

    QuickParticle particle(const xmlNode* node) {
        QuickParticle out;
        out.least = count(attribute(node, "minOccurs", "1"));
        out.most = count(attribute(node, "maxOccurs", "1"));
        if (kind_of(node) == "any") {
            only(node, {"processContents", "minOccurs", "maxOccurs", "namespace"});
            if (attribute(node, "processContents") != "lax" || attribute(node, "namespace", "##any") != "##any")
                throw QuickUnknown{};
            return out;
        }
        if (kind_of(node) != "element") throw QuickUnknown{};
        if (has(node, "ref")) {
            only(node, {"ref", "minOccurs", "maxOccurs"});
            const Name name = resolve(node, attribute(node, "ref"));
            if (name.built_in || nodes_["element"].count(name.local) == 0) throw QuickUnknown{};
            out.element = global(name.local);
        } else {
            only(node, {"name", "type", "minOccurs", "maxOccurs"});
            to_.elements.emplace_back();
            out.element = &to_.elements.back();
            element(node, to_.elements.back());
        }
        return out;
    }
    const QuickElement* global(const std::string& name) {
        if (const auto known = globals_.find(name); known != globals_.end()) return known->second;
        const xmlNode* node = nodes_["element"].at(name);
        only(node, {"name", "type"});
        to_.elements.emplace_back();
        QuickElement& made = to_.elements.back();
        globals_[name] = &made;
        element(node, made);
        return &made;
    }
    void element(const xmlNode* node, QuickElement& out) {
        out.name = attribute(node, "name");
        out.namespace_uri = target_;
        bool typed = false;
        if (has(node, "type")) {
            typed = true;
            const Name name = resolve(node, attribute(node, "type"));
            const auto named = nodes_["complexType"].find(name.local);
            if (!name.built_in && named != nodes_["complexType"].end() && kind_of(named->second) == "complexType") {
                out.complex = complex_named(name.local);
            } else {
                out.simple = simple_named(node, attribute(node, "type"));
            }
        }
        for (const xmlNode* part : children(node)) {
            const std::string kind = kind_of(part);
            if (kind == "complexType" && !std::exchange(typed, true)) {
                only(part, {});
                to_.complexes.emplace_back();
                QuickComplex& made = to_.complexes.back();
                out.complex = &made;
                complex(part, made);
            } else if (kind == "simpleType" && !std::exchange(typed, true)) {
                out.simple = simple(part);
            } else if (kind == "unique" || kind == "key") {
                out.rules.push_back(rule(part, out, kind == "key"));
            } else {
                throw QuickUnknown{};
            }
        }
        if (!typed) throw QuickUnknown{};
    }
    // Two forms: children of one name by an attribute that each has, and one child that must be there.
    QuickRule rule(const xmlNode* node, const QuickElement& of, bool key) {
        only(node, {"name"});
        const std::vector<const xmlNode*> parts = children(node);
        if (parts.size() != 2 || kind_of(parts[0]) != "selector" || kind_of(parts[1]) != "field") throw QuickUnknown{};
        only(parts[0], {"xpath"});
        only(parts[1], {"xpath"});
        const std::string selector = attribute(parts[0], "xpath");
        const std::string field = attribute(parts[1], "xpath");
        const auto step = [](const std::string& path) {
            return !path.empty() && path.find_first_of("/|.*@ []()") == std::string::npos;
        };
        if (key && selector == "." && step(field) && field.find(':') == std::string::npos && target_.empty()) {
            // Of an element that takes any child, judged by its global declaration.
            const bool open = of.complex != nullptr && nodes_["element"].count(field) != 0 &&
                              std::all_of(of.complex->particles.begin(), of.complex->particles.end(),
                                          [](const QuickParticle& one) { return one.element == nullptr; });
            if (!open || global(field)->simple == nullptr) throw QuickUnknown{};
            return {field, {}};
        }
        if (key || !step(selector) || of.complex == nullptr || field.size() < 2 || field[0] != '@' || !step(field.substr(1)))
            throw QuickUnknown{};
        const Name child = resolve(parts[0], selector);
        if (selector.find(':') == std::string::npos && !target_.empty()) throw QuickUnknown{};  // no default namespace in XPath
        for (const QuickParticle& one : of.complex->particles) {
            if (one.element == nullptr || one.element->name != child.local || one.element->complex == nullptr) continue;
            for (const QuickAttribute& a : one.element->complex->attributes) {
                // Texts are the same when their letters are.
                if (a.name == field.substr(1) && a.required && a.type->compares_text()) return {child.local, a.name};
            }
        }
        throw QuickUnknown{};
    }

    QuickJudge::Impl& to_;
    const std::string target_;
    std::map<std::string, std::map<std::string, const xmlNode*>> nodes_;  // types share their names
    std::map<std::string, const QuickSimple*> simples_;
    std::map<std::string, const QuickComplex*> complexes_;
    std::map<std::string, const QuickElement*> globals_;
};

// One tree. False as soon as something is not known to be valid.
class QuickWalk {
public:
    explicit QuickWalk(const QuickJudge::Impl& all) : all_(all), memory_(all.simples.size()) {}

    bool element(const QuickElement& declared, const xmlNode* node) {
        if (declared.simple != nullptr) {
            const char* text = node->properties == nullptr ? quick_text(node->children) : nullptr;
            return text != nullptr && memory_.holds(*declared.simple, text);
        }
        if (++depth_ > kQuickDepthMost) return false;
        const bool held = attributes(*declared.complex, node) && content(*declared.complex, node) &&
                          std::all_of(declared.rules.begin(), declared.rules.end(),
                                      [&](const QuickRule& rule) { return follows(rule, node); });
        --depth_;
        return held;
    }

private:
    bool attributes(const QuickComplex& type, const xmlNode* node) {
        std::uint64_t found = 0;
        for (const xmlAttr* a = node->properties; a != nullptr; a = a->next) {
            if (a->ns != nullptr) return false;
            const std::string_view name = reinterpret_cast<const char*>(a->name);
            const auto known = std::find_if(type.attributes.begin(), type.attributes.end(),
                                            [&](const QuickAttribute& one) { return one.name == name; });
            const char* text = quick_text(a->children);
            if (known == type.attributes.end() || text == nullptr || !memory_.holds(*known->type, text)) return false;
            found |= std::uint64_t{1} << (known - type.attributes.begin());
        }
        return (found & type.required) == type.required;
    }

    bool content(const QuickComplex& type, const xmlNode* node) {
        switch (type.content) {
            case QuickComplex::Content::kEmpty:
                return node->children == nullptr;
            case QuickComplex::Content::kSimple: {
                const char* text = quick_text(node->children);
                return text != nullptr && memory_.holds(*type.simple, text);
            }
            case QuickComplex::Content::kSequence:
                return sequence(type.particles, node);
            case QuickComplex::Content::kAll:
                return all(type.particles, node);
        }
        return false;
    }

    // The next child element; white space, comments and instructions between are passed. fits: nothing else stands there.
    static const xmlNode* next_child(const xmlNode* node, bool& fits) {
        for (; node != nullptr && node->type != XML_ELEMENT_NODE; node = node->next) {
            const bool passes = node->type == XML_COMMENT_NODE || node->type == XML_PI_NODE ||
                                (node->type == XML_TEXT_NODE && node->content != nullptr && quick_blank(node->content));
            if (!passes) fits = false;
        }
        return node;
    }
    static bool is(const QuickElement& declared, const xmlNode* node) {
        return declared.name == quick_name(node) && declared.namespace_uri == quick_namespace(node);
    }

    // Each child goes to the first place that may take it: when all fit, that is a way in which the content is valid.
    bool sequence(const std::vector<QuickParticle>& particles, const xmlNode* node) {
        bool fits = true;
        std::size_t at = 0;
        unsigned count = 0;
        for (const xmlNode* child = next_child(node->children, fits); child != nullptr; child = next_child(child->next, fits)) {
            for (;; ++at, count = 0) {
                if (at == particles.size()) return false;
                const QuickParticle& place = particles[at];
                if (count < place.most && (place.element == nullptr || is(*place.element, child))) break;
                if (count < place.least) return false;
            }
            ++count;
            if (!fits || !(particles[at].element != nullptr ? element(*particles[at].element, child) : lax(child)))
                return false;
        }
        for (; at < particles.size(); ++at, count = 0) {
            if (count < particles[at].least) return false;
        }
        return fits;
    }

    bool all(const std::vector<QuickParticle>& particles, const xmlNode* node) {
        bool fits = true;
        std::uint64_t found = 0;
        for (const xmlNode* child = next_child(node->children, fits); child != nullptr; child = next_child(child->next, fits)) {
            const auto place = std::find_if(particles.begin(), particles.end(),
                                            [&](const QuickParticle& one) { return is(*one.element, child); });
            if (place == particles.end()) return false;
            const std::uint64_t bit = std::uint64_t{1} << (place - particles.begin());
            if ((found & bit) != 0 || !fits || !element(*place->element, child)) return false;
            found |= bit;
        }
        for (std::size_t i = 0; i < particles.size(); ++i) {
            if (particles[i].least != 0 && (found >> i & 1) == 0) return false;
        }
        return fits;
    }

    // Under xs:any: by its declaration where there is one, else whatever it holds is looked at in the same way.
    bool lax(const xmlNode* node) {
        const QuickElement* declared = nullptr;
        if (all_.declared(node, declared)) return declared != nullptr && element(*declared, node);
        if (++depth_ > kQuickDepthMost) return false;
        for (const xmlAttr* a = node->properties; a != nullptr; a = a->next) {
            if (a->ns != nullptr) return false;  // xsi:type and others
        }
        for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
            if (child->type == XML_ELEMENT_NODE ? !lax(child) : child->type != XML_TEXT_NODE) return false;
        }
        --depth_;
        return true;
    }

    static bool follows(const QuickRule& rule, const xmlNode* node) {
        if (rule.attribute.empty()) {
            unsigned found = 0;
            for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
                if (child->type == XML_ELEMENT_NODE && child->ns == nullptr && rule.child == quick_name(child)) ++found;
            }
            return found == 1;
        }
        std::unordered_set<std::string_view> values;
        for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
            if (child->type != XML_ELEMENT_NODE || rule.child != quick_name(child)) continue;
            for (const xmlAttr* a = child->properties; a != nullptr; a = a->next) {
                if (rule.attribute != reinterpret_cast<const char*>(a->name)) continue;
                const char* text = quick_text(a->children);
                if (text == nullptr || !values.insert(text).second) return false;
            }
        }
        return true;
    }

    const QuickJudge::Impl& all_;
    QuickMemory memory_;
    unsigned depth_ = 0;
};

}  // namespace

QuickJudge::QuickJudge(const std::vector<Source>& sources) : impl_(std::make_unique<Impl>()) {
    for (const Source& source : sources) {
        for (const std::string& name : source.elements) impl_->globals[name][source.namespace_uri] = nullptr;
    }
    for (const Source& source : sources) {
        const std::string bytes = read_file(source.file, "XSD-050");
        const std::unique_ptr<xmlDoc, void (*)(xmlDoc*)> document(
            xmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), source.file.c_str(), nullptr, XML_PARSE_NONET),
            xmlFreeDoc);
        if (!document) continue;
        try {
            for (const QuickElement* element :
                 QuickReader(*impl_, source.namespace_uri).read(xmlDocGetRootElement(document.get())))
                impl_->globals[element->name][source.namespace_uri] = element;
        } catch (const QuickUnknown&) {
            // libxml2 alone judges what this file declares.
        }
    }
}

QuickJudge::~QuickJudge() = default;

bool QuickJudge::holds(xmlDoc* document) const {
    const xmlNode* root = xmlDocGetRootElement(document);
    const QuickElement* declared = nullptr;
    if (root == nullptr || !impl_->declared(root, declared) || declared == nullptr) return false;
    return QuickWalk(*impl_).element(*declared, root);
}

}  // namespace clrbus::xml_detail
