// What klockstat of bcc's libbpf-tools prints: waits, then holds, of mutexes and semaphores.
//
//                                  Caller  Avg Wait    Count   Max Wait   Total Wait
//                      vm_mmap_pgoff+0x95    1.2 us     3071    12.4 ms      90.3 ms
//
//                                  Caller  Avg Hold    Count   Max Hold   Total Hold
//
// -P has `Tid  Comm` in place of the caller; with -s N the headings stand above each row, and below it its stack and
// whose wait was the longest. Every acquisition counts, also those that did not wait. Before bcc 0.26 times were
// numbers without a unit, in ns.
#pragma once

#include <string_view>

#include "experiments/host/table/attached_table.h"
#include "experiments/host/table/table_text.h"

namespace experiments {

/// Whether it is a line of headings, also of bcc's klockstat in Python.
[[nodiscard]] bool begins_klockstat_table(std::string_view line);

/// The last interval's. Precondition: some line begins one. Throws InputError for a row that is broken, and for what
/// the one in Python has printed: it traces mutexes only.
[[nodiscard]] LockTable parse_klockstat_table(const TableText& table);

}  // namespace experiments
