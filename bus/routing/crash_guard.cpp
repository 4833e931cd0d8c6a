#include "routing/crash_guard.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include "core/error.hpp"

namespace clrbus {

CrashGuard::CrashGuard(const std::filesystem::path& file) {
    file_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0 || ftruncate(file_, kSlots * sizeof(std::uint64_t)) != 0) {
        throw Error(Fault::kConfig, "ROUTE-030", "opening the list of messages in hand", Where{.file = file.string()},
                    "cannot be written");
    }
    void* mapped = mmap(nullptr, kSlots * sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (mapped == MAP_FAILED) {
        close(file_);
        throw Error(Fault::kConfig, "ROUTE-030", "opening the list of messages in hand", Where{.file = file.string()},
                    "cannot be mapped");
    }
    slots_ = static_cast<std::uint64_t*>(mapped);
}

CrashGuard::~CrashGuard() {
    munmap(slots_, kSlots * sizeof(std::uint64_t));
    close(file_);
}

std::vector<std::uint64_t> CrashGuard::take_leftovers() {
    std::vector<std::uint64_t> out;
    for (int i = 0; i < kSlots; ++i) {
        if (slots_[i] != 0) out.push_back(slots_[i]);
        slots_[i] = 0;
    }
    // Counted once: a power cut must not bring back what an earlier end of the process left here.
    if (!out.empty()) fdatasync(file_);
    return out;
}

CrashGuard::Hold::Hold(CrashGuard& guard, std::uint64_t sequence) : guard_(guard), slot_(-1) {
    for (int i = 0; i < kSlots; ++i) {
        std::uint64_t free = 0;
        if (std::atomic_ref(guard_.slots_[i]).compare_exchange_strong(free, sequence)) {
            slot_ = i;
            return;
        }
    }
}

CrashGuard::Hold::~Hold() {
    if (slot_ >= 0) std::atomic_ref(guard_.slots_[slot_]).store(0);
}

}  // namespace clrbus
