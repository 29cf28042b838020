// What all measurements share: what they may use, clocks, memory that goes away by itself, threads on a CPU.
#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "tools/probe/readings.h"

namespace probe {

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kHugePage = std::size_t{2} << 20U;
inline constexpr std::size_t kLeastToLock = 256 * kPage;  // fewer pages do not stand out from the call
inline constexpr int kReadWrite = PROT_READ | PROT_WRITE;

/// What the measurements may use.
struct Settings {
  std::size_t memory = 0;    ///< bytes; what is mapped and touched at a time is not more
  std::size_t lockable = 0;  ///< bytes that may be locked, `memory` at most
  bool quick = false;
  std::vector<int> cpus;  ///< those that this process may run on
};

/// What is wrong is the user's, or this machine's: it is too small for what was asked for.
class BadInput : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A system call failed, or there is nothing to measure here. Its text is for people.
[[noreturn]] void fail(const std::string& why);
/// `what`, with the text of errno.
[[noreturn]] void fail_with_errno(const std::string& what);
/// Fails with errno where a system call has returned -1.
void check(long result, const char* what);

/// How many pages they are.
inline double pages_of(std::size_t bytes, std::size_t page = kPage) {
  return static_cast<double>(bytes) / static_cast<double>(page);
}

// --- clocks, in nanoseconds ---------------------------------------------------------------------------------

[[nodiscard]] std::int64_t now();
/// The CPU time of this thread: what it was preempted for does not count. A system call, hence for long work only.
[[nodiscard]] std::int64_t cpu_time();

inline constexpr std::int64_t kMillisecond = 1'000'000;

/// May be woken earlier by a signal.
void sleep_for(std::int64_t nanoseconds);

/// As long as it lives the timers of this thread are not late on purpose: PR_SET_TIMERSLACK is 1 ns, and not 50 us.
class PunctualTimers {
 public:
  PunctualTimers();
  ~PunctualTimers();
  PunctualTimers(const PunctualTimers&) = delete;
  PunctualTimers& operator=(const PunctualTimers&) = delete;

 private:
  int slack_;
};

/// The CPU time that work took.
template <typename Work>
double cpu_time_of(Work work) {
  const std::int64_t start = cpu_time();
  work();
  return static_cast<double>(cpu_time() - start);
}
/// The time that short work took, less what looking at the clock takes.
[[nodiscard]] double clock_cost();
template <typename Work>
double time_of(Work work) {
  const std::int64_t start = now();
  work();
  return static_cast<double>(now() - start) - clock_cost();
}

// --- memory -------------------------------------------------------------------------------------------------

/// Addresses that nobody is given, and nobody may use, from a huge page on; with a page more on either side, so that
/// what is mapped there does not merge with what is beside it.
[[nodiscard]] char* reserve_range(std::size_t size);

/// A range of addresses, private and anonymous, that begins at a huge page. Unmapped at the end, whatever became of it.
class Region {
 public:
  /// `protection`: as of mmap. Nothing is touched.
  Region(std::size_t size, int protection);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  [[nodiscard]] char* at(std::size_t offset = 0) const { return start_ + offset; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Maps it anew, absent, so that nobody else is given addresses in it.
  void reserve(std::size_t offset, std::size_t size, int protection) const;

 private:
  char* start_ = nullptr;
  std::size_t size_;
};

/// Pages of 4 KiB that are absent, and for which the kernel has ones that no cache holds any more: what was given back
/// last is handed out first, so more than a core's cache can hold was given back after them, and taken again.
class ColdPages {
 public:
  ColdPages(const Settings& settings, std::size_t count);

  [[nodiscard]] std::size_t count() const { return (region_.size() - taken_) / kPage; }
  [[nodiscard]] volatile char* at(std::size_t number) const { return region_.at(taken_ + number * kPage); }

 private:
  std::size_t taken_;  // bytes
  Region region_;
};

/// Reads a file to its end and returns how many bytes it had. Opens and closes it.
std::size_t read_through(const char* file);
/// The CPU time that this takes, the shortest of three, as others only add to it; below zero where there is no such
/// file.
[[nodiscard]] double file_time(const char* file);
/// A small file's text, without blanks at its end; empty where it cannot be read.
[[nodiscard]] std::string text_of(const std::string& file);
/// How many VMAs a process has, by its name in /proc: `self` or a number.
[[nodiscard]] int vmas_of(const std::string& process);

// --- processes and CPUs -------------------------------------------------------------------------------------

/// The CPU time that fork() took, the shortest of three. The children are gone when it returns.
double fork_time();
/// Waits for a child.
void wait_for(pid_t child);

/// Where this process may run.
[[nodiscard]] std::vector<int> allowed_cpus();

/// This thread stays on one CPU, until the end of the scope.
class OnCpu {
 public:
  explicit OnCpu(int cpu);
  ~OnCpu();
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;

 private:
  cpu_set_t before_{};
};

}  // namespace probe
