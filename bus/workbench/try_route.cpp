#include "workbench/try_route.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include "routing/dry_run.hpp"

namespace clrbus::workbench {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kUnreadFields = 400;  // of one record

std::string indented(const Document& document) {
    return document ? document.write({.declaration = false, .indent = true}) : std::string();
}

class StepRecorder : public StepWatch {
public:
    explicit StepRecorder(TriedRecord& record) : record_(record) {}

    void comes(const Step& step, const Work& work) override {
        open_.push_back({step.name(), indented(work.document), work.headers.entries(), Steady::now()});
    }
    void left(const Step& step, const Work& work) override {
        const auto now = Steady::now();
        const Open before = std::move(open_.back());
        open_.pop_back();
        TriedStep tried;
        tried.name = step.name();
        tried.took = now - before.since;
        const std::string after = indented(work.document);
        if (!first && work.document) {
            first = Document::copy(work.document.root());
            record_.input = after;
        }
        if (after != before.document) {
            tried.changed = true;
            tried.document = after;
            tried.difference = line_difference(before.document, after);
        }
        for (const auto& [name, value] : work.headers.entries()) {
            const auto was = std::find_if(before.headers.begin(), before.headers.end(),
                                          [&, wanted = name](const auto& h) { return h.first == wanted; });
            if (was == before.headers.end() || was->second != value) tried.set.push_back(name + "=" + value);
        }
        record_.steps.push_back(std::move(tried));
    }

    Document first;  // as it was parsed

private:
    struct Open {
        std::string name, document;
        std::vector<std::pair<std::string, std::string>> headers;
        Steady::time_point since;
    };
    TriedRecord& record_;
    std::vector<Open> open_;
};

// What comes out, in one text: to compare.
std::string told(const CompiledRoute& route, Work& work) {
    std::string out;
    try {
        apply_steps(route.steps(), work);
        out = "filtered " + work.filtered + "\n";
        for (const Put& put : work.outputs) {
            out += put.queue + "\n" + std::string(put.message.body()) + "\n";
            for (const auto& [name, value] : put.headers.entries()) out += name + "=" + value + "\n";
        }
    } catch (const Error& e) {
        out = "dead " + e.code() + " " + e.where().path;
    }
    return out;
}

// Each text of the document has a number; found: the numbers of each path, order: the paths as they come.
void list_places(Node node, const std::string& path, std::map<std::string, std::vector<std::size_t>>& found,
                 std::vector<std::string>& order, std::size_t& number) {
    const auto add = [&](const std::string& where) {
        auto& list = found[where];
        if (list.empty()) order.push_back(where);
        list.push_back(number++);
    };
    for (const auto& a : node.attributes()) {
        if (a.namespace_uri.empty()) add(path + "/@" + a.name);
    }
    if (!node.first_child()) {
        if (!node.text().empty()) add(path);
        return;
    }
    for (Node child = node.first_child(); child; child = child.next())
        list_places(child, path + "/" + std::string(child.name()), found, order, number);
}

// Another text that would be as good: digits stay digits, letters letters.
std::string another(const std::string& text) {
    std::string out = text;
    for (char& c : out) {
        if (c >= '1' && c <= '8')
            c = static_cast<char>(c + 1);
        else if ((c >= 'a' && c < 'z') || (c >= 'A' && c < 'Z'))
            c = static_cast<char>(c + 1);
    }
    return out == text ? text + "1" : out;
}

void copy_changed(TreeBuilder& builder, Node node, const std::vector<std::size_t>& change, std::size_t& number) {
    const auto text_of = [&](const std::string& text) {
        return std::binary_search(change.begin(), change.end(), number++) ? another(text) : text;
    };
    if (node.namespace_uri().empty()) {
        builder.start(node.name());
    } else {
        builder.start(node.name(), node.namespace_uri());
    }
    for (const auto& a : node.attributes()) {
        if (a.namespace_uri.empty()) builder.attribute(a.name, text_of(a.value));
    }
    if (!node.first_child() && !node.text().empty()) builder.text(text_of(node.text()));
    for (Node child = node.first_child(); child; child = child.next()) copy_changed(builder, child, change, number);
    builder.end();
}

// A field that is changed, and nothing else happens: nobody reads it. A field that is only checked is read.
std::vector<std::string> unread_fields(const CompiledRoute& route, const Work& work, const Document& input) {
    std::map<std::string, std::vector<std::size_t>> places;
    std::vector<std::string> order, out;
    std::size_t numbers = 0;
    list_places(input.root(), "/" + std::string(input.root().name()), places, order, numbers);
    const auto run = [&](const std::vector<std::size_t>& change) {
        TreeBuilder builder;
        std::size_t number = 0;
        copy_changed(builder, input.root(), change, number);
        Work again{.route = route, .id = work.id, .body = work.body, .headers = work.headers, .document = builder.finish()};
        again.parsed = true;
        again.validated = true;
        again.number = work.number;
        return told(route, again);
    };
    const std::string untouched = run({});
    if (order.size() > kUnreadFields) order.resize(kUnreadFields);
    for (const std::string& path : order) {
        const std::size_t slash = path.rfind("/@");
        const bool of_mapping =
            slash != std::string::npos && (path.substr(slash) == "/@type" || path.substr(slash) == "/@array");
        if (!of_mapping && run(places[path]) == untouched) out.push_back(path);
    }
    return out;
}

}  // namespace

std::vector<TriedRecord> try_route(const CompiledRoute& route, const std::filesystem::path& file, const TryOptions& options) {
    std::vector<TriedRecord> out;
    std::size_t at = 0;
    dry_messages(
        route, file,
        [&](Work& work) {
            if (++at < options.from) return true;
            out.emplace_back();
            TriedRecord& record = out.back();
            record.number = work.number;
            Work clean{.route = route, .id = work.id, .body = work.body, .headers = work.headers, .document = {}};
            clean.number = work.number;
            StepRecorder recorder(record);
            if (work.document) {
                recorder.first = Document::copy(work.document.root());
                record.input = indented(recorder.first);
            }
            work.watch = &recorder;
            try {
                apply_steps(route.steps(), work);
                record.filtered = work.filtered;
                for (const Put& put : work.outputs) record.outputs.push_back({put.queue, put.message.body_copy()});
            } catch (const Error& e) {
                record.error = e;
            }
            if (options.unread && !record.error && recorder.first) record.unread = unread_fields(route, clean, recorder.first);
            return out.size() < options.most;
        },
        [&](std::uint64_t number, const Error& error) {
            if (number != 0 && (++at < options.from || out.size() >= options.most)) return;
            out.emplace_back();
            out.back().number = number;
            out.back().error = error;
        });
    return out;
}

std::string line_difference(const std::string& a, const std::string& b) {
    const auto lines_of = [](const std::string& text) {
        std::vector<std::string> out;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) out.push_back(line);
        return out;
    };
    const auto left = lines_of(a), right = lines_of(b);
    if (left.empty() || right.empty() || left.size() > 2000 || right.size() > 2000) return {};
    // Longest common subsequence, from the end.
    const std::size_t width = right.size() + 1;
    std::vector<std::uint32_t> common((left.size() + 1) * width, 0);
    for (std::size_t i = left.size(); i-- > 0;) {
        for (std::size_t k = right.size(); k-- > 0;) {
            common[i * width + k] = left[i] == right[k] ? common[(i + 1) * width + k + 1] + 1
                                                        : std::max(common[(i + 1) * width + k], common[i * width + k + 1]);
        }
    }
    if (common[0] * 3 < std::max(left.size(), right.size())) return {};
    std::string out;
    std::size_t i = 0, k = 0;
    while (i < left.size() || k < right.size()) {
        if (i < left.size() && k < right.size() && left[i] == right[k]) {
            out += "  " + left[i++] + "\n";
            ++k;
        } else if (i < left.size() && (k == right.size() || common[(i + 1) * width + k] >= common[i * width + k + 1])) {
            out += "- " + left[i++] + "\n";
        } else {
            out += "+ " + right[k++] + "\n";
        }
    }
    return out;
}

}  // namespace clrbus::workbench
