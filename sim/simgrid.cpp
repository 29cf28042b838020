#include "sim/simgrid.h"

#include <dlfcn.h>
#include <xbt/base.h>  // version.h needs it

#include <simgrid/version.h>

#include <stdexcept>

#include "sim/simgrid_module.h"

namespace sim {

namespace {

// Found where the program's RUNPATH says: beside what was built, or in the libraries' folder of an installation.
StartSimGrid* loaded() {
  void* const module = dlopen(kSimGridModule, RTLD_LAZY | RTLD_LOCAL);
  void* const start = module == nullptr ? nullptr : dlsym(module, kStartSimGrid);
  if (start == nullptr) throw std::runtime_error(std::string("SimGrid cannot be loaded: ") + dlerror());
  return reinterpret_cast<StartSimGrid*>(start);
}

StartSimGrid* start_function() {
  static StartSimGrid* const start = loaded();
  return start;
}

}  // namespace

void load_simgrid() { (void)start_function(); }

std::unique_ptr<SimGrid> start_simgrid(const std::vector<std::string>& arguments) {
  return std::unique_ptr<SimGrid>(start_function()(arguments));
}

std::string simgrid_version() {
  const std::string version = std::to_string(SIMGRID_VERSION_MAJOR) + "." + std::to_string(SIMGRID_VERSION_MINOR);
  return SIMGRID_VERSION_PATCH == 0 ? version : version + "." + std::to_string(SIMGRID_VERSION_PATCH);
}

}  // namespace sim
