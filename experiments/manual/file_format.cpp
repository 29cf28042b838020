#include "experiments/manual/file_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "experiments/base/diagnostics.h"
#include "experiments/scenario/device_file.h"
#include "experiments/scenario/machine_file.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/scenario_file.h"
#include "experiments/study/study_file.h"

namespace experiments {

namespace {

void ask_reader(ConfigKind kind, const YamlNode& root) {
  std::vector<Diagnostic> of_no_interest;
  switch (kind) {
    case ConfigKind::scenarios:
    case ConfigKind::incidents:
      (void)read_scenario(root, {});
      return;
    case ConfigKind::studies:
      (void)read_study(root, {}, false, {});
      return;
    case ConfigKind::policies:
      return check_policy(root, of_no_interest);
    case ConfigKind::machines:
      return check_machine(root, of_no_interest);
    case ConfigKind::devices:
      return check_device(root, of_no_interest);
    case ConfigKind::kernels:
      return;
  }
}

std::string about_format(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::scenarios:
    case ConfigKind::incidents:
      return "A machine, its memory, the lock policies to be compared, and the processes whose threads compete";
    case ConfigKind::studies:
      return "A scenario, the axes along which it is varied, and what is to be learnt from that";
    case ConfigKind::policies:
      return "Which mode of mmap_lock a kernel holds over which phase of which path";
    case ConfigKind::machines:
      return "CPUs, their scheduler and its noise, and what each step of the kernel's paths costs on them";
    case ConfigKind::devices:
      return "What files and swap are on: a block device, or zram";
    case ConfigKind::kernels:
      return "The table of dated changes that the policies of kernels are made of";
  }
  return {};
}

struct Elsewhere {
  ConfigKind in;
  std::string_view prefix;
  ConfigKind kind;
  std::string_view instead;
};

// Where a file says what another kind of file, or another place of it, says, too.
constexpr std::array<Elsewhere, 8> kElsewhere{{
    {ConfigKind::scenarios, "machine.", ConfigKind::machines, ""},
    {ConfigKind::scenarios, "policy.", ConfigKind::policies, ""},
    {ConfigKind::scenarios, "policies[].", ConfigKind::policies, ""},
    {ConfigKind::scenarios, "memory.device.", ConfigKind::devices, ""},
    {ConfigKind::scenarios, "memory.swap.device.", ConfigKind::devices, ""},
    {ConfigKind::scenarios, "memory.device(", ConfigKind::devices, "("},
    {ConfigKind::scenarios, "memory.swap.device(", ConfigKind::devices, "("},
    {ConfigKind::studies, "smoke.", ConfigKind::studies, ""},
}};

/// Without the kinds of maps in it.
std::string without_variants(std::string_view path) {
  std::string plain;
  bool inside = false;
  for (const char each : path) {
    inside = inside || each == '(';
    if (!inside) plain += each;
    inside = inside && each != ')';
  }
  return plain.starts_with('.') ? plain.substr(1) : plain;
}

std::string_view row_of(ConfigKind kind, std::string_view path) {
  const std::vector<KeyWords>& rows = all_key_words();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const KeyWords& row) { return row.kind == kind && row.path == path; });
  return found == rows.end() ? std::string_view{} : found->words;
}

void visit_keys(const YamlShape& shape, const std::string& path,
                const std::function<void(const std::string&, const YamlKey&)>& visit) {
  for (const YamlKey& key : shape.keys) {
    const std::string own = path_of_key(path, key);
    visit(own, key);
    visit_keys(*key.value, own, visit);
  }
  if (shape.item) visit_keys(*shape.item, path + "[]", visit);
  if (shape.named) visit_keys(*shape.named, path.empty() ? "*" : path + ".*", visit);
}

}  // namespace

FileFormat file_format(ConfigKind kind) {
  return {kind, singular(kind), about_format(kind), shape_of([kind](const YamlNode& root) { ask_reader(kind, root); })};
}

const std::vector<ConfigKind>& described_kinds() {
  static const std::vector<ConfigKind> kinds{ConfigKind::scenarios, ConfigKind::studies, ConfigKind::policies,
                                             ConfigKind::machines, ConfigKind::devices};
  return kinds;
}

KeyPlace place_of_key(ConfigKind kind, std::string_view path) {
  for (const Elsewhere& each : kElsewhere) {
    if (each.in != kind || !path.starts_with(each.prefix)) continue;
    return {each.kind, std::string(each.instead) + std::string(path.substr(each.prefix.size()))};
  }
  return {kind, std::string(path)};
}

std::string_view words_of_key(ConfigKind kind, std::string_view path) {
  if (const std::string_view own = row_of(kind, path); !own.empty()) return own;
  const KeyPlace place = place_of_key(kind, path);
  return place.path == path ? row_of(kind, without_variants(path)) : words_of_key(place.kind, place.path);
}

std::string path_of_key(const std::string& outer, const YamlKey& key) {
  const std::string of = key.variant.empty() ? outer : fmt::format("{}({})", outer, key.variant);
  return of.empty() ? key.name : of + "." + key.name;
}

void for_each_key(const YamlShape& shape, const std::function<void(const std::string&, const YamlKey&)>& visit) {
  visit_keys(shape, "", visit);
}

}  // namespace experiments
