// For each system call and each branch that a lock policy makes of it: what it does to mmap_sem and to pages, in order.
// Beside each row stands the kernel function that it follows.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "models/fork.h"
#include "models/mm/access_remote_vm.h"
#include "models/mm/brk.h"
#include "models/mm/exit_mmap.h"
#include "models/mm/fault.h"
#include "models/mm/madvise.h"
#include "models/mm/mempolicy.h"
#include "models/mm/mincore.h"
#include "models/mm/mlock.h"
#include "models/mm/mmap.h"
#include "models/mm/mprotect.h"
#include "models/mm/msync.h"
#include "models/mm/remap_file_pages.h"
#include "models/proc/procfs.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"
#include "tests/support/vma_map.h"

namespace models::syscall_sequence_test {
namespace {

using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

// ---------------------------------------------------------------------------------------------------------------
// Policies, by their one difference from write_held.

using Change = std::function<void(Policy&)>;

const Change kWriteHeld = [](Policy&) {};
const Change kDowngrade = [](Policy& policy) {
  policy.populate.mode = HoldMode::downgrade;
  policy.munlock.mode = HoldMode::downgrade;
  policy.munmap.mode = HoldMode::downgrade;
  policy.grow.mode = HoldMode::downgrade;
};
const Change kDropAndRead = [](Policy& policy) {
  policy.populate.mode = HoldMode::drop_and_read;
  policy.munlock.mode = HoldMode::drop_and_read;
  policy.grow.mode = HoldMode::drop_and_read;
};
const Change kDropEvery16 = [](Policy& policy) {
  policy.populate = {.mode = HoldMode::drop_and_read, .batch = PageCount(16)};
};
const Change kPresentFirst = [](Policy& policy) {
  policy.populate.mode = HoldMode::drop_and_read;
  policy.mlock_present_first = true;
};
const Change kChunksOf8 = [](Policy& policy) {
  policy.munlock = {.mode = HoldMode::chunked_write, .batch = PageCount(8)};
};
const Change kMunlockInZap = [](Policy& policy) {
  policy.munmap.mode = HoldMode::downgrade;
  policy.munlock_in_zap = true;
};
const Change kZapUnderVmaLock = [](Policy& policy) {
  policy.fault = FaultLock::per_vma;
  policy.zap_under_vma_lock = true;
};

// ---------------------------------------------------------------------------------------------------------------
// Calls

using Call = std::function<int(Task&, Mm&)>;

Call mlock_of(std::int64_t start, std::int64_t pages) {
  return [=](Task& task, Mm& mm) { return sys_mlock(task, mm, PageIndex(start), PageCount(pages)); };
}
Call munlock_of(std::int64_t start, std::int64_t pages) {
  return [=](Task& task, Mm& mm) { return sys_munlock(task, mm, PageIndex(start), PageCount(pages)); };
}
Call munmap_of(std::int64_t start, std::int64_t pages) {
  return [=](Task& task, Mm& mm) { return sys_munmap(task, mm, PageIndex(start), PageCount(pages)); };
}
Call mmap_of(std::int64_t start, std::int64_t pages, bool locked) {
  return [=](Task& task, Mm& mm) { return sys_mmap(task, mm, PageIndex(start), PageCount(pages), locked); };
}
Call mmap_with(std::int64_t start, std::int64_t pages, MmapHow how) {
  return [=](Task& task, Mm& mm) { return sys_mmap(task, mm, PageIndex(start), PageCount(pages), VmFlags{}, how); };
}
// After mlockall(MCL_FUTURE).
Call in_future(const Call& call) {
  return [=](Task& task, Mm& mm) {
    mm.locks_future_mappings = true;
    return call(task, mm);
  };
}
Call with_limit(std::int64_t pages, const Call& call) {
  return [=](Task& task, Mm& mm) {
    mm.cap_ipc_lock = false;
    mm.rlimit_memlock = Bytes(pages * kPageSize);
    return call(task, mm);
  };
}
Call mlockall_of(MlockallFlags flags) {
  return [=](Task& task, Mm& mm) { return sys_mlockall(task, mm, flags); };
}
const Call kMunlockall = [](Task& task, Mm& mm) { return sys_munlockall(task, mm); };
const Call kBrk = [](Task& task, Mm& mm) { return sys_brk(task, mm, PageCount(4)); };
const Call kRemap = [](Task& task, Mm& mm) { return sys_remap_file_pages(task, mm, PageIndex(10), PageCount(20)); };
const Call kExit = [](Task& task, Mm& mm) {
  sys_exit(task, mm);
  return 0;
};
const Call kFork = [](Task& task, Mm& mm) { return sys_fork(task, mm); };
Call madvise_of(Advice advice) {
  return [=](Task& task, Mm& mm) { return sys_madvise(task, mm, PageIndex(10), PageCount(20), advice); };
}
// The pages are a file's, whose device takes its time.
Call of_a_file(const Call& call) {
  return [=](Task& task, Mm& mm) {
    mm.set_owner(PageIndex(10), PageIndex(30), task.kernel().zone.add_owner({.mm = &mm, .file = true}));
    return call(task, mm);
  };
}
const Call kMincore = [](Task& task, Mm& mm) { return sys_mincore(task, mm, PageIndex(10), PageCount(20)); };
const Call kMsync = [](Task& task, Mm& mm) { return sys_msync(task, mm, PageIndex(10), PageCount(20)); };
// The pages are shared memory's.
Call of_shmem(const Call& call) {
  return [=](Task& task, Mm& mm) {
    mm.set_owner(PageIndex(10), PageIndex(30), task.kernel().zone.add_owner({.mm = &mm, .shmem = true}));
    return call(task, mm);
  };
}
Call get_mempolicy_of(MempolicyFlags flags) {
  return [=](Task& task, Mm& mm) { return sys_get_mempolicy(task, mm, PageIndex(12), flags); };
}
Call fault_at(std::int64_t page) {
  return [=](Task& task, Mm& mm) { return do_user_addr_fault(task, mm, PageIndex(page), Backing::region); };
}

// ---------------------------------------------------------------------------------------------------------------

struct Row {
  std::string name;
  Change policy;
  std::string map;        // as tests/support/vma_map.h writes it; pages of locked VMAs are mlocked, the others absent
  std::int64_t resident;  // so many pages from 10 on are there before
  Call call;
  std::string sequence;
  int result;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

std::string_view name_of(PageState state) {
  switch (state) {
    case PageState::absent:
      return "absent";
    case PageState::resident:
      return "resident";
    case PageState::mlocked:
      return "mlocked";
    case PageState::cached:
      return "cached";
    case PageState::swapped:
      return "swapped";
  }
  return "";
}

// What a run does from now on, as text.
void write_down(SmallMachine& world, std::string& text) {
  const auto add = [&text](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  world.kernel.observer.lock = [add](const Task&, LockOperation operation, const Rwsem&) {
    add(std::string(to_string(operation)));
  };
  world.kernel.observer.pages = [add](const Mm&, PageIndex start, PageIndex end, PageState from, PageState to) {
    add(std::to_string(start.index()) + "-" + std::to_string(end.index()) + ":" + std::string(name_of(from)) + ">" +
        std::string(name_of(to)));
  };
}

class SyscallSequence : public testing::TestWithParam<Row> {};

// mlock takes pages in batches of 16; new ones are mlocked as they are mapped.
const std::string kPopulate20 = "10-26:absent>mlocked 26-30:absent>mlocked";

INSTANTIATE_TEST_SUITE_P(
    Mlock, SyscallSequence,
    testing::Values(
        // sys_mlock: capability and limit
        Row{"NoRight", kWriteHeld, "10-30", 0, with_limit(0, mlock_of(10, 20)), "", -EPERM},
        Row{"BeyondTheLimit", kWriteHeld, "10-30", 0, with_limit(19, mlock_of(10, 20)), "down_write up_write", -ENOMEM},
        // do_mlock: no VMA at the start
        Row{"InAHole", kDowngrade, "10-30", 0, mlock_of(5, 5), "down_write up_write", -ENOMEM},
        // mlock_fixup: flags unchanged
        Row{"LockedAlready", kDowngrade, "10-30L", 0, mlock_of(10, 20), "down_write up_write", 0},
        // mlock_fixup: VM_IO | VM_PFNMAP
        Row{"Io", kDowngrade, "10-30I", 0, mlock_of(10, 20), "down_write up_write", 0},
        // mlock_fixup: make_pages_present under the write hold, no downgrade, whatever the policy
        Row{"Dontexpand", kDowngrade, "10-30D", 0, mlock_of(10, 20), "down_write 10-30:absent>resident up_write", 0},
        Row{"Hugetlb", kDowngrade, "10-30H", 0, mlock_of(10, 20), "down_write 10-30:absent>resident up_write", 0},
        Row{"Gate", kDowngrade, "10-30G", 0, mlock_of(10, 20), "down_write 10-30:absent>resident up_write", 0},
        // mlock_fixup before the patch
        Row{"WriteHeld", kWriteHeld, "10-30", 0, mlock_of(10, 20), "down_write " + kPopulate20 + " up_write", 0},
        Row{"WriteHeldPagesThere", kWriteHeld, "10-30", 20, mlock_of(10, 20),
            "down_write 10-26:resident>mlocked 26-30:resident>mlocked up_write", 0},
        // mlock_fixup of the patch: downgrade, populate, up_read, down_write, find_vma
        Row{"Downgrade", kDowngrade, "10-30", 0, mlock_of(10, 20),
            "down_write downgrade_write " + kPopulate20 + " up_read down_write up_write", 0},
        // do_mlock: one window for each VMA
        Row{"DowngradeTwoVmas", kDowngrade, "10-12 12-14R", 0, mlock_of(10, 4),
            "down_write downgrade_write 10-12:absent>mlocked up_read "
            "down_write downgrade_write 12-14:absent>mlocked up_read down_write up_write",
            0},
        // do_mlock: what lies before a hole stays locked
        Row{"DowngradeUpToAHole", kDowngrade, "10-12", 0, mlock_of(10, 4),
            "down_write downgrade_write 10-12:absent>mlocked up_read down_write up_write", -ENOMEM},
        // do_mlock_pages of 2.6.38, __mm_populate since 3.9
        Row{"DropAndRead", kDropAndRead, "10-30", 0, mlock_of(10, 20),
            "down_write up_write down_read " + kPopulate20 + " up_read", 0},
        Row{"DropAndReadEvery16", kDropEvery16, "10-30", 0, mlock_of(10, 20),
            "down_write up_write down_read 10-26:absent>mlocked up_read "
            "down_read 26-30:absent>mlocked up_read",
            0},
        Row{"DropAndReadAfterAnError", kDropAndRead, "10-12", 0, mlock_of(10, 4), "down_write up_write", -ENOMEM},
        // mlock_fixup of 5.18: mlock_vma_pages_range walks what is present under write
        Row{"PresentFirst", kPresentFirst, "10-30", 10, mlock_of(10, 20),
            "down_write 10-20:resident>mlocked up_write "
            "down_read 20-30:absent>mlocked up_read",
            0}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Mlockall, SyscallSequence,
    testing::Values(
        // sys_mlockall
        Row{"Neither", kDowngrade, "10-12", 0, mlockall_of({}), "", -EINVAL},
        Row{"NoRight", kDowngrade, "10-12", 0, with_limit(0, mlockall_of({.current = true})), "", -EPERM},
        Row{"BeyondTheLimit", kDowngrade, "10-12", 0, with_limit(1, mlockall_of({.current = true})),
            "down_write up_write", -ENOMEM},
        Row{"Future", kDowngrade, "10-12", 0, mlockall_of({.future = true}), "down_write up_write", 0},
        // do_mlockall: mlock_fixup for every VMA in one write hold; with the patch, a window for each
        Row{"WriteHeld", kWriteHeld, "10-12 14-16", 0, mlockall_of({.current = true}),
            "down_write 10-12:absent>mlocked 14-16:absent>mlocked "
            "up_write",
            0},
        Row{"Downgrade", kDowngrade, "10-12 14-16", 0, mlockall_of({.current = true}),
            "down_write downgrade_write 10-12:absent>mlocked up_read "
            "down_write downgrade_write 14-16:absent>mlocked up_read down_write up_write",
            0},
        // __mm_populate: one read hold over all VMAs
        Row{"DropAndRead", kDropAndRead, "10-12 14-16", 0, mlockall_of({.current = true}),
            "down_write up_write down_read 10-12:absent>mlocked "
            "14-16:absent>mlocked up_read",
            0},
        // sys_munlockall: the same loop, one write hold
        Row{"Munlockall", kWriteHeld, "10-12L 14-16L", 0, kMunlockall,
            "down_write 10-12:mlocked>resident 14-16:mlocked>resident up_write", 0}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Munlock, SyscallSequence,
    testing::Values(
        // mlock_fixup: the patch's open question
        Row{"WriteHeld", kWriteHeld, "10-30L", 0, munlock_of(10, 20), "down_write 10-30:mlocked>resident up_write", 0},
        Row{"NotLocked", kWriteHeld, "10-30", 0, munlock_of(10, 20), "down_write up_write", 0},
        Row{"InAHole", kWriteHeld, "10-30L", 0, munlock_of(30, 5), "down_write up_write", -ENOMEM},
        // what-ifs
        Row{"Downgrade", kDowngrade, "10-30L", 0, munlock_of(10, 20),
            "down_write downgrade_write 10-30:mlocked>resident up_read down_write up_write", 0},
        Row{"DropAndRead", kDropAndRead, "10-30L", 0, munlock_of(10, 20),
            "down_write up_write down_read 10-30:mlocked>resident up_read", 0},
        Row{"Chunks", kChunksOf8, "10-30L", 0, munlock_of(10, 20),
            "down_write 10-18:mlocked>resident up_write down_write 18-26:mlocked>resident up_write "
            "down_write 26-30:mlocked>resident up_write",
            0}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Map, SyscallSequence,
    testing::Values(
        // do_munmap: munlock_vma_pages_all, then unmap_region
        Row{"Munmap", kWriteHeld, "10-30L", 0, munmap_of(10, 20),
            "down_write 10-30:mlocked>resident 10-30:resident>absent up_write", 0},
        Row{"MunmapOfNothing", kWriteHeld, "10-30", 0, munmap_of(40, 5), "down_write up_write", 0},
        // __do_munmap of 4.20: downgraded for unmap_region, not for munlock
        Row{"MunmapDowngrade", kDowngrade, "10-30L", 0, munmap_of(10, 20),
            "down_write 10-30:mlocked>resident downgrade_write 10-30:resident>absent up_read", 0},
        // zap_pte_range of 5.18: page_remove_rmap munlocks by the way
        Row{"MunmapInZap", kMunlockInZap, "10-30L", 0, munmap_of(10, 20),
            "down_write downgrade_write 10-30:mlocked>absent up_read", 0},
        // mmap_region
        Row{"Mmap", kDowngrade, "10-30", 0, mmap_of(40, 4, false), "down_write up_write", 0},
        // mmap_region: mlock_vma_pages_range
        Row{"MapLocked", kWriteHeld, "10-30", 0, mmap_of(40, 4, true), "down_write 40-44:absent>mlocked up_write", 0},
        Row{"MapLockedDowngrade", kDowngrade, "10-30", 0, mmap_of(40, 4, true),
            "down_write downgrade_write 40-44:absent>mlocked up_read down_write up_write", 0},
        // vm_mmap_pgoff since 3.9: mm_populate
        Row{"MapLockedDropAndRead", kDropAndRead, "10-30", 0, mmap_of(40, 4, true),
            "down_write up_write down_read 40-44:absent>mlocked up_read", 0},
        Row{"MmapInFuture", kDowngrade, "10-30", 0, in_future(mmap_of(40, 4, false)),
            "down_write downgrade_write 40-44:absent>mlocked up_read down_write up_write", 0},
        // do_mmap_pgoff: the limit
        Row{"MapLockedBeyondTheLimit", kDowngrade, "10-30", 0, with_limit(3, mmap_of(40, 4, true)),
            "down_write up_write", -EAGAIN},
        // do_mmap_pgoff until 3.8: make_pages_present before up_write; mm_populate since
        Row{"MapPopulate", kWriteHeld, "10-30", 0, mmap_with(40, 4, {.populate = true}),
            "down_write 40-44:absent>resident up_write", 0},
        Row{"MapPopulateDropAndRead", kDropAndRead, "10-30", 0, mmap_with(40, 4, {.populate = true}),
            "down_write up_write down_read 40-44:absent>resident up_read", 0},
        // mmap_region unmaps what is there, without giving write mode up
        Row{"MapFixed", kDowngrade, "10-30", 10, mmap_with(12, 4, {.fixed = true}),
            "down_write 12-16:resident>absent up_write", 0},
        // do_munmap: nobody to unmap, nothing to downgrade for
        Row{"MunmapOfAHole", kDowngrade, "10-30", 0, munmap_of(40, 4), "down_write up_write", 0},
        // sys_brk, do_brk
        Row{"Brk", kDowngrade, "10-30", 0, kBrk, "down_write up_write", 0},
        Row{"BrkInFuture", kWriteHeld, "10-30", 0, in_future(kBrk),
            "down_write 8589934592-8589934596:absent>mlocked up_write", 0},
        Row{"BrkInFutureDowngrade", kDowngrade, "10-30", 0, in_future(kBrk),
            "down_write downgrade_write 8589934592-8589934596:absent>mlocked up_read down_write up_write", 0},
        // sys_remap_file_pages: looks under read, maps anew under write
        Row{"RemapFilePages", kDowngrade, "10-30L", 0, kRemap,
            "down_read up_read down_write 10-30:mlocked>resident 10-30:resident>absent downgrade_write " + kPopulate20 +
                " up_read down_write up_write",
            0},
        // exit_mm, then exit_mmap without a lock
        Row{"Exit", kWriteHeld, "10-30L", 0, kExit, "down_read up_read 10-30:mlocked>resident 10-30:resident>absent",
            0},
        Row{"ExitInZap", kMunlockInZap, "10-30L", 0, kExit, "down_read up_read 10-30:mlocked>absent", 0}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Others, SyscallSequence,
    testing::Values(
        // do_page_fault
        Row{"Fault", kDowngrade, "10-30", 0, fault_at(12), "down_read 12-13:absent>resident up_read", 0},
        Row{"FaultOnWhatIsThere", kDowngrade, "10-30", 20, fault_at(12), "down_read up_read", 0},
        Row{"FaultInALockedVma", kDowngrade, "10-30L 30-40", 0, fault_at(32), "down_read 32-33:absent>resident up_read",
            0},
        Row{"FaultOutside", kDowngrade, "10-30", 0, fault_at(50), "down_read up_read", -EFAULT},
        // expand_stack, under the faulter's read hold
        Row{"Stack", kDowngrade, "10-12S", 0, fault_at(8), "down_read 8-9:absent>resident up_read", 0},
        Row{"LockedStack", kDowngrade, "10-12SL", 0, fault_at(8), "down_read 8-10:absent>mlocked up_read", 0},
        // do_madvise: madvise_dontneed
        Row{"MadviseDontneed", kDowngrade, "10-30", 5, madvise_of(Advice::dontneed),
            "down_read 10-15:resident>absent up_read", 0},
        Row{"MadviseDontneedOfLocked", kDowngrade, "10-30L", 0, madvise_of(Advice::dontneed), "down_read up_read",
            -EINVAL},
        // try_vma_read_lock of 6.17: within one VMA, and else
        Row{"MadviseDontneedUnderTheVmasLock", kZapUnderVmaLock, "10-30", 5, madvise_of(Advice::dontneed),
            "10-15:resident>absent", 0},
        Row{"MadviseDontneedOfTwoVmas", kZapUnderVmaLock, "10-20 20-30R", 5, madvise_of(Advice::dontneed),
            "down_read 10-15:resident>absent up_read", 0},
        // madvise_need_mmap_write
        Row{"MadviseNormal", kDowngrade, "10-30", 0, madvise_of(Advice::normal), "down_write up_write", 0},
        Row{"MadviseRandom", kDowngrade, "10-30", 0, madvise_of(Advice::random), "down_write up_write", 0},
        Row{"MadviseSequential", kDowngrade, "10-30", 0, madvise_of(Advice::sequential), "down_write up_write", 0},
        Row{"MadviseDontfork", kDowngrade, "10-30", 0, madvise_of(Advice::dontfork), "down_write up_write", 0},
        Row{"MadviseDofork", kZapUnderVmaLock, "10-30", 0, madvise_of(Advice::dofork), "down_write up_write", 0},
        // madvise_willneed: vfs_fadvise with mmap_sem given up
        Row{"MadviseWillneed", kDowngrade, "10-30", 0, of_a_file(madvise_of(Advice::willneed)),
            "down_read up_read down_read up_read 10-30:absent>cached", 0},
        // madvise_populate: faultin_vma_page_range
        Row{"MadvisePopulate", kDowngrade, "10-30", 5, madvise_of(Advice::populate_write),
            "down_read 15-26:absent>resident 26-30:absent>resident up_read", 0},
        // sys_mincore: one hold for each VMA's part
        Row{"Mincore", kDowngrade, "10-20 20-30R", 5, kMincore, "down_read up_read down_read up_read", 0},
        Row{"MincoreUpToAHole", kDowngrade, "10-20", 5, kMincore, "down_read up_read down_read up_read", -ENOMEM},
        // sys_msync: get_file, mmap_sem given up, vfs_fsync_range, for each shared VMA
        Row{"Msync", kDowngrade, "10-20M 20-30MR", 0, kMsync, "down_read up_read down_read up_read", 0},
        Row{"MsyncOfAnonymousMemory", kDowngrade, "10-20 20-30R", 0, kMsync, "down_read up_read", 0},
        // madvise_remove: vfs_fallocate with mmap_sem given up
        Row{"MadviseRemove", kDowngrade, "10-30M", 0, of_shmem(madvise_of(Advice::remove)),
            "down_read up_read down_read up_read", 0},
        // do_get_mempolicy: lookup_node
        Row{"GetMempolicy", kDowngrade, "10-30", 0, get_mempolicy_of(MempolicyFlags::addr), "down_read up_read", 0},
        Row{"GetMempolicyForTheNode", kDowngrade, "10-30", 0, get_mempolicy_of(MempolicyFlags::addr_and_node),
            "down_read 12-13:absent>resident up_read", 0},
        // sys_mprotect
        Row{"Mprotect", kDowngrade, "10-30", 5,
            [](Task& task, Mm& mm) { return sys_mprotect(task, mm, PageIndex(10), PageCount(20), true); },
            "down_write up_write", 0},
        // dup_mmap
        Row{"Fork", kDowngrade, "10-30", 20, kFork, "down_write up_write", 0},
        // access_process_vm
        Row{"AccessProcessVm", kDowngrade, "10-30", 1,
            [](Task& task, Mm& mm) {
              return static_cast<int>(access_process_vm(task, mm, PageIndex(10), PageCount(3)).count());
            },
            "down_read 11-12:absent>resident 12-13:absent>resident up_read", 3},
        // proc_pid_cmdline; m_start and m_stop around each buffer of maps
        Row{"ProcCmdline", kDowngrade, "10-30", 0,
            [](Task& task, Mm& mm) {
              proc_pid_cmdline(task, mm);
              return 0;
            },
            "down_read up_read", 0},
        Row{"ProcMaps", kDowngrade, "10-12 14-16", 0,
            [](Task& task, Mm& mm) {
              proc_pid_maps(task, mm);
              return 0;
            },
            "down_read up_read", 0}),
    [](const auto& each) { return each.param.name; });

TEST_P(SyscallSequence, IsTheKernels) {
  check_in_child([&] {
    const Row& row = GetParam();
    SmallMachineSpec spec;
    row.policy(spec.policy);
    spec.memory.device.read = sim::Constant{sim::Nanoseconds{100'000}};
    SmallMachine world(spec);
    tests::make_map(world, row.map);
    if (row.resident > 0) tests::make_resident(world, 10, 10 + row.resident);
    std::string sequence;
    write_down(world, sequence);
    world.add([&](Task& task) { EXPECT_EQ(row.call(task, world.mm), row.result); });
    world.run();
    EXPECT_EQ(sequence, row.sequence);
    EXPECT_EQ(world.mm.locked_vm, tests::locked_pages_of(world.mm));
  });
}

}  // namespace
}  // namespace models::syscall_sequence_test
