#include "experiments/explain/remedy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <variant>

#include "experiments/base/judgement.h"
#include "experiments/base/quantity.h"
#include "experiments/run/result_json.h"
#include "experiments/scenario/edits.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/yaml_text.h"
#include "experiments/study/study_plan.h"
#include "models/spec/competitors.h"

namespace experiments {

namespace {

using models::Cause;
using models::HoldMode;
using models::LockBlame;
using models::Phase;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// --- what a policy can be changed in -----------------------------------------------------------------------------

/// Keys of a policy and what they are changed to.
using PolicyKeys = std::vector<std::pair<std::string, std::string>>;

/// A change of the policy against what a holder of mmap_sem was doing.
struct PolicyRemedy {
  std::vector<Phase> phases;  ///< what it was doing
  /// Whether it would change anything. `holder`: null if it is no thread of the scenario.
  bool (*applies)(const models::Policy& policy, const models::ThreadSpec* holder);
  const char* label;
  const char* name;  ///< of the changed policy
  PolicyKeys keys;
  bool under_vma_locks = false;  ///< it needs the locks of VMAs
};

template <models::ProcReaderSpec::File kFile>
bool reads(const models::Policy&, const models::ThreadSpec* holder) {
  const auto* const reader = holder == nullptr ? nullptr : std::get_if<models::ProcReaderSpec>(&holder->run);
  return reader != nullptr && reader->file == kFile;
}

bool reads_rollup_to_the_end(const models::Policy& policy, const models::ThreadSpec* holder) {
  return reads<models::ProcReaderSpec::File::smaps_rollup>(policy, holder) && !policy.proc.rollup_gives_way;
}

bool zaps(const models::Policy& policy, const models::ThreadSpec* holder) {
  const auto* const caller = holder == nullptr ? nullptr : std::get_if<models::MadviserSpec>(&holder->run);
  return caller != nullptr && caller->advice == models::Advice::dontneed && !policy.zap_under_vma_lock;
}

template <models::Hold models::Policy::*kPath>
bool held_for_write(const models::Policy& policy, const models::ThreadSpec*) {
  return (policy.*kPath).mode == HoldMode::write_held;
}

bool populates_without_end(const models::Policy& policy, const models::ThreadSpec*) {
  return policy.populate.mode != HoldMode::drop_and_read || policy.populate.batch == models::PageCount(0);
}

bool munlocks_before_it_zaps(const models::Policy& policy, const models::ThreadSpec*) { return !policy.munlock_in_zap; }

bool waits_for_io(const models::Policy& policy, const models::ThreadSpec*) { return !policy.retry_on_io; }

/// In the order in which they are tried.
const std::vector<PolicyRemedy>& policy_remedies() {
  using File = models::ProcReaderSpec::File;
  using models::Policy;
  const std::vector<Phase> munmap{Phase::munmap_munlock, Phase::munmap_zap};
  static const std::vector<PolicyRemedy> remedies = {
      {{Phase::proc_read},
       reads<File::maps>,
       "maps under per-VMA locks",
       "maps_per_vma",
       {{"proc.maps", "per_vma"}},
       true},
      {{Phase::proc_read},
       reads<File::smaps>,
       "smaps under per-VMA locks",
       "smaps_per_vma",
       {{"proc.smaps", "per_vma"}},
       true},
      {{Phase::proc_read},
       reads<File::smaps_rollup>,
       "smaps_rollup under per-VMA locks",
       "smaps_rollup_per_vma",
       {{"proc.smaps_rollup", "per_vma"}},
       true},
      {{Phase::proc_read},
       reads<File::numa_maps>,
       "numa_maps under per-VMA locks",
       "numa_maps_per_vma",
       {{"proc.numa_maps", "per_vma"}},
       true},
      {{Phase::proc_read},
       reads_rollup_to_the_end,
       "smaps_rollup gives way to waiters",
       "rollup_gives_way",
       {{"proc.rollup_gives_way", "true"}}},
      {{Phase::mlock_populate},
       held_for_write<&Policy::populate>,
       "mlock downgrades to populate",
       "populate_downgrade",
       {{"populate.mode", "downgrade"}, {"grow.mode", "downgrade"}}},
      {{Phase::mlock_populate},
       populates_without_end,
       "populate gives way every 512 pages",
       "populate_batches",
       {{"populate.mode", "drop_and_read"},
        {"populate.batch", "512"},
        {"grow.mode", "drop_and_read"},
        {"grow.batch", "512"}}},
      {{Phase::munlock_walk},
       held_for_write<&Policy::munlock>,
       "munlock downgrades for its walk",
       "munlock_downgrade",
       {{"munlock.mode", "downgrade"}}},
      {{Phase::munlock_walk},
       held_for_write<&Policy::munlock>,
       "munlock gives way when somebody waits",
       "munlock_if_contended",
       {{"munlock.mode", "chunked_write"}, {"munlock.if_contended", "true"}}},
      {{Phase::munlock_walk},
       held_for_write<&Policy::munlock>,
       "munlock gives way every 512 pages, and hands over",
       "munlock_handed_over",
       {{"munlock.mode", "chunked_write"}, {"munlock.batch", "512"}, {"munlock.hand_over", "true"}}},
      {munmap,
       held_for_write<&Policy::munmap>,
       "munmap zaps under read mode",
       "munmap_downgrade",
       {{"munmap.mode", "downgrade"}}},
      {munmap,
       munlocks_before_it_zaps,
       "munmap munlocks and zaps under read mode",
       "munmap_in_zap",
       {{"munmap.mode", "downgrade"}, {"munmap.munlock", "in_zap"}}},
      {{Phase::madvise},
       zaps,
       "madvise zaps under per-VMA locks",
       "madvise_per_vma",
       {{"madvise.zap", "per_vma"}},
       true},
      {{Phase::fault}, waits_for_io, "faults give way to I/O", "fault_retry", {{"fault.retry_on_io", "true"}}},
  };
  return remedies;
}

class Chooser {
 public:
  explicit Chooser(const Diagnosis& diagnosis)
      : diagnosis_(diagnosis),
        scenario_(diagnosis.scenario),
        policy_(diagnosis.scenario.policies.front()),
        members_(members_of(diagnosis.scenario)) {}

  std::vector<Remedy> choose() {
    for (const Member& member : members_) add_without(member);
    add_without_noise();
    add_without_huge_pages();
    add_other_reclaim();
    for (const models::GroupSpec& group : scenario_.groups) add_memory_high(group);
    for (const Member& member : members_) add_less_often(member);
    for (const WaitChain& chain : diagnosis_.chains) add_other_calls(chain);
    for (const WaitChain& chain : diagnosis_.chains) add_for_scheduling(chain.root);
    for (const WaitChain& chain : diagnosis_.chains) add_for_phase(chain.root);
    add_for_faults();
    add_kernels();
    return std::move(remedies_);
  }

 private:
  void add(Remedy remedy) {
    const bool known = std::any_of(remedies_.begin(), remedies_.end(),
                                   [&](const Remedy& other) { return other.label == remedy.label; });
    if (!known) remedies_.push_back(std::move(remedy));
  }

  // --- competitors ----------------------------------------------------------------------------------------------

  void add_without(const Member& member) {
    const std::string& name = member.thread->name;
    const bool only_victim = diagnosis_.victims.size() == 1 && diagnosis_.victims.front() == name;
    if (only_victim) return;
    add({without_text(*member.thread), without(scenario_, name, diagnosis_.sim_time), std::nullopt, name});
  }

  /// The kernel's own threads under the name of what they can be switched off by, whatever they are called here.
  [[nodiscard]] static std::string without_text(const models::ThreadSpec& thread) {
    if (std::holds_alternative<models::NumaBalancingSpec>(thread.run)) return "without NUMA balancing";
    if (std::holds_alternative<models::KhugepagedSpec>(thread.run)) return "without khugepaged";
    if (std::holds_alternative<models::KsmSpec>(thread.run)) return "without KSM";
    return fmt::format("without {}", thread.name);
  }

  void add_without_noise() {
    if (scenario_.machine.noise != models::NoiseSpec{}) add({"without noise", {"machine.noise=none"}, {}, {}});
  }

  void add_without_huge_pages() {
    const auto left_to_thp = [](const models::RegionSpec& region) { return !region.folio_order; };
    const bool any = std::any_of(scenario_.processes.begin(), scenario_.processes.end(), [&](const auto& process) {
      return std::any_of(process.regions.begin(), process.regions.end(), left_to_thp);
    });
    if (scenario_.machine.thp != models::Thp::always || !any) return;
    add({.label = "THP: madvise",
         .sets = {"machine.thp=madvise"},
         .price = "every walk of those regions takes a step for each 4 KiB"});
  }

  /// Where memory runs short, of the machine or of a group.
  void add_other_reclaim() {
    const bool limited = std::any_of(scenario_.groups.begin(), scenario_.groups.end(),
                                     [](const models::GroupSpec& group) { return models::limits_memory(group); });
    const bool reclaims = std::any_of(diagnosis_.chains.begin(), diagnosis_.chains.end(), [](const WaitChain& chain) {
      return chain.root.doing == Cause::direct_reclaim || chain.root.phase == Phase::aging;
    });
    const bool short_of_it = limited || reclaims || scenario_.memory.background > models::Bytes(0);
    if (!short_of_it || scenario_.memory.era != models::ReclaimEra::linux_6_1) return;
    if (scenario_.machine.reclaim == models::ReclaimKind::classic) {
      add({"MGLRU", {"machine.reclaim=mglru"}, {}, {}});
    } else {
      add({"classic LRU lists", {"machine.reclaim=classic"}, {}, {}});
    }
  }

  /// What a group takes beyond memory.high is reclaimed with no lock held, so that it comes less often to memory.max.
  void add_memory_high(const models::GroupSpec& group) {
    if (!group.memory_max || (group.memory_high && *group.memory_high < *group.memory_max)) return;
    const models::PageCount tenth(models::pages_of(*group.memory_max).count() / 10);
    const models::PageCount high = models::pages_of(*group.memory_max) - std::max(tenth, models::PageCount(1));
    if (high <= models::PageCount(0)) return;
    add({.label = fmt::format("memory.high of {} below its memory.max", group.name),
         .sets = {fmt::format("groups.{}.memory_high={}", group.name, spell(models::bytes_of(high)))},
         .price = fmt::format("{} has {} less for what it keeps in memory", group.name,
                              human(models::bytes_of(models::pages_of(*group.memory_max) - high)))});
  }

  /// Those that somebody waits for.
  [[nodiscard]] bool in_the_way(const std::string& name) const {
    return std::any_of(diagnosis_.chains.begin(), diagnosis_.chains.end(), [&](const WaitChain& chain) {
      const auto is = [&](models::ClassId id) { return class_name(id, diagnosis_.classes) == name; };
      return is(chain.root.holder) || std::any_of(chain.through.begin(), chain.through.end(), is);
    });
  }

  void add_less_often(const Member& member) {
    if (!in_the_way(member.thread->name)) return;
    std::vector<std::string> rarely;
    for (const char* const key : {"closed.think", "closed.compute", "open.every", "every"}) {
      const auto often = text_at(member, key);
      const auto scaled_up = often ? std::optional(scaled(*often, judgement::kLessOften)) : std::nullopt;
      if (scaled_up && *scaled_up && **scaled_up != *often) rarely.push_back(member.set(key, **scaled_up));
    }
    if (!rarely.empty() && !models::comes_once(*member.thread)) {
      add({.label = fmt::format("{} ten times less often", member.thread->name),
           .sets = rarely,
           .asks_otherwise = member.thread->name});
    }
    if (member.thread->count > 1) {
      const int half = member.thread->count / 2;
      add({fmt::format("{} with {} thread{}", member.thread->name, half, half == 1 ? "" : "s"),
           {member.set("count", std::to_string(half))},
           {},
           {}});
    }
  }

  /// What the tree has at a key of a thread, such as `closed.think`; null where it has nothing there.
  [[nodiscard]] const YamlNode* node_at(const Member& member, const std::string& path) const {
    const YamlEntry* const processes = find_entry(diagnosis_.root, "processes");
    if (processes == nullptr || member.process >= processes->value.entries.size()) return nullptr;
    const YamlNode* node = &processes->value.entries[member.process].value;
    std::vector<std::string> keys{"threads", member.thread->name};
    const std::size_t dot = path.find('.');
    keys.push_back(path.substr(0, dot));
    if (dot != std::string::npos) keys.push_back(path.substr(dot + 1));
    for (const std::string& key : keys) {
      const YamlEntry* const entry = node->kind == YamlNode::Kind::map ? find_entry(*node, key) : nullptr;
      if (entry == nullptr) return nullptr;
      node = &entry->value;
    }
    return node;
  }

  [[nodiscard]] std::optional<std::string> text_at(const Member& member, const std::string& path) const {
    const YamlNode* const node = node_at(member, path);
    return node != nullptr && node->kind == YamlNode::Kind::scalar ? std::optional(node->scalar) : std::nullopt;
  }

  // --- what a holder could call instead -------------------------------------------------------------------------

  void add_other_calls(const WaitChain& chain) {
    // Who waits itself for another lock holds a mutex longer than it need: everybody on the way.
    for (const models::ClassId id : chain.through) {
      if (const Member* const member = member_of(id)) add_without_mutex(*member);
    }
    const Member* const holder = member_of(chain.root.holder);
    if (holder == nullptr) return;
    add_without_mutex(*holder);
    add_smaller_calls(*holder);
    add_script(*holder, chain.root.phase);
    add_vfork(*holder);
  }

  void add_without_mutex(const Member& member) {
    const std::string& mutex = member.thread->mutex;
    if (mutex.empty()) return;
    add({.label = fmt::format("{} calls without holding {}", member.thread->name, mutex),
         .sets = {member.set("mutex", "of_" + member.thread->name + "_alone")},
         .price =
             fmt::format("what {} keeps whole for {} has to be kept whole another way", mutex, member.thread->name)});
  }

  /// A call on so much, in pieces that page tables are made of.
  [[nodiscard]] static std::optional<models::Bytes> piece_of(models::Bytes size) {
    constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
    for (const std::int64_t piece : {64 * kMebibyte, 2 * kMebibyte}) {
      if (size.count() >= judgement::kPieces * piece) return models::Bytes(piece);
    }
    return std::nullopt;
  }

  void add_smaller_calls(const Member& holder) {
    const auto size = std::visit(
        [](const auto& spec) -> std::optional<models::Bytes> {
          if constexpr (requires {
                          spec.visits;
                          spec.size;
                        })
            return spec.size;
          return std::nullopt;
        },
        holder.thread->run);
    const auto piece = size ? piece_of(*size) : std::nullopt;
    if (!piece || text_at(holder, "size") == std::nullopt) return;
    add({.label = fmt::format("{} calls on {} at a time", holder.thread->name, human(*piece)),
         .sets = {holder.set("size", spell(*piece))},
         .price =
             fmt::format("{} makes {} calls for the same work", holder.thread->name, size->count() / piece->count()),
         .asks_otherwise = holder.thread->name});
  }

  /// The steps of its script changed by `change`, which returns nothing for a step that is left out. Nothing where that
  /// changes none, or leaves none.
  template <class ChangeStep>
  [[nodiscard]] std::optional<std::string> script_with(const Member& member, ChangeStep change) const {
    const YamlNode* const script = node_at(member, "script");
    if (script == nullptr || script->kind != YamlNode::Kind::sequence) return std::nullopt;
    std::vector<std::string> steps;
    bool changed = false;
    bool calls = false;
    for (const YamlEntry& entry : script->entries) {
      const std::string& step = entry.value.scalar;
      const std::optional<std::string> instead = change(step);
      changed = changed || instead != step;
      if (!instead) continue;
      steps.push_back(*instead);
      calls = calls || !instead->starts_with("hold");
    }
    return changed && calls ? std::optional(fmt::format("[{}]", fmt::join(steps, ", "))) : std::nullopt;
  }

  void add_script(const Member& member, Phase phase) {
    const auto* const locker = std::get_if<models::LockerSpec>(&member.thread->run);
    if (locker == nullptr) return;
    const std::string& name = member.thread->name;
    const std::string call{to_string(call_of(phase))};
    const auto add_steps = [&](const std::string& label, const std::string& price, auto change) {
      if (const auto script = script_with(member, change)) {
        add({.label = name + " " + label, .sets = {member.set("script", *script)}, .price = price});
      }
    };
    if (const auto piece = piece_of(size_of_region(member, locker->region))) {
      for (const char* const pause : {"", " pause 1ms"}) {
        const std::string pieces = call + " " + spell(*piece) + pause;
        add_steps(fmt::format("calls {} on {} at a time{}", call, human(*piece), *pause == '\0' ? "" : ", 1 ms apart"),
                  "", [&](const std::string& step) { return std::optional(step == call ? pieces : step); });
      }
    }
    if (phase == Phase::mlock_populate) {
      add_steps("locks on fault (MLOCK_ONFAULT)", name + "'s pages are absent until they are touched, a fault each",
                [](const std::string& step) {
                  return std::optional(step == "mlock" || step == "mlockall" ? step + " onfault" : step);
                });
    }
    if (call_of(phase) == Phase::munmap) {
      add_steps(
          "keeps its memory for its next use, in a pool", name + "'s memory is not given back",
          [](const std::string& step) { return step.starts_with("munmap") ? std::nullopt : std::optional(step); });
    }
  }

  [[nodiscard]] models::Bytes size_of_region(const Member& member, const std::string& name) const {
    for (const models::RegionSpec& region : scenario_.processes[member.process].regions) {
      if (region.name == name) return region.size;
    }
    return {};
  }

  void add_vfork(const Member& member) {
    const auto* const forker = std::get_if<models::ForkerSpec>(&member.thread->run);
    if (forker == nullptr || forker->vfork || forker->child) return;
    add({.label = fmt::format("{} uses vfork or posix_spawn", member.thread->name),
         .sets = {member.set("vfork", "true")},
         .price = fmt::format("{} stands still until its child has called exec", member.thread->name)});
  }

  // --- scheduling -----------------------------------------------------------------------------------------------

  [[nodiscard]] const Member* member_of(models::ClassId id) const {
    const std::string name = class_name(id, diagnosis_.classes);
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const Member& member) { return member.thread->name == name; });
    return found == members_.end() ? nullptr : &*found;
  }

  void add_for_scheduling(const LockBlame& root) {
    const Member* const holder = member_of(root.holder);
    if (holder == nullptr) return;
    if (root.doing == Cause::run_queue) {
      add_niceness(*holder);
      add_affinity(*holder);
      if (const Member* const taker = member_of(root.cpu_taken_by)) add_lower_priority(*taker);
    }
    if (root.doing == Cause::throttled) add_quota(*holder);
  }

  void add_niceness(const Member& holder) {
    const int nice = holder.thread->sched.nice > 0 ? 0 : judgement::kHigherPriority;
    if (holder.thread->sched.nice <= nice) return;
    add({fmt::format("{} at nice {}", holder.thread->name, nice), {holder.set("nice", std::to_string(nice))}, {}, {}});
  }

  void add_lower_priority(const Member& taker) {
    constexpr int kLowest = judgement::kLowestPriority;
    if (taker.thread->sched.nice == kLowest) return;
    add({fmt::format("{} at nice {}", taker.thread->name, kLowest),
         {taker.set("nice", std::to_string(kLowest))},
         {},
         {}});
  }

  void add_affinity(const Member& holder) {
    if (holder.thread->sched.cpus.empty()) return;
    std::vector<int> all(static_cast<std::size_t>(scenario_.machine.cpus));
    std::iota(all.begin(), all.end(), 0);
    if (holder.thread->sched.cpus == all) return;
    add({fmt::format("{} on any CPU", holder.thread->name),
         {holder.set("cpus", fmt::format("[{}]", fmt::join(all, ", ")))},
         {},
         {}});
  }

  void add_quota(const Member& holder) {
    if (holder.thread->sched.group < 0) return;
    const models::GroupSpec& group = scenario_.groups[static_cast<std::size_t>(holder.thread->sched.group)];
    if (!group.cpu_max) return;
    const sim::Nanoseconds enough = group.cpu_max->period * scenario_.machine.cpus;
    for (const auto& [what, quota] : {std::pair(std::string("twice the quota"), 2 * group.cpu_max->quota),
                                      std::pair(std::string("no quota"), enough)}) {
      add({fmt::format("{} for group {}", what, group.name),
           {fmt::format("groups.{}.cpu_max.quota={}", group.name, spell(quota))},
           {},
           {}});
    }
  }

  // --- policies -------------------------------------------------------------------------------------------------

  /// The policy as it is with some keys changed.
  void add_policy(const std::string& label, const std::string& name, const PolicyKeys& keys) {
    YamlNode root;
    root.kind = YamlNode::Kind::map;
    root.entries.push_back({"policy", {}, base_policy()});
    std::vector<Diagnostic> ignored;
    apply_set(root, "policy.name=" + name, ignored);
    for (const auto& [key, value] : keys) apply_set(root, fmt::format("policy.{}={}", key, value), ignored);
    add({label, {}, to_flow(root.entries.front().value), {}});
  }

  /// As a map: its own keys, or `{from: NAME}`.
  [[nodiscard]] YamlNode base_policy() const {
    if (diagnosis_.policy.kind == YamlNode::Kind::map) return diagnosis_.policy;
    YamlNode map;
    map.kind = YamlNode::Kind::map;
    map.entries.push_back({"from", {}, diagnosis_.policy});
    return map;
  }

  void add_for_phase(const LockBlame& root) {
    if (root.lock != models::LockKind::mmap_sem) return;
    const Member* const holder = member_of(root.holder);
    const models::ThreadSpec* const thread = holder == nullptr ? nullptr : holder->thread;
    for (const PolicyRemedy& remedy : policy_remedies()) {
      const bool meant = std::find(remedy.phases.begin(), remedy.phases.end(), root.phase) != remedy.phases.end();
      if (!meant || !remedy.applies(policy_, thread)) continue;
      PolicyKeys keys = remedy.keys;
      if (remedy.under_vma_locks && policy_.fault != models::FaultLock::per_vma) {
        keys.emplace_back("fault.lock", "per_vma");
      }
      add_policy(remedy.label, remedy.name, keys);
    }
  }

  void add_for_faults() {
    const bool faults = std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
      return std::holds_alternative<models::FaulterSpec>(member.thread->run) &&
             contains(diagnosis_.victims, member.thread->name);
    });
    if (!faults || policy_.fault == models::FaultLock::per_vma) return;
    add_policy("faults under per-VMA locks", "fault_per_vma", {{"fault.lock", "per_vma"}});
  }

  template <class Spec>
  [[nodiscard]] bool has_thread() const {
    return std::any_of(members_.begin(), members_.end(),
                       [](const Member& member) { return std::holds_alternative<Spec>(member.thread->run); });
  }

  /// Keys of policies that make no difference, as nobody does what they are about.
  [[nodiscard]] std::vector<std::string> unnoticed_keys() const {
    std::vector<std::string> keys;
    if (!has_thread<models::KsmSpec>()) keys.emplace_back("ksm");
    if (!has_thread<models::ProtectorSpec>() && !has_thread<models::ReplaySpec>()) keys.emplace_back("mprotect");
    if (!has_thread<models::UserfaultSpec>()) keys.emplace_back("userfaultfd");
    return keys;
  }

  /// Those after the one that the policy is of; all, if it is of none.
  void add_kernels() {
    for (const KernelSpan& span : kernel_spans(unnoticed_keys())) {
      if (policy_.kernel && span.first <= *policy_.kernel) continue;
      add({.label = to_text(span), .policy = span.name, .kernels = span});
    }
    for (const models::Policy& each : kernel_policies()) {
      if (policy_.kernel && *each.kernel <= *policy_.kernel) continue;
      add({.label = fmt::format("{} (Linux {})", each.name, to_text(*each.kernel)), .policy = each.name});
    }
  }

  const Diagnosis& diagnosis_;
  const models::Scenario& scenario_;
  const models::Policy& policy_;
  std::vector<Member> members_;
  std::vector<Remedy> remedies_;
};

}  // namespace

std::vector<Remedy> remedies_for(const Diagnosis& diagnosis) { return Chooser(diagnosis).choose(); }

}  // namespace experiments
