#include "adapters_directory/intake.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include "core/ids.hpp"
#include "crypto/hash.hpp"
#include "http/spool_file.hpp"

namespace clrbus::adapters::directory {

namespace {

constexpr std::size_t kIntakeChunk = 128 << 10;

[[noreturn]] void too_large(std::uint64_t most) {
    throw Error(Fault::kPoison, "DIR-003", "taking a file", "it is too large")
        .expected("at most " + std::to_string(most) + " bytes");
}

[[noreturn]] void cannot_read() {
    throw Error(Fault::kAway, "DIR-005", "reading a file", std::generic_category().message(errno));
}

// Removes the reduced form unless the inbox takes it over.
struct ReducedFile {
    std::filesystem::path path;
    ~ReducedFile() {
        if (!path.empty()) ::unlink(path.c_str());
    }
};

// Where the bytes go: memory up to a size, else a spooled copy.
class IntakeBody {
public:
    IntakeBody(std::uint64_t size, const Inbox& inbox) {
        if (size > inbox.spool_above()) {
            file_ = std::make_unique<SpoolFile>(inbox.spool_folder());
        } else {
            bytes_.reserve(size);
        }
    }
    void append(std::string_view chunk) {
        if (file_) {
            file_->write(chunk);
        } else {
            bytes_ += chunk;
        }
    }
    void give(Incoming& incoming) {
        if (file_) {
            incoming.spooled = file_->keep();
        } else {
            incoming.body = std::move(bytes_);
        }
    }

private:
    std::string bytes_;
    std::unique_ptr<SpoolFile> file_;
};

struct stat status_of_file(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) cannot_read();
    return status;
}

// Reads all of it, as large as it was at first; gives its SHA-256.
template <typename Take>
std::string read_and_hash(int fd, std::uint64_t most, Take&& take) {
    const struct stat before = status_of_file(fd);
    crypto::Sha256 hash;
    std::vector<char> buffer(kIntakeChunk);
    std::uint64_t total = 0;
    for (;;) {
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) cannot_read();
        if (n == 0) break;
        const std::string_view chunk(buffer.data(), static_cast<std::size_t>(n));
        total += chunk.size();
        if (total > most) too_large(most);
        hash.update(chunk);
        take(chunk);
    }
    const struct stat after = status_of_file(fd);
    if (total != static_cast<std::uint64_t>(before.st_size) || after.st_size != before.st_size ||
        after.st_mtim.tv_sec != before.st_mtim.tv_sec || after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
        throw Error(Fault::kAway, "DIR-006", "reading a file", "it changed while it was read");
    return hash.hex();
}

}  // namespace

Incoming take_in(const DropFolder& folder, const std::string& name, const Inbox& inbox, const IntakeOptions& options) {
    OpenFile file = folder.open_claimed(name);
    const auto whole = static_cast<std::uint64_t>(status_of_file(file.fd()).st_size);
    if (whole > options.most) too_large(options.most);

    Incoming incoming;
    incoming.name = name;
    incoming.content_type = options.content_type;
    ReducedFile reduced;
    if (const Inbox::Reduce* reduce = inbox.reduce(); reduce != nullptr && whole <= inbox.spool_above()) {
        // No file is made for what goes into the message.
        OpenFile memory(::memfd_create("clrbus-reduced", MFD_CLOEXEC));
        if (memory.fd() < 0) cannot_read();
        (*reduce)(folder.claimed_path(name), "/proc/self/fd/" + std::to_string(memory.fd()));
        file = std::move(memory);
    } else if (reduce != nullptr) {
        reduced.path = inbox.spool_folder() / ("reduced-" + new_uuid() + ".part");
        (*reduce)(folder.claimed_path(name), reduced.path);
        file = OpenFile(::open(reduced.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
        if (file.fd() < 0) cannot_read();
    }

    const auto size = static_cast<std::uint64_t>(status_of_file(file.fd()).st_size);
    std::string hash;
    if (!reduced.path.empty() && size > inbox.spool_above()) {
        hash = read_and_hash(file.fd(), options.most, [](std::string_view) {});
        if (::fdatasync(file.fd()) != 0) cannot_read();
        incoming.spooled = std::exchange(reduced.path, {});
    } else {
        IntakeBody body(size, inbox);
        hash = read_and_hash(file.fd(), options.most, [&](std::string_view chunk) { body.append(chunk); });
        body.give(incoming);
    }
    incoming.duplicate_key = hash + ':' + name;
    return incoming;
}

}  // namespace clrbus::adapters::directory
