// Recording a latency: once for every simulated request, and more than once for every wait.
#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>

#include "sim/distribution.h"
#include "sim/histogram.h"
#include "sim/random.h"

namespace sim {
namespace {

constexpr std::size_t kSamples = 4096;

// Latencies as they are: most are short, a few are a thousand times longer.
std::array<Nanoseconds, kSamples> latencies() {
  Stream stream(1, "benchmark", "demand");
  const Distribution distribution = Lognormal{Nanoseconds{1'400}, Nanoseconds{1'400'000}};
  std::array<Nanoseconds, kSamples> samples{};
  for (Nanoseconds& sample : samples) sample = distribution.sample(stream);
  return samples;
}

void record_latency(benchmark::State& state) {
  const auto samples = latencies();
  Histogram histogram;
  std::size_t next = 0;
  for (auto _ : state) histogram.record(samples[next++ % kSamples]);
  benchmark::DoNotOptimize(histogram);
}
BENCHMARK(record_latency);

void read_percentile(benchmark::State& state) {
  Histogram histogram;
  for (const Nanoseconds sample : latencies()) histogram.record(sample);
  for (auto _ : state) benchmark::DoNotOptimize(histogram.percentile(0.99));
}
BENCHMARK(read_percentile);

}  // namespace
}  // namespace sim
