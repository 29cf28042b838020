#include "experiments/scenario/policy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/policy_knobs.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

// Where chunked_write is given nothing but if_contended: once for each page table, as often as cond_resched stands
// there.
constexpr int kLookForWaitersEvery = 512;

using models::Hold;
using models::HoldMode;

const Choices<HoldMode> kAllModes = [] {
  Choices<HoldMode> modes;
  for (const std::string_view name : models::kHoldModes) {
    modes.emplace_back(name, static_cast<HoldMode>(modes.size()));
  }
  return modes;
}();

std::optional<models::KernelVersion> kernel_of(const YamlField& field) {
  return field.parsed(parse_kernel, "the version of a kernel such as 6.4");
}

/// A mode that a path cannot have, and why.
struct Senseless {
  HoldMode mode;
  const char* why;
};

const std::vector<Senseless> kAllMakeSense;
const std::vector<Senseless> kSenselessForPopulate{{HoldMode::chunked_write,
                                                    "populating needs no write mode, so there is nothing to chunk: "
                                                    "drop_and_read with a batch gives way under read mode"}};
const std::vector<Senseless> kSenselessForMunmap{
    {HoldMode::drop_and_read,
     "once the VMAs are out of the map nobody finds the pages, so nothing is won by dropping the lock: use downgrade"},
    {HoldMode::chunked_write,
     "the map may not change while a munmap is half done: use downgrade, which zaps after the VMAs are out of the "
     "map"}};

std::optional<models::PageCount> batch_of(const YamlField& field) {
  const auto count = count_up_to(1 << 30)(field);
  return count ? std::optional(models::PageCount(*count)) : std::nullopt;
}

void refuse_where_senseless(const YamlField& field, HoldMode mode, const std::vector<Senseless>& senseless) {
  for (const Senseless& each : senseless) {
    if (each.mode == mode) field.refuse(each.why);
  }
}

/// The keys of a path that say how often it gives way.
void read_chunks(YamlMap& map, Hold& hold) {
  const auto batch = map.find("batch");
  const auto max_hold = map.find("max_hold");
  const auto if_contended = map.find("if_contended");
  const auto hand_over = map.find("hand_over");
  const bool chunked = hold.mode == HoldMode::chunked_write;
  const bool batched = chunked || hold.mode == HoldMode::drop_and_read;
  if (batch && !batched) batch->refuse("only drop_and_read and chunked_write give way every so many pages");
  if (max_hold && !chunked) max_hold->refuse("only chunked_write bounds its holds in time");
  if (if_contended && !chunked) if_contended->refuse("only chunked_write looks whether somebody waits");
  if (hand_over && !chunked) hand_over->refuse("only chunked_write gives write mode up to take it again");
  assign(hold.batch, batch, batch_of);
  assign(hold.max_hold, max_hold, positive_duration_of);
  assign(hold.if_contended, if_contended, truth_of);
  assign(hold.hand_over, hand_over, truth_of);
  if (!chunked || batch || max_hold) return;
  if (!hold.if_contended) map.refuse("chunked_write needs a batch, a max_hold or if_contended: true");
  hold.batch = models::PageCount(kLookForWaitersEvery);
}

/// The number of the word that `field` has.
std::optional<std::size_t> word_of(const YamlField& field, const PolicyKnob& knob) {
  if (knob.is_truth) {
    const auto truth = truth_of(field);
    return truth ? std::optional<std::size_t>(*truth ? 1 : 0) : std::nullopt;
  }
  Choices<std::size_t> choices;
  for (const KnobWord& each : knob.words) choices.emplace_back(each.word, choices.size());
  return choice_of(field, choices);
}

void read_knob(YamlMap& map, const PolicyKnob& knob, models::Policy& policy) {
  const auto field = knob.options.required ? map.require(knob.key) : map.find(knob.key);
  const auto word = field ? word_of(*field, knob) : std::nullopt;
  if (!word) return;
  knob.set(policy, *word);
  const char* const refusal = knob.options.refusal == nullptr ? nullptr : knob.options.refusal(policy);
  if (refusal != nullptr) field->refuse(refusal);
}

/// A key of a policy's file.
struct Path {
  const char* key;
  const char* expected = nullptr;  // null: no map, but the word of a knob
  bool required = false;
  Hold models::Policy::*hold = nullptr;  // how it holds mmap_sem, if that is part of it
  const std::vector<Senseless>& senseless = kAllMakeSense;
};

// In the order in which they are read: a knob may be refused for the value of one before it.
const std::vector<Path>& paths() {
  using models::Policy;
  constexpr const char* kHoldExpected = "a map such as {mode: downgrade}";
  static const std::vector<Path> paths = {
      {"rwsem"},
      {"populate", kHoldExpected, true, &Policy::populate, kSenselessForPopulate},
      {"munlock", kHoldExpected, true, &Policy::munlock},
      {"munmap", kHoldExpected, true, &Policy::munmap, kSenselessForMunmap},
      {"grow", kHoldExpected, false, &Policy::grow, kSenselessForPopulate},
      {"fault", "a map such as {lock: mmap_sem}"},
      {"proc", "a map such as {maps: per_vma, rollup_gives_way: true}"},
      {"madvise", "a map such as {zap: mmap_sem}"},
      {"userfaultfd", "a map such as {copy: mmap_sem}"},
      {"ksm", "a map such as {holes: visited}"},
      {"mempolicy", "a map such as {node: unlocked}"},
      {"mprotect", "a map such as {locked: populated}"},
      {"mremap", "a map such as {tables: whole}"},
      {"memlock"},
      {"lru_drain"},
  };
  return paths;
}

/// Mode and chunks of one path.
void read_hold(YamlMap& map, Hold& hold, const std::vector<Senseless>& senseless) {
  const auto mode = map.require("mode");
  assign(hold.mode, mode, [](const YamlField& value) { return choice_of<HoldMode>(value, kAllModes); });
  if (mode) refuse_where_senseless(*mode, hold.mode, senseless);
  read_chunks(map, hold);
}

void read_map(const YamlField& field, const Path& path, models::Policy& policy) {
  YamlMap map = field.map(path.expected);
  if (path.hold != nullptr) read_hold(map, policy.*path.hold, path.senseless);
  for (const PolicyKnob& knob : policy_knobs()) {
    if (std::string_view(knob.path) == path.key) read_knob(map, knob, policy);
  }
  map.refuse_unknown();
}

void read_path(YamlMap& map, const Path& path, models::Policy& policy) {
  if (path.hold == &models::Policy::grow) policy.grow = policy.populate;
  if (path.expected != nullptr) {
    const auto field = path.required ? map.require(path.key) : map.find(path.key);
    if (field) read_map(*field, path, policy);
    return;
  }
  for (const PolicyKnob& knob : policy_knobs()) {
    const bool meant = *knob.path == '\0' && std::string_view(knob.key) == path.key;
    if (meant) read_knob(map, knob, policy);
  }
}

models::Policy read_policy_keys(YamlMap& map) {
  models::Policy policy;
  assign(policy.name, map.require("name"), name_of);
  assign(policy.about, map.find("about"), text_of);
  assign(policy.kernel, map.find("kernel"), kernel_of);
  if (const auto notes = map.find("notes")) {
    for (const YamlField& note : notes->items("a list of texts"))
      assign(policy.notes.emplace_back(), std::optional(note), text_of);
  }
  for (const Path& path : paths()) read_path(map, path, policy);
  map.refuse_unknown();
  return policy;
}

}  // namespace

void check_policy(const YamlNode& root, std::vector<Diagnostic>& diagnostics) {
  if (YamlMap map = open_config(root, ConfigKind::policies, diagnostics)) (void)read_policy_keys(map);
}

std::optional<models::Policy> read_policy_value(const YamlField& field, const std::filesystem::path& scenario,
                                                std::vector<Diagnostic>& diagnostics) {
  const YamlNode& node = field.node();
  const bool derived = node.kind == YamlNode::Kind::map && find_entry(node, "from") != nullptr;
  if (derived && find_entry(node, "name") == nullptr) {
    field.refuse("expected a `name` of its own beside `from`: results tell policies by it");
  }
  std::optional<models::Policy> policy;
  read_config_value(field, ConfigKind::policies, scenario, diagnostics,
                    [&](YamlMap& map) { policy = read_policy_keys(map); });
  return policy;
}

std::vector<models::Policy> kernel_policies() {
  std::vector<models::Policy> kernels;
  for (const ConfigEntry& shipped : list_files(ConfigKind::policies)) {
    std::vector<Diagnostic> diagnostics;
    models::Policy policy;
    (void)read_config(shipped.path, ConfigKind::policies, diagnostics,
                      [&](YamlMap& map) { policy = read_policy_keys(map); });
    if (policy.kernel && diagnostics.empty()) kernels.push_back(std::move(policy));
  }
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const models::Policy& a, const models::Policy& b) { return a.kernel < b.kernel; });
  return kernels;
}

models::Policy read_policy(const std::filesystem::path& file) {
  std::vector<Diagnostic> diagnostics;
  models::Policy policy;
  (void)read_config(file, ConfigKind::policies, diagnostics, [&](YamlMap& map) { policy = read_policy_keys(map); });
  if (!diagnostics.empty()) throw InputError(diagnostics);
  return policy;
}

}  // namespace experiments
