#include "experiments/host/table/bpftrace_maps.h"

#include <algorithm>
#include <limits>
#include <string>

namespace experiments {

namespace {

constexpr std::string_view kOpenEnd = "...";

/// `4`, `-20`, `64K`: 1024 and its powers.
std::optional<std::int64_t> bucket_end(std::string_view word) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view suffix = word.substr(static_cast<std::size_t>(end - word.data()));
  if (suffix.empty()) return value;
  const std::size_t power = std::string_view("KMGTPE").find(suffix);
  if (suffix.size() != 1 || power == std::string_view::npos) return std::nullopt;
  for (std::size_t i = 0; i <= power; ++i) {
    constexpr std::int64_t kKilo = 1024;
    if (value > std::numeric_limits<std::int64_t>::max() / kKilo || value < 0) return std::nullopt;
    value *= kKilo;
  }
  return value;
}

struct BucketLine {
  bool looks_like_one = false;  // begins as one: it is broken if there is no bucket
  std::optional<AttachedBucket> bucket{};
};

/// `[4K, 8K)`, `[1]`, `(..., 0)`, `[64, ...)`, and what is left of the line.
std::optional<AttachedBucket> bucket_range(std::string_view range) {
  const bool is_one = range.ends_with(']');
  const std::string_view inside = range.substr(1, range.size() - 2);
  if (is_one) {
    const auto value = bucket_end(inside);
    if (!value || *value == std::numeric_limits<std::int64_t>::max() || !range.starts_with('[')) return std::nullopt;
    return AttachedBucket{value, *value + 1};
  }
  const std::size_t comma = inside.find(", ");
  if (comma == std::string_view::npos) return std::nullopt;
  const std::string_view from = inside.substr(0, comma);
  const std::string_view to = inside.substr(comma + 2);
  AttachedBucket bucket{bucket_end(from), bucket_end(to)};
  if (bucket.from.has_value() == (from == kOpenEnd) || bucket.to.has_value() == (to == kOpenEnd)) return std::nullopt;
  if (range.starts_with('(') == bucket.from.has_value() || (!bucket.from && !bucket.to)) return std::nullopt;
  if (bucket.from && bucket.to && *bucket.from >= *bucket.to) return std::nullopt;
  return bucket;
}

BucketLine bucket_line(std::string_view line) {
  line = without_leading_blanks(line);
  const std::size_t end = line.find_first_of(")]");
  const bool opens = line.starts_with('[') || line.starts_with("(...");
  if (!opens || line.size() < 2) return {};
  const bool has_a_number = is_digit(line[1]) || line[1] == '-' || line[1] == '.';
  if (!has_a_number || end == std::string_view::npos) return {has_a_number};
  auto bucket = bucket_range(line.substr(0, end + 1));
  const std::string_view rest = without_leading_blanks(line.substr(end + 1));
  const auto count = whole_number(first_word(rest));
  const std::string_view bar =
      count ? without_leading_blanks(rest.substr(first_word(rest).size())) : std::string_view{};
  if (!bucket || bar.size() < 2 || !bar.starts_with('|') || !bar.ends_with('|')) return {true};
  bucket->count = *count;
  return {true, bucket};
}

bool is_map_heading(std::string_view line) { return line.starts_with('@') && line.ends_with(':'); }

/// Where the map of that name is, with no buckets.
std::size_t begin_map(std::vector<AttachedHistogram>& maps, const std::string& name) {
  const auto found =
      std::find_if(maps.begin(), maps.end(), [&](const AttachedHistogram& each) { return each.name == name; });
  if (found == maps.end()) {
    maps.push_back({name});
    return maps.size() - 1;
  }
  found->buckets.clear();
  ++found->printed;
  return static_cast<std::size_t>(found - maps.begin());
}

}  // namespace

bool looks_like_bpftrace_bucket(std::string_view line) {
  return bucket_line(line).looks_like_one && line.find('|') != std::string_view::npos;
}

bool is_bpftrace_bucket(std::string_view line) { return bucket_line(line).bucket.has_value(); }

std::vector<AttachedHistogram> parse_bpftrace_maps(const TableText& table) {
  // A key may have line breaks in it (kstack): then only its last line stands before the colon. Nobody reads such a
  // name.
  std::vector<AttachedHistogram> maps;
  std::string name = "@";
  bool in_map = false;
  std::size_t map_at = 0;
  std::uint64_t together = 0;  // in that map so far
  for (std::size_t index = 0; index < table.lines.size(); ++index) {
    const std::string_view line = table.lines[index];
    const BucketLine read = bucket_line(line);
    if (!read.looks_like_one) {
      in_map = false;
      if (is_map_heading(line)) name = without_control_characters(line.substr(0, line.size() - 1));
      continue;
    }
    if (!read.bucket) table.refuse(index, "a bucket such as `[4K, 8K)  12 |@@@@    |`");
    if (!in_map) {
      map_at = begin_map(maps, name);
      together = 0;
    }
    in_map = true;
    AttachedHistogram& map = maps[map_at];
    if (!map.buckets.empty() && map.buckets.back().to != read.bucket->from) {
      table.refuse(index, "the bucket that begins where the one above it ends");
    }
    if (read.bucket->count > (std::uint64_t{1} << 63U) - together)
      table.refuse(index, "counts that together stay below 2^63");
    together += read.bucket->count;
    map.buckets.push_back(*read.bucket);
  }
  return maps;
}

}  // namespace experiments
