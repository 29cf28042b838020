// Changes to a scenario, spelled as --set takes them: so anybody can repeat them, and whatever reads scenarios checks
// them.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "models/spec/scenario.h"
#include "sim/time.h"

namespace experiments {

/// A thread, and where it is in the tree.
struct Member {
  const models::ThreadSpec* thread = nullptr;
  std::size_t process = 0;

  /// The --set that changes one of its keys.
  [[nodiscard]] std::string set(const std::string& key, const std::string& value) const;
  [[nodiscard]] bool locks() const { return std::holds_alternative<models::LockerSpec>(thread->run); }
};

/// The threads of a scenario, but for classes that have none. Refers to `scenario`.
[[nodiscard]] std::vector<Member> members_of(const models::Scenario& scenario);

/// The --set that leaves `class_name` alone on the machine: one thread of it, and nobody of the others. Without the
/// lockers the run lasts `sim_time`.
[[nodiscard]] std::vector<std::string> alone(const models::Scenario& scenario, const std::string& class_name,
                                             sim::Nanoseconds sim_time);

/// The --set that takes a class away. `sim_time`: how long the run then lasts if it was to last as long as that class.
[[nodiscard]] std::vector<std::string> without(const models::Scenario& scenario, const std::string& class_name,
                                               sim::Nanoseconds sim_time);

}  // namespace experiments
