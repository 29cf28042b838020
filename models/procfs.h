// Readers of /proc/PID: what ps does to, and suffers from, the process it looks at.
//
// Kernel. fs/proc/base.c of 2.6.28: proc_pid_cmdline -> access_process_vm: mmap_sem of the *target* for read,
// get_user_pages on its stack, copy, up_read. Everything else (open, look-up, copy, close) is outside it.
// Simplified. One page of arguments. Validated by tests/procfs_test.cpp.
#pragma once

namespace models {

class Mm;
class Task;

/// Opens, reads and closes /proc/PID/cmdline of the process that owns `target`.
void proc_pid_cmdline(Task& current, Mm& target);

}  // namespace models
