#include "experiments/compare/verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <variant>
#include <vector>

#include "experiments/base/change.h"
#include "experiments/base/judgement.h"
#include "experiments/base/quantity.h"
#include "experiments/base/statistic_list.h"
#include "experiments/base/terminal.h"
#include "experiments/compare/policy_answer.h"
#include "experiments/compare/policy_question.h"
#include "experiments/run/result_json.h"

namespace experiments {

namespace {

using models::HoldMode;
using models::Phase;

// A paragraph. Where it goes on is neither the line nor what stands below it.
std::string lines(const std::string& text, std::size_t width, std::size_t indent) {
  return std::string(indent, ' ') + wrapped(text, width, std::max<std::size_t>(indent + 2, 4));
}

// The requests of an effect: of one path it is said above during which call they are due.
std::string label(const ClassEffect& effect, const PolicyAnswer& answer) {
  const Measure& measure = effect.measure;
  return answer.call ? measure.class_name : fmt::format("{}, {}", measure.class_name, measure.phase);
}

std::string effect_line(const ClassEffect& effect, const std::string& label, std::size_t label_width,
                        std::size_t width) {
  const std::string figures =
      fmt::format("    {:<{}} {:<6} {:>8} -> {:>8}", label, label_width,
                  find_statistic(effect.measure.statistic)->title, human(effect.before), human(effect.after));
  const std::string factor = fmt::format("({}{})", effect.factor(), difference_text(effect.difference));
  if (figures.size() + 2 + factor.size() <= width) return fmt::format("{}  {}\n", figures, factor);
  return figures + "\n" + lines(factor, width, 6);
}

std::string effect_lines(const PolicyAnswer& answer, std::size_t width) {
  std::size_t label_width = answer.call ? 15 : 0;
  for (const ClassEffect& effect : answer.effects) label_width = std::max(label_width, label(effect, answer).size());
  std::string text;
  for (const ClassEffect& effect : answer.effects)
    text += effect_line(effect, label(effect, answer), label_width, width);
  return text;
}

// Which calls of lockers are on the path of a call.
std::vector<std::string> syscalls_of(Phase call) {
  if (call == Phase::mlock) return {"mlock", "mlockall"};
  if (call == Phase::munlock) return {"munlock", "munlockall"};
  return {"munmap"};
}

// Of all calls of a kind; none if there were none.
std::optional<sim::Nanoseconds> mean_duration(const std::vector<models::Result>& results, const std::string& call) {
  sim::Histogram all;
  for (const models::Result& result : results) {
    for (const models::ClassResult& each : result.classes) {
      if (const auto found = each.calls.find(call); found != each.calls.end()) all.merge(found->second.duration);
    }
  }
  if (all.empty()) return std::nullopt;
  return sim::Nanoseconds{std::llround(all.mean())};
}

// What calls of lockers take under both policies; empty where there were none.
std::string durations(const Comparison& comparison, const PolicyQuestion& asked,
                      const std::vector<std::string>& syscalls) {
  for (const std::string& call : syscalls) {
    const auto before = mean_duration(comparison.results(asked.before), call);
    const auto after = mean_duration(comparison.results(asked.after), call);
    if (!before || !after) continue;
    const std::string instead = human(*after) == human(*before) ? "as before" : "instead of " + human(*before);
    return fmt::format("a {} takes {} {}", call, human(*after), instead);
  }
  return "";
}

// Of a path: nobody comes back for write mode in munmap.
std::string price_of_path(const Comparison& comparison, const PolicyQuestion& asked, std::size_t width) {
  const std::string takes = durations(comparison, asked, syscalls_of(*asked.call));
  if (*asked.call == Phase::munmap || takes.empty()) return "";
  std::uint64_t changed = 0;
  std::uint64_t eagain = 0;
  std::uint64_t missed = 0;
  for (const models::Result& result : comparison.results(asked.after)) {
    for (const models::LockResult& lock : result.locks) {
      changed += lock.vma_changed;
      eagain += lock.eagain;
      missed += lock.vma_change_missed;
    }
  }
  const std::string window = changed == 0
                                 ? "nobody changed the map in the window before write mode was back"
                                 : fmt::format(
                                       "in the window before write mode was back the map changed {} times ({} reported "
                                       "as -EAGAIN, {} that mattered and went unnoticed)",
                                       changed, eagain, missed);
  return lines(fmt::format("The price: {}; {}.", takes, window), width, 4);
}

std::string price(const Comparison& comparison, const PolicyQuestion& asked, std::size_t width) {
  if (asked.call) return price_of_path(comparison, asked, width);
  std::vector<std::string> all;
  for (const Phase call : {Phase::mlock, Phase::munlock, Phase::munmap}) {
    if (std::string takes = durations(comparison, asked, syscalls_of(call)); !takes.empty()) {
      all.push_back(std::move(takes));
    }
  }
  return all.empty() ? "" : lines(fmt::format("The locker: {}.", fmt::join(all, "; ")), width, 4);
}

// Readers that the downgrade should have let in, and that a queued writer kept out.
std::string convoy(const Comparison& comparison, const PolicyQuestion& asked, std::size_t width) {
  if (!asked.call) return "";
  std::map<models::LockBlame, sim::Nanoseconds> behind;
  sim::Nanoseconds behind_all{};
  sim::Nanoseconds all{};
  sim::Nanoseconds time{};
  for (const Row& row : comparison.rows()) {
    if (row.call != *asked.call) continue;
    const models::Blame blame = comparison.pooled(asked.after, row).blame();
    time = std::accumulate(blame.causes.begin(), blame.causes.end(), time);
    for (const auto& [lock, wait] : blame.lock_waits) {
      all += wait;
      if (lock.convoy < 0) continue;
      behind_all += wait;
      behind[{lock.holder, lock.phase, lock.mode, lock.convoy}] += wait;
    }
  }
  const bool little =
      behind_all * judgement::kConvoyOfWaitingOneIn < all || behind_all * judgement::kConvoyOneIn < time;
  if (little || behind_all == sim::Nanoseconds{0}) return "";
  const auto& [most, wait] =
      *std::max_element(behind.begin(), behind.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto classes = comparison.results(asked.after).front().class_names();
  const bool downgrades = hold_of(comparison.policy(asked.after), *asked.call).mode == HoldMode::downgrade;
  return lines(
      fmt::format(
          "The convoy: {:.0f} % of the waiting that is left is that of readers who stand behind a queued writer, most "
          "of all behind {}, which waits for the read hold of {} in {}.{}",
          100 * static_cast<double>(behind_all.count()) / static_cast<double>(all.count()),
          class_name(most.convoy, classes), class_name(most.holder, classes), to_string(most.phase),
          downgrades ? " One writer undoes the downgrade for everybody who comes after it." : ""),
      width, 4);
}

// What else a change may be due to.
std::string differences_in_words(const PolicyAnswer& answer) {
  const auto& keys = answer.differ_in;
  if (keys.empty()) return "They differ in nothing but their names.";
  if (keys.size() == 1) return fmt::format("They differ in {} only.", keys.front());
  return fmt::format("They differ in {}: these runs cannot tell which of them does it.", fmt::join(keys, ", "));
}

// What is asked of whom; of one path, of which requests.
std::string heading(const PolicyAnswer& answer, std::size_t width) {
  const std::string where = answer.call ? fmt::format(" ({} -> {}, requests due during {})", answer.before,
                                                      answer.after, to_string(*answer.call))
                                        : std::string();
  return lines(answer.question + where, width, 0);
}

std::string section(const Comparison& comparison, const PolicyQuestion& asked, std::size_t width) {
  const PolicyAnswer answer = answer_to(asked, comparison);
  return heading(answer, width) + lines(answer.in_words(), width, 2) +
         (answer.call ? "" : lines(differences_in_words(answer), width, 2)) + effect_lines(answer, width) +
         convoy(comparison, asked, width) + price(comparison, asked, width);
}

// One that is no sample: left out as warm-up, or never served.
const models::ClassResult* longest_hidden(const std::vector<models::Result>& results, sim::Nanoseconds than) {
  const models::ClassResult* longest = nullptr;
  for (const models::Result& result : results) {
    for (const models::ClassResult& each : result.classes) {
      if (each.longest() > (longest == nullptr ? than : longest->longest())) longest = &each;
    }
  }
  return longest;
}

// The longest request of all under each policy.
std::string remaining(const Comparison& comparison) {
  std::string text = "What remains: the longest request of all\n";
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    const Row* worst = nullptr;
    sim::Nanoseconds longest{-1};
    for (const Row& row : comparison.rows()) {
      const sim::Histogram& latency = comparison.pooled(policy, row).latency();
      if (latency.empty() || latency.max() <= longest) continue;
      longest = latency.max();
      worst = &row;
    }
    if (const auto* const hidden = longest_hidden(comparison.results(policy), longest)) {
      text += fmt::format("    {:<18} {:>8}  {}, no sample of the table\n", comparison.policy(policy).name,
                          human(hidden->longest()), hidden->name);
    } else if (worst != nullptr) {
      text += fmt::format("    {:<18} {:>8}  {}, due during {}\n", comparison.policy(policy).name, human(longest),
                          worst->class_name, to_string(worst->call));
    }
  }
  return text;
}

bool reclaims(models::Cause cause) {
  using models::Cause;
  return cause == Cause::direct_reclaim || cause == Cause::reclaim_throttle || cause == Cause::device_io;
}

// How much of the time of requests is reclaim, their own and that of those who hold what they wait for: while mlock
// takes memory.
std::string reclaim(const Comparison& comparison) {
  std::string text;
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    double all = 0;
    double own = 0;
    double others = 0;
    for (const Row& row : comparison.rows()) {
      if (row.call != Phase::mlock) continue;
      const models::Blame blame = comparison.pooled(policy, row).blame();
      for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) {
        const auto time = static_cast<double>(blame.causes[cause].count());
        all += time;
        if (reclaims(static_cast<models::Cause>(cause))) own += time;
      }
      for (const auto& [lock, wait] : blame.lock_waits) {
        if (reclaims(lock.doing)) others += static_cast<double>(wait.count());
      }
    }
    if (own + others <= judgement::kReclaimWorthSaying * all) continue;
    text += fmt::format("    {:<18} {:>5.1f} % their own, {:>5.1f} % waiting for a holder of mmap_sem who reclaims\n",
                        comparison.policy(policy).name, 100 * own / all, 100 * others / all);
  }
  return text.empty() ? ""
                      : "How much of the time of requests due during mlock is reclaim, with its I/O\n" + text + "\n";
}

std::string unfinished_note(const models::Result& result, const models::ClassResult& each) {
  const std::uint64_t served = each.total().latency().count();
  // A loop that keeps up has only the requests of a moment open, however short the run.
  const bool keeps_up =
      each.unfinished <= judgement::kOpenOfAMoment || each.unfinished * judgement::kOpenOneIn < served;
  if (!each.open_loop || keeps_up) return "";
  return fmt::format(
      "    {}, seed {}: the open loop {} is saturated: {} requests were due and not served when the run ended, {} "
      "were;\n"
      "    its latencies grow with the length of the run.\n",
      result.policy, result.seed, each.name, each.unfinished, served);
}

// The loops of a process that differ in nothing but in when they ask.
struct Loops {
  std::string closed;
  std::string open;
};

// Whether `closed` is a closed loop and `open` an open one that asks for the same.
bool differ_only_in_arrival(const models::ThreadSpec& closed, const models::ThreadSpec& open) {
  return std::visit(
      [&](auto changed) {
        if constexpr (requires { changed.arrival; }) {
          const auto* other = std::get_if<decltype(changed)>(&open.run);
          if (other == nullptr || !std::holds_alternative<models::ClosedLoop>(changed.arrival) ||
              !std::holds_alternative<models::OpenLoop>(other->arrival)) {
            return false;
          }
          changed.arrival = other->arrival;
          return changed == *other;
        }
        return false;
      },
      closed.run);
}

std::vector<Loops> loops_of(const models::Scenario& scenario) {
  std::vector<Loops> found;
  for (const models::ProcessSpec& process : scenario.processes) {
    for (const models::ThreadSpec& closed : process.threads) {
      for (const models::ThreadSpec& open : process.threads) {
        if (differ_only_in_arrival(closed, open)) found.push_back({closed.name, open.name});
      }
    }
  }
  return found;
}

// The p99 of all requests of a class, whenever they were due.
std::optional<sim::Nanoseconds> overall(const Comparison& comparison, std::size_t policy, const std::string& name) {
  sim::Histogram all;
  for (const Row& row : comparison.rows()) {
    if (row.class_name == name) all.merge(comparison.pooled(policy, row).latency());
  }
  return all.percentile(judgement::kGapQuantile);
}

// Where the p99 of an open loop is longest.
struct Worst {
  std::size_t policy = 0;
  Row row{};
  sim::Nanoseconds p99{-1};
};

std::optional<Worst> worst_of(const Comparison& comparison, const std::string& name) {
  Worst worst;
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    for (const Row& row : comparison.rows()) {
      if (row.class_name != name) continue;
      const auto p99 = comparison.pooled(policy, row).latency().percentile(judgement::kGapQuantile);
      if (p99 && *p99 > worst.p99) worst = {policy, row, *p99};
    }
  }
  return worst.p99 < sim::Nanoseconds{0} ? std::nullopt : std::optional(worst);
}

std::string gap(const Comparison& comparison, const Loops& loops) {
  const auto open = worst_of(comparison, loops.open);
  if (!open) return "";
  const sim::Histogram& closed = comparison.pooled(open->policy, {loops.closed, open->row.call}).latency();
  const auto closed_p99 = closed.percentile(judgement::kGapQuantile);
  // One that was asked too little meanwhile to have a p99 is judged by all that it asked for.
  const auto judged = closed_p99 ? closed_p99 : overall(comparison, open->policy, loops.closed);
  if (!judged) return "";
  if (static_cast<double>(open->p99.count()) <= judgement::kGapThatMatters * static_cast<double>(judged->count()))
    return "";
  return fmt::format(
      "    Under {}, p99 during {}: {} (closed loop, {} requests) {}, {} (open, {}) {}:\n"
      "    a closed loop asks nothing while it waits.\n",
      comparison.policy(open->policy).name, to_string(open->row.call), loops.closed, closed.count(),
      closed_p99 ? human(*closed_p99) : "-", loops.open, comparison.pooled(open->policy, open->row).latency().count(),
      human(open->p99));
}

// First of all: what such a run says about the rest is little.
std::string runs_out_of_memory(const Comparison& comparison) {
  std::string text;
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    for (const models::Result& result : comparison.results(policy)) {
      if (result.outcome != models::Outcome::out_of_memory) continue;
      text += fmt::format("{}, seed {}: OUT OF MEMORY after {}: {}; the figures end there.\n", result.policy,
                          result.seed, human(result.sim_time), out_of_memory_reason(result.memory));
    }
  }
  return text.empty() ? "" : text + "\n";
}

std::string caveats(const Comparison& comparison) {
  std::string text;
  if (comparison.replications() == 1) {
    text += "    One replication: no confidence intervals. --reps 5 runs five seeds and gives them.\n";
  }
  for (std::size_t policy = 0; policy < comparison.policies(); ++policy) {
    for (const models::Result& result : comparison.results(policy)) {
      for (const models::ClassResult& each : result.classes) text += unfinished_note(result, each);
    }
  }
  text +=
      "    - in the table: fewer than ten samples lie beyond that percentile (p99.9 needs 10,000 in all).\n"
      "    A closed loop asks nothing while it waits, so a long stall is one sample of it; an open loop counts each\n"
      "    request that falls due meanwhile.\n";
  return "To be known\n" + text + closed_loop_gaps(comparison);
}

}  // namespace

std::string closed_loop_gaps(const Comparison& comparison) {
  std::string text;
  for (const Loops& loops : loops_of(comparison.scenario())) text += gap(comparison, loops);
  return text;
}

std::string out_of_memory_reason(const models::MemoryResult& memory) {
  const models::ZoneCounts& pages = memory.at_end;
  const auto size = [](models::PageCount count) { return human(bytes_of(count)); };
  for (const models::GroupMemory& group : memory.groups) {
    if (!group.out_of_memory) continue;
    return fmt::format(
        "a charge to the group {} found nothing to reclaim among its {}: the OOM killer would have ended a process in "
        "it",
        group.name, size(group.at_end));
  }
  return fmt::format(
      "an allocation found nothing to reclaim in {} round{}, with {} locked, {} anonymous ({} in swap), "
      "{} page cache",
      memory.reclaim.futile_rounds, memory.reclaim.futile_rounds == 1 ? "" : "s", size(pages.unevictable),
      size(pages.inactive_anon + pages.active_anon), size(memory.swap_used),
      size(pages.inactive_file + pages.active_file));
}

std::string verdict(const Comparison& comparison, std::size_t width) {
  std::string text = runs_out_of_memory(comparison);
  for (const PolicyQuestion& asked : questions_between(comparison.scenario().policies)) {
    text += section(comparison, asked, width) + "\n";
  }
  if (comparison.policies() == 1) text += "One policy: there is none to hold it against. --policies A,B takes two.\n\n";
  return text + remaining(comparison) + "\n" + reclaim(comparison) + caveats(comparison);
}

}  // namespace experiments
