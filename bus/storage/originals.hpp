// Originals: bodies that are too large for a message, and what dead letters, replay and `why` refer to. Named by their SHA-256,
// so that the same bytes are kept once: originals/ab/cdef…. A reference is sha256:HEX; what follows a second colon is ignored.
//
// store and finish return after everything is synced. Any thread; all calls block for the disk: not on an I/O thread.
// Errors: ORIGINAL-001 malformed reference (kPoison), ORIGINAL-002 not there (kPoison), ORIGINAL-003 damaged (kAway), DISK-…
// (kAway).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/file.hpp"

namespace clrbus::storage {

// Takes an original piece by piece. Dropped before finish: nothing stays.
class OriginalWriter {
public:
    virtual ~OriginalWriter() = default;
    virtual void write(std::string_view bytes) = 0;
    virtual std::uint64_t size() const = 0;
    virtual std::string finish() = 0;  // the reference
};

// Reads an original from its start. When it was read through without a seek, the last read checks the hash.
class OriginalReader {
public:
    virtual ~OriginalReader() = default;
    virtual std::size_t read(char* into, std::size_t size) = 0;  // 0 at the end
    virtual void seek(std::uint64_t offset) = 0;
    virtual std::uint64_t size() const = 0;
};

class Originals {
public:
    explicit Originals(std::string directory, Files& files = real_files());

    std::string store(std::string_view bytes);
    std::string store_file(const std::string& path);
    std::unique_ptr<OriginalWriter> begin();

    std::unique_ptr<OriginalReader> open(std::string_view reference) const;
    std::string read(std::string_view reference) const;  // whole, checked
    bool exists(std::string_view reference) const;
    std::optional<std::uint64_t> size(std::string_view reference) const;
    void remove(std::string_view reference);

    // At a start, before doors open: removes what was not finished and what nobody refers to. The number removed.
    std::size_t sweep(const std::function<bool(const std::string& reference)>& is_referenced);

private:
    struct Folders;  // which of the 256 are there for certain
    std::string path_of(std::string_view reference) const;

    const std::string directory_;
    Files& files_;
    std::shared_ptr<Folders> folders_;  // shared with writers
};

}  // namespace clrbus::storage
