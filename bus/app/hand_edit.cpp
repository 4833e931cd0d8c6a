#include "app/hand_edit.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "config/loader.hpp"
#include "core/error.hpp"
#include "crypto/secret_file.hpp"
#include "routing/dead_edit.hpp"

namespace clrbus::app {
namespace {

[[noreturn]] void refuse_edit(const std::string& why) {
    throw Error(Fault::kConfig, "DEAD-012", "opening an editor", why).expected("$EDITOR, or --file NEW");
}

std::string hand_variable(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    return value == nullptr ? std::string() : std::string(value);
}

// Removed with all that is in it.
class HandFolder {
public:
    HandFolder() {
        std::string place = hand_variable("XDG_RUNTIME_DIR");
        if (place.empty() || access(place.c_str(), W_OK) != 0) place = hand_variable("TMPDIR");
        std::string made = (place.empty() ? "/tmp" : place) + "/clrbus-edit-XXXXXX";
        if (mkdtemp(made.data()) == nullptr) refuse_edit("no folder for the file can be made");
        path_ = made;
    }
    ~HandFolder() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    HandFolder(const HandFolder&) = delete;
    HandFolder& operator=(const HandFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// The keys and the hang-up of a terminal are the editor's while it runs; this process stays to remove the file.
class HandSignals {
public:
    HandSignals() {
        struct sigaction ignore {};
        ignore.sa_handler = SIG_IGN;  // NOLINT(performance-no-int-to-ptr): the system's own macro
        for (std::size_t i = 0; i < kCount; ++i) sigaction(kSignals[i], &ignore, &before_[i]);
    }
    ~HandSignals() { restore(); }
    HandSignals(const HandSignals&) = delete;
    HandSignals& operator=(const HandSignals&) = delete;
    void restore() const {
        for (std::size_t i = 0; i < kCount; ++i) sigaction(kSignals[i], &before_[i], nullptr);
    }

private:
    static constexpr std::size_t kCount = 4;
    static constexpr int kSignals[kCount] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM};
    struct sigaction before_[kCount] {};
};

}  // namespace

std::string edit_by_hand(std::string_view bytes) {
    std::string editor = hand_variable("VISUAL");
    if (editor.empty()) editor = hand_variable("EDITOR");
    if (editor.empty()) editor = "vi";
    const HandFolder folder;
    const std::string file = folder.path() / (bytes.substr(0, 1) == "<" ? "document.xml" : "document");
    crypto::write_secret_file(file, bytes);
    const std::string command = editor + " \"$1\"";  // as other programs do: it may have options
    const HandSignals signals;
    const pid_t child = fork();
    if (child < 0) refuse_edit("no process can be started");
    if (child == 0) {
        signals.restore();
        execl("/bin/sh", "sh", "-c", command.c_str(), "sh", file.c_str(), static_cast<char*>(nullptr));
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) refuse_edit("the editor got lost");
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) refuse_edit("the editor did not end with status 0: nothing is done");
    return read_file(file, kEditMost);
}

}  // namespace clrbus::app
