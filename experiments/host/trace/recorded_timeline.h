// A recording as a timeline, in the form of that of a run (experiments/run/trace_file.h), for ui.perfetto.dev.
//
// - Each address space is a process, and its mmap_lock another right behind it, with its holds and counters. Both are
//   there from the first time that somebody asks for that lock; they have the name of who did, and at the end, once
//   more, the one that the tables use.
// - A thread is in the process that it works on; one that never asks for a lock is not there. Its slices are what it
//   went through in requests that did (trace_analysis.h): the system call, `fault` or `proc_read` while it runs, and
//   else `waiting for mmap_sem`, `waiting for another lock`, `runnable`, `asleep`. Of a request that has not asked yet
//   nothing is known to be worth showing: its slice begins in the past.
// - Without sched_switch and sched_wakeup nothing tells that a thread does not run. There are no CPUs and no arrows.
#pragma once

#include <boost/container/small_vector.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/host/trace/traced_lock.h"
#include "experiments/host/trace/traced_thread.h"
#include "experiments/run/trace/lock_tracks.h"
#include "experiments/run/trace/trace_limit.h"
#include "experiments/run/trace/trace_tracks.h"
#include "experiments/run/trace/trace_windows.h"
#include "experiments/run/trace/trace_writer.h"
#include "sim/time.h"

namespace experiments {

/// Writes as the recording is read; remembers a little of each thread and address space.
class RecordedTimeline {
 public:
  /// `name`: of the recording. `limit`: bytes.
  RecordedTimeline(std::ostream& out, const std::string& name, std::vector<TimeWindow> windows,
                   models::Bytes limit = trace::kUnlimited);
  RecordedTimeline(const RecordedTimeline&) = delete;
  RecordedTimeline& operator=(const RecordedTimeline&) = delete;

  /// Something may have changed for `thread`: to be told in the order of time.
  void update(const TracedThread& thread, sim::Time now);
  /// Writes the rest. `names`: of the address spaces by their mm.
  void finish(sim::Time end, const std::map<std::uint64_t, std::string>& names);
  /// From when on nothing is in the file, as it had reached its limit.
  [[nodiscard]] std::optional<sim::Time> left_out_from() const { return limit_.left_out_from(); }

 private:
  struct AddressSpace {
    int pid;
    std::string name;
    trace::LockTracks lock;
  };
  struct Thread {
    std::optional<trace::Track> track{};
    std::string title{};  // of the slice that is open; empty: none
    boost::container::small_vector<TracedThread::Hold, 2> holds{};
    TracedLock* waited_for = nullptr;
    sim::Time ended{};  // its last slice
  };

  static constexpr int kFirstPid = 1;

  AddressSpace& space_of(std::uint64_t mm, const std::string& name);
  AddressSpace& space_of(const TracedLock& lock) { return space_of(lock.mm(), lock.comm()); }
  void show_holds(const TracedThread& thread, Thread& shown, sim::Time now);
  void show_request(const TracedThread& thread, Thread& shown, sim::Time now);
  trace::Track& track_of(const TracedThread& thread, const TracedRequest& request, Thread& shown);

  trace::Windows windows_;
  trace::Writer events_;
  trace::Limit limit_;
  int next_pid_ = kFirstPid;
  int next_tid_ = 1;
  std::map<std::uint64_t, std::unique_ptr<AddressSpace>> spaces_;  // by mm
  std::unordered_map<int, Thread> threads_;                        // by tid
};

}  // namespace experiments
