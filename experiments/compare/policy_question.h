// What a comparison of policies asks: which two of them are held against each other, and in what they differ.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "models/measure/phase.h"
#include "models/spec/policy.h"

namespace experiments {

struct PolicyQuestion {
  std::size_t before;                 ///< by number: the policy that the other one is held against
  std::size_t after;                  ///< the one that is asked about
  std::optional<models::Phase> call;  ///< of the one path on which they differ; none: they differ in more than that
  std::string question;               ///< in words, with a question mark
};

/// All that these policies answer. First each two of which one holds mmap_sem for write for all of a path, and the
/// other one does not, and nothing else differs: in the order of mlock, munlock, munmap. Then, for those that this does
/// not connect with the first policy, whether they are better than that.
[[nodiscard]] std::vector<PolicyQuestion> questions_between(const std::vector<models::Policy>& policies);

/// Whether one is better than the other, whatever they differ in.
[[nodiscard]] std::string which_is_better(const std::string& before, const std::string& after);

/// The keys of their files in which they differ: `munlock`, `munlock.rmap`.
[[nodiscard]] std::vector<std::string> keys_that_differ(const models::Policy& before, const models::Policy& after);

/// How a policy holds mmap_sem on the path of a call. Precondition: mlock, munlock or munmap.
[[nodiscard]] const models::Hold& hold_of(const models::Policy& policy, models::Phase call);

}  // namespace experiments
