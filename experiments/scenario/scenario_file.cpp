#include "experiments/scenario/scenario_file.h"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>
#include <variant>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/scenario/device_file.h"
#include "experiments/scenario/memory_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_text.h"
#include "experiments/scenario/yaml_values.h"
#include "models/mm/mm.h"

namespace experiments {

namespace {

using Diagnostics = std::vector<Diagnostic>;

constexpr int kMostThreads = 10'000;
constexpr int kMostVmas = static_cast<int>(models::kDefaultMaxMapCount);

void throw_if_any(Diagnostics diagnostics) {
  if (!diagnostics.empty()) throw InputError(std::move(diagnostics));
}

// --- threads ------------------------------------------------------------------------------------------------

using Call = models::ScriptStep::Call;

constexpr std::string_view kStepExpected =
    "mlock, munlock, munmap, mlockall, mlockall future, munlockall, mmap locked, remap_file_pages, exit, brk SIZE, "
    "stack "
    "SIZE or hold DURATION";

const Choices<Call>& plain_steps() {
  static const Choices<Call> steps = {{"mlock", Call::mlock},
                                      {"munlock", Call::munlock},
                                      {"munmap", Call::munmap},
                                      {"mlockall", Call::mlockall},
                                      {"mlockall future", Call::mlockall_future},
                                      {"munlockall", Call::munlockall},
                                      {"mmap locked", Call::mmap_locked},
                                      {"remap_file_pages", Call::remap_file_pages},
                                      {"exit", Call::exit}};
  return steps;
}

/// What follows `word` in `text`, if that is how it begins.
std::optional<std::string> argument_of(const std::string& text, const std::string& word) {
  if (text != word && !text.starts_with(word + " ")) return std::nullopt;
  return boost::algorithm::trim_copy(text.substr(word.size()));
}

Expected<models::ScriptStep> parse_growth(const std::string& text, Call call, const std::string& argument) {
  const auto size = parse_size(argument);
  if (!size) return Refusal{fmt::format("in '{}': {}", text, size.message())};
  const bool whole = size->count() > 0 && models::bytes_of(models::pages_of(*size)) == *size;
  if (!whole) return Refusal{fmt::format("in '{}': expected a multiple of 4KiB above zero", text)};
  return models::ScriptStep{call, {}, *size};
}

Expected<models::ScriptStep> parse_step(const std::string& text) {
  for (const auto& [word, call] : plain_steps()) {
    if (text == word) return models::ScriptStep{call};
  }
  if (const auto argument = argument_of(text, "hold")) {
    const auto duration = parse_duration(*argument);
    if (duration) return models::ScriptStep{Call::hold, *duration};
    return Refusal{fmt::format("in '{}': {}", text, duration.message())};
  }
  if (const auto argument = argument_of(text, "brk")) return parse_growth(text, Call::brk, *argument);
  if (const auto argument = argument_of(text, "stack")) return parse_growth(text, Call::stack, *argument);
  std::vector<std::string> words{"hold 100ms", "brk 1MiB", "stack 64KiB"};
  for (const auto& [word, call] : plain_steps()) words.push_back(word);
  return Refusal{fmt::format("expected {}, found '{}'{}", kStepExpected, text, did_you_mean(text, words))};
}

std::optional<std::vector<models::ScriptStep>> script_of(const YamlField& field) {
  std::vector<models::ScriptStep> script;
  for (const YamlField& item : field.items("a list of steps such as [mlock, hold 100ms, munlock]")) {
    if (!script.empty() && script.back().call == Call::exit) item.refuse("nothing can come after exit");
    const auto step = item.parsed(parse_step, kStepExpected);
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
    assign(closed_loop.compute, map.find("compute"), distribution_of);
    map.refuse_unknown();
  }
  if (!open) return closed_loop;
  models::OpenLoop open_loop;
  YamlMap map = open->map("a map such as {every: exponential 100us}");
  assign(open_loop.every, map.require("every"), inter_arrival_of);
  map.refuse_unknown();
  return open_loop;
}

enum class Run {
  unknown,
  locker,
  faulter,
  proc_reader,
  mapper,
  recycler,
  madviser,
  mincore,
  get_mempolicy,
  protector,
  forker,
  remote_reader,
  busy
};

Run run_of(const YamlField& field) {
  const auto run = choice_of<Run>(field, {{"locker", Run::locker},
                                          {"faulter", Run::faulter},
                                          {"proc_reader", Run::proc_reader},
                                          {"mapper", Run::mapper},
                                          {"recycler", Run::recycler},
                                          {"madviser", Run::madviser},
                                          {"mincore", Run::mincore},
                                          {"get_mempolicy", Run::get_mempolicy},
                                          {"protector", Run::protector},
                                          {"forker", Run::forker},
                                          {"remote_reader", Run::remote_reader},
                                          {"busy", Run::busy}});
  return run.value_or(Run::unknown);
}

using Regions = std::vector<models::RegionSpec>;

template <typename Named>
std::vector<std::string> names_of(const std::vector<Named>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.push_back(one.name);
  return names;
}

/// The region that `field` names, or null.
const models::RegionSpec* region_of(const std::optional<YamlField>& field, const Regions& regions) {
  std::string name;
  assign(name, field, name_of);
  if (name.empty()) return nullptr;
  const auto found = std::find_if(regions.begin(), regions.end(), [&](const auto& each) { return each.name == name; });
  if (found != regions.end()) return &*found;
  field->refuse_expecting("a region of this process", did_you_mean(name, names_of(regions)));
  return nullptr;
}

models::LockerSpec read_locker(YamlMap& thread, const Regions& regions) {
  models::LockerSpec locker;
  if (const auto* region = region_of(thread.require("region"), regions)) locker.region = region->name;
  assign(locker.script, thread.require("script"), script_of);
  const auto repeat = thread.find("repeat");
  assign(locker.repeat, repeat, count_up_to(std::numeric_limits<int>::max()));
  const bool exits = !locker.script.empty() && locker.script.back().call == Call::exit;
  if (exits && locker.repeat > 1) repeat->refuse_expecting("1, as the script ends with exit");
  return locker;
}

models::FaulterSpec read_faulter(YamlMap& thread, const Regions& regions) {
  models::FaulterSpec faulter;
  if (const auto field = thread.find("region")) {
    if (const auto* region = region_of(field, regions)) faulter.region = region->name;
  }
  faulter.arrival = read_arrival(thread);
  return faulter;
}

std::optional<models::Advice> advice_of(const YamlField& field) {
  using models::Advice;
  return choice_of<Advice>(field,
                           {{"normal", Advice::normal},
                            {"random", Advice::random},
                            {"sequential", Advice::sequential},
                            {"dontfork", Advice::dontfork},
                            {"dofork", Advice::dofork},
                            {"willneed", Advice::willneed},
                            {"dontneed", Advice::dontneed},
                            {"populate_read", Advice::populate_read},
                            {"populate_write", Advice::populate_write}},
                           {"free"});
}

/// Advice that the kernel would refuse for every page of `region` is a mistake in the scenario.
void refuse_senseless(const YamlField& advice, models::Advice given, const models::RegionSpec& region) {
  using Kind = models::RegionSpec::Kind;
  if (given == models::Advice::willneed && region.kind != Kind::file) {
    advice.refuse_expecting("another advice: only files are read ahead, and the region is of another kind");
  }
  if (given == models::Advice::populate_write && region.kind == Kind::file) {
    advice.refuse_expecting("populate_read, as files are mapped to be read");
  }
}

void refuse_larger(const std::optional<YamlField>& size, models::Bytes bytes, const models::RegionSpec& region) {
  if (size && bytes > region.size) size->refuse_expecting(fmt::format("at most the region's {}", spell(region.size)));
}

/// A madviser, a protector or one that calls mincore: `size` of `region` at a time.
template <typename Spec>
Spec read_region_caller(YamlMap& thread, const Regions& regions) {
  Spec spec;
  const auto* region = region_of(thread.require("region"), regions);
  const auto size = thread.find("size");
  assign(spec.size, size, whole_pages_of);
  if (region != nullptr) {
    spec.region = region->name;
    refuse_larger(size, spec.size, *region);
  }
  spec.arrival = read_arrival(thread);
  return spec;
}

models::MadviserSpec read_madviser(YamlMap& thread, const Regions& regions) {
  auto madviser = read_region_caller<models::MadviserSpec>(thread, regions);
  const auto advice = thread.find("advice");
  assign(madviser.advice, advice, advice_of);
  const auto region = std::find_if(regions.begin(), regions.end(),
                                   [&](const models::RegionSpec& each) { return each.name == madviser.region; });
  if (advice && region != regions.end()) refuse_senseless(*advice, madviser.advice, *region);
  return madviser;
}

models::GetMempolicySpec read_get_mempolicy(YamlMap& thread, const Regions& regions) {
  models::GetMempolicySpec caller;
  if (const auto* region = region_of(thread.require("region"), regions)) caller.region = region->name;
  assign(caller.node, thread.find("node"), truth_of);
  caller.arrival = read_arrival(thread);
  return caller;
}

models::ForkerSpec read_forker(YamlMap& thread) {
  models::ForkerSpec forker;
  forker.arrival = read_arrival(thread);
  return forker;
}

models::BusySpec read_busy(YamlMap& thread) {
  models::BusySpec busy;
  const auto sleep = thread.find("sleep");
  assign(busy.spin, sleep ? thread.require("spin", ": what it does between two sleeps") : thread.find("spin"),
         inter_arrival_of);
  if (sleep) busy.sleep = distribution_of(*sleep);
  return busy;
}

models::MapperSpec read_mapper(YamlMap& thread, const Regions& regions) {
  models::MapperSpec mapper;
  const auto size = thread.find("size");
  assign(mapper.size, size, whole_pages_of);
  if (const auto field = thread.find("region")) {
    const auto* region = region_of(field, regions);
    if (region != nullptr) {
      mapper.region = region->name;
      refuse_larger(size, mapper.size, *region);
    }
  }
  assign(mapper.populate, thread.find("populate"), truth_of);
  mapper.arrival = read_arrival(thread);
  return mapper;
}

// --- scenarios ----------------------------------------------------------------------------------------------

/// Reads a scenario, and keeps what its cross checks need.
class ScenarioReader {
 public:
  ScenarioReader(std::filesystem::path folder, Diagnostics& diagnostics)
      : folder_(std::move(folder)), diagnostics_(diagnostics) {}

  ScenarioFile read(YamlMap& map, const YamlNode& policies_instead) {
    ScenarioFile file;
    models::Scenario& scenario = file.scenario;
    assign(scenario.name, map.require("name"), name_of);
    assign(scenario.about, map.find("about"), text_of);
    assign(scenario.machine, map.require("machine"),
           [&](const YamlField& field) { return read_machine_value(field, folder_, diagnostics_); });
    if (const auto memory = map.require("memory")) memory_.read(*memory, folder_, diagnostics_);
    const bool replaced = policies_instead.kind == YamlNode::Kind::sequence;
    scenario.policies = read_policies(map, !replaced);
    if (replaced) scenario.policies = read_policy_list(YamlField(policies_instead, "policies", diagnostics_));
    assign(scenario.seed, map.find("seed"),
           [](const YamlField& field) { return field.whole_number(0, std::numeric_limits<std::uint64_t>::max()); });
    cpus_ = scenario.machine.cpus;
    if (const auto groups = map.find("groups")) scenario.groups = read_groups(*groups);
    groups_ = scenario.groups;
    if (const auto processes = map.require("processes")) scenario.processes = read_processes(*processes);
    scenario.memory = memory_.memory();
    check_targets(scenario.processes);
    read_duration(map, scenario);
    if (const auto expect = map.find("expect")) {
      file.expectations = read_expectations(*expect, scenario, known_policies(map, scenario));
    }
    if (const auto incident = map.find("incident")) file.incident = read_incident(*incident, scenario);
    map.refuse_unknown();
    return file;
  }

 private:
  /// Those that are run, those that the file would run otherwise, and the shipped ones.
  static std::vector<std::string> known_policies(YamlMap& map, const models::Scenario& scenario) {
    std::vector<std::string> names = names_of(scenario.policies);
    const auto add = [&](const YamlNode& node) {
      const YamlEntry* const name = node.kind == YamlNode::Kind::map ? find_entry(node, "name") : nullptr;
      names.push_back(name == nullptr ? node.scalar : name->value.scalar);
    };
    if (const auto policy = map.find("policy")) add(policy->node());
    if (const auto policies = map.find("policies")) {
      for (const YamlEntry& entry : policies->node().entries) add(entry.value);
    }
    for (const ConfigEntry& shipped : list_configs(ConfigKind::policies)) names.push_back(shipped.name);
    return names;
  }

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
    auto policy = read_policy_value(field, folder_, diagnostics_);
    if (!policy) return;
    const bool duplicate = std::any_of(policies.begin(), policies.end(), [&](const models::Policy& other) {
      return !policy->name.empty() && other.name == policy->name;
    });
    if (duplicate) field.refuse(fmt::format("the policy '{}' is there already", policy->name));
    policies.push_back(std::move(*policy));
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
    assign(process.cap_ipc_lock, map.find("cap_ipc_lock"), truth_of);
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
      regions.push_back(read_region(item));
    }
    return regions;
  }

  models::RegionSpec read_region(const YamlMap::Item& item) {
    models::RegionSpec region;
    region.name = item.key;
    YamlMap map = item.value.map("a map such as {size: 1GiB, kind: anon}");
    const auto size = map.require("size");
    assign(region.size, size, whole_pages_of);
    const auto kind_field = map.find("kind");
    const auto kind = kind_field ? kind_of_region(*kind_field) : region.kind;
    region.kind = kind.value_or(region.kind);
    const auto vmas = map.find("vmas");
    assign(region.vmas, vmas, count_up_to(kMostVmas));
    const auto whole = models::pages_of(region.size);
    if (whole.count() > 0 && region.vmas > whole.count()) {
      vmas->refuse_expecting(fmt::format("at most the region's {} pages", whole.count()));
    }
    const auto pages = map.find("pages");
    if (pages) region.pages = read_pages(*pages, kind);
    read_anon_vma(map.find("anon_vma"), region);
    if (const auto touched_every = map.find("touched_every")) {
      region.touched_every = positive_duration_of(*touched_every);
    }
    map.refuse_unknown();
    if (kind) memory_.place(region, size, pages);
    return region;
  }

  static void read_anon_vma(const std::optional<YamlField>& field, models::RegionSpec& region) {
    assign(region.shares_anon_vma, field, [](const YamlField& value) {
      return choice_of<bool>(value, {{"own", false}, {"shared", true}});
    });
    const bool faulted_in =
        region.kind == models::RegionSpec::Kind::anon && region.pages != models::RegionSpec::Pages::absent;
    if (region.shares_anon_vma && !faulted_in) {
      field->refuse(
          "only anonymous pages that have been faulted in have an anon_vma: use it with pages: resident or swapped");
    }
  }

  static std::optional<models::RegionSpec::Kind> kind_of_region(const YamlField& field) {
    using Kind = models::RegionSpec::Kind;
    return choice_of<Kind>(field,
                           {{"anon", Kind::anon},
                            {"file", Kind::file},
                            {"special", Kind::special},
                            {"hugetlb", Kind::hugetlb},
                            {"io", Kind::io}},
                           {"gate"});
  }

  /// `absent` where the kind of region cannot have what the field says.
  static models::RegionSpec::Pages read_pages(const YamlField& field, std::optional<models::RegionSpec::Kind> kind) {
    using Kind = models::RegionSpec::Kind;
    using Pages = models::RegionSpec::Pages;
    const Choices<Pages> choices = {{"absent", Pages::absent},
                                    {"resident", Pages::resident},
                                    {"cached", Pages::cached},
                                    {"swapped", Pages::swapped}};
    const Pages pages = choice_of<Pages>(field, choices).value_or(Pages::absent);
    if (pages == Pages::absent || !kind) return pages;
    if (kind != Kind::anon && kind != Kind::file) {
      field.refuse_expecting("absent: only the pages of anon and file regions can be anywhere at the start");
    } else if (pages == Pages::cached && kind != Kind::file) {
      field.refuse_expecting("absent, resident or swapped: only the pages of files are in the page cache");
    } else if (pages == Pages::swapped && kind != Kind::anon) {
      field.refuse_expecting("absent, resident or cached: the pages of a file are never in swap");
    } else {
      return pages;
    }
    return Pages::absent;
  }

  std::vector<models::ThreadSpec> read_threads(const YamlField& field, const models::ProcessSpec& process) {
    std::vector<models::ThreadSpec> threads;
    const YamlMap map = field.map("a map of threads, such as {reader: {run: faulter, ...}}");
    if (map && map.items().empty()) map.refuse("expected at least one thread, found none");
    if (map.items().empty()) locker_possible_ = true;
    for (const YamlMap::Item& item : map.items()) {
      check_name(map, item);
      const auto [earlier, fresh] = threads_.emplace(item.key, item.key_at);
      if (!fresh) map.refuse_key(item, duplicate_thread(earlier->second));
      threads.push_back(read_thread(item, process));
    }
    return threads;
  }

  static std::vector<models::GroupSpec> read_groups(const YamlField& field) {
    std::vector<models::GroupSpec> groups;
    const YamlMap map =
        field.map("a map of control groups, such as {monitoring: {cpu_max: {quota: 20ms, period: 100ms}}}");
    for (const YamlMap::Item& item : map.items()) {
      check_name(map, item);
      models::GroupSpec& group = groups.emplace_back();
      group.name = item.key;
      YamlMap keys = item.value.map("a map with cpu_max or cpu_weight");
      assign(group.cpu_weight, keys.find("cpu_weight"), count_up_to(10'000));
      if (const auto cpu_max = keys.find("cpu_max")) group.cpu_max = read_cpu_max(*cpu_max);
      keys.refuse_unknown();
    }
    return groups;
  }

  static models::CpuMax read_cpu_max(const YamlField& field) {
    models::CpuMax cpu_max;
    cpu_max.period = std::chrono::milliseconds(100);
    YamlMap map = field.map("a map such as {quota: 20ms, period: 100ms}");
    assign(cpu_max.quota, map.require("quota"), positive_duration_of);
    assign(cpu_max.period, map.find("period"), positive_duration_of);
    map.refuse_unknown();
    return cpu_max;
  }

  models::SchedSpec read_sched(YamlMap& map) const {
    models::SchedSpec sched;
    assign(sched.nice, map.find("nice"), nice_of);
    if (const auto cpus = map.find("cpus")) sched.cpus = read_cpus(*cpus);
    if (const auto group = map.find("group")) sched.group = read_group(*group);
    return sched;
  }

  std::vector<int> read_cpus(const YamlField& field) const {
    std::vector<int> cpus;
    for (const YamlField& item : field.items("a list of CPUs such as [0, 2]")) {
      if (const auto cpu = item.whole_number(0, static_cast<std::uint64_t>(std::max(1, cpus_)) - 1)) {
        cpus.push_back(static_cast<int>(*cpu));
      }
    }
    std::sort(cpus.begin(), cpus.end());
    cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
    return cpus;
  }

  /// Its number; -1 if there is none of that name.
  [[nodiscard]] int read_group(const YamlField& field) const {
    std::string name;
    assign(name, std::optional(field), name_of);
    if (name.empty()) return -1;
    const auto found = std::find_if(groups_.begin(), groups_.end(),
                                    [&](const models::GroupSpec& group) { return group.name == name; });
    if (found != groups_.end()) return static_cast<int>(found - groups_.begin());
    field.refuse_expecting("one of the scenario's `groups`", did_you_mean(name, names_of(groups_)));
    return -1;
  }

  static std::string duplicate_thread(const Position& earlier) {
    const std::string where = earlier.line > 0 ? fmt::format(" (line {})", earlier.line) : "";
    return fmt::format("another process has a thread of this name{}: it names a class of the results", where);
  }

  models::ThreadSpec read_thread(const YamlMap::Item& item, const models::ProcessSpec& process) {
    models::ThreadSpec thread;
    thread.name = item.key;
    YamlMap map = item.value.map("a map such as {run: faulter, closed: {think: 50us}}");
    const auto run_field = map.require("run");
    const Run run = run_field ? run_of(*run_field) : Run::unknown;
    assign(thread.count, map.find("count"), number_up_to(kMostThreads));
    thread.sched = read_sched(map);
    const auto pinned = map.find("pinned");
    assign(thread.pinned, pinned, truth_of);
    if (thread.pinned && thread.sched.cpus.empty()) {
      pinned->refuse("expected `cpus`, too: a thread is pinned to each in turn");
    }
    locker_possible_ = locker_possible_ || run == Run::unknown || (run == Run::locker && thread.count > 0);
    locker_named_ = locker_named_ || run == Run::locker;
    if (run == Run::unknown) return thread;
    thread.run = read_run(run, map, process);
    map.refuse_unknown();
    return thread;
  }

  decltype(models::ThreadSpec::run) read_run(Run run, YamlMap& map, const models::ProcessSpec& process) {
    switch (run) {
      case Run::unknown:
        break;
      case Run::locker:
        return read_locker(map, process.regions);
      case Run::faulter:
        return read_faulter(map, process.regions);
      case Run::proc_reader:
        return read_proc_reader(map);
      case Run::mapper:
        return read_mapper(map, process.regions);
      case Run::recycler:
        return read_region_caller<models::MadviserSpec>(map, process.regions);
      case Run::madviser:
        return read_madviser(map, process.regions);
      case Run::mincore:
        return read_region_caller<models::MincoreSpec>(map, process.regions);
      case Run::get_mempolicy:
        return read_get_mempolicy(map, process.regions);
      case Run::protector:
        return read_region_caller<models::ProtectorSpec>(map, process.regions);
      case Run::forker:
        return read_forker(map);
      case Run::remote_reader:
        return read_remote_reader(map);
      case Run::busy:
        return read_busy(map);
    }
    return {};
  }

  models::ProcReaderSpec read_proc_reader(YamlMap& map) {
    using File = models::ProcReaderSpec::File;
    models::ProcReaderSpec reader;
    const auto proc_file_of = [](const YamlField& field) {
      return choice_of<File>(field,
                             {{"cmdline", File::cmdline},
                              {"maps", File::maps},
                              {"smaps", File::smaps},
                              {"smaps_rollup", File::smaps_rollup},
                              {"numa_maps", File::numa_maps}},
                             {"environ"});
    };
    assign(reader.file, map.find("file"), proc_file_of);
    const auto target = map.require("target");
    assign(reader.target, target, name_of);
    if (!reader.target.empty()) targets_.push_back(*target);
    reader.arrival = read_arrival(map);
    const auto new_process = map.find("new_process");
    assign(reader.new_process, new_process, truth_of);
    if (reader.new_process && std::holds_alternative<models::OpenLoop>(reader.arrival)) {
      new_process->refuse("a shell starts the next process when the last one has ended: expected `closed`");
    }
    return reader;
  }

  models::RemoteReaderSpec read_remote_reader(YamlMap& map) {
    models::RemoteReaderSpec reader;
    const auto target = map.require("target");
    assign(reader.target, target, name_of);
    if (!reader.target.empty()) targets_.push_back(*target);
    if (!reader.target.empty()) region_targets_.push_back(*target);
    int pages = 1;
    assign(pages, map.find("pages"), count_up_to(std::numeric_limits<int>::max()));
    reader.pages = models::PageCount(pages);
    reader.arrival = read_arrival(map);
    return reader;
  }

  void check_targets(const std::vector<models::ProcessSpec>& processes) const {
    const auto names = names_of(processes);
    for (const YamlField& target : region_targets_) {
      const auto found = std::find_if(processes.begin(), processes.end(), [&](const models::ProcessSpec& process) {
        return process.name == target.node().scalar;
      });
      if (found != processes.end() && found->regions.empty()) {
        target.refuse_expecting("a process with a region to read from");
      }
    }
    for (const YamlField& target : targets_) {
      const std::string& name = target.node().scalar;
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      target.refuse_expecting("the name of a process", did_you_mean(name, names));
    }
  }

  void read_duration(YamlMap& map, models::Scenario& scenario) const {
    const char* const why = locker_named_ ? ": with `count: 0` of every locker a run needs one, such as 10s"
                                          : ": without a locker a run needs one, such as 10s";
    const auto field = locker_possible_ ? map.find("duration") : map.require("duration", why);
    if (field) scenario.duration = positive_duration_of(*field);
  }

  std::filesystem::path folder_;
  Diagnostics& diagnostics_;
  MemoryReader memory_;
  int cpus_ = 1;
  std::vector<models::GroupSpec> groups_;
  std::map<std::string, Position> threads_;
  std::vector<YamlField> targets_;
  std::vector<YamlField> region_targets_;  // those that must have a region
  bool locker_possible_ = false;
  bool locker_named_ = false;  // perhaps with count 0
};

// --- the command line ---------------------------------------------------------------------------------------

YamlNode scalar_node(std::string text, Position at) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.at = std::move(at);
  node.scalar = std::move(text);
  return node;
}

/// What a scenario may give by name only, and a path can lead into all the same.
const std::vector<std::vector<std::string>>& named_values() {
  static const std::vector<std::vector<std::string>> paths = {
      {"machine"}, {"memory", "device"}, {"memory", "swap", "device"}};
  return paths;
}

/// The value of a key at `path`; null when there is none.
YamlNode* value_at(YamlNode& root, const std::vector<std::string>& path) {
  YamlNode* node = &root;
  for (const std::string& key : path) {
    YamlEntry* const entry = find_entry(*node, key);
    if (entry == nullptr) return nullptr;
    node = &entry->value;
  }
  return node;
}

/// `memory: {...}` as `memory: {..., device: NAME}` with the default, where it names none.
void name_default_device(YamlNode& root) {
  YamlNode* const memory = value_at(root, {"memory"});
  if (memory == nullptr || memory->kind != YamlNode::Kind::map || value_at(root, {"memory", "device"})) return;
  memory->entries.push_back({"device", memory->at, scalar_node(default_device(*memory), memory->at)});
}

/// `machine: NAME` as `machine: {from: NAME}`, so that a path can lead into it.
void open_named(YamlNode& value) {
  if (value.kind != YamlNode::Kind::scalar) return;
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  map.at = value.at;
  map.entries.push_back({"from", value.at, value});
  value = std::move(map);
}

void apply_sets(YamlNode& root, const std::vector<std::string>& sets, Diagnostics& diagnostics) {
  for (const std::string& set : sets) {
    if (set.starts_with("memory.device.")) name_default_device(root);
    for (const std::vector<std::string>& path : named_values()) {
      if (!set.starts_with(boost::algorithm::join(path, ".") + ".")) continue;
      if (YamlNode* const value = value_at(root, path)) open_named(*value);
    }
    apply_set(root, set, diagnostics);
  }
}

const Position& of_command_line() {
  static const Position position{"command line", 0, 0};
  return position;
}

/// The name that a policy of a scenario's tree goes by.
std::string name_of_policy(const YamlNode& policy, const std::filesystem::path& folder) {
  Diagnostics reported_when_read;
  YamlNode named;
  const YamlNode* keys = &policy;
  if (policy.kind == YamlNode::Kind::scalar) {
    const auto file = file_of(YamlField(policy, "", reported_when_read), ConfigKind::policies, folder);
    if (file) named = load_yaml(*file, reported_when_read);
    keys = &named;
  }
  const YamlEntry* const name = keys->kind == YamlNode::Kind::map ? find_entry(*keys, "name") : nullptr;
  return name == nullptr ? std::string() : name->value.scalar;
}

std::vector<const YamlNode*> own_policies(const YamlNode& root) {
  std::vector<const YamlNode*> policies;
  if (root.kind != YamlNode::Kind::map) return policies;
  if (const YamlEntry* const one = find_entry(root, "policy")) policies.push_back(&one->value);
  if (const YamlEntry* const list = find_entry(root, "policies")) {
    for (const YamlEntry& entry : list->value.entries) policies.push_back(&entry.value);
  }
  return policies;
}

/// What a text of Overrides::policies means, but for `all`.
YamlNode policy_in(const YamlNode& root, const std::string& policy, const std::filesystem::path& folder,
                   Diagnostics& diagnostics) {
  if (policy.starts_with('{')) return parse_yaml(policy, {"--policy " + policy, 0, 0}, diagnostics);
  const bool path = policy.find('/') != std::string::npos || policy.ends_with(".yaml");
  const YamlNode* const own = path ? nullptr : own_policy(root, policy, folder);
  return own == nullptr ? scalar_node(policy, of_command_line()) : *own;
}

/// What the command line puts in the place of a scenario's policies.
std::vector<YamlNode> said_policies(const YamlNode& root, const std::vector<std::string>& policies,
                                    const std::filesystem::path& folder, Diagnostics& diagnostics) {
  std::vector<YamlNode> nodes;
  for (const std::string& policy : policies) {
    if (policy != "all") {
      nodes.push_back(policy_in(root, policy, folder, diagnostics));
      continue;
    }
    for (const ConfigEntry& shipped : list_configs(ConfigKind::policies)) {
      nodes.push_back(scalar_node(shipped.path.string(), of_command_line()));
    }
  }
  return nodes;
}

/// As a list to read; null where there are none.
YamlNode list_of(std::vector<YamlNode> nodes) {
  YamlNode list;
  list.at = of_command_line();
  if (!nodes.empty()) list.kind = YamlNode::Kind::sequence;
  for (YamlNode& node : nodes) list.entries.push_back({{}, {}, std::move(node)});
  return list;
}

}  // namespace

void apply_scenario_sets(YamlNode& root, const std::vector<std::string>& sets, Diagnostics& diagnostics) {
  apply_sets(root, sets, diagnostics);
}

const YamlNode* own_policy(const YamlNode& root, const std::string& name, const std::filesystem::path& folder) {
  const std::vector<const YamlNode*> policies = own_policies(root);
  const auto found = std::find_if(policies.begin(), policies.end(), [&](const YamlNode* policy) {
    return policy->scalar == name || name_of_policy(*policy, folder) == name;
  });
  return found == policies.end() ? nullptr : *found;
}

std::vector<YamlNode> policies_of(const YamlNode& root, const std::vector<std::string>& policies,
                                  const std::filesystem::path& folder) {
  Diagnostics reported_when_read;
  std::vector<YamlNode> nodes = said_policies(root, policies, folder, reported_when_read);
  if (!policies.empty()) return nodes;
  for (const YamlNode* const own : own_policies(root)) nodes.push_back(*own);
  return nodes;
}

ScenarioFile read_scenario_file(const std::filesystem::path& file, const Overrides& overrides) {
  Diagnostics diagnostics;
  YamlNode root = load_yaml(file, diagnostics);
  if (root.kind == YamlNode::Kind::null) throw_if_any(diagnostics);
  return read_scenario_file(std::move(root), file.parent_path(), overrides, std::move(diagnostics));
}

models::Scenario read_scenario(const std::filesystem::path& file, const Overrides& overrides) {
  return read_scenario_file(file, overrides).scenario;
}

ScenarioFile read_scenario_file(YamlNode root, const std::filesystem::path& folder, const Overrides& overrides,
                                Diagnostics diagnostics) {
  apply_sets(root, overrides.sets, diagnostics);
  YamlMap map = open_config(root, ConfigKind::scenarios, diagnostics);
  if (!map) throw InputError(diagnostics);
  const YamlNode policies = list_of(said_policies(root, overrides.policies, folder, diagnostics));
  ScenarioFile file = ScenarioReader(folder, diagnostics).read(map, policies);
  throw_if_any(diagnostics);
  file.scenario.seed = overrides.seed.value_or(file.scenario.seed);
  return file;
}

models::Scenario read_scenario(YamlNode root, const std::filesystem::path& folder, const Overrides& overrides,
                               Diagnostics diagnostics) {
  return read_scenario_file(std::move(root), folder, overrides, std::move(diagnostics)).scenario;
}

ConfigKind check_file(const std::filesystem::path& file) {
  Diagnostics diagnostics;
  const YamlNode root = load_yaml(file, diagnostics);
  if (root.kind == YamlNode::Kind::null) throw_if_any(diagnostics);
  const auto kind = kind_of(root);
  if (!kind) {
    YamlField(root, "", diagnostics)
        .refuse(
            "expected a scenario (with `processes`), a machine (with `costs`), a policy (with `populate`) or a device "
            "(with `queue_depth` or `compress`)");
    throw InputError(diagnostics);
  }
  if (kind == ConfigKind::scenarios) (void)read_scenario(file);
  if (kind == ConfigKind::machines) (void)read_machine(file);
  if (kind == ConfigKind::policies) (void)read_policy(file);
  if (kind == ConfigKind::devices) (void)read_device(file);
  return *kind;
}

}  // namespace experiments
