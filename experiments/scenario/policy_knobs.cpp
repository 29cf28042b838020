#include "experiments/scenario/policy_knobs.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace experiments {

namespace {

using models::FaultLock;
using models::FirstTouch;
using models::HoldMode;
using models::LruDrain;
using models::Policy;
using models::ProcLock;
using models::RwsemFlavour;
using models::VmaLockCovers;
using models::VmaLockKind;
using Options = PolicyKnob::Options;

template <typename Value>
struct Word {
  const char* word;
  Value value;
  const char* shown = "";
};

/// `place`: a member of Policy, or what finds it there.
template <typename Value, typename Place>
PolicyKnob row(const char* path, const char* key, Place place, const std::vector<Word<Value>>& words,
               Options options = {}) {
  PolicyKnob knob{path, key, false, {}, {}, {}, options};
  std::vector<Value> values;
  for (const Word<Value>& each : words) {
    knob.words.push_back({each.word, each.shown});
    values.push_back(each.value);
  }
  knob.set = [place, values](Policy& policy, std::size_t number) { std::invoke(place, policy) = values[number]; };
  knob.value = [place, values](const Policy& policy) {
    const auto found = std::find(values.begin(), values.end(), std::invoke(place, policy));
    return static_cast<std::size_t>(std::distance(values.begin(), found));
  };
  return knob;
}

/// `mark`: what the table shows if it is true.
template <typename Place>
PolicyKnob truth(const char* path, const char* key, Place place, const char* mark = "", Options options = {}) {
  PolicyKnob knob = row<bool>(path, key, place, {{"false", false}, {"true", true, mark}}, options);
  knob.is_truth = true;
  return knob;
}

const char* needs_drop_and_read(const Policy& policy) {
  if (!policy.mlock_present_first || policy.populate.mode == HoldMode::drop_and_read) return nullptr;
  return "only drop_and_read treats the pages that are there before the others";
}

// The locks of VMAs are there for faults first of all.
const char* needs_vma_locks(const Policy& policy) {
  if (policy.fault == FaultLock::per_vma) return nullptr;
  return "VMAs have locks of their own only where faults take them: use it with fault: {lock: per_vma}";
}

const char* below_stack_refusal(const Policy& policy) {
  if (!policy.munmap_exclusive_below_stack || policy.munmap.mode == HoldMode::downgrade) return nullptr;
  return "only a munmap that downgrades has to refrain from it below a stack";
}

const char* zap_refusal(const Policy& policy) { return policy.zap_under_vma_lock ? needs_vma_locks(policy) : nullptr; }

const char* copy_refusal(const Policy& policy) {
  return policy.userfault_copy_under_vma_lock ? needs_vma_locks(policy) : nullptr;
}

template <ProcLock models::ProcLocks::*kFile>
const char* proc_refusal(const Policy& policy) {
  const ProcLock lock = policy.proc.*kFile;
  if (lock == ProcLock::rcu && kFile != &models::ProcLocks::maps) {
    return "a walk of page tables can sleep, which RCU does not allow: only maps can do with it";
  }
  return lock == ProcLock::per_vma ? needs_vma_locks(policy) : nullptr;
}

/// The lock of a file in /proc/PID.
template <ProcLock models::ProcLocks::*kFile>
PolicyKnob proc_row(const char* file) {
  const auto place = [](auto& policy) -> auto& { return policy.proc.*kFile; };
  return row<ProcLock>(
      "proc", file, place,
      {{"mmap_sem", ProcLock::mmap_sem}, {"rcu", ProcLock::rcu, "RCU"}, {"per_vma", ProcLock::per_vma, "VMA's lock"}},
      {.column = PolicyColumn::proc, .refusal = proc_refusal<kFile>});
}

}  // namespace

const std::vector<PolicyKnob>& policy_knobs() {
  using models::ProcLocks;
  static const std::vector<PolicyKnob> knobs = {
      row<RwsemFlavour>("", "rwsem", &Policy::rwsem,
                        {{"fifo", RwsemFlavour::fifo, "fifo"},
                         {"writer_steal", RwsemFlavour::writer_steal, "writer_steal"},
                         {"writer_spin", RwsemFlavour::writer_spin, "writer_spin"},
                         {"reader_spin", RwsemFlavour::reader_spin, "reader_spin"},
                         {"spin_handoff", RwsemFlavour::spin_handoff, "spin_handoff"}},
                        {.column = PolicyColumn::semaphore}),
      truth("populate", "present_first", &Policy::mlock_present_first, " (present)",
            {.column = PolicyColumn::populate, .refusal = needs_drop_and_read}),
      row<bool>("munlock", "rmap", &Policy::munlock_walks_rmap, {{"skip", false}, {"walk", true}}),
      row<bool>("munlock", "visits", &Policy::munlock_visits_absent, {{"present", false}, {"all", true}}),
      row<bool>("munmap", "munlock", &Policy::munlock_in_zap,
                {{"before", false, " (zap)"}, {"in_zap", true, " (munlock, zap)"}}, {.column = PolicyColumn::munmap}),
      row<bool>("munmap", "below_stack", &Policy::munmap_exclusive_below_stack, {{"downgrade", false}, {"write", true}},
                {.refusal = below_stack_refusal}),
      row<FaultLock>("fault", "lock", &Policy::fault,
                     {{"mmap_sem", FaultLock::mmap_sem, "read"}, {"per_vma", FaultLock::per_vma, "VMA's lock"}},
                     {.column = PolicyColumn::fault, .required = true}),
      truth("fault", "retry_on_io", &Policy::retry_on_io, "/IO",
            {.column = PolicyColumn::fault,
             .legend = "given up while a page has to come from the device, and taken again"}),
      row<VmaLockCovers>("fault", "covers", &Policy::vma_lock_covers,
                         {{"anonymous", VmaLockCovers::anonymous, " (anon)"},
                          {"swap", VmaLockCovers::swap, " (anon, swap)"},
                          {"files", VmaLockCovers::files}},
                         {.column = PolicyColumn::fault}),
      row<FirstTouch>("fault", "first_touch", &Policy::first_touch,
                      {{"mmap_sem", FirstTouch::mmap_sem}, {"try_mmap_sem", FirstTouch::try_mmap_sem}}),
      row<VmaLockKind>("fault", "vma_lock", &Policy::vma_lock,
                       {{"rwsem", VmaLockKind::rwsem}, {"refcount", VmaLockKind::refcount}}),
      row<bool>("fault", "stack", &Policy::stack_grows_under_write, {{"read", false}, {"write", true}}),
      proc_row<&ProcLocks::maps>("maps"),
      proc_row<&ProcLocks::smaps>("smaps"),
      proc_row<&ProcLocks::numa_maps>("numa_maps"),
      proc_row<&ProcLocks::smaps_rollup>("smaps_rollup"),
      row<bool>("proc", "clear_refs", [](auto& policy) -> auto& { return policy.proc.clear_refs_writes; },
                {{"read", false}, {"write", true}}),
      truth(
          "proc", "rollup_gives_way", [](auto& policy) -> auto& { return policy.proc.rollup_gives_way; }),
      row<int>("proc", "cmdline_holds", &Policy::cmdline_holds, {{"1", 1}, {"2", 2}, {"3", 3}}),
      row<bool>("mempolicy", "node", &Policy::mempolicy_holds_lock, {{"under_lock", true}, {"unlocked", false}}),
      row<bool>("mprotect", "locked", &Policy::mprotect_populates_locked, {{"left", false}, {"populated", true}}),
      row<bool>("mremap", "tables", &Policy::mremap_moves_tables, {{"entries", false}, {"whole", true}}),
      row<bool>("", "memlock", &Policy::memlock_counts_twice, {{"counts_twice", true}, {"counts_once", false}}),
      row<bool>("madvise", "zap", &Policy::zap_under_vma_lock, {{"mmap_sem", false}, {"per_vma", true, "+zap"}},
                {.column = PolicyColumn::fault,
                 .required = true,
                 .legend = "madvise(MADV_DONTNEED) within one VMA takes that lock, too",
                 .refusal = zap_refusal}),
      row<bool>("userfaultfd", "copy", &Policy::userfault_copy_under_vma_lock, {{"mmap_sem", false}, {"per_vma", true}},
                {.refusal = copy_refusal}),
      row<bool>("ksm", "holes", &Policy::ksm_jumps_holes, {{"visited", false}, {"jumped", true}}),
      row<LruDrain>(
          "", "lru_drain", &Policy::lru_drain,
          {{"under_lock", LruDrain::under_lock}, {"before_lock", LruDrain::before_lock}, {"local", LruDrain::local}}),
  };
  return knobs;
}

}  // namespace experiments
