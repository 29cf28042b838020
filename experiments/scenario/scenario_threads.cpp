#include "experiments/scenario/scenario_threads.h"

namespace experiments {

std::vector<std::string> thread_names(const models::Scenario& scenario) {
  std::vector<std::string> names;
  for (const models::ProcessSpec& process : scenario.processes) {
    for (const models::ThreadSpec& thread : process.threads) names.push_back(thread.name);
  }
  return names;
}

const models::ThreadSpec* thread_named(const models::Scenario& scenario, const std::string& name) {
  for (const models::ProcessSpec& process : scenario.processes) {
    for (const models::ThreadSpec& thread : process.threads) {
      if (thread.name == name) return &thread;
    }
  }
  return nullptr;
}

}  // namespace experiments
