// What `import` has told of a trace, for a page: who waited for mmap_lock and who held it, the longest requests one by
// one, and what the trace does not show.
//
// Made from the JSON that `import --json` writes (docs/outputs.md).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/report/page_frame.h"
#include "experiments/run/result_json.h"

namespace experiments {

/// Whether this is what `import --json` writes.
[[nodiscard]] bool is_import(const Json& json);
/// Throws InputError where it is none.
[[nodiscard]] Json read_import(const std::filesystem::path& file);

/// One who asked for mmap_lock or held it, in one mode for one call. Times in ns.
struct TracedLockUser {
  std::string process;  ///< whose lock it is
  std::string who;      ///< `mapper write mmap`
  double count = 0;     ///< acquisitions, or holds
  double waited = 0;    ///< of acquisitions: those that had to wait
  double together = 0;
  double mean = 0;  ///< of those that waited, or of all holds
  double longest = 0;
};

/// All who asked, the longest together first; those too who had not to wait.
[[nodiscard]] std::vector<TracedLockUser> who_waited(const Json& import);
/// All who held it, the longest together first.
[[nodiscard]] std::vector<TracedLockUser> who_held(const Json& import);

/// `input`: the file, as it was given.
[[nodiscard]] std::string trace_page(const Json& import, const std::vector<DrawnOrNot>& figures,
                                     const std::string& files, const std::string& input);

}  // namespace experiments
