#include "experiments/host/table/attached_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "experiments/host/table/bpftrace_maps.h"
#include "experiments/host/table/contention_table.h"
#include "experiments/host/table/klockstat_table.h"
#include "experiments/host/table/table_text.h"
#include "experiments/host/trace/trace_input.h"

namespace experiments {

std::uint64_t AttachedHistogram::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const AttachedBucket& each) { return sum + each.count; });
}

AttachedTable parse_attached_table(std::string_view text, const std::string& source) {
  const TableText table(source, text);
  for (const std::string_view line : table.lines) {
    if (begins_contention_table(line)) return parse_contention_table(table);
    if (begins_klockstat_table(line)) return parse_klockstat_table(table);
    if (is_bpftrace_bucket(line)) return parse_bpftrace_maps(table);
  }
  if (std::any_of(table.lines.begin(), table.lines.end(), looks_like_bpftrace_bucket))
    return parse_bpftrace_maps(table);
  table.refuse(table.lines.size(),
               "what `perf lock contention`, klockstat, or bpftrace's hist() or lhist() print, found none of their "
               "headings and buckets");
}

AttachedTable read_attached_table(const std::string& path) {
  constexpr std::string_view kPerfData = "PERFILE2";
  std::string begin(kPerfData.size(), '\0');
  // A pipe cannot be looked into and read again.
  if (std::filesystem::is_regular_file(path) &&
      std::ifstream(path, std::ios::binary).read(begin.data(), static_cast<std::streamsize>(begin.size())) &&
      begin == kPerfData) {
    throw UsageError(
        fmt::format("'{0}' is perf's own form: expected its text, as of `perf lock contention -i {0}`", path));
  }
  // A table is read by people.
  constexpr std::size_t kMost = std::size_t{16} << 20U;
  TraceInput input(path);
  std::string text;
  while (const auto line = input.next()) {
    text.append(*line).push_back('\n');
    if (text.size() > kMost)
      throw InputError({{path, input.line(), 0, "", "expected a table, found more than 16 MiB"}});
  }
  return parse_attached_table(text, path);
}

}  // namespace experiments
