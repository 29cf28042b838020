// Reads the `memory` of a scenario into models::MemorySpec, and sees to it that what is in memory at the start fits.
//
//   size                    all of the machine's memory
//   pressure                none | light | heavy: what the keys below are where they are not given
//   free                    at the start; with pressure none, all that the working set and the regions leave
//   reclaim                 linux-6.1 | linux-2.6.28: whose rules
//   min_free, watermark_scale_factor, swappiness     as in /proc/sys/vm; watermark_scale_factor is 6.1's only
//   working_set             {anon, file, touched_every}: memory that other processes use; never, without touched_every
//   dirty                   share of page cache that must be written before it can be freed
//   background              what other processes read from files in a second
//   device                  for files, and for swap that is not on zram (experiments/scenario/device_file.h); default
//   nvme, under heavy pressure
//                           sata_ssd
//   swap                    none | {size, device, readahead}: on memory.device, or on a device that is zram
//   readahead, fault_around pages of a file read, and mapped, at a time
//
// What is neither free nor in the working set nor in a region is page cache that nobody touches.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "models/spec/scenario.h"

namespace experiments {

class YamlField;
struct YamlNode;

/// `memory.device` where it is not given: nvme, and under heavy pressure sata_ssd, which reclaim can outrun.
[[nodiscard]] std::string default_device(const YamlNode& memory);

/// Reads the memory first; then it is told of each region in turn, so that the one that does not fit is at fault.
class MemoryReader {
 public:
  /// `scenario`: the folder of the scenario (file_of).
  void read(const YamlField& field, const std::filesystem::path& scenario, std::vector<Diagnostic>& diagnostics);
  /// Counts what `region` takes. `size`, `pages`: its keys, where it has them.
  void place(const models::RegionSpec& region, const std::optional<YamlField>& size,
             const std::optional<YamlField>& pages);
  /// When all regions are in their places.
  [[nodiscard]] models::MemorySpec memory() const;

 private:
  [[nodiscard]] bool fits_in_memory_and_swap(const models::RegionSpec& region, const YamlField& size);
  void swap_out(models::Bytes bytes, const YamlField& size, const std::optional<YamlField>& pages);
  void take(models::Bytes bytes, const YamlField& size);
  [[nodiscard]] models::Bytes taken() const;

  models::MemorySpec memory_;
  bool all_is_free_ = false;  // but for what is taken
  models::Bytes regions_;     // those that have nowhere to be but memory and swap
  models::Bytes swapped_;     // of them, at the start
  models::Bytes in_memory_;   // at the start: of regions, and what zram keeps of them
};

}  // namespace experiments
