#include "experiments/scenario/policy_file.h"

#include <utility>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

// Where chunked_write is given nothing but if_contended: once for each page table, as often as cond_resched stands
// there.
constexpr int kLookForWaitersEvery = 512;

using models::Hold;
using models::HoldMode;

const Choices<HoldMode> kAllModes{{"write_held", HoldMode::write_held},
                                  {"downgrade", HoldMode::downgrade},
                                  {"drop_and_read", HoldMode::drop_and_read},
                                  {"chunked_write", HoldMode::chunked_write}};

/// A mode that a path cannot have, and why.
struct Senseless {
  HoldMode mode;
  const char* why;
};

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
  const bool chunked = hold.mode == HoldMode::chunked_write;
  const bool batched = chunked || hold.mode == HoldMode::drop_and_read;
  if (batch && !batched) batch->refuse("only drop_and_read and chunked_write give way every so many pages");
  if (max_hold && !chunked) max_hold->refuse("only chunked_write bounds its holds in time");
  if (if_contended && !chunked) if_contended->refuse("only chunked_write looks whether somebody waits");
  assign(hold.batch, batch, batch_of);
  assign(hold.max_hold, max_hold, positive_duration_of);
  assign(hold.if_contended, if_contended, truth_of);
  if (!chunked || batch || max_hold) return;
  if (!hold.if_contended) map.refuse("chunked_write needs a batch, a max_hold or if_contended: true");
  hold.batch = models::PageCount(kLookForWaitersEvery);
}

/// `{mode: ...}` of one path, with whatever else `more` reads from it.
template <typename More>
void read_hold(const std::optional<YamlField>& field, Hold& hold, const std::vector<Senseless>& senseless, More more) {
  if (!field) return;
  YamlMap map = field->map("a map such as {mode: downgrade}");
  const auto mode = map.require("mode");
  assign(hold.mode, mode, [](const YamlField& value) { return choice_of<HoldMode>(value, kAllModes); });
  if (mode) refuse_where_senseless(*mode, hold.mode, senseless);
  read_chunks(map, hold);
  more(map);
  map.refuse_unknown();
}

void read_populate(const std::optional<YamlField>& field, models::Policy& policy) {
  read_hold(field, policy.populate, kSenselessForPopulate, [&](YamlMap& map) {
    const auto present_first = map.find("present_first");
    assign(policy.mlock_present_first, present_first, truth_of);
    if (policy.mlock_present_first && policy.populate.mode != HoldMode::drop_and_read) {
      present_first->refuse("only drop_and_read treats the pages that are there before the others");
    }
  });
}

void read_munlock(const std::optional<YamlField>& field, models::Policy& policy) {
  read_hold(field, policy.munlock, {}, [&](YamlMap& map) {
    assign(policy.munlock_walks_rmap, map.find("rmap"), [](const YamlField& value) {
      return choice_of<bool>(value, {{"skip", false}, {"walk", true}});
    });
    assign(policy.munlock_visits_absent, map.find("visits"), [](const YamlField& value) {
      return choice_of<bool>(value, {{"present", false}, {"all", true}});
    });
  });
}

void read_munmap(const std::optional<YamlField>& field, models::Policy& policy) {
  read_hold(field, policy.munmap, kSenselessForMunmap, [&](YamlMap& map) {
    assign(policy.munlock_in_zap, map.find("munlock"), [](const YamlField& value) {
      return choice_of<bool>(value, {{"before", false}, {"in_zap", true}});
    });
  });
}

void read_fault(const std::optional<YamlField>& field, models::Policy& policy) {
  if (!field) return;
  YamlMap map = field->map("a map such as {lock: mmap_sem}");
  const auto lock_of = [](const YamlField& value) {
    return choice_of<models::FaultLock>(
        value, {{"mmap_sem", models::FaultLock::mmap_sem}, {"per_vma", models::FaultLock::per_vma}});
  };
  assign(policy.fault, map.require("lock"), lock_of);
  assign(policy.retry_on_io, map.find("retry_on_io"), truth_of);
  map.refuse_unknown();
}

std::optional<models::ProcLock> proc_lock_of(const YamlField& field) {
  using models::ProcLock;
  return choice_of<ProcLock>(
      field, {{"mmap_sem", ProcLock::mmap_sem}, {"rcu", ProcLock::rcu}, {"per_vma", ProcLock::per_vma}});
}

// The locks of VMAs are there for faults first of all.
void refuse_without_vma_locks(const YamlField& field, models::FaultLock fault) {
  if (fault == models::FaultLock::per_vma) return;
  field.refuse("VMAs have locks of their own only where faults take them: use it with fault: {lock: per_vma}");
}

void read_proc_lock(const std::optional<YamlField>& field, models::ProcLock& lock, models::FaultLock fault) {
  assign(lock, field, proc_lock_of);
  if (lock == models::ProcLock::per_vma) refuse_without_vma_locks(*field, fault);
}

void read_proc(const std::optional<YamlField>& field, models::Policy& policy) {
  if (!field) return;
  YamlMap map = field->map("a map such as {maps: per_vma, rollup_gives_way: true}");
  models::ProcLocks& proc = policy.proc;
  read_proc_lock(map.find("maps"), proc.maps, policy.fault);
  for (const auto& [key, lock] : {std::pair("smaps", &proc.smaps), std::pair("numa_maps", &proc.numa_maps),
                                  std::pair("smaps_rollup", &proc.smaps_rollup)}) {
    const auto file = map.find(key);
    read_proc_lock(file, *lock, policy.fault);
    if (*lock == models::ProcLock::rcu) {
      file->refuse("a walk of page tables can sleep, which RCU does not allow: only maps can do with it");
    }
  }
  assign(proc.rollup_gives_way, map.find("rollup_gives_way"), truth_of);
  map.refuse_unknown();
}

void read_madvise(const std::optional<YamlField>& field, models::Policy& policy) {
  if (!field) return;
  YamlMap map = field->map("a map such as {zap: mmap_sem}");
  const auto zap = map.require("zap");
  assign(policy.zap_under_vma_lock, zap, [](const YamlField& value) {
    return choice_of<bool>(value, {{"mmap_sem", false}, {"per_vma", true}});
  });
  if (policy.zap_under_vma_lock) refuse_without_vma_locks(*zap, policy.fault);
  map.refuse_unknown();
}

std::optional<models::RwsemFlavour> flavour_of(const YamlField& field) {
  return choice_of<models::RwsemFlavour>(
      field, {{"fifo", models::RwsemFlavour::fifo}, {"spin_handoff", models::RwsemFlavour::spin_handoff}});
}

std::optional<models::LruDrain> drain_of(const YamlField& field) {
  return choice_of<models::LruDrain>(field, {{"under_lock", models::LruDrain::under_lock},
                                             {"before_lock", models::LruDrain::before_lock},
                                             {"local", models::LruDrain::local}});
}

models::Policy read_policy_keys(YamlMap& map) {
  models::Policy policy;
  assign(policy.name, map.require("name"), name_of);
  assign(policy.about, map.find("about"), text_of);
  assign(policy.rwsem, map.find("rwsem"), flavour_of);
  read_populate(map.require("populate"), policy);
  read_munlock(map.require("munlock"), policy);
  read_munmap(map.require("munmap"), policy);
  policy.grow = policy.populate;
  read_hold(map.find("grow"), policy.grow, kSenselessForPopulate, [](YamlMap&) {});
  read_fault(map.find("fault"), policy);
  read_proc(map.find("proc"), policy);
  read_madvise(map.find("madvise"), policy);
  assign(policy.lru_drain, map.find("lru_drain"), drain_of);
  map.refuse_unknown();
  return policy;
}

}  // namespace

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

models::Policy read_policy(const std::filesystem::path& file) {
  std::vector<Diagnostic> diagnostics;
  models::Policy policy;
  (void)read_config(file, ConfigKind::policies, diagnostics, [&](YamlMap& map) { policy = read_policy_keys(map); });
  if (!diagnostics.empty()) throw InputError(diagnostics);
  return policy;
}

}  // namespace experiments
