// What the rest of the program has to know of each kind of thread (models/spec/scenario.h): a row each.
//
// A kind of thread is one row here, one reader in experiments/scenario/competitors.cpp and one body in
// models/workload/competitors.cpp. One that is forgotten does not compile: there is no row for all the others.
#pragma once

#include <string>
#include <variant>

#include "models/spec/scenario.h"

namespace models {

/// One kind of thread or another.
using Competitor = decltype(ThreadSpec::run);

template <typename Spec>
struct CompetitorRow {
  /// Makes requests, which have latencies and a class of samples. Otherwise it makes the calls of a script, or none.
  bool makes_requests;
  /// Where it names the process whose address space it works on; null, or no name: that of its own process.
  std::string Spec::*target = nullptr;
  int nice = 0;  ///< unless it says so itself
};

constexpr CompetitorRow<LockerSpec> competitor_row(const LockerSpec&) { return {.makes_requests = false}; }
constexpr CompetitorRow<FaulterSpec> competitor_row(const FaulterSpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<ProcReaderSpec> competitor_row(const ProcReaderSpec&) {
  return {.makes_requests = true, .target = &ProcReaderSpec::target};
}
constexpr CompetitorRow<MapperSpec> competitor_row(const MapperSpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<MadviserSpec> competitor_row(const MadviserSpec&) {
  return {.makes_requests = true, .target = &MadviserSpec::target};
}
constexpr CompetitorRow<MincoreSpec> competitor_row(const MincoreSpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<GetMempolicySpec> competitor_row(const GetMempolicySpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<ProtectorSpec> competitor_row(const ProtectorSpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<ForkerSpec> competitor_row(const ForkerSpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<RemoteReaderSpec> competitor_row(const RemoteReaderSpec&) {
  return {.makes_requests = true, .target = &RemoteReaderSpec::target};
}
constexpr CompetitorRow<MoverSpec> competitor_row(const MoverSpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<PinnerSpec> competitor_row(const PinnerSpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<MsyncSpec> competitor_row(const MsyncSpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<HolderSpec> competitor_row(const HolderSpec&) {
  return {.makes_requests = true, .target = &HolderSpec::target};
}
/// A kernel thread; khugepaged() sets itself to MAX_NICE.
constexpr CompetitorRow<KhugepagedSpec> competitor_row(const KhugepagedSpec&) {
  return {.makes_requests = true, .target = &KhugepagedSpec::target, .nice = 19};
}
constexpr CompetitorRow<NumaBalancingSpec> competitor_row(const NumaBalancingSpec&) {
  return {.makes_requests = true, .target = &NumaBalancingSpec::target};
}
/// A kernel thread; ksm_scan_thread() sets itself to nice 5.
constexpr CompetitorRow<KsmSpec> competitor_row(const KsmSpec&) {
  return {.makes_requests = true, .target = &KsmSpec::target, .nice = 5};
}
constexpr CompetitorRow<UserfaultSpec> competitor_row(const UserfaultSpec&) {
  return {.makes_requests = false, .target = &UserfaultSpec::target};
}
constexpr CompetitorRow<ReplaySpec> competitor_row(const ReplaySpec&) { return {.makes_requests = true}; }
constexpr CompetitorRow<BusySpec> competitor_row(const BusySpec&) { return {.makes_requests = false}; }

/// Whether the thread makes requests.
inline bool makes_requests(const ThreadSpec& thread) {
  return std::visit([](const auto& spec) { return competitor_row(spec).makes_requests; }, thread.run);
}

/// Its nice value, where it is not said.
inline int default_nice(const ThreadSpec& thread) {
  return std::visit([](const auto& spec) { return competitor_row(spec).nice; }, thread.run);
}

/// Whether the thread goes through its region or its recording once, and ends.
inline bool comes_once(const ThreadSpec& thread) {
  if (std::holds_alternative<ReplaySpec>(thread.run)) return true;
  const auto once = [](const auto& spec) {
    if constexpr (requires { spec.visits; }) return spec.visits.once;
    return false;
  };
  return std::visit(once, thread.run);
}

/// Whether the run may end with the thread: it has a script or a recording to go through.
inline bool comes_to_an_end(const ThreadSpec& thread) {
  return std::holds_alternative<LockerSpec>(thread.run) || std::holds_alternative<ReplaySpec>(thread.run);
}

/// The name of the process whose address space a thread of `process` works on.
inline const std::string& target_of(const ProcessSpec& process, const ThreadSpec& thread) {
  const auto named = [&](const auto& spec) -> const std::string& {
    const auto target = competitor_row(spec).target;
    return target == nullptr || (spec.*target).empty() ? process.name : spec.*target;
  };
  return std::visit(named, thread.run);
}

}  // namespace models
