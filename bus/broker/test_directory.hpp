// Where it was before; tests/support has it now.
#pragma once

#include "support/test_directory.hpp"
