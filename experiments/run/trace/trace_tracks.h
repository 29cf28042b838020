// The threads and counters of a trace, cut to its windows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "experiments/run/trace/trace_windows.h"
#include "experiments/run/trace/trace_writer.h"
#include "sim/time.h"

namespace experiments::trace {

/// The shortest that there is: an arrow leaves within it.
inline constexpr sim::Nanoseconds kTick{1};

/// A thread of the trace: slices one after another.
class Track {
 public:
  struct Slice {
    std::string name;
    std::string_view category;
    std::string_view phase{};  ///< empty: not said
    bool runs = false;         ///< where an arrow ends
  };

  Track(Writer& events, const Windows& windows, Place place) : events_(events), windows_(windows), place_(place) {}

  [[nodiscard]] Place place() const { return place_; }
  /// Precondition: none is open.
  void begin(sim::Time at, Slice slice);
  /// Precondition: none of it is in the file.
  void rename(std::string name) { slice_.name = std::move(name); }
  /// Does nothing if none is open. `unfinished`: it ended because the run did.
  void end(sim::Time at, bool unfinished = false);

  /// An arrow leaves at the end of the nanosecond that begins `at`. Returns false if nothing is there for it to leave.
  bool leave(sim::Time at);
  /// An arrow ends at the next slice that runs.
  void arrive(const Flow& flow) { arriving_ = flow; }

 private:
  void write_until(sim::Time now);
  void write_begin(sim::Time at);

  Writer& events_;
  const Windows& windows_;
  Place place_;
  Slice slice_;
  bool open_ = false;
  bool begun_ = false;  // its B is in the file, its E is not
  sim::Time start_{};
  sim::Time written_until_{};
  sim::Time last_end_{};
  std::optional<Flow> arriving_;
};

/// A counter of the trace. Several values at one time: the last one counts.
class Counter {
 public:
  Counter(Writer& events, const Windows& windows, int pid, const char* name, const char* unit)
      : events_(events), windows_(windows), pid_(pid), name_(name), unit_(unit) {}

  void set(sim::Time at, std::int64_t value);
  [[nodiscard]] std::optional<std::int64_t> value() const { return value_; }
  /// Since when it has its value.
  [[nodiscard]] sim::Time since() const { return since_; }

  void write_until(sim::Time now);

 private:
  Writer& events_;
  const Windows& windows_;
  int pid_;
  const char* name_;
  const char* unit_;
  std::optional<std::int64_t> value_;
  sim::Time since_{};
};

}  // namespace experiments::trace
