// A scenario that replays a trace: its files, made of the requests that the analysis tells of.
//
// Each address space is a process, each class of threads on it a class of `run: replay` with a recording
// (experiments/scenario/recording_file.h). What has a model is replayed as the call that it was, on regions: each range
// that mlock, munlock, mprotect or madvise were called on, with what was mapped around it. Anything else that held
// mmap_lock is replayed as a hold of the same mode and length, as is everything with `as_holds`.
//
// Simplified. Regions are anonymous and mapped from the start; one that the trace shows being mapped begins absent, any
// other resident. A call's costs are those of the machine in the scenario, not those of the trace. Faults without
// mmap_lock are replayed where their address lies in a region or elsewhere alike. Threads that never ask for mmap_lock,
// and so take CPUs from the others only, are not in it: what is left of them is in the time between two requests, and
// in how long who was woken for the lock took to run: of each request in its recording, for the times that it was
// woken, and kWakeUps quantiles of all as the machine's `noise: wake_up`, for others.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "experiments/host/trace/address_ranges.h"
#include "experiments/host/trace/trace_analysis.h"
#include "models/spec/recording.h"
#include "sim/histogram.h"

namespace experiments {

/// What the scenario is to be like.
struct ReplayOptions {
  std::string name;    ///< of the scenario
  std::string source;  ///< the name of the trace's file
  std::string policy;  ///< the kernel that was recorded: linux-6.12
  int cpus = 1;
  sim::Histogram wake_ups{};  ///< from being woken to running; empty: not known
};

/// A class's or a process's name as a scenario takes it.
[[nodiscard]] std::string replayed_name(std::string name);

class ReplayScenario {
 public:
  /// What is kept of a trace, at most: memory is bounded.
  static constexpr std::size_t kMostRequests = 500'000;
  static constexpr int kWakeUps = 200;
  static constexpr const char* kScenarioFile = "scenario.yaml";

  /// Whether everything that follows is replayed as a hold.
  void as_holds(bool holds) { as_holds_ = holds; }

  /// In the order in which they end.
  void add(const EndedRequest& ended);

  /// By name: the scenario and the recordings that it names. `names` are those of classes by number, `processes` those
  /// of the address spaces to be replayed by mm.
  [[nodiscard]] std::map<std::string, std::string> files(const ReplayOptions& options,
                                                         const std::vector<std::string>& names,
                                                         const std::map<std::uint64_t, std::string>& processes);

  /// Requests beyond kMostRequests.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  struct Row {
    std::uint64_t mm;
    std::uint64_t address;
    std::uint64_t size;
    sim::Time due;
    sim::Time end;
    sim::Nanoseconds write_hold;
    sim::Nanoseconds read_hold;
    int tid;
    models::ClassId id;
    models::RecordedRequest::Call call;
    bool asks_again;
    models::WakeUps wake_ups;
  };

  struct ReplayedThread {
    std::int32_t number;
    sim::Time end;  ///< of its last request
  };
  struct ReplayedClass {
    std::map<int, ReplayedThread> threads;  // by tid
    models::Recording recording;
  };
  using ReplayedProcess = std::map<models::ClassId, ReplayedClass>;
  using RegionsByMm = std::map<std::uint64_t, AddressRanges>;

  [[nodiscard]] RegionsByMm regions() const;
  [[nodiscard]] static const AddressRanges& regions_of(std::uint64_t mm, const RegionsByMm& regions);
  [[nodiscard]] models::RecordedRequest request_of(const Row& row, const AddressRanges& regions) const;
  [[nodiscard]] std::set<std::uint64_t> mapped_later(std::uint64_t mm, const AddressRanges& regions) const;
  [[nodiscard]] std::map<std::uint64_t, ReplayedProcess> recordings(
      const RegionsByMm& regions, const std::map<std::uint64_t, std::string>& processes) const;
  [[nodiscard]] std::string regions_text(std::uint64_t mm, const AddressRanges& ranges) const;

  bool as_holds_ = false;
  std::vector<Row> rows_;
  std::uint64_t left_out_ = 0;
};

}  // namespace experiments
