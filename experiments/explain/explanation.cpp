#include "experiments/explain/explanation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>

#include "experiments/base/change.h"
#include "experiments/base/judgement.h"
#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/compare/autopsy.h"
#include "experiments/run/execute.h"
#include "experiments/scenario/edits.h"
#include "models/spec/competitors.h"

namespace experiments {

namespace {

using models::Cause;
using models::Result;
using sim::Nanoseconds;
using Results = std::vector<Result>;

/// Names of the classes that make requests, or make none, in the order of the scenario.
std::vector<std::string> classes_of(const models::Scenario& scenario, bool make_requests) {
  std::vector<std::string> names;
  for (const models::ProcessSpec& process : scenario.processes) {
    for (const models::ThreadSpec& thread : process.threads) {
      if (thread.count > 0 && models::makes_requests(thread) == make_requests) names.push_back(thread.name);
    }
  }
  return names;
}

// --- running ----------------------------------------------------------------------------------------------------

using Outcome = std::variant<Results, std::string>;

class Runner {
 public:
  Runner(const ExplainRequest& request, const std::function<void(std::size_t, std::size_t)>& watch)
      : request_(request), watch_(watch) {}

  /// Runs all variants of the scenario, each under every seed: the results, or why there are none.
  std::vector<Outcome> run(const std::vector<RunSpec>& variants) {
    std::deque<models::Scenario> scenarios;
    std::vector<Outcome> outcomes(variants.size());
    std::vector<Job> jobs;
    std::vector<std::size_t> variant_of;
    for (std::size_t variant = 0; variant < variants.size(); ++variant) {
      try {
        scenarios.push_back(read_run(variants[variant]).scenario);
      } catch (const InputError& error) {
        outcomes[variant] = std::string(error.what());
        continue;
      }
      for (int replication = 0; replication < request_.replications; ++replication) {
        const models::Scenario& scenario = scenarios.back();
        jobs.push_back(
            {&scenario, &scenario.policies.front(), scenario.seed + static_cast<std::uint64_t>(replication)});
        variant_of.push_back(variant);
      }
    }
    collect(jobs, variant_of, outcomes);
    return outcomes;
  }

 private:
  void collect(const std::vector<Job>& jobs, const std::vector<std::size_t>& variant_of,
               std::vector<Outcome>& outcomes) {
    all_ += jobs.size();
    const std::size_t before = done_;
    auto finished = execute(
        jobs, request_.workers, request_.options,
        [&](std::size_t done) {
          done_ = before + done;
          watch_(done_, all_);
        },
        [&] { watch_(done_, all_); });
    for (std::size_t job = 0; job < jobs.size(); ++job) {
      Outcome& outcome = outcomes[variant_of[job]];
      if (auto* const failure = std::get_if<Failure>(&finished[job])) {
        outcome = failure->reason;
      } else if (auto* const results = std::get_if<Results>(&outcome)) {
        results->push_back(std::get<Result>(std::move(finished[job])));
      }
    }
  }

  const ExplainRequest& request_;
  const std::function<void(std::size_t, std::size_t)>& watch_;
  std::size_t done_ = 0;
  std::size_t all_ = 0;
};

/// The run with more changed in it.
RunSpec variant_of(RunSpec run, const std::vector<std::string>& sets, const std::optional<std::string>& policy = {}) {
  run.sets.insert(run.sets.end(), sets.begin(), sets.end());
  if (policy) run.policy = policy;
  return run;
}

// --- who suffers ------------------------------------------------------------------------------------------------

Victim victim_of(const ClassChange& loss, const Results& together) {
  return {loss, wait_chains(together, class_id_of(together.front(), loss.class_name), loss.by)};
}

/// Whom it harms, whom not, and of whom that cannot be told: into `explanation`.
void sort_classes(Runner& runner, const RunSpec& run, const models::Scenario& scenario, const Results& together,
                  Explanation& explanation) {
  const std::vector<std::string> names = classes_of(scenario, true);
  std::vector<RunSpec> variants;
  for (const std::string& name : names) {
    variants.push_back(variant_of(run, alone(scenario, name, together.front().sim_time)));
  }
  const std::vector<Outcome> outcomes = runner.run(variants);
  std::vector<Victim>& victims = explanation.victims;
  for (std::size_t each = 0; each < names.size(); ++each) {
    if (const auto* const reason = std::get_if<std::string>(&outcomes[each])) {
      throw std::runtime_error(fmt::format("{} alone on the machine: {}", names[each], *reason));
    }
    const auto& alone_results = std::get<Results>(outcomes[each]);
    if (const auto ended = out_of_memory(names[each], alone_results)) {
      explanation.untold.push_back(*ended);
      continue;
    }
    if (const auto loss = suffering(alone_results, together, names[each])) {
      victims.push_back(victim_of(*loss, together));
    } else {
      explanation.unharmed.push_back(names[each]);
    }
  }
  for (const std::string& name : classes_of(scenario, false)) {
    if (const auto loss = suffering(together, name)) victims.push_back(victim_of(*loss, together));
  }
  std::stable_sort(victims.begin(), victims.end(), [](const Victim& a, const Victim& b) {
    return a.loss.by != b.loss.by ? a.loss.by < b.loss.by : a.loss.ratio > b.loss.ratio;
  });
}

std::vector<WaitChain> chains_that_matter(const std::vector<Victim>& victims) {
  std::vector<WaitChain> chains;
  for (const Victim& victim : victims) {
    for (const WaitChain& chain : victim.waits.chains) {
      if (victim.waits.share(chain.time) >= judgement::kWorthNaming) chains.push_back(chain);
    }
  }
  return chains;
}

// --- what happened ----------------------------------------------------------------------------------------------

/// The longest of the holds that a chain ends with, and the longest time that such a holder had no CPU.
std::string longest_hold(const Results& results, const models::LockBlame& root) {
  Nanoseconds hold{};
  Nanoseconds off_cpu{};
  std::uint64_t convoy = 0;
  for (const Result& result : results) {
    for (const models::LockResult& lock : result.locks) {
      if (lock.mutex.empty() != (root.lock != models::LockKind::mutex)) continue;
      const models::RwsemStatistics& statistics = lock.statistics;
      const auto found = statistics.hold.find({root.holder, call_of(root.phase), root.mode});
      if (found == statistics.hold.end()) continue;
      hold = std::max(hold, found->second.max());
      const auto& away = root.mode == models::LockMode::read ? statistics.read_off_cpu : statistics.write_off_cpu;
      for (const sim::Histogram* times : {&away.preempted, &away.granted}) {
        if (!times->empty()) off_cpu = std::max(off_cpu, times->max());
      }
      convoy = std::max(convoy, statistics.largest_convoy);
    }
  }
  if (hold == Nanoseconds{0} || root.lock == models::LockKind::vma) return "";  // these are not counted one by one
  std::string text = fmt::format("The longest such hold: {}", human(hold));
  const bool waits_to_run = root.doing == Cause::run_queue || root.doing == Cause::throttled;
  if (waits_to_run && off_cpu > Nanoseconds{0})
    text += fmt::format(", up to {} at a time without a CPU", human(std::min(hold, off_cpu)));
  if (convoy > 1) text += fmt::format("; up to {} readers at a time queued behind a writer", convoy);
  return text + ".";
}

std::string own_time(const Victim& victim) {
  std::string text;
  for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) {
    const double share = victim.waits.share(victim.waits.own[cause]);
    if (share < judgement::kWorthNaming || static_cast<Cause>(cause) == Cause::lock_wait) continue;
    text += fmt::format("{}{:.0f} % {}", text.empty() ? "" : ", ", 100 * share, to_string(static_cast<Cause>(cause)));
  }
  return text;
}

/// The chains of a victim that differ only in what the holder was about, as one.
struct MainChain {
  const Victim* victim;
  WaitChain chain;               ///< its `root` is that of the first part
  std::vector<WaitChain> parts;  ///< the one with the most time first
};

bool alike(const WaitChain& a, const WaitChain& b) {
  return a.through == b.through && a.root.holder == b.root.holder && a.root.mode == b.root.mode &&
         a.root.lock == b.root.lock;
}

/// Whether a sentence about `told` has told `chain`, too: the same end, and everybody on the way.
bool tells(const WaitChain& told, const WaitChain& chain, models::ClassId victim) {
  if (told.root != chain.root) return false;
  const auto on_the_way = [&](models::ClassId id) {
    return std::find(told.through.begin(), told.through.end(), id) != told.through.end();
  };
  return on_the_way(victim) && std::all_of(chain.through.begin(), chain.through.end(), on_the_way);
}

/// Those that much of a victim's time goes to. The longest first: they tell the shorter ones.
std::vector<MainChain> main_chains(const std::vector<Victim>& victims) {
  std::vector<MainChain> chains;
  for (const Victim& victim : victims) {
    const std::size_t first = chains.size();
    for (const WaitChain& chain : victim.waits.chains) {
      const auto known = std::find_if(chains.begin() + static_cast<std::ptrdiff_t>(first), chains.end(),
                                      [&](const MainChain& each) { return alike(each.chain, chain); });
      if (known == chains.end()) {
        chains.push_back({&victim, chain, {chain}});
      } else {
        known->chain.time += chain.time;
        known->parts.push_back(chain);
      }
    }
  }
  std::erase_if(
      chains, [&](const MainChain& each) { return each.victim->waits.share(each.chain.time) < judgement::kMainChain; });
  std::stable_sort(chains.begin(), chains.end(), [](const MainChain& a, const MainChain& b) {
    return a.chain.through.size() > b.chain.through.size();
  });
  return chains;
}

/// What the holder was about, where that was not always the same: `; in 46 % of that time it is one who is being
/// woken`.
std::string what_holders_do(const MainChain& main, const std::vector<std::string>& classes) {
  std::map<std::string, Nanoseconds> times;
  for (const WaitChain& part : main.parts) times[meanwhile(part.root, classes)] += part.time;
  std::string text;
  for (const auto& [doing, time] : times) {
    const double share = static_cast<double>(time.count()) / static_cast<double>(main.chain.time.count());
    if (doing.empty() || share < judgement::kWorthNaming) continue;
    text += fmt::format("; in {:.0f} % of that time it is one{}", 100 * share, doing.substr(1));
  }
  return text;
}

/// What a share is one of: `the time of mapper's slowest 12 requests (3 ms and longer)`.
std::string judged_by(const Victim& victim) {
  const std::string& name = victim.loss.class_name;
  if (victim.waits.requests == 0) return fmt::format("the time that {} waits for locks", name);
  if (victim.waits.by == Loss::longest) return fmt::format("{}'s longest request ({})", name, human(victim.waits.from));
  return fmt::format("the time of {}'s slowest {} requests ({} and longer)", name, victim.waits.requests,
                     human(victim.waits.from));
}

std::string sentence_about(const MainChain& main, const models::Scenario& scenario, const Results& results) {
  const std::vector<std::string> classes = results.front().class_names();
  const Victim& victim = *main.victim;
  const std::string& name = victim.loss.class_name;
  const WaitChain& first = main.parts.front();
  const bool always =
      static_cast<double>(first.time.count()) > judgement::kNearlyAll * static_cast<double>(main.chain.time.count());
  WaitChain chain = main.chain;
  std::vector<models::Phase> phases;
  for (const WaitChain& part : main.parts) {
    if (std::find(phases.begin(), phases.end(), part.root.phase) == phases.end()) phases.push_back(part.root.phase);
  }
  if (!always) chain.root.doing = Cause::cpu;
  return fmt::format("{}. That is {:.0f} % of {}{}. {}", in_words(chain, name, scenario, classes, phases),
                     100 * victim.waits.share(chain.time), judged_by(victim),
                     always ? "" : what_holders_do(main, classes), longest_hold(results, first.root));
}

std::vector<std::string> account_of(const std::vector<Victim>& victims, const models::Scenario& scenario,
                                    const Results& results) {
  std::vector<MainChain> told;
  const auto is_told = [&](const MainChain& main) {
    const models::ClassId id = class_id_of(results.front(), main.victim->loss.class_name);
    const double share = main.victim->waits.share(main.chain.time);
    return std::any_of(told.begin(), told.end(), [&](const MainChain& each) {
      return tells(each.chain, main.chain, id) &&
             each.victim->waits.share(each.chain.time) > share - judgement::kAboutAsMuch;
    });
  };
  for (const MainChain& main : main_chains(victims)) {
    if (!is_told(main)) told.push_back(main);
  }
  std::stable_sort(told.begin(), told.end(),
                   [](const MainChain& a, const MainChain& b) { return a.victim < b.victim; });
  std::vector<std::string> account;
  for (const MainChain& main : told) account.push_back(sentence_about(main, scenario, results));
  for (const Victim& victim : victims) {
    if (const std::string own = own_time(victim); !own.empty()) {
      const char* const whose =
          victim.waits.by == Loss::longest ? "longest request spends on its" : "slowest spend on their";
      account.push_back(fmt::format("What {}'s {} own account: {}.", victim.loss.class_name, whose, own));
    }
  }
  return account;
}

// --- what would help --------------------------------------------------------------------------------------------

/// Whether the class has made a request, and waited for it.
bool asked(const Results& results, const std::string& name) {
  return std::any_of(results.begin(), results.end(), [&](const Result& result) {
    const models::ClassResult* const found = result.find_class(name);
    return found != nullptr && found->longest() > Nanoseconds{0};
  });
}

/// In its tail, or by a stall that there was not.
bool gets_worse(const Results& together, const Results& results, const std::string& name) {
  const auto is_worse = [](const std::optional<ClassChange>& change) {
    return change && change->ratio > judgement::kAtTheCostOf && change->kind() == Change::longer;
  };
  const auto longest = change_by(Loss::longest, together, results, name);
  return is_worse(tail_change(together, results, name)) ||
         (is_worse(longest) && longest->after >= static_cast<double>(judgement::kStall.count()));
}

/// What a call takes, by replication: for each page that it was asked for, as remedies cut calls in pieces; or a call,
/// where it is not about pages. 0 where none has returned.
std::vector<double> costs_of(const Results& results, const std::string& class_name, const std::string& call) {
  std::vector<double> costs;
  for (const Result& result : results) {
    const models::ClassResult* const found = result.find_class(class_name);
    const bool called = found != nullptr && found->calls.contains(call);
    const models::CallRecord record = called ? found->calls.at(call) : models::CallRecord{};
    const auto units = static_cast<double>(record.pages > 0 ? record.pages : record.duration.count());
    costs.push_back(units == 0 ? 0 : static_cast<double>(record.duration.total().count()) / units);
  }
  return costs;
}

/// A call that takes longer than before, by a millisecond in a run or more; empty if it doesn't.
std::string price_of(const Results& together, const Results& results, const std::string& class_name,
                     const std::string& call) {
  const std::vector<double> before = costs_of(together, class_name, call);
  const std::vector<double> after = costs_of(results, class_name, call);
  const double ratio = mean_of(before) <= 0 ? 0 : mean_of(after) / mean_of(before);
  if (change_between(mean_of(before), mean_of(after), paired_difference(before, after)) != Change::longer) return "";
  const models::CallRecord& record = together.front().find_class(class_name)->calls.at(call);
  const double more = (ratio - 1) * static_cast<double>(record.duration.total().count());
  if (ratio <= 0 || more < static_cast<double>(judgement::kStall.count())) return "";
  return fmt::format("{}'s {} takes {:.2f} times as long{}", class_name, call, ratio,
                     record.pages > 0 ? ", page for page" : "");
}

/// Of those who are no victims: these have lines of their own.
void add_prices(const Results& together, const Results& results, Trial& trial) {
  for (const models::ClassResult& each : together.front().classes) {
    const bool victim = std::any_of(trial.victims.begin(), trial.victims.end(),
                                    [&](const ClassChange& change) { return change.class_name == each.name; });
    if (victim || trial.remedy.asks_otherwise == each.name) continue;
    for (const auto& [call, record] : each.calls) {
      if (record.duration.empty()) continue;
      const std::string price = price_of(together, results, each.name, call);
      if (!price.empty()) trial.prices.push_back(price);
    }
  }
}

Trial trial_of(const Remedy& remedy, const Outcome& outcome, const Results& together, const Explanation& explanation) {
  Trial trial{remedy, {}, {}, {}, {}, {}};
  if (const auto* const reason = std::get_if<std::string>(&outcome)) {
    trial.failure = *reason;
    return trial;
  }
  const auto& results = std::get<Results>(outcome);
  if (const auto ended = out_of_memory(remedy.label, results)) {
    trial.failure = what_happened(*ended);
    return trial;
  }
  for (const Victim& victim : explanation.victims) {
    const std::string& name = victim.loss.class_name;
    if (remedy.without == name) continue;
    const auto change = change_by(victim.loss.by, together, results, name);
    if (change && !(asked(together, name) && !asked(results, name))) {
      trial.victims.push_back(*change);
    } else {
      trial.failure = fmt::format("no request of {} was served", name);
    }
  }
  if (remedy.asks_otherwise && asked(together, *remedy.asks_otherwise) && !asked(results, *remedy.asks_otherwise)) {
    trial.failure = fmt::format("{} makes no request in a run of this length", *remedy.asks_otherwise);
  }
  for (const std::string& name : explanation.unharmed) {
    if (remedy.without != name && gets_worse(together, results, name)) trial.worse.push_back(name);
  }
  if (!remedy.price.empty()) trial.prices.push_back(remedy.price);
  add_prices(together, results, trial);
  return trial;
}

/// Whether two kernels do the same for each victim, as far as a reader cares: one that helps some of them is not one
/// that helps nobody.
bool alike(const Trial& one, const Trial& other) {
  if (one.failure != other.failure || one.worse != other.worse) return false;
  return std::equal(one.victims.begin(), one.victims.end(), other.victims.begin(), other.victims.end(),
                    [](const ClassChange& a, const ClassChange& b) {
                      const auto [less, more] = std::minmax(a.after, b.after);
                      const bool as_much = more - less <= judgement::kAboutAsMuch * more;
                      return a.kind() == b.kind() && (as_much || a.kind() != Change::shorter);
                    });
}

/// Kernels that follow each other and do the same become one trial, of the first of them.
std::vector<Trial> with_alike_kernels_as_one(std::vector<Trial> trials) {
  std::vector<Trial> merged;
  for (Trial& trial : trials) {
    const bool same =
        !merged.empty() && merged.back().remedy.kernels && trial.remedy.kernels && alike(merged.back(), trial);
    if (!same) {
      merged.push_back(std::move(trial));
      continue;
    }
    Remedy& span = merged.back().remedy;
    span.kernels->last = trial.remedy.kernels->last;
    span.label = to_text(*span.kernels);
  }
  return merged;
}

/// The policy that a run has, as the command line can say it.
YamlNode policy_of(const RunSpec& run, const YamlNode& root) {
  const std::filesystem::path folder = find_scenario(run.scenario).parent_path();
  const auto said = run.policy ? std::vector{*run.policy} : std::vector<std::string>{};
  return as_on_command_line(policies_of(root, said, folder).front(), folder);
}

std::vector<Trial> trials_of(Runner& runner, const ExplainRequest& request, const std::vector<Remedy>& remedies,
                             const Results& together, const Explanation& explanation) {
  std::vector<RunSpec> variants;
  for (const Remedy& remedy : remedies) variants.push_back(variant_of(request.run, remedy.sets, remedy.policy));
  const std::vector<Outcome> outcomes = runner.run(variants);
  std::vector<Trial> trials;
  for (std::size_t each = 0; each < remedies.size(); ++each) {
    trials.push_back(trial_of(remedies[each], outcomes[each], together, explanation));
    trials.back().command = to_command(variants[each]);
  }
  trials = with_alike_kernels_as_one(std::move(trials));
  std::stable_sort(trials.begin(), trials.end(), [](const Trial& a, const Trial& b) {
    if (a.helps() != b.helps()) return a.helps();
    return a.helps() || a.helped() == b.helped() ? a.ratio() < b.ratio() : a.helped() > b.helped();
  });
  return trials;
}

// --- words ------------------------------------------------------------------------------------------------------

std::string spelled(double nanoseconds) { return human(std::chrono::duration<double, std::nano>(nanoseconds)); }

std::string change_line(const ClassChange& change) {
  return fmt::format("{:<15} {:<6} {:>8} -> {:>8}  ({}{})", change.class_name, change.statistic.name,
                     spelled(change.before), spelled(change.after), factor_text(change.before, change.after),
                     difference_text(change.difference));
}

/// The lines of one trial.
std::string lines_of_trial(std::size_t place, const Trial& trial) {
  std::string text = fmt::format("{:>3}. {}\n", place, trial.remedy.label);
  if (!trial.failure.empty()) return text + fmt::format("       cannot be told: {}\n", trial.failure);
  for (const ClassChange& change : trial.victims) text += "       " + change_line(change) + "\n";
  if (!trial.worse.empty()) text += fmt::format("       at the cost of {}\n", fmt::join(trial.worse, ", "));
  if (!trial.prices.empty()) {
    text += std::string(7, ' ') + wrapped(fmt::format("price: {}", fmt::join(trial.prices, "; ")), page_width(), 14);
  }
  return text;
}

/// What is said below the victims of the measures that are no percentiles.
std::string footnotes(const std::vector<Victim>& victims) {
  std::string text;
  for (const Loss loss : {Loss::longest, Loss::lost}) {
    const auto found =
        std::find_if(victims.begin(), victims.end(), [&](const Victim& victim) { return victim.loss.by == loss; });
    if (found == victims.end()) continue;
    text += fmt::format("    {}: {}\n", found->loss.statistic.name, meaning_of(loss));
  }
  return text;
}

/// First of all: what such runs say about the rest is little.
std::string out_of_memory_note(const Explanation& explanation) {
  return explanation.out_of_memory ? to_text(*explanation.out_of_memory) + ": the figures end there.\n\n" : "";
}

std::string lines_of_untold(const Explanation& explanation) {
  std::string text;
  for (const OutOfMemory& each : explanation.untold) {
    text += fmt::format("    cannot be told of {}: alone it {}\n", each.who, what_happened(each));
  }
  return text;
}

std::string report_of(const Incident& incident) {
  const auto paragraph = [](const std::string& words) { return "    " + wrapped(words, line_width(), 6); };
  std::string text = fmt::format("The report ({})\n", fmt::join(incident.source, "; ")) + paragraph(incident.observed);
  if (!incident.guesses.empty()) text += paragraph(fmt::format("Not in it: {}", fmt::join(incident.guesses, "; ")));
  if (!incident.remedy.empty()) text += paragraph("What was done: " + incident.remedy);
  return text + "\n";
}

Json json_of(const Incident& incident) {
  return {{"source", incident.source},
          {"observed", incident.observed},
          {"guesses", incident.guesses},
          {"remedy", incident.remedy}};
}

Json json_of(const ClassChange& change) {
  Json json{{"class", change.class_name},
            {"statistic", change.statistic.name},
            {"before_ns", std::llround(change.before)},
            {"after_ns", std::llround(change.after)},
            {"ratio", std::isfinite(change.ratio) ? Json(change.ratio) : Json(nullptr)}};
  if (change.difference) {
    json["difference_ns"] = {{"mean", std::llround(change.difference->mean)},
                             {"low", std::llround(change.difference->low)},
                             {"high", std::llround(change.difference->high)}};
  }
  return json;
}

Json json_of(const Trial& trial) {
  Json json{{"remedy", trial.remedy.label}, {"helps", trial.helps()},   {"helped", trial.helped()},
            {"command", trial.command},     {"victims", Json::array()}, {"worse", trial.worse},
            {"prices", trial.prices}};
  if (!trial.failure.empty()) json["failure"] = trial.failure;
  for (const ClassChange& change : trial.victims) json["victims"].push_back(json_of(change));
  return json;
}

}  // namespace

double Trial::ratio() const {
  if (!failure.empty() || victims.empty()) return std::numeric_limits<double>::infinity();
  return std::max_element(victims.begin(), victims.end(),
                          [](const ClassChange& a, const ClassChange& b) { return a.ratio < b.ratio; })
      ->ratio;
}

std::size_t Trial::helped() const {
  if (!failure.empty()) return 0;
  return static_cast<std::size_t>(std::count_if(
      victims.begin(), victims.end(), [](const ClassChange& change) { return change.kind() == Change::shorter; }));
}

Explanation explain(const ExplainRequest& request, const std::function<void(std::size_t, std::size_t)>& watch) {
  Runner runner(request, watch);
  const ScenarioFile file = read_run(request.run);
  const models::Scenario& scenario = file.scenario;
  const Outcome outcome = runner.run({request.run}).front();
  if (const auto* const reason = std::get_if<std::string>(&outcome)) throw std::runtime_error(*reason);
  const auto& together = std::get<Results>(outcome);

  Explanation explanation;
  explanation.scenario = scenario.name;
  explanation.about = scenario.about;
  explanation.incident = file.incident;
  explanation.policy = scenario.policies.front().name;
  explanation.replications = together.size();
  explanation.command = to_command(request.run);
  explanation.out_of_memory = out_of_memory(explanation.policy, together);
  sort_classes(runner, request.run, scenario, together, explanation);
  explanation.account = account_of(explanation.victims, scenario, together);
  if (explanation.victims.empty()) return explanation;

  const YamlNode root = tree_of(request.run);
  std::vector<std::string> victims;
  for (const Victim& victim : explanation.victims) victims.push_back(victim.loss.class_name);
  const std::vector<Remedy> remedies =
      remedies_for({scenario, root, policy_of(request.run, root), victims, chains_that_matter(explanation.victims),
                    together.front().class_names(), together.front().sim_time});
  explanation.trials = trials_of(runner, request, remedies, together, explanation);
  return explanation;
}

std::string to_text(const Explanation& explanation) {
  const std::string report =
      out_of_memory_note(explanation) + (explanation.incident ? report_of(*explanation.incident) : "");
  if (explanation.victims.empty()) {
    return report +
           fmt::format(
               "Nobody suffers: no tail is {} times what it is with one thread of that class alone on the machine,\n"
               "no request took {} and {} times what is usual, and nobody waits {:.0f} % of the time for locks.\n",
               judgement::kFarAbove, human(judgement::kStall), judgement::kStallOfMedians,
               100 * judgement::kWorthNaming) +
           lines_of_untold(explanation);
  }
  std::string text =
      report +
      fmt::format("Who suffers under {}: from one thread alone on the machine to all together\n", explanation.policy);
  for (const Victim& victim : explanation.victims) text += "    " + change_line(victim.loss) + "\n";
  text += footnotes(explanation.victims);
  if (!explanation.unharmed.empty()) text += fmt::format("    not: {}\n", fmt::join(explanation.unharmed, ", "));
  text += lines_of_untold(explanation);
  text += "\nWhat happens\n";
  for (const std::string& sentence : explanation.account) text += "    " + wrapped(sentence, page_width(), 6);
  text += "\nWhat would help: each change alone, by the victim that it helps least\n";
  std::size_t place = 0;
  std::vector<std::string> useless;
  std::string some;
  for (const Trial& trial : explanation.trials) {
    if (trial.helps() || !trial.failure.empty()) {
      text += lines_of_trial(++place, trial);
    } else if (trial.helped() == 0) {
      useless.push_back(trial.remedy.label);
    }
  }
  if (place == 0) text += "    Nothing that was tried helps every victim.\n";
  for (const Trial& trial : explanation.trials) {
    if (!trial.helps() && trial.helped() > 0) some += lines_of_trial(++place, trial);
  }
  if (!some.empty()) text += "\nWhat would help some of them\n" + some;
  if (!useless.empty()) {
    text += "\n" + wrapped(fmt::format("Does not help: {}", fmt::join(useless, "; ")), page_width(), 4);
  }
  text += explanation.replications == 1
              ? fmt::format(
                    "\nOne replication: no confidence intervals, and only a factor of {} counts. --reps 5 runs five "
                    "seeds.\n",
                    judgement::kPlainChange)
              : fmt::format("\nDifferences: mean over {} seeds [95 % confidence].\n", explanation.replications);
  return text;
}

Json to_json(const Explanation& explanation) {
  Json json{{"schema", "mlocksim/1"},         {"explains", explanation.scenario},
            {"about", explanation.about},     {"policy", explanation.policy},
            {"command", explanation.command}, {"replications", explanation.replications},
            {"victims", Json::array()},       {"unharmed", explanation.unharmed},
            {"account", explanation.account}, {"trials", Json::array()}};
  if (explanation.out_of_memory) json["out_of_memory"] = to_json(*explanation.out_of_memory);
  for (const OutOfMemory& each : explanation.untold) json["untold"].push_back(to_json(each));
  if (explanation.incident) json["incident"] = json_of(*explanation.incident);
  for (const Victim& victim : explanation.victims) {
    Json each = json_of(victim.loss);
    each["slowest"] = {{"requests", victim.waits.requests}, {"from_ns", victim.waits.from.count()}};
    json["victims"].push_back(each);
  }
  for (const Trial& trial : explanation.trials) json["trials"].push_back(json_of(trial));
  return json;
}

}  // namespace experiments
