// Every key of a scenario and of a policy that a random one has not been given yet, at random.
//
// Each value is taken apart into all of its members: where one is added, this does not compile until it is drawn here,
// or said to be drawn elsewhere. (Costs have their rows, which are complete by themselves.)
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>
#include <variant>

#include "models/spec/scenario.h"
#include "sim/random.h"
#include "tests/support/random_scheduler.h"

namespace tests {

class RandomRest {
 public:
  explicit RandomRest(sim::Stream& chance) : chance_(chance) {}

  void draw(models::Scenario& scenario, models::Policy& policy) {
    draw(policy);
    // Drawn by the generators of tests/whole: groups, seed, duration, warm_up.
    auto& [name, about, machine, memory, groups, policies, seed, duration, warm_up, processes] = scenario;
    draw(machine);
    draw(memory);
    if (memory.era == models::ReclaimEra::linux_2_6_28) machine.reclaim = models::ReclaimKind::classic;
    for (models::ProcessSpec& process : processes) draw(process);
    add_readers(processes);
  }

 private:
  bool coin() { return chance_() % 2 == 0; }
  std::int64_t up_to(std::int64_t most) { return tests::up_to(chance_, most); }
  sim::Nanoseconds time(std::int64_t most) { return sim::Nanoseconds{up_to(most)}; }
  template <class T, std::size_t N>
  T one_of(const std::array<T, N>& all) {
    return all[static_cast<std::size_t>(up_to(static_cast<std::int64_t>(N) - 1))];
  }

  void draw(models::Policy& policy) {
    // Drawn elsewhere: rwsem, fault, vma_lock_covers, retry_on_io, mremap_moves_tables.
    auto& [name, about, notes, kernel, rwsem, populate, mlock_present_first, munlock, munlock_walks_rmap,
           munlock_visits_absent, munmap, munlock_in_zap, munmap_exclusive_below_stack, grow, fault, vma_lock_covers,
           first_touch, vma_lock, stack_grows_under_write, retry_on_io, proc, lru_drain, memlock_counts_twice,
           cmdline_holds, mempolicy_holds_lock, zap_under_vma_lock, mprotect_populates_locked, mremap_moves_tables,
           userfault_copy_under_vma_lock, ksm_jumps_holes] = policy;
    using enum models::HoldMode;
    draw(populate, one_of(std::array{write_held, downgrade, drop_and_read}));
    mlock_present_first = populate.mode == drop_and_read && coin();
    draw(munlock, one_of(std::array{write_held, downgrade, drop_and_read, chunked_write}));
    draw(munmap, one_of(std::array{write_held, downgrade}));
    draw(grow, one_of(std::array{write_held, downgrade, drop_and_read}));
    mprotect_populates_locked = coin();
    munlock_walks_rmap = coin();
    munlock_visits_absent = coin();
    munlock_in_zap = coin();
    munmap_exclusive_below_stack = coin();
    const bool vma_locks = fault == models::FaultLock::per_vma;
    first_touch = vma_locks && coin() ? models::FirstTouch::try_mmap_sem : models::FirstTouch::mmap_sem;
    vma_lock = vma_locks && coin() ? models::VmaLockKind::rwsem : models::VmaLockKind::refcount;
    zap_under_vma_lock = vma_locks && coin();
    userfault_copy_under_vma_lock = vma_locks && coin();
    ksm_jumps_holes = coin();
    stack_grows_under_write = coin();
    draw(proc, vma_locks);
    lru_drain =
        one_of(std::array{models::LruDrain::under_lock, models::LruDrain::before_lock, models::LruDrain::local});
    memlock_counts_twice = coin();
    cmdline_holds = 1 + static_cast<int>(up_to(2));
    mempolicy_holds_lock = coin();
  }

  void draw(models::Hold& hold, models::HoldMode drawn) {
    auto& [mode, batch, max_hold, if_contended, hand_over] = hold;
    hold = {};
    mode = drawn;
    const bool chunked = mode == models::HoldMode::chunked_write;
    if (chunked || (mode == models::HoldMode::drop_and_read && coin())) batch = models::PageCount(1 + up_to(700));
    if (!chunked) return;
    if (coin()) max_hold = sim::Nanoseconds{1 + up_to(200'000)};
    if_contended = coin();
    hand_over = coin();
  }

  void draw(models::ProcLocks& locks, bool vma_locks) {
    // Drawn elsewhere: clear_refs_writes.
    auto& [maps, smaps, numa_maps, smaps_rollup, clear_refs_writes, rollup_gives_way] = locks;
    using enum models::ProcLock;
    for (models::ProcLock* each : {&maps, &smaps, &numa_maps, &smaps_rollup}) {
      *each = vma_locks && coin() ? per_vma : mmap_sem;
    }
    if (coin()) maps = rcu;
    rollup_gives_way = coin();
  }

  void draw(models::Machine& machine) {
    // Drawn elsewhere: cpus, scheduler, llc_cpus, clear_bandwidth, noise.
    auto& [name, about, cpus, scheduler, costs, llc_cpus, llc, thp, clear_bandwidth, noise, reclaim] = machine;
    if (coin()) reclaim = models::ReclaimKind::mglru;
    if (coin()) llc = models::Bytes(4096 * (1 + up_to(20)));
    thp = one_of(std::array{models::Thp::always, models::Thp::madvise, models::Thp::never});
    for (const models::CostRow& row : models::kCosts) {
      std::visit([&, &all = costs](auto member) { draw(all.*member); }, row.member);
    }
  }

  // What costs nothing yet.
  void draw(sim::Nanoseconds& cost) {
    if (cost == sim::Nanoseconds{0} && coin()) cost = time(200);
  }
  void draw(sim::Distribution& cost) {
    if (cost == sim::Distribution{} && coin()) cost = sim::Exponential{sim::Nanoseconds{1 + up_to(500)}};
  }

  void draw(models::MemorySpec& memory) {
    // Drawn elsewhere, the rest of them by tests/whole/memory_pressure_test.cpp.
    auto& [size, free, era, min_free, watermark_scale_factor, swappiness, anon, file, touched_every, dirty, background,
           device, swap, readahead, fault_around, dirty_writeback, dirty_expire] = memory;
    if (coin()) era = models::ReclaimEra::linux_2_6_28;
    readahead = models::PageCount(one_of(std::array<std::int64_t, 3>{1, 5, 32}));
    fault_around = models::PageCount(one_of(std::array<std::int64_t, 2>{1, 16}));
    if (coin()) draw(swap.emplace());
    draw(device);
  }

  void draw(models::SwapSpec& swap) {
    auto& [size, zram, readahead] = swap;
    size = models::Bytes(models::kPageSize * (1 + up_to(4000)));
    readahead = models::PageCount(one_of(std::array<std::int64_t, 2>{1, 8}));
    if (!coin()) return;
    auto& [compress, decompress, ratio] = zram.emplace();
    compress = time(3000);
    decompress = time(1500);
    ratio = 1 + static_cast<double>(up_to(300)) / 100;
  }

  void draw(models::DeviceSpec& device) {
    // Drawn elsewhere: queue_depth, write, stable_pages.
    auto& [name, queue_depth, nr_requests, read, write, transfer_page, stable_pages] = device;
    nr_requests = 1 + static_cast<int>(up_to(130));
    transfer_page = time(1000);
    draw(read);
  }

  void draw(models::ProcessSpec& process) {
    auto& [name, cap_ipc_lock, rlimit_memlock, regions, threads, group] = process;
    if (up_to(3) == 0) {
      cap_ipc_lock = false;
      rlimit_memlock = models::Bytes(models::kPageSize * up_to(2000));
    }
    for (models::RegionSpec& region : regions) draw(region);
    for (models::ThreadSpec& thread : threads) draw(thread);
  }

  void draw(models::RegionSpec& region) {
    // Drawn elsewhere: all but the first.
    auto& [name, size, vmas, kind, pages, shares_anon_vma, locked, beside, joins_anon_vma, touched_every, folio_order,
           written] = region;
    const bool faulted_in = kind == models::RegionSpec::Kind::anon && pages != models::RegionSpec::Pages::absent;
    if (!faulted_in || !beside.empty() || coin()) return;
    vmas = static_cast<int>(std::min<std::int64_t>(1 + up_to(3), size.count() / models::kPageSize));
    shares_anon_vma = true;
  }

  void draw(models::ThreadSpec& thread) {
    auto& [name, count, run, sched, pinned, mutex] = thread;
    // Twenty kinds: who is added is to be a competitor of some random scenario.
    static_assert(std::variant_size_v<std::decay_t<decltype(run)>> == 20);
    auto& [nice, cpus, group] = sched;  // drawn elsewhere
    pinned = !cpus.empty() && coin();
    std::visit(
        [&](auto& spec) {
          if constexpr (requires { spec.arrival; }) {
            if (auto* const loop = std::get_if<models::ClosedLoop>(&spec.arrival)) draw(*loop);
          }
        },
        run);
  }

  void draw(models::ClosedLoop& loop) {
    auto& [think, compute] = loop;
    draw(compute);
  }

  // Of the first process; the kinds of threads that nobody else draws.
  void add_readers(std::vector<models::ProcessSpec>& processes) {
    using File = models::ProcReaderSpec::File;
    const std::string target = processes.front().name;
    const auto rare = [&] { return models::ClosedLoop{sim::Exponential{sim::Nanoseconds{50'000 + up_to(900'000)}}}; };
    models::ProcessSpec& last = processes.back();
    models::ProcReaderSpec reader;
    auto& [file, of, arrival, new_process] = reader;
    file = one_of(std::array{File::maps, File::smaps, File::smaps_rollup, File::numa_maps, File::pagemap});
    of = target;
    arrival = rare();
    new_process = coin();
    last.threads.push_back({"rest_reader", 1 + static_cast<int>(up_to(1)), reader});
    if (coin())
      last.threads.push_back({"rest_remote", 1, models::RemoteReaderSpec{target, models::PageCount(4), rare()}});
    models::ProcessSpec& first = processes.front();
    if (first.regions.empty()) return;
    const std::string region = first.regions.front().name;
    if (coin())
      first.threads.push_back({"rest_mincore", 1, models::MincoreSpec{region, models::Bytes(4096 * 16), rare()}});
    if (coin()) first.threads.push_back({"rest_mempolicy", 1, models::GetMempolicySpec{region, coin(), rare()}});
  }

  sim::Stream& chance_;
};

}  // namespace tests
