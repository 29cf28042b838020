// Runs pieces of work side by side, each in a process of its own, and hands back what each has to say as it ends.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace experiments {

/// Why a piece of work has no result.
struct Failure {
  std::string reason;
};

class ProcessPool {
 public:
  using Bytes = std::vector<std::uint8_t>;
  using Work = std::function<Bytes()>;
  using Outcome = std::variant<Bytes, Failure>;
  struct Finished {
    std::size_t id;
    Outcome outcome;
    std::chrono::nanoseconds wall;  ///< from start to end of its process
  };

  /// At most `workers` (>= 1) at a time; whatever takes longer than `timeout` is killed and is a Failure.
  explicit ProcessPool(int workers, std::optional<std::chrono::nanoseconds> timeout = std::nullopt);
  /// Kills what is still running.
  ~ProcessPool();
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;

  [[nodiscard]] std::size_t room() const { return workers_ - running_.size(); }
  [[nodiscard]] std::size_t running() const { return running_.size(); }

  /// Precondition: there is room. An exception of `work` and a crash of its process are Failures. The process is killed
  /// when this one dies. Throws std::system_error if no process can be made.
  void start(std::size_t id, const Work& work);

  /// Waits until something has finished, or for `most`, or until a run has timed out.
  [[nodiscard]] std::vector<Finished> wait(std::optional<std::chrono::milliseconds> most = std::nullopt);

 private:
  using Clock = std::chrono::steady_clock;
  struct Worker {
    std::size_t id;
    pid_t process;
    int pipe;
    Clock::time_point started;
    bool timed_out;
    Bytes received;
  };

  [[nodiscard]] int patience(std::optional<std::chrono::milliseconds> most) const;
  void kill_late();
  [[nodiscard]] Finished finish(const Worker& worker) const;

  std::size_t workers_;
  std::optional<std::chrono::nanoseconds> timeout_;
  std::vector<Worker> running_;
};

/// The same with what `read` makes of the bytes.
template <class Read>
[[nodiscard]] auto read_outcome(const ProcessPool::Outcome& outcome, const Read& read) {
  using Made = std::invoke_result_t<Read, const ProcessPool::Bytes&>;
  const auto* const failure = std::get_if<Failure>(&outcome);
  if (failure != nullptr) return std::variant<Made, Failure>(*failure);
  return std::variant<Made, Failure>(read(std::get<ProcessPool::Bytes>(outcome)));
}

}  // namespace experiments
