#include "routing/dry_run.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "config/loader.hpp"
#include "core/ids.hpp"
#include "routing/inbox.hpp"
#include "routing/splitter.hpp"
#include "xml/parser.hpp"

namespace clrbus {
namespace {

Work dry_work(const CompiledRoute& route, std::string_view body, std::uint64_t record, const std::string& name) {
    Work work{.route = route, .id = "dry-run-" + std::to_string(record), .body = body, .headers = {}, .document = {}};
    work.number = record;
    work.headers.set(header::kName, name);
    work.headers.set(header::kAcceptedAt, "2026-01-01T00:00:00.000Z");
    return work;
}

void dry_apply(const CompiledRoute& route, Work& work, std::vector<DryResult>& out) {
    DryResult result;
    result.record = work.number;
    try {
        apply_steps(route.steps(), work);
        if (!work.filtered.empty()) {
            result.kind = DryResult::Kind::kFiltered;
            result.reason = work.filtered;
            out.push_back(std::move(result));
        }
        for (const Put& put : work.outputs) {
            DryResult one;
            one.record = work.number;
            one.queue = put.queue;
            one.xml = put.message.body();
            out.push_back(std::move(one));
        }
    } catch (const Error& e) {
        result.kind = DryResult::Kind::kDead;
        result.error = e;
        out.push_back(std::move(result));
    }
}

// Without the white space between elements, so that how a file is indented makes no difference.
void append_plain(std::string& out, Node node, int depth) {
    out.append(2 * static_cast<std::size_t>(depth), ' ');
    out += node.name();
    auto attributes = node.attributes();
    std::sort(attributes.begin(), attributes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const auto& a : attributes) out += " " + a.name + "=\"" + a.value + "\"";
    const bool leaf = !node.first_child();
    if (leaf && !node.text().empty()) out += ": " + node.text();
    out += '\n';
    for (Node child = node.first_child(); child; child = child.next()) append_plain(out, child, depth + 1);
}

std::string plain_form(std::string_view xml) {
    std::string out;
    const Document document = XmlParser().parse(xml);
    append_plain(out, document.root(), 0);
    return out;
}

// The first line where two texts part, with both.
std::string first_difference(const std::string& expected, const std::string& found) {
    std::istringstream a(expected), b(found);
    std::string left, right;
    for (int line = 1;; ++line) {
        const bool more_a = static_cast<bool>(std::getline(a, left)), more_b = static_cast<bool>(std::getline(b, right));
        if (!more_a && !more_b) return {};
        if (!more_a) left = "(nothing)";
        if (!more_b) right = "(nothing)";
        if (left != right) return "line " + std::to_string(line) + ":\n    expected " + left + "\n    found    " + right;
    }
}

std::string described(const DryResult& result) {
    switch (result.kind) {
        case DryResult::Kind::kFiltered:
            return "filtered: " + result.reason;
        case DryResult::Kind::kDead:
            return "dead: " + result.error->code() + " " + result.error->where().path;
        case DryResult::Kind::kOutput:
            return "output to " + result.queue;
    }
    return {};
}

std::string compared(const std::filesystem::path& expected, const DryResult& result) {
    if (expected.extension() == ".xml") {
        if (result.kind != DryResult::Kind::kOutput)
            return "expected an output, found " + described(result) +
                   (result.error ? " (" + std::string(result.error->what()) + ")" : "");
        return first_difference(plain_form(read_file(expected)), plain_form(result.xml));
    }
    std::string wanted = read_file(expected);
    while (!wanted.empty() && (wanted.back() == '\n' || wanted.back() == ' ')) wanted.pop_back();
    const std::string found = described(result);
    if (wanted == found) return {};
    if (result.error && wanted == "dead: " + result.error->where().path) return {};
    if (result.error && wanted == "dead: " + result.error->code()) return {};
    return "expected " + wanted + "\n    found    " + found +
           (result.error ? " (" + std::string(result.error->what()) + ")" : "");
}

CaseResult run_case(const CompiledRoute& route, const std::filesystem::path& folder) {
    CaseResult out;
    out.name = folder.filename().string();
    std::filesystem::path input;
    std::map<std::size_t, std::filesystem::path> expected;  // by place; 0 = the only one
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string stem = entry.path().stem().string();
        if (stem == "input") input = entry.path();
        if (stem == "expected") expected[0] = entry.path();
        if (stem.rfind("expected-", 0) == 0) expected[std::stoul(stem.substr(9))] = entry.path();
    }
    if (input.empty() || expected.empty()) {
        out.difference = "no input or nothing expected";
        return out;
    }
    const auto results = dry_run(route, input);
    if (results.size() != expected.size()) {
        out.difference = std::to_string(expected.size()) + " results expected, " + std::to_string(results.size()) + " found";
        for (const DryResult& result : results) out.difference += "\n    " + described(result);
        return out;
    }
    std::size_t at = 0;
    for (const auto& [number, file] : expected) {
        const std::string difference = compared(file, results[at++]);
        if (!difference.empty()) {
            out.difference = file.filename().string() + ": " + difference;
            return out;
        }
    }
    out.held = true;
    return out;
}

}  // namespace

void dry_messages(const CompiledRoute& route, const std::filesystem::path& file, const std::function<bool(Work&)>& one,
                  const std::function<void(std::uint64_t record, const Error& error)>& broken) {
    std::filesystem::path reduced;
    const std::string name = file.filename().string();
    try {
        std::filesystem::path source = file;
        for (const Config& door : route.doors()) {
            const auto reduce = make_reduction(door, route);
            if (!reduce) continue;
            reduced = std::filesystem::temp_directory_path() / ("clrbus-dry-" + new_uuid());
            reduce(file, reduced);
            source = reduced;
            break;
        }
        const std::string bytes = read_file(source, route.max_bytes());
        if (route.split() && wants_split(*route.split(), bytes)) {
            std::string_view left = bytes;
            make_splitter(*route.split())
                ->run(
                    [&left](char* to, std::size_t size) {
                        const std::size_t n = std::min(size, left.size());
                        std::copy_n(left.data(), n, to);
                        left.remove_prefix(n);
                        return n;
                    },
                    {},
                    [&](SplitRecord record) {
                        if (record.broken != nullptr) {
                            broken(record.number, *record.broken);
                            return true;
                        }
                        Work work = dry_work(route, record.raw, record.number, name);
                        work.document = std::move(record.document);
                        work.parsed = true;
                        work.validated = record.validated;
                        return one(work);
                    });
        } else {
            Work work = dry_work(route, bytes, 0, name);
            if (route.split()) {
                work.document = parse_record(*route.split(), bytes);
                work.parsed = true;
                work.validated = route.split()->schemas != nullptr;
            }
            one(work);
        }
    } catch (const Error& e) {
        broken(0, e);
    }
    std::error_code ignored;
    if (!reduced.empty()) std::filesystem::remove(reduced, ignored);
}

std::vector<DryResult> dry_run(const CompiledRoute& route, const std::filesystem::path& file) {
    std::vector<DryResult> out;
    dry_messages(
        route, file,
        [&](Work& work) {
            dry_apply(route, work, out);
            return true;
        },
        [&](std::uint64_t record, const Error& error) {
            DryResult dead;
            dead.kind = DryResult::Kind::kDead;
            dead.record = record;
            dead.error = error;
            out.push_back(std::move(dead));
        });
    return out;
}

std::vector<CaseResult> run_cases(const std::vector<std::shared_ptr<const CompiledRoute>>& routes,
                                  const std::filesystem::path& folder) {
    std::vector<CaseResult> out;
    const auto cases = folder / "cases";
    if (!std::filesystem::is_directory(cases)) return out;
    std::vector<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(cases)) {
        if (entry.is_directory()) folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    for (const auto& one : folders) {
        // A folder of several routes says in a file "route" which one the case is for; otherwise the route has the folder's
        // name.
        std::string id = folder.filename().string();
        if (std::filesystem::exists(one / "route")) {
            id = read_file(one / "route", 100);
            while (!id.empty() && id.back() == '\n') id.pop_back();
        }
        const auto found = std::find_if(routes.begin(), routes.end(), [&id](const auto& route) { return route->id() == id; });
        if (found == routes.end()) {
            out.push_back({one.filename().string(), false, "there is no route '" + id + "' (or it does not compile)"});
            continue;
        }
        out.push_back(run_case(**found, one));
    }
    return out;
}

}  // namespace clrbus
