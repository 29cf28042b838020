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
  for (const auto& [size, blame] : samples.blame_by_size()) {
    out << "    size " << size << " n " << blame.count << " causes";
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
      << " bypasses " << statistics.writer_bypasses << " largest " << statistics.largest_convoy << " longest "
      << statistics.longest_queue << " total " << statistics.total_wait.count() << "\n";
}

inline void describe(std::ostream& out, const sim::TimeSeries& series) {
  out << "width " << series.width().count() << " buckets";
  for (const auto& [min, max, last] : series.buckets()) out << " " << min << ":" << max << ":" << last;
  out << "\n";
}

inline void describe(std::ostream& out, const models::ZoneCounts& counts) {
  out << " free " << counts.free.count() << " per cpu " << counts.per_cpu.count() << " anon "
      << counts.inactive_anon.count() << " + " << counts.active_anon.count() << " file " << counts.inactive_file.count()
      << " + " << counts.active_file.count() << " unevictable " << counts.unevictable.count() << " writeback "
      << counts.writeback.count() << " compressed " << counts.compressed.count() << " in flight "
      << counts.in_flight.count() << "\n";
}

inline void describe(std::ostream& out, const models::ReclaimStatistics& statistics) {
  out << "  reclaim wakeups " << statistics.kswapd_wakeups << " kswapd " << statistics.kswapd_reclaimed << " of "
      << statistics.kswapd_scanned << " direct " << statistics.direct_reclaimed << " of " << statistics.direct_scanned
      << " kept " << statistics.kept << " activated " << statistics.activated << " deactivated "
      << statistics.deactivated << " culled " << statistics.culled << " swapped out " << statistics.swapped_out
      << " swapped in " << statistics.swapped_in << " files written " << statistics.files_written << " files read "
      << statistics.files_read << " refaults " << statistics.refaults << " throttled " << statistics.throttled
      << " futile rounds " << statistics.futile_rounds << " stalls ";
  describe(out, statistics.direct_stalls);
}

inline void describe(std::ostream& out, const models::BlockDevice::Statistics& statistics) {
  for (const auto* direction : {&statistics.read, &statistics.write}) {
    out << "  device pages " << direction->pages << " latency ";
    describe(out, direction->latency);
  }
  out << "  device congestions " << statistics.congestions << " longest queue " << statistics.longest_queue << " busy "
      << statistics.busy.count() << " waits for room ";
  describe(out, statistics.room_waits);
  out << "  device queue ";
  describe(out, statistics.queue);
}

inline void describe(std::ostream& out, const models::MemoryResult& memory) {
  out << "memory marks " << memory.marks.min.count() << " " << memory.marks.low.count() << " "
      << memory.marks.high.count() << " allocated " << memory.allocated << " lowest free " << memory.lowest_free.count()
      << " swap used " << memory.swap_used.count();
  describe(out, memory.at_end);
  describe(out, memory.reclaim);
  describe(out, memory.device);
  for (const auto* series : {&memory.series.free, &memory.series.anon, &memory.series.file, &memory.series.unevictable,
                             &memory.kswapd_runs}) {
    out << "  series ";
    describe(out, *series);
  }
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
