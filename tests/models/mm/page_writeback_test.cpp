// What a write to a mapped file waits for, what it holds meanwhile, and who writes its pages back.
#include "models/mm/page_writeback.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mlock.h"
#include "models/mm/mmap.h"
#include "models/mm/rmap.h"
#include "models/mm/vmscan.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::page_writeback_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::check_pages;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kFault = 500ns;
constexpr Nanoseconds kMkwrite = 300ns;
constexpr Nanoseconds kSubmit = 7ns;  // a page
constexpr Nanoseconds kWrite = 1'000'000ns;
constexpr Nanoseconds kRead = 100'000ns;

constexpr PageIndex kStart{1000};
constexpr PageIndex kEnd{2000};
constexpr PageIndex kPage{1234};

SmallMachineSpec machine(bool stepwise, bool stable) {
  SmallMachineSpec spec;
  spec.stepwise = stepwise;
  spec.costs.fault = sim::Constant{kFault};
  spec.costs.page_mkwrite = kMkwrite;
  spec.costs.writeback_page = kSubmit;
  spec.policy.retry_on_io = true;
  spec.policy.lru_drain = LruDrain::local;
  spec.memory.device = {.name = "nfs",
                        .queue_depth = 8,
                        .nr_requests = 128,
                        .read = sim::Constant{kRead},
                        .write = sim::Constant{kWrite},
                        .stable_pages = stable};
  return spec;
}

// A file at [1000, 2000), all of it in the page cache and none of it mapped.
AddressSpace& map_file(SmallMachine& world, PageState state = PageState::cached) {
  auto mapping = std::make_shared<AddressSpace>(world.kernel, kStart, kEnd);
  world.kernel.mappings.push_back(mapping);
  world.mm.set_owner(kStart, kEnd, world.kernel.zone.add_owner({.mm = &world.mm, .file = true, .mapping = mapping}));
  world.mm.insert_vma(kStart, kEnd, {.shared = true});
  if (state != PageState::absent) tests::make_present(world, kStart.index(), kEnd.index(), state);
  return *mapping;
}

void write_to(Task& task, SmallMachine& world, PageIndex page) {
  do_page_fault(task, world.mm, page, Backing::region);
  task.settle();
}

void write_back(Task& task, AddressSpace& mapping) {
  write_cache_pages(task, mapping, kStart, kEnd, WritebackSync::none);
}

class PageWriteback : public testing::TestWithParam<bool> {
 protected:
  // `body` runs with a file in the page cache, on a device that wants stable pages or not.
  static void run(bool stable, const std::function<void(SmallMachine&, AddressSpace&)>& prepare,
                  const std::function<void(SmallMachineSpec&)>& change = {},
                  const std::function<void(const SmallMachine&)>& check = {}) {
    SmallMachineSpec spec = machine(GetParam(), stable);
    if (change) change(spec);
    check_in_child([&] {
      SmallMachine world(spec);
      prepare(world, map_file(world));
      world.run();
      if (check) check(world);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(, PageWriteback, testing::Bool(),
                         [](const auto& each) { return std::string(each.param ? "Stepwise" : "Default"); });

TEST_P(PageWriteback, AWriteAsksTheFileSystemOnceUntilThePageIsWritten) {
  run(true, [](SmallMachine& world, AddressSpace& mapping) {
    world.add([&](Task& task) {
      write_to(task, world, kPage);
      EXPECT_EQ(task.now(), at(0) + kFault + kMkwrite);
      EXPECT_EQ(mapping.dirty(), PageCount(1));
      EXPECT_EQ(mapping.dirtied_when(), task.now());
      // A write maps its own page only, a read those around it.
      check_pages(world, PageCount(0), PageCount(1), PageCount(999));

      const sim::Time before = task.now();
      write_to(task, world, kPage);
      EXPECT_EQ(task.now() - before, kFault);

      write_back(task, mapping);
      filemap_fdatawait_range(task, mapping, kStart, kEnd);
      EXPECT_EQ(task.now() - before, kFault + kSubmit + kWrite);
      EXPECT_EQ(mapping.tags_at(kPage), PageTags{});
      EXPECT_EQ(mapping.dirtied_when(), std::nullopt);
      check_pages(world, PageCount(0), PageCount(1), PageCount(999));

      const sim::Time again = task.now();
      write_to(task, world, kPage);
      EXPECT_EQ(task.now() - again, kFault + kMkwrite);
    });
  });
}

// The write fault on a page under write-back, begun 1 us after that.
void write_during_writeback(SmallMachine& world, AddressSpace& mapping, const std::function<void(Task&)>& check) {
  world.add([&](Task& task) {
    write_to(task, world, kPage);
    write_back(task, mapping);
  });
  world.add_at(1'000 + (kFault + kMkwrite + kSubmit).count(), [&world, check](Task& task) {
    write_to(task, world, kPage);
    check(task);
  });
}

constexpr Nanoseconds kSubmitted = kFault + kMkwrite + kSubmit;

TEST_P(PageWriteback, WhereADeviceWantsStablePagesAWriteWaitsUntilThePageIsThere) {
  run(true, [](SmallMachine& world, AddressSpace& mapping) {
    write_during_writeback(world, mapping, [&](Task& task) {
      EXPECT_EQ(task.now(), at(0) + kSubmitted + kWrite);
      EXPECT_EQ(world.spent(task, Cause::device_io), kWrite - 1us - kFault - kMkwrite);
      EXPECT_EQ(mapping.tags_at(kPage), (PageTags{.dirty = true}));
    });
  });
}

TEST_P(PageWriteback, OnOtherDevicesAPageIsWrittenToWhileItIsOnItsWay) {
  run(false, [](SmallMachine& world, AddressSpace& mapping) {
    write_during_writeback(world, mapping, [&](Task& task) {
      EXPECT_EQ(task.now(), at(0) + kSubmitted + 1us + kFault + kMkwrite);
      EXPECT_EQ(mapping.tags_at(kPage), (PageTags{.dirty = true, .writeback = true}));
    });
    world.add_at((kSubmitted + kWrite).count() + 1, [&](Task& /*task*/) {
      EXPECT_EQ(mapping.tags_at(kPage), (PageTags{.dirty = true})) << "what was written to has to be written again";
    });
  });
}

TEST_P(PageWriteback, WhoeverReadsDoesNotWait) {
  run(true, [](SmallMachine& world, AddressSpace& mapping) {
    world.add([&](Task& task) {
      write_to(task, world, kPage);
      write_back(task, mapping);
      const sim::Time before = task.settle();
      // mlock's populate reads what is shared; it would dirty it for nothing.
      EXPECT_EQ(sys_mlock(task, world.mm, kPage, PageCount(1)), 0);
      EXPECT_LT(task.settle() - before, kWrite);
      EXPECT_EQ(mapping.dirty(), PageCount(0));
      EXPECT_EQ(sys_madvise(task, world.mm, kPage, PageCount(1), Advice::populate_read), 0);
      EXPECT_EQ(mapping.dirty(), PageCount(0));
    });
  });
}

// The wait is not given up, as one for a page to be read is: under mmap_sem a writer waits for it, and behind the
// writer everybody else.
TEST_P(PageWriteback, TheWaitKeepsMmapSemForRead) {
  run(true, [](SmallMachine& world, AddressSpace& mapping) {
    write_during_writeback(world, mapping, [&](Task& task) { EXPECT_EQ(task.now(), at(0) + kSubmitted + kWrite); });
    world.add_at(10'000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle(), at(0) + kSubmitted + kWrite);
      world.mm.mmap_sem.up_write(task);
    });
    world.add_at(20'000, [&](Task& task) {
      world.mm.mmap_sem.down_read(task);
      EXPECT_EQ(task.settle(), at(0) + kSubmitted + kWrite);
      world.mm.mmap_sem.up_read(task);
    });
  });
}

void per_vma(SmallMachineSpec& spec) {
  spec.policy.fault = FaultLock::per_vma;
  spec.policy.vma_lock_covers = VmaLockCovers::files;
}

// From 6.7 on it is the VMA's lock that is kept: mmap_sem is free, until somebody changes the VMA.
TEST_P(PageWriteback, FromLinux67OnItKeepsTheLockOfItsVma) {
  run(
      true,
      [](SmallMachine& world, AddressSpace& mapping) {
        write_during_writeback(world, mapping, [&](Task& task) { EXPECT_EQ(task.now(), at(0) + kSubmitted + kWrite); });
        world.add_at(10'000, [&](Task& task) {
          world.mm.mmap_sem.down_write(task);
          EXPECT_EQ(task.settle(), at(10'000));
          world.mm.mmap_sem.up_write(task);
        });
        world.add_at(20'000, [&](Task& task) {  // its VMA
          EXPECT_EQ(sys_munmap(task, world.mm, kStart, kEnd - kStart), 0);
          EXPECT_EQ(task.settle(), at(0) + kSubmitted + kWrite);
        });
        world.add_at(30'000, [&](Task& task) {
          world.mm.mmap_sem.down_read(task);
          EXPECT_EQ(task.settle(), at(0) + kSubmitted + kWrite);
          world.mm.mmap_sem.up_read(task);
        });
      },
      per_vma);
}

TEST_P(PageWriteback, UpTo66AFileIsNoneOfThePerVmaLocksBusiness) {
  run(
      true,
      [](SmallMachine& world, AddressSpace& mapping) {
        write_during_writeback(world, mapping, [](Task&) {});
        world.add_at(10'000, [&](Task& task) {
          world.mm.mmap_sem.down_write(task);
          EXPECT_EQ(task.settle(), at(0) + kSubmitted + kWrite);
          world.mm.mmap_sem.up_write(task);
        });
      },
      [](SmallMachineSpec& spec) {
        per_vma(spec);
        spec.policy.vma_lock_covers = VmaLockCovers::swap;
      });
}

// A page that has to be read first is waited for without the lock; what comes then is a second try.
TEST_P(PageWriteback, ThePageIsReadWithoutTheLockAndThenMadeWritableWithIt) {
  SmallMachineSpec spec = machine(GetParam(), true);
  check_in_child([&] {
    SmallMachine world(spec);
    AddressSpace& mapping = map_file(world, PageState::absent);
    world.add([&](Task& task) {
      write_to(task, world, kPage);
      EXPECT_EQ(task.now(), at(0) + kRead + kFault + kMkwrite);
      EXPECT_EQ(mapping.dirty(), PageCount(1));
    });
    world.add_at(10'000, [&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle(), at(10'000));
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
    check_pages(world, PageCount(0), PageCount(1), PageCount(31));
  });
}

TEST_P(PageWriteback, NeighboursGoInOneRequestOf256PagesAtMost) {
  run(
      false,
      [](SmallMachine& world, AddressSpace& mapping) {
        world.add([&](Task& task) {
          for (PageIndex page = kStart; page < kStart + PageCount(300); page = page + PageCount(1))
            mapping.mark_dirty(page);
          mapping.mark_dirty(kEnd - PageCount(1));
          write_back(task, mapping);
          EXPECT_EQ(mapping.writeback(), PageCount(301));
          EXPECT_EQ(mapping.dirty(), PageCount(0));
          filemap_fdatawait_range(task, mapping, kStart, kEnd);
          EXPECT_EQ(task.now(), at(0) + 301 * kSubmit + kWrite);
          EXPECT_EQ(mapping.writeback(), PageCount(0));
        });
      },
      {},
      [](const SmallMachine& world) {
        EXPECT_EQ(world.kernel.device.statistics().write.requests(), 3U);
        EXPECT_EQ(world.kernel.device.statistics().write.pages, 301U);
      });
}

TEST_P(PageWriteback, WhoMustHaveItWrittenWaitsForItsLastWriteBackFirst) {
  run(
      false,
      [](SmallMachine& world, AddressSpace& mapping) {
        world.add([&](Task& task) {
          mapping.mark_dirty(kPage);
          write_back(task, mapping);
          task.settle();
          mapping.mark_dirty(kPage);
          write_back(task, mapping);  // leaves it for the next time
          EXPECT_EQ(task.settle(), at(0) + kSubmit);
          write_cache_pages(task, mapping, kStart, kEnd, WritebackSync::all);
          EXPECT_EQ(task.settle(), at(0) + 2 * kSubmit + kWrite);
        });
      },
      {}, [](const SmallMachine& world) { EXPECT_EQ(world.kernel.device.statistics().write.requests(), 2U); });
}

TEST_P(PageWriteback, TheFlusherWritesWhatHasBeenDirtyForLong) {
  run(true, [](SmallMachine& world, AddressSpace& mapping) {
    world.add([](Task& self) { flusher(self); });
    world.add_at(1'000'000'000, [&](Task& writer) {
      write_to(writer, world, kPage);
      writer.sleep_until(at(30'900'000'000));
      EXPECT_EQ(mapping.dirty(), PageCount(1));
      writer.sleep_until(at(35'000'000'000) + kSubmit);
      EXPECT_EQ(mapping.dirty(), PageCount(0));
      EXPECT_EQ(mapping.writeback(), PageCount(1));
      write_to(writer, world, kPage);
      EXPECT_EQ(mapping.dirtied_when(), writer.now());
      world.engine.stop();
    });
  });
}

// Whatever becomes of the mapping, the file keeps its pages, dirty ones too.
TEST_P(PageWriteback, DirtyPagesOutliveTheMapping) {
  run(true, [](SmallMachine& world, AddressSpace& mapping) {
    world.add([&](Task& task) {
      write_to(task, world, kPage);
      EXPECT_EQ(sys_madvise(task, world.mm, kStart, kEnd - kStart, Advice::dontneed), 0);
      EXPECT_EQ(mapping.dirty(), PageCount(1));
      check_pages(world, PageCount(0), PageCount(0), PageCount(1000));
      EXPECT_EQ(sys_munmap(task, world.mm, kStart, kEnd - kStart), 0);
      write_back(task, mapping);
      filemap_fdatawait_range(task, mapping, kStart, kEnd);
      EXPECT_EQ(mapping.dirty() + mapping.writeback(), PageCount(0));
      check_pages(world, PageCount(0), PageCount(0), PageCount(1000));
    });
  });
}

TEST_P(PageWriteback, PopulateWriteAsksForEachCleanPage) {
  run(true, [](SmallMachine& world, AddressSpace& mapping) {
    world.add([&](Task& task) {
      write_to(task, world, kPage);
      const sim::Time before = task.now();
      EXPECT_EQ(sys_madvise(task, world.mm, kPage - PageCount(2), PageCount(5), Advice::populate_write), 0);
      EXPECT_EQ(task.settle() - before, 4 * (kFault + kMkwrite));
      EXPECT_EQ(mapping.dirty(), PageCount(5));
      check_pages(world, PageCount(0), PageCount(5), PageCount(995));
      EXPECT_EQ(sys_madvise(task, world.mm, kStart, PageCount(5), Advice::free), -EINVAL);
      EXPECT_EQ(sys_madvise(task, world.mm, kStart, PageCount(5), Advice::remove), -EOPNOTSUPP);
    });
  });
}

// MADV_PAGEOUT asks reclaim; only kswapd writes, in this era, and nobody takes what is on its way.
TEST_P(PageWriteback, ReclaimLeavesDirtyPagesAndThoseOnTheirWay) {
  SmallMachineSpec spec = machine(GetParam(), true);
  check_in_child([&] {
    SmallMachine world(spec);
    AddressSpace& mapping = map_file(world, PageState::resident);
    world.add([&](Task& task) {
      mapping.mark_dirty(kPage);
      EXPECT_EQ(sys_madvise(task, world.mm, kStart, kEnd - kStart, Advice::pageout), 0);
      check_pages(world, PageCount(0), PageCount(1));
      write_back(task, mapping);
      EXPECT_EQ(sys_madvise(task, world.mm, kStart, kEnd - kStart, Advice::pageout), 0);
      check_pages(world, PageCount(0), PageCount(1));
      filemap_fdatawait_range(task, mapping, kStart, kEnd);
      EXPECT_EQ(sys_madvise(task, world.mm, kStart, kEnd - kStart, Advice::pageout), 0);
      check_pages(world, PageCount(0), PageCount(0));
    });
    world.run();
  });
}

TEST_P(PageWriteback, ReclaimThatMayWriteTakesADirtyPageAndWritesIt) {
  SmallMachineSpec spec = machine(GetParam(), true);
  spec.memory.era = ReclaimEra::linux_2_6_28;  // direct reclaim writes
  check_in_child([&] {
    SmallMachine world(spec);
    AddressSpace& mapping = map_file(world, PageState::resident);
    world.add([&](Task& task) {
      mapping.mark_dirty(kPage);
      EXPECT_EQ(sys_madvise(task, world.mm, kPage, PageCount(1), Advice::pageout), 0);
      EXPECT_EQ(mapping.dirty(), PageCount(0));
      EXPECT_EQ(world.kernel.zone.counts().writeback, PageCount(1));
      EXPECT_EQ(world.mm.page_table.run_at(kPage, kEnd).state, PageState::absent);
    });
    world.run();
    EXPECT_EQ(world.kernel.device.statistics().write.pages, 1U);
    EXPECT_EQ(world.kernel.zone.counts().writeback, PageCount(0));
    EXPECT_EQ(world.kernel.zone.counts().total(), world.kernel.zone.size());
  });
}

}  // namespace
}  // namespace models::page_writeback_test
