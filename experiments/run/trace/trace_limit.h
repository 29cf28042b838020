// The size at which a trace ends.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "experiments/run/trace/trace_windows.h"
#include "experiments/run/trace/trace_writer.h"
#include "models/spec/page.h"
#include "sim/time.h"

namespace experiments::trace {

inline constexpr models::Bytes kUnlimited{std::numeric_limits<std::int64_t>::max()};

/// Once the file has that many bytes, nothing is in it from the latest time on that was told of, as with a window; a
/// mark of the process `pid` says so.
class Limit {
 public:
  Limit(models::Bytes limit, Writer& events, Windows& windows, int pid)
      : limit_(static_cast<std::uint64_t>(limit.count())), events_(events), windows_(windows), pid_(pid) {}

  /// Before anything is written of `now`.
  void keep(sim::Time now);
  /// From when on nothing is in the file.
  [[nodiscard]] std::optional<sim::Time> left_out_from() const { return left_out_from_; }

 private:
  std::uint64_t limit_;
  Writer& events_;
  Windows& windows_;
  int pid_;
  sim::Time latest_{};
  std::optional<sim::Time> left_out_from_;
};

}  // namespace experiments::trace
