// What a CPU still has in its caches after it has been idle.
//
// Models. A CPU that ends an idle period was in one of the machine's idle states (NoiseSpec::idle_states), or in none.
// It comes to the first as time passes. The deeper ones pay only where it is idle for long, so they depend on how long
// it was thought to be: as long as its last eight idle periods, if these or most of them were alike, until a tick has
// passed; otherwise for as long as it was. Each path of the kernel that has not run on this CPU since costs so much
// more the next time, and no more after that.
//
// Kernel. drivers/cpuidle/governors/menu.c: get_typical_interval; menu_select, which keeps the tick where a period is
// thought to be short (4.17 and later). Under a hypervisor it is the host that chooses.
//
// Measured. Linux 6.18 in a guest with 2 CPUs of a Xeon, nothing else running, medians of 100 and more: a mmap 0.5 us
// in a loop, 0.7 us after 200 us, 7.0 us after 2 ms; munmap 0.9, 0.9 and 6.8; a fault 1.7, 1.7 and 7.4;
// /proc/self/cmdline 1.9, 2.3 and 19; maps 11, 12 and 36. The second mmap after either sleep: 0.8. That is once per
// path and not per sleep: of a call made after each 1st, 2nd, 4th, 8th sleep of 1.06 ms 17, 43, 67, 95 % are that slow,
// and after each 50th of 100 us 1 %. A thread that is woken runs 4 us later where its CPU was idle for 30 to 100 us, 10
// to 13 us for 150 to 500 us, 150 us for 2 ms and more, one period as long as the other. Where nine in ten of them last
// 10 us it is 39 us after 2 to 5 ms (29 to 160, n 280), and 168 us after more.
//
// Simplified. A path is remembered or forgotten as a whole, by idleness alone: others that run meanwhile drive nothing
// out of the caches. What is shared with other paths counts for each of them. No timer is known in advance.
//
// Validated by tests/models/sched/idle_memory_test.cpp.
#pragma once

#include <boost/circular_buffer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/spec/noise.h"
#include "sim/random.h"

namespace models {

/// The kernel's code and data of one call.
enum class KernelPath { fault, mmap, munmap, brk, mprotect, madvise, get_mempolicy, proc_file };
inline constexpr std::size_t kKernelPathCount = static_cast<std::size_t>(KernelPath::proc_file) + 1;

/// Of one CPU.
class IdleMemory {
 public:
  /// `states` outlive it.
  IdleMemory(const std::vector<IdleState>& states, sim::Nanoseconds tick)
      : states_(states), tick_(tick), forgotten_(states.size()) {}

  /// The CPU has been idle for that long, and is no longer. The state that it was in; null: in none.
  const IdleState* end_idle(sim::Nanoseconds idle, sim::Stream& stream);
  /// What running `path` costs this time besides.
  [[nodiscard]] sim::Nanoseconds run(KernelPath path, sim::Stream& stream);

 private:
  static constexpr std::size_t kIntervals = 8;  // INTERVALS

  [[nodiscard]] sim::Nanoseconds expected(sim::Nanoseconds idle) const;

  const std::vector<IdleState>& states_;
  sim::Nanoseconds tick_;
  boost::circular_buffer<sim::Nanoseconds> lately_{kIntervals};  // idle periods
  std::uint64_t idle_periods_ = 0;                               // in a state, so far
  std::vector<std::uint64_t> forgotten_;  // by state: the last one in which it, or a deeper one, was reached
  std::array<std::uint64_t, kKernelPathCount> known_{};  // by path: how many there were when it ran
};

}  // namespace models
