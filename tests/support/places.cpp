#include "tests/support/places.h"

#include <cstdlib>

namespace tests {

std::filesystem::path source_tests() { return MLOCKSIM_SOURCE_TESTS; }

std::filesystem::path source_configs() { return source_tests().parent_path() / "configs"; }

std::string mlocksim_binary() { return MLOCKSIM_BINARY; }

std::string probe_binary() { return MLOCKSIM_PROBE_BINARY; }

void use_source_configs() { ::setenv("MLOCKSIM_CONFIGS", source_configs().c_str(), 1); }

}  // namespace tests
