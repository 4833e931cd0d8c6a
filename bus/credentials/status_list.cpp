#include "credentials/status_list.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>
#include <unordered_map>

#include "core/error.hpp"
#include "credentials/vc_jwt.hpp"
#include "crypto/base64.hpp"
#include "crypto/flat_json.hpp"
#include "crypto/hash.hpp"
#include "crypto/password.hpp"

namespace clrbus::credentials {

namespace {

constexpr std::size_t kStatusMostBytes = 8u << 20;
constexpr std::uint32_t kStatusFill = kStatusListSize / 2;  // a random index is then free at the second try on average

[[noreturn]] void status_fail(const std::filesystem::path& file, std::uint64_t line, std::string why) {
    Where where;
    where.file = file.string();
    where.line = line;
    throw Error(Fault::kConfig, "STATUS-001", "reading the status lists", where, std::move(why));
}

// The first half of the hash: file and memory hold no credential id.
std::string status_key(std::string_view credential_id) {
    return crypto::sha256_hex(credential_id).substr(0, 32);
}

}  // namespace

struct StatusLists::Impl {
    struct List {
        std::string used = std::string(kStatusListSize / 8, '\0');
        std::string bits = std::string(kStatusListSize / 8, '\0');
        std::uint32_t count = 0;
        std::uint32_t revoked = 0;
        Time changed{};
    };

    std::filesystem::path file;
    const Clock& clock;
    int fd = -1;
    bool torn = false;  // part of a line may stand at the end: nothing is written before the next start cuts it off

    mutable std::mutex mutex;
    std::unordered_map<std::string, Entry> entries;
    std::vector<List> lists;

    Impl(std::filesystem::path f, const Clock& c) : file(std::move(f)), clock(c) {}
    ~Impl() {
        if (fd >= 0) ::close(fd);
    }

    static void set(std::string& bits, std::uint32_t index) {
        bits[index / 8] = static_cast<char>(static_cast<unsigned char>(bits[index / 8]) | 0x80u >> index % 8);
    }

    void place(const std::string& key, Entry entry, Time time) {
        while (lists.size() <= entry.list) lists.emplace_back().changed = time;
        List& list = lists[entry.list];
        set(list.used, entry.index);
        ++list.count;
        entries.emplace(key, entry);
    }

    void mark(Entry entry, Time time) {
        List& list = lists[entry.list];
        if (!status_bit(list.bits, entry.index)) ++list.revoked;
        set(list.bits, entry.index);
        list.changed = time;
    }

    // Lines: "a KEY LIST INDEX TIME" gives a place, "r KEY TIME" revokes.
    void read_line(const std::string& line, std::uint64_t number) {
        std::istringstream in(line);
        std::string kind, key, time, rest;
        Entry entry;
        in >> kind >> key;
        if (kind == "a") in >> entry.list >> entry.index;
        in >> time;
        if (!in || in >> rest || key.size() != 32) status_fail(file, number, "the line is not in the form of this file");
        const Time at = from_rfc3339(time);
        if (kind == "a") {
            const bool taken = entry.list < lists.size() && status_bit(lists[entry.list].used, entry.index);
            if (entry.list > lists.size() || entry.index >= kStatusListSize || taken || entries.contains(key))
                status_fail(file, number, "the place is given twice or out of range");
            place(key, entry, at);
        } else if (kind == "r") {
            const auto known = entries.find(key);
            if (known == entries.end()) status_fail(file, number, "it revokes what has no place");
            mark(known->second, at);
        } else {
            status_fail(file, number, "the line is not in the form of this file");
        }
    }

    void load() {
        fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0600);
        if (fd < 0) status_fail(file, 0, std::strerror(errno));
        std::ifstream in(file, std::ios::binary);
        std::string line;
        std::uint64_t number = 0;
        off_t good = 0;
        while (std::getline(in, line)) {
            if (in.eof()) break;  // no newline: the end of a write that was cut
            read_line(line, ++number);
            good += static_cast<off_t>(line.size()) + 1;
        }
        if (::ftruncate(fd, good) != 0) status_fail(file, 0, std::strerror(errno));
    }

    void append(std::string line) {
        if (torn)
            throw Error(Fault::kAway, "STATUS-002", "writing the status lists",
                        "an earlier write was cut; restart to mend the file");
        line += '\n';
        struct stat status {};
        const bool known = ::fstat(fd, &status) == 0;
        const ssize_t written = ::write(fd, line.data(), line.size());
        if (written == static_cast<ssize_t>(line.size()) && ::fdatasync(fd) == 0) return;
        const int error = errno;
        torn = known && ::ftruncate(fd, status.st_size) == 0 ? torn : true;  // a torn line would swallow the next one
        throw Error(Fault::kAway, "STATUS-002", "writing the status lists", std::strerror(error));
    }
};

StatusLists::StatusLists() = default;
StatusLists::~StatusLists() = default;
StatusLists::StatusLists(StatusLists&&) noexcept = default;
StatusLists& StatusLists::operator=(StatusLists&&) noexcept = default;

StatusLists StatusLists::open(const std::filesystem::path& file, const Clock& clock) {
    StatusLists out;
    out.impl_ = std::make_unique<Impl>(file, clock);
    out.impl_->load();
    return out;
}

StatusLists::Entry StatusLists::entry(std::string_view credential_id) {
    const std::string key = status_key(credential_id);
    const std::scoped_lock lock(impl_->mutex);
    Impl& impl = *impl_;
    if (const auto known = impl.entries.find(key); known != impl.entries.end()) return known->second;
    Entry out;
    out.list = impl.lists.empty() ? 0 : static_cast<std::uint32_t>(impl.lists.size() - 1);
    if (!impl.lists.empty() && impl.lists.back().count >= kStatusFill) ++out.list;
    do {
        const std::string random = crypto::random_bytes(4);
        std::uint32_t number = 0;
        std::memcpy(&number, random.data(), sizeof number);
        out.index = number % kStatusListSize;  // a power of two: no index is likelier than another
    } while (out.list < impl.lists.size() && status_bit(impl.lists[out.list].used, out.index));
    const Time now = impl.clock.now();
    impl.append("a " + key + " " + std::to_string(out.list) + " " + std::to_string(out.index) + " " + to_rfc3339(now));
    impl.place(key, out, now);
    return out;
}

std::optional<StatusLists::Entry> StatusLists::find(std::string_view credential_id) const {
    const std::scoped_lock lock(impl_->mutex);
    const auto known = impl_->entries.find(status_key(credential_id));
    return known == impl_->entries.end() ? std::nullopt : std::optional(known->second);
}

bool StatusLists::revoke(std::string_view credential_id) {
    const std::string key = status_key(credential_id);
    const std::scoped_lock lock(impl_->mutex);
    const auto known = impl_->entries.find(key);
    if (known == impl_->entries.end() || status_bit(impl_->lists[known->second.list].bits, known->second.index)) return false;
    const Time now = impl_->clock.now();
    impl_->append("r " + key + " " + to_rfc3339(now));
    impl_->mark(known->second, now);
    return true;
}

bool StatusLists::revoked(const Entry& entry) const {
    const std::scoped_lock lock(impl_->mutex);
    return entry.list < impl_->lists.size() && status_bit(impl_->lists[entry.list].bits, entry.index);
}

std::size_t StatusLists::lists() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->lists.size();
}

Time StatusLists::changed(std::uint32_t list) const {
    const std::scoped_lock lock(impl_->mutex);
    return list < impl_->lists.size() ? impl_->lists[list].changed : Time{};
}

std::uint32_t StatusLists::revoked_in(std::uint32_t list) const {
    const std::scoped_lock lock(impl_->mutex);
    return list < impl_->lists.size() ? impl_->lists[list].revoked : 0;
}

std::string StatusLists::encoded(std::uint32_t list) const {
    std::string bits;
    {
        const std::scoped_lock lock(impl_->mutex);
        bits = list < impl_->lists.size() ? impl_->lists[list].bits : std::string(kStatusListSize / 8, '\0');
    }
    return encode_status_list(bits);
}

std::string StatusLists::credential(std::uint32_t list, std::string_view list_url, std::string_view issuer_json) const {
    const std::string url = crypto::json_string(list_url);
    const std::string subject = crypto::json_string(std::string(list_url) + "#list");
    return R"({"@context":["https://www.w3.org/ns/credentials/v2"],"id":)" + url +
           R"(,"type":["VerifiableCredential","BitstringStatusListCredential"],"issuer":)" + std::string(issuer_json) +
           R"(,"validFrom":")" + credential_time(changed(list)) + R"(","credentialSubject":{"id":)" + subject +
           R"(,"type":"BitstringStatusList","statusPurpose":"revocation","encodedList":")" + encoded(list) + "\"}}";
}

std::string encode_status_list(std::string_view bits) {
    z_stream stream{};
    if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        throw Error(Fault::kConfig, "STATUS-003", "compressing a status list", "the compressor did not start");
    std::string out(deflateBound(&stream, bits.size()) + 32, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bits.data()));  // zlib does not write there
    stream.avail_in = static_cast<uInt>(bits.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int result = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (result != Z_STREAM_END)
        throw Error(Fault::kConfig, "STATUS-003", "compressing a status list", "the compressor did not finish");
    return "u" + crypto::base64url(out);
}

std::optional<std::string> decode_status_list(std::string_view encoded) {
    if (!encoded.starts_with('u') || encoded.size() > kStatusMostBytes) return std::nullopt;
    const auto packed = crypto::from_base64url(encoded.substr(1));
    if (!packed) return std::nullopt;
    z_stream stream{};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) return std::nullopt;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed->data()));
    stream.avail_in = static_cast<uInt>(packed->size());
    std::string out;
    int result = Z_OK;
    while (result == Z_OK && out.size() < kStatusMostBytes) {
        const std::size_t before = out.size();
        out.resize(before + 65536);
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        stream.avail_out = 65536;
        result = inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);
    }
    const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
    inflateEnd(&stream);
    if (!whole || out.size() < kStatusListSize / 8) return std::nullopt;
    return out;
}

bool status_bit(std::string_view bits, std::uint64_t index) {
    return index / 8 < bits.size() && (static_cast<unsigned char>(bits[index / 8]) & 0x80u >> index % 8) != 0;
}

}  // namespace clrbus::credentials
