// Pages that a monitor fills in: who waits without which lock, what the monitor's calls return and hold, and that
// nobody is forgotten.
#include "models/mm/userfaultfd.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/mm/access_remote_vm.h"
#include "models/mm/cow.h"
#include "models/mm/exit_mmap.h"
#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mlock.h"
#include "models/mm/mm.h"
#include "models/mm/mmap.h"
#include "models/mm/mremap.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::userfaultfd_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kFault = 500ns;
constexpr Nanoseconds kCopy = 300ns;
constexpr Nanoseconds kFetch = 10us;

SmallMachineSpec machine(bool per_vma = false) {
  SmallMachineSpec spec;
  spec.costs.fault = sim::Constant{kFault};
  spec.costs.populate_page = sim::Constant{kCopy};
  spec.policy.retry_on_io = true;
  spec.policy.populate.mode = HoldMode::drop_and_read;
  if (per_vma) {
    spec.policy.fault = FaultLock::per_vma;
    spec.policy.first_touch = FirstTouch::try_mmap_sem;
    spec.policy.userfault_copy_under_vma_lock = true;
  }
  return spec;
}

PageState state_of(const SmallMachine& world, std::int64_t page) {
  return world.mm.page_table.run_at(PageIndex(page), PageIndex(page + 1)).state;
}

// A monitor of [0, 100), which has taken it over at time 0 and serves so many faults a page at a time.
struct World {
  explicit World(const SmallMachineSpec& spec, int faults = 1) : machine(spec) {
    machine.mm.userfaultfds.push_back(std::make_shared<Userfaultfd>(0));
    tests::add_vma(machine, 0, 100, {});
    machine.add([this, faults](Task& task) {
      EXPECT_EQ(userfaultfd_register(task, machine.mm, PageIndex(0), PageCount(100), 1), 0);
      for (int fault = 0; fault < faults; ++fault) serve(task);
    });
  }

  void serve(Task& task) {
    const auto page = machine.mm.userfaultfds.front()->read(task, std::nullopt);
    ASSERT_TRUE(page);
    task.sleep_until(task.settle() + kFetch);
    errors.push_back(userfaultfd_copy(task, machine.mm, *page, PageCount(1), 1));
  }

  SmallMachine machine;
  std::vector<int> errors;
};

TEST(Userfaultfd, AFaultWaitsForItsMonitorWithNoLockHeldAndBeginsAgain) {
  for (const bool per_vma : {false, true}) {
    check_in_child([&] {
      World world(machine(per_vma));
      Task& faulter = world.machine.add_at(100, [&](Task& task) {
        do_page_fault(task, world.machine.mm, PageIndex(7), Backing::region);
        EXPECT_EQ(task.settle(), at(100) + kFetch + kCopy + kFault);
      });
      Task& writer = world.machine.add_at(200, [&](Task& task) {
        world.machine.mm.mmap_sem.down_write(task);
        EXPECT_EQ(task.settle(), at(200)) << "nobody holds it";
        world.machine.mm.mmap_sem.up_write(task);
      });
      world.machine.run();
      EXPECT_EQ(world.machine.spent(faulter, Cause::userfault), kFetch + kCopy);
      EXPECT_EQ(world.machine.spent(writer, Cause::lock_wait), 0ns);
      EXPECT_EQ(state_of(world.machine, 7), PageState::resident);
      EXPECT_EQ(state_of(world.machine, 8), PageState::absent);
      EXPECT_EQ(world.errors, std::vector{0});
    });
  }
}

// The monitor is woken first: by the time that the fault could queue, somebody else has had the page filled in.
TEST(Userfaultfd, APageThatIsFilledInMeanwhileIsNotWaitedFor) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.costs.rwsem_wake = 5us;
    World world(spec, 0);
    SmallMachine& small = world.machine;
    small.add_at(50, [&](Task& task) { (void)small.mm.userfaultfds.front()->read(task, at(50'000)); });
    small.add_at(100, [&](Task& task) {
      do_page_fault(task, small.mm, PageIndex(7), Backing::region);
      EXPECT_EQ(task.settle(), at(100) + 5us + kFault);
    });
    small.add_at(1'000,
                 [&](Task& task) { EXPECT_EQ(userfaultfd_copy(task, small.mm, PageIndex(7), PageCount(1), 1), 0); });
    small.run();
  });
}

TEST(Userfaultfd, OneCopyWakesAllWhoWaitForItsPages) {
  check_in_child([] {
    World world(machine(), 2);
    for (int number = 0; number < 3; ++number) {
      world.machine.add_at(100 + number, [&](Task& task) {
        do_page_fault(task, world.machine.mm, PageIndex(7), Backing::region);
        EXPECT_EQ(task.settle(), at(100) + kFetch + kCopy + kFault);
      });
    }
    world.machine.add_at(5'000,
                         [&](Task& task) { do_page_fault(task, world.machine.mm, PageIndex(8), Backing::region); });
    world.machine.run();
    EXPECT_EQ(world.errors, (std::vector{0, 0})) << "one for page 7, one for page 8";
  });
}

// Up to 6.8 the copy is made under mmap_lock for read: a writer waits for it; then under the lock of its VMA.
TEST(Userfaultfd, ACopyHoldsMmapSemForReadOrTheLockOfItsVma) {
  for (const bool per_vma : {false, true}) {
    check_in_child([&] {
      World world(machine(per_vma), 0);
      world.machine.add_at(100, [&](Task& task) {
        EXPECT_EQ(userfaultfd_copy(task, world.machine.mm, PageIndex(0), PageCount(50), 1), 0);
        EXPECT_EQ(task.settle(), at(100) + 50 * kCopy);
      });
      world.machine.add_at(200, [&](Task& task) {
        world.machine.mm.mmap_sem.down_write(task);
        EXPECT_EQ(task.settle(), per_vma ? at(200) : at(100) + 50 * kCopy);
        world.machine.mm.mmap_sem.up_write(task);
      });
      world.machine.run();
    });
  }
}

TEST(Userfaultfd, ACopyIsRefusedWhereAPageIsAndWhereNothingIsRegistered) {
  check_in_child([] {
    World world(machine(), 0);
    tests::add_vma(world.machine, 200, 210, {});
    tests::make_resident(world.machine, 3, 4);
    world.machine.add_at(100, [&](Task& task) {
      Mm& mm = world.machine.mm;
      const auto copy = [&](std::int64_t start, std::int64_t pages) {
        return userfaultfd_copy(task, mm, PageIndex(start), PageCount(pages), 1);
      };
      EXPECT_EQ(copy(0, 10), -EEXIST);
      EXPECT_EQ(state_of(world.machine, 2), PageState::resident) << "what lies before has been copied";
      EXPECT_EQ(state_of(world.machine, 4), PageState::absent);
      EXPECT_EQ(copy(205, 1), -ENOENT);
      EXPECT_EQ(copy(95, 10), -ENOENT);
      EXPECT_EQ(userfaultfd_register(task, mm, PageIndex(90), PageCount(20), 1), -EINVAL);
      EXPECT_EQ(world.machine.kernel.zone.counts().in_flight, PageCount(0));
    });
    world.machine.run();
  });
}

TEST(Userfaultfd, WhoWaitsForAPageOfAnAreaThatIsUnmappedIsWoken) {
  check_in_child([] {
    World world(machine());
    world.machine.add_at(100, [&](Task& task) {
      do_page_fault(task, world.machine.mm, PageIndex(7), Backing::region);
      EXPECT_EQ(task.settle(), at(100) + kFetch);
    });
    world.machine.add_at(
        200, [&](Task& task) { EXPECT_EQ(sys_munmap(task, world.machine.mm, PageIndex(0), PageCount(100)), 0); });
    world.machine.run();
    EXPECT_EQ(world.errors, std::vector{-ENOENT});
  });
}

// mlock populates with mmap_sem given up each time that it waits; what may not give it up goes without.
TEST(Userfaultfd, MlockWaitsWithoutMmapSemAndAccessProcessVmNotAtAll) {
  check_in_child([] {
    World world(machine(), 4);
    world.machine.add_at(100, [&](Task& task) {
      (void)access_process_vm(task, world.machine.mm, PageIndex(50), PageCount(1));
      EXPECT_EQ(task.settle(), at(100));
      EXPECT_EQ(state_of(world.machine, 50), PageState::absent);
      EXPECT_EQ(sys_mlock(task, world.machine.mm, PageIndex(0), PageCount(4)), 0);
      EXPECT_GE(task.settle(), at(100) + 4 * (kFetch + kCopy));
      EXPECT_EQ(state_of(world.machine, 3), PageState::mlocked);
    });
    Task& writer = world.machine.add_at(15'000, [&](Task& task) {
      world.machine.mm.mmap_sem.down_write(task);
      world.machine.mm.mmap_sem.up_write(task);
    });
    world.machine.run();
    EXPECT_EQ(world.machine.spent(writer, Cause::lock_wait), 0ns);
  });
}

TEST(Userfaultfd, RegisteringCutsVmasUnderWriteModeAndKeepsThemApart) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.costs.vma_split = 100ns;
    SmallMachine world(spec);
    world.mm.userfaultfds.push_back(std::make_shared<Userfaultfd>(0));
    tests::add_vma(world, 0, 100, {});
    world.add([&](Task& task) {
      EXPECT_EQ(userfaultfd_register(task, world.mm, PageIndex(20), PageCount(30), 1), 0);
      EXPECT_EQ(task.settle(), at(200)) << "two splits";
      EXPECT_EQ(world.mm.map_count(), 3U);
    });
    world.add_at(50, [&](Task& task) {
      world.mm.mmap_sem.down_read(task);
      EXPECT_EQ(task.settle(), at(200));
      world.mm.mmap_sem.up_read(task);
    });
    world.run();
  });
}

// Since 6.6 a fault under the lock of its VMA waits like another; before it takes mmap_sem for such an area.
TEST(Userfaultfd, BeforeFaultsOfSwapStayUnderTheLockOfTheirVmaTheseTakeMmapSem) {
  for (const VmaLockCovers covers : {VmaLockCovers::anonymous, VmaLockCovers::swap}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine(true);
      spec.policy.vma_lock_covers = covers;
      spec.policy.userfault_copy_under_vma_lock = false;
      World world(spec, 0);
      tests::make_resident(world.machine, 7, 8);
      world.machine.mm.anon_vma_prepare(*world.machine.mm.find_vma(PageIndex(7)));
      world.machine.add_at(50, [&](Task& task) {
        world.machine.mm.mmap_sem.down_write(task);
        task.sleep_until(at(5'000));
        world.machine.mm.mmap_sem.up_write(task);
      });
      world.machine.add_at(100, [&](Task& task) {
        do_page_fault(task, world.machine.mm, PageIndex(7), Backing::region);
        EXPECT_EQ(task.settle(), covers == VmaLockCovers::anonymous ? at(5'000) + kFault : at(100) + kFault);
      });
      world.machine.run();
    });
  }
}

TEST(Userfaultfd, NoHugePageIsMadeOfWhatItsMonitorHasNotFilledIn) {
  check_in_child([] {
    SmallMachine world(machine());
    world.mm.userfaultfds.push_back(std::make_shared<Userfaultfd>(0));
    tests::add_vma(world, 0, 512, {});
    tests::make_resident(world, 0, 511);
    world.add([&](Task& task) {
      EXPECT_EQ(userfaultfd_register(task, world.mm, PageIndex(0), PageCount(512), 1), 0);
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(512), Advice::collapse), -EINVAL);
      EXPECT_EQ(userfaultfd_copy(task, world.mm, PageIndex(511), PageCount(1), 1), 0);
      EXPECT_EQ(sys_madvise(task, world.mm, PageIndex(0), PageCount(512), Advice::collapse), 0);
    });
    world.run();
  });
}

// As a collector does: the page is somewhere else afterwards, and nothing has been allocated or copied.
TEST(Userfaultfd, AMoveTakesPagesFromAnotherPlace) {
  for (const bool per_vma : {false, true}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine(per_vma);
      spec.costs.remap_page = 40ns;
      World world(spec, 0);
      SmallMachine& small = world.machine;
      tests::add_vma(small, 200, 300, {.readonly = true});
      tests::make_resident(small, 200, 205);
      const PageCount free = small.kernel.zone.counts().free;
      small.add_at(100, [&](Task& task) {
        const auto move = [&](std::int64_t start, std::int64_t from, std::int64_t pages) {
          return userfaultfd_move(task, small.mm, PageIndex(start), PageIndex(from), PageCount(pages), 1);
        };
        EXPECT_EQ(move(0, 200, 5), 0);
        EXPECT_EQ(task.settle(), at(100) + 5 * 40ns);
        EXPECT_EQ(state_of(small, 4), PageState::resident);
        EXPECT_EQ(state_of(small, 204), PageState::absent);
        EXPECT_EQ(move(10, 200, 5), -ENOENT) << "nothing is there any more";
        tests::make_resident(small, 210, 211);
        EXPECT_EQ(move(4, 210, 1), -EEXIST);
        EXPECT_EQ(move(210, 4, 1), -ENOENT) << "it is not registered";
        EXPECT_EQ(move(10, 299, 5), -ENOENT);
      });
      small.add_at(150, [&](Task& task) {
        small.mm.mmap_sem.down_write(task);
        EXPECT_EQ(task.settle(), per_vma ? at(150) : at(100) + 5 * 40ns);
        small.mm.mmap_sem.up_write(task);
      });
      small.run();
      EXPECT_EQ(small.kernel.zone.counts().free, free - PageCount(1));
    });
  }
}

TEST(Userfaultfd, AMoveIsRefusedWhereOnePlaceIsLockedAndOfWhatAChildShares) {
  check_in_child([] {
    World world(machine(), 0);
    SmallMachine& small = world.machine;
    tests::add_vma(small, 200, 210, {.locked = true});
    tests::add_vma(small, 300, 310, {.shared = true});
    tests::add_vma(small, 400, 410, {});
    tests::make_resident(small, 400, 410);
    small.mm.cow = std::make_shared<CowPages>(small.kernel);
    small.mm.cow->begin_fork();
    small.mm.cow->share(small.mm, *small.mm.find_vma(PageIndex(400)));
    small.add_at(100, [&](Task& task) {
      const auto move = [&](std::int64_t from) {
        return userfaultfd_move(task, small.mm, PageIndex(0), PageIndex(from), PageCount(1), 1);
      };
      EXPECT_EQ(move(200), -EINVAL);
      EXPECT_EQ(move(300), -EINVAL);
      EXPECT_EQ(move(400), -EBUSY);
    });
    small.run();
  });
}

// A monitor whose time is over while somebody is about to wake it has something else to wait for.
TEST(Userfaultfd, AMonitorThatHasGoneOnIsNotWoken) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.costs.rwsem_wake = 5us;
    World world(spec, 0);
    SmallMachine& small = world.machine;
    small.add_at(50, [&](Task& task) {
      Userfaultfd& descriptor = *small.mm.userfaultfds.front();
      EXPECT_EQ(descriptor.read(task, at(2'000)), PageIndex(7)) << "it is queued before anybody is woken";
      EXPECT_EQ(task.settle(), at(2'000));
      task.sleep_until(at(30'000));
      EXPECT_EQ(task.settle(), at(30'000)) << "nothing has cut it short";
      EXPECT_EQ(userfaultfd_copy(task, small.mm, PageIndex(7), PageCount(1), 1), 0);
    });
    small.add_at(100, [&](Task& task) { do_page_fault(task, small.mm, PageIndex(7), Backing::region); });
    small.run();
  });
}

TEST(Userfaultfd, WhoWaitsIsWokenWhenTheProcessExits) {
  check_in_child([] {
    World world(machine(), 0);
    SmallMachine& small = world.machine;
    small.add_at(100, [&](Task& task) {
      ASSERT_TRUE(get_task_mm(small.mm));
      do_page_fault(task, small.mm, PageIndex(7), Backing::region);
      EXPECT_EQ(task.settle(), at(9'000) + kFault);
      mmput(task, small.mm);
    });
    small.add_at(9'000, [&](Task& task) { sys_exit(task, small.mm); });
    small.run();
    EXPECT_EQ(small.mm.map_count(), 0U);
  });
}

TEST(Userfaultfd, AnAreaHasOneMonitorAndLosesItWhenItMoves) {
  check_in_child([] {
    World world(machine(), 0);
    SmallMachine& small = world.machine;
    small.mm.userfaultfds.push_back(std::make_shared<Userfaultfd>(1));
    small.add_at(100, [&](Task& task) {
      EXPECT_EQ(userfaultfd_register(task, small.mm, PageIndex(50), PageCount(10), 2), -EBUSY);
      EXPECT_EQ(userfaultfd_register(task, small.mm, PageIndex(50), PageCount(10), 1), 0);
      EXPECT_EQ(sys_mremap(task, small.mm, PageIndex(50), PageCount(10), PageIndex(1'000)), 0);
      do_page_fault(task, small.mm, PageIndex(1'005), Backing::region);
      EXPECT_EQ(state_of(small, 1'005), PageState::resident) << "a fault like any other";
    });
    small.run();
  });
}

// As the kernel does it from 6.9 on: mmap_lock only to make the anon_vma, not for the copy.
TEST(Userfaultfd, TheFirstCopyTakesMmapSemOnlyForItsAnonVma) {
  check_in_child([] {
    World world(machine(true), 0);
    SmallMachine& small = world.machine;
    small.add_at(50, [&](Task& task) {
      small.mm.mmap_sem.down_write(task);
      task.sleep_until(at(5'000));
      small.mm.mmap_sem.up_write(task);
    });
    small.add_at(100, [&](Task& task) {
      EXPECT_EQ(userfaultfd_copy(task, small.mm, PageIndex(0), PageCount(50), 1), 0);
      EXPECT_EQ(task.settle(), at(5'000) + 50 * kCopy);
    });
    small.add_at(6'000, [&](Task& task) {
      small.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle(), at(6'000)) << "while it copies";
      small.mm.mmap_sem.up_write(task);
    });
    small.run();
  });
}

TEST(Userfaultfd, AMonitorWaitsNoLongerThanItSays) {
  check_in_child([] {
    World world(machine(), 0);
    world.machine.add_at(100, [&](Task& task) {
      EXPECT_EQ(world.machine.mm.userfaultfds.front()->read(task, at(900)), std::nullopt);
      EXPECT_EQ(task.settle(), at(900));
    });
    world.machine.run();
  });
}

}  // namespace
}  // namespace models::userfaultfd_test
