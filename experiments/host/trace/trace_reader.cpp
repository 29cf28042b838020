#include "experiments/host/trace/trace_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/host/trace/event_fields.h"
#include "experiments/host/trace/text_scan.h"

namespace experiments {

namespace {

using Kind = TraceEvent::Kind;

constexpr const char* kLineExpected =
    "a line of perf script, ftrace or trace-cmd report, such as "
    "`locker-85 [001] d..2. 2.508873: mmap_lock_released: mm=ffff8d5841852d00 memcg_path=/ write=false`";

/// `[LOST 34 EVENTS]` of ftrace, `[34 EVENTS DROPPED]` of trace-cmd, `PERF_RECORD_LOST lost 34` of perf.
std::optional<TraceEvent> lost_events(std::string_view text) {
  const bool lost = text.find("EVENTS") != std::string_view::npos && text.starts_with("CPU:");
  if (!lost && text.find("PERF_RECORD_LOST") == std::string_view::npos) return std::nullopt;
  TraceEvent event;
  event.kind = Kind::lost;
  for (const std::string_view behind : {"[LOST ", "lost ", "["}) {
    const std::size_t at = text.rfind(behind);
    if (at == std::string_view::npos) continue;
    event.lost = number_at(text.substr(at + behind.size()), 10).value_or(0);
    break;
  }
  return event;
}

/// `        ffffffff8124 do_fault+0x1 ([kernel.kallsyms])`, below an event of perf.
bool is_of_a_stack(std::string_view text) {
  if (text.empty() || (text.front() != ' ' && text.front() != '\t')) return false;
  const std::string_view word = first_word(text);
  constexpr std::size_t kShortestAddress = 6;
  return word.size() >= kShortestAddress && word.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string shown(without_leading_blanks(text.substr(0, kMost)));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
  return text.size() > kMost ? shown + "..." : shown;
}

}  // namespace

std::uint64_t TraceContents::all() const { return std::accumulate(events.begin(), events.end(), std::uint64_t{0}); }

std::optional<TraceEvent> TraceReader::next() {
  while (const auto text = input_.next()) {
    if (const auto event = event_of(*text)) return event;
  }
  if (contents_.all() == 0) {
    throw InputError({{input_.path(), 0, 0, "", fmt::format("expected a trace, found nothing: {}", kLineExpected)}});
  }
  return std::nullopt;
}

std::optional<TraceEvent> TraceReader::event_of(std::string_view text) {
  if (auto event = lost_events(text)) {
    contents_.lost += event->lost;
    contents_.lost_any = true;
    event->time = contents_.last;
    return event;
  }
  const auto line = parse_trace_line(text);
  if (!line || !input_.is_whole()) {
    if (input_.is_whole() && is_no_event(text)) return std::nullopt;
    refuse(text, kLineExpected);
  }
  std::string expected;
  auto event = read_event_of(*line, expected);
  if (!event) refuse(line->arguments, fmt::format("{} behind {}", expected, line->event));
  note(*event, *line);
  return event;
}

bool TraceReader::is_no_event(std::string_view text) {
  if (without_leading_blanks(text).empty() || text.starts_with('#')) return true;
  const bool begun = contents_.all() > 0;
  if (!begun && (text.starts_with("cpus=") || text.starts_with("version = ") || text.starts_with("trace-cmd"))) {
    return of_trace_cmd_ = true;
  }
  if (text.starts_with("CPU ") && text.find("is empty") != std::string_view::npos) return true;
  return begun && is_of_a_stack(text);
}

void TraceReader::note(TraceEvent& event, const TraceLine& line) {
  if (contents_.all() == 0) {
    contents_.form = of_trace_cmd_ ? "trace-cmd report" : line.form == TraceForm::ftrace ? "ftrace" : "perf script";
    contents_.first = contents_.last = event.time;
  }
  if (event.time + kClockSkew < contents_.last) {
    throw InputError(
        {{input_.path(), input_.line(), 1, "",
          fmt::format("expected lines in the order of time, found one {} before its predecessors: sort them by time, "
                      "or record with one clock for all CPUs",
                      human(contents_.last - event.time))}});
  }
  event.time = contents_.last = std::max(contents_.last, event.time);
  contents_.cpus = std::max(contents_.cpus, line.cpu + 1);
  contents_.decimals = std::max(contents_.decimals, line.decimals);
  ++contents_.events[static_cast<std::size_t>(event.kind)];
  if (event.kind == Kind::acquire_returned && !event.success) ++contents_.failed_tries;
}

void TraceReader::refuse(std::string_view text, const std::string& expected) const {
  const char* const cut = input_.is_whole() ? "" : "; the trace ends in the middle of a line: was it cut?";
  throw InputError({{input_.path(), input_.line(), 1, "",
                     fmt::format("expected {}, found '{}'{}", expected, shortened(text), cut)}});
}

}  // namespace experiments
