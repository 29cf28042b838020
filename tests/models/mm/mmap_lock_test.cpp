// Per-VMA locks: which lock a fault takes, and for whom a writer waits.
#include "models/mm/mmap_lock.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "models/mm/fault.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mmap_lock_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kOperation = 1ns;
constexpr Nanoseconds kFault = 1'000ns;

SmallMachineSpec machine(FaultLock fault = FaultLock::per_vma) {
  SmallMachineSpec spec;
  spec.policy.fault = fault;
  spec.costs.rwsem_operation = kOperation;
  spec.costs.fault = sim::Constant{kFault};
  return spec;
}

// 10-20 and 30-40, both faulted in before, and faults in them.
class TwoVmas : public SmallMachine {
 public:
  explicit TwoVmas(const SmallMachineSpec& settings = mmap_lock_test::machine()) : SmallMachine(settings) {
    tests::make_map(*this, "10-20 30-40");
    first = mm.find_vma(PageIndex(10));
    second = mm.find_vma(PageIndex(30));
    mm.anon_vma_prepare(*first);
    mm.anon_vma_prepare(*second);
  }

  /// A fault in `page` at `when`, which must have ended at `end`.
  void expect_fault(std::int64_t when, std::int64_t page, std::int64_t end) {
    add_at(when, [this, when, page, end](Task& task) {
      do_page_fault(task, mm, PageIndex(page), Backing::region);
      EXPECT_EQ(task.settle(), at(end)) << "the fault at " << when << " in page " << page;
    });
  }
  [[nodiscard]] std::uint64_t reads() const { return mm.mmap_sem.statistics().all(LockMode::read).acquisitions; }

  VmaPointer first;
  VmaPointer second;
};

TEST(PerVmaLock, AFaultDoesNotTouchMmapSem) {
  check_in_child([] {
    TwoVmas world;
    world.expect_fault(0, 10, 1000);
    world.run();
    EXPECT_EQ(world.reads(), 0U);
  });
}

TEST(PerVmaLock, AFaultInAVmaThatIsWriteLockedTakesMmapSem) {
  check_in_child([] {
    TwoVmas world;
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      task.work(5000ns);
      mmap_write_unlock(task, world.mm);
    });
    world.expect_fault(100, 10, 1 + 5000 + 1 + 1000 + 1);
    world.run();
    EXPECT_EQ(world.reads(), 1U);
  });
}

TEST(PerVmaLock, AFaultInAnotherVmaGoesOnUnderTheWriteHold) {
  check_in_child([] {
    TwoVmas world;
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      task.work(5000ns);
      mmap_write_unlock(task, world.mm);
    });
    world.expect_fault(100, 30, 1100);
    world.run();
    EXPECT_EQ(world.reads(), 0U);
  });
}

TEST(PerVmaLock, AWriterWaitsForTheFaultsInItsVmaOnly) {
  check_in_child([] {
    TwoVmas world;
    world.expect_fault(0, 10, 1000);
    world.expect_fault(200, 11, 1200);  // beside it: faults do not block each other
    world.expect_fault(700, 30, 1700);
    world.add_at(500, [&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      EXPECT_EQ(task.settle(), at(1200));
      EXPECT_EQ(world.spent(task, Cause::lock_wait), 1200ns - 501ns);
      mmap_write_unlock(task, world.mm);
    });
    world.run();
    EXPECT_EQ(world.reads(), 0U);
  });
}

TEST(PerVmaLock, AWritersWaitIsChargedToTheLastFaultToLeave) {
  check_in_child([] {
    TwoVmas world;
    world.expect_fault(0, 10, 1000);
    Task& writer = world.add_at(500, [&](Task& task) {
      task.ledger().remember();
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      mmap_write_unlock(task, world.mm);
    });
    world.run();
    ASSERT_EQ(tests::lock_waits(writer.ledger()).size(), 1U);
    const LockWait wait = tests::lock_waits(writer.ledger()).front();
    EXPECT_EQ(wait.blame, (LockBlame{0, Phase::fault, LockMode::read, -1, Cause::cpu, -1, LockKind::vma}));
    EXPECT_EQ(wait.from, at(501));
    EXPECT_EQ(wait.to, at(1000));
  });
}

// Up to 6.14: a writer spins on the readers for (20 + readers) / 2 us, 10.5 us for one, before it sleeps; newcomers get
// past it until then.
TEST(PerVmaLock, AsASemaphoreItsWriterSpinsAndNewcomersGetPastIt) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.policy.vma_lock = VmaLockKind::rwsem;
    spec.costs.rwsem_wake = 700ns;
    TwoVmas world(spec);
    world.add_at(10'000, [&](Task& task) {
      do_page_fault(task, world.mm, PageIndex(10), Backing::region);
      EXPECT_EQ(task.settle(), at(11'000));
    });
    world.add_at(10'500, [&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      EXPECT_EQ(task.settle(), at(11'800)) << "no wake-up to pay for";
      EXPECT_EQ(world.spent(task, Cause::lock_wait), 11'800ns - 10'501ns);
      mmap_write_unlock(task, world.mm);
    });
    world.add_at(10'800, [&](Task& task) {
      do_page_fault(task, world.mm, PageIndex(11), Backing::region);
      EXPECT_EQ(task.settle(), at(11'800)) << "past the writer that spins";
    });
    world.run();
    EXPECT_EQ(world.reads(), 0U);
  });
}

TEST(PerVmaLock, AsASemaphoreItsWriterSleepsAfterItsSpinAndIsChargedWithoutRemainder) {
  check_in_child([] {
    SmallMachineSpec spec = machine();
    spec.policy.vma_lock = VmaLockKind::rwsem;
    spec.costs.fault = sim::Constant{50'000ns};
    TwoVmas world(spec);
    world.expect_fault(0, 10, 50'000);
    Task& writer = world.add_at(1000, [&](Task& task) {
      task.ledger().remember();
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      EXPECT_EQ(task.settle(), at(50'000));
      mmap_write_unlock(task, world.mm);
    });
    // After 10.5 us it queues, and who comes then is refused.
    world.add_at(20'000, [&](Task& task) {
      do_page_fault(task, world.mm, PageIndex(11), Backing::region);
      EXPECT_GT(task.settle(), at(100'000));
    });
    world.run();
    Nanoseconds charged{};
    for (const LockWait& wait : tests::lock_waits(writer.ledger())) charged += wait.to - wait.from;
    EXPECT_EQ(charged, 50'000ns - 1001ns);
    EXPECT_EQ(world.reads(), 1U);
  });
}

TEST(PerVmaLock, AFaultThatComesWhileAWriterWaitsTakesMmapSem) {
  check_in_child([] {
    TwoVmas world;
    world.expect_fault(0, 10, 1000);
    world.add_at(500, [&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      EXPECT_EQ(task.settle(), at(1000));
      mmap_write_unlock(task, world.mm);
    });
    world.expect_fault(700, 11, 1000 + 1 + 1000 + 1);
    world.run();
    EXPECT_EQ(world.reads(), 1U);
  });
}

TEST(PerVmaLock, UnlockingUnmarksAllVmasAtOnce) {
  check_in_child([] {
    TwoVmas world;
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      vma_start_write(task, world.mm, *world.second);
      EXPECT_FALSE(vma_start_read(task, world.mm, *world.first));
      EXPECT_FALSE(vma_start_read(task, world.mm, *world.second));
      mmap_write_unlock(task, world.mm);
      EXPECT_TRUE(vma_start_read(task, world.mm, *world.first));
      EXPECT_TRUE(vma_start_read(task, world.mm, *world.second));
      vma_end_read(task, *world.first);
      vma_end_read(task, *world.second);
    });
    world.run();
  });
}

TEST(PerVmaLock, DowngradingUnmarksAllVmasAtOnce) {
  check_in_child([] {
    TwoVmas world;
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      vma_start_write(task, world.mm, *world.second);
      mmap_write_downgrade(task, world.mm);
      task.work(5000ns);
      world.mm.mmap_sem.up_read(task);
    });
    world.expect_fault(100, 10, 1100);
    world.expect_fault(100, 30, 1100);
    world.run();
    EXPECT_EQ(world.reads(), 0U);
  });
}

TEST(PerVmaLock, AVmaThatWasSplitWhileWriteLockedIsSoOnBothSides) {
  check_in_child([] {
    TwoVmas world;
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      vma_start_write(task, world.mm, *world.first);
      EXPECT_EQ(world.mm.split_vma(world.first, PageIndex(15), Mm::NewVma::above), 0);
      EXPECT_FALSE(vma_start_read(task, world.mm, *world.first));
      EXPECT_FALSE(vma_start_read(task, world.mm, *world.mm.find_vma(PageIndex(15))));
      mmap_write_unlock(task, world.mm);
      EXPECT_TRUE(vma_start_read(task, world.mm, *world.mm.find_vma(PageIndex(15))));
    });
    world.run();
  });
}

TEST(PerVmaLock, TheFirstFaultOfAVmaTakesMmapSemBecauseOfAnonVma) {
  check_in_child([] {
    TwoVmas world;
    world.first->anon_vma = nullptr;
    world.expect_fault(0, 10, 1 + 1000 + 1);
    world.expect_fault(2000, 11, 3000);
    world.run();
    EXPECT_EQ(world.reads(), 1U);
    EXPECT_NE(world.first->anon_vma, nullptr);
  });
}

TEST(PerVmaLock, ADetachedVmaCannotBeLocked) {
  check_in_child([] {
    TwoVmas world;
    world.add([&](Task& task) {
      world.mm.detach_vma(world.first);
      EXPECT_FALSE(vma_start_read(task, world.mm, *world.first));
    });
    world.run();
  });
}

TEST(FaultUnderMmapSem, KnowsNoVmaLocks) {
  check_in_child([] {
    TwoVmas world(machine(FaultLock::mmap_sem));
    world.expect_fault(0, 10, 1 + 1000 + 1);
    world.add_at(500, [&](Task& task) {
      mmap_write_lock(task, world.mm);
      EXPECT_EQ(task.settle(), at(1002));  // the fault's read hold
      vma_start_write(task, world.mm, *world.first);
      EXPECT_EQ(task.settle(), at(1002));
      EXPECT_FALSE(vma_start_read(task, world.mm, *world.second));
      task.work(5000ns);
      mmap_write_unlock(task, world.mm);
    });
    world.expect_fault(2000, 30, 1002 + 5000 + 1 + 1000 + 1);
    world.run();
    EXPECT_EQ(world.reads(), 2U);
  });
}

}  // namespace
}  // namespace models::mmap_lock_test
