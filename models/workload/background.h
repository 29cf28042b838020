// What keeps the memory busy besides the processes that are looked at: other processes' working set, the page cache,
// and a stream of allocations.
//
// Models. At the start the zone has the working set (anonymous and file pages, on the active lists), page cache that
// nobody touches (on the inactive list), and free pages. Reclaim that takes a page of the working set makes its owner
// read it again: with one touch of each page in T on average, n pages that are gone are missed at a rate of n / T.
// Another process reads from files at a steady rate, 32 pages at a time: pages that are used once.
// Simplified. The miss rate follows the number of pages gone with a delay of up to kReconsider; one task makes all the
// misses, one after another.
// Validated by tests/models/workload/background_test.cpp.
#pragma once

#include "models/mm/lru.h"
#include "models/spec/page.h"
#include "models/spec/scenario.h"

namespace models {

class Task;
struct Kernel;

/// How often the rate of the working set's misses is worked out anew, at least.
inline constexpr sim::Nanoseconds kReconsider{10'000'000};

/// Gives `kernel.zone`, free but for what the regions have taken, the pages that `kernel.memory` says.
class Background {
 public:
  /// Precondition: the pages that are not free fit in what the regions have left.
  explicit Background(Kernel& kernel);

  /// Whether there is a working set that misses what has been taken from it.
  [[nodiscard]] bool has_working_set() const;
  /// The bodies of the background's tasks; they do not return.
  void run_stream(Task& current);
  void run_working_set(Task& current);

 private:
  void read_again(Task& current, OwnerId owner);

  Kernel& kernel_;
  OwnerId anon_;
  OwnerId file_;
};

}  // namespace models
