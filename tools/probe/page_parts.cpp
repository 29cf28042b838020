// What each page costs, in 4 KiB pages and in 2 MiB pages.
//
// A call works on an eighth of the region, and gives one sample: its CPU time by the number of pages. What a file of
// /proc and fork() take for each page is the difference of with and without the pages.
#include <fcntl.h>
#include <linux/mman.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <cerrno>
#include <thread>

#include "tools/probe/parts.h"

// Newer than Debian 12's headers are the kernels that this is run on, and older ones.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace probe {

namespace {

struct PageSize {
  const char* suffix;
  std::size_t bytes;
  int advice;
};
constexpr PageSize kSmall{"_4k", kPage, MADV_NOHUGEPAGE};
constexpr PageSize kHuge{"_2m", kHugePage, MADV_HUGEPAGE};

std::size_t chunk_of(std::size_t memory) { return std::max(kHugePage, memory / 8 / kHugePage * kHugePage); }

void advise(const Region& region, const PageSize& page) {
  // A kernel without huge pages knows neither advice; then all pages are small.
  const int result = madvise(region.at(), region.size(), page.advice);
  if (result != 0 && page.bytes == kHugePage) fail("this kernel has no transparent huge pages");
}

/// As MADV_POPULATE_WRITE; before Linux 5.14 by a write to each page of that size.
void populate(char* start, std::size_t size, const PageSize& page) {
  if (madvise(start, size, MADV_POPULATE_WRITE) == 0) return;
  if (errno != EINVAL) fail_with_errno("madvise(MADV_POPULATE_WRITE)");
  for (std::size_t at = 0; at < size; at += page.bytes) start[at] = 1;
}

/// Whether the memory at an address is mapped by huge pages.
bool is_huge(const char* address) {
  const std::string text = text_of("/proc/self/smaps");
  std::array<char, 32> start{};
  std::snprintf(start.data(), start.size(), "\n%lx-", reinterpret_cast<unsigned long>(address));
  const std::size_t record = text.find(start.data());
  const std::size_t line = record == std::string::npos ? record : text.find("AnonHugePages:", record);
  return line != std::string::npos && std::stoul(text.substr(line + 14)) > 0;
}

/// A file of /proc, and how long it took to read it without the pages.
struct PageFile {
  const char* file;
  const char* quantity;
  double without = 0;
};

void pagemap(const Region& region, const PageSize& page, Readings& readings) {
  const int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  std::vector<std::uint64_t> entries(region.size() / kPage);
  const auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(region.at()) / kPage * 8);
  ssize_t got = 0;
  const double time = cpu_time_of([&] { got = pread(file, entries.data(), entries.size() * 8, offset); });
  close(file);
  if (got > 0)
    readings.add(std::string("pagemap") + page.suffix, time / (static_cast<double>(got) / 8) * pages_of(page.bytes));
}

/// Copies pages of this process as if they were another one's.
void remote_reads(const Region& region, Readings& readings) {
  std::vector<char> buffer(std::min<std::size_t>(region.size(), 1U << 20U));
  const iovec to{buffer.data(), buffer.size()};
  const iovec from{region.at(), buffer.size()};
  ssize_t got = 0;
  const double time = cpu_time_of([&] { got = process_vm_readv(getpid(), &to, 1, &from, 1, 0); });
  if (got > 0) readings.add("remote_read_4k", time * kPage / static_cast<double>(got));
}

class PageMeasurements {
 public:
  PageMeasurements(const Settings& settings, Readings& readings, const PageSize& page)
      : settings_(settings),
        readings_(readings),
        page_(page),
        region_(settings.memory / kHugePage * kHugePage, kReadWrite),
        chunk_(chunk_of(region_.size())) {
    advise(region_, page);
  }

  void measure() {
    for (PageFile& cost : files_) cost.without = file_time(cost.file);
    const double fork_without = fork_time();
    each_chunk("populate", [&](char* at) { populate(at, chunk_, page_); });
    if (page_.bytes == kHugePage && !is_huge(region_.at())) fail("no huge pages were to be had");
    lock();
    for (const PageFile& cost : files_) {
      if (cost.without >= 0) add(cost.quantity, (file_time(cost.file) - cost.without) / pages_in(region_.size()));
    }
    pagemap(region_, page_, readings_);
    if (page_.bytes == kPage) {
      remote_reads(region_, readings_);
      std::vector<unsigned char> present(chunk_ / kPage);
      each_chunk("mincore", [&](char* at) { check(mincore(at, chunk_, present.data()), "mincore"); });
    }
    // From here on writes may fault.
    each_chunk("mprotect", [&](char* at) { check(mprotect(at, chunk_, PROT_READ), "mprotect"); });
    check(mprotect(region_.at(), region_.size(), kReadWrite), "mprotect");
    add("fork", (fork_time() - fork_without) / pages_in(region_.size()));
    unmap();
  }

 private:
  void add(const std::string& quantity, double nanoseconds) { readings_.add(quantity + page_.suffix, nanoseconds); }
  [[nodiscard]] double pages_in(std::size_t bytes) const { return pages_of(bytes, page_.bytes); }

  template <typename Call>
  void each_chunk(const char* quantity, Call call) {
    walk_chunks(quantity, 0, region_.size(), chunk_, [&](char* at, std::size_t) { call(at); });
  }

  // Over all of the region, and then again, where it may be locked as a whole: as whoever locks so much has it, each
  // page is looked at when the caches have seen all the others. On an Intel Xeon with 2 MiB of L2 that makes
  // 80 ns of 36 from 512 MiB on, whose struct pages take 8 MiB.
  void lock() {
    const std::size_t size = std::min(chunk_, settings_.lockable) / page_.bytes * page_.bytes;
    if (size < std::max(kLeastToLock, page_.bytes)) return;
    const auto lock = [](char* at, std::size_t length) { check(mlock(at, length), "mlock"); };
    const auto unlock = [](char* at, std::size_t length) { check(munlock(at, length), "munlock"); };
    const std::size_t step = region_.size() <= settings_.lockable ? region_.size() : chunk_;
    for (std::size_t done = 0; done + chunk_ <= region_.size(); done += step) {
      const std::size_t end = std::min(region_.size(), done + step);
      // Pages that are new, and such as have been locked before: on one 6.18 the latter took 0.8 to 0.9 of it.
      for (int time = 0; time < 2; ++time) {
        walk_chunks("mlock", done, end, size, lock);
        walk_chunks("mlock_again", done, end, size, lock);
        walk_chunks("munlock", done, end, size, unlock);
      }
    }
  }

  /// So much of each chunk from `done` to `end`.
  template <typename Call>
  void walk_chunks(const char* quantity, std::size_t done, std::size_t end, std::size_t size, Call call) {
    for (; done + chunk_ <= end; done += chunk_) {
      add(quantity, cpu_time_of([&] { call(region_.at(done), size); }) / pages_in(size));
    }
  }

  /// Every second chunk by MADV_DONTNEED, the others by munmap().
  void unmap() {
    bool by_munmap = true;
    for (std::size_t done = 0; done + chunk_ <= region_.size(); done += chunk_, by_munmap = !by_munmap) {
      char* const at = region_.at(done);
      if (by_munmap) {
        add("munmap", cpu_time_of([&] { check(munmap(at, chunk_), "munmap"); }) / pages_in(chunk_));
        region_.reserve(done, chunk_, PROT_NONE);
      } else {
        const double time = cpu_time_of([&] { check(madvise(at, chunk_, MADV_DONTNEED), "madvise"); });
        add("dontneed", time / pages_in(chunk_));
      }
    }
  }

  const Settings& settings_;
  Readings& readings_;
  PageSize page_;
  Region region_;
  std::size_t chunk_;
  std::array<PageFile, 3> files_{{{"/proc/self/smaps", "smaps"},
                                  {"/proc/self/smaps_rollup", "smaps_rollup"},
                                  {"/proc/self/numa_maps", "numa_maps"}}};
};

void measure_small_pages(const Settings& settings, Readings& readings) {
  PageMeasurements(settings, readings, kSmall).measure();
}

void measure_huge_pages(const Settings& settings, Readings& readings) {
  PageMeasurements(settings, readings, kHuge).measure();
}

// mremap() to a place that stands otherwise in its page table, or else whole tables are moved (Linux 5.0).
void measure_mremap(const Settings& settings, Readings& readings) {
  const std::size_t size = chunk_of(settings.memory);
  const Region from(size, kReadWrite);
  const Region to(size + kHugePage, PROT_NONE);
  advise(from, kSmall);
  populate(from.at(), size, kSmall);
  const double time = cpu_time_of([&] {
    if (mremap(from.at(), size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to.at(kPage)) == MAP_FAILED) {
      fail_with_errno("mremap");
    }
  });
  readings.add("mremap_4k", time / pages_of(size));
  from.reserve(0, size, PROT_NONE);
}

// munlock() of pages that are absent: up to Linux 5.17 its walk looks at every address.
void measure_munlock_of_nothing(const Settings& settings, Readings& readings) {
  const std::size_t size = std::min(chunk_of(settings.memory), settings.lockable) / kPage * kPage;
  if (size < kLeastToLock) return;
  const Region region(size, kReadWrite);
  check(mlock2(region.at(), size, MLOCK_ONFAULT), "mlock2");
  const double time = cpu_time_of([&] { check(munlock(region.at(), size), "munlock"); });
  readings.add("munlock_absent_4k", time / pages_of(size));
}

// Each first touch by itself.
void measure_faults(const Settings& settings, Readings& readings) {
  const ColdPages pages(settings, (settings.quick ? kHugePage : 4 * kHugePage) / kPage);
  for (std::size_t page = 0; page < pages.count(); ++page) {
    readings.add("fault_4k", time_of([&] { *pages.at(page) = 1; }));
  }
}

// Each first write after a fork(), while the child lives.
void measure_copies(const Settings& /*settings*/, Readings& readings) {
  const Region region(kHugePage, kReadWrite);
  advise(region, kSmall);
  populate(region.at(), region.size(), kSmall);
  std::array<int, 2> ends{};
  check(pipe(ends.data()), "pipe");
  const pid_t child = fork();
  if (child == 0) {  // until the other end of the pipe is closed, or the parent dies
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[1]);
    char nothing = 0;
    _exit(read(ends[0], &nothing, 1) == 0 ? 0 : 1);
  }
  close(ends[0]);
  volatile char* const start = region.at();
  for (std::size_t at = 0; child > 0 && at < region.size(); at += kPage) {
    readings.add("cow_4k", time_of([&] { start[at] = 1; }));
  }
  close(ends[1]);
  check(child, "fork");
  wait_for(child);
}

// The first mprotect() of a small page in a huge one splits it, the second finds it split. MADV_COLLAPSE (Linux 6.1)
// puts it together again: all of its pages, and where all but one are absent.
void measure_splits(const Settings& /*settings*/, Readings& readings) {
  const Region region(2 * kHugePage, kReadWrite);
  advise(region, kHuge);
  for (std::size_t at = 0; at < region.size(); at += kHugePage) {
    populate(region.at(at), kHugePage, kHuge);
    if (at == 0 && !is_huge(region.at())) fail("no huge pages were to be had");
    const auto protect = [&](std::size_t page) {
      return time_of([&] { check(mprotect(region.at(at + page * kPage), kPage, PROT_READ), "mprotect"); });
    };
    const double first = protect(64);
    readings.add("split_2m", first - protect(192));
    check(mprotect(region.at(at), kHugePage, kReadWrite), "mprotect");
    const auto collapse = [&] { return madvise(region.at(at), kHugePage, MADV_COLLAPSE); };
    int result = 0;
    const double all = cpu_time_of([&] { result = collapse(); });
    if (result == 0) readings.add("collapse_present_2m", all);
    check(madvise(region.at(at), kHugePage, MADV_DONTNEED), "madvise");
    check(madvise(region.at(at), kHugePage, MADV_NOHUGEPAGE), "madvise");
    *static_cast<volatile char*>(region.at(at)) = 1;
    check(madvise(region.at(at), kHugePage, MADV_HUGEPAGE), "madvise");
    const double one = cpu_time_of([&] { result = collapse(); });
    if (result == 0) readings.add("collapse_one_2m", one);
  }
}

// All CPUs at once, each its own part of the memory. Who waits for a spinlock or for memory does so in CPU time.
void measure_together(const Settings& settings, Readings& readings) {
  const std::size_t threads = settings.cpus.size();
  const std::size_t share = settings.memory / threads / kHugePage * kHugePage;
  if (share == 0 || threads < 2) fail(threads < 2 ? "there is one CPU" : "too little memory for so many CPUs");
  for (const PageSize& page : {kSmall, kHuge}) {
    const Region region(share * threads, kReadWrite);
    if (madvise(region.at(), region.size(), page.advice) != 0 && page.bytes == kHugePage) return;
    std::vector<double> times(threads);
    std::barrier start(static_cast<std::ptrdiff_t>(threads));
    std::vector<std::thread> all;
    for (std::size_t i = 0; i < threads; ++i) {
      all.emplace_back([&, i] {
        const OnCpu here(settings.cpus[i]);
        start.arrive_and_wait();
        try {
          times[i] = cpu_time_of([&] { populate(region.at(i * share), share, page); });
        } catch (const std::exception&) {  // its time stays 0
        }
      });
    }
    for (std::thread& thread : all) thread.join();
    if (*std::min_element(times.begin(), times.end()) == 0) fail("memory could not be populated by all CPUs at once");
    if (page.bytes == kHugePage && !is_huge(region.at())) return;
    const double pages = pages_of(share, page.bytes);
    for (const double time : times) readings.add(std::string("populate_all_cpus") + page.suffix, time / pages);
  }
}

std::vector<std::string> with_suffix(std::vector<std::string> quantities, const PageSize& page) {
  for (std::string& quantity : quantities) quantity += page.suffix;
  return quantities;
}

}  // namespace

std::vector<Part> page_parts() {
  const std::vector<std::string> both{"populate", "mlock", "mlock_again",  "munlock",   "munmap",  "dontneed",
                                      "mprotect", "smaps", "smaps_rollup", "numa_maps", "pagemap", "fork"};
  std::vector<std::string> small = with_suffix(both, kSmall);
  small.insert(small.end(), {"mincore_4k", "remote_read_4k"});
  return {{"pages of 4 KiB", measure_small_pages, small},
          {"pages of 2 MiB", measure_huge_pages, with_suffix(both, kHuge)},
          {"mremap", measure_mremap, {"mremap_4k"}},
          {"munlock of absent pages", measure_munlock_of_nothing, {"munlock_absent_4k"}},
          {"faults", measure_faults, {"fault_4k"}},
          {"copies on write", measure_copies, {"cow_4k"}},
          {"splits of huge pages", measure_splits, {"split_2m", "collapse_present_2m", "collapse_one_2m"}},
          {"all CPUs together", measure_together, {"populate_all_cpus_4k", "populate_all_cpus_2m"}}};
}

void touch_all_memory(const Settings& settings, Readings& readings) {
  const Region region(settings.memory / kHugePage * kHugePage, kReadWrite);
  advise(region, kSmall);
  const double time = cpu_time_of([&] { populate(region.at(), region.size(), kSmall); });
  readings.add("populate_first_4k", time / pages_of(region.size()));
  // Huge pages come from other memory than small ones.
  check(madvise(region.at(), region.size(), MADV_DONTNEED), "madvise");
  if (madvise(region.at(), region.size(), kHuge.advice) == 0) populate(region.at(), region.size(), kHuge);
}

}  // namespace probe
