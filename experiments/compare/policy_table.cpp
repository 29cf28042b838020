#include "experiments/compare/policy_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <string_view>

#include "experiments/base/quantity.h"
#include "experiments/scenario/policy_knobs.h"

namespace experiments {

namespace {

using models::Hold;
using models::HoldMode;
using models::Policy;

std::string every(const Hold& hold) {
  std::string text;
  if (hold.batch > models::PageCount(0)) text = fmt::format("{}", hold.batch.count());
  if (hold.max_hold > sim::Nanoseconds{0}) text += (text.empty() ? "" : "|") + spell(hold.max_hold);
  return text + (hold.if_contended ? "?" : "") + (hold.hand_over ? "!" : "");
}

/// What the knobs of a column show, one after another.
std::string marks(const Policy& policy, PolicyColumn column) {
  std::string text;
  for (const PolicyKnob& knob : policy_knobs()) {
    if (knob.options.column == column) text += knob.shown(policy);
  }
  return text;
}

/// `mark`: said of what is held first.
std::string words(const Hold& hold, const std::string& mark = "") {
  switch (hold.mode) {
    case HoldMode::write_held:
      return "write";
    case HoldMode::downgrade:
      return "write>READ>write";
    case HoldMode::drop_and_read:
      return fmt::format("write{},READ{}{}", mark, hold.batch > models::PageCount(0) ? "/" : "", every(hold));
    case HoldMode::chunked_write:
      return fmt::format("write/{}", every(hold));
  }
  return "";
}

std::string munmap_words(const Policy& policy) {
  if (policy.munmap.mode == HoldMode::write_held) return "write";
  return "write>READ" + marks(policy, PolicyColumn::munmap);
}

/// The files under each lock that is not mmap_sem.
std::string proc_words(const Policy& policy) {
  std::map<std::size_t, std::vector<std::string>> files;  // by the number of the lock
  std::map<std::size_t, std::string> locks;
  for (const PolicyKnob& knob : policy_knobs()) {
    const std::string lock = knob.shown(policy);
    if (knob.options.column != PolicyColumn::proc || lock.empty()) continue;
    const std::string file = knob.key;
    files[knob.value(policy)].push_back(file == "smaps_rollup" ? "rollup" : file);
    locks[knob.value(policy)] = lock;
  }
  std::vector<std::string> all;
  for (const auto& [number, lock] : locks) all.push_back(fmt::format("{} ({})", lock, fmt::join(files[number], ", ")));
  return all.empty() ? "read" : fmt::format("{}", fmt::join(all, ", "));
}

struct Column {
  const char* title;
  std::size_t width;
  std::string (*cell)(const Policy&);
};

// Behind the policy's name.
constexpr std::array<Column, 7> kColumns{{
    {"semaphore", 13, [](const Policy& policy) { return marks(policy, PolicyColumn::semaphore); }},
    {"mlock: populate", 21,
     [](const Policy& policy) { return words(policy.populate, marks(policy, PolicyColumn::populate)); }},
    {"brk, MAP_LOCKED", 17, [](const Policy& policy) { return words(policy.grow); }},
    {"munlock: walk", 17, [](const Policy& policy) { return words(policy.munlock); }},
    {"munmap", 26, munmap_words},
    {"fault", 26, [](const Policy& policy) { return marks(policy, PolicyColumn::fault); }},
    {"/proc", 0, proc_words},
}};

std::string legend() {
  std::string text =
      "`>`: downgraded, and taken for write again; `,`: given up first; `/512`: given up and taken again every 512\n"
      "pages; `?`: only when somebody waits, `!`: hands over";
  for (const PolicyKnob& knob : policy_knobs()) {
    if (knob.options.legend == nullptr) continue;
    text += fmt::format("; `{}`: {}", knob.words.back().shown, knob.options.legend);
  }
  return text + ".";
}

using Columns = std::vector<Column>;

/// A block of columns, behind the names of the policies.
std::string block_of(const std::vector<Policy>& policies, std::size_t name_width, const Columns& columns) {
  std::string text = fmt::format("{:<{}} ", "policy", name_width);
  for (const Column& column : columns) text += fmt::format(" {:<{}}", column.title, column.width);
  for (const Policy& policy : policies) {
    text += fmt::format("\n{:<{}} ", policy.name, name_width);
    for (const Column& column : columns) text += fmt::format(" {:<{}}", column.cell(policy), column.width);
  }
  return text + "\n";
}

std::size_t width_of(const Column& column, const std::vector<Policy>& policies) {
  std::size_t width = std::max(column.width, std::string_view(column.title).size());
  for (const Policy& policy : policies) width = std::max(width, column.cell(policy).size());
  return width;
}

/// As many columns in each as a line of `width` holds, but one at least.
std::vector<Columns> blocks_of(const std::vector<Policy>& policies, std::size_t name_width, std::size_t width) {
  std::vector<Columns> blocks(1);
  std::size_t used = name_width + 1;
  for (const Column& column : kColumns) {
    const std::size_t more = 1 + width_of(column, policies);
    if (used + more > width && !blocks.back().empty()) {
      blocks.back().back().width = 0;  // no blanks at the end of a line
      blocks.emplace_back();
      used = name_width + 1;
    }
    blocks.back().push_back(column);
    used += more;
  }
  return blocks;
}

}  // namespace

std::string policy_table(const std::vector<Policy>& policies, std::size_t width) {
  std::size_t widest = 6;
  for (const Policy& policy : policies) widest = std::max(widest, policy.name.size());
  std::string text;
  for (const Columns& columns : blocks_of(policies, widest, width)) {
    text += block_of(policies, widest, columns) + "\n";
  }
  return text + wrapped(legend(), width) +
         wrapped("READ: others may fault and read /proc meanwhile, if no writer queues.", width);
}

}  // namespace experiments
