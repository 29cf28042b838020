// What each kind of thread of a scenario does until the run ends.
//
// A kind of thread is one overload here, one row in models/spec/competitors.h and one reader in
// experiments/scenario/competitors.cpp. How requests come about is in models/workload/requests.h; the locker, who makes
// none, has a file of its own. Validated by tests/models/workload/workload_test.cpp.
#pragma once

#include <map>
#include <string>

#include "models/workload/workload.h"

namespace models {

class Task;

/// What a thread finds where it works.
struct Workplace {
  Mm& mm;  ///< the address space that it works on: its target's, otherwise its own process's
  const std::map<std::string, Region>& regions;  ///< those of `mm`
  const Region& first_region;                    ///< the first one of these in the scenario
  ClassRecord& record;                           ///< of its class
  CallRecords& calls;                            ///< of all lockers
};

/// Walks through the script. Returns when it has ended.
void run(Task& current, const Workplace& at, const LockerSpec& spec);

// These return only when the process whose address space they work on has exited; otherwise the run ends around them.
void run(Task& current, const Workplace& at, const FaulterSpec& spec);
void run(Task& current, const Workplace& at, const ProcReaderSpec& spec);
void run(Task& current, const Workplace& at, const MapperSpec& spec);
void run(Task& current, const Workplace& at, const MadviserSpec& spec);
void run(Task& current, const Workplace& at, const MincoreSpec& spec);
void run(Task& current, const Workplace& at, const GetMempolicySpec& spec);
void run(Task& current, const Workplace& at, const ProtectorSpec& spec);
void run(Task& current, const Workplace& at, const ForkerSpec& spec);
void run(Task& current, const Workplace& at, const RemoteReaderSpec& spec);
void run(Task& current, const Workplace& at, const BusySpec& spec);

}  // namespace models
