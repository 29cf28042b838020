#include "experiments/commands/timeline_options.h"

#include <fmt/format.h>

#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"

namespace experiments {

void add_timeline_options(CommandLine& line) {
  line.text("trace", "FILE", "write a timeline for ui.perfetto.dev");
  line.text("trace-window", "FROM..TO", "only what overlaps that time, such as 1.2s..1.3s");
  line.text("trace-limit", "SIZE", "end the timeline when its file is that large: 100MiB by default");
}

void check_timeline_options(const CommandLine& line) {
  const auto file = line.find("trace");
  (void)timeline_limit(line);
  (void)timeline_window(line);
  for (const char* const option : {"trace-window", "trace-limit"}) {
    if (line.has(option) && !file) throw UsageError(fmt::format("--{} needs --trace FILE", option));
  }
  if (file && file == line.find("json")) throw UsageError("--trace and --json: expected two files");
}

models::Bytes timeline_limit(const CommandLine& line) {
  const auto limit = parse_size(line.find("trace-limit").value_or("100MiB"));
  if (!limit) throw UsageError("--trace-limit: " + limit.message());
  return *limit;
}

TimeWindow timeline_window(const CommandLine& line) {
  const auto text = line.find("trace-window");
  if (!text) return kWholeRun;
  const auto window = parse_window(*text);
  if (!window) throw UsageError("--trace-window: " + window.message());
  return *window;
}

void tell_left_out(std::optional<sim::Time> from, sim::Nanoseconds whole, std::string_view parts) {
  if (!from) return;
  tell(fmt::format(
      "warning: the timeline has reached its limit and ends at {} of {}: --trace-limit SIZE allows more, {} a part\n",
      human(from->time_since_epoch()), human(whole), parts));
}

void warn_of_empty_window(const CommandLine& line, sim::Nanoseconds whole) {
  const auto window = line.find("trace-window");
  if (!window || timeline_window(line).from < sim::Time{whole}) return;
  tell(fmt::format("warning: --trace-window {}: nothing is in the timeline, as all ends at {}\n", *window,
                   human(whole)));
}

}  // namespace experiments
