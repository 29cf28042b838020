#include "experiments/compare/out_of_memory.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "experiments/base/quantity.h"

namespace experiments {

MemoryEnd memory_end(const models::Result& result) {
  return result.outcome == models::Outcome::out_of_memory ? MemoryEnd(result.sim_time) : std::nullopt;
}

std::optional<OutOfMemory> out_of_memory(const std::string& who, const std::vector<MemoryEnd>& runs) {
  OutOfMemory found{who, 0, runs.size(), sim::Nanoseconds::max()};
  for (const MemoryEnd& end : runs) {
    if (!end) continue;
    ++found.runs;
    found.first = std::min(found.first, *end);
  }
  return found.runs == 0 ? std::nullopt : std::optional(found);
}

std::optional<OutOfMemory> out_of_memory(const std::string& who, const std::vector<models::Result>& results) {
  std::vector<MemoryEnd> ends;
  ends.reserve(results.size());
  for (const models::Result& result : results) ends.push_back(memory_end(result));
  return out_of_memory(who, ends);
}

std::string what_happened(const OutOfMemory& what) {
  if (what.of == 1) return fmt::format("ran out of memory after {}", human(what.first));
  return fmt::format("ran out of memory in {} of {} runs, first after {}", what.runs, what.of, human(what.first));
}

std::string to_text(const OutOfMemory& what) { return fmt::format("{} {}", what.who, what_happened(what)); }

Json to_json(const OutOfMemory& what) {
  return {{"who", what.who}, {"runs", what.runs}, {"of", what.of}, {"first_after_ns", what.first.count()}};
}

}  // namespace experiments
