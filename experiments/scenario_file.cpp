#include "experiments/scenario_file.h"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <utility>

#include "experiments/diagnostics.h"
#include "experiments/yaml_reader.h"

#ifndef MLOCKSIM_SOURCE_CONFIGS
#define MLOCKSIM_SOURCE_CONFIGS "configs"
#endif

namespace experiments {

namespace {

using Diagnostics = std::vector<Diagnostic>;
using Folders = std::vector<std::filesystem::path>;

constexpr std::string_view kSchema = "mlocksim/1";
constexpr std::string_view kExtension = ".yaml";
constexpr int kMostCpus = 4096;
constexpr int kMostThreads = 10'000;

// --- values -------------------------------------------------------------------------------------------------

/// Sets `target` if the field is there and can be read.
template <typename T, typename Read>
void assign(T& target, const std::optional<YamlField>& field, Read read) {
  if (!field) return;
  if (auto value = read(*field)) target = std::move(*value);
}

std::optional<std::string> text_of(const YamlField& field) { return field.text("a text"); }

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

constexpr std::string_view kNameExpected = "a name of letters, digits, '_', '-' and '.'";

std::optional<std::string> name_of(const YamlField& field) {
  auto name = field.text(kNameExpected);
  if (!name || is_name(*name)) return name;
  field.refuse_expecting(kNameExpected);
  return std::nullopt;
}

void check_name(const YamlMap& map, const YamlMap::Item& item) {
  if (!is_name(item.key)) map.refuse_key(item, fmt::format("expected {}, found '{}'", kNameExpected, item.key));
}

template <typename T>
using Choices = std::vector<std::pair<std::string, T>>;

/// One of `choices`, whose words are the keys; `planned` are words of the design that do nothing yet.
template <typename T>
std::optional<T> choice_of(const YamlField& field, const Choices<T>& choices,
                           const std::vector<std::string>& planned = {}) {
  std::vector<std::string> words;
  for (const auto& [word, value] : choices) words.push_back(word);
  const std::string expected = fmt::format("{}", fmt::join(words, ", "));
  const auto written = field.text(expected);
  if (!written) return std::nullopt;
  for (const auto& [word, value] : choices) {
    if (word == *written) return value;
  }
  if (std::find(planned.begin(), planned.end(), *written) != planned.end()) {
    field.refuse(fmt::format("'{}' is not supported by this version (supported: {})", *written, expected));
  } else {
    field.refuse_expecting(expected, did_you_mean(*written, words));
  }
  return std::nullopt;
}

std::optional<sim::Nanoseconds> duration_of(const YamlField& field) {
  return field.parsed([](const std::string& text) { return parse_duration(text); }, kDurationExpected);
}

std::optional<sim::Nanoseconds> positive_duration_of(const YamlField& field) {
  const auto duration = duration_of(field);
  if (!duration || duration->count() > 0) return duration;
  field.refuse_expecting("a duration above zero");
  return std::nullopt;
}

std::optional<sim::Distribution> distribution_of(const YamlField& field) {
  const auto parse = [&](const std::string& text) { return parse_distribution(text, field.folder()); };
  return field.parsed(parse, kDistributionExpected);
}

std::optional<models::Bytes> size_of(const YamlField& field) {
  return field.parsed([](const std::string& text) { return parse_size(text); }, kSizeExpected);
}

std::optional<models::Bytes> byte_rate_of(const YamlField& field) {
  return field.parsed([](const std::string& text) { return parse_byte_rate(text); }, kByteRateExpected);
}

std::optional<models::Bytes> whole_pages_of(const YamlField& field) {
  const auto size = size_of(field);
  if (!size) return std::nullopt;
  const models::Bytes rounded = models::bytes_of(models::pages_of(*size));
  if (size->count() > 0 && rounded == *size) return size;
  const models::Bytes meant = std::max(rounded, models::Bytes{models::kPageSize});
  field.refuse_expecting("a multiple of 4KiB above zero", fmt::format(" (did you mean {}?)", spell(meant)));
  return std::nullopt;
}

auto count_up_to(int most) {
  return [most](const YamlField& field) -> std::optional<int> {
    const auto count = field.whole_number(1, static_cast<std::uint64_t>(most));
    return count ? std::optional(static_cast<int>(*count)) : std::nullopt;
  };
}

// --- files --------------------------------------------------------------------------------------------------

std::string folder_name(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::machines:
      return "machines";
    case ConfigKind::policies:
      return "policies";
    case ConfigKind::scenarios:
      return "scenarios";
  }
  return {};
}

std::string singular(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::machines:
      return "machine";
    case ConfigKind::policies:
      return "policy";
    case ConfigKind::scenarios:
      return "scenario";
  }
  return {};
}

/// Every file's first key.
void read_schema(YamlMap& map) {
  const auto schema = map.require("schema", fmt::format(": every file starts with `schema: {}`", kSchema));
  if (schema) (void)choice_of<bool>(*schema, {{std::string(kSchema), true}});
}

void throw_if_any(Diagnostics diagnostics) {
  if (!diagnostics.empty()) throw InputError(std::move(diagnostics));
}

/// The top of a file, as a map.
YamlMap root_of(const YamlNode& root, ConfigKind kind, Diagnostics& diagnostics) {
  return YamlField(root, "", diagnostics).map(fmt::format("the keys of a {}, first `schema`", singular(kind)));
}

/// Loads a file and reads it with `read(YamlMap&)`; nothing when it is no map at all.
template <typename Read>
auto read_file(const std::filesystem::path& file, ConfigKind kind, Diagnostics& diagnostics, Read read)
    -> std::optional<decltype(read(std::declval<YamlMap&>()))> {
  Diagnostics unreadable;
  const YamlNode root = load_yaml(file, unreadable);
  const bool nothing = root.kind == YamlNode::Kind::null && !unreadable.empty();
  diagnostics.insert(diagnostics.end(), unreadable.begin(), unreadable.end());
  if (nothing) return std::nullopt;
  YamlMap map = root_of(root, kind, diagnostics);
  if (!map) return std::nullopt;
  read_schema(map);
  return read(map);
}

/// The file that a field names. `scenario`: the folder of the scenario, for what the command line names.
std::optional<std::filesystem::path> file_of(const YamlField& field, ConfigKind kind,
                                             const std::filesystem::path& scenario) {
  const bool from_file = field.node().at.line > 0;
  const Folders folders = from_file ? Folders{field.folder()} : Folders{"", scenario};
  return field.parsed([&](const std::string& name) { return find_config(kind, name, folders); },
                      fmt::format("the name of a {}, or its keys as a map", singular(kind)));
}

// --- policies -----------------------------------------------------------------------------------------------

/// `{mode: ...}` of one path.
void read_mode(const std::optional<YamlField>& field, models::HoldMode& mode) {
  if (!field) return;
  YamlMap map = field->map("a map such as {mode: downgrade}");
  const auto hold_mode_of = [](const YamlField& value) {
    return choice_of<models::HoldMode>(
        value, {{"write_held", models::HoldMode::write_held}, {"downgrade", models::HoldMode::downgrade}},
        {"drop_and_read", "chunked_write"});
  };
  assign(mode, map.require("mode"), hold_mode_of);
  map.refuse_unsupported({"batch"});
  map.refuse_unknown();
}

void read_fault(const std::optional<YamlField>& field, models::FaultLock& lock) {
  if (!field) return;
  YamlMap map = field->map("a map such as {lock: mmap_sem}");
  const auto lock_of = [](const YamlField& value) {
    return choice_of<models::FaultLock>(value, {{"mmap_sem", models::FaultLock::mmap_sem}}, {"per_vma"});
  };
  assign(lock, map.require("lock"), lock_of);
  map.refuse_unknown();
}

models::Policy read_policy_keys(YamlMap& map) {
  models::Policy policy;
  assign(policy.name, map.require("name"), name_of);
  assign(policy.about, map.find("about"), text_of);
  const auto flavour_of = [](const YamlField& field) {
    return choice_of<models::RwsemFlavour>(field, {{"fifo", models::RwsemFlavour::fifo}}, {"spin_handoff"});
  };
  assign(policy.rwsem, map.find("rwsem"), flavour_of);
  read_mode(map.require("populate"), policy.populate);
  read_mode(map.require("munlock"), policy.munlock);
  read_mode(map.require("munmap"), policy.munmap);
  read_fault(map.find("fault"), policy.fault);
  map.refuse_unknown();
  return policy;
}

std::optional<models::Policy> read_policy_file(const std::filesystem::path& file, Diagnostics& diagnostics) {
  return read_file(file, ConfigKind::policies, diagnostics, read_policy_keys);
}

// --- machines -----------------------------------------------------------------------------------------------

struct CostKey {
  const char* key;
  std::variant<sim::Nanoseconds models::Costs::*, sim::Distribution models::Costs::*> member;
};

const std::vector<CostKey>& cost_keys() {
  using models::Costs;
  static const std::vector<CostKey> keys = {
      {"rwsem_operation", &Costs::rwsem_operation},
      {"rwsem_wake", &Costs::rwsem_wake},
      {"system_call", &Costs::system_call},
      {"find_vma", &Costs::find_vma},
      {"vma_split", &Costs::vma_split},
      {"vma_merge", &Costs::vma_merge},
      {"mmap", &Costs::mmap},
      {"munmap", &Costs::munmap},
      {"lru_add_drain_all", &Costs::lru_add_drain_all},
      {"populate_page", &Costs::populate_page},
      {"mlock_page", &Costs::mlock_page},
      {"munlock_page", &Costs::munlock_page},
      {"zap_page", &Costs::zap_page},
      {"fault", &Costs::fault},
      {"proc_cmdline", &Costs::proc_cmdline},
      {"proc_open", &Costs::proc_open},
      {"direct_reclaim", &Costs::direct_reclaim},
      {"kswapd", &Costs::kswapd},
      {"writeback", &Costs::writeback},
  };
  return keys;
}

void read_cost(const YamlField& field, sim::Nanoseconds& cost) { assign(cost, std::optional(field), duration_of); }
void read_cost(const YamlField& field, sim::Distribution& cost) { assign(cost, std::optional(field), distribution_of); }

void read_costs(const std::optional<YamlField>& field, models::Costs& costs) {
  if (!field) return;
  YamlMap map = field->map("a map of costs");
  for (const CostKey& cost : cost_keys()) {
    const auto value = map.require(cost.key);
    if (value) std::visit([&](auto member) { read_cost(*value, costs.*member); }, cost.member);
  }
  map.refuse_unknown();
}

void read_scheduler(const std::optional<YamlField>& field, models::SchedulerCosts& scheduler) {
  if (!field) return;
  YamlMap map = field->map("a map with timeslice, context_switch and wake_up_latency");
  assign(scheduler.timeslice, map.require("timeslice"), positive_duration_of);
  assign(scheduler.context_switch, map.require("context_switch"), duration_of);
  assign(scheduler.wake_up_latency, map.require("wake_up_latency"), duration_of);
  map.refuse_unknown();
}

models::Machine read_machine_keys(YamlMap& map) {
  models::Machine machine;
  assign(machine.name, map.require("name"), name_of);
  assign(machine.about, map.find("about"), text_of);
  assign(machine.cpus, map.require("cpus"), count_up_to(kMostCpus));
  read_scheduler(map.require("scheduler"), machine.scheduler);
  read_costs(map.require("costs"), machine.costs);
  map.refuse_unknown();
  return machine;
}

std::optional<models::Machine> read_machine_file(const std::filesystem::path& file, Diagnostics& diagnostics) {
  return read_file(file, ConfigKind::machines, diagnostics, read_machine_keys);
}

YamlNode without(YamlNode map, std::string_view key) {
  std::erase_if(map.entries, [&](const YamlEntry& entry) { return entry.key == key; });
  return map;
}

/// `{from: NAME, ...}`: the named machine with keys replaced. The named file is read on its own first, so that
/// its own mistakes are reported once and under its own keys.
std::optional<models::Machine> derive_machine(const YamlField& field, const YamlField& from,
                                              const std::filesystem::path& scenario, Diagnostics& diagnostics) {
  const auto file = file_of(from, ConfigKind::machines, scenario);
  if (!file || !read_machine_file(*file, diagnostics)) return std::nullopt;
  Diagnostics reported_already;
  const YamlNode base = without(load_yaml(*file, reported_already), "schema");
  const YamlNode derived = overlay(base, without(field.node(), "from"));
  Diagnostics found;
  YamlMap map = YamlField(derived, field.path(), found).map();
  auto machine = read_machine_keys(map);
  std::erase_if(found, [&](const Diagnostic& diagnostic) { return diagnostic.file == file->string(); });
  diagnostics.insert(diagnostics.end(), found.begin(), found.end());
  return machine;
}

std::optional<models::Machine> read_machine_value(const YamlField& field, const std::filesystem::path& scenario,
                                                  Diagnostics& diagnostics) {
  if (field.node().kind != YamlNode::Kind::map) {
    const auto file = file_of(field, ConfigKind::machines, scenario);
    return file ? read_machine_file(*file, diagnostics) : std::nullopt;
  }
  YamlMap map = field.map();
  if (const auto from = map.find("from")) return derive_machine(field, *from, scenario, diagnostics);
  return read_machine_keys(map);
}

// --- memory -------------------------------------------------------------------------------------------------

enum class Pressure { none, light, heavy };

/// `size` divided, in whole pages, at least one.
models::Bytes share_of(models::Bytes size, std::int64_t divisor) {
  const std::int64_t pages = size.count() / models::kPageSize / divisor;
  return models::bytes_of(models::PageCount{std::max<std::int64_t>(pages, 1)});
}

models::MemorySpec preset(Pressure pressure, models::Bytes size) {
  models::MemorySpec memory;
  memory.size = size;
  memory.free = size;
  if (pressure == Pressure::light) memory.free = share_of(size, 16);
  if (pressure == Pressure::heavy) {
    memory.free = share_of(size, 64);
    memory.dirty = 0.1;
    memory.background = models::Bytes{std::int64_t{400} << 20};
  }
  return memory;
}

models::MemorySpec read_memory(const YamlField& field) {
  YamlMap map = field.map("a map with at least size");
  models::Bytes size;
  assign(size, map.require("size"), whole_pages_of);
  Pressure pressure = Pressure::none;
  const auto pressure_of = [](const YamlField& value) {
    return choice_of<Pressure>(value,
                               {{"none", Pressure::none}, {"light", Pressure::light}, {"heavy", Pressure::heavy}});
  };
  assign(pressure, map.find("pressure"), pressure_of);
  models::MemorySpec memory = preset(pressure, size);
  const auto free = map.find("free");
  assign(memory.free, free, whole_pages_of);
  const auto min_free = map.find("min_free");
  assign(memory.min_free, min_free, whole_pages_of);
  assign(memory.dirty, map.find("dirty"), [](const YamlField& value) { return value.number(0, 1); });
  assign(memory.background, map.find("background"), byte_rate_of);
  map.refuse_unknown();
  const bool size_known = size.count() > 0;
  if (size_known && memory.free > size) free->refuse_expecting(fmt::format("at most the memory's {}", spell(size)));
  if (size_known && memory.min_free && memory.min_free->count() >= size.count() / 8) {
    min_free->refuse_expecting(fmt::format("less than an eighth of the memory's {}", spell(size)));
  }
  return memory;
}

// --- threads ------------------------------------------------------------------------------------------------

using Call = models::ScriptStep::Call;

Expected<models::ScriptStep> parse_step(const std::string& text) {
  constexpr std::string_view kHold = "hold";
  const Choices<Call> calls = {{"mlock", Call::mlock}, {"munlock", Call::munlock}, {"munmap", Call::munmap}};
  for (const auto& [word, call] : calls) {
    if (text == word) return models::ScriptStep{call};
  }
  if (text == kHold || text.starts_with("hold ")) {
    const auto duration = parse_duration(boost::algorithm::trim_copy(text.substr(kHold.size())));
    if (duration) return models::ScriptStep{Call::hold, *duration};
    return Refusal{fmt::format("in '{}': {}", text, duration.message())};
  }
  return Refusal{fmt::format("expected mlock, munlock, munmap or hold DURATION, found '{}'{}", text,
                             did_you_mean(text, {"mlock", "munlock", "munmap", "hold 100ms"}))};
}

std::optional<std::vector<models::ScriptStep>> script_of(const YamlField& field) {
  std::vector<models::ScriptStep> script;
  for (const YamlField& item : field.items("a list of steps such as [mlock, hold 100ms, munlock]")) {
    const auto step = item.parsed(parse_step, "mlock, munlock, munmap or hold DURATION");
    if (step) script.push_back(*step);
  }
  return script;
}

std::optional<sim::Distribution> inter_arrival_of(const YamlField& field) {
  auto every = distribution_of(field);
  if (!every || every->mean() > 0) return every;
  field.refuse_expecting("a distribution with a mean above zero");
  return std::nullopt;
}

models::Arrival read_arrival(YamlMap& thread) {
  const auto closed = thread.find("closed");
  const auto open = thread.find("open");
  if (!closed && !open) thread.refuse("expected `closed: {think: DISTRIBUTION}` or `open: {every: DISTRIBUTION}`");
  if (closed && open) open->refuse("expected either `closed` or `open`, found both");
  models::ClosedLoop closed_loop;
  if (closed) {
    YamlMap map = closed->map("a map such as {think: exponential 50us}");
    assign(closed_loop.think, map.require("think"), distribution_of);
    map.refuse_unknown();
  }
  if (!open) return closed_loop;
  models::OpenLoop open_loop;
  YamlMap map = open->map("a map such as {every: exponential 100us}");
  assign(open_loop.every, map.require("every"), inter_arrival_of);
  map.refuse_unknown();
  return open_loop;
}

enum class Run { unknown, locker, faulter, proc_reader, mapper };

Run run_of(const YamlField& field) {
  const auto run = choice_of<Run>(
      field,
      {{"locker", Run::locker}, {"faulter", Run::faulter}, {"proc_reader", Run::proc_reader}, {"mapper", Run::mapper}},
      {"busy"});
  return run.value_or(Run::unknown);
}

models::LockerSpec read_locker(YamlMap& thread, const std::vector<std::string>& regions) {
  models::LockerSpec locker;
  const auto region = thread.require("region");
  assign(locker.region, region, name_of);
  const bool known = std::find(regions.begin(), regions.end(), locker.region) != regions.end();
  if (!locker.region.empty() && !known) {
    region->refuse_expecting("a region of this process", did_you_mean(locker.region, regions));
  }
  assign(locker.script, thread.require("script"), script_of);
  assign(locker.repeat, thread.find("repeat"), count_up_to(std::numeric_limits<int>::max()));
  return locker;
}

models::MapperSpec read_mapper(YamlMap& thread) {
  models::MapperSpec mapper;
  assign(mapper.size, thread.find("size"), whole_pages_of);
  mapper.arrival = read_arrival(thread);
  return mapper;
}

// --- scenarios ----------------------------------------------------------------------------------------------

/// Reads a scenario, and keeps what its cross checks need.
class ScenarioReader {
 public:
  ScenarioReader(std::filesystem::path folder, Diagnostics& diagnostics)
      : folder_(std::move(folder)), diagnostics_(diagnostics) {}

  models::Scenario read(YamlMap& map, const YamlNode& policies_instead) {
    models::Scenario scenario;
    assign(scenario.name, map.require("name"), name_of);
    assign(scenario.about, map.find("about"), text_of);
    assign(scenario.machine, map.require("machine"),
           [&](const YamlField& field) { return read_machine_value(field, folder_, diagnostics_); });
    if (const auto memory = map.require("memory")) scenario.memory = read_memory(*memory);
    memory_ = scenario.memory.size;
    const bool replaced = policies_instead.kind == YamlNode::Kind::sequence;
    scenario.policies = read_policies(map, !replaced);
    if (replaced) scenario.policies = read_policy_list(YamlField(policies_instead, "policies", diagnostics_));
    assign(scenario.seed, map.find("seed"),
           [](const YamlField& field) { return field.whole_number(0, std::numeric_limits<std::uint64_t>::max()); });
    if (const auto processes = map.require("processes")) scenario.processes = read_processes(*processes);
    check_targets(scenario.processes);
    read_duration(map, scenario);
    map.refuse_unsupported({"groups", "expect"});
    map.refuse_unknown();
    return scenario;
  }

 private:
  std::vector<models::Policy> read_policies(YamlMap& map, bool required) {
    const auto policy = map.find("policy");
    const auto policies = map.find("policies");
    if (policy && policies) policies->refuse("expected either `policy` or `policies`, found both");
    if (!policy && !policies && required) {
      map.refuse("expected `policy: NAME`, or `policies: [NAME, ...]` to compare");
    }
    std::vector<models::Policy> read;
    if (policy) add_policy(*policy, read);
    if (policies) read = read_policy_list(*policies);
    return read;
  }

  std::vector<models::Policy> read_policy_list(const YamlField& field) {
    std::vector<models::Policy> policies;
    for (const YamlField& item : field.items("a list of policies such as [write_held, downgrade]")) {
      add_policy(item, policies);
    }
    return policies;
  }

  void add_policy(const YamlField& field, std::vector<models::Policy>& policies) {
    auto policy = read_policy_value(field);
    if (!policy) return;
    const bool duplicate = std::any_of(policies.begin(), policies.end(), [&](const models::Policy& other) {
      return !policy->name.empty() && other.name == policy->name;
    });
    if (duplicate) field.refuse(fmt::format("the policy '{}' is there already", policy->name));
    policies.push_back(std::move(*policy));
  }

  std::optional<models::Policy> read_policy_value(const YamlField& field) {
    if (field.node().kind == YamlNode::Kind::map) {
      YamlMap map = field.map();
      return read_policy_keys(map);
    }
    const auto file = file_of(field, ConfigKind::policies, folder_);
    return file ? read_policy_file(*file, diagnostics_) : std::nullopt;
  }

  std::vector<models::ProcessSpec> read_processes(const YamlField& field) {
    std::vector<models::ProcessSpec> processes;
    const auto items = field.items("a list of processes");
    // Nothing is known about threads that cannot be read: perhaps a locker was among them.
    if (items.empty()) locker_possible_ = true;
    for (const YamlField& item : items) processes.push_back(read_process(item, processes));
    return processes;
  }

  models::ProcessSpec read_process(const YamlField& field, const std::vector<models::ProcessSpec>& others) {
    models::ProcessSpec process;
    YamlMap map = field.map("a map with name and threads");
    const auto name = map.require("name");
    assign(process.name, name, name_of);
    const bool duplicate = std::any_of(others.begin(), others.end(), [&](const models::ProcessSpec& other) {
      return !process.name.empty() && other.name == process.name;
    });
    if (duplicate) name->refuse(fmt::format("there is a process '{}' already", process.name));
    assign(process.cap_ipc_lock, map.find("cap_ipc_lock"), [](const YamlField& value) { return value.boolean(); });
    if (const auto limit = map.find("rlimit_memlock")) process.rlimit_memlock = read_limit(*limit);
    if (const auto regions = map.find("regions")) process.regions = read_regions(*regions);
    if (const auto threads = map.require("threads")) {
      process.threads = read_threads(*threads, process);
    } else {
      locker_possible_ = true;
    }
    map.refuse_unknown();
    return process;
  }

  static std::optional<models::Bytes> read_limit(const YamlField& field) {
    const auto written = field.text("unlimited or a size such as 64KiB");
    if (!written || *written == "unlimited") return std::nullopt;
    const bool number = written->find_first_of("0123456789") != std::string::npos;
    if (number) return size_of(field);
    field.refuse_expecting("unlimited or a size such as 64KiB", did_you_mean(*written, {"unlimited"}));
    return std::nullopt;
  }

  std::vector<models::RegionSpec> read_regions(const YamlField& field) {
    std::vector<models::RegionSpec> regions;
    const YamlMap map = field.map("a map of regions, such as {heap: {size: 1GiB}}");
    for (const YamlMap::Item& item : map.items()) {
      check_name(map, item);
      regions.push_back({item.key, read_region_size(item.value)});
    }
    return regions;
  }

  models::Bytes read_region_size(const YamlField& field) {
    models::Bytes bytes;
    YamlMap map = field.map("a map such as {size: 1GiB, kind: anon}");
    const auto size = map.require("size");
    assign(bytes, size, whole_pages_of);
    if (const auto kind = map.find("kind")) {
      (void)choice_of<bool>(*kind, {{"anon", true}}, {"file", "hugetlb", "special", "gate"});
    }
    map.refuse_unknown();
    count_region(size, bytes);
    return bytes;
  }

  /// Only the region that makes it too much is at fault, not those behind it.
  void count_region(const std::optional<YamlField>& size, models::Bytes bytes) {
    const bool fitted = regions_.count() <= memory_.count();
    regions_ = models::Bytes{regions_.count() + bytes.count()};
    if (memory_.count() == 0 || !fitted || regions_ <= memory_) return;
    size->refuse(
        fmt::format("all regions together are {}, more than the memory's {}", spell(regions_), spell(memory_)));
  }

  std::vector<models::ThreadSpec> read_threads(const YamlField& field, const models::ProcessSpec& process) {
    std::vector<models::ThreadSpec> threads;
    const YamlMap map = field.map("a map of threads, such as {reader: {run: faulter, ...}}");
    if (map && map.items().empty()) map.refuse("expected at least one thread, found none");
    if (map.items().empty()) locker_possible_ = true;
    bool locker_seen = false;
    for (const YamlMap::Item& item : map.items()) {
      check_name(map, item);
      const auto [earlier, fresh] = threads_.emplace(item.key, item.key_at);
      if (!fresh) map.refuse_key(item, duplicate_thread(earlier->second));
      threads.push_back(read_thread(item, process, locker_seen));
    }
    return threads;
  }

  static std::string duplicate_thread(const Position& earlier) {
    const std::string where = earlier.line > 0 ? fmt::format(" (line {})", earlier.line) : "";
    return fmt::format("another process has a thread of this name{}: it names a class of the results", where);
  }

  models::ThreadSpec read_thread(const YamlMap::Item& item, const models::ProcessSpec& process, bool& locker_seen) {
    models::ThreadSpec thread;
    thread.name = item.key;
    YamlMap map = item.value.map("a map such as {run: faulter, closed: {think: 50us}}");
    const auto run_field = map.require("run");
    const Run run = run_field ? run_of(*run_field) : Run::unknown;
    const auto count = map.find("count");
    assign(thread.count, count, count_up_to(kMostThreads));
    map.refuse_unsupported({"nice", "cpus", "group"});
    locker_possible_ = locker_possible_ || run == Run::unknown || run == Run::locker;
    if (run == Run::unknown) return thread;
    thread.run = read_run(run, map, process);
    map.refuse_unknown();
    if (std::holds_alternative<models::LockerSpec>(thread.run)) {
      if (thread.count > 1) count->refuse_expecting("1, as this version has one thread for a locker");
      if (locker_seen) run_field->refuse("this process has a locker already: this version has one for a process");
      locker_seen = true;
    }
    return thread;
  }

  decltype(models::ThreadSpec::run) read_run(Run run, YamlMap& map, const models::ProcessSpec& process) {
    switch (run) {
      case Run::unknown:
        break;
      case Run::locker:
        return read_locker(map, names_of(process.regions));
      case Run::faulter:
        return models::FaulterSpec{read_arrival(map)};
      case Run::proc_reader:
        return read_proc_reader(map);
      case Run::mapper:
        return read_mapper(map);
    }
    return {};
  }

  template <typename Named>
  static std::vector<std::string> names_of(const std::vector<Named>& all) {
    std::vector<std::string> names;
    for (const Named& one : all) names.push_back(one.name);
    return names;
  }

  models::ProcReaderSpec read_proc_reader(YamlMap& map) {
    using File = models::ProcReaderSpec::File;
    models::ProcReaderSpec reader;
    const auto proc_file_of = [](const YamlField& field) {
      return choice_of<File>(field, {{"cmdline", File::cmdline}}, {"environ", "maps", "smaps", "smaps_rollup"});
    };
    assign(reader.file, map.find("file"), proc_file_of);
    const auto target = map.require("target");
    assign(reader.target, target, name_of);
    if (!reader.target.empty()) targets_.push_back(*target);
    reader.arrival = read_arrival(map);
    return reader;
  }

  void check_targets(const std::vector<models::ProcessSpec>& processes) const {
    const auto names = names_of(processes);
    for (const YamlField& target : targets_) {
      const std::string& name = target.node().scalar;
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      target.refuse_expecting("the name of a process", did_you_mean(name, names));
    }
  }

  void read_duration(YamlMap& map, models::Scenario& scenario) const {
    const auto field = locker_possible_ ? map.find("duration")
                                        : map.require("duration", ": without a locker a run needs one, such as 10s");
    if (field) scenario.duration = positive_duration_of(*field);
  }

  std::filesystem::path folder_;
  Diagnostics& diagnostics_;
  models::Bytes memory_;
  models::Bytes regions_;
  std::map<std::string, Position> threads_;
  std::vector<YamlField> targets_;
  bool locker_possible_ = false;
};

// --- the command line ---------------------------------------------------------------------------------------

YamlNode scalar_node(std::string text, Position at) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.at = std::move(at);
  node.scalar = std::move(text);
  return node;
}

/// `machine: NAME` as `machine: {from: NAME}`, so that a path can lead into it.
void open_machine(YamlNode& root) {
  const auto machine = std::find_if(root.entries.begin(), root.entries.end(),
                                    [](const YamlEntry& entry) { return entry.key == "machine"; });
  if (machine == root.entries.end() || machine->value.kind != YamlNode::Kind::scalar) return;
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  map.at = machine->value.at;
  map.entries.push_back({"from", machine->value.at, machine->value});
  machine->value = std::move(map);
}

void apply_sets(YamlNode& root, const std::vector<std::string>& sets, Diagnostics& diagnostics) {
  for (const std::string& set : sets) {
    if (set.starts_with("machine.")) open_machine(root);
    apply_set(root, set, diagnostics);
  }
}

/// The policies of the command line as a list to read; null when there are none.
YamlNode policies_node(const std::vector<std::string>& policies) {
  const Position origin{"command line", 0, 0};
  YamlNode list;
  list.at = origin;
  for (const std::string& policy : policies) {
    list.kind = YamlNode::Kind::sequence;
    if (policy != "all") {
      list.entries.push_back({{}, {}, scalar_node(policy, origin)});
      continue;
    }
    for (const ConfigEntry& shipped : list_configs(ConfigKind::policies)) {
      list.entries.push_back({{}, {}, scalar_node(shipped.path.string(), origin)});
    }
  }
  return list;
}

// --- finding files ------------------------------------------------------------------------------------------

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
  if (name.find('/') != std::string::npos || name.ends_with(kExtension)) {
    candidates.insert(candidates.end(), {folder / name, folder / own / name});
  }
  for (const std::filesystem::path& candidate : candidates) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(candidate, ignored)) return candidate;
  }
  return std::nullopt;
}

bool is_config(const std::filesystem::directory_entry& entry) {
  return entry.is_regular_file() && entry.path().extension() == kExtension;
}

std::string about_of(const std::filesystem::path& file) {
  Diagnostics ignored;
  for (const YamlEntry& entry : load_yaml(file, ignored).entries) {
    if (entry.key == "about") return entry.value.scalar;
  }
  return {};
}

bool has_any(const YamlNode& root, const std::vector<std::string>& keys) {
  return std::any_of(root.entries.begin(), root.entries.end(), [&](const YamlEntry& entry) {
    return std::find(keys.begin(), keys.end(), entry.key) != keys.end();
  });
}

/// By the keys that only this kind has; nothing when there are none.
std::optional<ConfigKind> kind_of(const YamlNode& root) {
  if (has_any(root, {"processes", "memory", "machine", "policy", "policies"})) return ConfigKind::scenarios;
  if (has_any(root, {"costs", "scheduler"})) return ConfigKind::machines;
  if (has_any(root, {"populate", "munlock", "munmap"})) return ConfigKind::policies;
  return std::nullopt;
}

}  // namespace

models::Scenario read_scenario(const std::filesystem::path& file, const Overrides& overrides) {
  Diagnostics diagnostics;
  YamlNode root = load_yaml(file, diagnostics);
  if (root.kind == YamlNode::Kind::null) throw_if_any(diagnostics);
  apply_sets(root, overrides.sets, diagnostics);
  YamlMap map = root_of(root, ConfigKind::scenarios, diagnostics);
  if (!map) throw InputError(diagnostics);
  read_schema(map);
  const YamlNode policies = policies_node(overrides.policies);
  models::Scenario scenario = ScenarioReader(file.parent_path(), diagnostics).read(map, policies);
  throw_if_any(diagnostics);
  scenario.seed = overrides.seed.value_or(scenario.seed);
  return scenario;
}

models::Policy read_policy(const std::filesystem::path& file) {
  Diagnostics diagnostics;
  const auto policy = read_policy_file(file, diagnostics);
  throw_if_any(diagnostics);
  return *policy;
}

models::Machine read_machine(const std::filesystem::path& file) {
  Diagnostics diagnostics;
  const auto machine = read_machine_file(file, diagnostics);
  throw_if_any(diagnostics);
  return *machine;
}

ConfigKind check_file(const std::filesystem::path& file) {
  Diagnostics diagnostics;
  const YamlNode root = load_yaml(file, diagnostics);
  if (root.kind == YamlNode::Kind::null) throw_if_any(diagnostics);
  const auto kind = kind_of(root);
  if (!kind) {
    YamlField(root, "", diagnostics)
        .refuse("expected a scenario (with `processes`), a machine (with `costs`) or a policy (with `populate`)");
    throw InputError(diagnostics);
  }
  if (kind == ConfigKind::scenarios) (void)read_scenario(file);
  if (kind == ConfigKind::machines) (void)read_machine(file);
  if (kind == ConfigKind::policies) (void)read_policy(file);
  return *kind;
}

std::filesystem::path configs_directory() {
  const char* const chosen = std::getenv("MLOCKSIM_CONFIGS");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  std::error_code ignored;
  if (std::filesystem::is_directory(MLOCKSIM_SOURCE_CONFIGS, ignored)) return MLOCKSIM_SOURCE_CONFIGS;
  return "/usr/share/mlocksim";
}

Expected<std::filesystem::path> find_config(ConfigKind kind, const std::string& name,
                                            const std::vector<std::filesystem::path>& folders) {
  for (const std::filesystem::path& folder : folders) {
    if (const auto file = find_in(folder, kind, name)) return *file;
  }
  if (const auto file = find_in(configs_directory(), kind, name)) return *file;
  std::vector<std::string> names;
  for (const ConfigEntry& shipped : list_configs(kind)) names.push_back(shipped.name);
  std::string word = std::filesystem::path(name).filename().string();
  if (word.ends_with(kExtension)) word.erase(word.size() - kExtension.size());
  std::string hint = did_you_mean(word, names);
  if (hint.empty()) hint = fmt::format(" (in {}: {})", configs_directory().string(), fmt::join(names, ", "));
  return Refusal{fmt::format("there is no {} '{}'{}", singular(kind), name, hint)};
}

std::vector<ConfigEntry> list_configs(ConfigKind kind) {
  std::vector<ConfigEntry> entries;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(configs_directory() / folder_name(kind), ignored)) {
    if (is_config(entry)) entries.push_back({entry.path().stem().string(), about_of(entry.path()), entry.path()});
  }
  std::sort(entries.begin(), entries.end(), [](const ConfigEntry& a, const ConfigEntry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace experiments
