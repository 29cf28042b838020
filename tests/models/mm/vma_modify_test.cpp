#include "models/mm/vma_modify.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "models/mm/mmap_lock.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::vma_modify_test {
namespace {

using namespace std::chrono_literals;
using tests::at;
using tests::check_in_child;
using tests::map_of;
using tests::SmallMachine;
using tests::SmallMachineSpec;

// Makes [start, end) sequential, in a map written as text.
struct Modified {
  SmallMachine world;
  VmaPointer vma;
  int result = 0;

  explicit Modified(const SmallMachineSpec& spec = {}) : world(spec) {}
  void run(const std::string& map, std::int64_t start, std::int64_t end) {
    tests::make_map(world, map);
    world.add([this, start, end](Task& task) {
      mmap_write_lock(task, world.mm);
      vma = world.mm.find_vma(PageIndex(start));
      VmFlags flags = vma->flags;
      flags.read_ahead = ReadAhead::sequential;
      result = vma_modify(task, world.mm, vma, PageIndex(start), PageIndex(end), flags);
      mmap_write_unlock(task, world.mm);
    });
    world.run();
  }
};

SmallMachineSpec machine() {
  SmallMachineSpec spec;
  spec.costs.vma_split = 3ns;
  spec.costs.vma_merge = 50ns;
  return spec;
}

TEST(VmaModify, LeavesTheVmaAtWhatCoversTheRange) {
  check_in_child([] {
    Modified split(machine());
    split.run("10-40", 20, 30);
    EXPECT_EQ(split.result, 0);
    EXPECT_EQ(map_of(split.world.mm), "10-20 20-30Q 30-40");
    EXPECT_EQ(split.vma, split.world.mm.find_vma(PageIndex(20)));
    EXPECT_EQ(split.world.now(), at(2 * 3));
  });
  check_in_child([] {
    Modified merged(machine());
    merged.run("10-20Q 20-30 30-40Q", 20, 30);
    EXPECT_EQ(merged.result, 0);
    EXPECT_EQ(map_of(merged.world.mm), "10-40Q");
    EXPECT_EQ(merged.vma, merged.world.mm.find_vma(PageIndex(10)));
    EXPECT_EQ(merged.world.now(), at(50));
  });
}

TEST(VmaModify, DoesNothingToAVmaThatHasTheFlags) {
  check_in_child([] {
    Modified unchanged(machine());
    unchanged.run("10-20 20-40Q", 20, 30);
    EXPECT_EQ(map_of(unchanged.world.mm), "10-20 20-40Q");
    EXPECT_EQ(unchanged.vma, unchanged.world.mm.find_vma(PageIndex(20)));
    EXPECT_EQ(unchanged.world.now(), at(0));
  });
}

TEST(VmaModify, LeavesTheFlagsWhereASplitFails) {
  check_in_child([] {
    Modified failed(machine());
    failed.world.mm.max_map_count = 2;
    failed.run("10-40", 20, 30);
    EXPECT_EQ(failed.result, -ENOMEM);
    EXPECT_EQ(map_of(failed.world.mm), "10-20 20-40");
  });
}

TEST(VmaModify, WriteLocksTheVmaAndTheNeighboursThatItJoins) {
  SmallMachineSpec spec = machine();
  spec.policy.fault = FaultLock::per_vma;
  check_in_child([&] {
    SmallMachine world(spec);
    tests::make_map(world, "10-20Q 20-30 30-40");
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      VmaPointer vma = world.mm.find_vma(PageIndex(20));
      VmFlags flags = vma->flags;
      flags.read_ahead = ReadAhead::sequential;
      EXPECT_EQ(vma_modify(task, world.mm, vma, PageIndex(20), PageIndex(30), flags), 0);
      EXPECT_FALSE(vma_start_read(task, world.mm, *vma));
      const VmaPointer apart = world.mm.find_vma(PageIndex(30));
      EXPECT_TRUE(vma_start_read(task, world.mm, *apart));
      vma_end_read(task, *apart);
      mmap_write_unlock(task, world.mm);
    });
    world.run();
  });
  check_in_child([&] {
    SmallMachine world(spec);
    tests::make_map(world, "10-20 20-30 30-40Q");
    world.add([&](Task& task) {
      mmap_write_lock(task, world.mm);
      VmaPointer vma = world.mm.find_vma(PageIndex(20));
      EXPECT_EQ(vma_modify(task, world.mm, vma, PageIndex(20), PageIndex(30), world.mm.find_vma(PageIndex(30))->flags),
                0);
      EXPECT_EQ(map_of(world.mm), "10-20 20-40Q");
      EXPECT_FALSE(vma_start_read(task, world.mm, *world.mm.find_vma(PageIndex(35))));
      mmap_write_unlock(task, world.mm);
    });
    world.run();
  });
}

}  // namespace
}  // namespace models::vma_modify_test
