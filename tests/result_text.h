// A run's result as text, every field but wall time and the count of events: for comparing whole runs.
#pragma once

#include <sstream>
#include <string>

#include "models/simulation.h"

namespace tests {

inline void describe(std::ostream& out, const sim::Histogram& histogram) {
  const sim::Histogram::Sparse sparse = histogram.sparse();
  out << "n " << histogram.count() << " sum " << sparse.sum_high << ":" << sparse.sum_low << " min "
      << sparse.min.count() << " max " << sparse.max.count() << " buckets";
  for (const auto& [index, count] : sparse.counts) out << " " << index << "x" << count;
  out << "\n";
}

inline void describe(std::ostream& out, const models::Samples& samples) {
  describe(out, samples.latency());
  for (const auto& [power, blame] : samples.blame_by_power()) {
    out << "    2^" << power << " n " << blame.count << " causes";
    for (const sim::Nanoseconds part : blame.causes) out << " " << part.count();
    for (const auto& [lock, wait] : blame.lock_waits) {
      out << " | " << lock.holder << " " << to_string(lock.phase) << " " << to_string(lock.mode) << " " << lock.convoy
          << " " << wait.count();
    }
    out << "\n";
  }
}

inline void describe(std::ostream& out, const models::RwsemStatistics& statistics) {
  for (const auto* mode : {&statistics.read, &statistics.write}) {
    out << "  acquisitions " << mode->acquisitions << " contended " << mode->contended << " wait ";
    describe(out, mode->wait);
  }
  for (const auto& [key, holds] : statistics.hold) {
    out << "  hold " << key.holder << " " << to_string(key.call) << " " << to_string(key.mode) << " ";
    describe(out, holds);
  }
  out << "  handoffs " << statistics.handoffs << " convoys " << statistics.convoys << " " << statistics.convoy_waits
      << " " << statistics.convoy_time.count() << " longest " << statistics.longest_queue << " total "
      << statistics.total_wait.count() << "\n";
}

inline void describe(std::ostream& out, const models::MemoryResult& memory) {
  const models::ZoneCounts& counts = memory.at_end;
  out << "memory free " << counts.free.count() << " evictable " << counts.evictable.count() << " mapped "
      << counts.mapped.count() << " unevictable " << counts.unevictable.count() << " in flight "
      << counts.in_flight.count() << "\n  allocated " << memory.statistics.allocated << " wakeups "
      << memory.statistics.kswapd_wakeups << " kswapd " << memory.statistics.kswapd_reclaimed << " direct "
      << memory.statistics.direct_reclaimed << " lowest " << memory.statistics.lowest_free.count() << " stalls ";
  describe(out, memory.statistics.direct_stalls);
}

inline std::string text_of(const models::Result& result) {
  std::ostringstream out;
  out << result.scenario << " " << result.policy << " " << result.seed << " outcome "
      << static_cast<int>(result.outcome) << " time " << result.sim_time.count() << " preemptions "
      << result.preemptions << "\n";
  for (const models::ClassResult& each : result.classes) {
    out << "class " << each.name << (each.open_loop ? " open" : " closed") << " unfinished " << each.unfinished
        << " cpu " << each.cpu.count() << "\n";
    for (const auto& [phase, samples] : each.during) {
      out << "  during " << to_string(phase) << " ";
      describe(out, samples);
    }
  }
  for (const models::LockResult& lock : result.locks) {
    out << "lock " << lock.process << " " << lock.vma_changed << " " << lock.eagain << " " << lock.vma_change_missed
        << "\n";
    describe(out, lock.statistics);
  }
  for (const auto& [name, call] : result.calls) {
    out << "call " << name << " pages " << call.pages;
    for (const auto& [error, count] : call.errors) out << " error " << error << "x" << count;
    out << " ";
    describe(out, call.duration);
  }
  describe(out, result.memory);
  return out.str();
}

}  // namespace tests
