// The actors of a scenario: what each kind of thread does until the run ends.
//
// A closed loop thinks, asleep, and then makes a request, whose latency counts from the moment it is made. An open loop
// has requests due at times of their own; latency counts from there, so nothing is hidden by coordinated omission.
// Validated by tests/models/workload/workload_test.cpp.
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

class Task;

/// Where a named region of a process lies, and how it is mapped.
struct Region {
  PageIndex start;
  PageCount pages;
  int vmas = 1;
  VmFlags flags{};  ///< of the first VMA; every second one is readonly besides
};

/// The region of `spec` at `start`.
[[nodiscard]] Region region_at(const RegionSpec& spec, PageIndex start);
/// A VMA of a region.
struct RegionPiece {
  PageIndex start;
  PageIndex end;
  VmFlags flags;
};
[[nodiscard]] RegionPiece piece_of(const Region& region, int index);

/// The names of the calls that a locker's script makes, each once: the keys of its CallRecords.
[[nodiscard]] std::vector<std::string> call_names(const LockerSpec& spec);

/// Walks through the script. Returns when it has ended.
void run_locker(Task& current, Mm& mm, const LockerSpec& spec, Region region, CallRecords& calls);

// These return only when the process whose address space they work on has exited; otherwise the run ends around them.
/// `region`: where it faults, if not in an area of its own.
void run_faulter(Task& current, Mm& mm, const FaulterSpec& spec, std::optional<Region> region, ClassRecord& record);
void run_proc_reader(Task& current, Mm& target, const ProcReaderSpec& spec, ClassRecord& record);
/// `region`: where it maps and unmaps, if not in an area of its own.
void run_mapper(Task& current, Mm& mm, const MapperSpec& spec, std::optional<Region> region, ClassRecord& record);
void run_madviser(Task& current, Mm& mm, const MadviserSpec& spec, Region region, ClassRecord& record);
void run_mincore(Task& current, Mm& mm, const MincoreSpec& spec, Region region, ClassRecord& record);
void run_get_mempolicy(Task& current, Mm& mm, const GetMempolicySpec& spec, Region region, ClassRecord& record);
void run_protector(Task& current, Mm& mm, const ProtectorSpec& spec, Region region, ClassRecord& record);
void run_forker(Task& current, Mm& mm, const ForkerSpec& spec, ClassRecord& record);
void run_busy(Task& current, const BusySpec& spec);
/// `region`: of the target.
void run_remote_reader(Task& current, Mm& target, const RemoteReaderSpec& spec, Region region, ClassRecord& record);

}  // namespace models
