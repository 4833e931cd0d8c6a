#include "workbench/try_route.hpp"

#include <algorithm>
#include <sstream>

#include "routing/dry_run.hpp"
#include "workbench/field_effects.hpp"

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
            if (options.unread && !record.error && recorder.first) {
                for (const FieldEffect& effect : field_effects(route, clean, recorder.first, kUnreadFields)) {
                    if (effect.nothing()) record.unread.push_back(effect.path);
                }
            }
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
    if (std::size_t{common[0]} * 3 < std::max(left.size(), right.size())) return {};
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
