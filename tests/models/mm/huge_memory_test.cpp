// Pages in folios: what a fault maps, what each walk pays, what becomes of a folio when a part of it is treated
// otherwise; and, on random histories, that pages are conserved and no entry reaches beyond what it may map.
#include "models/mm/huge_memory.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <vector>

#include "models/fork.h"
#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mlock.h"
#include "models/mm/mmap.h"
#include "models/mm/mprotect.h"
#include "models/proc/procfs.h"
#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::huge_memory_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::check_in_child;
using tests::kMiB;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr std::int64_t kHuge = 512;

PageIndex page(std::int64_t index) { return PageIndex(index); }

VmFlags thp(int order = kPmdOrder) {
  VmFlags flags;
  flags.folio_order = order;
  return flags;
}

SmallMachineSpec linux_6_1() {
  SmallMachineSpec spec;
  spec.policy.populate.mode = HoldMode::drop_and_read;
  spec.policy.mlock_present_first = true;
  spec.policy.munlock_in_zap = true;
  spec.policy.lru_drain = LruDrain::local;
  return spec;
}

std::int64_t count(const Mm& mm, PageState state, std::int64_t start = 0, std::int64_t end = 1'000'000) {
  return mm.page_table.count(page(start), page(end), state).count();
}

Folio folio_at(const Mm& mm, std::int64_t index) { return mm.page_table.folios_at(page(index), page(index + 1)).folio; }

// Runs `body` in one task on a machine with the VMA [0, `pages`) of such folios.
void with_vma(const SmallMachineSpec& spec, std::int64_t pages, const VmFlags& flags,
              const std::function<void(SmallMachine&, Task&)>& body) {
  check_in_child([&] {
    SmallMachine world(spec);
    world.mm.insert_vma(page(0), page(pages), flags);
    world.add([&](Task& task) { body(world, task); });
    world.run();
  });
}

TEST(HugePages, AFaultMapsTheWholeFolio) {
  SmallMachineSpec spec = linux_6_1();
  spec.costs.populate_huge = sim::Constant{100us};
  spec.costs.fault = sim::Constant{1us};
  with_vma(spec, 4 * kHuge, thp(), [](SmallMachine& world, Task& task) {
    do_page_fault(task, world.mm, page(700), Backing::region, FaultMode::user);
    EXPECT_EQ(task.settle(), tests::at(100'000));
    EXPECT_EQ(count(world.mm, PageState::resident, kHuge, 2 * kHuge), kHuge);
    EXPECT_EQ(count(world.mm, PageState::resident), kHuge);
    EXPECT_EQ(folio_at(world.mm, 600), (Folio{kPmdOrder, true}));
    EXPECT_EQ(world.kernel.zone.allocated(), 512U);
    EXPECT_EQ(world.kernel.zone.counts().inactive_anon, PageCount(kHuge));
  });
}

TEST(HugePages, WhereNoFolioFitsAFaultMapsAPage) {
  SmallMachineSpec spec = linux_6_1();
  with_vma(spec, kHuge + 100, thp(), [](SmallMachine& world, Task& task) {
    do_page_fault(task, world.mm, page(kHuge + 50), Backing::region, FaultMode::user);  // beyond the VMA's end
    EXPECT_EQ(count(world.mm, PageState::resident), 1);
    world.mm.page_table.set(page(3), page(4), PageState::swapped);  // pmd_none no more
    do_page_fault(task, world.mm, page(50), Backing::region, FaultMode::user);
    EXPECT_EQ(count(world.mm, PageState::resident), 2);
    world.mm.page_table.set(page(3), page(4), PageState::absent);
  });
}

TEST(HugePages, WhereMemoryHasNoFolioAFaultMapsAPage) {
  SmallMachineSpec spec = linux_6_1();
  spec.memory = tests::all_free(Bytes(16 * kMiB), Bytes(1 * kMiB));
  with_vma(spec, 8 * kHuge, thp(), [](SmallMachine& world, Task& task) {
    world.kernel.zone.move(&ZoneCounts::free, &ZoneCounts::unevictable, PageCount(4096 - 256 - 512), task.settle());
    do_page_fault(task, world.mm, page(0), Backing::region, FaultMode::user);
    EXPECT_EQ(count(world.mm, PageState::resident), 1) << "it would have gone down to the min watermark";
    world.kernel.zone.move(&ZoneCounts::unevictable, &ZoneCounts::free, PageCount(200), task.settle());
    do_page_fault(task, world.mm, page(kHuge), Backing::region, FaultMode::user);
    EXPECT_EQ(count(world.mm, PageState::resident), 1 + kHuge);
  });
}

// mlock, again, munlock, munmap of 4 huge pages, 16 folios of 64 KiB and 8 pages: what each step costs, in closed form.
TEST(HugePages, EachWalkTakesOneStepForWhatOneEntryMaps) {
  SmallMachineSpec spec = linux_6_1();
  Costs& costs = spec.costs;
  costs.populate_page = sim::Constant{Nanoseconds{900}};
  costs.populate_huge = sim::Constant{Nanoseconds{51'200}};
  costs.mlock_page = sim::Constant{Nanoseconds{160}};
  costs.mlock_huge = sim::Constant{Nanoseconds{150}};
  costs.gup_present = Nanoseconds{100};
  costs.gup_huge = Nanoseconds{70};
  costs.munlock_page = sim::Constant{Nanoseconds{130}};
  costs.munlock_huge = sim::Constant{Nanoseconds{140}};
  costs.zap_page = sim::Constant{Nanoseconds{200}};
  costs.zap_huge = sim::Constant{Nanoseconds{3'000}};
  costs.batched_pte = Nanoseconds{5};
  costs.proc_smaps_page = Nanoseconds{30};
  costs.proc_smaps_huge = Nanoseconds{90};
  costs.fork_page = Nanoseconds{40};
  costs.fork_huge = Nanoseconds{2'000};
  struct Row {
    int order;
    std::int64_t pages;
    std::int64_t populate, again, mlock, munlock, zap, smaps, fork;
  };
  for (const Row& row :
       {Row{kPmdOrder, 2'048, 4 * 51'200, 4 * 70, 4 * 150, 4 * 140, 4 * 3'000, 4 * 90, 4 * 2'000},
        // More than a walk takes in one step.
        Row{kPmdOrder, 20'480, 40 * 51'200, 40 * 70, 40 * 150, 40 * 140, 40 * 3'000, 40 * 90, 40 * 2'000},
        Row{4, 256, 16 * (900 + 1'500), 256 * 100, 16 * (160 + 75), 16 * (130 + 75), 16 * (200 + 75), 256 * 30,
            256 * 40},
        Row{0, 8, 8 * 900, 8 * 100, 8 * 160, 8 * 130, 8 * 200, 8 * 30, 8 * 40}}) {
    with_vma(spec, row.pages, thp(row.order), [&](SmallMachine& world, Task& task) {
      const auto lasts = [&](std::int64_t expected, const char* what, const std::function<void()>& call) {
        const sim::Time began = task.settle();
        call();
        EXPECT_EQ((task.settle() - began).count(), expected) << what << ", order " << row.order;
      };
      const PageCount all(row.pages);
      lasts(row.populate, "populate", [&] { sys_mlock(task, world.mm, page(0), all); });
      lasts(row.again, "mlock of what is locked", [&] { sys_mlock(task, world.mm, page(0), all); });
      lasts(row.munlock, "munlock", [&] { sys_munlock(task, world.mm, page(0), all); });
      lasts(row.mlock + row.again, "mlock of what is there", [&] { sys_mlock(task, world.mm, page(0), all); });
      lasts(row.munlock, "munlock", [&] { sys_munlock(task, world.mm, page(0), all); });
      lasts(row.smaps, "smaps_rollup", [&] { proc_pid_smaps_rollup(task, world.mm); });
      lasts(row.fork, "fork", [&] { sys_fork(task, world.mm); });
      lasts(row.zap, "munmap", [&] { sys_munmap(task, world.mm, page(0), all); });
      EXPECT_EQ(world.kernel.zone.counts().unevictable + world.kernel.zone.counts().evictable(), PageCount(0));
    });
  }
}

// ../shared/measured, kernel-facts.md section 9: after munlock of one page of a locked huge page VmLck has fallen by
// 4 kB and Mlocked by 2,048 kB.
TEST(HugePages, MunlockOfAPageTakesTheWholeFolioOffTheUnevictableList) {
  SmallMachineSpec spec = linux_6_1();
  spec.memory.swap = SwapSpec{.size = Bytes(64 * kMiB), .zram = {}};
  spec.costs.split_huge = 12us;
  with_vma(spec, 4 * kHuge, thp(), [](SmallMachine& world, Task& task) {
    ASSERT_EQ(sys_mlock(task, world.mm, page(0), PageCount(4 * kHuge)), 0);
    ASSERT_EQ(world.mm.locked_vm, PageCount(4 * kHuge));
    const sim::Time began = task.settle();
    ASSERT_EQ(sys_munlock(task, world.mm, page(700), PageCount(1)), 0);
    EXPECT_EQ(task.settle() - began, 12us) << "the mapping is split once";
    EXPECT_EQ(world.mm.locked_vm, PageCount(4 * kHuge - 1));
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(3 * kHuge));
    EXPECT_EQ(folio_at(world.mm, 600), (Folio{kPmdOrder, false})) << "the folio is whole, its mapping is not";
    EXPECT_EQ(folio_at(world.mm, 0), (Folio{kPmdOrder, true}));
    // Reclaim finds 511 of them in a VM_LOCKED VMA.
    for (int round = 0; round < 100; ++round) (void)try_to_free_pages(task);
    EXPECT_EQ(world.kernel.reclaim.statistics.culled, 511U);
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(4 * kHuge - 1));
  });
}

// Reclaim looks at 32 pages at a time: a folio that it culls in part is no longer mapped by one entry, whose state
// would be that of its first page.
TEST(HugePages, WhatReclaimCullsInPartIsUnmappedInWhole) {
  SmallMachineSpec spec = linux_6_1();
  spec.memory.swap = SwapSpec{.size = Bytes(64 * kMiB), .zram = {}};
  with_vma(spec, 2 * kHuge, thp(), [](SmallMachine& world, Task& task) {
    for (const std::int64_t start : {std::int64_t{0}, kHuge})
      do_page_fault(task, world.mm, page(start), Backing::region, FaultMode::user);
    world.mm.find_vma(page(0))->flags.locked = true;
    world.mm.locked_vm += PageCount(2 * kHuge);
    (void)try_to_free_pages(task);
    EXPECT_GT(world.kernel.reclaim.statistics.culled, 0U);
    ASSERT_EQ(sys_munmap(task, world.mm, page(0), PageCount(2 * kHuge)), 0);
    EXPECT_EQ(world.kernel.zone.counts().evictable() + world.kernel.zone.counts().unevictable, PageCount(0));
  });
}

TEST(HugePages, MlockOfAPartOfAFolioLeavesItToReclaim) {
  with_vma(linux_6_1(), 2 * kHuge, thp(), [](SmallMachine& world, Task& task) {
    do_page_fault(task, world.mm, page(0), Backing::region, FaultMode::user);
    ASSERT_EQ(sys_mlock(task, world.mm, page(0), PageCount(100)), 0);
    EXPECT_EQ(world.mm.locked_vm, PageCount(100));
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(0));
    ASSERT_EQ(sys_mlock(task, world.mm, page(0), PageCount(kHuge)), 0);
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(kHuge));
  });
}

TEST(HugePages, MunmapOfAPartSplitsTheMappingAndFreesThePart) {
  with_vma(linux_6_1(), 2 * kHuge, thp(), [](SmallMachine& world, Task& task) {
    ASSERT_EQ(sys_mlock(task, world.mm, page(0), PageCount(2 * kHuge)), 0);
    ASSERT_EQ(sys_munmap(task, world.mm, page(500), PageCount(24)), 0);
    EXPECT_EQ(count(world.mm, PageState::mlocked), 1000);
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(1000));
    EXPECT_EQ(folio_at(world.mm, 499), (Folio{kPmdOrder, false}));
    EXPECT_EQ(folio_at(world.mm, 500), Folio{});
    EXPECT_EQ(folio_at(world.mm, 524), (Folio{kPmdOrder, false}));
  });
}

TEST(HugePages, DontneedOfAPartSplitsTheMapping) {
  SmallMachineSpec spec = linux_6_1();
  spec.costs.split_huge = 12us;
  spec.costs.zap_page = sim::Constant{1us};
  spec.costs.zap_huge = sim::Constant{3us};
  with_vma(spec, 4 * kHuge, thp(), [](SmallMachine& world, Task& task) {
    for (int each = 0; each < 4; ++each) {
      do_page_fault(task, world.mm, page(each * kHuge), Backing::region, FaultMode::user);
    }
    const sim::Time began = task.settle();
    ASSERT_EQ(sys_madvise(task, world.mm, page(kHuge - 1), PageCount(kHuge + 2), Advice::dontneed), 0);
    EXPECT_EQ(task.settle() - began, 2 * 12us + 2 * 1us + 3us);
    EXPECT_EQ(count(world.mm, PageState::resident), 3 * kHuge - 2);
  });
}

TEST(HugePages, AHoldThatEndsWithinOneTakesItWhole) {
  SmallMachineSpec spec;
  spec.policy.munlock = {.mode = HoldMode::chunked_write, .batch = PageCount(100)};
  spec.costs.munlock_huge = sim::Constant{1us};
  with_vma(spec, 2 * kHuge, thp(), [](SmallMachine& world, Task& task) {
    ASSERT_EQ(sys_mlock(task, world.mm, page(0), PageCount(2 * kHuge)), 0);
    const sim::Time began = task.settle();
    ASSERT_EQ(sys_munlock(task, world.mm, page(0), PageCount(2 * kHuge)), 0);
    EXPECT_EQ(task.settle() - began, 2us);
    EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(0));
  });
}

TEST(HugePages, AdviceDecidesWhatLaterFaultsMap) {
  for (const Thp enabled : {Thp::madvise, Thp::never}) {
    check_in_child([&] {
      SmallMachineSpec spec = linux_6_1();
      spec.thp = enabled;
      SmallMachine world(spec);
      world.mm.insert_vma(page(0), page(4 * kHuge), VmFlags{});
      world.add([&](Task& task) {
        do_page_fault(task, world.mm, page(0), Backing::region, FaultMode::user);
        ASSERT_EQ(sys_madvise(task, world.mm, page(kHuge), PageCount(2 * kHuge), Advice::hugepage), 0);
        do_page_fault(task, world.mm, page(kHuge), Backing::region, FaultMode::user);
        ASSERT_EQ(sys_madvise(task, world.mm, page(kHuge), PageCount(2 * kHuge), Advice::nohugepage), 0);
        do_page_fault(task, world.mm, page(2 * kHuge), Backing::region, FaultMode::user);
        EXPECT_EQ(count(world.mm, PageState::resident), enabled == Thp::never ? 3 : 2 + kHuge);
      });
      world.run();
    });
  }
}

TEST(HugePages, ThoseOfHugetlbComeFromAPoolAndGoBackToIt) {
  check_in_child([] {
    SmallMachineSpec spec = linux_6_1();
    spec.costs.populate_huge = sim::Constant{100us};
    SmallMachine world(spec);
    VmFlags flags = thp();
    flags.hugetlb = true;
    const OwnerId pool = world.kernel.zone.add_owner({.mm = &world.mm, .hugetlb = true});
    world.mm.set_owner(page(0), page(4 * kHuge), pool);
    world.kernel.zone.move(&ZoneCounts::free, &ZoneCounts::hugetlb, PageCount(4 * kHuge), {});
    world.mm.insert_vma(page(0), page(4 * kHuge), flags);
    world.add([&](Task& task) {
      ASSERT_EQ(sys_mlock(task, world.mm, page(0), PageCount(4 * kHuge)), 0);
      EXPECT_EQ(task.settle(), tests::at(400'000));
      EXPECT_EQ(count(world.mm, PageState::resident), 4 * kHuge) << "made present, never locked";
      EXPECT_EQ(sys_munmap(task, world.mm, page(0), PageCount(100)), -EINVAL) << "hugetlb_vm_op_split";
      EXPECT_EQ(sys_mprotect(task, world.mm, page(0), PageCount(100), true), -EINVAL);
      EXPECT_EQ(count(world.mm, PageState::resident), 4 * kHuge);
      ASSERT_EQ(sys_munmap(task, world.mm, page(0), PageCount(4 * kHuge)), 0);
      EXPECT_EQ(world.kernel.zone.counts().hugetlb, PageCount(4 * kHuge));
      EXPECT_EQ(world.kernel.zone.allocated(), 0U);
    });
    world.run();
  });
}

// Two threads lock, unlock, unmap, advise, protect and fault at random.
class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : chance_(seed, "test", "huge_memory") {}

  void step(SmallMachine& world, Task& task) {
    const std::int64_t start = pick(kPages);
    const PageCount pages(1 + pick(pick(2) == 0 ? 20 : kPages - start));
    switch (pick(8)) {
      case 0:
        (void)sys_mlock(task, world.mm, page(start), pages);
        break;
      case 1:
        (void)sys_munlock(task, world.mm, page(start), pages);
        break;
      case 2:
        if (pick(3) == 0) (void)sys_munmap(task, world.mm, page(start), pages);
        break;
      case 3:
        (void)sys_mmap(task, world.mm, page(start), pages, thp(pick(2) == 0 ? kPmdOrder : 4), {.fixed = false});
        break;
      case 4:
        (void)sys_madvise(task, world.mm, page(start), pages, Advice::dontneed);
        break;
      case 5:
        (void)sys_mprotect(task, world.mm, page(start), pages, pick(2) == 0);
        break;
      case 6:
        (void)sys_madvise(task, world.mm, page(start), pages, Advice::collapse);
        break;
      default:
        do_page_fault(task, world.mm, page(start), Backing::region, FaultMode::user);
    }
  }

 private:
  static constexpr std::int64_t kPages = 6 * kHuge;
  std::int64_t pick(std::int64_t below) {
    return static_cast<std::int64_t>(chance_() % static_cast<std::uint64_t>(below));
  }
  sim::Stream chance_;
};

// The zone counts what the page table says, and an entry maps what lies in one VMA and is all there.
void expect_sound(const SmallMachine& world) {
  const Mm& mm = world.mm;
  const ZoneCounts& counts = world.kernel.zone.counts();
  ASSERT_EQ(counts.unevictable.count(), count(mm, PageState::mlocked));
  ASSERT_EQ(counts.evictable().count(), count(mm, PageState::resident));
  ASSERT_EQ(counts.total(), world.kernel.zone.size());
  ASSERT_EQ(counts.in_flight, PageCount(0));
  for (std::int64_t index = 0; index < 7 * kHuge; ++index) {
    const Folio folio = folio_at(mm, index);
    const PageState state = mm.page_table.run_at(page(index), page(index + 1)).state;
    ASSERT_TRUE(folio.order == 0 || is_present(state)) << index;
    if (!folio.whole) continue;
    const VmaPointer vma = mm.find_vma(page(index));
    ASSERT_LE(vma->start, folio.start(page(index)));
    ASSERT_LE(folio.end(page(index)), vma->end);
    ASSERT_EQ(mm.page_table.run_at(folio.start(page(index)), folio.end(page(index))).end, folio.end(page(index)));
  }
}

TEST(HugePages, AreConservedInRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    check_in_child([&] {
      SmallMachineSpec spec = linux_6_1();
      spec.seed = seed;
      SmallMachine world(spec);
      world.mm.insert_vma(page(0), page(3 * kHuge), thp());
      world.mm.insert_vma(page(3 * kHuge), page(6 * kHuge), thp(4));
      world.add([&](Task& task) {
        RandomHistory history(seed);
        for (int step = 0; step < 120 && !testing::Test::HasFatalFailure(); ++step) {
          history.step(world, task);
          task.settle();
          expect_sound(world);
        }
      });
      world.run();
    });
  }
}

}  // namespace
}  // namespace models::huge_memory_test
