#include "experiments/policy_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/quantity.h"

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

std::string populate_words(const Policy& policy) {
  return policy.mlock_present_first ? "write (present),READ" : words(policy.populate);
}

}  // namespace

std::string policy_table(const std::vector<Policy>& policies) {
  std::size_t widest = 6;
  for (const Policy& policy : policies) widest = std::max(widest, policy.name.size());
  const auto line = [widest](const auto&... cells) {
    return fmt::format("{:<{}}  {:<13} {:<21} {:<17} {:<17} {:<26} {}\n", std::get<0>(std::tie(cells...)), widest,
                       std::get<1>(std::tie(cells...)), std::get<2>(std::tie(cells...)),
                       std::get<3>(std::tie(cells...)), std::get<4>(std::tie(cells...)),
                       std::get<5>(std::tie(cells...)), std::get<6>(std::tie(cells...)));
  };
  std::string text =
      line("policy", "semaphore", "mlock: populate", "brk, MAP_LOCKED", "munlock: walk", "munmap", "fault");
  for (const Policy& policy : policies) {
    text += line(policy.name, to_string(policy.rwsem), populate_words(policy), words(policy.grow),
                 words(policy.munlock), munmap_words(policy), fault_words(policy));
  }
  return text +
         "\n`>`: downgraded, and taken for write again; `,`: given up first; `/512`: given up and taken again every "
         "512\n"
         "pages; `?`: only when somebody waits; `/IO`: given up while a page has to come from the device, and taken "
         "again; `+zap`: madvise(MADV_DONTNEED) within one VMA takes that lock, too.\n"
         "READ: others may fault and read /proc meanwhile, if no writer queues.\n";
}

}  // namespace experiments
