// What could stand next in a command line: commands, options, shipped files, kernels, and keys for --set.
//
// Made of what the commands say of themselves, of the shipped files, and of what the readers ask for (file_format.h).
#pragma once

#include <string>
#include <vector>

#include "experiments/manual/pages.h"

namespace experiments {

struct Candidate {
  std::string word;   ///< the whole of it; more follows where it ends with `.`, `=` or `,`
  std::string about;  ///< perhaps empty

  bool operator==(const Candidate&) const = default;
};

/// In the place of a candidate: any file, any folder.
inline constexpr const char* kAnyFile = ":files";
inline constexpr const char* kAnyFolder = ":folders";

/// What the last of `words` could be, which follow `mlocksim`. `topics`: of the manual. Never throws for what is wrong
/// in them, or in files that they name.
[[nodiscard]] std::vector<Candidate> candidates(const std::vector<std::string>& words,
                                                const std::vector<CommandWords>& commands,
                                                const std::vector<std::string>& topics);

/// Whether it is known what can stand where a command's help says `value` (`FILE`, `N`): for the test.
[[nodiscard]] bool is_known_value(const std::string& value);

}  // namespace experiments
