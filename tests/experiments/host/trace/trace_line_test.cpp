#include "experiments/host/trace/trace_line.h"

#include <gtest/gtest.h>

namespace experiments::trace_line_test {
namespace {

using namespace std::chrono_literals;

TEST(TraceLine, PerfScriptHasTheNumberBehindABlankAndNineDecimalsWithNs) {
  const auto line = parse_trace_line(
      "          locker  2927 [001]  2643.249616217:    mmap_lock:mmap_lock_released: mm=0xff memcg_id=42 write=true");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->form, TraceForm::perf_script);
  EXPECT_EQ(line->comm, "locker");
  EXPECT_EQ(line->tid, 2927);
  EXPECT_EQ(line->time, 2643s + 249'616'217ns);
  EXPECT_EQ(line->decimals, 9);
  EXPECT_EQ(line->event, "mmap_lock_released");
  EXPECT_EQ(line->arguments, "mm=0xff memcg_id=42 write=true");
}

TEST(TraceLine, FtraceHasItBehindADashAndSixDecimals) {
  const auto line = parse_trace_line(
      "          locker-85      [001] d..2.     2.508873: page_fault_user: address=0x4ce3e0 ip=0x1 error_code=0x7");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->form, TraceForm::ftrace);
  EXPECT_EQ(line->comm, "locker");
  EXPECT_EQ(line->tid, 85);
  EXPECT_EQ(line->time, 2s + 508'873us);
  EXPECT_EQ(line->decimals, 6);
  EXPECT_EQ(line->event, "page_fault_user");
}

TEST(TraceLine, TraceCmdMayLeaveTheFlagsOut) {
  const auto line = parse_trace_line("          locker-85    [001]     2.508873: contention_end:       ffff (ret=0)");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->tid, 85);
  EXPECT_EQ(line->arguments, "ffff (ret=0)");
}

TEST(TraceLine, TheNumberOfTheGroupAndThatOfTheProcessAreLeftOut) {
  EXPECT_EQ(parse_trace_line("  a-85 (   80) [001] d..2. 2.5: ev: x")->tid, 85);
  EXPECT_EQ(parse_trace_line("  a-85 (-----) [001] d..2. 2.5: ev: x")->comm, "a");
  const auto perf = parse_trace_line("  a 80/85 [001] 2.5: ev: x");
  ASSERT_TRUE(perf);
  EXPECT_EQ(perf->tid, 85);
  EXPECT_EQ(perf->comm, "a");
}

TEST(TraceLine, NamesMayHaveBlanksBracketsColonsAndDashes) {
  for (const char* const comm :
       {"Web Content", "tokio-rt [12]", "a: b 1.5: c", "kworker/1:1-ev", "x-1 [0] y", ":2930"}) {
    const std::string of_perf = std::string("  ") + comm + "  2927 [001]  2643.249616217: ev: arguments";
    const auto perf = parse_trace_line(of_perf);
    ASSERT_TRUE(perf) << comm;
    EXPECT_EQ(perf->comm, comm);
    EXPECT_EQ(perf->tid, 2927);
    const std::string of_ftrace = std::string("  ") + comm + "-2927    [001] .....  2643.249616: ev: arguments";
    const auto ftrace = parse_trace_line(of_ftrace);
    ASSERT_TRUE(ftrace) << comm;
    EXPECT_EQ(ftrace->comm, comm);
    EXPECT_EQ(ftrace->event, "ev");
  }
}

TEST(TraceLine, TheCpuMayBeMissingAndAPeriodMayBeThere) {
  const auto line = parse_trace_line("  Web Content 2927  2643.249616:          1 lock:contention_end: 0xff (ret=0)");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->comm, "Web Content");
  EXPECT_EQ(line->tid, 2927);
  EXPECT_EQ(line->event, "contention_end");
}

TEST(TraceLine, SystemCallsOfFtraceHaveNoColonBehindTheirName) {
  EXPECT_EQ(parse_trace_line("  a-85 [001] ...1. 2.5: sys_mmap(addr: 0, len: 801000)")->event, "sys_mmap");
  EXPECT_EQ(parse_trace_line("  a-85 [001] ...1. 2.5: sys_mmap -> 0x7f41e0685000")->arguments, "-> 0x7f41e0685000");
}

TEST(TraceLine, WhatIsNoEventIsNone) {
  for (const char* const text : {"", "# tracer: nop", "\tffffffff8124 do_fault+0x1 ([kernel.kallsyms])", "2.5: x",
                                 "12:01:02.123456 openat(AT_FDCWD, \"/etc\") = 3", "a [001] 2.5: ev: x"}) {
    EXPECT_FALSE(parse_trace_line(text)) << text;
  }
}

}  // namespace
}  // namespace experiments::trace_line_test
