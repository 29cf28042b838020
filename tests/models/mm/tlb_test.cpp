// TLB shootdowns: how many CPUs have to be interrupted, by whom, and in which hold of mmap_sem that falls.
#include "models/mm/tlb.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "models/fork.h"
#include "models/mm/madvise.h"
#include "models/mm/mmap.h"
#include "models/mm/mprotect.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::tlb_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kFlush = 1'000ns;
constexpr Nanoseconds kLong = 1'000'000ns;

struct Call {
  std::string name;
  std::function<void(Task&, Mm&)> make;
  Phase phase;
  LockMode mode;  // in which the flush is waited for
  bool flushes_untouched = false;
};

class Shootdown : public testing::TestWithParam<Call> {};
INSTANTIATE_TEST_SUITE_P(
    , Shootdown,
    testing::Values(
        Call{"Munmap", [](Task& task, Mm& mm) { sys_munmap(task, mm, PageIndex(10), PageCount(10)); }, Phase::munmap,
             LockMode::read},
        Call{"MapFixed",
             [](Task& task, Mm& mm) { sys_mmap(task, mm, PageIndex(10), PageCount(10), VmFlags{}, {.fixed = true}); },
             Phase::mmap, LockMode::write},
        Call{"Mprotect", [](Task& task, Mm& mm) { sys_mprotect(task, mm, PageIndex(10), PageCount(10), true); },
             Phase::mprotect, LockMode::write},
        Call{"MadviseDontneed",
             [](Task& task, Mm& mm) { sys_madvise(task, mm, PageIndex(10), PageCount(10), Advice::dontneed); },
             Phase::madvise, LockMode::read},
        Call{"Fork", [](Task& task, Mm& mm) { sys_fork(task, mm); }, Phase::fork, LockMode::write, true}),
    [](const auto& each) { return each.param.name; });

// `others`: threads of the process that run meanwhile. Besides them somebody else's thread runs, and a thread of the
// process sleeps.
Nanoseconds hold_of(const Call& call, int others, bool resident, bool stepwise, Nanoseconds own = 0ns) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.tlb_flush_cpu = kFlush;
  spec.costs.mmu_gather = own;
  spec.policy.munmap.mode = HoldMode::downgrade;
  SmallMachine world(spec);
  tests::make_map(world, "10-20");
  if (resident) tests::make_resident(world, 12, 13);
  Mm other("other", world.spec.costs);
  world
      .add([&](Task& task) {
        task.sleep_until(at(100));
        call.make(task, world.mm);
      })
      .set_mm(world.mm);
  for (int task = 0; task < others; ++task) {
    world.add([](Task& current) { tests::work_in_steps(current, kLong); }).set_mm(world.mm);
  }
  world.add([](Task& current) { tests::work_in_steps(current, kLong); }).set_mm(other);
  world.add([](Task& current) { tests::work_in_steps(current, kLong); });  // a kernel thread
  world.add([](Task& current) { current.sleep_until(at(kLong.count())); }).set_mm(world.mm);
  world.run();
  return world.mm.mmap_sem.statistics().hold.at({0, call.phase, call.mode}).max();
}

TEST_P(Shootdown, IsPaidForEachCpuThatRunsAThreadOfTheProcessWithinTheHold) {
  for (const bool stepwise : {false, true}) {
    for (const int others : {0, 1, 3}) {
      check_in_child([&] { EXPECT_EQ(hold_of(GetParam(), others, true, stepwise), kFlush * others); });
    }
  }
}

TEST_P(Shootdown, IsSparedWhereNothingWasMapped) {
  check_in_child([&] {
    EXPECT_EQ(hold_of(GetParam(), 3, false, false), GetParam().flushes_untouched ? kFlush * 3 : Nanoseconds{0});
  });
}

// And has nothing to free.
TEST_P(Shootdown, HasACostOfItsOwnWherePagesAreTakenAway) {
  const bool takes = GetParam().name != "Mprotect" && GetParam().name != "Fork";
  check_in_child([&] {
    EXPECT_EQ(hold_of(GetParam(), 2, true, false, 7ns), kFlush * 2 + (takes ? 7ns : 0ns));
    EXPECT_EQ(hold_of(GetParam(), 0, false, false, 7ns), 0ns);
  });
}

TEST(OthersRunning, AreThreadsOfTheProcessThatHaveACpuOfAnotherThanTheOneWhoAsks) {
  check_in_child([] {
    SmallMachineSpec spec;
    spec.cpus = 2;
    SmallMachine world(spec);
    const auto work = [](Task& current) { tests::work_in_steps(current, kLong); };
    Task& first = world.add(work);
    Task& second = world.add(work);
    Task& waits = world.add(work);
    for (Task* task : {&first, &second, &waits}) task->set_mm(world.mm);
    sim::Event look(world.engine.calendar(), [&] {
      EXPECT_EQ(world.kernel.cpus.others_running(world.mm, first), first.on_cpu() ? 1 : 2);
      EXPECT_EQ(world.kernel.cpus.others_running(world.mm, waits), waits.on_cpu() ? 1 : 2);
    });
    look.schedule(at(500));
    world.run();
  });
}

}  // namespace
}  // namespace models::tlb_test
