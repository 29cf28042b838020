#include "experiments/scenario/process_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/scenario/competitors.h"
#include "experiments/scenario/region_file.h"
#include "experiments/scenario/sched_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

constexpr int kMostThreads = 10'000;

std::optional<models::Bytes> read_limit(const YamlField& field) {
  const auto written = field.text("unlimited or a size such as 64KiB");
  if (!written || *written == "unlimited") return std::nullopt;
  const bool number = written->find_first_of("0123456789") != std::string::npos;
  if (number) return size_of(field);
  field.refuse_expecting("unlimited or a size such as 64KiB", did_you_mean(*written, {"unlimited"}));
  return std::nullopt;
}

std::string duplicate_thread(const Position& earlier) {
  const std::string where = earlier.line > 0 ? fmt::format(" (line {})", earlier.line) : "";
  return fmt::format("another process has a thread of this name{}: it names a class of the results", where);
}

/// What a group is charged for at the start.
std::int64_t resident_of(const models::ProcessSpec& process) {
  using Pages = models::RegionSpec::Pages;
  std::int64_t bytes = 0;
  for (const models::RegionSpec& region : process.regions) {
    const bool in_memory = region.pages == Pages::resident || region.pages == Pages::cached;
    if (in_memory && region.kind != models::RegionSpec::Kind::hugetlb) bytes += region.size.count();
  }
  return bytes;
}

/// Reads one process after another, and keeps what is said of them together.
class ProcessReader {
 public:
  explicit ProcessReader(const ProcessContext& context) : context_(context) {}

  Processes read(const YamlField& field) {
    Processes processes;
    const auto items = field.items("a list of processes");
    for (const YamlField& item : items) processes.specs.push_back(read_process(item, processes.specs));
    targets_.check(processes.specs);
    processes.lockers = lockers_;
    // Nothing is known about threads that cannot be read: perhaps a locker was among them.
    if (items.empty()) processes.lockers.possible = true;
    return processes;
  }

 private:
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
    const auto group = map.find("group");
    if (group) process.group = read_group(*group, context_.groups);
    if (const auto regions = map.find("regions")) process.regions = read_regions(*regions, context_.memory);
    if (group && process.group >= 0) refuse_more_than_its_group_may_have(*group, process, others);
    if (const auto threads = map.require("threads")) {
      process.threads = read_threads(*threads, process);
    } else {
      lockers_.possible = true;
    }
    map.refuse_unknown();
    return process;
  }

  // What is in memory from the start is charged, and nobody reclaims for it.
  void refuse_more_than_its_group_may_have(const YamlField& field, const models::ProcessSpec& process,
                                           const std::vector<models::ProcessSpec>& others) const {
    const models::GroupSpec& group = context_.groups[static_cast<std::size_t>(process.group)];
    std::int64_t all = resident_of(process);
    for (const models::ProcessSpec& other : others) all += other.group == process.group ? resident_of(other) : 0;
    if (!group.memory_max || all <= group.memory_max->count()) return;
    field.refuse(fmt::format("expected regions of at most the group's {} in memory at the start, found {}",
                             spell(*group.memory_max), spell(models::Bytes(all))));
  }

  std::vector<models::ThreadSpec> read_threads(const YamlField& field, const models::ProcessSpec& process) {
    std::vector<models::ThreadSpec> threads;
    const YamlMap map = field.map("a map of threads, such as {reader: {run: faulter, ...}}");
    const std::vector<YamlMap::Item> items = map.items_called("thread");
    if (map && items.empty()) map.refuse("expected at least one thread, found none");
    if (items.empty()) lockers_.possible = true;
    for (const YamlMap::Item& item : items) {
      check_name(map, item);
      const auto [earlier, fresh] = names_.emplace(item.key, item.key_at);
      if (!fresh) map.refuse_key(item, duplicate_thread(earlier->second));
      threads.push_back(read_thread(item, process));
    }
    return threads;
  }

  models::ThreadSpec read_thread(const YamlMap::Item& item, const models::ProcessSpec& process) {
    models::ThreadSpec thread;
    thread.name = item.key;
    YamlMap map = item.value.map("a map such as {run: faulter, closed: {think: 50us}}");
    const auto run = map.require("run");
    const auto read = run ? competitor_reader(*run) : std::nullopt;
    assign(thread.count, map.find("count"), number_up_to(kMostThreads));
    thread.sched = read_sched(map, context_.cpus, context_.groups, process.group);
    const auto pinned = map.find("pinned");
    assign(thread.pinned, pinned, truth_of);
    if (thread.pinned && thread.sched.cpus.empty()) {
      pinned->refuse("expected `cpus`, too: a thread is pinned to each in turn");
    }
    const auto mutex = map.find("mutex");
    assign(thread.mutex, mutex, name_of);
    if (read) {
      map.is_variant(run->node().scalar);
      thread.run = (*read)(map, process.regions, targets_);
      if (!map.find("nice")) thread.sched.nice = models::default_nice(thread);
      map.refuse_unknown();
    }
    if (mutex && std::holds_alternative<models::BusySpec>(thread.run)) {
      mutex->refuse("a thread that makes no system calls holds none across them");
    } else if (mutex && std::holds_alternative<models::UserfaultSpec>(thread.run)) {
      mutex->refuse("who waits for userfaultfd's monitor may hold it: a monitor takes none");
    }
    const bool locks = read && models::comes_to_an_end(thread);
    lockers_.possible = lockers_.possible || !read || (locks && thread.count > 0);
    lockers_.named = lockers_.named || locks;
    return thread;
  }

  const ProcessContext& context_;
  std::map<std::string, Position> names_;  // of threads
  Targets targets_;
  Lockers lockers_;
};

}  // namespace

Processes read_processes(const YamlField& field, const ProcessContext& context) {
  return ProcessReader(context).read(field);
}

}  // namespace experiments
