// A run as a timeline, for ui.perfetto.dev and other readers of Chrome's trace event format.
//
// {"displayTimeUnit": "ns", "otherData": {scenario, policy, seed}, "traceEvents": [...]}, one event a line. `ts` is
// virtual time in microseconds with three decimals, so exact.
//
// - Each address space is a process (`pid`), its tasks are threads (`tid`, of their own in the whole file) in the order
//   of the scenario; kswapd and the background belong to the process `kernel`. What a task does is a slice (B, E) whose
//   category is its models::Cause: `cpu` under the name of its phase, and of its own name where a task of the kernel
//   is in none; `runnable`, `waking`, `waiting for mmap_sem`, `spinning on mmap_sem`, `waiting for a VMA's readers`,
//   `spinning on a VMA's readers`, `reclaiming`, `reclaim throttle`, `I/O`, `throttled`, with args.phase. Sleep is no
//   slice.
// - Each mmap_sem is a process `mmap_sem of <address space>` right behind it. Its holds are slices of category `hold`,
//   `write: locker.0 munlock`: on the thread `writer`, and for readers on as many `reader` threads as there ever are
//   readers at once. Its counters are `queue length` (without those who spin) and `readers holding`.
// - The process `CPUs` has a thread for each CPU; its slices, of category `on_cpu`, are the tasks that run there, by
// name.
//   A CPU that changes hands is nobody's in between.
// - `free pages` is a counter of the process `kernel`, taken in passing when it has changed, at most once a
//   microsecond.
// - A wake-up on behalf of a task is an arrow (s, f; category `wake`): from the last nanosecond before it, in the
//   waker's slice, to the beginning of the first slice in which the woken runs.
//
// A process or thread is named (M) before anything else is said of it, with `sort_index` its number.
// Slices of one thread do not overlap and come in the order of time; no slice and no counter is of length 0. Times of
// different threads are not in order: a slice is written when it has ended, or when an arrow leaves it; a counter when
// it changes next. E carries args.unfinished where the run ended, not the slice.
// Windows: what lies outside of them is not written, slices are cut to them, counters begin with them, an arrow needs
// both its ends in them.
// A limit: once the file has that many bytes, it ends with that moment, as a window would; a mark (i, scope g) of the
// process `kernel` says so. What closes the slices that are open then comes on top.
// B and E rather than X: readers compute with microseconds as doubles, and `ts` + `dur` of one slice may then come to
// lie behind `ts` of the next.
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "experiments/run/trace/trace_limit.h"
#include "experiments/run/trace/trace_windows.h"
#include "models/measure/observer.h"
#include "models/spec/scenario.h"

namespace experiments {

/// Writes as the run goes; remembers no more than the slices that are open.
class TraceFile {
 public:
  /// Writes to `out`, under the name of the scenario's first policy. Windows may overlap, in any order. `limit`: bytes.
  TraceFile(std::ostream& out, const models::Scenario& scenario, std::vector<TimeWindow> windows = {kWholeRun},
            models::Bytes limit = trace::kUnlimited);
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  /// To be passed to models::simulate for one run of the scenario; refers to this.
  [[nodiscard]] models::Observer observer();
  /// Writes the rest. The run ended at `end`.
  void finish(sim::Time end);
  /// From when on nothing is in the file, as it had reached its limit.
  [[nodiscard]] std::optional<sim::Time> left_out_from() const;

 private:
  class Recording;
  std::unique_ptr<Recording> recording_;
};

}  // namespace experiments
