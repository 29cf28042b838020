// Where the manual tells more of what an error is about.
#pragma once

#include <string>
#include <string_view>

#include "experiments/base/diagnostics.h"

namespace experiments {

/// What `mlocksim help` calls the key at a path that words_of_key takes: `memory.swap.size`, `regions.size`,
/// `locker.script`.
[[nodiscard]] std::string topic_of_key(std::string_view path);

/// Whether `topic` means the key at that path: the end of its path, names and kinds of maps left out or not.
[[nodiscard]] bool means_key(std::string_view topic, std::string_view path);

/// `See: mlocksim help memory.swap.size` and a line break, for the keys that are wrong, at most three of them; of a key
/// that is not known the map that it stands in. Nothing where the manual has no topic for it.
[[nodiscard]] std::string see_manual(const InputError& error);
/// The same of an option: only how quantities are written, as usage is told otherwise.
[[nodiscard]] std::string see_manual(const UsageError& error);

}  // namespace experiments
