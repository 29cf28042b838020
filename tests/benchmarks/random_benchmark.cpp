// Random numbers: a draw from a stream, and the lengths of time that think times and costs are drawn from.
#include <benchmark/benchmark.h>

#include "sim/distribution.h"
#include "sim/random.h"

namespace sim {
namespace {

void raw_draw(benchmark::State& state) {
  Stream stream(1, "benchmark", "demand");
  for (auto _ : state) benchmark::DoNotOptimize(stream());
}
BENCHMARK(raw_draw);

void draw_from(benchmark::State& state, const Distribution& distribution) {
  Stream stream(1, "benchmark", "demand");
  for (auto _ : state) benchmark::DoNotOptimize(distribution.sample(stream));
}
BENCHMARK_CAPTURE(draw_from, exponential, Exponential{Nanoseconds{10'000}});
BENCHMARK_CAPTURE(draw_from, lognormal, Lognormal{Nanoseconds{1'310}, Nanoseconds{5'540}});

void make_stream(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Stream(1, "benchmark", "demand"));
}
BENCHMARK(make_stream);

}  // namespace
}  // namespace sim
