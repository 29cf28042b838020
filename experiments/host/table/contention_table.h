// What `perf lock contention` prints.
//
//    contended   total wait     max wait     avg wait         type   caller
//
//           19    532.71 ms     84.33 ms     28.04 ms      rwsem:W   __x64_sys_munmap+0x17
//                         0xffffffff8162bdf7  __vm_munmap+0xa7            with -v: the stack
//
// -F chooses columns, and their order; -t has `pid` and `comm` in place of the last two, -l `address` and `symbol`, and
// behind it the type in brackets. -x SEPARATOR: a line `# output: contended, total wait, ...`, and times in ns.
#pragma once

#include <string_view>

#include "experiments/host/table/attached_table.h"
#include "experiments/host/table/table_text.h"

namespace experiments {

/// Whether it is the line of headings.
[[nodiscard]] bool begins_contention_table(std::string_view line);

/// Precondition: some line begins one. Throws InputError for a row that is broken, columns that are not known, and a
/// table by owner or control group, which tells of nobody's waits for a lock of its own.
[[nodiscard]] LockTable parse_contention_table(const TableText& table);

}  // namespace experiments
