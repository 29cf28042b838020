#include "experiments/host/table/attached_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/base/diagnostics.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace experiments::attached_table_test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::string sample(const std::string& name) {
  return tests::text_of(tests::source_tests() / "fuzz/corpus/table" / name);
}

LockTable locks(const std::string& text) { return std::get<LockTable>(parse_attached_table(text, "table")); }

std::vector<AttachedHistogram> maps(const std::string& text) {
  return std::get<std::vector<AttachedHistogram>>(parse_attached_table(text, "table"));
}

std::string refused(const std::string& text) {
  try {
    (void)parse_attached_table(text, "table");
  } catch (const InputError& error) {
    return error.what();
  }
  return "read";
}

// --- perf lock contention -----------------------------------------------------------------------------------------

TEST(AttachedTable, PerfHasCallersWithTypeAndTimesWithUnits) {
  const LockTable table = locks(sample("perf_callers"));
  EXPECT_EQ(table.form, LockTableForm::perf_contention);
  EXPECT_EQ(table.by, LockRowsBy::caller);
  ASSERT_THAT(table.waits, SizeIs(5));
  EXPECT_EQ(table.waits[0], (LockRow{"do_syscall_64+0x71", "rwsem:W", {}, 40, 1s, 25'040us, 43'880us}));
  EXPECT_EQ(table.waits[4], (LockRow{"exc_page_fault+0x1d8", "rwsem:R", {}, 4, 5'250us, 1'310us, 3'690us}));
}

TEST(AttachedTable, PerfVerboseHasStacks) {
  const LockTable table = locks("Looking at the vmlinux_path (8 entries long)\n" + sample("perf_stacks"));
  ASSERT_THAT(table.waits, SizeIs(5));
  EXPECT_THAT(table.waits[0].frames,
              ElementsAre("rwsem_down_write_slowpath+0x3cc", "down_write_killable+0x5c", "vm_mmap_pgoff+0xe9",
                          "do_syscall_64+0x71", "entry_SYSCALL_64_after_hwframe+0x76"));
}

TEST(AttachedTable, PerfColumnsStandInAnyOrder) {
  const LockTable table = locks(
      " contended     max wait     min wait         type   caller\n\n"
      "        40     43.88 ms      5.69 ms      rwsem:W   vm_mmap_pgoff+0xe9\n"
      "         2      2.00 m       1.00 h       rwsem:R   m_start+0x1\n");
  ASSERT_THAT(table.waits, SizeIs(2));
  EXPECT_EQ(table.waits[0].total, std::nullopt);
  EXPECT_EQ(table.waits[0].longest, 43'880us);
  EXPECT_EQ(table.waits[1].longest, 2min);
}

TEST(AttachedTable, PerfByTaskHasNamesThatMayHaveBlanks) {
  const LockTable table = locks(
      " contended   total wait     max wait     avg wait          pid   comm\n\n"
      "        62      1.53 s      84.33 ms     24.65 ms        19250   Web Content\n"
      "         1     10.86 ms     10.86 ms     10.86 ms           -1   Unknown\n");
  EXPECT_EQ(table.by, LockRowsBy::task);
  EXPECT_EQ(table.waits[0].who, "Web Content");
  EXPECT_EQ(table.waits[1].who, "Unknown");
}

TEST(AttachedTable, PerfByLockHasSymbolAndType) {
  const LockTable table = locks(sample("perf_locks"));
  EXPECT_EQ(table.by, LockRowsBy::lock);
  ASSERT_THAT(table.waits, SizeIs(3));
  EXPECT_EQ(table.waits[0].who, "mmap_lock");
  EXPECT_EQ(table.waits[0].type, "rwsem");
  EXPECT_EQ(table.waits[1].who, "");
  EXPECT_EQ(table.waits[1].type, "spinlock");
}

TEST(AttachedTable, PerfWithSeparatorsHasNanoseconds) {
  const LockTable table = locks(sample("perf_separated"));
  ASSERT_THAT(table.waits, SizeIs(3));
  EXPECT_EQ(table.waits[0], (LockRow{"vm_mmap_pgoff+0xe9", "rwsem:W", {}, 40, 1'001'600us, 25'040us, 43'880us}));
  const LockTable with_stack = locks(
      "# output: contended; total wait; max wait; avg wait; type; caller; stacktrace\n"
      "4; 5250; 3690; 1312; rwsem:R; exc_page_fault+0x1; 0xffffffff81 down_read+0x5 : 0xffffffff82 "
      "lock_mm_and_find_vma+0x9e\n");
  EXPECT_THAT(with_stack.waits[0].frames, ElementsAre("down_read+0x5", "lock_mm_and_find_vma+0x9e"));
}

TEST(AttachedTable, OfAQuotedMailTheMarksAreLeftOut) {
  const LockTable table = locks(
      "> On Friday Bob wrote:\n"
      ">>  contended   total wait     max wait     avg wait         type   caller\n>>\n"
      ">>    2665573     64.38 h       1.98 s      86.95 ms      rwsem:W   vm_mmap_pgoff+0x31\n"
      ">>                          0xffffffff903f15bc  rwsem_down_write_slowpath+0x36c\n");
  ASSERT_THAT(table.waits, SizeIs(1));
  EXPECT_EQ(table.waits[0].total, 231'768s);
  EXPECT_THAT(table.waits[0].frames, ElementsAre("rwsem_down_write_slowpath+0x36c"));
}

TEST(AttachedTable, PerfsWaitsByOwnerAreNotItsWaitsByCaller) {
  const LockTable table =
      locks(sample("perf_separated") + "# owner stack trace:\n7, 1, 1, 1, rwsem:W, pipe_read+0x57\n");
  EXPECT_THAT(table.waits, SizeIs(3));
}

TEST(AttachedTable, PerfThatIsBrokenOffIsRefusedWithItsLine) {
  const std::string text = sample("perf_callers");
  EXPECT_THAT(refused(text.substr(0, text.size() - 30)), HasSubstr("table:7:1: expected a row with a value for each"));
  EXPECT_THAT(refused(" contended   total wait     max wait     avg wait         type   caller\n"),
              HasSubstr("expected rows below the headings"));
  EXPECT_THAT(refused(" contended   total wait   owner\n"), HasSubstr("table:1:1: expected the columns of"));
  EXPECT_THAT(refused("                Name   acquired  contended   avg wait   total wait  comm\n"),
              HasSubstr("table:1:1: expected the columns of"));
  EXPECT_THAT(refused(" contended  max wait  type  caller\n 40  1.00 weeks  rwsem:W  vm_mmap+0x1\n"),
              HasSubstr("table:2:1: expected a row"));
}

// --- klockstat ----------------------------------------------------------------------------------------------------

TEST(AttachedTable, KlockstatHasWaitsAndHolds) {
  const LockTable table = locks(sample("klockstat"));
  EXPECT_EQ(table.form, LockTableForm::klockstat);
  EXPECT_EQ(table.by, LockRowsBy::caller);
  ASSERT_THAT(table.waits, SizeIs(6));
  ASSERT_THAT(table.holds, SizeIs(2));
  EXPECT_EQ(table.waits[0], (LockRow{"vm_mmap_pgoff+0xe9", "", {}, 4140, 1s, 241'900ns, 43'900us}));
  EXPECT_EQ(table.holds[1].mean, 3'200ns);
}

TEST(AttachedTable, KlockstatOfThreadsHasTheirNames) {
  const LockTable table = locks(
      "                Tid              Comm  Avg Wait    Count   Max Wait   Total Wait\n"
      "            1234        Web Content     1.2 us       10     3.0 us      12.0 us\n");
  EXPECT_EQ(table.by, LockRowsBy::task);
  EXPECT_EQ(table.waits[0].who, "Web Content");
}

TEST(AttachedTable, KlockstatHasHeadingsAgainAboveEachRowWithAStack) {
  const std::string heading = "\n                               Caller  Avg Wait    Count   Max Wait   Total Wait\n";
  const LockTable table =
      locks(heading + "  down_write_killable+0x5c    1.2 us   10    3.0 us   12.0 us\n     vm_mmap_pgoff+0xe9\n" +
            "          Max PID 12, COMM mysqld, Lock no-ksym (0xffff)\n" + heading +
            "  down_read+0x5    1.2 us   10    3.0 us   12.0 us\n     m_start+0x9\n     seq_read_iter+0x1\n");
  ASSERT_THAT(table.waits, SizeIs(2));
  EXPECT_THAT(table.waits[0].frames, ElementsAre("vm_mmap_pgoff+0xe9"));
  EXPECT_THAT(table.waits[1].frames, ElementsAre("m_start+0x9", "seq_read_iter+0x1"));
  EXPECT_EQ(table.intervals, 1);
}

TEST(AttachedTable, OfSeveralIntervalsTheLastCounts) {
  const LockTable table = locks("10:00:00\n" + sample("klockstat") + "\n10:00:05\n" + sample("klockstat"));
  EXPECT_EQ(table.intervals, 2);
  EXPECT_THAT(table.waits, SizeIs(6));
}

TEST(AttachedTable, KlockstatOlderThanItsUnitsHasNanoseconds) {
  const LockTable table = locks(
      "                               Caller  Avg Wait    Count   Max Wait   Total Wait\n"
      "                   vm_mmap_pgoff+0xe9       120       10        300         1200\n");
  EXPECT_EQ(table.waits[0], (LockRow{"vm_mmap_pgoff+0xe9", "", {}, 10, 1'200ns, 120ns, 300ns}));
}

TEST(AttachedTable, KlockstatInPythonKnowsNoSemaphores) {
  EXPECT_THAT(refused("                                  Caller   Avg Spin  Count   Max spin Total spin\n"
                      "                      psi_avgs_work+0x2e       3675      5       5468      18379\n"),
              HasSubstr("traces mutexes, and mmap_lock is a semaphore"));
}

TEST(AttachedTable, KlockstatThatIsBrokenOffIsRefused) {
  const std::string text = sample("klockstat");
  EXPECT_THAT(refused(text.substr(0, text.find("1.2 us")) + "1.2"), HasSubstr("expected a row such as"));
  EXPECT_THAT(refused("     Caller  Avg Wait    Count   Max Wait   Total Wait\n\n"), HasSubstr("found none"));
}

// --- bpftrace -----------------------------------------------------------------------------------------------------

TEST(AttachedTable, BpftraceHasMapsOfPowersOfTwoAndOfSteps) {
  const std::vector<AttachedHistogram> read = maps(sample("bpftrace_maps"));
  ASSERT_THAT(read, SizeIs(4));
  EXPECT_EQ(read[0].name, "@by[load, r]");
  EXPECT_EQ(read[0].buckets.front(), (AttachedBucket{0, 4000, 3846}));
  EXPECT_EQ(read[1].buckets.back(), (AttachedBucket{40000, std::nullopt, 15}));
  EXPECT_EQ(read[3].name, "@write_us");
  EXPECT_EQ(read[3].buckets[0], (AttachedBucket{0, 1, 5537}));
  EXPECT_EQ(read[3].buckets[1], (AttachedBucket{1, 2, 36}));
  EXPECT_EQ(read[3].buckets[10], (AttachedBucket{512, 1024, 0}));
  EXPECT_EQ(read[3].buckets.back(), (AttachedBucket{65536, 131072, 2}));
  EXPECT_EQ(read[3].count(), 5897U);
}

TEST(AttachedTable, BpftraceHasNegativeOnesInABucketWithoutALowerEnd) {
  const std::vector<AttachedHistogram> read = maps("@ns:\n(..., 0)   3 |@@@|\n[0]   1 |@ |\n");
  ASSERT_THAT(read, SizeIs(1));
  EXPECT_EQ(read[0].buckets[0], (AttachedBucket{std::nullopt, 0, 3}));
}

TEST(AttachedTable, OtherMapsAndLinesArePassedOver) {
  const std::vector<AttachedHistogram> read = maps(
      "Attaching 2 probes...\n^C\n\n@n[bash]: 27\n@st[a]: count 5, average 607, total 3035\n@usecs: \n"
      "[2, 4)        7 |@@@@|\n\n@start[12]: 99\n");
  ASSERT_THAT(read, SizeIs(1));
  EXPECT_EQ(read[0].name, "@usecs");
}

TEST(AttachedTable, OfAMapThatIsPrintedAgainTheLastCounts) {
  const std::vector<AttachedHistogram> read =
      maps("@us:\n[2, 4)   7 |@@@@|\n\n@b:\n[1]   1 |@|\n\n@us:\n[1]   1 |@ |\n[2, 4)   9 |@@@@|\n");
  ASSERT_THAT(read, SizeIs(2));
  EXPECT_EQ(read[0].printed, 2);
  EXPECT_EQ(read[0].count(), 10U);
  EXPECT_EQ(read[1].printed, 1);
}

TEST(AttachedTable, ABucketThatIsBrokenOrMissingIsRefusedWithItsLine) {
  EXPECT_THAT(refused("@a:\n[2, 4)   7 |@@@@|\n[4, 8)   \n"), HasSubstr("table:3:1: expected a bucket such as"));
  EXPECT_THAT(refused("@a:\n[2, 4)   7 |@@@@|\n[4, 8)   1 |@@"), HasSubstr("table:3:1: expected a bucket"));
  EXPECT_THAT(refused("@a:\n[2, 4)   7 |@@@@|\n[8, 16)   1 |@@|\n"),
              HasSubstr("table:3:1: expected the bucket that begins where the one above it ends"));
  EXPECT_THAT(refused("@a:\n[2, 4)   7 |@@@@|\n[4, 3)   1 |@@|\n"), HasSubstr("table:3:1: expected a bucket"));
  EXPECT_THAT(refused("@a:\n[2, 4)   7 |@@@@|\n[4, 16E)   1 |@@|\n"), HasSubstr("table:3:1: expected a bucket"));
}

// A mail breaks lines: then there is no whole bucket.
TEST(AttachedTable, WhereAllBucketsAreBrokenTheFirstIsNamed) {
  EXPECT_THAT(refused("see\n@a:\n[2, 4)   7 |@@\n@@|\n"), HasSubstr("table:3:1: expected a bucket such as"));
}

TEST(AttachedTable, WhatIsWrittenBelowATableIsNoPartOfIt) {
  const std::string text =
      " contended   total wait   max wait   avg wait   type   caller\n\n 5  1 ms  1 ms  1 us  rwsem:W  f+0x1\n";
  EXPECT_THAT(locks("\xEF\xBB\xBF" + text + "```\nas you see\n").waits, SizeIs(1));
  EXPECT_THAT(refused(text + "as you see\n 6  1 ms  1 ms  1 us  rwsem:W  g+0x1\n"),
              HasSubstr("table:4:1: expected a row"));
  EXPECT_THAT(refused(text + " 6  1 ms  1\n"), HasSubstr("table:4:1: expected a row"));
}

TEST(AttachedTable, NamesDoNotSpeakToTheTerminal) { EXPECT_EQ(maps("@\x1b[31mx:\n[1]   1 |@ |\n")[0].name, "@?[31mx"); }

TEST(AttachedTable, AnotherTextIsRefused) {
  EXPECT_THAT(refused(""), HasSubstr("expected what `perf lock contention`, klockstat, or bpftrace's hist()"));
  EXPECT_THAT(refused("schema: mlocksim/1\n[ 12.3] INFO: task db blocked\n"), HasSubstr("table: expected what"));
}

}  // namespace
}  // namespace experiments::attached_table_test
