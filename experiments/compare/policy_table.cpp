#include "experiments/compare/policy_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "experiments/base/quantity.h"

namespace experiments {

namespace {

using models::Hold;
using models::HoldMode;
using models::Policy;

std::string every(const Hold& hold) {
  std::string text;
  if (hold.batch > models::PageCount(0)) text = fmt::format("{}", hold.batch.count());
  if (hold.max_hold > sim::Nanoseconds{0}) text += (text.empty() ? "" : "|") + spell(hold.max_hold);
  return text + (hold.if_contended ? "?" : "");
}

std::string words(const Hold& hold) {
  switch (hold.mode) {
    case HoldMode::write_held:
      return "write";
    case HoldMode::downgrade:
      return "write>READ>write";
    case HoldMode::drop_and_read:
      return hold.batch > models::PageCount(0) ? fmt::format("write,READ/{}", every(hold)) : "write,READ";
    case HoldMode::chunked_write:
      return fmt::format("write/{}", every(hold));
  }
  return "";
}

std::string munmap_words(const Policy& policy) {
  if (policy.munmap.mode == HoldMode::write_held) return "write";
  return policy.munlock_in_zap ? "write>READ (munlock, zap)" : "write>READ (zap)";
}

std::string fault_words(const Policy& policy) {
  const std::string lock = policy.fault == models::FaultLock::per_vma ? "VMA's lock" : "read";
  return lock + (policy.retry_on_io ? "/IO" : "") + (policy.zap_under_vma_lock ? "+zap" : "");
}

std::string proc_words(const Policy& policy) {
  using models::ProcLock;
  const models::ProcLocks& proc = policy.proc;
  std::string text;
  for (const auto& [lock, word] : {std::pair(ProcLock::rcu, "RCU"), std::pair(ProcLock::per_vma, "VMA's lock")}) {
    std::vector<std::string> files;
    if (proc.maps == lock) files.emplace_back("maps");
    if (proc.smaps == lock) files.emplace_back("smaps");
    if (proc.numa_maps == lock) files.emplace_back("numa_maps");
    if (proc.smaps_rollup == lock) files.emplace_back("rollup");
    if (!files.empty()) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", word, fmt::join(files, ", "));
  }
  return text.empty() ? "read" : text;
}

std::string populate_words(const Policy& policy) {
  return policy.mlock_present_first ? "write (present),READ" : words(policy.populate);
}

}  // namespace

std::string policy_table(const std::vector<Policy>& policies) {
  std::size_t widest = 6;
  for (const Policy& policy : policies) widest = std::max(widest, policy.name.size());
  const auto line = [widest](const auto&... cells) {
    const auto row = std::tie(cells...);
    return fmt::format("{:<{}}  {:<13} {:<21} {:<17} {:<17} {:<26} {:<14} {}\n", std::get<0>(row), widest,
                       std::get<1>(row), std::get<2>(row), std::get<3>(row), std::get<4>(row), std::get<5>(row),
                       std::get<6>(row), std::get<7>(row));
  };
  std::string text =
      line("policy", "semaphore", "mlock: populate", "brk, MAP_LOCKED", "munlock: walk", "munmap", "fault", "/proc");
  for (const Policy& policy : policies) {
    text += line(policy.name, to_string(policy.rwsem), populate_words(policy), words(policy.grow),
                 words(policy.munlock), munmap_words(policy), fault_words(policy), proc_words(policy));
  }
  return text +
         "\n`>`: downgraded, and taken for write again; `,`: given up first; `/512`: given up and taken again every "
         "512\n"
         "pages; `?`: only when somebody waits; `/IO`: given up while a page has to come from the device, and taken "
         "again; `+zap`: madvise(MADV_DONTNEED) within one VMA takes that lock, too.\n"
         "READ: others may fault and read /proc meanwhile, if no writer queues.\n";
}

}  // namespace experiments
