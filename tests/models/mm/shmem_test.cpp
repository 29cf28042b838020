// Shared memory: where its pages are after each call, what faults cost and hold, and what fork and reclaim do with it.
#include "models/mm/shmem.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>

#include "models/fork.h"
#include "models/mm/exit_mmap.h"
#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mlock.h"
#include "models/mm/mmap.h"
#include "models/mm/mremap.h"
#include "models/mm/rmap.h"
#include "models/mm/vmscan.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::shmem_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::check_pages;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kFault = 500ns;
constexpr Nanoseconds kPopulate = 400ns;
constexpr Nanoseconds kShmem = 300ns;
constexpr Nanoseconds kRemove = 70ns;
constexpr Nanoseconds kRead = 100'000ns;

constexpr PageIndex kStart{1000};
constexpr PageIndex kEnd{2000};
constexpr PageIndex kPage{1234};
constexpr PageCount kSize{1000};

SmallMachineSpec machine(bool stepwise) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.fault = sim::Constant{kFault};
  spec.costs.populate_page = sim::Constant{kPopulate};
  spec.costs.shmem_page = kShmem;
  spec.costs.remove_page = kRemove;
  spec.policy.populate = {.mode = HoldMode::drop_and_read};
  spec.policy.retry_on_io = true;
  spec.policy.lru_drain = LruDrain::local;
  spec.memory.swap = SwapSpec{.size = Bytes(tests::kGiB), .zram = std::nullopt};
  spec.memory.device = {.name = "disk",
                        .queue_depth = 8,
                        .nr_requests = 128,
                        .read = sim::Constant{kRead},
                        .write = sim::Constant{kRead}};
  return spec;
}

class Shmem : public testing::TestWithParam<bool> {
 protected:
  static void run(const std::function<void(SmallMachine&, Task&)>& body,
                  const std::function<void(SmallMachine&)>& prepare = {},
                  const std::function<void(SmallMachineSpec&)>& change = {}) {
    SmallMachineSpec spec = machine(GetParam());
    if (change) change(spec);
    check_in_child([&] {
      SmallMachine world(spec);
      const OwnerId owner = world.kernel.zone.add_owner({.mm = &world.mm, .shmem = true});
      world.mm.set_owner(kStart, kEnd, owner);
      world.mm.insert_vma(kStart, kEnd, {.shared = true});
      if (prepare) prepare(world);
      world.add([&](Task& task) { body(world, task); });
      world.run();
      EXPECT_EQ(world.kernel.zone.counts().total(), world.kernel.zone.size());
      EXPECT_EQ(world.kernel.zone.counts().in_flight, PageCount(0));
    });
  }
  static void all_resident(SmallMachine& world) { tests::make_resident(world, kStart.index(), kEnd.index()); }
  static void all_cached(SmallMachine& world) {
    tests::make_present(world, kStart.index(), kEnd.index(), PageState::cached);
  }
  static void all_swapped(SmallMachine& world) {
    EXPECT_EQ(world.kernel.swap.get(kSize), kSize);
    world.mm.page_table.set(kStart, kEnd, PageState::swapped);
  }
};
INSTANTIATE_TEST_SUITE_P(, Shmem, testing::Bool(),
                         [](const auto& each) { return std::string(each.param ? "Stepwise" : "Default"); });

void write_to(Task& task, SmallMachine& world, PageIndex page) {
  do_page_fault(task, world.mm, page, Backing::region);
  task.settle();
}

TEST_P(Shmem, AFirstTouchAllocatesAPageOfTheFileOnAnAnonymousList) {
  run([](SmallMachine& world, Task& task) {
    write_to(task, world, kPage);
    EXPECT_EQ(task.now(), at(0) + kFault + kShmem);
    EXPECT_EQ(world.kernel.zone.counts().inactive_anon, PageCount(1));
    EXPECT_EQ(world.mm.find_vma(kStart)->anon_vma, nullptr);
    check_pages(world, PageCount(0), PageCount(1));
  });
}

TEST_P(Shmem, PopulatingTakesLongerThanOfAnonymousMemory) {
  run([](SmallMachine& world, Task& task) {
    EXPECT_EQ(sys_madvise(task, world.mm, kStart, kSize, Advice::populate_write), 0);
    EXPECT_EQ(task.settle(), at(0) + 1000 * (kPopulate + kShmem));
    check_pages(world, PageCount(0), kSize);
  });
}

TEST_P(Shmem, WhatIsUnmappedStaysInTheFile) {
  run(
      [](SmallMachine& world, Task& task) {
        EXPECT_EQ(sys_madvise(task, world.mm, kStart, PageCount(400), Advice::dontneed), 0);
        check_pages(world, PageCount(0), PageCount(600), PageCount(400));
        EXPECT_EQ(sys_munmap(task, world.mm, kStart, kSize), 0);
        check_pages(world, PageCount(0), PageCount(0), kSize);
        EXPECT_EQ(sys_mmap(task, world.mm, kStart, kSize, VmFlags{.shared = true}), 0);
        const sim::Time before = task.settle();
        write_to(task, world, kPage);
        EXPECT_EQ(task.now() - before, kFault);  // it is there
        check_pages(world, PageCount(0), PageCount(1), PageCount(999));
      },
      all_resident);
}

TEST_P(Shmem, AReadMapsWhatIsAroundAWriteOnlyItsPage) {
  run(
      [](SmallMachine& world, Task& task) {
        write_to(task, world, kPage);
        check_pages(world, PageCount(0), PageCount(1), PageCount(999));
        // 16 at a multiple of 16: 1600 to 1616.
        EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(1600), PageCount(1), Advice::populate_read), 0);
        check_pages(world, PageCount(0), PageCount(17), PageCount(983));
      },
      all_cached);
}

TEST_P(Shmem, MlockAndMunlockWorkAsOnAnyMemory) {
  run([](SmallMachine& world, Task& task) {
    EXPECT_EQ(sys_mlock(task, world.mm, kStart, kSize), 0);
    check_pages(world, kSize, PageCount(0));
    EXPECT_EQ(sys_madvise(task, world.mm, kStart, kSize, Advice::remove), -EINVAL);
    EXPECT_EQ(sys_munlock(task, world.mm, kStart, kSize), 0);
    check_pages(world, PageCount(0), kSize);
    EXPECT_EQ(sys_mlock(task, world.mm, kStart, kSize), 0);
    EXPECT_EQ(sys_munmap(task, world.mm, kStart, kSize), 0);
    check_pages(world, PageCount(0), PageCount(0), kSize);
  });
}

// Its folio is on a list before it is mapped: anonymous memory's is mlocked without having been on one.
TEST_P(Shmem, ANewPageOfALockedVmaIsTakenFromItsList) {
  constexpr Nanoseconds kMlock{77};
  const auto price = [&](SmallMachineSpec& spec) { spec.costs.mlock_page = sim::Constant{kMlock}; };
  run(
      [&](SmallMachine& world, Task& task) {
        EXPECT_EQ(sys_mlock(task, world.mm, kStart, kSize), 0);
        EXPECT_EQ(task.settle(), at(0) + 1000 * (kPopulate + kShmem + kMlock));
        check_pages(world, kSize, PageCount(0));
      },
      {}, price);
  run(
      [&](SmallMachine& world, Task& task) {
        EXPECT_EQ(sys_mlock(task, world.mm, kStart, kSize, MlockWhat::on_fault), 0);
        write_to(task, world, kPage);
        EXPECT_EQ(task.now(), at(0) + kFault + kShmem + kMlock);
        check_pages(world, PageCount(1), PageCount(0));
      },
      {}, price);
}

TEST_P(Shmem, OnlyRemoveTakesPagesOutOfTheFile) {
  run(
      [](SmallMachine& world, Task& task) {
        EXPECT_EQ(sys_madvise(task, world.mm, kStart, PageCount(300), Advice::dontneed), 0);
        const sim::Time before = task.settle();
        EXPECT_EQ(sys_madvise(task, world.mm, kStart, PageCount(600), Advice::remove), 0);
        EXPECT_EQ(task.settle() - before, 600 * kRemove);
        check_pages(world, PageCount(0), PageCount(400));
        EXPECT_EQ(sys_madvise(task, world.mm, kStart, PageCount(600), Advice::free), -EINVAL);
      },
      all_resident);
}

TEST_P(Shmem, RemoveHoldsNothingWhileTheFileLosesItsPages) {
  run(
      [](SmallMachine& world, Task& task) {
        EXPECT_EQ(sys_madvise(task, world.mm, kStart, kSize, Advice::remove), 0);
        EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({0, Phase::madvise, LockMode::read}).max(), 0ns);
      },
      all_resident);
}

TEST_P(Shmem, RemoveGivesSwapBack) {
  run(
      [](SmallMachine& world, Task& task) {
        EXPECT_EQ(sys_munmap(task, world.mm, kStart, PageCount(500)), 0);
        EXPECT_EQ(world.kernel.swap.used(), kSize);  // the file has it
        EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(1500), PageCount(500), Advice::remove), 0);
        EXPECT_EQ(world.kernel.swap.used(), PageCount(500));
      },
      all_swapped);
}

TEST_P(Shmem, OfAnonymousMemoryNothingCanBeRemoved) {
  run([](SmallMachine& world, Task& task) {
    world.mm.insert_vma(PageIndex(10), PageIndex(20), {});
    EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(10), PageCount(10), Advice::remove), -EINVAL);
  });
}

// Not given up, whatever the kernel does about pages of files and of anonymous memory.
TEST_P(Shmem, APageInSwapIsWaitedForWithMmapSemHeld) {
  run(
      [](SmallMachine& world, Task& task) {
        write_to(task, world, kPage);
        EXPECT_EQ(task.now(), at(0) + kRead + kFault);
        EXPECT_EQ(world.mm.mmap_sem.statistics().hold.at({1, Phase::fault, LockMode::read}).max(), kRead + kFault);
        // It has left swap with its neighbours; these are in the file now.
        EXPECT_EQ(world.kernel.swap.used(), kSize - PageCount(8));
        check_pages(world, PageCount(0), PageCount(1), PageCount(7));
      },
      [](SmallMachine& world) {
        all_swapped(world);
        world.add([](Task&) {});
      });
}

TEST_P(Shmem, ReclaimWritesItToSwapMappedOrNot) {
  run(
      [](SmallMachine& world, Task& task) {
        EXPECT_EQ(sys_madvise(task, world.mm, kStart, PageCount(10), Advice::pageout), 0);
        EXPECT_EQ(world.kernel.swap.used(), PageCount(10));
        EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(1010), PageCount(990), Advice::dontneed), 0);
        EXPECT_GT(try_to_free_pages(task), PageCount(0));
        EXPECT_GT(world.kernel.swap.used(), PageCount(10));
      },
      all_resident,
      [](SmallMachineSpec& spec) {
        spec.memory.swap->zram = ZramSpec{.compress = 1ns, .decompress = 1ns, .ratio = 2};
        spec.memory.swappiness = 200;
      });
}

TEST_P(Shmem, ForkCopiesNoEntriesOfIt) {
  run(
      [](SmallMachine& world, Task& task) {
        tests::add_vma(world, 10, 20, {});
        tests::make_resident(world, 10, 20);
        EXPECT_EQ(sys_fork(task, world.mm, 1s), 0);
        EXPECT_EQ(task.settle(), at(0) + 10 * 1us);
        const sim::Time before = task.settle();
        write_to(task, world, kPage);  // nothing to copy
        EXPECT_EQ(task.now() - before, kFault);
        EXPECT_EQ(world.kernel.zone.counts().children, PageCount(0));
      },
      all_resident, [](SmallMachineSpec& spec) { spec.costs.fork_page = 1us; });
}

TEST_P(Shmem, MovesWithMremap) {
  run(
      [](SmallMachine& world, Task& task) {
        const PageIndex to(5000);
        world.mm.set_owner(to, to + kSize, world.mm.owner_of(kStart));
        EXPECT_EQ(sys_mremap(task, world.mm, kStart, kSize, to), 0);
        check_pages(world, PageCount(0), kSize);
        EXPECT_EQ(world.mm.page_table.count(to, to + kSize, PageState::resident), kSize);
      },
      all_resident);
}

TEST_P(Shmem, OutlivesTheProcess) {
  run(
      [](SmallMachine& world, Task& task) {
        ASSERT_TRUE(get_task_mm(world.mm));
        sys_exit(task, world.mm);
        mmput(task, world.mm);
        check_pages(world, PageCount(0), PageCount(0), kSize);
      },
      all_resident);
}

// Faults of 6.4 stay under the VMA's lock if the VMA is anonymous.
TEST_P(Shmem, FaultsUnderThePerVmaLockFromLinux67On) {
  for (const VmaLockCovers covers : {VmaLockCovers::anonymous, VmaLockCovers::swap, VmaLockCovers::files}) {
    run(
        [covers](SmallMachine& world, Task& task) {
          task.sleep_until(at(10));
          write_to(task, world, kPage);
          EXPECT_EQ(task.now() > at(50'000), covers != VmaLockCovers::files);
        },
        [](SmallMachine& world) {
          world.add([&world](Task& task) {
            world.mm.mmap_sem.down_write(task);
            task.work(50'000ns);
            world.mm.mmap_sem.up_write(task);
          });
        },
        [covers](SmallMachineSpec& spec) {
          spec.policy.fault = FaultLock::per_vma;
          spec.policy.vma_lock_covers = covers;
        });
  }
}

}  // namespace
}  // namespace models::shmem_test
