#include "experiments/host/trace/replay_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "experiments/base/judgement.h"
#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/host/trace/replay_scenario.h"

namespace experiments {

namespace {

struct ClassWaits {
  sim::Nanoseconds together{};
  sim::Nanoseconds longest{};
};

/// By the names that the scenario has given the classes.
std::map<std::string, ClassWaits> waits_by_class(const models::Result& result) {
  std::map<std::string, ClassWaits> all;
  for (const models::LockResult& lock : result.locks) {
    for (const auto& [asker, waits] : lock.statistics.asked) {
      if (asker.asker < 0 || waits.contended() == 0) continue;
      ClassWaits& each = all[replayed_name(result.classes[static_cast<std::size_t>(asker.asker)].name)];
      each.together += waits.wait.total();
      each.longest = std::max(each.longest, waits.longest());
    }
  }
  return all;
}

/// How long any mmap_lock was held, by whomever.
sim::Nanoseconds held(const models::Result& result) {
  sim::Nanoseconds sum{};
  for (const models::LockResult& lock : result.locks) {
    for (const auto& [holds, lengths] : lock.statistics.hold) sum += lengths.total();
  }
  return sum;
}

constexpr sim::Nanoseconds kShortest{1};

std::string ratio(sim::Nanoseconds replayed, sim::Nanoseconds recorded) {
  if (recorded == sim::Nanoseconds{0}) return "-";
  return fmt::format("{:+.0f} %",
                     100.0 * (static_cast<double>(replayed.count()) / static_cast<double>(recorded.count()) - 1));
}

// Who waits a few times only meets whom it meets by chance.
std::string chances(const std::vector<ReplayedWaits>& all, std::size_t replays) {
  std::vector<std::string> texts;
  for (const ReplayedWaits& each : all) {
    const double least = static_cast<double>(std::max(each.least_replayed, kShortest).count());
    if (static_cast<double>(each.most_replayed.count()) < judgement::kPlainChange * least) continue;
    texts.push_back(fmt::format("{} from {} to {}", each.name, human(each.least_replayed), human(each.most_replayed)));
  }
  if (texts.empty()) return "";
  const std::string text = fmt::format("By chance, of {} seeds: {}", replays, fmt::join(texts, ", "));
  return "    " + wrapped(text, page_width(), 4);
}

}  // namespace

std::vector<ReplayedWaits> replayed_waits(const models::Result& recorded, const std::vector<models::Result>& replays) {
  std::map<std::string, ReplayedWaits> all;
  for (const auto& [name, waits] : waits_by_class(recorded)) {
    all[name].recorded = waits.together;
    all[name].longest_recorded = waits.longest;
  }
  std::vector<std::map<std::string, ClassWaits>> waits_of_replays;
  for (const models::Result& replayed : replays) {
    for (const auto& [name, waits] : waits_of_replays.emplace_back(waits_by_class(replayed))) all.try_emplace(name);
  }
  for (auto& [name, waits] : all) {
    std::vector<sim::Nanoseconds> together;
    std::vector<sim::Nanoseconds> longest;
    for (auto& replay : waits_of_replays) {
      together.push_back(replay[name].together);
      longest.push_back(replay[name].longest);
    }
    std::sort(together.begin(), together.end());
    std::sort(longest.begin(), longest.end());
    waits.replayed = together[together.size() / 2];
    waits.longest_replayed = longest[longest.size() / 2];
    waits.least_replayed = together.front();
    waits.most_replayed = together.back();
  }
  std::vector<ReplayedWaits> sorted;
  for (auto& [name, waits] : all) {
    waits.name = name;
    if (waits.recorded + waits.replayed > sim::Nanoseconds{0}) sorted.push_back(waits);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ReplayedWaits& a, const ReplayedWaits& b) { return a.recorded > b.recorded; });
  return sorted;
}

std::string replay_check(const models::Result& recorded, const std::vector<models::Result>& replays) {
  const std::vector<ReplayedWaits> all = replayed_waits(recorded, replays);
  std::string text = fmt::format("    {:<16} {:>9} {:>9} {:>8} {:>9} {:>9} {:>8}\n", "waits of", "together", "replayed",
                                 "", "longest", "replayed", "");
  for (const ReplayedWaits& each : all) {
    text += fmt::format("    {:<16} {:>9} {:>9} {:>8} {:>9} {:>9} {:>8}\n", each.name, human(each.recorded),
                        human(each.replayed), ratio(each.replayed, each.recorded), human(each.longest_recorded),
                        human(each.longest_replayed), ratio(each.longest_replayed, each.longest_recorded));
  }
  text += chances(all, replays.size());
  const sim::Nanoseconds before = held(recorded);
  const sim::Nanoseconds after = held(replays.front());
  const auto factor = static_cast<double>(after.count()) / static_cast<double>(std::max(before, kShortest).count());
  if (factor * judgement::kPlainChange > 1 && factor < judgement::kPlainChange) return text;
  return text + "    " +
         wrapped(fmt::format("mmap_lock was held for {} in the recording and for {} in the replay: the costs of the "
                             "scenario's machine, or who has the CPUs, are not those of the trace. --holds replays "
                             "calls as they were; `mlocksim calibrate` on that machine measures its costs",
                             human(before), human(after)),
                 page_width(), 4);
}

}  // namespace experiments
