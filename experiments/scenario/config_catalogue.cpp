#include "experiments/scenario/config_catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "experiments/base/installation.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

constexpr std::string_view kSchema = "mlocksim/1";
constexpr std::string_view kExtension = ".yaml";

std::string folder_name(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::machines:
      return "machines";
    case ConfigKind::policies:
      return "policies";
    case ConfigKind::kernels:
      return "kernels";
    case ConfigKind::devices:
      return "devices";
    case ConfigKind::scenarios:
      return "scenarios";
    case ConfigKind::incidents:
      return "incidents";
    case ConfigKind::studies:
      return "studies";
  }
  return {};
}

/// Where the shipped files of a kind are. The studies of a source tree lie beside the code that runs them.
std::filesystem::path shipped_folder(ConfigKind kind) {
  const std::filesystem::path configs = configs_directory();
  std::error_code ignored;
  const std::filesystem::path beside = configs.parent_path() / "experiments" / folder_name(kind);
  return std::filesystem::is_directory(beside, ignored) ? beside : configs / folder_name(kind);
}

/// The file that `name` means in `folder`, if there is one.
std::optional<std::filesystem::path> find_in(const std::filesystem::path& folder, ConfigKind kind,
                                             const std::string& name) {
  const std::filesystem::path own = folder_name(kind);
  std::vector<std::filesystem::path> candidates;
  if (!name.ends_with(kExtension)) {
    const std::string file = name + std::string(kExtension);
    candidates = {folder / file, folder / own / file};
  }
  // A bare word is a name: a stray file that happens to be called so is not meant.
  if (is_file_name(name)) {
    candidates.insert(candidates.end(), {folder / name, folder / own / name});
  }
  for (const std::filesystem::path& candidate : candidates) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(candidate, ignored) || kernel_policy(candidate)) return candidate;
  }
  return std::nullopt;
}

bool is_config(const std::filesystem::directory_entry& entry) {
  return entry.is_regular_file() && entry.path().extension() == kExtension;
}

std::string about_of(const std::filesystem::path& file) {
  std::vector<Diagnostic> ignored;
  const YamlNode root = load_config(file, ignored);
  const YamlEntry* const about = find_entry(root, "about");
  return about == nullptr ? std::string() : about->value.scalar;
}

/// Versions are never suggested by their spelling.
std::vector<std::string> with_distributions(std::vector<std::string> names) {
  for (const Distribution& each : kernel_table().distributions) names.push_back(each.name);
  return names;
}

bool has_any(const YamlNode& root, const std::vector<std::string>& keys) {
  return std::any_of(root.entries.begin(), root.entries.end(), [&](const YamlEntry& entry) {
    return std::find(keys.begin(), keys.end(), entry.key) != keys.end();
  });
}

/// Keys that only files of a kind have. A study may name policies, too: hence the first.
struct KindSigns {
  ConfigKind kind;
  std::vector<std::string> keys;
};
const std::vector<KindSigns> kSigns{
    {ConfigKind::studies, {"axes"}},
    {ConfigKind::scenarios, {"processes", "memory", "machine", "policy", "policies"}},
    {ConfigKind::machines, {"costs", "scheduler"}},
    {ConfigKind::kernels, {"oldest", "changes"}},
    {ConfigKind::policies, {"populate", "munlock", "munmap"}},
    {ConfigKind::devices, {"queue_depth", "nr_requests", "compress", "decompress"}},
};

/// What a file is that is plainly no `kind`: it has keys of another one, and none of that.
std::optional<ConfigKind> other_kind(const YamlNode& root, ConfigKind kind) {
  if (kind == ConfigKind::incidents) kind = ConfigKind::scenarios;
  const auto found = kind_of(root);
  if (!found || *found == kind || (kind == ConfigKind::studies && *found == ConfigKind::scenarios)) return std::nullopt;
  const auto own = std::find_if(kSigns.begin(), kSigns.end(), [&](const KindSigns& each) { return each.kind == kind; });
  return has_any(root, own->keys) ? std::nullopt : found;
}

/// Of a name that a file here has which is taken for one by its path only; otherwise nothing.
std::string file_called(ConfigKind kind, const std::string& name) {
  std::error_code ignored;
  if (is_file_name(name) || !std::filesystem::is_regular_file(name, ignored)) return {};
  const bool perhaps_a_trace = kind == ConfigKind::scenarios;
  return fmt::format("there is no {} '{}', but a file: ./{} if that is meant{}", singular(kind), name, name,
                     perhaps_a_trace ? "; of a trace, mlocksim import makes one" : "");
}

/// How a scenario says which of a kind with some keys of its own; empty: it cannot.
std::string_view in_scenario(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::machines:
      return "machine: {from: NAME, ...}";
    case ConfigKind::policies:
      return "policies: [{from: NAME, name: mine, ...}]";
    case ConfigKind::devices:
      return "device: {from: NAME, ...}";
    default:
      return {};
  }
}

/// The first few of many names, and where the others are.
std::string some_of(const std::vector<std::string>& names, ConfigKind kind) {
  constexpr std::ptrdiff_t kFew = 12;
  const auto more = static_cast<std::ptrdiff_t>(names.size()) - kFew;
  if (more <= 1) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more, see mlocksim list {}", fmt::join(names.begin(), names.begin() + kFew, ", "), more,
                     folder_name(kind));
}

/// Every file's first key.
void read_schema(YamlMap& map) {
  const auto schema = map.require("schema", fmt::format(": every file starts with `schema: {}`", kSchema));
  if (schema) (void)choice_of<bool>(*schema, {{std::string(kSchema), true}});
}

/// The file that a policy was written in, which is the table of kernels for those that it makes.
std::filesystem::path written_in(const std::filesystem::path& file) {
  return kernel_policy(file) ? file.parent_path() : file;
}

/// `{from: NAME, ...}`: the named file with keys replaced. It is read on its own first, so that its own mistakes are
/// reported once and under its own keys.
void read_derived(const YamlField& field, const YamlField& from, ConfigKind kind, const std::filesystem::path& scenario,
                  std::vector<Diagnostic>& diagnostics, const std::function<void(YamlMap&)>& read) {
  const auto file = file_of(from, kind, scenario);
  if (!file || !read_config(*file, kind, diagnostics, read)) return;
  std::vector<Diagnostic> reported_already;
  const YamlNode base = without_key(load_config(*file, reported_already), "schema");
  const YamlNode derived = overlay(base, without_key(field.node(), "from"));
  std::vector<Diagnostic> found;
  YamlMap map = YamlField(derived, field.path(), found).map();
  read(map);
  const std::string reported = written_in(*file).string();
  std::erase_if(found, [&](const Diagnostic& diagnostic) { return diagnostic.file == reported; });
  diagnostics.insert(diagnostics.end(), found.begin(), found.end());
}

}  // namespace

std::string singular(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::machines:
      return "machine";
    case ConfigKind::policies:
      return "policy";
    case ConfigKind::kernels:
      return "table of kernels";
    case ConfigKind::devices:
      return "device";
    case ConfigKind::scenarios:
      return "scenario";
    case ConfigKind::incidents:
      return "incident";
    case ConfigKind::studies:
      return "study";
  }
  return {};
}

namespace {

std::filesystem::path installed_configs() {
  std::error_code ignored;
  const std::filesystem::path beside = data_beside_program();
  if (std::filesystem::is_directory(beside, ignored)) return beside;
  const std::filesystem::path source = source_directory() / "configs";
  return std::filesystem::is_directory(source, ignored) ? source : data_directory();
}

}  // namespace

std::filesystem::path configs_directory() {
  const char* const chosen = std::getenv("MLOCKSIM_CONFIGS");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  static const std::filesystem::path installed = installed_configs();
  return installed;
}

std::string name_after(const std::filesystem::path& file) {
  std::string name = file.stem().string();
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '_' && c != '-' && c != '.'; }, '-');
  return name;
}

bool is_file_name(const std::string& name) { return name.find('/') != std::string::npos || name.ends_with(kExtension); }

Expected<std::filesystem::path> find_config(ConfigKind kind, const std::string& name,
                                            const std::vector<std::filesystem::path>& folders) {
  const auto kernel = kind == ConfigKind::policies ? find_kernel(name) : std::nullopt;
  std::vector<std::filesystem::path> places = folders;
  places.insert(places.end(), {configs_directory(), shipped_folder(kind)});
  for (const std::filesystem::path& place : places) {
    if (const auto file = find_in(place, kind, name)) return *file;
    // However a kernel is spelled, a file of one's own that is called as its policy is meant.
    const auto file = kernel && *kernel ? find_in(place, kind, (**kernel).stem().string()) : std::nullopt;
    if (file) return *file;
  }
  if (kernel) return *kernel;
  std::vector<std::string> names;
  for (const ConfigEntry& shipped : list_files(kind)) names.push_back(shipped.name);
  if (kind == ConfigKind::policies && name.starts_with("linux")) {
    return Refusal{
        fmt::format("there is no policy '{}': expected a kernel such as linux-6.1 (mlocksim list kernels)", name)};
  }
  if (kind == ConfigKind::policies) names = with_distributions(std::move(names));
  if (kind == ConfigKind::scenarios) {
    if (const auto file = find_in(shipped_folder(ConfigKind::incidents), kind, name)) return *file;
    for (const ConfigEntry& shipped : list_configs(ConfigKind::incidents)) names.push_back(shipped.name);
  }
  if (const std::string file = file_called(kind, name); !file.empty()) return Refusal{file};
  std::string word = std::filesystem::path(name).filename().string();
  if (word.ends_with(kExtension)) word.erase(word.size() - kExtension.size());
  std::string hint = did_you_mean(word, names);
  if (is_file_name(name))
    return Refusal{fmt::format("there is no {} '{}': no such file{}", singular(kind), name, hint)};
  const char* const kernels = kind == ConfigKind::policies ? "; or a kernel such as 6.1: mlocksim list kernels" : "";
  if (hint.empty()) hint = fmt::format(" (in {}: {}{})", configs_directory().string(), some_of(names, kind), kernels);
  return Refusal{fmt::format("there is no {} '{}'{}", singular(kind), name, hint)};
}

YamlNode load_config(const std::filesystem::path& file, std::vector<Diagnostic>& diagnostics) {
  auto kernel = kernel_policy(file);
  return kernel ? std::move(*kernel) : load_yaml(file, diagnostics);
}

const YamlNode& ConfigFiles::load(const std::filesystem::path& file) {
  const auto known = files_.find(file);
  if (known != files_.end()) return known->second;
  std::vector<Diagnostic> diagnostics;
  YamlNode root = load_config(file, diagnostics);
  if (!diagnostics.empty()) throw InputError(diagnostics);
  return files_.emplace(file, std::move(root)).first->second;
}

std::vector<ConfigEntry> list_files(ConfigKind kind) {
  std::vector<ConfigEntry> entries;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(shipped_folder(kind), ignored)) {
    if (is_config(entry)) entries.push_back({entry.path().stem().string(), about_of(entry.path()), entry.path()});
  }
  std::sort(entries.begin(), entries.end(), [](const ConfigEntry& a, const ConfigEntry& b) { return a.name < b.name; });
  return entries;
}

ConfigEntry kernel_entry(const std::string& name) {
  const std::filesystem::path path = *find_kernel(name).value();
  return {name, about_of(path), path};
}

std::vector<ConfigEntry> list_configs(ConfigKind kind) {
  std::vector<ConfigEntry> entries = list_files(kind);
  if (kind != ConfigKind::policies) return entries;
  for (const KernelSpan& span : kernel_spans()) entries.push_back(kernel_entry(span.name));
  return entries;
}

std::optional<ConfigKind> kind_of(const YamlNode& root) {
  for (const KindSigns& each : kSigns) {
    if (has_any(root, each.keys)) return each.kind;
  }
  return std::nullopt;
}

YamlMap open_config(const YamlNode& root, ConfigKind kind, std::vector<Diagnostic>& diagnostics) {
  if (const auto other = other_kind(root, kind)) {
    const bool policy_to_run = kind == ConfigKind::scenarios && *other == ConfigKind::policies;
    YamlField(root, "", diagnostics)
        .refuse(fmt::format("this is a {}: expected a {}{}", singular(*other), singular(kind),
                            policy_to_run ? "; --policy or --policies runs one under it" : ""));
    return {nullptr, "", diagnostics};
  }
  if (const YamlEntry* const from = find_entry(root, "from"); from != nullptr && !in_scenario(kind).empty()) {
    YamlField(from->value, "from", diagnostics)
        .refuse(fmt::format("a file has all keys itself; a scenario can say {}", in_scenario(kind)));
    return {nullptr, "", diagnostics};
  }
  YamlMap map = YamlField(root, "", diagnostics).map(fmt::format("the keys of a {}, first `schema`", singular(kind)));
  read_schema(map);
  return map;
}

bool read_config(const std::filesystem::path& file, ConfigKind kind, std::vector<Diagnostic>& diagnostics,
                 const std::function<void(YamlMap&)>& read) {
  std::vector<Diagnostic> unreadable;
  const YamlNode root = load_config(file, unreadable);
  const bool nothing = root.kind == YamlNode::Kind::null && !unreadable.empty();
  diagnostics.insert(diagnostics.end(), unreadable.begin(), unreadable.end());
  if (nothing) return false;
  YamlMap map = open_config(root, kind, diagnostics);
  if (!map) return false;
  read(map);
  name_as_in_table(diagnostics);
  return true;
}

std::optional<std::filesystem::path> file_of(const YamlField& field, ConfigKind kind,
                                             const std::filesystem::path& scenario) {
  const bool from_file = field.node().at.line > 0;
  using Folders = std::vector<std::filesystem::path>;
  const Folders folders = from_file ? Folders{field.folder()} : Folders{"", scenario};
  return field.parsed([&](const std::string& name) { return find_config(kind, name, folders); },
                      fmt::format("the name of a {}, or its keys as a map", singular(kind)));
}

void read_config_value(const YamlField& field, ConfigKind kind, const std::filesystem::path& scenario,
                       std::vector<Diagnostic>& diagnostics, const std::function<void(YamlMap&)>& read) {
  if (field.node().kind != YamlNode::Kind::map) {
    if (const auto file = file_of(field, kind, scenario)) (void)read_config(*file, kind, diagnostics, read);
    return;
  }
  YamlMap map = field.map();
  if (const auto from = map.find("from")) {
    read_derived(field, *from, kind, scenario, diagnostics, read);
  } else {
    read(map);
  }
}

}  // namespace experiments
