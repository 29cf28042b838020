// Whole runs under memory pressure, at random: whatever happens, the run ends, no page is lost, the accounts agree with
// each other, and neither the mode of the run nor chance from outside has a say in the result. (That the zone's pages
// add up is also asserted in models/mm/page_alloc.cpp after every single move.)
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/simulation.h"
#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/random_scheduler.h"
#include "tests/support/result_text.h"
#include "tests/support/seeds.h"
#include "tests/support/small_machine.h"

namespace models::memory_pressure_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Distribution;
using sim::Exponential;
using sim::Nanoseconds;
using tests::kMiB;
using Call = ScriptStep::Call;
using Kind = RegionSpec::Kind;
using Pages = RegionSpec::Pages;

constexpr std::uint64_t kScenarios = 24;

Bytes pages(std::int64_t count) { return Bytes(count * kPageSize); }

class RandomScenario {
 public:
  explicit RandomScenario(std::uint64_t seed)
      : chance_(seed, "test", "memory_pressure"), files_(seed, "test", "files") {
    scenario.name = "random";
    scenario.seed = seed;
    choose_machine();
    choose_memory();
    for (const char* name : {"db", "cache"}) choose_process(name);
    add_monitor();
    if (files_() % 2 == 0) add_files();
    add_kernel_threads(seed);
    limit_memory(seed);
    choose_reclaim(seed);
    fill_memory();
    // One in four ends by itself, if it does: where memory is too small for what is locked, faults that come every
    // few microseconds may be throttled for minutes (seeds 85 and 87), which is right and takes as long to simulate.
    scenario.duration = one_in(4) ? Nanoseconds(300ms) : Nanoseconds{1 + up_to(30'000'000)};
    choose_policy();
  }

  Scenario scenario;
  Policy policy;

 private:
  std::int64_t up_to(std::int64_t most) {
    return static_cast<std::int64_t>(chance_() % static_cast<std::uint64_t>(most + 1));
  }
  bool one_in(std::int64_t many) { return up_to(many - 1) == 0; }
  template <class T, std::size_t n>
  T one_of(const T (&choices)[n]) {
    return choices[static_cast<std::size_t>(up_to(n - 1))];
  }

  Distribution cost(std::int64_t scale) {
    const Nanoseconds length{1 + up_to(scale)};
    if (one_in(3)) return Constant{length};
    if (one_in(2)) return Exponential{length};
    return sim::Lognormal{length, 5 * length};
  }

  // Not much more often than it can be served: what is overdue for long has everybody's waits to account for.
  Arrival arrival(std::int64_t scale) {
    const Distribution length = Exponential{Nanoseconds{scale / 4 + up_to(scale)}};
    return one_in(2) ? Arrival(ClosedLoop{length}) : Arrival(OpenLoop{length});
  }

  void choose_machine() {
    scenario.machine.cpus = 1 + static_cast<int>(up_to(4));
    scenario.machine.scheduler = tests::random_scheduler(chance_, Nanoseconds{1000 + up_to(50'000)});
    Costs& costs = scenario.machine.costs;
    for (Nanoseconds* each :
         {&costs.rwsem_operation, &costs.rwsem_wake,      &costs.system_call,       &costs.find_vma,
          &costs.vma_split,       &costs.vma_merge,       &costs.lru_add_drain_all, &costs.fork_vma,
          &costs.fork_page,       &costs.mincore_page,    &costs.proc_smaps_vma,    &costs.proc_smaps_page,
          &costs.zone_lock,       &costs.gup_present,     &costs.gup_huge,          &costs.split_huge,
          &costs.fork_huge,       &costs.proc_smaps_huge, &costs.collapse_page,     &costs.collapse_absent,
          &costs.batched_pte,     &costs.mprotect_page,   &costs.munmap_vma,        &costs.mlock_vma,
          &costs.tlb_flush_cpu,   &costs.cache_line,      &costs.lruvec_lock,       &costs.cow_page}) {
      *each = Nanoseconds{up_to(1) * up_to(300)};
    }
    for (Distribution* each :
         {&costs.mmap, &costs.munmap, &costs.populate_page, &costs.mlock_page, &costs.munlock_absent,
          &costs.munlock_page, &costs.zap_page, &costs.fault, &costs.mprotect, &costs.madvise, &costs.get_mempolicy,
          &costs.access_page, &costs.scan_page, &costs.reclaim_page, &costs.pageout, &costs.mlock_huge,
          &costs.munlock_huge, &costs.zap_huge}) {
      *each = cost(500);
    }
    costs.populate_huge = cost(20'000);
    scenario.machine.thp = one_of({Thp::always, Thp::madvise, Thp::never});
    if (one_in(2)) scenario.machine.clear_bandwidth = Bytes(1000 * kMiB * (1 + up_to(20)));
  }

  void choose_memory() {
    MemorySpec& memory = scenario.memory;
    size_ = 2048 + up_to(14'000);
    left_ = size_;
    memory.size = pages(size_);
    memory.era = one_in(2) ? ReclaimEra::linux_2_6_28 : ReclaimEra::linux_6_1;
    if (one_in(2)) memory.min_free = pages(32 + up_to(size_ / 16));
    memory.watermark_scale_factor = static_cast<int>(one_in(2) ? 10 : 1 + up_to(300));
    memory.swappiness = one_of({0, 60, 60, 100, 200});
    if (!one_in(3)) memory.touched_every = Nanoseconds{500'000 + up_to(40'000'000)};
    memory.dirty = one_of({0.0, 0.3, 1.0});
    if (!one_in(3)) memory.background = Bytes(up_to(3000 * kMiB));
    memory.device = {"disk",        1 + static_cast<int>(up_to(7)), 1 + static_cast<int>(up_to(60)), cost(100'000),
                     cost(100'000), Nanoseconds{up_to(3000)}};
    memory.readahead = PageCount(one_of({1, 5, 32}));
    memory.fault_around = PageCount(one_of({1, 16}));
    if (!one_in(3)) choose_swap();
  }

  void choose_swap() {
    SwapSpec swap;
    swap.size = pages(size_ / 16 + up_to(size_ / 2));
    swap.readahead = PageCount(one_of({1, 8}));
    if (one_in(2)) {
      swap.zram =
          ZramSpec{Nanoseconds{up_to(3000)}, Nanoseconds{up_to(1500)}, 1 + static_cast<double>(up_to(300)) / 100};
    }
    slots_ = swap.size.count() / kPageSize;
    scenario.memory.swap = swap;
  }

  // The regions come first, so that the working set and what is free share the rest.
  RegionSpec region(const std::string& name) {
    RegionSpec region;
    region.name = name;
    const std::int64_t size = 20 + up_to(size_ / 6);
    region.size = pages(size);
    region.vmas = 1 + static_cast<int>(up_to(3));
    region.kind = one_of({Kind::anon, Kind::anon, Kind::file, Kind::file, Kind::special});
    if (region.kind == Kind::anon) region.pages = one_of({Pages::absent, Pages::resident, Pages::swapped});
    if (region.kind == Kind::file) region.pages = one_of({Pages::absent, Pages::resident, Pages::cached});
    if (region.kind == Kind::anon)
      region.folio_order = one_of({RegionSpec::FolioOrder{0}, RegionSpec::FolioOrder{4},
                                   RegionSpec::FolioOrder{kPmdOrder}, RegionSpec::FolioOrder{}});
    if (region.pages == Pages::swapped && slots_ < size) region.pages = Pages::absent;
    if (region.pages == Pages::swapped) slots_ -= size;
    if (region.pages != Pages::absent) left_ -= size;  // of zram perhaps less
    if (one_in(3)) region.touched_every = Nanoseconds{1'000'000 + up_to(50'000'000)};
    return region;
  }

  std::vector<ScriptStep> script() {
    std::vector<ScriptStep> steps;
    for (int step = 0; step < 8; ++step) {
      constexpr std::array kCalls{Call::mlock,       Call::mlock,           Call::munlock,    Call::munlock,
                                  Call::munmap,      Call::mlockall,        Call::munlockall, Call::mlockall_future,
                                  Call::mmap_locked, Call::remap_file_pages};
      steps.push_back({kCalls[static_cast<std::size_t>(up_to(kCalls.size() - 1))]});
      if (one_in(5)) steps.push_back({Call::brk, {}, pages(1 + up_to(100))});
      if (one_in(5)) steps.push_back({Call::stack, {}, pages(1 + up_to(10))});
      steps.push_back({Call::hold, Nanoseconds{up_to(300'000)}});
    }
    if (one_in(4)) steps.push_back({Call::exit});
    return steps;
  }

  // By a stream of their own: what the others draw stays what it is.
  void add_kernel_threads(std::uint64_t seed) {
    sim::Stream chance(seed, "test", "kernel threads");
    if (chance() % 2 == 0) return;
    const auto often = [&] {
      return ClosedLoop{Exponential{Nanoseconds{50'000 + static_cast<int>(chance() % 500'000)}}};
    };
    KhugepagedSpec khugepaged{"db", PageCount(512 * static_cast<std::int64_t>(1 + chance() % 4)),
                              PageCount(static_cast<std::int64_t>(chance() % 512)), often()};
    scenario.processes.back().threads.push_back({"khugepaged", 1, khugepaged});
    scenario.processes.back().threads.back().sched.nice = 19;
    scenario.processes.back().threads.push_back(
        {"numa_balancing", 1, NumaBalancingSpec{"db", Bytes(4 * kMiB), often()}});
  }

  Advice advice() {
    return one_of({Advice::normal, Advice::random, Advice::sequential, Advice::dontfork, Advice::dofork,
                   Advice::willneed, Advice::dontneed, Advice::dontneed, Advice::dontneed, Advice::populate_read,
                   Advice::populate_write, Advice::free, Advice::free, Advice::cold, Advice::pageout, Advice::hugepage,
                   Advice::nohugepage, Advice::collapse});
  }

  void choose_process(const std::string& name) {
    ProcessSpec process;
    process.name = name;
    const std::int64_t regions = 1 + up_to(1);
    for (std::int64_t index = 0; index < regions; ++index) {
      const std::string region_name = "region" + std::to_string(index);
      process.regions.push_back(region(region_name));
      if (one_in(4) && index > 0) continue;
      process.threads.push_back({name + "_locker" + std::to_string(index), 1, LockerSpec{region_name, script(), 1}});
      process.threads.push_back({name + "_faulter" + std::to_string(index), 1 + static_cast<int>(up_to(2)),
                                 FaulterSpec{region_name, arrival(20'000)}});
      if (one_in(2)) {
        // Other advice brings pages back that memory has no room for.
        const Advice given = advice();
        process.threads.push_back({name + "_madviser" + std::to_string(index), 1,
                                   MadviserSpec{region_name, given, pages(1 + up_to(19)),
                                                arrival(given == Advice::dontneed ? 200'000 : 2'000'000)}});
      }
      if (one_in(3)) {
        process.threads.push_back({name + "_mincore" + std::to_string(index), 1,
                                   MincoreSpec{region_name, pages(1 + up_to(19)), arrival(2'000'000)}});
      }
      if (one_in(3)) {
        process.threads.push_back({name + "_get_mempolicy" + std::to_string(index), 1,
                                   GetMempolicySpec{region_name, one_in(2), arrival(2'000'000)}});
      }
    }
    if (one_in(2)) process.threads.push_back({name + "_streamer", 1, FaulterSpec{{}, arrival(20'000)}});
    if (one_in(2)) process.threads.push_back({name + "_mapper", 1, MapperSpec{pages(1 + up_to(20)), arrival(90'000)}});
    if (one_in(3)) process.threads.push_back({name + "_forker", 1, ForkerSpec{ClosedLoop{cost(900'000)}}});
    if (one_in(3)) {
      process.threads.push_back({name + "_protector", 1, ProtectorSpec{"region0", pages(10), arrival(90'000)}});
    }
    scenario.processes.push_back(process);
  }

  // A file that is written, and shared memory: from a stream of their own, so that the rest stays as it was without.
  void add_files() {
    const auto rare = [&] { return ClosedLoop{Exponential{Nanoseconds{20'000 + tests::up_to(files_, 400'000)}}}; };
    const auto few = [&] { return pages(1 + tests::up_to(files_, 19)); };
    Costs& costs = scenario.machine.costs;
    for (Nanoseconds* each : {&costs.page_mkwrite, &costs.writeback_page, &costs.shmem_page, &costs.remove_page}) {
      *each = Nanoseconds{tests::up_to(files_, 1) * tests::up_to(files_, 300)};
    }
    MemorySpec& memory = scenario.memory;
    memory.device.stable_pages = files_() % 2 == 0;
    memory.dirty_writeback = Nanoseconds{100'000 + tests::up_to(files_, 2'000'000)};
    memory.dirty_expire = Nanoseconds{tests::up_to(files_, 2'000'000)};
    const std::int64_t size = 20 + tests::up_to(files_, size_ / 10);
    RegionSpec file{"file", pages(size), 1 + static_cast<int>(tests::up_to(files_, 2)), Kind::file};
    file.written = true;
    RegionSpec shm{"shm", pages(size), 1, Kind::shmem};
    shm.pages = std::array{Pages::absent, Pages::resident, Pages::cached, Pages::swapped}[files_() % 4];
    if (shm.pages == Pages::swapped && slots_ < size) shm.pages = Pages::absent;
    if (shm.pages == Pages::swapped) slots_ -= size;
    if (shm.pages != Pages::absent) left_ -= size;
    ProcessSpec process{"files", true, {}, {file, shm}, {}};
    process.threads.push_back({"writer", 2, FaulterSpec{"file", rare()}});
    process.threads.push_back({"toucher", 2, FaulterSpec{"shm", rare()}});
    process.threads.push_back({"msync", 1, MsyncSpec{"file", few(), rare()}});
    const Advice of_shm = std::array{Advice::remove, Advice::dontneed, Advice::populate_write, Advice::pageout,
                                     Advice::cold}[files_() % 5];
    process.threads.push_back({"shm_madviser", 1, MadviserSpec{"shm", of_shm, few(), rare()}});
    const Advice of_file = std::array{Advice::willneed, Advice::dontneed, Advice::populate_write, Advice::pageout,
                                      Advice::cold}[files_() % 5];
    process.threads.push_back({"file_madviser", 1, MadviserSpec{"file", of_file, few(), rare()}});
    process.threads.push_back(
        {"shm_locker", 1,
         LockerSpec{
             "shm", {{Call::mlock}, {Call::mremap}, {Call::munlock}, {Call::mremap_aligned}, {Call::munmap}}, 2}});
    process.threads.push_back(
        {"file_locker", 1, LockerSpec{"file", {{Call::mlock}, {Call::msync}, {Call::munlock}, {Call::munmap}}, 2}});
    if (files_() % 3 == 0) process.threads.push_back({"file_forker", 1, ForkerSpec{rare()}});
    scenario.processes.push_back(process);
  }

  // Of the first process, now and then, to a little more than it begins with.
  void limit_memory(std::uint64_t seed) {
    sim::Stream groups(seed, "test", "groups");
    if (scenario.memory.era != ReclaimEra::linux_6_1 || groups() % 3 == 0) return;
    ProcessSpec& process = scenario.processes.front();
    process.group = static_cast<int>(scenario.groups.size());
    std::int64_t resident = 0;
    for (const RegionSpec& region : process.regions) {
      const bool there = region.pages == Pages::resident || region.pages == Pages::cached;
      resident += there ? region.size.count() / kPageSize : 0;
    }
    GroupSpec group;
    group.name = "limited";
    const std::int64_t max = resident + 64 + tests::up_to(groups, 300);
    if (groups() % 3 != 0) group.memory_max = pages(max);
    if (!group.memory_max || groups() % 2 == 0) group.memory_high = pages(std::max<std::int64_t>(max * 9 / 10, 1));
    scenario.groups.push_back(group);
  }

  // From a stream of its own, as the groups.
  void choose_reclaim(std::uint64_t seed) {
    sim::Stream reclaim(seed, "test", "reclaim");
    if (scenario.memory.era == ReclaimEra::linux_6_1 && reclaim() % 2 == 0)
      scenario.machine.reclaim = ReclaimKind::mglru;
  }

  void add_monitor() {
    ProcessSpec monitor{"monitor", true, {}, {}, {}};
    monitor.threads.push_back({"smaps", 1, ProcReaderSpec{ProcReaderSpec::File::smaps, "db", arrival(90'000)}});
    monitor.threads.push_back({"gdb", 1, RemoteReaderSpec{"cache", PageCount(1 + up_to(30)), arrival(90'000)}});
    scenario.processes.push_back(monitor);
  }

  void fill_memory() {
    MemorySpec& memory = scenario.memory;
    const bool mostly_anon = one_in(2);
    const std::int64_t anon = mostly_anon ? left_ * 3 / 4 : up_to(left_ / 3);
    const std::int64_t file = up_to(mostly_anon ? left_ / 16 : left_ / 3);
    const std::int64_t rest = left_ - anon - file;
    memory.anon = pages(anon);
    memory.file = pages(file);
    memory.free = pages(mostly_anon ? rest : up_to(rest));
  }

  Hold hold(bool may_be_chunked) {
    switch (up_to(may_be_chunked ? 3 : 2)) {
      case 0:
        return {};
      case 1:
        return {HoldMode::downgrade};
      case 2:
        return {HoldMode::drop_and_read, PageCount(up_to(1) * up_to(100))};
      default:
        return {HoldMode::chunked_write, PageCount(1 + up_to(100))};
    }
  }

  void choose_policy() {
    policy.name = "random";
    policy.rwsem = one_of({RwsemFlavour::fifo, RwsemFlavour::writer_steal, RwsemFlavour::writer_spin,
                           RwsemFlavour::reader_spin, RwsemFlavour::spin_handoff});
    policy.populate = hold(false);
    policy.mlock_present_first = policy.populate.mode == HoldMode::drop_and_read && one_in(2);
    policy.munlock = hold(true);
    policy.munlock_visits_absent = one_in(3);
    if (one_in(2)) policy.munmap = {HoldMode::downgrade};
    policy.munlock_in_zap = one_in(3);
    policy.grow = hold(false);
    if (one_in(2)) policy.fault = FaultLock::per_vma;
    policy.zap_under_vma_lock = policy.fault == FaultLock::per_vma && one_in(2);
    policy.retry_on_io = one_in(2);
    policy.lru_drain = one_of({LruDrain::under_lock, LruDrain::before_lock, LruDrain::local});
  }

  sim::Stream chance_;
  sim::Stream files_;
  std::int64_t size_ = 0;
  std::int64_t left_ = 0;
  std::int64_t slots_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------
// What must be true at the end of any run.

std::int64_t last_of(const sim::TimeSeries& series) { return series.buckets().back().last; }

void check_counts(const MemorySpec& spec, const MemoryResult& memory) {
  const ZoneCounts& counts = memory.at_end;
  EXPECT_EQ(counts.total(), pages_of(spec.size));
  for (const PageList list : {&ZoneCounts::free, &ZoneCounts::per_cpu, &ZoneCounts::inactive_anon,
                              &ZoneCounts::active_anon, &ZoneCounts::inactive_file, &ZoneCounts::active_file,
                              &ZoneCounts::unevictable, &ZoneCounts::writeback, &ZoneCounts::in_flight}) {
    EXPECT_GE(counts.*list, PageCount(0));
  }
  EXPECT_LE(memory.lowest_free, counts.free);
  EXPECT_GE(memory.lowest_free, PageCount(0));
  EXPECT_EQ(last_of(memory.series.free), counts.free.count());
  EXPECT_EQ(last_of(memory.series.anon), (counts.inactive_anon + counts.active_anon).count());
  EXPECT_EQ(last_of(memory.series.file), (counts.inactive_file + counts.active_file).count());
  EXPECT_EQ(last_of(memory.series.unevictable), counts.unevictable.count());
}

void check_swap(const MemorySpec& spec, const MemoryResult& memory) {
  EXPECT_GE(memory.swap_used, PageCount(0));
  if (!spec.swap) {
    EXPECT_EQ(memory.swap_used, PageCount(0));
    EXPECT_EQ(memory.reclaim.swapped_out + memory.reclaim.swapped_in, 0U);
    return;
  }
  EXPECT_LE(memory.swap_used, pages_of(spec.swap->size));
  if (!spec.swap->zram) {
    EXPECT_EQ(memory.at_end.compressed, PageCount(0));
    return;
  }
  // A batch may have its slots and not yet be compressed when the run ends.
  const double compressed = std::ceil(static_cast<double>(memory.swap_used.count()) / spec.swap->zram->ratio);
  EXPECT_LE(memory.at_end.compressed.count(), compressed);
  EXPECT_GE((memory.at_end.compressed + memory.at_end.in_flight).count(), compressed);
}

bool writes_files(const Scenario& scenario) {
  return std::any_of(scenario.processes.begin(), scenario.processes.end(), [](const ProcessSpec& process) {
    return std::any_of(process.regions.begin(), process.regions.end(),
                       [](const RegionSpec& region) { return region.written; });
  });
}

// What has been written is on its way, done, or (in flight) yet to be submitted; what was read came from the device.
// What the flusher and msync write is counted by the device only.
void check_device(const Scenario& scenario, const MemoryResult& memory) {
  const MemorySpec& spec = scenario.memory;
  const bool zram = spec.swap && spec.swap->zram;
  const ReclaimStatistics& reclaim = memory.reclaim;
  const std::uint64_t to_write = reclaim.files_written + (zram ? 0 : reclaim.swapped_out);
  const auto under_way = static_cast<std::uint64_t>(memory.at_end.writeback.count());
  const auto in_flight = static_cast<std::uint64_t>(memory.at_end.in_flight.count());
  const bool counted = !writes_files(scenario);
  EXPECT_GE(to_write, counted ? memory.device.write.pages + under_way : 0U);
  EXPECT_LE(to_write, memory.device.write.pages + under_way + in_flight);
  if (zram) return;
  EXPECT_LE(reclaim.files_read + reclaim.swapped_in + reclaim.refaults, memory.device.read.pages);
}

void check_reclaim(const MemorySpec& spec, const Result& result) {
  const ReclaimStatistics& reclaim = result.memory.reclaim;
  EXPECT_LE(reclaim.kswapd_reclaimed, reclaim.kswapd_scanned);
  EXPECT_LE(reclaim.direct_reclaimed, reclaim.direct_scanned);
  if (result.outcome == Outcome::completed) {
    EXPECT_EQ(reclaim.futile_rounds, 0);
  } else {
    EXPECT_GE(reclaim.futile_rounds, 1);
    EXPECT_LE(reclaim.futile_rounds, spec.era == ReclaimEra::linux_6_1 ? 18 : 1);  // 17 but for those of a group
  }
}

// The steps of the longest requests are in order, lie within the request, and add up to it with the rest.
void check_worst(const Result& result) {
  for (const ClassResult& each : result.classes) {
    for (const WorstRequest& request : each.worst) {
      sim::Nanoseconds sum{};
      sim::Time end = request.due;
      for (const WorstStep& step : request.steps) {
        EXPECT_LE(end, step.from);
        EXPECT_LT(step.from, step.to);
        end = step.to;
        sum += step.to - step.from;
      }
      EXPECT_LE(end, request.due + request.latency);
      sum = std::accumulate(request.rest.begin(), request.rest.end(), sum);
      EXPECT_EQ(sum, request.latency) << each.name;
    }
    if (each.worst.empty()) continue;
    EXPECT_EQ(each.worst.front().latency, each.total().latency().max());
  }
}

void check_lock(const Result& result) {
  for (const LockResult& lock : result.locks) {
    const RwsemStatistics& statistics = lock.statistics;
    EXPECT_LE(statistics.convoy_lengths.count(), statistics.convoys);
    EXPECT_LE(statistics.convoys - statistics.convoy_lengths.count(), 1U) << "only the last may not have ended";
    EXPECT_LE(statistics.largest_convoy, statistics.convoy_waits);
  }
}

std::string run(const RandomScenario& random, bool stepwise) {
  return tests::in_child([&] {
    alarm(60);  // a run that does not end
    const Result result = simulate(random.scenario, random.policy, {stepwise, {}});
    check_counts(random.scenario.memory, result.memory);
    check_swap(random.scenario.memory, result.memory);
    check_device(random.scenario, result.memory);
    check_reclaim(random.scenario.memory, result);
    check_worst(result);
    check_lock(result);
    return tests::packed(result, stepwise);
  });
}

// A test that never swaps shows nothing about swapping: between them the runs must have done all of it.
struct Happening {
  const char* name;
  bool (*is_there)(const Result& result);
};

constexpr std::array<Happening, 21> kHappenings{{
    {"out of memory", [](const Result& result) { return result.outcome == Outcome::out_of_memory; }},
    {"kswapd", [](const Result& result) { return result.memory.reclaim.kswapd_reclaimed > 0; }},
    {"direct", [](const Result& result) { return result.memory.reclaim.direct_reclaimed > 0; }},
    {"kept", [](const Result& result) { return result.memory.reclaim.kept > 0; }},
    {"activated", [](const Result& result) { return result.memory.reclaim.activated > 0; }},
    {"deactivated", [](const Result& result) { return result.memory.reclaim.deactivated > 0; }},
    {"a new generation", [](const Result& result) { return result.memory.reclaim.generations > 0; }},
    {"a walk for one", [](const Result& result) { return result.memory.reclaim.mms_walked > 0; }},
    {"a process passed over by it", [](const Result& result) { return result.memory.reclaim.mms_passed_over > 0; }},
    {"culled", [](const Result& result) { return result.memory.reclaim.culled > 0; }},
    {"swapped out", [](const Result& result) { return result.memory.reclaim.swapped_out > 0; }},
    {"swapped in", [](const Result& result) { return result.memory.reclaim.swapped_in > 0; }},
    {"refaults", [](const Result& result) { return result.memory.reclaim.refaults > 0; }},
    {"throttled", [](const Result& result) { return result.memory.reclaim.throttled > 0; }},
    {"compressed", [](const Result& result) { return result.memory.at_end.compressed > PageCount(0); }},
    {"unevictable", [](const Result& result) { return result.memory.at_end.unevictable > PageCount(0); }},
    {"files written", [](const Result& result) { return result.memory.reclaim.files_written > 0; }},
    {"files read", [](const Result& result) { return result.memory.reclaim.files_read > 0; }},
    {"group's reclaim",
     [](const Result& result) { return !result.memory.groups.empty() && result.memory.groups[0].reclaimed > 0; }},
    {"group's stalls",
     [](const Result& result) { return !result.memory.groups.empty() && result.memory.groups[0].stalls.count() > 0; }},
    {"congestions", [](const Result& result) { return result.memory.device.congestions > 0; }},
}};

TEST(MemoryPressure, RandomRunsKeepTheirAccountsAndDoNotDependOnTheModeOfTheRun) {
  std::array<int, kHappenings.size()> runs{};
  const std::vector<std::uint64_t> seeds = tests::seeds(kScenarios);
  for (const std::uint64_t seed : seeds) {
    const RandomScenario random(seed);
    const std::string by_default = run(random, false);
    ASSERT_EQ(tests::difference(by_default, run(random, true)), "") << "stepwise, seed " << seed;
    if (seed % 4 == 0) {
      EXPECT_EQ(tests::difference(by_default, run(random, false)), "") << "again, seed " << seed;
    }
    const Result result = tests::unpacked(by_default);
    for (std::size_t each = 0; each < runs.size(); ++each) runs[each] += kHappenings[each].is_there(result) ? 1 : 0;
  }
  if (!tests::seeds_are_usual()) return;
  for (std::size_t each = 0; each < runs.size(); ++each) EXPECT_GE(runs[each], 3) << kHappenings[each].name;
  EXPECT_LT(runs.front(), static_cast<int>(seeds.size()) / 2) << "too many run out of memory";
}

}  // namespace
}  // namespace models::memory_pressure_test
