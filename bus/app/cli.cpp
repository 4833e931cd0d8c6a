#include "app/cli.hpp"

#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

#include "app/backup.hpp"
#include "config/loader.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "credentials/verify.hpp"
#include "crypto/secret_file.hpp"
#include "management/control_socket.hpp"
#include "management/management.hpp"

namespace clrbus::app {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

std::string cell(const value& v) {
    if (v.is_string()) return std::string(std::string_view(v.get_string()));
    if (v.is_null()) return {};
    return boost::json::serialize(v);
}

// A table with the columns of `names`, in order, as wide as they need to be.
void table(const array& rows, std::initializer_list<const char*> names) {
    std::vector<std::vector<std::string>> cells{{names.begin(), names.end()}};
    for (const value& row : rows) {
        std::vector<std::string> line;
        for (const char* name : names) {
            const value* v = row.as_object().if_contains(name);
            line.push_back(v == nullptr ? "" : cell(*v));
        }
        cells.push_back(std::move(line));
    }
    std::vector<std::size_t> width(names.size(), 0);
    for (const auto& line : cells) {
        for (std::size_t i = 0; i < line.size(); ++i) width[i] = std::max(width[i], line[i].size());
    }
    for (const auto& line : cells) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            std::cout << line[i];
            if (i + 1 < line.size()) std::cout << std::string(width[i] - line[i].size() + 2, ' ');
        }
        std::cout << '\n';
    }
}

void fields(const object& from, int indent = 0) {
    for (const auto& [name, v] : from) {
        const std::string pad(static_cast<std::size_t>(indent), ' ');
        if (v.is_object()) {
            std::cout << pad << std::string_view(name) << ":\n";
            fields(v.as_object(), indent + 2);
        } else if (v.is_array()) {
            std::cout << pad << std::string_view(name) << ":\n";
            for (const value& one : v.as_array()) {
                if (one.is_object()) {
                    std::cout << pad << "  -\n";
                    fields(one.as_object(), indent + 4);
                } else {
                    std::cout << pad << "  - " << cell(one) << '\n';
                }
            }
        } else {
            std::cout << pad << std::string_view(name) << ": " << cell(v) << '\n';
        }
    }
}

const array& list(const object& answer, const char* name) {
    return answer.at(name).as_array();
}

std::string tenths(const value& v) {
    if (!v.is_number()) return "-";
    const auto all = static_cast<std::int64_t>(std::llround(v.to_number<double>() * 10));
    return std::to_string(all / 10) + (all % 10 == 0 ? std::string() : "." + std::to_string(all % 10));
}

std::string percent(const value& v) {
    return v.is_number() ? std::to_string(std::llround(v.to_number<double>() * 100)) + " %" : "-";
}

// "2 h ago"; nothing for a time that is not known.
std::string ago(std::int64_t seconds) {
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
    return std::to_string(seconds / 86'400) + " days";
}

void show_problem(const object& problem, const char* mark) {
    std::cout << "\n  " << mark << ' ' << cell(problem.at("what")) << '\n';
    std::string line;
    if (const std::string since = cell(problem.at("since")); !since.empty()) line += "since " + since;
    if (const std::string oldest = cell(problem.at("oldest")); !oldest.empty()) {
        line += (line.empty() ? "the oldest message waits since " : "; the oldest message waits since ") + oldest + " (" +
                ago(problem.at("oldest_seconds").as_int64()) + ")";
    }
    if (!line.empty()) std::cout << "    " << line << '\n';
    std::cout << "    do: " << cell(problem.at("do")) << "\n    page: " << cell(problem.at("page")) << '\n';
}

void show_status(const object& answer) {
    std::cout << "clrbus " << cell(answer.at("version")) << ", running since " << cell(answer.at("started")) << ": "
              << (answer.at("ok").as_bool() ? "nothing stands still" : "SOMETHING STANDS STILL") << "\n";
    for (const value& problem : list(answer, "problems")) show_problem(problem.as_object(), "!");
    for (const value& warning : list(answer, "warnings")) show_problem(warning.as_object(), "-");
    std::cout << '\n';
    table(list(answer, "routes"), {"route", "state", "generation", "waiting", "oldest", "dead", "done", "last_done"});
    if (!list(answer, "endpoints").empty())
        table(list(answer, "endpoints"), {"endpoint", "state", "since", "next_try", "code", "waiting", "done", "last_done"});
    if (!list(answer, "steps").empty())
        table(list(answer, "steps"), {"queue", "step", "condition", "waiting", "groups", "next"});
    std::cout << "\nsince the state directory was made; day: received in the last 24 hours, weekday: in the same ones of the "
                 "weeks before\n";
    array statistics = list(answer, "statistics");
    for (value& one : statistics) {
        object& line = one.as_object();
        line["weekday"] = tenths(line.at("weekday"));
        line["rate"] = percent(line.at("rate"));
    }
    table(statistics,
          {"route", "received", "filtered", "applied", "waiting", "dead", "last_success", "day", "weekday", "rate"});
    std::cout << "\nrecords\n";
    fields(answer.at("records").as_object(), 2);
}

// Under what was found: how far that can be trusted.
void show_index(const object& answer) {
    const object& index = answer.at("index").as_object();
    std::cout << '\n' << cell(index.at("visits")) << " visits in the index, " << cell(index.at("bytes")) << " bytes";
    if (!cell(index.at("from")).empty()) std::cout << ", since " << cell(index.at("from"));
    std::cout << '\n';
    if (!index.at("live").as_bool()) std::cout << "The bus is stopped: as of what it wrote last.\n";
    if (!cell(index.at("trouble")).empty()) std::cout << "NOT WRITTEN NOW: " << cell(index.at("trouble")) << '\n';
    for (const value& v : list(index, "gaps")) {
        const object& gap = v.as_object();
        std::cout << "MISSING: " << cell(gap.at("from")) << " to " << cell(gap.at("to")) << ", " << cell(gap.at("visits"))
                  << " visits (0: not known): " << cell(gap.at("why")) << '\n';
    }
}

std::string keys_text(const object& from) {
    std::string out;
    const value* keys = from.if_contains("keys");
    if (keys == nullptr) return out;
    for (const auto& [name, one] : keys->as_object())
        out += (out.empty() ? "" : " ") + std::string(name) + "=" + (one.is_null() ? "(personal)" : cell(one));
    return out;
}

// The state, and what became of it since.
std::string state_text(const object& from) {
    std::string out = cell(from.at("state"));
    if (const value* then = from.if_contains("then")) out += ", then " + cell(*then);
    if (const value* record = from.if_contains("record")) out += ", record " + cell(*record);
    return out;
}

void show_messages(const object& answer) {
    array rows = list(answer, "messages");
    for (value& v : rows) {
        object& row = v.as_object();
        row["state"] = state_text(row);
        row["keys"] = keys_text(row);
    }
    table(rows, {"ended", "route", "row", "state", "generation", "code", "id", "keys"});
    if (!answer.at("complete").as_bool()) std::cout << "… and there may be more: --most, or a narrower question\n";
    show_index(answer);
}

void show_days(const object& answer) {
    array rows;
    for (const auto& [day, bytes] : answer.at("index").as_object().at("days").as_object())
        rows.push_back(object{{"day", day}, {"bytes", bytes}});
    table(rows, {"day", "bytes"});
    show_index(answer);
}

void show_trace(const object& answer) {
    for (const value& v : list(answer, "journey")) {
        const object& one = v.as_object();
        const auto said = [&one](const char* name, const char* before, const char* behind = "") {
            const value* found = one.if_contains(name);
            if (found == nullptr || cell(*found).empty()) return;
            std::cout << before << cell(*found) << behind;
        };
        const std::string pad(static_cast<std::size_t>(one.at("depth").as_int64()) * 2, ' ');
        std::cout << pad << cell(one.at("is")) << ' ' << cell(one.at("id")) << "\n"
                  << pad << "  " << cell(one.at("queue")) << ": " << state_text(one);
        said("row", ", row ");
        said("generation", ", generation ");
        said("code", ", ");
        said("step", " at step '", "'");
        said("dead_letter", ", dead letter ");
        said("reason", ", ");
        std::cout << '\n';
        if (one.contains("accepted")) {
            std::cout << pad << "  " << cell(one.at("accepted"));
            said("ended", " to ");
            said("milliseconds", ", ", " ms");
            said("worked_microseconds", ", ", " µs of work");
            said("failed_attempts", ", failed attempts: ");
            std::cout << '\n';
        }
        if (const std::string keys = keys_text(one); !keys.empty()) std::cout << pad << "  " << keys << '\n';
    }
    if (!answer.at("complete").as_bool()) std::cout << "… and there is more: --children\n";
    show_index(answer);
}

void show_ledger(const object& answer) {
    table(list(answer, "accounts"), {"account", "accepted", "made", "taken", "delivered", "filtered", "split", "duplicate",
                                     "dead", "applied", "unchanged", "superseded", "held", "waiting", "in", "out", "balanced"});
    std::cout << (answer.at("balanced").as_bool() ? "\nThe ledger balances: every message is accounted for.\n"
                                                  : "\nTHE LEDGER DOES NOT BALANCE.\n");
}

void show_dead(const object& answer) {
    std::cout << cell(answer.at("count")) << " dead letters\n";
    for (const value& v : list(answer, "dead")) {
        const object& d = v.as_object();
        std::cout << '\n' << cell(d.at("route")) << ' ' << cell(d.at("number")) << "  " << cell(d.at("code"));
        if (!cell(d.at("name")).empty()) std::cout << "  " << cell(d.at("name"));
        if (!cell(d.at("row")).empty()) std::cout << ", record " << cell(d.at("row"));
        if (!cell(d.at("line")).empty()) std::cout << ", line " << cell(d.at("line"));
        std::cout << "\n  step:     " << cell(d.at("step"));
        if (!cell(d.at("path")).empty()) std::cout << "\n  at:       " << cell(d.at("path"));
        std::cout << "\n  reason:   " << cell(d.at("reason"));
        if (!cell(d.at("expected")).empty()) std::cout << "\n  expected: " << cell(d.at("expected"));
        if (!cell(d.at("attempts")).empty()) std::cout << "\n  attempts: " << cell(d.at("attempts"));
        std::cout << '\n';
    }
}

void show_plan(const object& answer) {
    std::cout << "Nothing was done. " << cell(answer.at("selected")) << " would be replayed: " << cell(answer.at("records"))
              << " records, " << cell(answer.at("other_outputs")) << " other outputs, " << cell(answer.at("suppressed"))
              << " suppressed, " << cell(answer.at("outside")) << " effects outside, " << cell(answer.at("would_fail"))
              << " would fail again.\n";
    for (const value& v : list(answer, "messages")) {
        const object& m = v.as_object();
        std::cout << '\n' << cell(m.at("route")) << ' ' << cell(m.at("number"));
        if (const value* children = m.if_contains("children")) std::cout << ", " << cell(*children) << " records of a split";
        std::cout << '\n';
        for (const value& o : list(m, "outputs")) {
            const object& output = o.as_object();
            std::cout << (output.at("suppressed").as_bool() ? "  not: " : "  to:  ") << cell(output.at("to")) << ' '
                      << cell(output.at("id")) << '\n';
        }
        for (const value& o : list(m, "outside")) {
            const object& effect = o.as_object();
            std::cout << "  step '" << cell(effect.at("step")) << "' " << cell(effect.at("does")) << ' '
                      << cell(effect.at("what")) << ", times " << cell(effect.at("times")) << '\n';
        }
        if (const value* filtered = m.if_contains("filtered")) std::cout << "  filtered: " << cell(*filtered) << '\n';
        if (const value* fails = m.if_contains("fails")) {
            const object& f = fails->as_object();
            std::cout << "  fails: " << cell(f.at("code")) << ' ' << cell(f.at("path")) << ' ' << cell(f.at("reason")) << '\n';
        }
    }
    std::cout << "\nDo it: the same command with --yes.\n";
}

void show_refused(const array& refused) {
    for (const value& v : refused) {
        const object& one = v.as_object();
        std::cout << "\n  ! refused since " << cell(one.at("since")) << ": " << cell(one.at("code")) << "\n    "
                  << cell(one.at("text")) << '\n';
    }
}

void show_reconcile(const object& answer) {
    std::cout << "In the records, of source " << cell(answer.at("source")) << ":\n";
    table(list(answer, "records"), {"term", "courses", "credits", "learners"});
    if (!list(answer, "differences").empty()) {
        std::cout << "\nDifferences (" << cell(answer.at("count")) << "):\n";
        table(list(answer, "differences"), {"row", "term", "learner", "what", "expected", "found"});
    }
    if (!list(answer, "unknown_rows").empty()) {
        std::cout << "\nRows about learners whom nobody knows:";
        for (const value& row : list(answer, "unknown_rows")) std::cout << ' ' << cell(row);
        std::cout << '\n';
    }
    std::cout << (answer.at("held").as_bool() ? "\nThe totals agree.\n" : "\nTHE TOTALS DO NOT AGREE.\n");
}

// What did not hold, though the command was answered.
int status_of(const std::string& command, const object& answer) {
    if (command == "status") return answer.at("ok").as_bool() ? 0 : 1;
    if (command == "reconcile") return answer.at("held").as_bool() ? 0 : 1;
    if (command == "ledger") return answer.at("balanced").as_bool() ? 0 : 1;
    if (command == "alerts-test") return answer.at("ok").as_bool() ? 0 : 1;
    if (command == "route-list" || command == "route-reload") return list(answer, "refused").empty() ? 0 : 1;
    return 0;
}

int show(const std::string& command, const object& answer) {
    if (command == "status") {
        show_status(answer);
        return status_of(command, answer);
    }
    if (command == "ledger") {
        show_ledger(answer);
        return status_of(command, answer);
    }
    if (command == "messages") {
        show_messages(answer);
    } else if (command == "messages-disk") {
        show_days(answer);
    } else if (command == "trace") {
        show_trace(answer);
    } else if (command == "queues") {
        table(list(answer, "queues"), {"queue", "ready", "in_hand", "delayed", "bytes", "oldest"});
    } else if (command == "alerts") {
        for (const value& one : list(answer, "open")) show_problem(one.as_object(), "!");
        std::cout << (list(answer, "open").empty() ? "no alert is open\n\n" : "\n");
        table(list(answer, "channels"),
              {"channel", "state", "since", "pending", "sent", "left_out", "last_sent", "code", "error"});
    } else if (command == "alerts-test") {
        table(list(answer, "channels"), {"channel", "arrived", "code", "error"});
    } else if (command == "route-list") {
        table(list(answer, "routes"), {"route", "generation", "state", "pinned", "file"});
        show_refused(list(answer, "refused"));
    } else if (command == "reconcile") {
        show_reconcile(answer);
    } else if (command == "route-approvals") {
        table(list(answer, "running"), {"route", "generation", "state"});
        std::cout << '\n';
        table(list(answer, "lines"), {"number", "at", "what", "route", "generation", "steward", "who", "why"});
    } else if (command == "route-history") {
        table(list(answer, "generations"), {"generation", "at", "by", "why"});
    } else if (command == "route-diff") {
        std::cout << cell(answer.at("diff"));
    } else if (command == "route-reload" || command == "route-rollback" || command == "route-unpin") {
        for (const char* name : {"activated", "gone", "pinned"}) {
            for (const value& one : list(answer, name)) std::cout << name << "  " << cell(one) << '\n';
        }
        if (answer.at("pending").as_bool()) std::cout << "files still change: nothing was taken\n";
        show_refused(list(answer, "refused"));
    } else if (command == "dead-list") {
        show_dead(answer);
    } else if (command == "dead-replay" && answer.at("dry").as_bool()) {
        show_plan(answer);
    } else if (command == "waiting-list") {
        std::cout << cell(answer.at("count")) << " waiting for a person's decision\n\n";
        table(list(answer, "waiting"), {"number", "kind", "reason", "since", "source", "route"});
    } else if (command == "learners") {
        table(list(answer, "learners"), {"learner", "version", "statements", "blocked", "merged_into", "created"});
    } else if (command == "keys") {
        table(list(answer, "keys"), {"kid", "alg", "created", "current"});
    } else if (command == "disclosures") {
        table(list(answer, "lines"), {"number", "at", "who", "kind", "learner", "purpose", "what", "released"});
        std::cout << "\nchain: " << boost::json::serialize(answer.at("chain")) << '\n';
    } else {
        fields(answer);
    }
    return status_of(command, answer);
}

// What the index of messages holds can be read while the bus is stopped, too.
std::string control_answer(const Ask& question, const std::string& request) {
    const bool indexed = question.command == "messages" || question.command == "trace";
    try {
        return call_control(question.state / "control.sock", request);
    } catch (const Error& e) {
        if (!indexed || e.fault() != Fault::kAway || !std::filesystem::is_directory(question.state / "trace")) throw;
    }
    return call_stopped(question.state, request);
}

// The answer's object; on failure prints it and gives the exit status.
object answered(const Ask& question, int& failed) {
    object request{{"command", question.command}};
    for (const auto& [name, text] : question.text) request[name] = text;
    for (const auto& [name, number] : question.numbers) request[name] = number;
    if (!question.list.empty()) request["numbers"] = array(question.list.begin(), question.list.end());
    object answer = boost::json::parse(control_answer(question, boost::json::serialize(request))).as_object();
    failed = 0;
    if (const value* error = answer.if_contains("error")) {
        const object& e = error->as_object();
        std::cerr << "clrbus: " << cell(e.at("code")) << ": " << cell(e.at("text")) << '\n';
        failed = static_cast<int>(e.at("exit").as_int64());
        if (question.json) std::cout << boost::json::serialize(answer) << '\n';
    }
    return answer;
}

}  // namespace

int ask(const Ask& question) {
    int failed = 0;
    const object answer = answered(question, failed);
    if (failed != 0) return failed;
    if (!question.json) return show(question.shown_as.empty() ? question.command : question.shown_as, answer);
    std::cout << boost::json::serialize(answer) << '\n';
    return status_of(question.command, answer);
}

int ask_member(const Ask& question, const char* member, std::string& out) {
    int failed = 0;
    const object answer = answered(question, failed);
    if (failed == 0) out = cell(answer.at(member));
    return failed;
}

int restore(const std::filesystem::path& backup, const std::filesystem::path& state, bool check, bool json) {
    std::uint64_t shown = 0;
    const bool terminal = isatty(STDERR_FILENO) != 0 && !json;
    const auto progress = [&](std::uint64_t done, std::uint64_t all) {
        const std::uint64_t percent = all == 0 ? 100 : done * 100 / all;
        if (terminal && percent != std::exchange(shown, percent)) std::cerr << "\r" << percent << " %" << std::flush;
    };
    const BackupDone done = check ? verify_backup(backup, progress) : restore_backup(backup, state, progress);
    if (terminal) std::cerr << "\r      \r";
    if (json) {
        std::cout << boost::json::serialize(object{{"backup", backup.string()},
                                                   {"made", done.made},
                                                   {"files", done.files},
                                                   {"bytes", done.bytes},
                                                   {"restored", !check}})
                  << '\n';
    } else {
        std::cout << "The backup of " << done.made << " is whole: " << done.files << " files, " << done.bytes << " bytes.\n";
        if (!check)
            std::cout << "Restored into " << state.string()
                      << ". What was accepted after it is not in it: start the bus, and let the sources send it again.\n";
    }
    return 0;
}

int ask_clr(const Ask& question, const std::filesystem::path& out, bool credential) {
    int failed = 0;
    const object answer = answered(question, failed);
    if (failed != 0) return failed;
    const std::string text = cell(answer.at(credential ? "credential" : "token"));
    if (out.empty()) {
        std::cout << (question.json ? boost::json::serialize(answer) : text) << '\n';
        return 0;
    }
    crypto::write_secret_file(out, text + "\n");
    if (question.json) std::cout << boost::json::serialize(object{{"file", out.string()}, {"bytes", text.size()}}) << '\n';
    return 0;
}

int verify_file(const std::filesystem::path& file, const std::filesystem::path& jwks, const std::filesystem::path& state,
                bool json) {
    std::string keys;
    if (!jwks.empty()) {
        keys = read_file(jwks);
    } else {
        int failed = 0;
        const object answer = answered({state, "keys", {}, {}, false}, failed);
        if (failed != 0) return failed;
        keys = cell(answer.at("jwks"));
    }
    credentials::VerifyOptions options;
    options.keys =
        credentials::key_set(keys, "", jwks.empty() ? "published by the running bus" : "from the key set " + jwks.string());
    options.now = system_clock().now();
    std::string document = read_file(file, 64U << 20);
    while (!document.empty() && (document.back() == '\n' || document.back() == '\r' || document.back() == ' '))
        document.pop_back();
    const auto verdict = credentials::verify(document, options);
    std::cout << (json ? verdict.json() : verdict.text()) << '\n';
    return verdict.good ? 0 : 1;
}

}  // namespace clrbus::app
