// Tables and layouts are written by people of the site: what is wrong with them is said, never worse.
#include <unistd.h>

#include <fstream>
#include <string>

#include "core/error.hpp"
#include "formats/fixed_layout.hpp"
#include "formats/x12_tables.hpp"
#include "fuzz/targets.hpp"
#include "support/test_directory.hpp"

namespace clrbus::fuzz {

void x12_tables(std::string_view bytes) {
    static const TestDirectory folder;
    const std::string file = folder.path() + "/table.xml", source = CLRBUS_SOURCE_DIR;
    std::ofstream(file, std::ios::binary) << bytes;
    try {
        (void)X12Tables::load({file}, source + "/xsd/x12/table.xsd");
    } catch (const Error&) {
    }
    try {
        (void)FixedLayout::load(file, source + "/xsd/fixed/layout.xsd");
    } catch (const Error&) {
    }
}

}  // namespace clrbus::fuzz
