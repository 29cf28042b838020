// The state machines of mmap_sem: what a simulated acquisition costs before anything is charged or recorded.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "models/locking/rwsem_fifo.h"
#include "models/locking/rwsem_spin_handoff.h"

namespace models {
namespace {

constexpr int kReaders = 8;
constexpr sim::Time kNow{};

void fifo_uncontended_read(benchmark::State& state) {
  FifoRwsem<int> rwsem;
  std::vector<int> granted;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rwsem.down_read(1));
    rwsem.up_read(granted);
  }
}
BENCHMARK(fifo_uncontended_read);

// Readers queue behind a writer, are let in together, and leave.
void fifo_handoff_to_readers(benchmark::State& state) {
  FifoRwsem<int> rwsem;
  std::vector<int> granted;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rwsem.down_write(0));
    for (int reader = 1; reader <= kReaders; ++reader) benchmark::DoNotOptimize(rwsem.down_read(reader));
    granted.clear();
    rwsem.up_write(granted);
    for (int reader = 1; reader <= kReaders; ++reader) rwsem.up_read(granted);
  }
  state.SetItemsProcessed(state.iterations() * (kReaders + 1));
}
BENCHMARK(fifo_handoff_to_readers);

void spin_handoff_uncontended_read(benchmark::State& state) {
  SpinHandoffRwsem<int> rwsem;
  RwsemWakes<int> wakes;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rwsem.down_read(1, kNow, wakes));
    benchmark::DoNotOptimize(rwsem.release_read());
  }
}
BENCHMARK(spin_handoff_uncontended_read);

void spin_handoff_handoff_to_readers(benchmark::State& state) {
  SpinHandoffRwsem<int> rwsem;
  RwsemWakes<int> wakes;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rwsem.down_write());
    for (int reader = 1; reader <= kReaders; ++reader) {
      benchmark::DoNotOptimize(rwsem.down_read(reader, kNow, wakes));
    }
    wakes.granted.clear();
    if (rwsem.release_write()) rwsem.wake(kNow, wakes);
    for (int reader = 1; reader <= kReaders; ++reader) benchmark::DoNotOptimize(rwsem.release_read());
  }
  state.SetItemsProcessed(state.iterations() * (kReaders + 1));
}
BENCHMARK(spin_handoff_handoff_to_readers);

}  // namespace
}  // namespace models
