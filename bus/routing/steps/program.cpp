// program: a program of the site's own, in any language, gets the message's bytes and gives bytes back.
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "config/config.hpp"
#include "core/error.hpp"
#include "formats/json.hpp"
#include "routing/assets.hpp"
#include "routing/child_process.hpp"
#include "routing/hand_over.hpp"
#include "routing/parser_pool.hpp"
#include "routing/route.hpp"
#include "routing/step.hpp"

namespace clrbus {
namespace {

// What a program says with its exit status (sysexits.h).
constexpr int kExitPoison = 65, kExitAgain = 75;
constexpr std::size_t kMostHeaderValue = 4096;

// "TERM-UNKNOWN: …": the first word of the first line of standard error, when it is a code. What follows may hold a value.
std::string program_code(std::string_view errors) {
    constexpr std::size_t kMostCode = 40;
    std::size_t end = 0;
    while (end < errors.size() && end <= kMostCode &&
           ((errors[end] >= 'A' && errors[end] <= 'Z') ||
            (end > 0 && (errors[end] == '-' || std::isdigit(static_cast<unsigned char>(errors[end])) != 0))))
        ++end;
    const bool code = end >= 2 && end <= kMostCode && (end == errors.size() || errors[end] == ':' || errors[end] == '\n');
    return code ? ", and says " + std::string(errors.substr(0, end)) : std::string();
}

class Program : public Step {
public:
    enum class Output : std::uint8_t { kXml, kJson, kBody };
    Program(ChildPlan plan, std::string command, Output output, bool outside)
        : plan_(std::move(plan)), command_(std::move(command)), output_(output), outside_(outside) {}

    Flow apply(Work& work) const override {
        if (outside_ && work.services == nullptr) return Flow::kNext;  // a dry run has no effect
        const std::atomic<bool>* stop = work.services != nullptr ? work.services->stopping : nullptr;
        ChildResult result = run_child(plan_, environment(work), leaving_body(work).bytes, stop);
        judge(result);
        auto bytes = std::make_shared<const std::string>(std::move(result.output));
        work.validated = false;
        if (output_ == Output::kBody) {
            work.own_body = bytes;
            work.body = *bytes;
            work.document = Document();
            work.parsed = false;
            return Flow::kNext;
        }
        try {
            work.document = output_ == Output::kXml ? parsers_.parse(*bytes) : parse_json(*bytes);
        } catch (Error& e) {
            throw Error(Fault::kPoison, "ROUTE-134", "reading what the program '" + command_ + "' wrote", e.where(),
                        e.code() + ": " + e.why());
        }
        work.parsed = true;
        return Flow::kNext;
    }
    bool leaves_document(bool) const override { return output_ != Output::kBody; }
    std::vector<Effect> effects() const override { return {{outside_ ? "does outside" : "runs", command_}}; }

private:
    std::vector<std::string> environment(const Work& work) const {
        std::vector<std::string> out{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "CLRBUS_ROUTE=" + work.route.id(),
                                     "CLRBUS_MESSAGE_ID=" + work.id};
        for (const auto& [name, value] : work.headers.entries()) {
            if (value.size() > kMostHeaderValue || value.find('\0') != std::string::npos) continue;
            std::string variable = "CLRBUS_HEADER_";
            for (const char c : std::string_view(name).substr(name.rfind("clrbus-", 0) == 0 ? 7 : 0))
                variable += std::isalnum(static_cast<unsigned char>(c)) != 0
                                ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                                : '_';
            out.push_back(variable + "=" + value);
        }
        return out;
    }

    void judge(const ChildResult& result) const {
        const std::string doing = "running the program '" + command_ + "'";
        const std::string status = std::to_string(result.status);
        switch (result.end) {
            case ChildResult::End::kExit:
                if (result.status == 0) return;
                if (result.status == kExitAgain)
                    throw Error(Fault::kAway, "ROUTE-131", doing,
                                "it asks to be tried again (75)" + program_code(result.errors));
                if (result.status == kExitPoison)
                    throw Error(Fault::kPoison, "ROUTE-130", doing,
                                "it refuses the message (65)" + program_code(result.errors));
                throw Error(Fault::kPoison, "ROUTE-132", doing, "it ended with status " + status + program_code(result.errors));
            case ChildResult::End::kSignal:
                throw Error(Fault::kPoison, "ROUTE-132", doing, "signal " + status + " ended it")
                    .expected("memory and processor within the limits of the step");
            case ChildResult::End::kTime:
                throw Error(Fault::kPoison, "ROUTE-133", doing,
                            "it took longer than " + std::to_string(plan_.time.count() / 1000) + " s and was killed");
            case ChildResult::End::kOutput:
                throw Error(Fault::kPoison, "ROUTE-133", doing,
                            "it wrote more than " + std::to_string(plan_.output_bytes) + " bytes and was killed");
            case ChildResult::End::kStopped:
                throw Error(Fault::kAway, "ROUTE-131", doing, "the bus stops");
            case ChildResult::End::kNotStarted:
                // Out of processes or memory passes; a program that cannot be run does not.
                throw Error(result.status == EAGAIN || result.status == ENOMEM || result.status == EMFILE ||
                                    result.status == ENFILE || result.status == ETXTBSY
                                ? Fault::kAway
                                : Fault::kConfig,
                            "ROUTE-135", doing, std::string("it cannot be started: ") + std::strerror(result.status));
        }
    }

    ChildPlan plan_;
    std::string command_;
    Output output_;
    bool outside_;  // it does more than to answer
    mutable ParserPool parsers_{nullptr};
};

// Whoever may write to a program that the bus runs is the bus.
void program_must_be_ours(const Config& element, const std::filesystem::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) element.fail("ROUTE-011", "there is no '" + path.string() + "'");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        element.fail("ROUTE-028", "command", "'" + path.string() + "' belongs to neither root nor the user of the bus");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        element.fail("ROUTE-028", "command", "'" + path.string() + "' can be written to by others than its owner");
}

std::filesystem::path program_file(const Config& element, RouteAssets& assets) {
    const std::filesystem::path folder = assets.folders().programs;
    if (folder.empty())
        element.fail("ROUTE-028", "command", "the configuration names no folder of programs (<programs folder=\"…\"/>)");
    const std::string command = element.require("command");
    std::error_code failed;
    const std::filesystem::path root = std::filesystem::canonical(folder, failed);
    const std::filesystem::path file = failed ? root : std::filesystem::canonical(root / command, failed);
    if (failed || !std::filesystem::is_regular_file(file))
        element.fail("ROUTE-011", "there is no program '" + command + "' in " + folder.string());
    const auto inside = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
    if (inside.first != root.end()) element.fail("ROUTE-010", "'" + command + "' leaves its folder");
    program_must_be_ours(element, root);
    for (auto above = file.parent_path(); above != root; above = above.parent_path()) program_must_be_ours(element, above);
    program_must_be_ours(element, file);
    if (::access(file.c_str(), X_OK) != 0) element.fail("ROUTE-028", "command", "'" + file.string() + "' is not executable");
    assets.use(file);  // a changed program is a changed route
    return file;
}

}  // namespace

std::unique_ptr<Step> make_program(const Config& element, RouteAssets& assets, const StepPlace&) {
    ChildPlan plan;
    plan.program = program_file(element, assets);
    plan.directory = plan.program.parent_path();
    for (const Config& argument : element.children("argument")) plan.arguments.push_back(argument.get("value"));
    plan.time = element.get_duration("time", plan.time);
    plan.memory_bytes = static_cast<std::size_t>(element.get_int("memory-mb", 512)) << 20U;
    plan.output_bytes = static_cast<std::size_t>(element.get_int("max-bytes", 16 << 20));
    if (const std::string& name = assets.folders().programs_user; !name.empty()) {
        const passwd* found = ::getpwnam(name.c_str());
        if (found == nullptr) element.fail("ROUTE-028", "command", "there is no user '" + name + "' on this machine");
        if (::geteuid() == 0) {
            plan.user = ChildPlan::User{found->pw_uid, found->pw_gid};
        } else if (found->pw_uid != ::geteuid()) {
            element.fail("ROUTE-028", "command", "only a bus that root started can run programs as '" + name + "'");
        }
    }
    const std::string output = element.get("output", "xml");
    return std::make_unique<Program>(std::move(plan), element.require("command"),
                                     output == "json"   ? Program::Output::kJson
                                     : output == "body" ? Program::Output::kBody
                                                        : Program::Output::kXml,
                                     element.get("outside") == "yes");
}

}  // namespace clrbus
