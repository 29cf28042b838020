// What the cache line of a lock costs: nothing for one CPU, and a queue of transfers for many.
#include "models/locking/cache_line.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "models/mm/fault.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::cache_line_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kTransfer = 50ns;

SmallMachineSpec machine(bool stepwise, int cpus = 8) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.cpus = cpus;
  spec.costs.cache_line = kTransfer;
  return spec;
}

class CacheLines : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, CacheLines, testing::Bool(),
                         [](const auto& each) { return each.param ? "Stepwise" : "Default"; });

TEST_P(CacheLines, OfOneCpuCostNothing) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam(), 1));
    for (int task = 0; task < 2; ++task) {
      world.add([&](Task& current) {
        for (int times = 0; times < 10; ++times) {
          world.mm.mmap_sem.down_read(current);
          world.mm.mmap_sem.up_read(current);
        }
      });
    }
    world.run();
    EXPECT_EQ(world.now(), at(0));
  });
}

// Readers, who do not exclude each other, are as many transfers long as there are operations.
TEST_P(CacheLines, MakeReadersOnManyCpusAQueue) {
  check_in_child([&] {
    SmallMachine world(machine(GetParam()));
    constexpr int kTasks = 8;
    constexpr int kTimes = 10;
    for (int task = 0; task < kTasks; ++task) {
      const auto body = [&](Task& current) {
        for (int times = 0; times < kTimes; ++times) {
          world.mm.mmap_sem.down_read(current);
          world.mm.mmap_sem.up_read(current);
        }
      };
      world.add(body, {.cpus = {task}});
    }
    world.run();
    // The first one is done before the others come. These take turns.
    EXPECT_EQ(world.now(), at(0) + kTransfer * (2 * (kTasks - 1) * kTimes));
    EXPECT_EQ(world.mm.mmap_sem.statistics().all(LockMode::read).contended(), 0U);
  });
}

TEST_P(CacheLines, OfAVmaAreSharedByThoseWhoFaultInItAndByNobodyElse) {
  for (const bool one_vma : {true, false}) {
    check_in_child([&] {
      SmallMachineSpec spec = machine(GetParam());
      spec.policy.fault = FaultLock::per_vma;
      SmallMachine world(spec);
      tests::make_map(world, "0-10 20-30 40-50 60-70");
      tests::make_resident(world, 0, 70);
      for (const int start : {0, 20, 40, 60}) world.mm.anon_vma_prepare(*world.mm.find_vma(PageIndex(start)));
      for (int task = 0; task < 4; ++task) {
        const PageIndex page(one_vma ? 0 : 20 * task);
        world.add([&, page](Task& current) { do_page_fault(current, world.mm, page, Backing::region); },
                  {.cpus = {task}});
      }
      world.run();
      EXPECT_EQ(world.now(), at(0) + (one_vma ? 6 : 0) * kTransfer);
    });
  }
}

}  // namespace
}  // namespace models::cache_line_test
