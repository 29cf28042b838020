#include "experiments/host/table/klockstat_table.h"

#include <algorithm>

namespace experiments {

namespace {

bool line_has(std::string_view line, std::string_view text) { return line.find(text) != std::string_view::npos; }

/// `1.2 us` or, of older ones, `1234` at the end of the words; takes it off.
std::optional<sim::Nanoseconds> take_time(std::vector<std::string_view>& words) {
  if (words.empty()) return std::nullopt;
  const std::string_view last = words.back();
  words.pop_back();
  if (is_digit(last.front())) return time_in_table(last, "ns");
  if (words.empty()) return std::nullopt;
  const std::string_view number = words.back();
  words.pop_back();
  return time_in_table(number, last);
}

/// From its end: names may have blanks.
std::optional<LockRow> klockstat_row(std::string_view line, bool by_task) {
  std::vector<std::string_view> words = words_in_line(line);
  LockRow row;
  row.total = take_time(words);
  row.longest = row.total ? take_time(words) : std::nullopt;
  if (!row.longest || words.empty()) return std::nullopt;
  row.count = whole_number(words.back());
  words.pop_back();
  row.mean = row.count ? take_time(words) : std::nullopt;
  if (!row.mean || words.size() < (by_task ? 2U : 1U)) return std::nullopt;
  for (std::size_t word = by_task ? 1 : 0; word < words.size(); ++word) {
    row.who += (row.who.empty() ? "" : " ") + without_control_characters(words[word]);
  }
  return row;
}

/// Of -T.
bool is_time_of_day(std::string_view line) {
  return line.size() == 8 && line[2] == ':' && line[5] == ':' && is_digit(line.front()) && is_digit(line.back());
}

}  // namespace

bool begins_klockstat_table(std::string_view line) {
  return (line_has(line, "Caller") || line_has(line, "Comm")) && line_has(line, "Count") &&
         (line_has(line, "Avg Wait") || line_has(line, "Avg Hold") || line_has(line, "Avg Spin"));
}

LockTable parse_klockstat_table(const TableText& table) {
  LockTable read{LockTableForm::klockstat};
  std::vector<LockRow>* rows = nullptr;
  int rows_below = 0;  // the headings; stacks are only below rows that have their own
  for (std::size_t index = 0; index < table.lines.size(); ++index) {
    const std::string_view line = table.lines[index];
    if (begins_klockstat_table(line)) {
      if (line_has(line, "Avg Spin")) {
        table.refuse(index,
                     "what klockstat of libbpf-tools prints (Avg Wait): bcc's klockstat in Python traces mutexes, and "
                     "mmap_lock is a semaphore");
      }
      const bool holds = line_has(line, "Avg Hold");
      if (!holds && rows == &read.holds) {  // the next interval's
        read.waits.clear();
        read.holds.clear();
        ++read.intervals;
      }
      rows = holds ? &read.holds : &read.waits;
      read.by = line_has(line, "Caller") ? LockRowsBy::caller : LockRowsBy::task;
      rows_below = 0;
      continue;
    }
    const std::string_view text = without_leading_blanks(line);
    if (rows == nullptr || text.empty() || is_time_of_day(text)) continue;
    if (text.starts_with("Max PID ") || text.starts_with("Exiting trace") || text.starts_with("Tracing ")) continue;
    if (auto row = klockstat_row(text, read.by == LockRowsBy::task)) {
      rows->push_back(*std::move(row));
      ++rows_below;
    } else if (rows_below == 1 && words_in_line(text).size() == 1 && (line_has(text, "+0x") || text == "Unknown")) {
      rows->back().frames.emplace_back(text);
    } else {
      table.refuse(index, "a row such as `vm_mmap_pgoff+0x95  1.2 us  3071  12.4 ms  90.3 ms`");
    }
  }
  if (read.waits.empty() && read.holds.empty()) {
    table.refuse(table.lines.size(), "rows below the headings, found none");
  }
  return read;
}

}  // namespace experiments
