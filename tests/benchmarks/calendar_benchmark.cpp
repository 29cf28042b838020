// The calendar: the next event is taken and makes another appointment, as a task does with every step that others see.
#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "sim/calendar.h"
#include "sim/distribution.h"
#include "sim/random.h"

namespace sim {
namespace {

constexpr std::size_t kSteps = 4096;

std::array<Nanoseconds, kSteps> steps() {
  Stream stream(1, "benchmark", "demand");
  const Distribution distribution = Exponential{Nanoseconds{10'000}};
  std::array<Nanoseconds, kSteps> samples{};
  for (Nanoseconds& sample : samples) sample = distribution.sample(stream);
  return samples;
}

void take_and_schedule(benchmark::State& state) {
  const auto ahead = steps();
  std::size_t next = 0;
  Calendar calendar;
  std::deque<Event> events;
  for (std::int64_t count = 0; count < state.range(0); ++count) {
    events.emplace_back(calendar, [] {}).schedule(Time{ahead[next++ % kSteps]});
  }
  for (auto _ : state) {
    const auto due = calendar.take_next();
    due->event->schedule(due->at + ahead[next++ % kSteps]);
  }
}
BENCHMARK(take_and_schedule)->ArgName("pending")->Arg(10)->Arg(100);

// An appointment that is moved before it comes, as a wait with a timeout's is.
void reschedule(benchmark::State& state) {
  const auto ahead = steps();
  std::size_t next = 0;
  Calendar calendar;
  std::deque<Event> events;
  for (std::int64_t count = 0; count < state.range(0); ++count) {
    events.emplace_back(calendar, [] {}).schedule(Time{ahead[next++ % kSteps]});
  }
  for (auto _ : state) {
    events[next % events.size()].schedule(Time{ahead[next % kSteps]});
    ++next;
  }
}
BENCHMARK(reschedule)->ArgName("pending")->Arg(10)->Arg(100);

}  // namespace
}  // namespace sim
