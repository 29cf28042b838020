// Readers of /proc/PID: what ps, pmap and monitoring agents do to, and suffer from, the process they look at.
//
// Kernel. cmdline: proc_pid_cmdline -> access_process_vm: mmap_sem of the *target* for read, get_user_pages on its
// stack, copy, up_read. maps, smaps and numa_maps (fs/proc/task_mmu.c, fs/seq_file.c of 2.6.28 to 6.16): each read()
// takes mmap_sem for read, finds where it was by address (m_start), formats one record after another into a buffer of
// one page until one does not fit, which it has then formatted in vain, gives mmap_sem up (m_stop) and copies. smaps
// and numa_maps walk the page tables of each VMA for its record. smaps_rollup (4.14): the walk of all VMAs in one hold;
// since 5.11 [m] it gives mmap_sem up after a VMA if somebody waits, and goes on from there.
// clear_refs is written to (clear_refs_write): the accessed bits of all pages that are there, in one hold of mmap_sem,
// for read and since 5.11 for write (commit 29a951dfb3c3; policy `proc: {clear_refs: write}`), with the VMAs' locks
// where there are such (PGWALK_WRLOCK). pagemap (pagemap_read): the entries of the pages of a VMA, 2 MiB of it in a
// hold for read (PAGEMAP_WALK_SIZE), one VMA a pread(). With ProcLock::per_vma (maps in 6.17; smaps, numa_maps and
// smaps_rollup in patches of 2026) mmap_sem is not taken: each VMA is found under RCU and its own lock is held while
// its record is made (lock_next_vma, mm/mmap_lock.c), by way of a moment of mmap_sem where somebody is changing that
// VMA. With ProcLock::rcu (maps in a series of April 2025 that was not merged) a VMA is copied under RCU and the copy
// is good if nobody has changed the map since m_start; otherwise mmap_sem is taken for read for a moment, which waits
// for the writer, and the copy made again. Simplified. One page of arguments. Reclaim does not know of the accessed
// bits that clear_refs clears; hugetlb and I/O are passed over by it. A reader of pagemap finds the VMAs as it goes,
// instead of from maps. The process cannot exit between two read()s. Records of one kind of VMA have one length. A page
// table exists where a page is present. Finding a VMA and locking it is one moment, so that the map never changes in
// between. The locks of VMAs cost nothing of their own; rcu_read_lock keeps nobody on a CPU (CONFIG_PREEMPT_RCU, or no
// preemption of the kernel at all, which comes to the same). Validated by tests/models/proc/procfs_test.cpp.
#pragma once

#include <cstdint>

namespace models {

class Mm;
class Task;

// Each opens, reads and closes the file of the process that owns `target`.
void proc_pid_cmdline(Task& current, Mm& target);
void proc_pid_maps(Task& current, Mm& target);
void proc_pid_smaps(Task& current, Mm& target);
void proc_pid_numa_maps(Task& current, Mm& target);
void proc_pid_smaps_rollup(Task& current, Mm& target);
void proc_pid_pagemap(Task& current, Mm& target);
/// Opens, writes and closes it.
void proc_pid_clear_refs(Task& current, Mm& target);

/// seq_file's buffer: one page. A record fits while there is a byte to spare (seq_has_overflowed).
inline constexpr std::int64_t kSeqBufferBytes = 4096;
/// A line of maps without a name: show_vma_header_prefix with addresses of 12 digits, and the line's end.
inline constexpr std::int64_t kMapsBytes = 49;
/// The same of a file: padded to 73 columns (show_map_vma), and a path; its length is a guess.
inline constexpr std::int64_t kMapsOfFileBytes = 73 + 40;
/// A record of smaps: about 700 bytes, 5 of them in a buffer [6.1].
inline constexpr std::int64_t kSmapsBytes = 700;
/// A line of numa_maps: address, policy, some counts (show_numa_map): a guess.
inline constexpr std::int64_t kNumaMapsBytes = 70;

}  // namespace models
