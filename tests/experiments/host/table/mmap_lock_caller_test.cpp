#include "experiments/host/table/mmap_lock_caller.h"

#include <gtest/gtest.h>

namespace experiments::mmap_lock_caller_test {
namespace {

using models::LockMode;
using models::Phase;
using Lock = MmapLockCaller::Lock;

TEST(MmapLockCaller, FunctionsThatAskForItTellCallAndMode) {
  const MmapLockCaller mapped = mmap_lock_caller("vm_mmap_pgoff+0xe9");
  EXPECT_EQ(mapped.lock, Lock::mmap_lock);
  EXPECT_EQ(mapped.call, Phase::mmap);
  EXPECT_EQ(mapped.mode, LockMode::write);
  EXPECT_EQ(mmap_lock_caller("do_user_addr_fault.isra.0+0x1").call, Phase::fault);
  EXPECT_EQ(mmap_lock_caller("do_madvise+0x1").mode, std::nullopt);
}

TEST(MmapLockCaller, PopulatingIsAPartOfMlock) { EXPECT_EQ(mmap_lock_caller("__mm_populate+0x1").call, Phase::mlock); }

TEST(MmapLockCaller, EntriesOfCallsThatTakeNoOtherSemaphoreTellThem) {
  EXPECT_EQ(mmap_lock_caller("__x64_sys_munlock+0x35").call, Phase::munlock);
  EXPECT_EQ(mmap_lock_caller("__arm64_sys_munmap+0x35").mode, LockMode::write);
  EXPECT_EQ(mmap_lock_caller("__x64_sys_read+0x18").lock, Lock::untold);
}

TEST(MmapLockCaller, TheEntryOfAllCallsTellsNothing) {
  EXPECT_EQ(mmap_lock_caller("do_syscall_64+0x71").lock, Lock::untold);
  EXPECT_EQ(mmap_lock_caller("asm_exc_page_fault+0x22").lock, Lock::untold);
  EXPECT_EQ(mmap_lock_caller("__traceiter_contention_begin+0x44").lock, Lock::untold);
}

TEST(MmapLockCaller, AnyOtherFunctionAsksForAnotherLock) {
  EXPECT_EQ(mmap_lock_caller("ext4_file_write_iter+0x11").lock, Lock::another);
  EXPECT_EQ(mmap_lock_caller("unlink_anon_vmas+0x4c").lock, Lock::another);
}

TEST(MmapLockCaller, OfAStackTheFirstFunctionThatDoesNotLockTells) {
  LockRow row{"do_syscall_64+0x71", "rwsem:W"};
  row.frames = {"rwsem_down_write_slowpath+0x3cc", "down_write_killable+0x5c", "vm_mmap_pgoff+0xe9",
                "do_syscall_64+0x71"};
  EXPECT_EQ(mmap_lock_caller(row).call, Phase::mmap);
  row.frames[2] = "filemap_fault+0x1";
  EXPECT_EQ(mmap_lock_caller(row).lock, Lock::another);
}

TEST(MmapLockCaller, TypesOfPerf) {
  EXPECT_EQ(mode_of_type("rwsem:R"), LockMode::read);
  EXPECT_EQ(mode_of_type("rwsem:W"), LockMode::write);
  EXPECT_EQ(mode_of_type("rwlock:W"), std::nullopt);
  EXPECT_TRUE(may_be_mmap_lock("rwsem"));
  EXPECT_FALSE(may_be_mmap_lock("mutex"));
}

}  // namespace
}  // namespace experiments::mmap_lock_caller_test
