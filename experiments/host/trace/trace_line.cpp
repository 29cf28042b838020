#include "experiments/host/trace/trace_line.h"

#include <array>

#include "experiments/host/trace/text_scan.h"

namespace experiments {

namespace {

/// What stands before the CPU or the time: the name and the number of the task.
struct TaskWords {
  TraceForm form;
  std::string_view comm;
  int tid;
};

/// `(     85)` or `(-------)`, the number of the group, is left out.
std::string_view without_group(std::string_view text) {
  if (!text.ends_with(')')) return text;
  const std::size_t open = text.rfind('(');
  return open == std::string_view::npos ? text : without_trailing_blanks(text.substr(0, open));
}

/// `  locker-85`, `  locker  2927` or `  locker  2927/2930`.
std::optional<TaskWords> task_words(std::string_view text) {
  text = without_group(without_trailing_blanks(text));
  const std::size_t before = text.find_last_not_of("0123456789");
  if (before == std::string_view::npos || before + 1 == text.size()) return std::nullopt;
  const auto tid = number_at(text.substr(before + 1), 10);
  constexpr std::uint64_t kMostThreadsEver = 1U << 30U;
  if (!tid || *tid > kMostThreadsEver) return std::nullopt;
  std::string_view comm = text.substr(0, before);
  const char separator = text[before];
  if (separator == '/') {
    const std::size_t process = comm.find_last_not_of("0123456789");
    if (process == std::string_view::npos || comm[process] != ' ') return std::nullopt;
    comm = comm.substr(0, process);
  } else if (separator != '-' && separator != ' ') {
    return std::nullopt;
  }
  return TaskWords{separator == '-' ? TraceForm::ftrace : TraceForm::perf_script,
                   without_leading_blanks(without_trailing_blanks(comm)), static_cast<int>(*tid)};
}

/// `2643.249616217:` and what follows.
struct TimeWord {
  sim::Nanoseconds time{};
  int decimals = 0;
  std::string_view rest;
};

std::optional<TimeWord> time_word(std::string_view text) {
  constexpr std::array<std::int64_t, 10> kNanoseconds{1'000'000'000, 100'000'000, 10'000'000, 1'000'000, 100'000,
                                                      10'000,        1'000,       100,        10,        1};
  constexpr std::size_t kMostDigits = 9;  // of seconds: more than thirty years
  std::size_t at = 0;
  std::int64_t seconds = 0;
  while (at < text.size() && is_digit(text[at]) && at <= kMostDigits) seconds = seconds * 10 + (text[at++] - '0');
  if (at == 0 || at > kMostDigits || at == text.size() || text[at] != '.') return std::nullopt;
  const std::size_t point = at++;
  std::int64_t fraction = 0;
  while (at < text.size() && is_digit(text[at]) && at - point <= kMostDigits)
    fraction = fraction * 10 + (text[at++] - '0');
  const std::size_t decimals = at - point - 1;
  if (decimals == 0 || at == text.size() || text[at] != ':') return std::nullopt;
  return TimeWord{sim::Nanoseconds{seconds * kNanoseconds.front() + fraction * kNanoseconds[decimals]},
                  static_cast<int>(decimals), text.substr(at + 1)};
}

/// Sets the event and its arguments. False where there is none.
bool read_event(std::string_view text, TraceLine& line) {
  text = without_leading_blanks(text);
  if (!text.empty() && is_digit(text.front())) {  // the period, where perf prints it
    const std::string_view period = first_word(text);
    if (period.find_first_not_of("0123456789") == std::string_view::npos)
      text = without_leading_blanks(text.substr(period.size()));
  }
  const std::string_view word = first_word(text);
  if (word.empty()) return false;
  std::size_t length = word.find('(');  // sys_mmap(addr: ...
  if (length == std::string_view::npos) length = word.ends_with(':') ? word.size() - 1 : word.size();
  line.event = text.substr(0, length);
  line.arguments = without_leading_blanks(text.substr(length + (length < text.size() && text[length] == ':' ? 1 : 0)));
  if (const std::size_t subsystem = line.event.rfind(':'); subsystem != std::string_view::npos) {
    line.event.remove_prefix(subsystem + 1);
  }
  return !line.event.empty();
}

std::optional<TraceLine> put_together(std::string_view task, int cpu, std::string_view behind) {
  const auto who = task_words(task);
  if (!who) return std::nullopt;
  behind = without_leading_blanks(behind);
  if (!behind.empty() && !is_digit(behind.front())) {  // `d..2.`
    behind = without_leading_blanks(behind.substr(first_word(behind).size()));
  }
  const auto when = time_word(behind);
  if (!when) return std::nullopt;
  TraceLine line{who->form, who->comm, who->tid, cpu, when->time, when->decimals, {}, {}};
  return read_event(when->rest, line) ? std::optional(line) : std::nullopt;
}

/// Where the CPU is not told: the time is the first word that is one.
std::optional<TraceLine> parse_without_cpu(std::string_view text) {
  for (std::size_t colon = text.find(": "); colon != std::string_view::npos; colon = text.find(": ", colon + 1)) {
    const std::size_t blank = text.rfind(' ', colon);
    if (blank == std::string_view::npos || !time_word(text.substr(blank + 1))) continue;
    return put_together(text.substr(0, blank), -1, text.substr(blank + 1));
  }
  return std::nullopt;
}

}  // namespace

std::optional<TraceLine> parse_trace_line(std::string_view text) {
  for (std::size_t open = text.find('['); open != std::string_view::npos; open = text.find('[', open + 1)) {
    std::size_t close = open + 1;
    constexpr std::size_t kMostDigits = 6;
    while (close < text.size() && is_digit(text[close]) && close - open <= kMostDigits) ++close;
    if (close == open + 1 || close == text.size() || text[close] != ']') continue;
    const auto cpu = static_cast<int>(number_at(text.substr(open + 1), 10).value_or(0));
    if (auto line = put_together(text.substr(0, open), cpu, text.substr(close + 1))) return line;
  }
  return parse_without_cpu(text);
}

}  // namespace experiments
