#include "experiments/base/installation.h"

namespace experiments {

std::string_view program_version() { return MLOCKSIM_VERSION; }

std::filesystem::path source_directory() { return MLOCKSIM_SOURCE; }

std::filesystem::path data_directory() { return MLOCKSIM_DATA; }

}  // namespace experiments
