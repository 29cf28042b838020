#include "tools/probe/workload/lock_paths.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "tools/probe/measuring.h"

namespace probe {

namespace {

using experiments::LockPaths;
using models::HoldMode;

constexpr const char* kParameters = "/sys/module/mlock/parameters/";

void tell(const std::string& name, std::int64_t value) {
  std::ofstream file(kParameters + name);
  file << value << std::flush;
  if (!file) throw BadInput(kParameters + name + ": cannot be written; it takes root");
}

// The numbers of tools/lab/munlock-modes.c.
std::int64_t number_of(HoldMode mode, const std::array<HoldMode, 3>& modes, const char* what) {
  const auto* const found = std::find(modes.begin(), modes.end(), mode);
  if (found == modes.end()) throw BadInput(std::string("the patched kernel cannot ") + what + " as the scenario asks");
  return found - modes.begin();
}

}  // namespace

void choose_lock_paths(const std::optional<LockPaths>& paths) {
  if (!std::filesystem::exists(kParameters)) {
    if (!paths) return;
    throw BadInput(
        "the scenario asks for another way of holding mmap_lock, and this kernel cannot be told: "
        "tools/kernel-lab --patched builds one that can");
  }
  const LockPaths wanted = paths.value_or(LockPaths{});
  tell("munlock_mode",
       number_of(wanted.munlock.mode, {HoldMode::write_held, HoldMode::downgrade, HoldMode::chunked_write}, "munlock"));
  tell("munlock_batch", std::max<std::int64_t>(wanted.munlock.batch.count(), 1));
  tell("munlock_if_contended", wanted.munlock.if_contended ? 1 : 0);
  tell("munlock_hand_over", wanted.munlock.hand_over ? 1 : 0);
  tell("populate_mode",
       number_of(wanted.populate, {HoldMode::drop_and_read, HoldMode::write_held, HoldMode::downgrade}, "populate"));
}

}  // namespace probe
