#include "experiments/compare/stalls.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "experiments/base/judgement.h"
#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/compare/autopsy.h"

namespace experiments {

namespace {

using models::ClassResult;
using models::Result;
using sim::Nanoseconds;

/// The longest of the samples of a class, in all replications; 0 without any.
Nanoseconds longest_that_counts(const std::vector<Result>& results, std::size_t index) {
  Nanoseconds longest{};
  for (const Result& result : results) {
    for (const auto& [phase, samples] : result.classes[index].during) {
      if (!samples.latency().empty()) longest = std::max(longest, samples.latency().max());
    }
  }
  return longest;
}

/// One that is as long as what the table shows is told of by it.
bool is_hidden(Nanoseconds latency, Nanoseconds counted) {
  return latency >= judgement::kStall &&
         static_cast<double>(latency.count()) > judgement::kPlainChange * static_cast<double>(counted.count());
}

/// `mapper  7.22 s  waits for mmap_sem, held for read by populate in madvise (the longest that counts: 16.7 us)`
std::string line(const std::string& policy, const std::string& name, Nanoseconds latency, const std::string& what,
                 Nanoseconds counted) {
  return std::string(4, ' ') +
         wrapped(fmt::format("{}{} {}: {} (the longest that counts: {})", policy, name, human(latency), what,
                             counted == Nanoseconds{0} ? "none" : human(counted)),
                 page_width(), 8);
}

/// Who waited still for a lock when the run ended, for longest of its class.
struct OpenWait {
  Nanoseconds length{};
  std::string what;  ///< `in munmap for mmap_sem of db`
};

OpenWait open_wait_of(const Result& result, models::ClassId id) {
  OpenWait longest;
  for (const models::LockResult& lock : result.locks) {
    for (const auto& [asker, waits] : lock.statistics.asked) {
      if (asker.asker != id || waits.longest_waiting <= longest.length) continue;
      longest = {waits.longest_waiting,
                 lock.mutex.empty() ? fmt::format("in {} for mmap_sem of {}", to_string(asker.phase), lock.process)
                                    : fmt::format("for the mutex {} of {}", lock.mutex, lock.process)};
    }
  }
  return longest;
}

/// Those of one policy, one line a class.
struct Lines {
  std::string warm_up;
  std::string cut_off;
};

Lines stall_lines(const std::vector<Result>& results, const std::string& policy) {
  Lines lines;
  for (std::size_t index = 0; index < results.front().classes.size(); ++index) {
    const Nanoseconds counted = longest_that_counts(results, index);
    const models::WorstRequest* early = nullptr;
    Nanoseconds unserved{};
    OpenWait open;
    for (const Result& result : results) {
      const ClassResult& each = result.classes[index];
      const auto& longest = each.longest_warm_up;
      if (longest && (early == nullptr || longest->latency > early->latency)) early = &*longest;
      unserved = std::max(unserved, each.longest_cut_off);
      OpenWait waits = open_wait_of(result, static_cast<models::ClassId>(index));
      if (waits.length > open.length) open = std::move(waits);
    }
    const std::string& name = results.front().classes[index].name;
    if (early != nullptr && is_hidden(early->latency, counted)) {
      lines.warm_up += line(policy, name, early->latency, mainly(*early, results.front().class_names()), counted);
    }
    const std::string waited = open.what.empty() ? "" : fmt::format(", and waited {} when the run ended", open.what);
    if (is_hidden(unserved, counted)) {
      lines.cut_off += line(policy, name, unserved, "due before the run ended, had no answer" + waited, counted);
    } else if (results.front().classes[index].during.empty() && is_hidden(open.length, counted)) {
      lines.cut_off += line(policy, name, open.length, "waited still " + open.what + " when the run ended", counted);
    }
  }
  return lines;
}

Nanoseconds longest_warm_up(const Comparison& comparison) {
  Nanoseconds longest{};
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    for (const Result& result : comparison.results(policy)) longest = std::max(longest, result.warm_up);
  }
  return longest;
}

}  // namespace

std::string hidden_stalls(const Comparison& comparison) {
  Lines all;
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    const std::string name = comparison.policies() > 1 ? comparison.policy(policy).name + ": " : "";
    const Lines lines = stall_lines(comparison.results(policy), name);
    all.warm_up += lines.warm_up;
    all.cut_off += lines.cut_off;
  }
  std::string text;
  if (!all.warm_up.empty()) {
    text += bold("Before measuring began") + "\n" +
            wrapped(fmt::format("Due in the first {}, which the table leaves out as warm-up, and far longer than all "
                                "that it shows. `warm_up: none` (--set warm_up=none) measures from the start.",
                                human(longest_warm_up(comparison))),
                    page_width()) +
            all.warm_up + "\n";
  }
  if (!all.cut_off.empty()) {
    text += bold("Not over when the run ended") + "\nFar longer than all that the table shows, and no sample of it.\n" +
            all.cut_off + "\n";
  }
  return text;
}

}  // namespace experiments
