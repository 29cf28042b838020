#include "experiments/base/installation.h"

namespace experiments {

std::string_view program_version() { return MLOCKSIM_VERSION; }

std::filesystem::path source_directory() { return MLOCKSIM_SOURCE; }

std::filesystem::path data_beside_program() {
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return program.parent_path().parent_path() / "share" / "mlocksim";
}

std::filesystem::path data_directory() { return MLOCKSIM_DATA; }

}  // namespace experiments
