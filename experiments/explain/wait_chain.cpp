#include "experiments/explain/wait_chain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "experiments/compare/autopsy.h"
#include "experiments/run/result_json.h"
#include "experiments/scenario/scenario_threads.h"

namespace experiments {

namespace {

using models::Cause;
using models::ClassId;
using models::LockBlame;
using models::LockKind;
using sim::Nanoseconds;

using Through = std::vector<ClassId>;
using Times = std::map<std::pair<Through, LockBlame>, Nanoseconds>;

/// What a holder of `held` waits for: the locks of the other kind, by whom it waited for.
std::map<LockBlame, Nanoseconds> waits_of(const std::vector<models::Result>& results, ClassId holder, LockKind held) {
  std::map<LockBlame, Nanoseconds> waits;
  if (holder < 0) return waits;
  for (const models::Result& result : results) {
    for (const auto& [blame, time] : result.classes.at(static_cast<std::size_t>(holder)).lock_waits) {
      if (blame.lock != held) waits[blame] += time;
    }
  }
  return waits;
}

class Follower {
 public:
  explicit Follower(const std::vector<models::Result>& results) : results_(results) {}

  void follow(Through through, LockBlame blame, Nanoseconds time) {
    if (blame.convoy >= 0) through.push_back(std::exchange(blame.convoy, -1));
    const bool been_there = std::find(through.begin(), through.end(), blame.holder) != through.end();
    const auto waits = blame.doing == Cause::lock_wait && !been_there ? waits_of(results_, blame.holder, blame.lock)
                                                                      : std::map<LockBlame, Nanoseconds>{};
    if (waits.empty()) {
      times_[{std::move(through), blame}] += time;
    } else {
      through.push_back(blame.holder);
      hand_on(through, waits, time);
    }
  }

  [[nodiscard]] const Times& times() const { return times_; }

 private:
  /// Hands `time` on in proportion; what is left over by rounding goes to the last one.
  void hand_on(const Through& through, const std::map<LockBlame, Nanoseconds>& waits, Nanoseconds time) {
    const Nanoseconds all = std::accumulate(waits.begin(), waits.end(), Nanoseconds{0},
                                            [](Nanoseconds sum, const auto& each) { return sum + each.second; });
    Nanoseconds left = time;
    std::size_t number = 0;
    for (const auto& [blame, wait] : waits) {
      const bool last = ++number == waits.size();
      const double share = static_cast<double>(wait.count()) / static_cast<double>(all.count());
      const Nanoseconds part =
          last ? left
               : std::min(left, Nanoseconds{static_cast<std::int64_t>(static_cast<double>(time.count()) * share)});
      left -= part;
      if (part > Nanoseconds{0}) follow(through, blame, part);
    }
  }

  const std::vector<models::Result>& results_;
  Times times_;
};

/// `smaps (/proc/db/smaps)` or `locker (munlock.walk)`
std::string holder_in_words(const models::Scenario& scenario, const std::string& name,
                            const std::vector<models::Phase>& phases) {
  const models::ThreadSpec* const thread = thread_named(scenario, name);
  const auto* const reader = thread == nullptr ? nullptr : std::get_if<models::ProcReaderSpec>(&thread->run);
  if (reader == nullptr) {
    std::vector<std::string_view> names;
    for (const models::Phase phase : phases) names.push_back(to_string(phase));
    return fmt::format("{} ({})", name, fmt::join(names, ", "));
  }
  return fmt::format("{} (/proc/{}/{})", name, reader->target, to_string(reader->file));
}

/// `mmap_sem for read`, `the mutex heap_lock`
std::string held_in_words(const LockBlame& root, const models::Scenario& scenario, const std::string& holder) {
  if (root.lock != LockKind::mutex) return fmt::format("{} for {}", to_string(root.lock), to_string(root.mode));
  const models::ThreadSpec* const thread = thread_named(scenario, holder);
  return fmt::format("{} {}", to_string(root.lock), thread == nullptr ? "" : thread->mutex);
}

/// What shows what a class suffers: see wait_chains().
struct Slowest {
  Nanoseconds from{};
  models::Blame blame;
};

Slowest the_tail(const std::vector<models::Result>& results, ClassId victim) {
  const models::Samples samples = samples_of(results, victim);
  const Nanoseconds from = samples.tail_start();
  return {from, samples.blame_from(from)};
}

Slowest all_waits(const std::vector<models::Result>& results, ClassId victim) {
  Slowest all;
  for (const models::Result& result : results) {
    for (const auto& [blame, time] : result.classes.at(static_cast<std::size_t>(victim)).lock_waits) {
      all.blame.lock_waits[blame] += time;
      all.blame.causes[static_cast<std::size_t>(Cause::lock_wait)] += time;
    }
  }
  return all;
}

/// The longest request of the class that has ended.
const models::WorstRequest* longest_request(const std::vector<models::Result>& results, ClassId victim) {
  const models::WorstRequest* longest = nullptr;
  const auto look_at = [&](const models::WorstRequest& request) {
    if (longest == nullptr || request.latency > longest->latency) longest = &request;
  };
  for (const models::Result& result : results) {
    const models::ClassResult& each = result.classes.at(static_cast<std::size_t>(victim));
    if (!each.worst.empty()) look_at(each.worst.front());
    if (each.longest_warm_up) look_at(*each.longest_warm_up);
  }
  return longest;
}

Slowest the_longest(const models::WorstRequest& request) {
  Slowest longest{request.latency, {.count = 1, .causes = request.rest, .lock_waits = {}}};
  for (const models::WorstStep& step : request.steps) {
    longest.blame.causes[static_cast<std::size_t>(step.cause)] += step.to - step.from;
    if (step.lock) longest.blame.lock_waits[*step.lock] += step.to - step.from;
  }
  return longest;
}

Slowest slowest_of(const std::vector<models::Result>& results, ClassId victim, Loss loss) {
  if (loss == Loss::tail) return the_tail(results, victim);
  const models::WorstRequest* const request = loss == Loss::longest ? longest_request(results, victim) : nullptr;
  if (request == nullptr) return all_waits(results, victim);
  const std::string& name = results.front().classes.at(static_cast<std::size_t>(victim)).name;
  const bool unserved = std::any_of(results.begin(), results.end(), [&](const models::Result& result) {
    return longest_of(result, name) > request->latency;
  });
  // One that waits in thousands of short pieces has kept hardly any of them.
  const bool in_pieces = 2 * request->rest[static_cast<std::size_t>(Cause::lock_wait)] > request->latency;
  return unserved || in_pieces ? all_waits(results, victim) : the_longest(*request);
}

}  // namespace

double WaitChains::share(Nanoseconds time) const {
  return total == Nanoseconds{0} ? 0 : static_cast<double>(time.count()) / static_cast<double>(total.count());
}

models::Samples samples_of(const std::vector<models::Result>& results, ClassId id) {
  models::Samples all;
  for (const models::Result& result : results) all.merge(result.classes.at(static_cast<std::size_t>(id)).total());
  return all;
}

WaitChains wait_chains(const std::vector<models::Result>& results, ClassId victim, Loss loss) {
  const Slowest slowest = slowest_of(results, victim, loss);
  WaitChains found;
  found.by = loss;
  found.requests = slowest.blame.count;
  found.from = slowest.from;
  found.own = slowest.blame.causes;
  found.total = std::accumulate(found.own.begin(), found.own.end(), Nanoseconds{0});

  Follower follower(results);
  Nanoseconds followed{};
  for (const auto& [blame, time] : slowest.blame.lock_waits) {
    follower.follow({}, blame, time);
    followed += time;
  }
  found.own[static_cast<std::size_t>(Cause::lock_wait)] -= followed;
  for (const auto& [way, time] : follower.times()) found.chains.push_back({way.first, way.second, time});
  std::stable_sort(found.chains.begin(), found.chains.end(),
                   [](const WaitChain& a, const WaitChain& b) { return a.time > b.time; });
  return found;
}

std::string in_words(const WaitChain& chain, const std::string& victim, const models::Scenario& scenario,
                     const std::vector<std::string>& classes, const std::vector<models::Phase>& phases) {
  const LockBlame& root = chain.root;
  std::string waited_for = class_name(root.holder, classes);
  const std::string doing = meanwhile(root, classes);
  std::string text = fmt::format(
      "{}{}{} holds {}", holder_in_words(scenario, waited_for, phases.empty() ? std::vector{root.phase} : phases),
      doing, doing.empty() ? "" : ",", held_in_words(root, scenario, waited_for));
  for (auto waiting = chain.through.rbegin(); waiting != chain.through.rend(); ++waiting) {
    const std::string name = class_name(*waiting, classes);
    text += fmt::format("; {} waits for {}", name, std::exchange(waited_for, name));
  }
  return text + fmt::format("; {} {} {}", victim, chain.through.empty() ? "waits for" : "queues behind", waited_for);
}

}  // namespace experiments
