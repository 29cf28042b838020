// Readers of /proc/PID: what ps, pmap and monitoring agents do to, and suffer from, the process they look at.
//
// Kernel. fs/proc of 2.6.28. cmdline: proc_pid_cmdline -> access_process_vm: mmap_sem of the *target* for read,
// get_user_pages on its stack, copy, up_read. maps and smaps (task_mmu.c, seq_file.c): each read() takes mmap_sem for
// read, finds where it was by address (m_start), formats records (show_map; show_smap, with a walk over the VMA's page
// tables) until its buffer of one page is full, and gives mmap_sem up (m_stop). Everything else (open, look-up, copy,
// close) is outside it.
// Simplified. One page of arguments. The process cannot exit between two read()s. Records of one file have one length.
// A page table exists where a page is present. Since 6.17 maps walks under per-VMA locks [m]: no policy has that.
// Validated by tests/procfs_test.cpp.
#pragma once

namespace models {

class Mm;
class Task;

/// Opens, reads and closes /proc/PID/cmdline of the process that owns `target`.
void proc_pid_cmdline(Task& current, Mm& target);

/// The same for /proc/PID/maps: one hold for each kMapsPerBuffer VMAs.
void proc_pid_maps(Task& current, Mm& target);
/// The same for /proc/PID/smaps: one hold for each kSmapsPerBuffer VMAs.
void proc_pid_smaps(Task& current, Mm& target);

/// Records that fit into seq_file's buffer of 4,096 bytes: 50 to 80 lines of maps, 5 or 6 records of smaps.
inline constexpr int kMapsPerBuffer = 60;
inline constexpr int kSmapsPerBuffer = 5;

}  // namespace models
