// What the threads of a scenario (models/workload/competitors.h) work on, and what a locker's calls came to.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/measure/recorder.h"
#include "models/measure/result.h"
#include "models/mm/mm.h"
#include "models/spec/scenario.h"

namespace models {

/// Where a named region of a process lies, and how it is mapped.
struct Region {
  PageIndex start;
  PageCount pages;
  int vmas = 1;
  VmFlags flags{};  ///< of the first VMA; every second one is readonly besides
};

/// The region of `spec` at `start`, where transparent huge pages are as `thp` says.
[[nodiscard]] Region region_at(const RegionSpec& spec, PageIndex start, Thp thp = Thp::never);
/// The order of the folios that `spec` begins with: that of THP needs no advice only where it is on always.
[[nodiscard]] int folio_order_of(const RegionSpec& spec, Thp thp);
/// A VMA of a region.
struct RegionPiece {
  PageIndex start;
  PageIndex end;
  VmFlags flags;
};
[[nodiscard]] RegionPiece piece_of(const Region& region, int index);

/// A page of an allocator's arena that has been in use for long: which of them it is makes no difference.
[[nodiscard]] PageIndex make_arena(Mm& mm);

/// The process's stack, if a script lets it grow and it is not there yet.
void set_up_stack(Mm& mm, const LockerSpec& spec);

/// Where mremap may move the first `pages` of `region` to: nobody else is given it. `aligned`: the two places lie alike
/// in their page tables.
[[nodiscard]] PageIndex place_to_move_to(Mm& mm, const Region& region, PageCount pages, bool aligned);

/// The names of the calls that a locker's script makes, each once: the keys of its CallRecords.
[[nodiscard]] std::vector<std::string> call_names(const LockerSpec& spec);

}  // namespace models
