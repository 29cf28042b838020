// The model that the C++ peers share: what the steps cost, who is let in to mmap_sem, which requests count, and how
// results are printed. What they do not share is how time passes: an event heap in one, SimGrid's actors in the other.
//
// A model of tests/peers/*.yaml alone, written without mlocksim's own models and without looking ahead: every page that
// the locker passes is a step of its own. Rules that the results depend on to the nanosecond:
//   Costs that nobody can see apart are one step: system_call and rwsem_operation, find_vma and lru_add_drain_all.
//   Sleep ends wake_up_latency late, except a sleep of 0 ns, which is none. All threads wake at time 0.
//   Events at the same nanosecond come in the order of the tasks: locker, faulters, mapper, as in the scenario.
// Random numbers come from sim::Stream under mlocksim's names, so that demands are the same.
#pragma once

#include <nlohmann/json.hpp>

#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <functional>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/distribution.h"
#include "sim/histogram.h"
#include "sim/random.h"
#include "sim/time.h"

namespace peers {

using sim::Nanoseconds;
using sim::Time;

/// As in tests/peers/peers_with_mapper.yaml.
struct Costs {
  Nanoseconds wake_up_latency{5'000};
  Nanoseconds rwsem_operation{30};
  Nanoseconds rwsem_wake{1'000};
  Nanoseconds system_call{300};
  Nanoseconds find_vma{100};
  Nanoseconds lru_add_drain_all{600};  ///< for each CPU
  Nanoseconds populate_page{815};
  Nanoseconds mlock_page{285};
  Nanoseconds munlock_page{155};
  Nanoseconds fault{1'310};
  Nanoseconds mmap{5'000};
  Nanoseconds munmap{6'000};
  sim::Distribution faulter_think = sim::Exponential{Nanoseconds{10'000}};
  Nanoseconds mapper_think{100'000};
};

/// get_user_pages takes this many at a time.
inline constexpr std::int64_t kPagesPerBatch = 16;

enum class Policy { write_held, downgrade };

struct Options {
  Policy policy = Policy::write_held;
  std::int64_t pages = 2048;
  int faulters = 8;
  bool mapper = false;
  int cpus = 16;
  std::uint64_t seed = 1;
};

inline Options parse_options(int argc, char** argv) {
  Options options;
  for (int index = 1; index < argc; ++index) {
    const std::string_view option = argv[index];
    if (option == "--mapper") {
      options.mapper = true;
      continue;
    }
    if (++index == argc) throw std::invalid_argument(std::string(option) + ": its value is missing");
    const std::string value = argv[index];
    if (option == "--policy" && (value == "write_held" || value == "downgrade")) {
      options.policy = value == "downgrade" ? Policy::downgrade : Policy::write_held;
    } else if (option == "--pages") {
      options.pages = std::stoll(value);
    } else if (option == "--faulters") {
      options.faulters = std::stoi(value);
    } else if (option == "--cpus") {
      options.cpus = std::stoi(value);
    } else if (option == "--seed") {
      options.seed = std::stoull(value);
    } else {
      throw std::invalid_argument(std::string(option) + " " + value + ": unknown");
    }
  }
  return options;
}

// ---------------------------------------------------------------------------------------------------------------
// mmap_sem

enum class LockMode { read, write };

/// A task that queues.
struct Waiter {
  int task;
  LockMode mode;
  Time since;
};

/// The rules of Linux 2.6.28: one queue; a release lets in the writer at its head or the readers up to the first
/// writer.
class Semaphore {
 public:
  struct Statistics {
    std::uint64_t acquisitions = 0;
    std::uint64_t contended = 0;
    sim::Histogram wait;  ///< until it ran
  };

  /// Takes it, or queues `task` and returns false.
  bool down(int task, LockMode mode, Time now) {
    Statistics& statistics = statistics_of(mode);
    ++statistics.acquisitions;
    const bool is_free = queue_.empty() && !writer_ && (mode == LockMode::read || readers_ == 0);
    if (is_free) {
      hold(mode);
    } else {
      ++statistics.contended;
      queue_.push_back({task, mode, now});
    }
    return is_free;
  }

  /// Appends those who are let in to `granted`, in the order in which they are to be woken.
  void up(LockMode mode, std::vector<Waiter>& granted) {
    if (mode == LockMode::write) {
      writer_ = false;
    } else if (--readers_ > 0) {
      return;
    }
    if (queue_.empty() || queue_.front().mode == LockMode::read) return let_readers_in(granted);
    let_in(granted);
  }

  void downgrade(std::vector<Waiter>& granted) {
    writer_ = false;
    readers_ = 1;
    let_readers_in(granted);
  }

  /// Who has been let in is woken, and will run at `runs`: later than all before it.
  void note_woken(const Waiter& waiter, Time runs) { on_their_way_.push_back({waiter, runs}); }
  /// Counts the waits of those who ran before `now`.
  void count_waits(Time now) {
    for (; !on_their_way_.empty() && on_their_way_.front().runs < now; on_their_way_.pop_front()) {
      const auto& [waiter, runs] = on_their_way_.front();
      statistics_of(waiter.mode).wait.record(runs - waiter.since);
    }
  }

  [[nodiscard]] const Statistics& read() const { return read_; }
  [[nodiscard]] const Statistics& write() const { return write_; }

 private:
  struct Woken {
    Waiter waiter;
    Time runs;
  };

  Statistics& statistics_of(LockMode mode) { return mode == LockMode::read ? read_ : write_; }

  void hold(LockMode mode) {
    if (mode == LockMode::write) {
      writer_ = true;
    } else {
      ++readers_;
    }
  }

  void let_readers_in(std::vector<Waiter>& granted) {
    while (!queue_.empty() && queue_.front().mode == LockMode::read) let_in(granted);
  }

  void let_in(std::vector<Waiter>& granted) {
    const Waiter& first = queue_.front();
    hold(first.mode);
    granted.push_back(first);
    queue_.pop_front();
  }

  std::deque<Waiter> queue_;
  std::deque<Woken> on_their_way_;
  std::int64_t readers_ = 0;
  bool writer_ = false;
  Statistics read_;
  Statistics write_;
};

// ---------------------------------------------------------------------------------------------------------------
// The region

enum class PageState : std::uint8_t { absent, resident, mlocked };

class Region {
 public:
  explicit Region(std::int64_t pages) : states_(static_cast<std::size_t>(pages), PageState::absent) {}

  [[nodiscard]] std::int64_t pages() const { return static_cast<std::int64_t>(states_.size()); }
  [[nodiscard]] PageState state(std::int64_t page) const { return states_[static_cast<std::size_t>(page)]; }
  void set(std::int64_t page, PageState state) { states_[static_cast<std::size_t>(page)] = state; }

  /// The first page of [start, end) that is in `state`, or `end`.
  [[nodiscard]] std::int64_t find(std::int64_t start, std::int64_t end, PageState wanted) const {
    while (start < end && state(start) != wanted) ++start;
    return start;
  }
  /// The first page after `start`, which is absent, that is not, or `end`.
  [[nodiscard]] std::int64_t end_of_absent(std::int64_t start, std::int64_t end) const {
    while (start < end && state(start) == PageState::absent) ++start;
    return start;
  }
  /// mlock has brought in those pages of [start, end) that nobody else has meanwhile.
  void populate(std::int64_t start, std::int64_t end) {
    for (std::int64_t page = start; page < end; ++page) fault_in(page);
  }
  /// A fault has brought `page` in; in a locked region it is mlocked from the beginning.
  void fault_in(std::int64_t page) {
    if (state(page) == PageState::absent) set(page, locked ? PageState::mlocked : PageState::resident);
  }

  bool locked = false;  ///< VM_LOCKED

 private:
  std::vector<PageState> states_;
};

// ---------------------------------------------------------------------------------------------------------------
// Which requests count, and what they went through

/// The rules of models/measure/measurement.h: a warm-up that ends with the locker's first call or when every thread has
/// been served once, and a cool-down in which the requests under way are served and later ones do not count.
class Measurement {
 public:
  explicit Measurement(int threads) : unserved_threads_(threads) {}

  void locker_calls(Time now) { end_warm_up(now); }
  void first_served(Time now) {
    if (--unserved_threads_ == 0) end_warm_up(now);
  }

  void begin_request() { ++in_service_; }
  void end_request(Time due) {
    --in_service_;
    if (end_ && due <= *end_ && --left_ == 0) stopped_ = true;
  }
  void end_run(Time now) {
    end_ = now;
    left_ = in_service_;
    stopped_ = left_ == 0;
  }

  [[nodiscard]] bool in_warm_up(Time due) const { return !warm_up_end_ || due < *warm_up_end_; }
  [[nodiscard]] bool counts(Time due) const { return !in_warm_up(due) && !(end_ && due > *end_); }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] Time warm_up_end() const { return warm_up_end_.value_or(Time::max()); }

 private:
  void end_warm_up(Time now) {
    if (!warm_up_end_) warm_up_end_ = now;
  }

  int unserved_threads_;
  std::optional<Time> warm_up_end_;
  std::optional<Time> end_;
  std::int64_t in_service_ = 0;
  std::int64_t left_ = 0;
  bool stopped_ = false;
};

/// What a class of competitors went through.
struct ClassRecord {
  std::uint64_t warm_up = 0;  ///< requests left out
  sim::Histogram latency;
  Nanoseconds lock_wait{};
  Nanoseconds wake_up{};
};

/// The request that a task is busy with.
struct Request {
  Time due;
  Time granted;  ///< the moment from which it waited to be woken
  Nanoseconds lock_wait{};
  Nanoseconds wake_up{};
};

// ---------------------------------------------------------------------------------------------------------------
// The tasks

/// Task 0; then come the faulters and the mapper.
inline constexpr int kLocker = 0;

/// What a competitor's request consists of: CPU time before it asks for mmap_sem, then under it.
struct Plan {
  LockMode mode;
  Nanoseconds before;
  Nanoseconds under;
};

/// A competitor: its random numbers and its requests.
class Competitor {
 public:
  Competitor(const Costs& costs, const Options& options, int task)
      : costs_(costs),
        is_mapper_(task > options.faulters),
        demand_(options.seed, name(task), "demand"),
        pages_(options.seed, name(task), "pages"),
        offset_(0, options.pages - 1) {}

  [[nodiscard]] bool is_mapper() const { return is_mapper_; }
  Nanoseconds think() { return is_mapper_ ? costs_.mapper_think : costs_.faulter_think.sample(demand_); }

  /// Of a faulter: the page that it touches next.
  std::int64_t draw_page() { return offset_(pages_); }

  /// The next request.
  Plan plan() {
    if (!is_mapper_) {
      page_ = draw_page();
      return {LockMode::read, costs_.rwsem_operation, costs_.fault};
    }
    const bool maps = !std::exchange(mapped_, !mapped_);
    return {LockMode::write, costs_.system_call + costs_.rwsem_operation, maps ? costs_.mmap : costs_.munmap};
  }
  /// Its work is done.
  void take_effect(Region& region) const {
    if (!is_mapper_) region.fault_in(page_);
  }

  Request request;
  bool served = false;

 private:
  [[nodiscard]] std::string name(int task) const {
    return is_mapper_ ? "mapper.0" : "faulter." + std::to_string(task - 1);
  }

  const Costs& costs_;
  bool is_mapper_;
  sim::Stream demand_;
  sim::Stream pages_;
  boost::random::uniform_int_distribution<std::int64_t> offset_;
  std::int64_t page_ = 0;
  bool mapped_ = false;
};

enum class Call { mlock, munlock };

/// State and bookkeeping of a run.
class Model {
 public:
  explicit Model(const Options& run_options)
      : options(run_options), region(run_options.pages), measurement_(run_options.faulters + (options.mapper ? 1 : 0)) {
    for (int task = 1; task < tasks(); ++task) competitors_.emplace_back(costs, options, task);
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const Costs costs;
  const Options options;
  Region region;
  Semaphore semaphore;
  std::uint64_t events = 0;  ///< that the peer has gone through

  [[nodiscard]] int tasks() const { return 1 + options.faulters + (options.mapper ? 1 : 0); }
  Competitor& competitor(int task) { return competitors_[static_cast<std::size_t>(task - 1)]; }
  [[nodiscard]] Nanoseconds drain() const { return costs.lru_add_drain_all * options.cpus; }
  [[nodiscard]] bool stopped() const { return measurement_.stopped(); }

  void begin_request(int task, Time now) {
    competitor(task).request = {now, {}, {}, {}};
    measurement_.begin_request();
  }
  /// Whoever has been let in has waited until now for the semaphore, and waits from now on to be woken.
  void note_granted(const Waiter& waiter, Time now) {
    if (waiter.task == kLocker) return;
    Request& request = competitor(waiter.task).request;
    request.lock_wait = now - waiter.since;
    request.granted = now;
  }
  /// It is woken, and will be on a CPU after the wake-up latency.
  void note_woken(const Waiter& waiter, Time now) {
    const Time runs = now + costs.wake_up_latency;
    semaphore.count_waits(now);
    semaphore.note_woken(waiter, runs);
    if (waiter.task == kLocker) return;
    Request& request = competitor(waiter.task).request;
    request.wake_up = runs - request.granted;
  }
  void end_request(int task, Time now) {
    Competitor& self = competitor(task);
    ClassRecord& record = self.is_mapper() ? mapper_ : faulter_;
    const Request& request = self.request;
    if (measurement_.in_warm_up(request.due)) ++record.warm_up;
    if (measurement_.counts(request.due)) {
      record.latency.record(now - request.due);
      record.lock_wait += request.lock_wait;
      record.wake_up += request.wake_up;
    }
    if (!std::exchange(self.served, true)) measurement_.first_served(now);
    measurement_.end_request(request.due);
    if (stopped()) cool_down_ = now - sim_time_;
  }

  void begin_call(Time now) {
    measurement_.locker_calls(now);
    call_began_ = now;
  }
  void end_call(Call call, Time now) { (call == Call::mlock ? mlock_ : munlock_).record(now - call_began_); }

  /// The locker's script has ended. Then requests under way are served: until stopped().
  void end_run(Time now) {
    sim_time_ = now;
    semaphore.count_waits(now);
    locks_at_end_ = semaphore;
    measurement_.end_run(now);
  }

  /// In the layout of `mlocksim run --json`, as far as it goes.
  [[nodiscard]] nlohmann::ordered_json results(Nanoseconds wall) const;

 private:
  Measurement measurement_;
  std::deque<Competitor> competitors_;
  ClassRecord faulter_;
  ClassRecord mapper_;
  Time call_began_;
  sim::Histogram mlock_;
  sim::Histogram munlock_;
  Time sim_time_;
  Nanoseconds cool_down_{};
  Semaphore locks_at_end_;
};

// ---------------------------------------------------------------------------------------------------------------
// Results

inline nlohmann::ordered_json to_json(const sim::Histogram& histogram) {
  nlohmann::ordered_json json{{"count", histogram.count()}};
  if (histogram.empty()) return json;
  json["mean_ns"] = std::llround(histogram.mean());
  for (const auto& [key, quantile] : {std::pair{"p50_ns", 0.5}, std::pair{"p99_ns", 0.99}}) {
    const auto value = histogram.percentile(quantile);
    json[key] = value ? nlohmann::ordered_json(value->count()) : nlohmann::ordered_json(nullptr);
  }
  json["max_ns"] = histogram.max().count();
  return json;
}

inline nlohmann::ordered_json to_json(const ClassRecord& record) {
  nlohmann::ordered_json total = to_json(record.latency);
  total["blame"] = {{"lock_wait", record.lock_wait.count()}, {"wake_up", record.wake_up.count()}};
  return {{"warm_up", record.warm_up}, {"total", total}};
}

inline nlohmann::ordered_json to_json(const Semaphore::Statistics& statistics) {
  return {{"acquisitions", statistics.acquisitions},
          {"contended", statistics.contended},
          {"wait", to_json(statistics.wait)}};
}

inline nlohmann::ordered_json call_to_json(const sim::Histogram& duration) {
  return {{"calls", duration.count()}, {"mean_ns", std::llround(duration.mean())}, {"max_ns", duration.max().count()}};
}

inline nlohmann::ordered_json Model::results(Nanoseconds wall) const {
  nlohmann::ordered_json json;
  json["sim_time_ns"] = sim_time_.time_since_epoch().count();
  json["warm_up_ns"] = std::min(sim_time_, measurement_.warm_up_end()).time_since_epoch().count();
  json["cool_down_ns"] = cool_down_.count();
  json["classes"]["faulter"] = to_json(faulter_);
  if (options.mapper) json["classes"]["mapper"] = to_json(mapper_);
  json["locks"]["mmap_sem"] = {{"read", to_json(locks_at_end_.read())}, {"write", to_json(locks_at_end_.write())}};
  json["syscalls"] = {{"mlock", call_to_json(mlock_)}, {"munlock", call_to_json(munlock_)}};
  json["engine"] = {{"events", events}, {"wall_ns", wall.count()}};
  return json;
}

/// How long `loop` takes.
inline Nanoseconds wall_time(const std::function<void()>& loop) {
  const auto began = std::chrono::steady_clock::now();
  loop();
  return std::chrono::steady_clock::now() - began;
}

/// The main() of a peer: `run` goes through the model from time 0 until it has stopped, and returns how long its loop
/// took.
inline int main_of_peer(int argc, char** argv, const std::function<Nanoseconds(Model&)>& run) {
  try {
    Model model(parse_options(argc, argv));
    const Nanoseconds wall = run(model);
    std::cout << model.results(wall).dump(2) << "\n";
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << argv[0] << ": " << error.what() << "\n";
    return EXIT_FAILURE;
  }
}

}  // namespace peers
