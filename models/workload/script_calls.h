// The calls of a locker's script by the names that results have for them, and the phase that each is.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "models/measure/phase.h"
#include "models/spec/threads.h"

namespace models {

struct ScriptCallRow {
  ScriptStep::Call call;
  std::string_view name;
  Phase phase;  ///< of the whole call
};

/// Each call, in the order of the enum.
inline constexpr auto kScriptCalls = std::to_array<ScriptCallRow>({
    {ScriptStep::Call::mlock, "mlock", Phase::mlock},
    {ScriptStep::Call::mlock_onfault, "mlock_onfault", Phase::mlock},
    {ScriptStep::Call::munlock, "munlock", Phase::munlock},
    {ScriptStep::Call::munmap, "munmap", Phase::munmap},
    {ScriptStep::Call::hold, "hold", Phase::idle},
    {ScriptStep::Call::mlockall, "mlockall", Phase::mlock},
    {ScriptStep::Call::mlockall_onfault, "mlockall_onfault", Phase::mlock},
    {ScriptStep::Call::mlockall_future, "mlockall_future", Phase::mlock},
    {ScriptStep::Call::munlockall, "munlockall", Phase::munlock},
    {ScriptStep::Call::mmap_locked, "mmap_locked", Phase::mmap},
    {ScriptStep::Call::brk, "brk", Phase::brk},
    {ScriptStep::Call::brk_shrink, "brk_shrink", Phase::brk},
    {ScriptStep::Call::stack, "stack", Phase::stack},
    {ScriptStep::Call::remap_file_pages, "remap_file_pages", Phase::remap_file_pages},
    {ScriptStep::Call::msync, "msync", Phase::msync},
    {ScriptStep::Call::mremap, "mremap", Phase::mremap},
    {ScriptStep::Call::mremap_aligned, "mremap_aligned", Phase::mremap},
    {ScriptStep::Call::exit, "exit", Phase::exit},
});

constexpr const ScriptCallRow& script_call_row(ScriptStep::Call call) {
  return kScriptCalls[static_cast<std::size_t>(call)];
}

static_assert(std::all_of(kScriptCalls.begin(), kScriptCalls.end(),
                          [](const ScriptCallRow& row) { return &script_call_row(row.call) == &row; }),
              "the rows stand in the order of the enum");

constexpr std::string_view to_string(ScriptStep::Call call) { return script_call_row(call).name; }

}  // namespace models
