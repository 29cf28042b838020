#include "experiments/compare/policy_question.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "experiments/scenario/policy_knobs.h"

namespace experiments {

namespace {

using models::HoldMode;
using models::Phase;
using models::Policy;

/// A path whose lock mode the policies choose.
struct ChosenPath {
  models::Hold Policy::*hold;
  Phase call;
  const char* downgrade_question;
  const char* question;
};

constexpr ChosenPath kChosenPaths[] = {
    {&Policy::populate, Phase::mlock, "Does it help to downgrade mmap_sem while mlock populates?",
     "Does it help to populate under read mode after mlock has given up write mode?"},
    {&Policy::munlock, Phase::munlock, "Should the unlock path downgrade mmap_sem, too?",
     "Should the unlock path hold mmap_sem for write no longer than it must?"},
    {&Policy::munmap, Phase::munmap, "Does it help to downgrade mmap_sem while munmap zaps?", ""},
};

bool differ_only_in(const Policy& held, const Policy& downgraded, const ChosenPath& path) {
  Policy changed = held;
  changed.name = downgraded.name;
  changed.about = downgraded.about;
  changed.notes = downgraded.notes;
  changed.kernel = downgraded.kernel;
  changed.*path.hold = downgraded.*path.hold;
  // What goes with the path: the other populaters with populate, munlock within munmap with munmap.
  if (path.hold == &Policy::populate) changed.grow = downgraded.grow;
  if (path.hold == &Policy::munmap) changed.munlock_in_zap = downgraded.munlock_in_zap;
  return changed == downgraded && (held.*path.hold).mode == HoldMode::write_held &&
         (downgraded.*path.hold).mode != HoldMode::write_held;
}

const char* question_of(const Policy& downgraded, const ChosenPath& path) {
  return (downgraded.*path.hold).mode == HoldMode::downgrade ? path.downgrade_question : path.question;
}

/// Which policies some question connects.
class Connected {
 public:
  explicit Connected(std::size_t policies) : group_(policies) { std::iota(group_.begin(), group_.end(), 0); }

  [[nodiscard]] bool are(std::size_t one, std::size_t other) const { return group_[one] == group_[other]; }
  void connect(const PolicyQuestion& question) {
    std::replace(group_.begin(), group_.end(), std::size_t{group_[question.after]},
                 std::size_t{group_[question.before]});
  }

 private:
  std::vector<std::size_t> group_;
};

}  // namespace

std::vector<PolicyQuestion> questions_between(const std::vector<Policy>& policies) {
  std::vector<PolicyQuestion> questions;
  Connected connected(policies.size());
  const auto ask = [&](PolicyQuestion question) { connected.connect(questions.emplace_back(std::move(question))); };
  for (const ChosenPath& path : kChosenPaths) {
    for (std::size_t held = 0; held < policies.size(); ++held) {
      for (std::size_t other = 0; other < policies.size(); ++other) {
        if (!differ_only_in(policies[held], policies[other], path)) continue;
        ask({held, other, path.call, question_of(policies[other], path)});
      }
    }
  }
  for (std::size_t other = 1; other < policies.size(); ++other) {
    if (connected.are(0, other)) continue;
    ask({0, other, std::nullopt, which_is_better(policies[0].name, policies[other].name)});
  }
  return questions;
}

std::string which_is_better(const std::string& before, const std::string& after) {
  return fmt::format("Is {} better than {} for those who compete?", after, before);
}

std::vector<std::string> keys_that_differ(const Policy& before, const Policy& after) {
  std::vector<std::string> keys;
  for (const auto& [hold, key] : {std::pair{&Policy::populate, "populate"},
                                  {&Policy::munlock, "munlock"},
                                  {&Policy::munmap, "munmap"},
                                  {&Policy::grow, "grow"}}) {
    if (before.*hold != after.*hold) keys.emplace_back(key);
  }
  for (const PolicyKnob& knob : policy_knobs()) {
    if (knob.value(before) == knob.value(after)) continue;
    keys.push_back(*knob.path == '\0' ? knob.key : fmt::format("{}.{}", knob.path, knob.key));
  }
  return keys;
}

const models::Hold& hold_of(const Policy& policy, Phase call) {
  const auto* const path = std::find_if(std::begin(kChosenPaths), std::end(kChosenPaths),
                                        [&](const ChosenPath& each) { return each.call == call; });
  return policy.*path->hold;
}

}  // namespace experiments
