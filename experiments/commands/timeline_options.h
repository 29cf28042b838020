// What `run` and `import` are asked of a timeline for ui.perfetto.dev.
#pragma once

#include <optional>
#include <string_view>

#include "experiments/base/command_line.h"
#include "experiments/run/trace/trace_windows.h"
#include "models/spec/page.h"
#include "sim/time.h"

namespace experiments {

/// --trace FILE, --trace-window FROM..TO, --trace-limit SIZE.
void add_timeline_options(CommandLine& line);

/// Before any work is done. Throws UsageError.
void check_timeline_options(const CommandLine& line);

[[nodiscard]] models::Bytes timeline_limit(const CommandLine& line);
/// The whole, unless a part is asked for.
[[nodiscard]] TimeWindow timeline_window(const CommandLine& line);

/// Warns that the timeline, of something that took `whole`, ends at `from`, if it does; `parts`: options that show a
/// part of it.
void tell_left_out(std::optional<sim::Time> from, sim::Nanoseconds whole, std::string_view parts);

/// Warns that --trace-window begins when what took `whole` has ended.
void warn_of_empty_window(const CommandLine& line, sim::Nanoseconds whole);

}  // namespace experiments
