// For bus/xml alone: what libxml2, libxslt and Xerces need once a process, and where their complaints go. Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace clrbus::xml_detail {

// Xerces, libxml2, libxslt and EXSLT, once. Also XERCES_DISABLE_DTD and the loaders that refuse every file and address outside
// of a compile. Called by every constructor of this room.
void init_libraries();

// The files that libxml2 and libxslt may read on this thread while a compile runs; outside of one they read nothing at all.
class FileScope {
public:
    // root: files below it may be read (an empty one: any local file). Files that were opened are recorded.
    explicit FileScope(std::filesystem::path root);
    ~FileScope();
    FileScope(const FileScope&) = delete;
    FileScope& operator=(const FileScope&) = delete;

    // The canonical path when it may be read by this thread now, else empty.
    static std::filesystem::path allowed(const std::string& uri);
    static FileScope* current();
    void read(const std::filesystem::path& file);  // records it
    const std::vector<std::filesystem::path>& files() const { return files_; }

private:
    std::filesystem::path root_;
    std::vector<std::filesystem::path> files_;
    FileScope* outer_;
};

// A place in a file.
Where place(std::string file, std::string path = {}, std::uint64_t line = 0, std::uint64_t column = 0,
            std::int64_t offset = -1);

// A whole file. Throws Error(kConfig, code).
std::string read_file(const std::filesystem::path& file, std::string_view code);

// What libxml2 reported while a Complaints object was the innermost one on this thread.
struct Complaint {
    int domain = 0;
    int code = 0;
    int line = 0;
    int column = 0;
    int position = 0;      // in an expression
    void* node = nullptr;  // of the tree that was validated
    std::string file;
    std::string text;  // may hold values of the document: never shown as it is
    std::string name;  // first argument of the message
};

// Catches libxml2's errors of this thread while it lives. At most `most` are kept, the rest is counted.
class Complaints {
public:
    explicit Complaints(std::size_t most = 50);
    ~Complaints();
    Complaints(const Complaints&) = delete;
    Complaints& operator=(const Complaints&) = delete;

    bool empty() const { return list_.empty(); }
    const std::vector<Complaint>& list() const { return list_; }
    static void take(void* self, void* error);  // an xmlError

private:
    std::size_t most_;
    std::vector<Complaint> list_;
    void* outer_context_;
    void (*outer_function_)();
};

}  // namespace clrbus::xml_detail
