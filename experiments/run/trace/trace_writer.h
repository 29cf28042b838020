// Events of a trace as text, in Chrome's trace event format (experiments/run/trace_file.h says which).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "experiments/base/json.h"
#include "sim/time.h"

namespace experiments::trace {

/// Where an event belongs.
struct Place {
  int pid;
  int tid;
};

/// A wake-up, until the woken runs.
struct Flow {
  std::uint64_t id;
  Place waker;
  sim::Time at;
};

/// Events, in the order in which they are given. Precondition: what is given to `out` is not read before finish().
class Writer {
 public:
  /// `about`: said of the whole trace.
  Writer(std::ostream& out, const Json& about);

  /// Names come before anything else of a process or a thread.
  void process(int pid, const std::string& name);
  void thread(Place place, const std::string& name);
  /// A slice; `phase` may be empty: not said.
  void begin(Place place, sim::Time at, const std::string& name, std::string_view category, std::string_view phase);
  void end(Place place, sim::Time at, bool unfinished);
  /// An arrow to `woken`.
  void flow(const Flow& flow, Place woken, sim::Time at);
  void counter(int pid, sim::Time at, const char* name, const char* unit, std::int64_t value);

  /// A mark across all threads.
  void mark(int pid, sim::Time at, const std::string& name);
  void finish();

  /// How much has been given so far.
  [[nodiscard]] std::uint64_t bytes() const { return flushed_ + buffer_.size(); }

 private:
  void metadata(const char* what, Place place, const Json& args);
  void event(char kind, Place place, sim::Time at);
  void separate();
  void flush();
  template <typename... Values>
  void append(fmt::format_string<Values...> format, Values&&... values);

  std::ostream& out_;
  fmt::memory_buffer buffer_;
  std::uint64_t flushed_ = 0;
  bool first_ = true;
};

}  // namespace experiments::trace
