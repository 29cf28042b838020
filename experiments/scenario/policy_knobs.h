// The knobs of a policy that are not how long a path holds mmap_sem (models/spec/policy.h): a row each.
//
// A row says where the knob stands in the file and in which words, where its value is kept, when it makes no sense, and
// what `list policies` shows for it. policy_file.cpp reads by it, compare/policy_table.cpp prints by it: a new knob is
// one row here, besides its member and the path that obeys it.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "models/spec/policy.h"

namespace experiments {

/// The columns of `list policies` that show knobs.
enum class PolicyColumn { none, semaphore, populate, munmap, fault, proc };

/// One value of a knob.
struct KnobWord {
  const char* word;        ///< in the file
  const char* shown = "";  ///< in the table
};

struct PolicyKnob {
  /// What is not the same for all.
  struct Options {
    PolicyColumn column = PolicyColumn::none;
    bool required = false;         ///< the map that it stands in must have it
    const char* legend = nullptr;  ///< what the table says of its last word, if it says anything
    /// Why a policy cannot have the value that it has, given what stands before it in the file; null: it can.
    const char* (*refusal)(const models::Policy& policy) = nullptr;
  };

  const char* path;             ///< the key of the map that it stands in; empty: it is a key of the policy itself
  const char* key;              ///< its own
  bool is_truth;                ///< true or false, instead of words
  std::vector<KnobWord> words;  ///< by number
  std::function<void(models::Policy&, std::size_t)> set;
  std::function<std::size_t(const models::Policy&)> value;
  Options options;

  /// What the table shows for the value of `policy`.
  [[nodiscard]] const char* shown(const models::Policy& policy) const { return words[value(policy)].shown; }
};

/// In the order of the file.
[[nodiscard]] const std::vector<PolicyKnob>& policy_knobs();

}  // namespace experiments
