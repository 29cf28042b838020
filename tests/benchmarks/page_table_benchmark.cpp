// The interval map of page states: in the order in which mlock goes through it, and as random faults cut it up.
#include <benchmark/benchmark.h>

#include <boost/random/uniform_int_distribution.hpp>

#include <cstdint>

#include "models/mm/page_table.h"
#include "sim/random.h"

namespace models {
namespace {

constexpr PageCount kPagesPerBatch{16};

// A region that nobody else touches: get_user_pages brings a batch in, then it is mlocked.
void populate_in_batches(benchmark::State& state) {
  constexpr PageIndex kEnd{4096};
  for (auto _ : state) {
    PageTable table;
    for (PageIndex page{0}; page < kEnd; page = page + kPagesPerBatch) {
      const PageIndex end = page + kPagesPerBatch;
      benchmark::DoNotOptimize(table.change(page, end, PageState::absent, PageState::resident));
      benchmark::DoNotOptimize(table.change(page, end, PageState::resident, PageState::mlocked));
    }
  }
  state.SetItemsProcessed(state.iterations() * (kEnd.index() / kPagesPerBatch.count()));
}
BENCHMARK(populate_in_batches);

// In a region of so many pages, of which every second one is there, at random: the most runs that it can have.
void set_random_pages(benchmark::State& state) {
  sim::Stream stream(1, "benchmark", "pages");
  const boost::random::uniform_int_distribution<std::int64_t> any(0, state.range(0) - 1);
  PageTable table;
  const auto toggle = [&] {
    const PageIndex page(any(stream));
    const PageIndex end = page + PageCount(1);
    table.set(page, end, is_present(table.run_at(page, end).state) ? PageState::absent : PageState::resident);
  };
  for (std::int64_t page = 0; page < state.range(0); ++page) toggle();
  for (auto _ : state) toggle();
}
BENCHMARK(set_random_pages)->Arg(4096)->Arg(262144);

}  // namespace
}  // namespace models
