// Results as JSON: the documented form, for people and scripts. The complete form, which can be read back, is
// result_pack.h.
//
// The documented form (schema `mlocksim/1`), all times in whole nanoseconds:
//   schema, scenario, policy, seed, outcome ("completed", "out_of_memory"), sim_time_ns, warm_up_ns,
//     cool_down_ns (models/measure/measurement.h)
//   classes.<class>: cpu_ns (all CPU time), spin_ns (what of it went into spinning for a lock), involuntary_switches,
//     open_loop, warm_up (requests left out), unfinished (when the run ended), cut_off (those of them that were never
//     served), longest_ns (the longest request, those left out and never served included), time (of all its threads, by
//     cause, to the end of the run; with lock_wait_by as below), total, during.<phase>
//     each: count, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns, blame, tail_blame
//     A percentile with fewer than ten samples beyond it is null. <phase> is a call ("mlock") or a part
//     ("mlock.populate"). blame: cpu, run_queue, throttled, wake_up, lock_wait, direct_reclaim, reclaim_throttle,
//     device_io and, on a machine with noise, interrupted: sums that add up to count x mean; and lock_wait_by: what
//     lock_wait consists of, a list of {holder, mode (read, write), phase (of the holder), lock (mmap_sem, vma, mutex),
//     doing (what the holder's own time went into: cpu, run_queue ...), cpu_taken_by (who had the CPU that it waited
//     for; only then), behind (the queued writer that a reader stood behind; only then), ns}. tail_blame: the same of
//     the slowest, from `from_ns` on; p99_blame, p999_blame: of the slowest 1 % and 0.1 %, or null.
//   locks.mmap_sem: process, read/write {acquisitions, contended, wait}, asked (by class, phase and mode: acquisitions,
//     contended, longest_ns, waiting_at_end, lock_wait_ns: what of their time went to Cause::lock_wait, wait with
//     total_ns and by_power_of_two), hold.<holder>, holder_off_cpu (a holder that could run and did not: preempted, or
//     granted the semaphore in its sleep, by mode), handoffs, convoys ... That of another process is
//     locks.mmap_sem.<process>, a lock of user space locks.mutex.<process>/<name>
//   syscalls.<call>: calls (that have returned), mean_ns, max_ns (null: none has), pages, failed, eagain; of all
//     lockers. classes.<class>.syscalls: the same of one class, and of those that make requests
//   memory: watermarks_pages, pages_at_end, lowest_free_pages, allocated_pages, swap_used_pages; kswapd; direct, with
//     the stalls' latencies; aging, where MGLRU has aged anything: generations, processes_walked,
//     processes_passed_over; pages: what reclaim and major faults did to how many; device: requests, their latencies;
//     series.<quantity>: its min, max and last value in each `every_ns` of the run, at most 256 of them
//   engine: events, wall_ns (the only figure that differs from run to run), preemptions
#pragma once

#include <string>
#include <vector>

#include "experiments/base/json.h"
#include "models/measure/result.h"
#include "models/spec/machine.h"

namespace experiments {

/// The documented form.
[[nodiscard]] Json to_json(const models::Result& result);

/// What it was run on, which a result does not know: name, cpus, scheduler (the kernel that it is of, or null).
[[nodiscard]] Json to_json(const models::Machine& machine);

/// As a store keeps it: in one line, without wall time, so that the same run gives the same bytes.
[[nodiscard]] std::string result_text(const models::Result& result);

/// The class of that number, by its name; what belongs to none is the kernel's own.
[[nodiscard]] std::string class_name(models::ClassId id, const std::vector<std::string>& classes);

/// Who kept a waiter out, in words: `locker write munlock.walk`, `locker read mlock.populate, behind mapper`; and what
/// the holder was about, if not working: `locker write mlock.populate in direct_reclaim`,
/// `smaps read proc_read in run_queue (busy has its CPU)`; `maps read proc_read with a VMA's lock`.
/// `classes` are the names by number; what belongs to none is the kernel's own.
[[nodiscard]] std::string to_text(const models::LockBlame& blame, const std::vector<std::string>& classes);

}  // namespace experiments
