#include "experiments/host/calibration.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/host/after_idle.h"
#include "experiments/host/idle_states.h"
#include "experiments/host/probe_reading.h"
#include "experiments/host/quietness.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/yaml_reader.h"
#include "models/spec/machine.h"

namespace experiments {

namespace {

// --- how costs follow from what was measured ------------------------------------------------------------------

/// Something that is added or taken away: a quantity of the probe, or another cost, in the order of models::kCosts.
struct Term {
  enum class Of { nothing, quantity, cost };
  Of of = Of::nothing;
  double factor = 0;
  std::string_view name{};
  std::string_view times{};  ///< a quantity that it is multiplied with
};

constexpr Term measured(std::string_view name, double factor = 1) { return {Term::Of::quantity, factor, name}; }
constexpr Term less(std::string_view quantity) { return {Term::Of::quantity, -1, quantity}; }
constexpr Term less_cost(std::string_view cost, double factor = 1, std::string_view times = {}) {
  return {Term::Of::cost, -factor, cost, times};
}

enum class Shape {
  constant,
  spread,        ///< as what was measured is distributed, tenth by tenth
  perhaps_none,  ///< constant; a difference below zero is none
};

struct Rule {
  std::string_view key;
  Shape shape = Shape::constant;
  std::array<Term, 4> terms{};
  std::string_view why_not{};  ///< without terms: why it is not measured
};

constexpr std::string_view kNoCall = "no call is that alone";
constexpr std::string_view kReclaim = "to measure reclaim would take memory away from others";
constexpr double kPagesOfHuge = 512;

// mmap_lock taken, a VMA looked for, mmap_lock given up: which of the three takes how much, nobody can see from
// outside.
constexpr double kOneOfThree = 1.0 / 3;

constexpr std::string_view kNoFiles = "what is measured is anonymous memory: no file is written";

// In the order of models::kCosts.
constexpr auto kRules = std::to_array<Rule>({
    {"rwsem_operation", Shape::constant, {measured("look_for_vma", kOneOfThree)}},
    {"rwsem_wake", Shape::constant, {measured("futex_wake"), less("futex_wake_nobody")}},
    {"cache_line", Shape::constant, {measured("cache_line")}},
    {"system_call", Shape::constant, {measured("getppid")}},
    {"find_vma", Shape::constant, {measured("look_for_vma", kOneOfThree)}},
    {"vma_split", Shape::constant, {measured("vma_split")}},
    {"vma_merge", Shape::constant, {measured("vma_merge")}},
    {"mmap", Shape::spread, {measured("mmap_call"), less_cost("system_call"), less_cost("rwsem_operation", 2)}},
    {"munmap", Shape::spread, {measured("munmap_call"), less_cost("system_call"), less_cost("rwsem_operation", 2)}},
    {"munmap_vma", Shape::constant, {measured("munmap_vma")}},
    {"tlb_flush_cpu", Shape::perhaps_none, {measured("tlb_flush_cpu")}},
    {"mmu_gather", Shape::perhaps_none, {measured("munmap_present_4k"), less("munmap_call"), less("munmap_4k")}},
    {"lru_add_drain_all", Shape::constant, {}, kNoCall},
    {"mlock_vma", Shape::constant, {measured("mlockall_vma")}},
    {"munlock_vma", Shape::constant, {measured("munlockall_vma")}},
    {"populate_page", Shape::constant, {measured("populate_4k")}},
    {"mlock_page", Shape::constant, {measured("mlock_4k"), less("mlock_again_4k")}},
    {"gup_present", Shape::constant, {measured("mlock_again_4k")}},
    {"munlock_absent", Shape::perhaps_none, {measured("munlock_absent_4k")}},
    {"munlock_page", Shape::constant, {measured("munlock_4k")}},
    {"rmap_vma", Shape::constant, {}, "only kernels before 3.0 have it"},
    {"zap_page", Shape::constant, {measured("munmap_4k")}},
    {"fault", Shape::spread, {measured("fault_4k"), less_cost("rwsem_operation", 2)}},
    {"cow_page", Shape::constant, {measured("cow_4k"), less("fault_4k")}},
    {"page_mkwrite", Shape::constant, {}, kNoFiles},
    {"writeback_page", Shape::constant, {}, kNoFiles},
    {"shmem_page", Shape::constant, {}, kNoFiles},
    {"remove_page", Shape::constant, {}, kNoFiles},
    {"mprotect",
     Shape::constant,
     {measured("mprotect_call"), less_cost("system_call"), less_cost("rwsem_operation", 2), less("mprotect_4k")}},
    {"mprotect_page", Shape::constant, {measured("mprotect_4k")}},
    {"madvise", Shape::constant, {measured("madvise_call"), less_cost("system_call"), less_cost("rwsem_operation", 2)}},
    {"remap_page", Shape::constant, {measured("mremap_4k")}},
    {"dontneed_page", Shape::perhaps_none, {measured("dontneed_4k"), less("munmap_4k")}},
    {"mincore_page", Shape::constant, {measured("mincore_4k")}},
    {"get_mempolicy",
     Shape::constant,
     {measured("get_mempolicy_call"), less_cost("system_call"), less_cost("rwsem_operation", 2)}},
    {"fork_process", Shape::constant, {measured("clone_vm"), less_cost("system_call")}},
    {"fork_vma", Shape::constant, {measured("fork_vma")}},
    {"fork_page", Shape::constant, {measured("fork_4k")}},
    {"populate_huge", Shape::constant, {measured("populate_2m")}},
    {"mlock_huge", Shape::constant, {measured("mlock_2m"), less("mlock_again_2m")}},
    {"gup_huge", Shape::constant, {measured("mlock_again_2m")}},
    {"munlock_huge", Shape::constant, {measured("munlock_2m")}},
    {"zap_huge", Shape::constant, {measured("munmap_2m")}},
    {"split_huge", Shape::constant, {measured("split_2m")}},
    {"fork_huge", Shape::constant, {measured("fork_2m")}},
    {"proc_smaps_huge", Shape::constant, {measured("smaps_rollup_2m")}},
    {"collapse_page", Shape::constant, {measured("collapse_present_2m", 1 / kPagesOfHuge)}},
    {"collapse_absent",
     Shape::constant,
     {measured("collapse_one_2m", 1 / (kPagesOfHuge - 1)), less_cost("collapse_page", 1 / (kPagesOfHuge - 1))}},
    {"batched_pte", Shape::constant, {}, "folios of other sizes are for root to turn on"},
    {"proc_maps_vma", Shape::constant, {measured("maps_vma")}},
    {"proc_smaps_vma", Shape::constant, {measured("smaps_vma")}},
    {"proc_smaps_page", Shape::constant, {measured("smaps_rollup_4k")}},
    {"struct_page_miss", Shape::constant, {}, "it takes more pages than a cache has room for their struct pages"},
    {"proc_numa_maps_vma", Shape::constant, {measured("numa_maps_vma")}},
    {"proc_rollup_vma", Shape::constant, {measured("smaps_rollup_vma")}},
    {"access_page", Shape::constant, {measured("remote_read_4k"), less_cost("gup_present")}},
    {"proc_cmdline", Shape::constant, {measured("cmdline_file"), less("comm_file")}},
    {"proc_open", Shape::constant, {measured("comm_file")}},
    {"proc_seq_file",
     Shape::perhaps_none,
     {measured("maps_file"), less_cost("proc_maps_vma", 1, "maps_file_vmas"), less_cost("system_call", 2),
      less_cost("proc_open")}},
    {"zone_lock", Shape::constant, {}, kNoCall},
    {"lruvec_lock", Shape::constant, {}, "it takes some 20 CPUs to show"},
    {"scan_page", Shape::constant, {}, kReclaim},
    {"reclaim_page", Shape::constant, {}, kReclaim},
    {"pageout", Shape::constant, {}, kReclaim},
});

constexpr bool has_a_rule_for_each_cost() {
  if (kRules.size() != models::kCosts.size()) return false;
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (kRules[i].key != models::kCosts[i].name) return false;
  }
  return true;
}
static_assert(has_a_rule_for_each_cost());

constexpr std::array<Rule, 2> kSchedulerRules{
    {{"context_switch", Shape::constant, {measured("pipe_switch"), less("pipe_alone")}},
     {"wake_up_latency", Shape::perhaps_none, {measured("wake_up_after_300us"), less("futex_wake")}}}};

// Of which the variation between calls is taken: those that walk pages.
constexpr std::array<const char*, 4> kPageCalls{"populate_4k", "mlock_4k", "munlock_4k", "munmap_4k"};

// --- text -----------------------------------------------------------------------------------------------------

std::string whole(double nanoseconds) { return spell(sim::Nanoseconds(std::llround(nanoseconds))); }

/// `median 285 ns, 279 ns to 380 ns, n 40`.
std::string spread_text(const Quantity& quantity) {
  return fmt::format("{}, {} to {}, n {}", nanoseconds_text(quantity.median), nanoseconds_text(quantity.p10),
                     nanoseconds_text(quantity.p90), quantity.samples);
}

/// The line of a key, with a comment behind its value.
std::string line_of(std::string_view key, std::string_view value, std::string_view comment, std::size_t indent) {
  constexpr std::size_t kCommentColumn = 44;
  const std::string text = fmt::format("{:{}}{}: {}", "", indent, key, value);
  return fmt::format("{:<{}}  # {}\n", text, kCommentColumn, comment);
}

std::string assumption(std::string_view why) { return fmt::format("assumed: as in {} ({})", kStandInMachine, why); }

// --- the parts of the file --------------------------------------------------------------------------------------

/// The scalars of the shipped machine's costs and scheduler, as it writes them.
std::map<std::string, std::string> stand_ins(const char* map) {
  const auto file = find_config(ConfigKind::machines, kStandInMachine);
  if (!file) throw UsageError(file.message());
  std::vector<Diagnostic> diagnostics;
  const YamlNode root = load_config(*file, diagnostics);
  if (!diagnostics.empty()) throw InputError(diagnostics);
  std::map<std::string, std::string> texts;
  if (const YamlEntry* const found = find_entry(root, map)) {
    for (const YamlEntry& entry : found->value.entries) texts[entry.key] = entry.value.scalar;
  }
  return texts;
}

class Writer {
 public:
  Writer(const ProbeReading& reading, const std::string& name) : reading_(reading), name_(name) {}

  Calibration write() {
    write_head();
    write_scheduler();
    write_costs();
    write_noise();
    return std::move(calibration_);
  }

 private:
  void say(const std::string& text) { calibration_.text += text; }
  void remark(const std::string& text) { say("# " + text + "\n"); }

  // --- head ---

  void write_head() {
    remark("What the steps of the modelled kernel paths cost on one real machine. Made by mlocksim calibrate.");
    remark("");
    remark(
        "measured: the median, p10 to p90 and the number of samples; where a key is a difference, of each of its "
        "parts.");
    remark("assumed: not measured, with the reason; the value is another machine's.");
    remark("");
    remark(fmt::format("Measured with {} on {}{}{}.", human(reading_.used), or_unknown(reading_.cpu_model),
                       reading_.hypervisor ? ", a guest of a hypervisor" : "", memory_text()));
    remark(fmt::format("Linux {}{}; faults under {}; MGLRU {}.", reading_.kernel,
                       reading_.distribution.empty() ? "" : ", " + reading_.distribution,
                       reading_.per_vma_locks ? "per-VMA locks" : "mmap_sem",
                       reading_.mglru.empty() ? "not built in" : reading_.mglru));
    for (const QuietSign& sign : signs_of_quiet(reading_)) {
      remark(fmt::format("{}: {}", sign.quiet ? "quiet" : "NOT QUIET", sign.text));
    }
    say("schema: mlocksim/1\n");
    say(fmt::format("name: {}\n", name_));
    say(fmt::format("about: {} CPU{} under Linux {}, calibrated.\n", reading_.cpus, reading_.cpus == 1 ? "" : "s",
                    reading_.kernel));
    say(line_of("cpus", fmt::format("{}", reading_.cpus), "measured: those that the probe was allowed to use", 0));
    write_cache();
    write_thp();
    write_reclaim();
    write_clear_bandwidth();
  }

  static std::string or_unknown(const std::string& text) { return text.empty() ? "an unknown CPU" : text; }

  [[nodiscard]] std::string memory_text() const {
    std::string text = reading_.memory ? ", " + human(*reading_.memory) + " of memory" : "";
    if (reading_.swap) text += reading_.swap->count() == 0 ? ", no swap" : ", " + human(*reading_.swap) + " of swap";
    return text;
  }

  void write_cache() {
    if (reading_.llc && reading_.llc->count() % models::kPageSize == 0) {
      say(line_of("llc", spell(*reading_.llc), "measured: as the kernel says", 0));
    }
    if (reading_.llc_cpus && *reading_.llc_cpus < reading_.cpus) {
      say(line_of("llc_cpus", fmt::format("{}", *reading_.llc_cpus), "measured: as the kernel says", 0));
    }
  }

  void write_thp() {
    const bool known = reading_.thp == "always" || reading_.thp == "madvise" || reading_.thp == "never";
    say(known ? line_of("thp", reading_.thp, "measured: as this kernel has it now", 0)
              : line_of("thp", "never", "assumed: this kernel does not say that it has huge pages", 0));
  }

  // /sys/kernel/mm/lru_gen/enabled: its bits, the lowest of which is MGLRU itself.
  void write_reclaim() {
    const bool mglru = std::strtoul(reading_.mglru.c_str(), nullptr, 0) % 2 == 1;
    say(line_of("reclaim", mglru ? "mglru" : "classic", "measured: as this kernel has it now", 0));
  }

  // Only where more CPUs clear less each does the memory limit them.
  void write_clear_bandwidth() {
    constexpr double kSlower = 1.3;
    const Quantity* const alone = quantity("populate_2m");
    const Quantity* const together = quantity("populate_all_cpus_2m");
    if (alone == nullptr || together == nullptr || together->median < kSlower * alone->median) return;
    const double bytes_per_ns = reading_.cpus * kPagesOfHuge * models::kPageSize / together->median;
    const auto mebibytes = std::llround(bytes_per_ns * 1e9 / (1 << 20));
    if (mebibytes < 1) return;
    say(line_of("clear_bandwidth", fmt::format("{}MiB/s", mebibytes),
                fmt::format("measured: 2 MiB by all {} CPUs at once {}, by one {}", reading_.cpus,
                            spread_text(*together), spread_text(*alone)),
                0));
  }

  // --- scheduler ---

  void write_scheduler() {
    const auto kernel = kernel_scheduler(reading_.kernel);
    if (!kernel) throw UsageError(fmt::format("the kernel of this machine: {}", kernel.message()));
    const auto of_kernel = [&](std::string_view key) {
      const YamlEntry* const entry = find_entry(*kernel, key);
      return entry == nullptr ? std::string() : entry->value.scalar;
    };
    assumed_ = stand_ins("scheduler");
    say("\nscheduler:\n");
    say(line_of("of", of_kernel("of"), fmt::format("measured: Linux {}", reading_.kernel), 2));
    put_measured("era", of_kernel("era"), fmt::format("measured: Linux {}", reading_.kernel));
    write_preemption(of_kernel("preempt"));
    write_tick(of_kernel("tick"));
    if (reading_.autogroup) {
      put_measured("autogroup", *reading_.autogroup ? "true" : "false", "measured: as this kernel has it now");
    } else {
      put_assumed("autogroup", "false", "assumed: this kernel does not say that it has autogroups");
    }
    write_tunables();
    for (const Rule& rule : kSchedulerRules) write_rule(rule);
    say("  # The other keys follow from the era.\n");
  }

  /// What only root can see. The base slice is read as it has been scaled with the CPUs, and written as it was before.
  void write_tunables() {
    constexpr const char* kFolder = "/sys/kernel/debug/sched/";
    if (reading_.base_slice_ns) {
      const auto factor = std::bit_width(static_cast<unsigned>(std::min(reading_.cpus, 8)));  // fair_rules()
      put_measured("base_slice", whole(static_cast<double>(*reading_.base_slice_ns) / factor),
                   fmt::format("measured: {}base_slice_ns, of {} CPUs", kFolder, reading_.cpus));
    }
    if (reading_.migration_cost_ns) {
      put_measured("migration_cost", whole(static_cast<double>(*reading_.migration_cost_ns)),
                   fmt::format("measured: {}migration_cost_ns", kFolder));
    }
  }

  void write_preemption(const std::string& of_kernel) {
    constexpr std::array<std::string_view, 4> kModes{"none", "voluntary", "full", "lazy"};
    if (std::find(kModes.begin(), kModes.end(), reading_.preemption) != kModes.end()) {
      return put_measured("preempt", reading_.preemption, "measured: " + reading_.preemption_source);
    }
    if (!of_kernel.empty()) return put_assumed("preempt", of_kernel, "assumed: as such a kernel is built and booted");
    put_assumed("preempt", assumed_["preempt"], assumption("the kernel does not say"));
  }

  void write_tick(const std::string& of_kernel) {
    if (reading_.ticks_per_second) {
      return put_measured("tick", whole(1e9 / *reading_.ticks_per_second),
                          fmt::format("measured: HZ {}", *reading_.ticks_per_second));
    }
    if (!of_kernel.empty()) return put_assumed("tick", of_kernel, "assumed: as such a kernel is built");
    put_assumed("tick", assumed_["tick"], assumption("the kernel does not say"));
  }

  // --- costs ---

  void write_costs() {
    assumed_ = stand_ins("costs");
    say("\ncosts:\n");
    for (const Rule& rule : kRules) write_rule(rule);
  }

  // --- noise ---

  void write_noise() {
    const Quantity* const wake_up = quantity(kHalted.quantity("wake_up"));
    const Quantity* const timer = quantity("timer_lateness");
    const std::vector<double> factors = page_cost_factors();
    if (reading_.noise.empty() && wake_up == nullptr && timer == nullptr && factors.empty()) return;
    say("\n# Each value of a list is equally likely.\nnoise:\n");
    write_interruptions();
    if (wake_up != nullptr) {
      calibration_.measured.emplace_back("wake_up");
      write_wake_up(kHardlyIdle.front(), 2);
    }
    if (timer != nullptr) {
      put_measured("timer", list_of(beyond(*timer, cost("wake_up_latency"))),
                   fmt::format("measured: timer_lateness {}, less wake_up_latency", spread_text(*timer)));
    }
    if (!factors.empty()) {
      put_measured("page_costs", list_of_factors(factors),
                   fmt::format("measured: calls of a kind in multiples of their median, the mean of {}",
                               fmt::join(kPageCalls, ", ")));
    }
    if (const Quantity* const gap = quantity("grace_period")) {
      put_measured("grace_periods", list_of(beyond(*gap, 2 * cost("context_switch"))),
                   fmt::format("measured: grace_period {}, less two context_switch", spread_text(*gap)));
    }
    write_idle_states();
  }

  /// Of a CPU that has been idle for that long.
  void write_wake_up(const AfterIdle& idle, std::size_t indent) {
    const std::string name = idle.quantity("wake_up");
    std::optional<std::vector<double>> lengths = wake_ups_after(reading_, idle);
    if (!lengths) return;
    const Quantity* const usual = quantity(kHalted.quantity("wake_up"));
    const double waker = usual == nullptr ? 0 : std::max(0.0, usual->median - cost("wake_up_latency"));
    for (double& length : *lengths) length = std::max(0.0, length - waker);
    say(line_of("wake_up", list_of(*lengths),
                fmt::format("measured: {} {}, less what its waker takes", name, spread_text(*quantity(name))), indent));
  }

  void write_idle_states() {
    const std::vector<MeasuredIdleState> states = measured_idle_states(reading_);
    if (states.empty()) return;
    put_measured("idle_states", "", "measured: a call that is the first of its kind after a sleep, less one of a loop");
    for (const auto& [idle, after, seen_at, calls, faults, files] : states) {
      say(line_of("- after", list_of(after), fmt::format("from which idleness on {} take longer", seen_at), 4));
      write_wake_up(idle, 6);
      const auto lines = std::to_array<std::tuple<const char*, const std::vector<double>*, const char*>>(
          {{"calls", &calls, "mmap and munmap"}, {"faults", &faults, "fault"}, {"files", &files, "maps and cmdline"}});
      for (const auto& [key, list, of] : lines) {
        say(line_of(key, list_of(*list), fmt::format("measured: {} after {}", of, idle.name), 6));
      }
    }
  }

  static std::string list_of_factors(const std::vector<double>& factors) {
    std::vector<std::string> texts;
    for (const double factor : factors) texts.push_back(fmt::format("{:.3g}", factor));
    return fmt::format("[{}]", fmt::join(texts, ", "));
  }

  void write_interruptions() {
    constexpr std::array<std::pair<const char*, Gaps CpuNoise::*>, 2> kKinds{
        {{"interrupt", &CpuNoise::interrupts}, {"task", &CpuNoise::tasks}}};
    double seconds = 0;
    for (const CpuNoise& each : reading_.noise) seconds += each.seconds;
    bool any = false;
    for (const auto& [by, kind] : kKinds) {
      std::int64_t gaps = 0;
      for (const CpuNoise& each : reading_.noise) gaps += (each.*kind).gaps;
      if (gaps == 0) continue;
      if (!std::exchange(any, true)) put_measured("interruptions", "", "measured: gaps of a thread that spins");
      say(line_of("- by", by, fmt::format("{} gaps in {:.3g} s of {} CPUs", gaps, seconds, reading_.noise.size()), 4));
      say(fmt::format("      every: exponential {}\n", whole(seconds * 1e9 / static_cast<double>(gaps))));
      say(fmt::format("      length: {}\n", list_of(pooled_lengths(kind))));
    }
  }

  /// Of all CPUs, at most so many: each the mean of as many gaps.
  [[nodiscard]] std::vector<double> pooled_lengths(Gaps CpuNoise::*kind) const {
    constexpr std::size_t kMost = 20;
    struct Length {
      double length;
      double gaps;
    };
    std::vector<Length> all;
    double left = 0;
    for (const CpuNoise& each : reading_.noise) {
      const Gaps& of_cpu = each.*kind;
      const auto count = static_cast<double>(of_cpu.gaps);
      for (const double length : of_cpu.lengths_ns)
        all.push_back({length, count / static_cast<double>(of_cpu.lengths_ns.size())});
      left += count;
    }
    std::stable_sort(all.begin(), all.end(), [](const Length& a, const Length& b) { return a.length < b.length; });
    const std::size_t parts = std::min(kMost, all.size());
    const double share = left / static_cast<double>(parts);
    std::vector<double> means(parts);
    std::size_t part = 0;
    double room = share;
    for (Length& each : all) {
      while (each.gaps > 0) {
        const bool last = part + 1 == parts;
        const double taken = last ? each.gaps : std::min(each.gaps, room);
        means[part] += each.length * taken / share;
        each.gaps -= taken;
        room -= taken;
        if (last || room > 0) continue;
        ++part;
        room = share;
      }
    }
    return means;
  }

  static std::string list_of(const std::vector<double>& lengths) {
    std::vector<std::string> texts;
    for (const double length : lengths) texts.push_back(whole(length));
    return fmt::format("[{}]", fmt::join(texts, ", "));
  }

  static std::vector<double> beyond(const Quantity& quantity, double least) {
    std::vector<double> lengths;
    for (const double each : tenths_of(quantity)) lengths.push_back(std::max(0.0, each - least));
    return lengths;
  }

  /// The calls of a pair as they are distributed, in multiples of the second's median.
  struct Pair {
    const char* call;
    const char* usual;
  };
  /// The mean of those that were measured; none if none was.
  [[nodiscard]] std::vector<double> mean_factors(const std::vector<Pair>& pairs) const {
    std::vector<double> factors(10);
    double calls = 0;
    for (const auto& [name, usual_name] : pairs) {
      const Quantity* const call = quantity(name);
      const Quantity* const usual = quantity(usual_name);
      if (call == nullptr || usual == nullptr || usual->median <= 0) continue;
      const auto tenths = tenths_of(*call);
      for (std::size_t tenth = 0; tenth < factors.size(); ++tenth) factors[tenth] += tenths[tenth] / usual->median;
      ++calls;
    }
    if (calls == 0) return {};
    for (double& factor : factors) factor = std::clamp(factor / calls, 0.1, 100.0);
    return factors;
  }

  [[nodiscard]] std::vector<double> page_cost_factors() const {
    std::vector<Pair> pairs;
    for (const char* const name : kPageCalls) pairs.push_back({name, name});
    return mean_factors(pairs);
  }

  void write_rule(const Rule& rule) {
    const std::string why = why_not(rule);
    const std::string key(rule.key);
    if (!why.empty()) {
      const auto found = assumed_.find(key);
      if (found == assumed_.end()) return;  // a cost that may be left out, and is
      values_[rule.key] = value_of_text(found->second);
      return put_assumed(key, found->second, assumption(why));
    }
    const double median = value_of(rule, &Quantity::median);
    const double value = std::max(0.0, median);
    values_[rule.key] = value;
    put_measured(key, text_of(rule, value), fmt::format("measured: {}", parts_of(rule)));
  }

  /// Why a key is not measured; empty where it is.
  [[nodiscard]] std::string why_not(const Rule& rule) const {
    if (!rule.why_not.empty()) return std::string(rule.why_not);
    for (const Term& term : rule.terms) {
      if (term.of != Term::Of::quantity || quantity(term.name) != nullptr) continue;
      const auto reason = reading_.not_measured.find(std::string(term.name));
      return fmt::format("{} was not measured: {}", term.name,
                         reason == reading_.not_measured.end() ? "the probe does not say why" : reason->second);
    }
    if (rule.key == "munlock_absent" && !walks_absent_pages()) return "only kernels up to 5.17 look at absent pages";
    const bool all_positive = rule.shape == Shape::perhaps_none || value_of(rule, &Quantity::median) > 0;
    return all_positive ? "" : "what was measured does not stand out: " + parts_of(rule);
  }

  [[nodiscard]] bool walks_absent_pages() const {
    const auto named = parse_uname(reading_.kernel);
    return named && named->release < models::KernelVersion{5, 18, 0};
  }

  /// The sum of its terms.
  [[nodiscard]] double value_of(const Rule& rule, double Quantity::*of) const {
    double sum = 0;
    bool first = true;  // the spread is the first term's, what is taken away is as it is in the middle
    for (const Term& term : rule.terms) {
      double value = 0;
      if (term.of == Term::Of::quantity) value = first ? quantity(term.name)->*of : quantity(term.name)->median;
      if (term.of == Term::Of::cost) value = cost(term.name);
      if (!term.times.empty()) value *= quantity(term.times) == nullptr ? 0 : quantity(term.times)->median;
      sum += term.factor * value;
      first = false;
    }
    return sum;
  }

  [[nodiscard]] std::string text_of(const Rule& rule, double median) const {
    if (rule.shape != Shape::spread) return whole(median);
    const Quantity& first = *quantity(rule.terms.front().name);
    std::vector<double> values;
    for (const double each : tenths_of(first)) values.push_back(std::max(0.0, each - first.median + median));
    return list_of(values);
  }

  [[nodiscard]] std::string parts_of(const Rule& rule) const {
    std::vector<std::string> parts;
    for (const Term& term : rule.terms) {
      if (term.of == Term::Of::nothing) continue;
      const std::string less = term.factor < 0 ? "less " : "";
      const double size = std::abs(term.factor);
      std::string factor;
      if (size > 1) factor = fmt::format("{:.0f} x ", size);
      if (size < 1) factor = fmt::format("1/{:.0f} of ", 1 / size);
      if (!term.times.empty()) factor = fmt::format("{:.0f} x ", times_of(term));
      parts.push_back(less + factor + part_of(term));
    }
    return fmt::format("{}", fmt::join(parts, "; "));
  }

  [[nodiscard]] double times_of(const Term& term) const {
    const Quantity* const times = quantity(term.times);
    return times == nullptr ? 0 : times->median;
  }

  [[nodiscard]] std::string part_of(const Term& term) const {
    if (term.of == Term::Of::cost) return fmt::format("{} {}", term.name, nanoseconds_text(cost(term.name)));
    const Quantity& part = *quantity(term.name);
    const std::string p99 = part.p99 ? fmt::format(", p99 {}", nanoseconds_text(*part.p99)) : "";
    return fmt::format("{} {}{}", term.name, spread_text(part), p99);
  }

  // --- what both use ---

  void put_measured(const std::string& key, const std::string& value, const std::string& comment) {
    calibration_.measured.push_back(key);
    say(line_of(key, value, comment, 2));
  }
  void put_assumed(const std::string& key, const std::string& value, const std::string& comment) {
    calibration_.assumed.push_back(key);
    say(line_of(key, value, comment, 2));
  }

  [[nodiscard]] const Quantity* quantity(std::string_view name) const {
    return find_quantity(reading_, std::string(name));
  }
  [[nodiscard]] double cost(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? 0 : found->second;
  }
  /// The mean of a cost that was taken over.
  static double value_of_text(const std::string& text) {
    const auto distribution = parse_distribution(text);
    return distribution ? distribution->mean() : 0;
  }

  const ProbeReading& reading_;
  const std::string& name_;
  Calibration calibration_;
  std::map<std::string_view, double> values_;   // of costs so far, in nanoseconds
  std::map<std::string, std::string> assumed_;  // of the shipped machine's, by key
};

}  // namespace

Calibration calibrate(const ProbeReading& reading, const std::string& name) { return Writer(reading, name).write(); }

}  // namespace experiments
