// What each VMA costs, and what calls cost besides pages and VMAs.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include "experiments/host/after_idle.h"
#include "tools/probe/parts.h"

namespace probe {

namespace {

using experiments::AfterIdle;
using experiments::kDeepIdle;
using experiments::kHalted;

// --- VMAs ---------------------------------------------------------------------------------------------------

/// Mappings of a page each, empty, that do not merge, as neighbours may not do the same.
class ManyVmas {
 public:
  explicit ManyVmas(std::size_t count) : region_(count * kPage, PROT_READ) {
    for (std::size_t page = 1; page < count; page += 2) {
      check(mprotect(region_.at(page * kPage), kPage, kReadWrite), "mprotect");
    }
  }
  [[nodiscard]] const Region& region() const { return region_; }

 private:
  Region region_;
};

void measure_vmas(const Settings& settings, Readings& readings) {
  struct VmaFile {
    const char* file;
    const char* quantity;
    double without;
  };
  std::array<VmaFile, 4> files{{{"/proc/self/maps", "maps_vma", 0},
                                {"/proc/self/smaps", "smaps_vma", 0},
                                {"/proc/self/smaps_rollup", "smaps_rollup_vma", 0},
                                {"/proc/self/numa_maps", "numa_maps_vma", 0}}};
  for (VmaFile& file : files) file.without = file_time(file.file);
  const double fork_without = fork_time();
  const bool few = settings.quick || settings.lockable < (std::size_t{64} << 20U);
  const std::size_t count = few ? 1000 : 8000;
  const ManyVmas vmas(count);
  const double all = static_cast<double>(count);
  for (const VmaFile& file : files) {
    if (file.without >= 0) readings.add(file.quantity, (file_time(file.file) - file.without) / all);
  }
  readings.add("fork_vma", (fork_time() - fork_without) / all);
  // Only what is there is locked, or the pages would be part of it.
  bool locked = false;
  const double lock = cpu_time_of([&] { locked = mlockall(MCL_CURRENT | MCL_ONFAULT) == 0; });
  if (locked) {
    const double unlock = cpu_time_of([] { munlockall(); });
    readings.add("mlockall_vma", lock / all);
    readings.add("munlockall_vma", unlock / all);
  }
  const Region& region = vmas.region();
  readings.add("munmap_vma", cpu_time_of([&] { check(munmap(region.at(), region.size()), "munmap"); }) / all);
  region.reserve(0, region.size(), PROT_NONE);
}

// --- single calls -------------------------------------------------------------------------------------------

int calls_of(const Settings& settings) { return settings.quick ? 250 : 1000; }

/// A call that is so short that the clock would show: many at a time.
template <typename Call>
double time_of_short(Call call) {
  constexpr int kTimes = 100;
  const double time = time_of([&] {
    for (int i = 0; i < kTimes; ++i) call();
  });
  return time / kTimes;
}

template <typename Call>
void measure_short(Readings& readings, const char* quantity, Call call) {
  readings.add(quantity, time_of_short(call));
}

/// How long it takes to map a page, which `page` then is.
double time_of_mmap(void*& page) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  const double time = time_of([&] { page = mmap(nullptr, kPage, kReadWrite, flags, -1, 0); });
  if (page == MAP_FAILED) fail_with_errno("mmap");
  return time;
}

void measure_calls(const Settings& settings, Readings& readings) {
  const int calls = calls_of(settings);
  for (int i = 0; i < calls / 5; ++i) measure_short(readings, "getppid", [] { syscall(SYS_getppid); });
  for (int i = 0; i < calls; ++i) {
    void* page = nullptr;
    readings.add("mmap_call", time_of_mmap(page));
    readings.add("munmap_call", time_of([&] { munmap(page, kPage); }));
  }
}

// How much a call takes that is the first of its kind since this CPU was idle: it slept meanwhile, as nobody else is
// here. Its clock, its caches and its TLB are the less there the longer that was.
void measure_after_sleep(const Settings& settings, Readings& readings, const AfterIdle& idle) {
  const int rounds = settings.quick ? 10 : 20;
  const auto after_sleep = [&](const char* call, auto make) {
    sleep_for(idle.length);
    readings.add(idle.quantity(call), time_of(make));
  };
  // Each kind by itself: the others would drive more of it out of the caches than the sleep does.
  for (int round = 0; round < rounds; ++round) {
    void* page = nullptr;
    sleep_for(idle.length);
    readings.add(idle.quantity("mmap"), time_of_mmap(page));
    after_sleep("munmap", [&] { munmap(page, kPage); });
  }
  // As those of a loop (page_parts.cpp) are.
  const ColdPages pages(settings, static_cast<std::size_t>(rounds));
  for (std::size_t page = 0; page < pages.count(); ++page) after_sleep("fault", [&] { *pages.at(page) = 1; });
  for (const auto& [call, file] : {std::pair{"maps_file", "/proc/self/maps"}, {"cmdline_file", "/proc/self/cmdline"}}) {
    for (int round = 0; round < rounds; ++round) after_sleep(call, [file = file] { (void)read_through(file); });
  }
}

// From how much idleness on it takes longer, with a mmap after each sleep.
void measure_mmap_after_sleeps(const Settings& settings, Readings& readings) {
  for (const AfterIdle& idle : kDeepIdle) {
    for (int round = 0; round < (settings.quick ? 10 : 20); ++round) {
      void* page = nullptr;
      sleep_for(idle.length);
      readings.add(idle.quantity("each_mmap"), time_of_mmap(page));
      munmap(page, kPage);
    }
  }
}

void measure_after_sleeps(const Settings& settings, Readings& readings) {
  const PunctualTimers punctual;
  measure_after_sleep(settings, readings, kHalted);
  measure_after_sleep(settings, readings, kDeepIdle.back());
  measure_mmap_after_sleeps(settings, readings);
}

std::vector<std::string> after_sleep_quantities() {
  std::vector<std::string> names;
  for (const AfterIdle& idle : kDeepIdle) names.push_back(idle.quantity("each_mmap"));
  for (const AfterIdle& idle : {kHalted, kDeepIdle.back()}) {
    for (const char* const call : {"mmap", "munmap", "fault", "maps_file", "cmdline_file"}) {
      names.push_back(idle.quantity(call));
    }
  }
  return names;
}

// mprotect() of a page between others: all of a VMA; a part of one, which then is split twice, and merged twice where
// it becomes as its neighbours again. The page is absent: what is measured is the VMAs.
void measure_splits_of_vmas(const Settings& settings, Readings& readings) {
  const Region region(8 * kPage, kReadWrite);
  const auto protect = [&](std::size_t page, int protection) {
    return time_of([&] { check(mprotect(region.at(page * kPage), kPage, protection), "mprotect"); });
  };
  for (int i = 0; i < calls_of(settings) / 5; ++i) {
    const double two_splits = protect(3, PROT_NONE);
    const double whole = protect(3, PROT_READ);
    const double two_merges = protect(3, kReadWrite);
    readings.add("mprotect_whole_vma", whole);
    readings.add("vma_split", (two_splits - whole) / 2);
    readings.add("vma_merge", (two_merges - whole) / 2);
  }
}

/// A VMA of one page that is present, with mprotect() there and back. Another one beside it keeps their page table.
class OnePage {
 public:
  OnePage() : region_(5 * kPage, PROT_NONE) {
    for (const std::size_t at : {kPage, 3 * kPage}) {
      region_.reserve(at, kPage, kReadWrite);
      *static_cast<volatile char*>(region_.at(at)) = 1;
    }
  }
  [[nodiscard]] double protect() const {
    const double time = time_of([&] { check(mprotect(region_.at(kPage), kPage, PROT_READ), "mprotect"); });
    check(mprotect(region_.at(kPage), kPage, kReadWrite), "mprotect");
    return time;
  }

  /// It is gone then.
  [[nodiscard]] double unmap() const {
    return time_of([&] { check(munmap(region_.at(kPage), kPage), "munmap"); });
  }

 private:
  Region region_;
};

void measure_madvise(const Settings& settings, Readings& readings) {
  const Region region(kPage, kReadWrite);
  for (int i = 0; i < calls_of(settings) / 5; ++i) {
    measure_short(readings, "madvise_call", [&] { (void)madvise(region.at(), kPage, MADV_DONTNEED); });
    const OnePage page;
    readings.add("mprotect_call", page.protect());
    readings.add("munmap_present_4k", page.unmap());
  }
  // MPOL_F_ADDR alone: whose policy it is, not where the page is.
  constexpr int kPolicyOfAddress = 2;
  int mode = 0;
  const auto ask = [&] { return syscall(SYS_get_mempolicy, &mode, nullptr, 0, region.at(), kPolicyOfAddress); };
  for (int i = 0; ask() == 0 && i < calls_of(settings) / 5; ++i) {
    measure_short(readings, "get_mempolicy_call", [&] { (void)ask(); });
  }
  // Where nothing is mapped it takes mmap_lock, looks for the VMA, and gives mmap_lock up again. Each beside a call
  // that does nothing: the difference is smaller than what both vary by from one moment to the next.
  check(munmap(region.at(), kPage), "munmap");
  for (int i = 0; ask() == -1 && errno == EFAULT && i < calls_of(settings) / 5; ++i) {
    const double nothing = time_of_short([] { syscall(SYS_getppid); });
    readings.add("look_for_vma", time_of_short([&] { (void)ask(); }) - nothing);
  }
}

// The same mprotect() with threads of this process on other CPUs, whose TLBs it has to flush: how much longer, for
// each.
void measure_flushes(const Settings& settings, Readings& readings) {
  constexpr std::size_t kMostOthers = 7;
  const std::size_t others = std::min(kMostOthers, settings.cpus.size() - 1);
  if (others == 0) fail("there is one CPU");
  const OnCpu here(settings.cpus.front());
  const OnePage page;
  std::vector<double> alone;
  for (int i = 0; i < 100; ++i) alone.push_back(page.protect());
  const double median_alone = percentile(alone, 0.5);
  std::atomic<bool> end{false};
  std::atomic<std::size_t> spinning{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i <= others; ++i) {
    threads.emplace_back([&, i] {
      const OnCpu there(settings.cpus[i]);
      ++spinning;
      while (!end.load(std::memory_order_relaxed)) {
      }
    });
  }
  while (spinning.load() < others) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) {
    readings.add("tlb_flush_cpu", (page.protect() - median_alone) / static_cast<double>(others));
  }
  end = true;
  for (std::thread& thread : threads) thread.join();
}

// open(), read() to the end and close() of files of /proc, as long as this process has few VMAs.
void measure_proc_files(const Settings& settings, Readings& readings) {
  struct File {
    const char* file;
    const char* quantity;
  };
  for (const File& each : {File{"/proc/self/maps", "maps_file"}, File{"/proc/self/smaps_rollup", "smaps_rollup_file"},
                           File{"/proc/self/cmdline", "cmdline_file"}, File{"/proc/self/comm", "comm_file"}}) {
    if (access(each.file, R_OK) != 0) continue;
    for (int i = 0; i < calls_of(settings) / 5; ++i) {
      readings.add(each.quantity, time_of([&] { (void)read_through(each.file); }));
    }
  }
  readings.add("maps_file_vmas", vmas_of("self"));
}

// A process without an address space of its own: what vfork() makes, but that nobody waits for its end here.
void measure_processes(const Settings& settings, Readings& readings) {
  std::vector<char> stack(16 * kPage);
  for (int i = 0; i < calls_of(settings) / 10; ++i) {
    pid_t child = 0;
    const double time = cpu_time_of([&] {
      child = clone(
          [](void*) -> int {
            syscall(SYS_exit, 0);
            return 0;
          },
          stack.data() + stack.size(), CLONE_VM | SIGCHLD, nullptr);
    });
    check(child, "clone");
    wait_for(child);
    readings.add("clone_vm", time);
  }
}

}  // namespace

std::vector<Part> call_parts() {
  return {{"VMAs",
           measure_vmas,
           {"maps_vma", "smaps_vma", "smaps_rollup_vma", "numa_maps_vma", "fork_vma", "mlockall_vma", "munlockall_vma",
            "munmap_vma"}},
          {"calls", measure_calls, {"getppid", "mmap_call", "munmap_call"}},
          {"splits of VMAs", measure_splits_of_vmas, {"mprotect_whole_vma", "vma_split", "vma_merge"}},
          {"calls after sleeps", measure_after_sleeps, after_sleep_quantities()},
          {"madvise",
           measure_madvise,
           {"madvise_call", "mprotect_call", "munmap_present_4k", "get_mempolicy_call", "look_for_vma"}},
          {"TLBs", measure_flushes, {"tlb_flush_cpu"}},
          {"files of /proc",
           measure_proc_files,
           {"maps_file", "smaps_rollup_file", "cmdline_file", "comm_file", "maps_file_vmas"}},
          {"processes", measure_processes, {"clone_vm"}}};
}

}  // namespace probe
