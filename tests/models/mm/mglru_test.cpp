// MGLRU: how long a walk holds mmap_sem and for whom, how generations come and go, and how much is evicted at a time.
#include "models/mm/mglru.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/mm/mm.h"
#include "models/mm/scan_control.h"
#include "models/mm/vmscan.h"
#include "tests/support/in_child.h"
#include "tests/support/lock_waits.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::mglru_test {
namespace {

using namespace std::chrono_literals;
using sim::Constant;
using sim::Nanoseconds;
using tests::at;
using tests::check_in_child;
using tests::make_resident;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr Nanoseconds kEntry = 5ns;    // an entry that a walk looks at
constexpr Nanoseconds kYoung = 100ns;  // on top, one that has been touched
constexpr Nanoseconds kScan = 100ns;
constexpr Nanoseconds kReclaim = 300ns;
constexpr std::int64_t kHuge = 512;
constexpr std::int64_t kGib = 1 << 18;

SmallMachineSpec with_generations() {
  SmallMachineSpec spec;
  spec.reclaim = ReclaimKind::mglru;
  spec.costs.mincore_page = kEntry;
  spec.costs.mprotect_page = kYoung;
  spec.costs.scan_page = Constant{kScan};
  spec.costs.reclaim_page = Constant{kReclaim};
  return spec;
}

/// Swap that takes no time.
SmallMachineSpec with_swap() {
  SmallMachineSpec spec = with_generations();
  spec.memory.swap.emplace().size = Bytes(kPageSize * kGib);
  spec.memory.swap->zram = ZramSpec{};
  return spec;
}

const Generations& generations(const SmallMachine& world) { return world.kernel.zone.lru().generations(); }
const ReclaimStatistics& statistics(const SmallMachine& world) { return world.kernel.reclaim.statistics; }
PageCount in_generation(const SmallMachine& world, bool file, std::int64_t seq) {
  return world.kernel.zone.lru().size(file, seq);
}

bool age(SmallMachine& world, Task& task, bool can_swap = true) {
  return try_to_inc_max_seq(task, 0, generations(world).max_seq, can_swap);
}

OwnerId add_owner(SmallMachine& world, bool file, std::optional<Nanoseconds> touched_every = std::nullopt) {
  PageOwner owner;
  owner.file = file;
  owner.touched_every = touched_every;
  return world.kernel.zone.add_owner(owner);
}

/// Free pages become pages of `owner` as if they were from `list`.
void put(SmallMachine& world, LruList list, OwnerId owner, std::int64_t count) {
  Zone& zone = world.kernel.zone;
  zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(count), world.now());
  zone.add_to_lru(list, {.owner = owner, .pages = PageCount(count), .since = world.now()}, world.now());
}

/// The holds of ageing, of whatever class.
sim::Histogram walks(const SmallMachine& world) {
  sim::Histogram all;
  for (const auto& [holds, lengths] : world.mm.mmap_sem.statistics().hold) {
    if (holds.call == Phase::aging) all.merge(lengths);
  }
  return all;
}

class MglruTest : public testing::TestWithParam<bool> {
 protected:
  /// A machine on which `body` is all that happens, after `before`.
  static void run_alone(SmallMachineSpec spec, const std::function<void(SmallMachine&)>& before,
                        const std::function<void(SmallMachine&, Task&)>& body) {
    spec.stepwise = GetParam();
    check_in_child([&] {
      SmallMachine world(spec);
      before(world);
      world.add([&](Task& task) { body(world, task); });
      world.run();
      EXPECT_EQ(world.kernel.zone.counts().total(), pages_of(spec.memory.size));
      EXPECT_EQ(world.kernel.zone.counts().in_flight, PageCount(0));
      EXPECT_TRUE(world.mm.mmap_sem.is_free());
    });
  }
};

std::string mode_of(const testing::TestParamInfo<bool>& mode) { return mode.param ? "Stepwise" : "Default"; }

// ---------------------------------------------------------------------------------------------------------------
// The walk.

using MglruWalk = MglruTest;
INSTANTIATE_TEST_SUITE_P(, MglruWalk, testing::Bool(), mode_of);

TEST_P(MglruWalk, TakesAStepForEachEntryAndOneMoreForEachThatIsYoungAndNoneTheNextTime) {
  run_alone(
      with_generations(),
      [](SmallMachine& world) {
        tests::add_vma(world, 0, 4 * kHuge, {});
        make_resident(world, 0, 3 * kHuge + 100);
      },
      [](SmallMachine& world, Task& task) {
        // Of the last table, which is there for 100 pages, all entries are looked at.
        constexpr Nanoseconds kWalk = 4 * kHuge * kEntry + (3 * kHuge + 100) * kYoung;
        EXPECT_TRUE(age(world, task));
        EXPECT_EQ(task.settle(), at(0) + kWalk);
        EXPECT_EQ(walks(world).count(), 1U);
        EXPECT_EQ(walks(world).max(), kWalk);
        EXPECT_EQ(generations(world).max_seq, kMinNrGens + 2);
        EXPECT_EQ(in_generation(world, false, kMinNrGens + 1), PageCount(3 * kHuge + 100));
        EXPECT_TRUE(age(world, task));
        EXPECT_EQ(task.settle(), at(0) + kWalk);
        EXPECT_EQ(statistics(world).generations, 2U);
        EXPECT_EQ(statistics(world).mms_walked, 2U);
      });
}

TEST_P(MglruWalk, TakesOneStepForAHugePage) {
  run_alone(
      with_generations(),
      [](SmallMachine& world) {
        tests::add_vma(world, 0, 2 * kHuge, {});
        make_resident(world, 0, 2 * kHuge);
        world.mm.page_table.put_in_folios(PageIndex(0), PageIndex(kHuge), folio_of(kPmdOrder));
      },
      [](SmallMachine& world, Task& task) {
        EXPECT_TRUE(age(world, task));
        EXPECT_EQ(task.settle(), at(0) + (1 + kHuge) * (kEntry + kYoung));
      });
}

// Of 1 GiB each: as many as let a hold end, one less, and many.
TEST_P(MglruWalk, MayEndItsHoldWhereAGibibyteOfAddressesDoes) {
  run_alone(
      with_generations(),
      [](SmallMachine& world) {
        tests::add_vma(world, 0, 3 * kGib, {});
        make_resident(world, 0, kMaxLruBatch.count());
        make_resident(world, kGib, kGib + kMaxLruBatch.count() - 1);
        make_resident(world, 2 * kGib, 2 * kGib + 2 * kMaxLruBatch.count());
      },
      [](SmallMachine& world, Task& task) {
        constexpr Nanoseconds kBatch = kMaxLruBatch.count() * (kEntry + kYoung);
        EXPECT_TRUE(age(world, task));
        const sim::Histogram holds = walks(world);
        // The last of them finds that there is nothing more.
        EXPECT_EQ(holds.count(), 3U);
        EXPECT_EQ(holds.max(), 3 * kBatch - kYoung);
        EXPECT_EQ(task.settle(), at(0) + 4 * kBatch - kYoung);
      });
}

TEST_P(MglruWalk, PassesOverWhatIsLockedOrReadInOrderAndWithoutSwapWhatIsAnonymous) {
  run_alone(
      with_generations(),
      [](SmallMachine& world) {
        tests::make_map(world, "0-512L 1024-1536Q 2048-2560A 3072-3584");
        make_resident(world, 1'024, 1'536);
        make_resident(world, 2'048, 2'560);
        make_resident(world, 3'072, 3'584);
      },
      [](SmallMachine& world, Task& task) {
        EXPECT_TRUE(age(world, task, false));
        EXPECT_EQ(task.settle(), at(0));
        EXPECT_TRUE(age(world, task, true));
        EXPECT_EQ(task.settle(), at(0) + kHuge * (kEntry + kYoung));
        EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(512));
      });
}

// With one touch of each page in T on average, 1 - 1/e of them are touched in T.
TEST_P(MglruWalk, PromotesWhatHasBeenTouchedSinceItLastLooked) {
  run_alone(
      with_generations(),
      [](SmallMachine& world) {
        PageOwner owner;
        owner.mm = &world.mm;
        owner.touched_every = 1s;
        world.mm.set_owner(PageIndex(0), PageIndex(kGib), world.kernel.zone.add_owner(owner));
        tests::add_vma(world, 0, kGib, {});
        make_resident(world, 0, 100'000);
      },
      [](SmallMachine& world, Task& task) {
        EXPECT_TRUE(age(world, task));  // all, as they have just been faulted in
        EXPECT_EQ(in_generation(world, false, 3), PageCount(100'000));
        task.sleep_until(task.now() + 1s);
        EXPECT_TRUE(age(world, task));
        // A walk takes 10 ms, and pages that come to a list within 10 ms are of one age.
        EXPECT_NEAR(static_cast<double>(in_generation(world, false, 4).count()), 63'212, 1'500);
        EXPECT_EQ(in_generation(world, false, 3) + in_generation(world, false, 4), PageCount(100'000));
        // A table is a few stretches, whatever has been promoted of it.
        for (int more = 0; more < 20; ++more) EXPECT_TRUE(age(world, task));
        EXPECT_LE(world.kernel.zone.lru().runs(), 16U * 100'000 / 512);
      });
}

// ---------------------------------------------------------------------------------------------------------------
// Whom it keeps waiting, and what it does not wait for.

using MglruLock = MglruTest;
INSTANTIATE_TEST_SUITE_P(, MglruLock, testing::Bool(), mode_of);

// A process of so few pages, all of them young, that a walk does not end its hold early.
class WalkedAtOnce : public SmallMachine {
 public:
  static constexpr std::int64_t kPages = 7 * kHuge;
  static constexpr Nanoseconds kWalk = kPages * (kEntry + kYoung);

  explicit WalkedAtOnce(bool stepwise) : SmallMachine(spec(stepwise)) {
    tests::add_vma(*this, 0, kPages, {});
    make_resident(*this, 0, kPages);
  }

 private:
  static SmallMachineSpec spec(bool stepwise) {
    SmallMachineSpec spec = with_generations();
    spec.stepwise = stepwise;
    return spec;
  }
};

TEST_P(MglruLock, AWriterWaitsUntilTheWalkIsOverAndIsToldSo) {
  check_in_child([&] {
    WalkedAtOnce world(GetParam());
    const Task& walker = world.add([&](Task& task) { EXPECT_TRUE(age(world, task)); });
    const Task& writer = world.add_at(1'000, [&](Task& task) {
      task.ledger().remember();
      world.mm.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle(), at(0) + WalkedAtOnce::kWalk);
      world.mm.mmap_sem.up_write(task);
    });
    world.run();
    LockBlame blame;
    blame.holder = walker.class_id();
    blame.phase = Phase::aging;
    EXPECT_EQ(tests::waits_of(writer), (tests::Waits{{blame, WalkedAtOnce::kWalk - 1us}}));
    EXPECT_EQ(statistics(world).mms_passed_over, 0U);
  });
}

// Its stack is unwound: whatever it held, it gives nothing back, and waits for nobody, any more.
TEST_P(MglruLock, ARunCanEndAmidAWalk) {
  check_in_child([&] {
    WalkedAtOnce world(GetParam());
    bool walked = false;
    world.add([&](Task& task) { walked = age(world, task); });
    world.add_at(1'000, [&](Task&) { world.engine.stop(); });
    world.run();
    EXPECT_FALSE(walked);
  });
}

TEST_P(MglruLock, WhoHoldsItForWriteIsPassedOverAndTheGenerationIsMadeAllTheSame) {
  SmallMachineSpec spec = with_generations();
  spec.stepwise = GetParam();
  check_in_child([&] {
    SmallMachine world(spec);
    tests::add_vma(world, 0, kHuge, {});
    make_resident(world, 0, kHuge);
    world.add([&](Task& task) {
      world.mm.mmap_sem.down_write(task);
      task.work(1ms);
      world.mm.mmap_sem.up_write(task);
    });
    world.add_at(1'000, [&](Task& task) {
      EXPECT_TRUE(age(world, task));
      EXPECT_EQ(task.settle(), at(1'000));
    });
    world.run();
    EXPECT_EQ(statistics(world).mms_passed_over, 1U);
    EXPECT_EQ(generations(world).max_seq, kMinNrGens + 2);
    EXPECT_EQ(walks(world).count(), 0U);
  });
}

// As a fault that reclaims has it; unless somebody queues for it.
TEST_P(MglruLock, OneWhoHoldsItForReadWalksUnderThatHold) {
  SmallMachineSpec spec = with_generations();
  spec.stepwise = GetParam();
  for (const bool queued : {false, true}) {
    check_in_child([&] {
      SmallMachine world(spec);
      tests::add_vma(world, 0, kHuge, {});
      make_resident(world, 0, kHuge);
      world.add([&](Task& task) {
        world.mm.mmap_sem.down_read(task);
        task.work(1us);
        EXPECT_TRUE(age(world, task));
        EXPECT_EQ(task.settle(), at(1'000) + (queued ? 0 : kHuge) * (kEntry + kYoung));
        world.mm.mmap_sem.up_read(task);
      });
      if (queued) {
        world.add_at(500, [&](Task& task) {
          world.mm.mmap_sem.down_write(task);
          EXPECT_EQ(task.settle(), at(1'000));
          world.mm.mmap_sem.up_write(task);
        });
      }
      world.run();
      EXPECT_EQ(statistics(world).mms_passed_over, queued ? 1U : 0U);
    });
  }
}

// Another process's, while its own is held: who waits for the own one is told what its holder does.
TEST_P(MglruLock, AWalkOfAnotherProcessIsTimeOfWhoeverWaitsForTheOwnOne) {
  SmallMachineSpec spec = with_generations();
  spec.stepwise = GetParam();
  check_in_child([&] {
    SmallMachine world(spec);
    Mm other("other", world.spec.costs);
    tests::add_vma(world, 0, kHuge, {});
    make_resident(world, 0, kHuge);
    const Task& walker = world.add([&](Task& task) {
      task.enter(Phase::fault);
      other.mmap_sem.down_read(task);
      task.work(1us);
      EXPECT_TRUE(age(world, task));
      EXPECT_TRUE(other.mmap_sem.held_by(task, LockMode::read));
      task.work(1us);
      other.mmap_sem.up_read(task);
    });
    constexpr Nanoseconds kWalk = kHuge * (kEntry + kYoung);
    const Task& writer = world.add_at(500, [&](Task& task) {
      task.ledger().remember();
      other.mmap_sem.down_write(task);
      EXPECT_EQ(task.settle(), at(2'000) + kWalk);
      other.mmap_sem.up_write(task);
    });
    world.run();
    LockBlame fault;
    fault.holder = walker.class_id();
    fault.phase = Phase::fault;
    LockBlame aging = fault;
    aging.phase = Phase::aging;
    EXPECT_EQ(tests::waits_of(writer), (tests::Waits{{fault, 1'500ns}, {aging, kWalk}}));
  });
}

// All who find that it is time share the processes; the last makes the generation.
TEST_P(MglruLock, TwoWhoWalkForOneGenerationShareTheProcesses) {
  SmallMachineSpec spec = with_generations();
  spec.stepwise = GetParam();
  check_in_child([&] {
    SmallMachine world(spec);
    Mm other("other", world.spec.costs);
    other.anon_owner = world.kernel.zone.add_owner({.mm = &other});
    world.kernel.mm_list.push_back(&other);
    tests::add_vma(world, 0, kHuge, {});
    make_resident(world, 0, kHuge);
    other.insert_vma(PageIndex(0), PageIndex(kHuge), {});
    world.kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, PageCount(kHuge), {});
    change_pages(world.kernel, other, PageIndex(0), PageIndex(kHuge), PageState::absent, PageState::resident);
    std::vector<bool> made;
    for (int walker = 0; walker < 2; ++walker) {
      world.add([&](Task& task) {
        made.push_back(try_to_inc_max_seq(task, 0, kMinNrGens + 1, true));
        EXPECT_EQ(task.settle(), at(0) + kHuge * (kEntry + kYoung));
      });
    }
    world.run();
    EXPECT_EQ(made.size(), 2U);
    EXPECT_NE(made.front(), made.back());
    EXPECT_EQ(statistics(world).mms_walked, 2U);
    EXPECT_EQ(statistics(world).generations, 1U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// The eviction.

using MglruEviction = MglruTest;
INSTANTIATE_TEST_SUITE_P(, MglruEviction, testing::Bool(), mode_of);

// Where a direct reclaimer of the classic lists looks at his whole share (vmscan_test.cpp).
TEST_P(MglruEviction, ADirectReclaimersStallIs64PagesHoweverMuchMemoryThereIs) {
  for (const std::int64_t gibibytes : {4, 16, 60}) {
    SmallMachineSpec spec = with_generations();
    spec.memory.size = spec.memory.free = Bytes((gibibytes * kGib + 4'096) * kPageSize);
    run_alone(
        spec, [](SmallMachine&) {},
        [&](SmallMachine& world, Task& task) {
          put(world, LruList::inactive_file, world.kernel.streamed, gibibytes * kGib);
          EXPECT_EQ(try_to_free_pages(task), kMinLruBatch);
          EXPECT_EQ(task.now(), at(0) + kMinLruBatch.count() * (kScan + kReclaim));
          EXPECT_EQ(statistics(world).direct_scanned, 64U);
          EXPECT_EQ(statistics(world).generations, 0U);
        });
  }
}

// Everything is young: at the default priority nothing is to be had and nobody ages; each of the next two makes a
// generation, and between them an empty one goes.
TEST_P(MglruEviction, MakesGenerationsUntilThereIsOneToBeEvicted) {
  run_alone(
      with_swap(), [](SmallMachine&) {},
      [](SmallMachine& world, Task& task) {
        put(world, LruList::active_file, world.kernel.streamed, 100'000);
        EXPECT_EQ(try_to_free_pages(task), kMinLruBatch);
        EXPECT_EQ(statistics(world).generations, 2U);
        EXPECT_EQ(generations(world), (Generations{5, {3, 3}}));
        EXPECT_EQ(in_generation(world, true, 3), PageCount(100'000) - kMinLruBatch);
      });
}

TEST_P(MglruEviction, WhatHasBeenTouchedGoesToTheYoungestGenerationAndWhatIsReadToTheNextOne) {
  run_alone(
      with_swap(), [](SmallMachine&) {},
      [](SmallMachine& world, Task& task) {
        put(world, LruList::inactive_file, add_owner(world, true, 1ns), 40);
        put(world, LruList::inactive_file, world.kernel.streamed, 10'000);
        task.sleep_until(at(1'000));
        EXPECT_GE(try_to_free_pages(task), PageCount(24));
        EXPECT_EQ(statistics(world).kept, 40U);
        EXPECT_EQ(in_generation(world, true, 2), PageCount(40));
      });
  SmallMachineSpec swapping = with_swap();
  swapping.memory.swappiness = 200;
  run_alone(
      swapping, [](SmallMachine&) {},
      [](SmallMachine& world, Task& task) {
        put(world, LruList::inactive_anon, add_owner(world, false, 1ns), 40);
        put(world, LruList::inactive_anon, add_owner(world, false), 10'000);
        task.sleep_until(at(1'000));
        EXPECT_GE(try_to_free_pages(task), PageCount(24));
        // They have been promoted before anything was evicted, to what was the youngest then.
        EXPECT_EQ(statistics(world).generations, 1U);
        EXPECT_EQ(statistics(world).kept, 0U);
        EXPECT_EQ(in_generation(world, false, 3), PageCount(40));
      });
}

TEST_P(MglruEviction, WithoutSwapAnonymousPagesStayAndBecomeYoungAgain) {
  run_alone(
      with_generations(), [](SmallMachine&) {},
      [](SmallMachine& world, Task& task) {
        put(world, LruList::inactive_anon, add_owner(world, false), 1'000);
        put(world, LruList::inactive_file, world.kernel.streamed, 1'000);
        PageCount freed;
        while (freed < PageCount(1'000)) freed += try_to_free_pages(task);
        EXPECT_EQ(try_to_free_pages(task), PageCount(0));
        EXPECT_EQ(world.kernel.zone.counts().inactive_anon + world.kernel.zone.counts().active_anon, PageCount(1'000));
        EXPECT_EQ(world.kernel.zone.counts().evictable(), PageCount(1'000));
      });
}

// Files first, as long as few of them come back; then whichever comes back less.
TEST_P(MglruEviction, RefaultsOfFilesTurnItToAnonymousPages) {
  run_alone(
      with_swap(), [](SmallMachine&) {},
      [](SmallMachine& world, Task& task) {
        put(world, LruList::active_anon, add_owner(world, false), 10'000);
        put(world, LruList::active_file, world.kernel.streamed, 10'000);
        for (int generation = 0; generation < 2; ++generation) EXPECT_TRUE(age(world, task));
        EXPECT_EQ(try_to_free_pages(task), kMinLruBatch);
        EXPECT_EQ(statistics(world).swapped_out, 0U);
        note_refault(world.kernel, true, kMinLruBatch);
        EXPECT_EQ(try_to_free_pages(task), kMinLruBatch);
        EXPECT_EQ(statistics(world).swapped_out, 64U);
        note_refault(world.kernel, false, PageCount(1'000));
        EXPECT_EQ(try_to_free_pages(task), kMinLruBatch);
        EXPECT_EQ(statistics(world).swapped_out, 64U);
      });
}

// Its first look is as deep as what it wants asks for.
TEST_P(MglruEviction, KswapdStopsAtTheHighWatermarkAnd64PagesMore) {
  SmallMachineSpec spec = with_generations();
  spec.with_kswapd = true;
  run_alone(
      spec, [](SmallMachine&) {},
      [](SmallMachine& world, Task& task) {
        Zone& zone = world.kernel.zone;
        const PageCount all = zone.counts().free - zone.marks().low;
        put(world, LruList::inactive_file, world.kernel.streamed, all.count());
        wakeup_kswapd(task);
        task.sleep_until(task.now() + 1s);
        const PageCount free = zone.counts().free;
        EXPECT_GT(free, zone.marks().high);
        EXPECT_LE(free, zone.marks().high + kMinLruBatch + kMinLruBatch);
        EXPECT_EQ(statistics(world).generations, 0U);
      });
}

// Pages of a VMA that is VM_LOCKED and that mlock has not come to are unevictable when reclaim meets them.
TEST_P(MglruEviction, CullsWhatIsLocked) {
  SmallMachineSpec spec = with_swap();
  spec.memory.swappiness = 200;
  run_alone(
      spec,
      [](SmallMachine& world) {
        tests::add_vma(world, 0, 100, {});
        make_resident(world, 0, 100);
        world.mm.find_vma(PageIndex(0))->flags.locked = true;
      },
      [](SmallMachine& world, Task& task) {
        for (int generation = 0; generation < 2; ++generation) EXPECT_TRUE(age(world, task));
        EXPECT_EQ(try_to_free_pages(task), PageCount(0));
        EXPECT_EQ(statistics(world).culled, 100U);
        EXPECT_EQ(world.kernel.zone.counts().unevictable, PageCount(100));
      });
}

}  // namespace
}  // namespace models::mglru_test
