// Traces as short texts, and what import makes of them.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "experiments/host/trace/trace_analysis.h"
#include "experiments/host/trace/trace_reader.h"
#include "models/measure/result.h"
#include "tests/support/command_line.h"

namespace tests {

/// Events of the address space ffff000000001000, in the form of ftrace, times in microseconds.
class TraceText {
 public:
  TraceText& event(const std::string& comm, int tid, int microseconds, const std::string& event) {
    text_ += fmt::format("{:>16}-{:<7} [000] .....  {:5}.{:06}: {}\n", comm, tid, microseconds / 1'000'000,
                         microseconds % 1'000'000, event);
    return *this;
  }
  TraceText& ask(const std::string& comm, int tid, int at, const std::string& mode, int mm = 1) {
    return event(comm, tid, at, fmt::format("mmap_lock_start_locking: {}", lock(mode, mm)));
  }
  TraceText& get(const std::string& comm, int tid, int at, const std::string& mode, bool success = true, int mm = 1) {
    return event(comm, tid, at, fmt::format("mmap_lock_acquire_returned: {} success={}", lock(mode, mm), success));
  }
  TraceText& drop(const std::string& comm, int tid, int at, const std::string& mode, int mm = 1) {
    return event(comm, tid, at, fmt::format("mmap_lock_released: {}", lock(mode, mm)));
  }
  /// Asks at `at`, gets it at `got`, gives it up at `dropped`.
  TraceText& hold(const std::string& comm, int tid, int at, int got, int dropped, const std::string& mode) {
    return ask(comm, tid, at, mode).get(comm, tid, got, mode).drop(comm, tid, dropped, mode);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static std::string lock(const std::string& mode, int mm) {
    return fmt::format("mm=ffff00000000{}000 memcg_path=/ write={}", mm, mode == "write");
  }

  std::string text_;
};

/// A trace that has been read to its end.
struct ReadTrace {
  experiments::TraceContents contents;
  experiments::TraceGaps gaps;
  models::Result result;

  [[nodiscard]] const models::RwsemStatistics& lock() const { return result.locks.front().statistics; }
  [[nodiscard]] models::ClassId id(const std::string& name) const {
    for (std::size_t id = 0; id < result.classes.size(); ++id) {
      if (result.classes[id].name == name) return static_cast<models::ClassId>(id);
    }
    return -1;
  }
  [[nodiscard]] const models::ClassResult& of(const std::string& name) const { return *result.find_class(name); }
};

inline ReadTrace read_trace(const std::string& file) {
  experiments::TraceReader reader(file);
  experiments::TraceAnalysis analysis;
  while (const auto event = reader.next()) analysis.add(*event);
  models::Result result = analysis.finish("trace");
  return {reader.contents(), analysis.gaps(), std::move(result)};
}

inline ReadTrace read_trace_of(const std::string& text) {
  const TemporaryFolder folder;
  return read_trace(folder.write("trace.txt", text));
}

}  // namespace tests
