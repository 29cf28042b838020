// The kernels that are known by name: which release brought what, and what each version's policy is made of.
//
// configs/kernels/linux.yaml is a table of dated changes to a first composition: the rules of a version are those of
// the oldest with every change up to it laid over them. Distributions are a version, with what they have brought back
// from later ones and how they configure it. A version or a distribution is named as people name it: `linux-5.4`,
// `5.4`, `debian-12`, or what `uname -r` prints there. Versions that the table does not reach get the rules of the
// nearest older one, and say so.
//
// In the catalogue of files (config_catalogue.h) the table is like a folder: `.../linux.yaml/linux-5.4.yaml` is the
// policy that it makes of 5.4.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/base/quantity.h"
#include "experiments/scenario/yaml_reader.h"
#include "models/spec/policy.h"

namespace experiments {

/// What a release changed.
struct KernelChange {
  models::KernelVersion release;
  std::string what;
  std::string source;                              ///< the commit, or the file and version that it was read in
  bool from_memory = false;                        ///< the release is in no source that was found
  std::optional<models::KernelVersion> read_in{};  ///< from there on it has been read in a source all the same
  YamlNode policy{};                               ///< keys of a policy; null: none
  YamlNode scheduler{};                            ///< keys of a machine's scheduler; null: none
};

/// A distribution's kernel.
struct Distribution {
  std::string name;
  models::KernelVersion release;
  std::string about;                                        ///< what it has brought back, if anything
  std::string source;                                       ///< as of a change
  std::string uname;                                        ///< what its `uname -r` alone has in it; may be empty
  std::vector<std::pair<std::string, std::string>> config;  ///< by name: thp, mglru, preempt, hz ...
  bool from_memory = false;                                 ///< some of that
  YamlNode policy{};
  YamlNode scheduler{};
};

/// Releases that hold mmap_sem alike.
struct KernelSpan {
  models::KernelVersion first;
  models::KernelVersion last;
  std::string name;  ///< of the policy of the first: linux-6.4

  bool operator==(const KernelSpan&) const = default;
};

struct KernelTable {
  YamlNode oldest{};                            ///< the policy of the first release
  std::vector<models::KernelVersion> releases;  ///< all that are described, the oldest first
  std::vector<KernelChange> changes;            ///< the oldest first
  std::vector<Distribution> distributions;
};

/// Throws InputError.
[[nodiscard]] KernelTable read_kernel_table(const std::filesystem::path& file);

/// The shipped one. Throws InputError where it has mistakes.
[[nodiscard]] const KernelTable& kernel_table();

/// Those that differ in a rule, the oldest first; not those that differ in nothing but `unnoticed` keys of policies.
[[nodiscard]] std::vector<KernelSpan> kernel_spans(const std::vector<std::string>& unnoticed = {});

/// Those of all policies that it makes: linux-2.6.27 ... and the distributions.
[[nodiscard]] std::vector<std::string> kernel_names();

/// `Linux 6.4`, `Linux 6.4 to 6.5`, or `Linux 6.17 and later` where the table ends there.
[[nodiscard]] std::string to_text(const KernelSpan& span);

/// `.../linux.yaml/NAME.yaml` for a kernel that `name` means; a refusal where it is one older than the table; nothing
/// where it names no kernel.
[[nodiscard]] std::optional<Expected<std::filesystem::path>> find_kernel(const std::string& name);

/// The policy at such a path, as a file would have it; nothing if the path is none of these.
[[nodiscard]] std::optional<YamlNode> kernel_policy(const std::filesystem::path& path);

/// The keys of a machine's scheduler under that kernel: its era, and a distribution's tick, preemption and autogroups.
/// A refusal where there is no such kernel.
[[nodiscard]] Expected<YamlNode> kernel_scheduler(const std::string& name);

/// The release that a name means, or that its distribution is made of; nothing where it names no kernel.
[[nodiscard]] std::optional<models::KernelVersion> kernel_release(const std::string& name);

/// Mistakes in what the table says of policies and schedulers are found when these are read: gives each the key that it
/// has in the table, such as `changes[8].policy.rwsem`.
void name_as_in_table(std::vector<Diagnostic>& diagnostics);

/// Whether that kernel's distribution turns transparent huge pages on, in the word of its configuration; nothing where
/// the kernel is not a distribution's.
[[nodiscard]] std::optional<YamlNode> kernel_thp(const std::string& name);

/// Whether it turns MGLRU on: `mglru` or `classic`; nothing where the kernel is not a distribution's, as upstream
/// leaves it off (CONFIG_LRU_GEN_ENABLED).
[[nodiscard]] std::optional<YamlNode> kernel_reclaim(const std::string& name);

}  // namespace experiments
