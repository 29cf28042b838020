#include "experiments/host/table/mmap_lock_caller.h"

#include <algorithm>
#include <array>

#include "experiments/host/trace/traced_call.h"

namespace experiments {

namespace {

using models::LockMode;
using models::Phase;
using AskedLock = MmapLockCaller::Lock;

struct KnownCaller {
  std::string_view function;
  Phase call;
  std::optional<LockMode> mode;
};

constexpr auto kRead = LockMode::read;
constexpr auto kWrite = LockMode::write;

constexpr auto kMmapLockCallers = std::to_array<KnownCaller>({
    {"vm_mmap_pgoff", Phase::mmap, kWrite},
    {"vm_mmap", Phase::mmap, kWrite},
    {"ksys_mmap_pgoff", Phase::mmap, kWrite},
    {"__vm_munmap", Phase::munmap, kWrite},
    {"vm_munmap", Phase::munmap, kWrite},
    {"vm_brk_flags", Phase::brk, kWrite},
    {"do_mprotect_pkey", Phase::mprotect, kWrite},
    {"do_mlock", Phase::mlock, kWrite},
    {"apply_mlockall_flags", Phase::mlock, kWrite},
    {"__mm_populate", Phase::mlock_populate, kRead},
    {"populate_vma_page_range", Phase::mlock_populate, kRead},
    {"mremap_to", Phase::mremap, kWrite},
    {"do_mremap", Phase::mremap, kWrite},
    {"do_madvise", Phase::madvise, std::nullopt},
    {"madvise_lock", Phase::madvise, std::nullopt},
    {"madvise_do_behavior", Phase::madvise, std::nullopt},
    {"vector_madvise", Phase::madvise, std::nullopt},
    {"do_mincore", Phase::mincore, kRead},
    {"kernel_get_mempolicy", Phase::mempolicy, kRead},
    {"do_get_mempolicy", Phase::mempolicy, kRead},
    {"do_mbind", Phase::mempolicy, kWrite},
    {"kernel_mbind", Phase::mempolicy, kWrite},
    {"do_migrate_pages", Phase::other, kRead},
    {"dup_mmap", Phase::fork, kWrite},
    {"dup_mm", Phase::fork, kWrite},
    {"copy_mm", Phase::fork, kWrite},
    {"copy_process", Phase::fork, kWrite},
    {"kernel_clone", Phase::fork, kWrite},
    {"exit_mm", Phase::exit, kRead},
    {"exit_mmap", Phase::exit, std::nullopt},
    {"__mmput", Phase::exit, std::nullopt},
    {"mmput", Phase::exit, std::nullopt},
    {"do_user_addr_fault", Phase::fault, kRead},
    {"do_page_fault", Phase::fault, kRead},
    {"__do_page_fault", Phase::fault, kRead},
    {"exc_page_fault", Phase::fault, kRead},
    {"lock_mm_and_find_vma", Phase::fault, kRead},
    {"fixup_user_fault", Phase::fault, kRead},
    {"expand_stack", Phase::stack, kWrite},
    {"mmap_read_lock_maybe_expand", Phase::stack, std::nullopt},
    {"m_start", Phase::proc_read, kRead},
    {"lock_vma_range", Phase::proc_read, kRead},
    {"query_vma_setup", Phase::proc_read, kRead},
    {"show_smaps_rollup", Phase::proc_read, kRead},
    {"proc_map_files_readdir", Phase::proc_read, kRead},
    {"proc_map_files_lookup", Phase::proc_read, kRead},
    {"map_files_get_link", Phase::proc_read, kRead},
    {"map_files_d_revalidate", Phase::proc_read, kRead},
    {"pagemap_read", Phase::proc_read, kRead},
    {"pagemap_scan_walk", Phase::proc_read, kRead},
    {"do_pagemap_scan", Phase::proc_read, kRead},
    {"clear_refs_write", Phase::proc_read, std::nullopt},
    {"get_mm_exe_file", Phase::proc_read, kRead},
    {"proc_pid_cmdline_read", Phase::proc_read, kRead},
    {"get_mm_cmdline", Phase::proc_read, kRead},
    {"environ_read", Phase::proc_read, kRead},
    {"__access_remote_vm", Phase::remote_read, kRead},
    {"access_remote_vm", Phase::remote_read, kRead},
    {"access_process_vm", Phase::remote_read, kRead},
    {"process_vm_rw_single_vec", Phase::remote_read, kRead},
    {"process_vm_rw_core", Phase::remote_read, kRead},
    {"__gup_longterm_locked", Phase::pin, kRead},
    {"__get_user_pages_locked", Phase::pin, kRead},
    {"internal_get_user_pages_fast", Phase::pin, kRead},
    {"gup_fast_fallback", Phase::pin, kRead},
    {"get_user_pages_unlocked", Phase::pin, kRead},
    {"get_user_pages_fast", Phase::pin, kRead},
    {"pin_user_pages_fast", Phase::pin, kRead},
    {"pin_user_pages_remote", Phase::pin, kRead},
    {"io_pin_pages", Phase::pin, kRead},
    {"khugepaged", Phase::khugepaged, std::nullopt},
    {"khugepaged_scan_mm_slot", Phase::khugepaged, std::nullopt},
    {"collapse_huge_page", Phase::khugepaged, std::nullopt},
    {"collapse_pte_mapped_thp", Phase::khugepaged, std::nullopt},
    {"task_numa_work", Phase::numa_balancing, kRead},
    {"walk_mm", Phase::aging, kRead},
    {"try_to_inc_max_seq", Phase::aging, kRead},
    {"setup_arg_pages", Phase::other, kWrite},
    {"exec_mmap", Phase::other, std::nullopt},
    {"begin_new_exec", Phase::other, std::nullopt},
    {"bprm_mm_init", Phase::other, kWrite},
    {"alloc_bprm", Phase::other, kWrite},
    {"copy_strings", Phase::other, kRead},
    {"get_arg_page", Phase::other, kRead},
    {"acct_collect", Phase::other, kRead},
    {"ksm_scan_thread", Phase::ksm, kRead},
    {"userfaultfd_register", Phase::userfault, kWrite},
    {"userfaultfd_unregister", Phase::userfault, kWrite},
    {"register_for_each_vma", Phase::userfault, kWrite},
    {"prctl_set_mm", Phase::other, std::nullopt},
    {"binder_alloc_new_buf", Phase::other, std::nullopt},
});

/// Entries from user space, and what a tool says where it knows nothing.
constexpr auto kTellNothing = std::to_array<std::string_view>(
    {"do_syscall_64", "x64_sys_call", "__x64_sys_read", "__x64_sys_write", "__x64_sys_ioctl", "invoke_syscall",
     "el0_svc_common", "do_el0_svc", "el0_svc", "el0t_64_sync_handler", "el0t_64_sync", "el0_da", "kthread",
     "ret_from_fork", "ret_from_fork_asm", "Unknown", "[unknown]", ""});
constexpr auto kTellNothingBefore = std::to_array<std::string_view>({"entry_SYSCALL", "asm_", "0x", "bpf_trampoline_"});

/// How functions begin that lock.
constexpr auto kLocking = std::to_array<std::string_view>(
    {"rwsem_", "__rwsem_", "down_read", "down_write", "__down_read", "__down_write", "mmap_read_lock",
     "mmap_write_lock", "call_rwsem_", "__traceiter_", "trace_contention_", "bpf_prog_", "schedule", "__schedule"});

constexpr auto kCallPrefixes = std::to_array<std::string_view>(
    {"__x64_sys_", "__do_sys_", "__se_sys_", "__arm64_sys_", "__ia32_sys_", "ksys_", "SyS_", "sys_"});

template <class Prefixes>
bool begins_with_any(std::string_view text, const Prefixes& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

/// Without its offset, and what the compiler has put behind its name (`.isra.0`).
std::string_view bare_function(std::string_view function) {
  function = function.substr(0, function.find('+'));
  const std::size_t dot = function.find('.');
  return dot == 0 ? function : function.substr(0, dot);
}

std::optional<LockMode> mode_of_call(Phase call) {
  switch (call) {
    case Phase::msync:
    case Phase::mincore:
    case Phase::remote_read:
      return kRead;
    case Phase::mmap:
    case Phase::munmap:
    case Phase::brk:
    case Phase::mprotect:
    case Phase::mlock:
    case Phase::munlock:
    case Phase::mremap:
    case Phase::remap_file_pages:
    case Phase::fork:
      return kWrite;
    default:
      return std::nullopt;
  }
}

}  // namespace

MmapLockCaller mmap_lock_caller(std::string_view function) {
  const std::string_view name = bare_function(function);
  const auto* const known = std::find_if(kMmapLockCallers.begin(), kMmapLockCallers.end(),
                                         [&](const KnownCaller& each) { return each.function == name; });
  if (known != kMmapLockCallers.end()) return {AskedLock::mmap_lock, models::call_of(known->call), known->mode};
  for (const std::string_view prefix : kCallPrefixes) {
    if (!name.starts_with(prefix)) continue;
    const Phase call = phase_of_call(name.substr(prefix.size()));
    if (call == Phase::other || call == Phase::proc_read) break;  // they take other semaphores as well
    return {AskedLock::mmap_lock, call, mode_of_call(call)};
  }
  const bool tells_nothing = std::find(kTellNothing.begin(), kTellNothing.end(), name) != kTellNothing.end() ||
                             begins_with_any(name, kTellNothingBefore) || begins_with_any(name, kLocking);
  return {tells_nothing ? AskedLock::untold : AskedLock::another};
}

MmapLockCaller mmap_lock_caller(const LockRow& row) {
  for (const std::string& frame : row.frames) {
    if (!begins_with_any(frame, kLocking)) return mmap_lock_caller(frame);
  }
  return mmap_lock_caller(row.who);
}

std::optional<LockMode> mode_of_type(std::string_view type) {
  if (type == "rwsem:R") return kRead;
  return type == "rwsem:W" ? std::optional(kWrite) : std::nullopt;
}

bool may_be_mmap_lock(std::string_view type) { return type.empty() || type.starts_with("rwsem"); }

}  // namespace experiments
