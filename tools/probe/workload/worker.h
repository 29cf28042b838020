// A thread of a workload: its loop of requests, and what they came to.
//
// The rules are the simulator's: models/workload/requests.h (when a request is due, from when its latency counts) and
// models/measure/measurement.h (which requests count). What a thread notes while the workload runs goes into memory
// that has been there before: it makes no system call for it.
#pragma once

#include <pthread.h>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "experiments/host/real_result.h"
#include "models/measure/phase.h"
#include "models/spec/threads.h"
#include "models/workload/script_calls.h"
#include "sim/random.h"
#include "tools/probe/measuring.h"
#include "tools/probe/workload/address_space.h"
#include "tools/probe/workload/shared_state.h"

namespace probe {

/// What the threads of a process of a workload have in common.
struct RealProcess {
  SharedState& shared;
  SharedProcess& own;
  std::map<std::string, int> numbers;  ///< of all processes, by name
  std::map<std::string, Mapped> regions;
  std::map<std::string, pthread_mutex_t> mutexes;
  models::PageCount arena;  ///< of each faulter
  std::vector<int> cpus;    ///< those that are there: a scenario's CPU 0 is the first of them
  bool ends_with_lockers = false;
  std::uint64_t seed = 1;
};

/// Samples of requests, noted at little cost and put in order at the end.
class Notes {
 public:
  Notes();
  void add(models::Phase phase, std::int64_t latency) {
    if (raw_.size() == raw_.capacity()) put_in_order();
    raw_.push_back({latency, phase});
  }
  void add_to_warm_up(std::int64_t latency) {
    ++warm_up_;
    longest_warm_up_ = std::max(longest_warm_up_, latency);
  }
  void move_into(experiments::RealClass& result);

 private:
  struct Note {
    std::int64_t latency;
    models::Phase phase;
  };
  void put_in_order();

  std::vector<Note> raw_;
  std::map<models::Phase, sim::Histogram> during_;
  std::uint64_t warm_up_ = 0;
  std::int64_t longest_warm_up_ = 0;
};

class Worker {
 public:
  /// `member`: which of the threads of its class.
  Worker(RealProcess& process, const models::ThreadSpec& spec, int member);

  /// In the thread itself: gets ready, waits for all others, and runs. Throws std::runtime_error before the wait.
  void get_ready();
  void run();

  /// The run is over, and it sleeps: it may be woken up.
  [[nodiscard]] bool asleep() const { return asleep_; }
  void move_into(experiments::RealClass& result);

  // For its body.
  [[nodiscard]] RealProcess& process() const { return process_; }
  [[nodiscard]] const models::ThreadSpec& spec() const { return spec_; }
  [[nodiscard]] int member() const { return member_; }
  [[nodiscard]] sim::Stream& demand() { return demand_; }
  [[nodiscard]] sim::Stream& pages() { return pages_; }
  [[nodiscard]] bool over() const { return now() > process_.shared.end.load(std::memory_order_relaxed); }
  /// What the lockers of `target` are doing is what this thread's requests are told by.
  void look_at(const SharedProcess& target) { target_ = &target; }

  /// Sleeps; returns early when the run is over.
  void sleep_until(std::int64_t time);
  /// Works for so long in user mode: what it does not get on meanwhile does not count.
  static void compute(std::int64_t nanoseconds);

  /// Requests until the run is over, or until a `call` that returns false.
  template <class Call>
  void make_requests(const models::Arrival& arrival, Call call);
  /// A call of a script: timed, and seen by those who look at this process. `call` returns 0 or -1 with errno.
  template <class Call>
  void make_call(const models::ScriptCallRow& row, models::PageCount pages, Call call);

 private:
  template <class Call>
  bool serve(std::int64_t due, Call& call);
  void note(std::int64_t due, std::int64_t end);
  void lock();
  void unlock();

  RealProcess& process_;
  const models::ThreadSpec& spec_;
  int member_;
  sim::Stream demand_;
  sim::Stream pages_;
  const SharedProcess* target_;
  pthread_mutex_t* mutex_ = nullptr;
  std::function<void()> body_;
  std::atomic<bool> asleep_{false};
  bool served_ = false;
  Notes notes_;
  models::CallRecords calls_;
};

// --- as they are made by bodies.cpp --------------------------------------------------------------------------

template <class Call>
bool Worker::serve(std::int64_t due, Call& call) {
  bool more = true;
  lock();
  if constexpr (std::same_as<std::invoke_result_t<Call&>, bool>) {
    more = call();
  } else {
    call();
  }
  unlock();
  note(due, now());
  return more;
}

template <class Call>
void Worker::make_requests(const models::Arrival& arrival, Call call) {
  if (const auto* const closed = std::get_if<models::ClosedLoop>(&arrival)) {
    for (bool more = true; more;) {
      const std::int64_t think = closed->think.sample(demand_).count();
      if (think > 0) sleep_until(now() + think);
      compute(closed->compute.sample(demand_).count());
      if (over()) return;
      more = serve(now(), call);
    }
    return;
  }
  const sim::Distribution& every = std::get<models::OpenLoop>(arrival).every;
  std::int64_t due = process_.shared.start;
  for (bool more = true; more;) {
    due += every.sample(demand_).count();
    if (due > now()) sleep_until(due);
    if (due > process_.shared.end) return;
    more = serve(due, call);
  }
}

template <class Call>
void Worker::make_call(const models::ScriptCallRow& row, models::PageCount pages, Call call) {
  lock();
  const std::int64_t start = now();
  process_.own.lockers.enter(row.phase, start);
  const int error = call() == 0 ? 0 : errno;
  const std::int64_t end = now();
  process_.own.lockers.enter(models::Phase::idle, end);
  unlock();
  models::CallRecord& record = calls_[std::string(row.name)];
  record.duration.record(sim::Nanoseconds{end - start});
  record.pages += static_cast<std::uint64_t>(pages.count());
  if (error != 0) ++record.errors[error];
}

/// What a thread of that kind does, with all that it needs made beforehand.
[[nodiscard]] std::function<void()> body_of(Worker& worker);

}  // namespace probe
