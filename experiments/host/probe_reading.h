// What the probe has found out about a machine (tools/probe): its JSON as a value.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/spec/page.h"

namespace experiments {

/// What was measured under one name, in nanoseconds.
struct Quantity {
  double median = 0;
  double p10 = 0;
  double p90 = 0;
  std::optional<double> p99{};  ///< only with samples enough
  /// The middle of each tenth of the samples; none: of a probe that did not tell.
  std::optional<std::array<double, 10>> tenths{};
  std::int64_t samples = 0;  ///< 1 at least
};

/// Gaps in what a thread that spins on a CPU saw.
struct Gaps {
  std::int64_t gaps = 0;
  std::vector<double> lengths_ns;  ///< each the mean of as many gaps
};

/// What a thread that spins on a CPU saw: for how long it did not get on.
struct CpuNoise {
  int cpu = 0;
  double seconds = 0;
  double threshold_ns = 0;  ///< shorter gaps are not counted
  std::int64_t gaps = 0;
  double p50_ns = 0;
  double max_ns = 0;
  double lost = 0;  ///< the share of the time that the gaps were
  Gaps interrupts;  ///< in which it kept its CPU
  Gaps tasks;       ///< in which another thread had it
};

struct ProbeReading {
  // The machine. What could not be found out is empty.
  std::string kernel;  ///< as `uname -r` has it
  std::string distribution{};
  std::string cpu_model{};
  int cpus = 1;  ///< that the probe was allowed to run on
  bool hypervisor = false;
  std::optional<models::Bytes> llc{};  ///< the last-level cache
  std::optional<int> llc_cpus{};       ///< how many CPUs share it
  std::optional<models::Bytes> memory{};
  std::optional<models::Bytes> swap{};
  std::string thp{};
  std::string mglru{};
  bool per_vma_locks = false;
  std::string preemption{};
  std::string preemption_source{};
  std::optional<int> ticks_per_second{};
  std::optional<bool> autogroup{};
  std::optional<std::int64_t> base_slice_ns{};  ///< as the kernel has scaled it with the CPUs
  std::optional<std::int64_t> migration_cost_ns{};

  // What was measured, and how quiet it was.
  models::Bytes used{};  ///< the memory that was measured with
  std::optional<double> load_average{};
  std::optional<double> busy{};    ///< the share of all CPUs that others took before it began
  std::optional<double> stolen{};  ///< the share that a hypervisor took
  std::vector<CpuNoise> noise{};
  std::map<std::string, Quantity> quantities{};
  std::map<std::string, std::string> not_measured{};  ///< why
};

/// Null: it was not measured.
[[nodiscard]] const Quantity* find_quantity(const ProbeReading& reading, const std::string& name);

/// At the middle of each tenth of its samples; where these are not known, on lines between the percentiles that are.
[[nodiscard]] std::array<double, 10> tenths_of(const Quantity& quantity);

/// A figure of a reading for people: `1.37 us`.
[[nodiscard]] std::string nanoseconds_text(double nanoseconds);

/// Reads the probe's JSON. `source` names it in the UsageError that is thrown where it is none, or another version's.
[[nodiscard]] ProbeReading parse_probe(const std::string& json, const std::string& source);

/// What the probe has written into a file. Throws UsageError where it cannot be read.
[[nodiscard]] std::string text_of_probe(const std::string& file);

/// The same of a file.
[[nodiscard]] ProbeReading read_probe(const std::string& file);

}  // namespace experiments
