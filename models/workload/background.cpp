#include "models/workload/background.h"

#include <algorithm>

#include <boost/random/uniform_int_distribution.hpp>

#include "models/kernel.h"
#include "models/task.h"

namespace models {

namespace {

// Where pages are at the start: on the young end of `list`, all of one age.
void put_on_list(Kernel& kernel, LruList list, OwnerId owner, PageCount pages) {
  if (pages == PageCount(0)) return;
  const sim::Time start{};
  kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, pages, start);
  kernel.zone.add_to_lru(list, {.owner = owner, .pages = pages}, start);
}

sim::Distribution at_rate(double per_second) {
  const std::chrono::duration<double> interval(1 / per_second);
  return sim::Exponential{std::chrono::duration_cast<sim::Nanoseconds>(interval)};
}

}  // namespace

Background::Background(Kernel& kernel)
    : kernel_(kernel),
      anon_(kernel.zone.add_owner({.touched_every = kernel.memory.touched_every})),
      file_(kernel.zone.add_owner(
          {.file = true, .touched_every = kernel.memory.touched_every, .dirty = kernel.memory.dirty})) {
  const MemorySpec& memory = kernel.memory;
  put_on_list(kernel, LruList::active_anon, anon_, pages_of(memory.anon));
  put_on_list(kernel, LruList::active_file, file_, pages_of(memory.file));
  put_on_list(kernel, LruList::inactive_file, kernel.streamed, kernel.zone.counts().free - pages_of(memory.free));
  kernel.zone.begin();
}

bool Background::has_working_set() const {
  const MemorySpec& memory = kernel_.memory;
  return memory.touched_every && memory.anon.count() + memory.file.count() > 0;
}

void Background::run_stream(Task& current) {
  const auto batch = static_cast<double>(bytes_of(kSwapClusterMax).count());
  const sim::Distribution every = at_rate(static_cast<double>(kernel_.memory.background.count()) / batch);
  for (;;) {
    current.sleep_until(current.settle() + every.sample(current.stream(Purpose::demand)));
    for (PageCount page; page < kSwapClusterMax; page += PageCount(1)) alloc_page(current);
    const LruRun run{.owner = kernel_.streamed, .pages = kSwapClusterMax, .since = current.now()};
    kernel_.zone.add_to_lru(LruList::inactive_file, run, current.now());
  }
}

void Background::run_working_set(Task& current) {
  const double touch_interval = std::chrono::duration<double>(*kernel_.memory.touched_every).count();
  for (;;) {
    const sim::Time now = current.settle();
    const auto gone =
        static_cast<double>((kernel_.zone.owner(anon_).evicted + kernel_.zone.owner(file_).evicted).count());
    // The time to the next miss has no memory: not having come to it, one may draw it again at the rate of then.
    const auto next = gone > 0 ? at_rate(gone / touch_interval).sample(current.stream(Purpose::demand)) : kReconsider;
    current.sleep_until(now + std::min(next, kReconsider));
    if (next > kReconsider || gone == 0) continue;
    const PageCount anon = kernel_.zone.owner(anon_).evicted;
    const PageCount all = anon + kernel_.zone.owner(file_).evicted;  // only this task makes it less
    const boost::random::uniform_int_distribution<std::int64_t> missed(0, all.count() - 1);
    read_again(current, missed(current.stream(Purpose::demand)) < anon.count() ? anon_ : file_);
  }
}

// A miss: the page and its neighbours are read, and are as good as touched twice (workingset_refault activates).
void Background::read_again(Task& current, OwnerId owner) {
  const bool file = kernel_.zone.owner(owner).file;
  const PageCount most = file ? kernel_.memory.readahead : kernel_.memory.swap->readahead;
  const PageCount pages = std::min(most, kernel_.zone.owner(owner).evicted);
  kernel_.zone.owner(owner).evicted -= pages;
  for (PageCount page; page < pages; page += PageCount(1)) alloc_page(current);
  if (file) {
    kernel_.device.read(current, pages);
  } else {
    swap_readpage(current, pages);
    swap_free(kernel_, pages);
  }
  note_refault(kernel_, file, pages);
  const sim::Time now = current.settle();
  // With MGLRU what read() brings back is not active (lru_gen_refault).
  const LruList list = file && kernel_.lru_gen_enabled ? inactive_of(file) : active_of(file);
  kernel_.zone.add_to_lru(list, {.owner = owner, .pages = pages, .since = now}, now);
}

}  // namespace models
