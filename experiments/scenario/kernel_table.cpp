#include "experiments/scenario/kernel_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

using models::KernelVersion;

constexpr std::string_view kLinux = "linux-";

std::filesystem::path table_file() { return configs_directory() / "kernels" / "linux.yaml"; }

// --- reading it -----------------------------------------------------------------------------------------------

std::optional<KernelVersion> version_of(const YamlField& field) {
  return field.parsed(parse_kernel, "the version of a kernel such as 6.4");
}

YamlNode map_of(const std::optional<YamlField>& field) {
  if (!field) return {};
  return field->map() ? field->node() : YamlNode{};
}

KernelChange read_change(const YamlField& field) {
  KernelChange change;
  YamlMap map = field.map("a map with release, what and source");
  assign(change.release, map.require("release"), version_of);
  assign(change.what, map.require("what"), text_of);
  assign(change.source, map.require("source"), text_of);
  assign(change.from_memory, map.find("from_memory"), truth_of);
  assign(change.read_in, map.find("read_in"), version_of);
  change.policy = map_of(map.find("policy"));
  change.scheduler = map_of(map.find("scheduler"));
  map.refuse_unknown();
  return change;
}

Distribution read_distribution(const YamlMap::Item& item) {
  Distribution distribution;
  distribution.name = item.key;
  YamlMap map = item.value.map("a map with kernel and source");
  assign(distribution.release, map.require("kernel"), version_of);
  assign(distribution.about, map.find("about"), text_of);
  assign(distribution.source, map.require("source"), text_of);
  assign(distribution.uname, map.find("uname"), text_of);
  assign(distribution.from_memory, map.find("from_memory"), truth_of);
  if (const auto config = map.find("config")) {
    for (const YamlMap::Item& each : config->map().items()) {
      distribution.config.emplace_back(each.key, text_of(each.value).value_or(""));
    }
  }
  distribution.policy = map_of(map.find("policy"));
  distribution.scheduler = map_of(map.find("scheduler"));
  map.refuse_unknown();
  return distribution;
}

/// Of a series: more than there ever were.
constexpr int kMostReleases = 999;

/// `{2.6: 27 .. 39, 3: 0 .. 19}`: the numbers that follow each of the first ones.
void read_releases(const YamlField& field, std::vector<KernelVersion>& releases) {
  for (const YamlMap::Item& series : field.map("a map such as {6: 0 .. 18}").items()) {
    const auto range = text_of(series.value);
    if (!range) return;
    const std::size_t dots = range->find(" .. ");
    const auto first = parse_kernel(fmt::format("{}.{}", series.key, range->substr(0, dots)));
    const auto last =
        dots == std::string::npos ? first : parse_kernel(fmt::format("{}.{}", series.key, range->substr(dots + 4)));
    const bool sublevels = series.key.find('.') != std::string::npos;
    const auto number_of = [&](auto& version) -> auto& { return sublevels ? version.sublevel : version.patchlevel; };
    if (!first || !last || number_of(*last) > kMostReleases) {
      series.value.refuse_expecting(fmt::format("a range such as 0 .. 18, up to {}", kMostReleases));
      return;
    }
    for (KernelVersion each = *first; each <= *last; ++number_of(each)) releases.push_back(each);
  }
}

bool is_described(const KernelTable& table, const KernelVersion& release) {
  return std::find(table.releases.begin(), table.releases.end(), release) != table.releases.end();
}

/// The change that was read last: those after it are laid over it.
void refuse_out_of_place(const YamlField& field, const KernelTable& table) {
  const KernelChange& change = table.changes.back();
  if (!is_described(table, change.release)) {
    return field.refuse(fmt::format("{} is none of the `releases`", to_text(change.release)));
  }
  if (table.changes.size() > 1 && change.release <= std::prev(table.changes.end(), 2)->release) {
    field.refuse(fmt::format("{} stands behind {}: expected the oldest first, and each once", to_text(change.release),
                             to_text(std::prev(table.changes.end(), 2)->release)));
  }
}

void refuse_out_of_place(const YamlField& map, const YamlMap::Item& item, const KernelTable& table) {
  const Distribution& own = table.distributions.back();
  const auto refuse = [&](const std::string& why) { map.map().refuse_key(item, why); };
  check_name(map.map(), item);
  if (parse_uname(own.name)) refuse("expected a name that is not a version");
  if (!is_described(table, own.release)) refuse(to_text(own.release) + " is none of the `releases`");
  for (const Distribution& other : table.distributions) {
    const bool same = !own.uname.empty() && other.uname == own.uname && other.release == own.release;
    if (&other != &own && same) refuse(fmt::format("{} has that `uname` already", other.name));
  }
}

KernelTable read_table(YamlMap& map) {
  KernelTable table;
  (void)map.require("name");
  (void)map.find("about");
  if (const auto releases = map.require("releases")) read_releases(*releases, table.releases);
  table.oldest = map_of(map.require("oldest"));
  if (const auto changes = map.require("changes")) {
    for (const YamlField& change : changes->items("a list of changes")) {
      table.changes.push_back(read_change(change));
      refuse_out_of_place(change, table);
    }
  }
  if (const auto distributions = map.require("distributions")) {
    for (const YamlMap::Item& each : distributions->map().items()) {
      table.distributions.push_back(read_distribution(each));
      refuse_out_of_place(*distributions, each, table);
    }
  }
  map.refuse_unknown();
  return table;
}

}  // namespace

KernelTable read_kernel_table(const std::filesystem::path& file) {
  std::vector<Diagnostic> diagnostics;
  const YamlNode root = load_yaml(file, diagnostics);
  if (!diagnostics.empty()) throw InputError(diagnostics);
  YamlMap map = open_config(root, ConfigKind::kernels, diagnostics);
  KernelTable table = read_table(map);
  if (!diagnostics.empty()) throw InputError(diagnostics);
  return table;
}

namespace {

// --- compositions ---------------------------------------------------------------------------------------------

/// A kernel of the table, by whatever name.
struct Known {
  std::string name;  ///< linux-5.4, debian-12
  KernelVersion release;
  const Distribution* distribution = nullptr;
  std::vector<std::string> notes{};
};

YamlNode text_node(std::string text) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.at = {table_file().string(), 0, 0};
  node.scalar = std::move(text);
  return node;
}

void put(YamlNode& map, const std::string& key, const YamlNode& value) {
  map.entries.push_back({key, value.at, value});
}

YamlNode empty_map() {
  YamlNode map = text_node("");
  map.kind = YamlNode::Kind::map;
  return map;
}

bool has_keys(const YamlNode& node) { return node.kind == YamlNode::Kind::map; }

/// The keys at the ends of its branches, with their paths.
void collect_leaves(const YamlNode& node, const std::string& path, std::vector<std::string>& leaves) {
  if (node.kind != YamlNode::Kind::map) return leaves.push_back(path);
  for (const YamlEntry& entry : node.entries) collect_leaves(entry.value, path + "." + entry.key, leaves);
}

std::vector<std::string> leaves_of(const YamlNode& node) {
  std::vector<std::string> leaves;
  if (has_keys(node)) collect_leaves(node, "", leaves);
  return leaves;
}

template <YamlNode KernelChange::*kKeys, YamlNode Distribution::*kOwnKeys>
YamlNode composition(const Known& kernel, YamlNode base) {
  for (const KernelChange& change : kernel_table().changes) {
    const YamlNode& keys = change.*kKeys;
    if (change.release <= kernel.release && has_keys(keys)) base = overlay(std::move(base), keys);
  }
  const bool own = kernel.distribution != nullptr && has_keys(kernel.distribution->*kOwnKeys);
  return own ? overlay(std::move(base), kernel.distribution->*kOwnKeys) : base;
}

YamlNode rules_of(const Known& kernel) {
  return composition<&KernelChange::policy, &Distribution::policy>(kernel, kernel_table().oldest);
}

/// The releases whose changes still count in a kernel and have not been read in a source.
std::vector<std::string> remembered(const Known& kernel) {
  std::map<std::string, const KernelChange*> last;  // by leaf
  for (const KernelChange& change : kernel_table().changes) {
    if (change.release > kernel.release) break;
    for (const std::string& leaf : leaves_of(change.policy)) last[leaf] = &change;
  }
  if (kernel.distribution != nullptr) {
    for (const std::string& leaf : leaves_of(kernel.distribution->policy)) last.erase(leaf);
  }
  std::vector<KernelVersion> releases;
  for (const auto& [leaf, change] : last) {
    const bool read = change->read_in && *change->read_in <= kernel.release;
    if (change->from_memory && !read) releases.push_back(change->release);
  }
  std::sort(releases.begin(), releases.end());
  releases.erase(std::unique(releases.begin(), releases.end()), releases.end());
  std::vector<std::string> texts;
  for (const KernelVersion& release : releases) texts.push_back(to_text(release));
  return texts;
}

/// What has changed in the rules last: what the policy is told from others by.
std::string about_of(const Known& kernel) {
  const std::string version = to_text(kernel.release);
  if (kernel.distribution != nullptr) {
    const std::string& own = kernel.distribution->about;
    return fmt::format("Linux {} as in {}{}", version, kernel.name, own.empty() ? "." : ": " + own);
  }
  std::string about;
  KernelVersion release;
  for (const KernelChange& change : kernel_table().changes) {
    if (change.release > kernel.release || !has_keys(change.policy)) continue;
    if (change.release != release) about.clear();
    about += (about.empty() ? "" : " ") + change.what;
    release = change.release;
  }
  if (about.empty()) return fmt::format("Linux {}.", version);
  return fmt::format("Linux {}. {}{}", version,
                     release == kernel.release ? "" : fmt::format("Since {}: ", to_text(release)), about);
}

YamlNode policy_of(const Known& kernel) {
  YamlNode policy = empty_map();
  put(policy, "schema", text_node("mlocksim/1"));
  put(policy, "name", text_node(kernel.name));
  put(policy, "kernel", text_node(to_text(kernel.release)));
  put(policy, "about", text_node(about_of(kernel)));
  std::vector<std::string> notes = kernel.notes;
  if (const auto from = remembered(kernel); !from.empty()) {
    notes.push_back(fmt::format("what {} brought is from memory, not read in a source (mlocksim list kernels)",
                                fmt::join(from, ", ")));
  }
  if (kernel.distribution != nullptr && kernel.distribution->from_memory) {
    notes.push_back("what the distribution has changed or configured is partly from memory (mlocksim list kernels)");
  }
  if (!notes.empty()) {
    YamlNode list = text_node("");
    list.kind = YamlNode::Kind::sequence;
    for (std::string& note : notes) list.entries.push_back({"", list.at, text_node(std::move(note))});
    put(policy, "notes", list);
  }
  return overlay(std::move(policy), rules_of(kernel));
}

// --- names ----------------------------------------------------------------------------------------------------

const Distribution* distribution_named(const std::string& name, const NamedKernel* kernel) {
  for (const Distribution& each : kernel_table().distributions) {
    if (each.name == name) return &each;
    const bool its_uname = kernel != nullptr && !each.uname.empty() && kernel->release == each.release &&
                           kernel->rest.find(each.uname) != std::string::npos;
    if (its_uname) return &each;
  }
  return nullptr;
}

std::optional<Expected<Known>> known(const std::string& name) {
  const auto named = parse_uname(name);
  const Distribution* const distribution = distribution_named(name, named ? &*named : nullptr);
  if (distribution != nullptr) return Known{distribution->name, distribution->release, distribution};
  if (!named) return std::nullopt;
  const std::vector<KernelVersion>& releases = kernel_table().releases;
  if (releases.empty()) {
    return Refusal{fmt::format("there is no table of kernels in {}", table_file().parent_path().string())};
  }
  const auto after = std::upper_bound(releases.begin(), releases.end(), named->release);
  const std::string version = to_text(named->release);
  if (after == releases.begin()) {
    return Refusal{fmt::format("Linux {} is older than any kernel that is described: the oldest is linux-{}", version,
                               to_text(releases.front()))};
  }
  Known kernel{std::string(kLinux) + version, *std::prev(after)};
  if (kernel.release != named->release) {
    kernel.notes.push_back(fmt::format("Linux {} is not described: these are the rules of {}, the nearest older one",
                                       version, to_text(kernel.release)));
  }
  return kernel;
}

}  // namespace

const KernelTable& kernel_table() {
  static std::map<std::filesystem::path, KernelTable> tables;  // that of a test is not that of another
  const std::filesystem::path file = table_file();
  const auto found = tables.find(file);
  if (found != tables.end()) return found->second;
  std::error_code ignored;
  const bool there = std::filesystem::is_regular_file(file, ignored);  // somebody's own folder may have none
  return tables.emplace(file, there ? read_kernel_table(file) : KernelTable{}).first->second;
}

std::vector<KernelSpan> kernel_spans(const std::vector<std::string>& unnoticed) {
  std::vector<KernelSpan> spans;
  const KernelTable& table = kernel_table();
  for (const KernelVersion& release : table.releases) {
    const bool changed = std::any_of(table.changes.begin(), table.changes.end(), [&](const KernelChange& change) {
      const auto& keys = change.policy.entries;
      return change.release == release && std::any_of(keys.begin(), keys.end(), [&](const YamlEntry& each) {
               return std::find(unnoticed.begin(), unnoticed.end(), each.key) == unnoticed.end();
             });
    });
    if (spans.empty() || changed) spans.push_back({release, release, std::string(kLinux) + to_text(release)});
    spans.back().last = release;
  }
  return spans;
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const KernelVersion& release : kernel_table().releases) names.push_back(std::string(kLinux) + to_text(release));
  for (const Distribution& each : kernel_table().distributions) names.push_back(each.name);
  return names;
}

std::string to_text(const KernelSpan& span) {
  if (span.first == span.last) return "Linux " + to_text(span.first);
  if (span.last == kernel_table().releases.back()) return fmt::format("Linux {} and later", to_text(span.first));
  return fmt::format("Linux {} to {}", to_text(span.first), to_text(span.last));
}

std::optional<Expected<std::filesystem::path>> find_kernel(const std::string& name) {
  const auto kernel = known(name);
  if (!kernel) return std::nullopt;
  if (!*kernel) return Refusal{kernel->message()};
  return table_file() / ((**kernel).name + ".yaml");
}

std::optional<YamlNode> kernel_policy(const std::filesystem::path& path) {
  if (path.parent_path() != table_file()) return std::nullopt;
  const auto kernel = known(path.stem().string());
  return kernel && *kernel ? std::optional(policy_of(**kernel)) : std::nullopt;
}

Expected<YamlNode> kernel_scheduler(const std::string& name) {
  const auto kernel = known(name);
  if (!kernel) {
    return Refusal{fmt::format("expected a kernel such as 6.1 or debian-12 (mlocksim list kernels), found '{}'", name)};
  }
  if (!*kernel) return Refusal{kernel->message()};
  YamlNode scheduler = composition<&KernelChange::scheduler, &Distribution::scheduler>(**kernel, empty_map());
  put(scheduler, "of", text_node((**kernel).name));
  return scheduler;
}

std::optional<models::KernelVersion> kernel_release(const std::string& name) {
  const auto kernel = known(name);
  return kernel && *kernel ? std::optional((**kernel).release) : std::nullopt;
}

namespace {

// What its distribution's configuration says; nothing where the kernel is not a distribution's.
std::optional<std::string> config_of(const std::string& kernel_name, std::string_view wanted) {
  const auto kernel = known(kernel_name);
  if (!kernel || !*kernel || (**kernel).distribution == nullptr) return std::nullopt;
  for (const auto& [key, value] : (**kernel).distribution->config) {
    if (key == wanted) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<YamlNode> kernel_thp(const std::string& name) {
  const auto thp = config_of(name, "thp");
  return thp ? std::optional(text_node(*thp)) : std::nullopt;
}

std::optional<YamlNode> kernel_reclaim(const std::string& name) {
  const auto mglru = config_of(name, "mglru");
  return mglru ? std::optional(text_node(*mglru == "on" ? "mglru" : "classic")) : std::nullopt;
}

namespace {

std::string last_step(const std::string& key) { return key.substr(key.find_last_of('.') + 1); }

/// The keys of all that begins where a mistake is.
void collect_keys_at(const Diagnostic& mistake, const YamlNode& node, const std::string& path,
                     std::vector<std::string>& keys) {
  const auto is_there = [&](const Position& at) { return at.line == mistake.line && at.column == mistake.column; };
  for (std::size_t index = 0; index < node.entries.size(); ++index) {
    const YamlEntry& entry = node.entries[index];
    std::string key = fmt::format("{}{}{}", path, path.empty() ? "" : ".", entry.key);
    if (node.kind == YamlNode::Kind::sequence) key = fmt::format("{}[{}]", path, index);
    const bool keyed = node.kind == YamlNode::Kind::map && is_there(entry.key_at);
    if (keyed || is_there(entry.value.at)) keys.push_back(key);
    collect_keys_at(mistake, entry.value, key, keys);
  }
}

}  // namespace

void name_as_in_table(std::vector<Diagnostic>& diagnostics) {
  const std::string file = table_file().string();
  for (Diagnostic& mistake : diagnostics) {
    if (mistake.file != file || mistake.line == 0) continue;
    std::vector<Diagnostic> reported_already;
    std::vector<std::string> keys;
    collect_keys_at(mistake, load_yaml(file, reported_already), "", keys);
    // A map begins where its first key does.
    const auto same = std::find_if(keys.begin(), keys.end(),
                                   [&](const std::string& key) { return last_step(key) == last_step(mistake.key); });
    if (same != keys.end()) mistake.key = *same;
  }
}

}  // namespace experiments
