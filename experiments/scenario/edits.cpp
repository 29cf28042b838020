#include "experiments/scenario/edits.h"

#include <fmt/format.h>

#include "experiments/base/quantity.h"

namespace experiments {

namespace {

/// A run that was to last as long as its lockers needs a length without them.
void add_duration(std::vector<std::string>& sets, const models::Scenario& scenario, bool locker_left,
                  sim::Nanoseconds sim_time) {
  if (!locker_left && !scenario.duration) sets.push_back("duration=" + spell(sim_time));
}

}  // namespace

std::string Member::set(const std::string& key, const std::string& value) const {
  return fmt::format("processes[{}].threads.{}.{}={}", process, thread->name, key, value);
}

std::vector<Member> members_of(const models::Scenario& scenario) {
  std::vector<Member> members;
  for (std::size_t process = 0; process < scenario.processes.size(); ++process) {
    for (const models::ThreadSpec& thread : scenario.processes[process].threads) {
      if (thread.count > 0) members.push_back({&thread, process});
    }
  }
  return members;
}

std::vector<std::string> without(const models::Scenario& scenario, const std::string& class_name,
                                 sim::Nanoseconds sim_time) {
  std::vector<std::string> sets;
  bool locker_left = false;
  bool locker_gone = false;
  for (const Member& member : members_of(scenario)) {
    const bool meant = member.thread->name == class_name;
    if (meant) sets.push_back(member.set("count", "0"));
    locker_left = locker_left || (!meant && member.locks());
    locker_gone = locker_gone || (meant && member.locks());
  }
  if (locker_gone) add_duration(sets, scenario, locker_left, sim_time);
  return sets;
}

std::vector<std::string> alone(const models::Scenario& scenario, const std::string& class_name,
                               sim::Nanoseconds sim_time) {
  std::vector<std::string> sets;
  for (const Member& member : members_of(scenario)) {
    sets.push_back(member.set("count", member.thread->name == class_name ? "1" : "0"));
  }
  add_duration(sets, scenario, false, sim_time);
  return sets;
}

}  // namespace experiments
