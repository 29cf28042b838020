#include "experiments/host/trace/event_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace experiments::event_fields_test {
namespace {

using Kind = TraceEvent::Kind;
using models::LockMode;

std::string expected;

// An event has views of the text that it was read from.
TraceEvent event_of(std::string_view event, std::string_view arguments) {
  TraceLine line;
  line.event = event;
  line.arguments = arguments;
  const auto read = read_event_of(line, expected);
  EXPECT_TRUE(read) << event << ": expected " << expected;
  return read.value_or(TraceEvent{});
}

bool refuses(std::string_view event, std::string_view arguments) {
  TraceLine line;
  line.event = event;
  line.arguments = arguments;
  return !read_event_of(line, expected);
}

TEST(EventFields, TheGroupOfMemoryIsAPathUpTo613AndANumberSince) {
  const TraceEvent old = event_of("mmap_lock_acquire_returned", "mm=ffff8d00 memcg_path=/a b write=true success=false");
  EXPECT_EQ(old.kind, Kind::acquire_returned);
  EXPECT_EQ(old.address, 0xffff8d00U);
  EXPECT_EQ(old.mode, LockMode::write);
  EXPECT_FALSE(old.success);
  EXPECT_EQ(event_of("mmap_lock_released", "mm=0xffff8d00 memcg_id=42 write=false").address, 0xffff8d00U);
}

TEST(EventFields, BoolsMayBeNumbers) {
  EXPECT_EQ(event_of("mmap_lock_released", "mm=0xff memcg_id=42 write=1").mode, LockMode::write);
}

TEST(EventFields, OnlyASemaphoreThatIsSleptForCounts) {
  EXPECT_TRUE(event_of("contention_begin", "0xffff8881000100f8 (flags=READ)").semaphore);
  EXPECT_EQ(event_of("contention_begin", "ffff8d70 (flags=WRITE)").mode, LockMode::write);
  EXPECT_FALSE(event_of("contention_begin", "ffff8d70 (flags=SPIN|WRITE)").semaphore);
  EXPECT_FALSE(event_of("contention_begin", "ffff8d70 (flags=MUTEX)").semaphore);
}

TEST(EventFields, SystemCallsAreReadInEachForm) {
  const TraceEvent perf = event_of("sys_enter_mlock", "start: 0x7fda38201000, len: 0x08000000");
  EXPECT_EQ(perf.kind, Kind::sys_enter);
  EXPECT_EQ(perf.call, "mlock");
  EXPECT_EQ(perf.arguments[0], 0x7fda38201000U);
  EXPECT_EQ(perf.arguments[1], 0x8000000U);
  const TraceEvent ftrace = event_of("sys_mlock", "(start: 7f41d8e7c000, len: 4000000)");
  EXPECT_EQ(ftrace.call, "mlock");
  EXPECT_EQ(ftrace.arguments[1], 0x4000000U);
  EXPECT_EQ(event_of("sys_mmap", "-> 0x7f41e0685000").returned, 0x7f41e0685000U);
  EXPECT_EQ(event_of("sys_exit_mlock", "0xfffffffffffffff4").returned, ~std::uint64_t{11});
  const TraceEvent raw = event_of("sys_enter", "NR 149 (7f41d8e7c000, 4000000, 0, 0, 0, 0)");
  EXPECT_EQ(raw.call, "mlock");
  EXPECT_EQ(raw.arguments[1], 0x4000000U);
  EXPECT_EQ(event_of("sys_exit", "NR 149 = 0").call, "mlock");
}

TEST(EventFields, ASwitchTellsWhoComesAndWhetherWhoLeavesCouldGoOn) {
  const TraceEvent kernel = event_of("sched_switch",
                                     "prev_comm=a b prev_pid=88 prev_prio=120 prev_state=R+ ==> next_comm=c=d e "
                                     "next_pid=85 next_prio=120");
  EXPECT_TRUE(kernel.runnable);
  EXPECT_EQ(kernel.other_tid, 85);
  const TraceEvent plugin = event_of("sched_switch", "faulter:88 [120] S ==> swapper/1:0 [120]");
  EXPECT_FALSE(plugin.runnable);
  EXPECT_EQ(plugin.other_comm, "swapper/1");
  EXPECT_EQ(event_of("sched_wakeup", "comm=a b pid=85 prio=120 target_cpu=001").other_tid, 85);
}

TEST(EventFields, AnEventOfNoInterestIsOneAllTheSame) { EXPECT_EQ(event_of("rss_stat", "whatever").kind, Kind::other); }

TEST(EventFields, WhatLacksAFieldIsRefused) {
  EXPECT_TRUE(refuses("mmap_lock_released", "mm=0xff memcg_id=42"));
  EXPECT_EQ(expected, "mm=ADDRESS and write=true or false");
  EXPECT_TRUE(refuses("mmap_lock_acquire_returned", "mm=0xff memcg_id=42 write=true success=tr"));
  EXPECT_TRUE(refuses("sched_switch", "prev_comm=a prev_pid=88 prev_prio=120 prev_sta"));
  EXPECT_TRUE(refuses("contention_begin", "0xffff"));
}

}  // namespace
}  // namespace experiments::event_fields_test
