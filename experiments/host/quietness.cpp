#include "experiments/host/quietness.h"

#include <fmt/format.h>

#include "experiments/host/probe_reading.h"

namespace experiments {

namespace {

// An idle machine stays far below these. One process that keeps one of few CPUs busy exceeds several of them.
constexpr double kMostLoadPerCpu = 0.5;  // a measurement before this one leaves some behind
constexpr double kMostBusy = 0.1;
constexpr double kMostStolen = 0.02;
constexpr double kMostLost = 0.02;
constexpr double kLongestGap = 4e6;  // ns: a tick of 250 Hz, hence as long as somebody else's turn
constexpr double kMostSpread = 1.1;  // p90 / p10

QuietSign sign_of(const CpuNoise& noise) {
  const bool quiet = noise.lost <= kMostLost && noise.max_ns <= kLongestGap;
  return {fmt::format("CPU {}: a thread that spun for {} lost {:.2g} % of it in {} gaps of more than {}, half of them "
                      "below {}, longest {} (quiet: {:.0f} %, {})",
                      noise.cpu, nanoseconds_text(noise.seconds * 1e9), 100 * noise.lost, noise.gaps,
                      nanoseconds_text(noise.threshold_ns), nanoseconds_text(noise.p50_ns),
                      nanoseconds_text(noise.max_ns), 100 * kMostLost, nanoseconds_text(kLongestGap)),
          quiet};
}

}  // namespace

std::vector<QuietSign> signs_of_quiet(const ProbeReading& reading) {
  std::vector<QuietSign> signs;
  const auto judge = [&](const std::optional<double>& value, double most, const std::string& text) {
    if (value) signs.push_back({text, *value <= most});
  };
  const double most_load = kMostLoadPerCpu * reading.cpus;
  judge(reading.load_average, most_load,
        fmt::format("load average {:.2f} (quiet: {:.2f})", reading.load_average.value_or(0), most_load));
  judge(reading.busy, kMostBusy,
        fmt::format("others used {:.0f} % of the CPUs before it began (quiet: {:.0f} %)",
                    100 * reading.busy.value_or(0), 100 * kMostBusy));
  judge(reading.stolen, kMostStolen,
        fmt::format("the hypervisor took {:.1f} % (quiet: {:.0f} %)", 100 * reading.stolen.value_or(0),
                    100 * kMostStolen));
  for (const CpuNoise& noise : reading.noise) signs.push_back(sign_of(noise));
  if (const Quantity* const loop = find_quantity(reading, "spin_loop"); loop != nullptr && loop->p10 > 0) {
    const double spread = loop->p90 / loop->p10;
    judge(spread, kMostSpread,
          fmt::format("the same loop took {} to {} (p10 to p90), a factor of {:.2f} (quiet: {:.2f})",
                      nanoseconds_text(loop->p10), nanoseconds_text(loop->p90), spread, kMostSpread));
  }
  return signs;
}

}  // namespace experiments
