#include "experiments/version.h"

namespace experiments {

std::string_view program_version() { return MLOCKSIM_VERSION; }

}  // namespace experiments
