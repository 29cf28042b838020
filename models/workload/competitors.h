// What each kind of thread of a scenario does until the run ends.
//
// A kind of thread is one body in competitors.cpp, one row in models/spec/competitors.h and one reader in
// experiments/scenario/competitors.cpp. How requests come about is in models/workload/requests.h; the locker, who makes
// none, the replayed thread and userfaultfd's monitor have a file each. Validated by
// tests/models/workload/workload_test.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "models/spec/competitors.h"
#include "models/workload/workload.h"

namespace models {

class Task;

/// What a thread finds where it works.
struct Workplace {
  Mm& mm;  ///< the address space that it works on: its target's, otherwise its own process's
  const std::map<std::string, Region>& regions;  ///< those of `mm`
  const Region& first_region;                    ///< the first one of these in the scenario
  ClassRecord& record;                           ///< of its class
  CallRecords& calls;                            ///< of its class
  int threads = 1;                               ///< of its class
  std::optional<PageIndex> arena{};              ///< where it faults, if that is in memory of its own (make_arena)
};

/// What is there for it before anything runs: nobody may find it half way through the list of VMAs. `member`: its
/// number among the threads of its class.
void set_up(Workplace& at, const Competitor& competitor, int member);

/// Does what `competitor` says. Returns when a locker's script has ended, or when the process whose address space it
/// works on has exited; otherwise the run ends around it.
void run_competitor(Task& current, const Workplace& at, const Competitor& competitor);

/// Walks through the script.
void run(Task& current, const Workplace& at, const LockerSpec& spec);

/// Fills its region in as pages of it are missed.
void run(Task& current, const Workplace& at, const UserfaultSpec& spec);

/// Repeats the recording.
void run(Task& current, const Workplace& at, const ReplaySpec& spec);

}  // namespace models
