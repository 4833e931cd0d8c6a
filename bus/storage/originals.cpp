#include "storage/originals.hpp"

#include <algorithm>
#include <mutex>
#include <set>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "crypto/hash.hpp"

namespace clrbus::storage {
namespace {

constexpr std::string_view kOriginalScheme = "sha256:";
constexpr std::string_view kUnfinished = "unfinished-";
constexpr std::size_t kOriginalPiece = 256U << 10;

bool original_is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

struct Originals::Folders {
    explicit Folders(Files& given) : files(given) {}

    // There, and known to the disk: another thread may have made it a moment ago without having synced it.
    void ensure(const std::string& directory, const std::string& name) {
        const std::lock_guard lock(mutex);
        if (there.contains(name)) return;
        files.make_directory(directory + "/" + name);
        files.sync_directory(directory);
        there.insert(name);
    }

    Files& files;
    std::mutex mutex;
    std::set<std::string> there;
};

namespace {

class SpoolWriter : public OriginalWriter {
public:
    SpoolWriter(Files& files, std::string directory, std::function<void(const std::string&)> ensure_folder)
        : files_(files),
          ensure_folder_(std::move(ensure_folder)),
          directory_(std::move(directory)),
          path_(directory_ + "/" + std::string(kUnfinished) + new_uuid()),
          file_(files.open(path_, Open::kCreate)) {}

    ~SpoolWriter() override {
        if (path_.empty()) return;
        file_.reset();
        try {
            files_.remove(path_);
        } catch (const Error& e) {
            log::warn("originals", e.what());  // the sweep at the next start removes it
        }
    }

    void write(std::string_view bytes) override {
        file_->write(size_, bytes);
        size_ += bytes.size();
        hash_.update(bytes);
    }
    std::uint64_t size() const override { return size_; }

    std::string finish() override {
        const auto hex = hash_.hex();
        const auto name = hex.substr(0, 2);
        const auto folder = directory_ + "/" + name;
        const auto final_path = folder + "/" + hex.substr(2);
        file_->sync();
        file_.reset();
        ensure_folder_(name);
        files_.rename(path_, final_path);
        path_.clear();
        files_.sync_directory(folder);
        return std::string(kOriginalScheme) + hex;
    }

private:
    Files& files_;
    const std::function<void(const std::string&)> ensure_folder_;
    const std::string directory_;
    std::string path_;
    std::unique_ptr<File> file_;
    std::uint64_t size_ = 0;
    crypto::Sha256 hash_;
};

class SpoolReader : public OriginalReader {
public:
    SpoolReader(std::unique_ptr<File> file, std::string path, std::string hex)
        : file_(std::move(file)), path_(std::move(path)), hex_(std::move(hex)), size_(file_->size()) {}

    std::size_t read(char* into, std::size_t size) override {
        const auto got = file_->read(at_, into, size);
        at_ += got;
        if (checked_) return got;
        hash_.update({into, got});
        if (at_ < size_ && got == size) return got;
        checked_ = true;
        if (hash_.hex() != hex_) {
            Where where;
            where.file = path_;
            throw Error(Fault::kAway, "ORIGINAL-003", "reading an original", where,
                        "the file is damaged: its hash is another one");
        }
        return got;
    }
    void seek(std::uint64_t offset) override {
        checked_ = checked_ || offset != at_;
        at_ = offset;
    }
    std::uint64_t size() const override { return size_; }

private:
    std::unique_ptr<File> file_;
    const std::string path_, hex_;
    const std::uint64_t size_;
    std::uint64_t at_ = 0;
    bool checked_ = false;  // or cannot be
    crypto::Sha256 hash_;
};

}  // namespace

Originals::Originals(std::string directory, Files& files)
    : directory_(std::move(directory)), files_(files), folders_(std::make_shared<Folders>(files)) {
    files_.make_directory(directory_);
}

std::string Originals::path_of(std::string_view reference) const {
    auto hex = reference.starts_with(kOriginalScheme) ? reference.substr(kOriginalScheme.size()) : std::string_view();
    hex = hex.substr(0, hex.find(':'));
    if (hex.size() != 64 || !original_is_hex(hex)) {
        throw Error(Fault::kPoison, "ORIGINAL-001", "looking for an original",
                    "the reference is malformed: sha256:HEX was expected");
    }
    return directory_ + "/" + std::string(hex.substr(0, 2)) + "/" + std::string(hex.substr(2));
}

std::unique_ptr<OriginalWriter> Originals::begin() {
    return std::make_unique<SpoolWriter>(
        files_, directory_,
        [folders = folders_, directory = directory_](const std::string& name) { folders->ensure(directory, name); });
}

std::string Originals::store(std::string_view bytes) {
    auto reference = std::string(kOriginalScheme) + crypto::sha256_hex(bytes);
    if (const auto there = size(reference); there && *there == bytes.size()) {
        // Another thread may have named it a moment ago without having synced the name.
        const auto path = path_of(reference);
        files_.sync_directory(path.substr(0, path.rfind('/')));
        return reference;
    }
    auto writer = begin();
    writer->write(bytes);
    return writer->finish();
}

std::string Originals::store_file(const std::string& path) {
    const auto file = files_.open(path, Open::kRead);
    auto writer = begin();
    std::string piece(kOriginalPiece, '\0');
    std::size_t got = 0;
    for (std::uint64_t at = 0; (got = file->read(at, piece.data(), piece.size())) > 0; at += got) {
        writer->write(std::string_view(piece).substr(0, got));
    }
    return writer->finish();
}

std::unique_ptr<OriginalReader> Originals::open(std::string_view reference) const {
    auto path = path_of(reference);
    if (!files_.exists(path)) {
        throw Error(Fault::kPoison, "ORIGINAL-002", "looking for an original",
                    "it is not there: it was removed, or its retention has ended");
    }
    auto file = files_.open(path, Open::kRead);
    return std::make_unique<SpoolReader>(std::move(file), std::move(path),
                                         std::string(reference.substr(kOriginalScheme.size(), 64)));
}

std::string Originals::read(std::string_view reference) const {
    const auto reader = open(reference);
    std::string bytes(reader->size(), '\0');
    std::size_t at = 0;
    while (const auto got = reader->read(bytes.data() + at, bytes.size() - at)) at += got;
    bytes.resize(at);
    return bytes;
}

bool Originals::exists(std::string_view reference) const {
    return files_.exists(path_of(reference));
}

std::optional<std::uint64_t> Originals::size(std::string_view reference) const {
    const auto path = path_of(reference);
    if (!files_.exists(path)) return std::nullopt;
    return files_.open(path, Open::kRead)->size();
}

void Originals::remove(std::string_view reference) {
    const auto path = path_of(reference);
    files_.remove(path);
    files_.sync_directory(path.substr(0, path.rfind('/')));
}

std::size_t Originals::sweep(const std::function<bool(const std::string& reference)>& is_referenced) {
    std::size_t removed = 0;
    for (const auto& name : files_.list(directory_)) {
        if (name.starts_with(kUnfinished)) {
            files_.remove(directory_ + "/" + name);
            ++removed;
        }
        if (name.size() != 2 || !original_is_hex(name)) continue;
        bool changed = false;
        const auto folder = directory_ + "/" + name;
        for (const auto& rest : files_.list(folder)) {
            if (rest.size() != 62 || !original_is_hex(rest) || is_referenced(std::string(kOriginalScheme) + name + rest))
                continue;
            files_.remove(folder + "/" + rest);
            changed = true;
            ++removed;
        }
        if (changed) files_.sync_directory(folder);
    }
    return removed;
}

}  // namespace clrbus::storage
