#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "experiments/base/command_line.h"
#include "experiments/base/diagnostics.h"
#include "experiments/base/json.h"
#include "experiments/base/output_file.h"
#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/scenario_options.h"
#include "experiments/commands/table_options.h"
#include "experiments/compare/run_report.h"
#include "experiments/host/probe_program.h"
#include "experiments/host/probe_reading.h"
#include "experiments/host/real_json.h"
#include "experiments/host/table/attached_table.h"
#include "experiments/host/table/table_comparison.h"
#include "experiments/host/validation.h"
#include "experiments/host/workload.h"
#include "experiments/run/execute.h"
#include "experiments/scenario/kernel_version.h"

namespace experiments {

namespace {

/// A workload where the probe can open it, for as long as this lives.
class PassedOn {
 public:
  explicit PassedOn(const Workload& workload) : descriptor_(memfd_create("workload", 0)) {
    const std::string text = to_json_text(workload);
    if (descriptor_ >= 0 && write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return;
    throw std::system_error(errno, std::generic_category(), "memfd_create");
  }
  ~PassedOn() { close(descriptor_); }
  PassedOn(const PassedOn&) = delete;
  PassedOn& operator=(const PassedOn&) = delete;
  [[nodiscard]] std::string file() const { return fmt::format("/dev/fd/{}", descriptor_); }

 private:
  int descriptor_;
};

RealResult run_for_real(const Workload& workload, int sittings) {
  const PassedOn passed(workload);
  const std::string json =
      run_probe(find_probe(), {"--run", passed.file(), "--sittings", std::to_string(sittings), "--progress"},
                [](std::size_t done, std::size_t all) { show_progress_of("sittings", done, all); });
  show_progress_of("sittings", 1, 1);
  return parse_real_result(json);
}

RealResult read_real(const std::string& file, const Workload& workload) {
  const std::string text = text_of_probe(file);
  std::optional<RealResult> real;
  try {
    real = parse_real_result(text);
  } catch (const std::exception& error) {
    throw UsageError(
        fmt::format("{}: {}: expected what validate -o or mlocksim-probe --run has written", file, in_words(error)));
  }
  if (real->sittings.empty()) throw UsageError(fmt::format("{}: there is no sitting in it", file));
  if (real->workload.scenario != workload.scenario) {
    throw UsageError(
        fmt::format("{}: is of the scenario '{}', expected '{}'", file, real->workload.scenario, workload.scenario));
  }
  if (real->workload.lock_paths != workload.lock_paths) {
    throw UsageError(
        fmt::format("{}: is of a kernel that was told otherwise how mlock and munlock hold mmap_lock than "
                    "the scenario's policy asks",
                    file));
  }
  if (!(real->workload == workload)) {
    throw UsageError(fmt::format("{}: is of a scenario '{}' with other threads, regions, length or seed than this one",
                                 file, workload.scenario));
  }
  return *std::move(real);
}

/// The kernel whose rules the simulation follows: that of the real result.
models::KernelVersion release_of(const RealResult& real) {
  const auto kernel = parse_uname(real.kernel);
  if (!kernel)
    throw UsageError(fmt::format("kernel '{}': its version cannot be told; --policy can name one", real.kernel));
  return kernel->release;
}

/// A machine of another kind explains nothing.
void check_machine(const models::Machine& machine, const RealResult& real, bool named_policy) {
  if (machine.cpus != real.cpus) {
    throw UsageError(
        fmt::format("the scenario's machine has {} CPUs and the real one {}: --machine names one that was "
                    "calibrated there, or --set machine.cpus={}",
                    machine.cpus, real.cpus, real.cpus));
  }
  const auto of = parse_uname(machine.scheduler.of);
  if (named_policy || !of || of->release == release_of(real)) return;
  throw UsageError(
      fmt::format("the machine is one of Linux {}, the real result of {} ({}): --machine names one that was "
                  "calibrated there, and --policy insists",
                  to_text(of->release), to_text(release_of(real)), real.kernel));
}

/// What the scenario's own policy asks of a kernel that can be told how to hold mmap_lock: nothing, if mlock and
/// munlock hold it as in the kernel that the policy is derived from.
std::optional<LockPaths> asked_of_kernel(RunSpec run) {
  run.policy.reset();
  const models::Policy own = read_run(run).scenario.policies.front();
  if (!own.kernel) return std::nullopt;
  run.policy = "linux-" + to_text(*own.kernel);
  const models::Policy kernel = read_run(run).scenario.policies.front();
  if (own.munlock == kernel.munlock && own.populate == kernel.populate) return std::nullopt;
  if (own.munlock.mode == models::HoldMode::drop_and_read || own.munlock.max_hold > sim::Nanoseconds{0}) {
    throw UsageError(fmt::format(
        "policy '{}': no kernel can be told to munlock with drop_and_read, or with a max_hold: --policy simulates it",
        own.name));
  }
  return LockPaths{own.munlock, own.populate.mode};
}

/// The rules of a kernel that does as it is asked.
models::Policy told(models::Policy kernel, const LockPaths& paths) {
  kernel.name += ", told how to hold mmap_lock";
  kernel.munlock = paths.munlock;
  kernel.populate.mode = paths.populate;
  return kernel;
}

/// With what the real processes had mapped beside their regions: readers of /proc go through it.
void map_the_rest(models::Scenario& scenario, const RealResult& real) {
  const std::map<std::string, int>& others = real.sittings.front().other_vmas;
  for (models::ProcessSpec& process : scenario.processes) {
    const auto found = others.find(process.name);
    if (found == others.end() || found->second == 0) continue;
    const models::PageCount pages(found->second);
    process.regions.push_back({.name = "the rest", .size = models::bytes_of(pages), .vmas = found->second});
  }
}

ValidatedRun validated(const RealResult& real, const models::Scenario& scenario, bool calibrated) {
  ValidatedRun ran{
      scenario.name,       scenario.policies.front().name, scenario.machine.name, calibrated, real.kernel, real.cpus,
      real.sittings.size()};
  for (const Sitting& sitting : real.sittings) ran.length += sitting.length;
  return ran;
}

std::string about(const RealResult& real, const ValidatedRun& ran) {
  std::string busy;
  for (const Sitting& sitting : real.sittings) {
    if (sitting.busy) busy += fmt::format("{}{:.0f} %", busy.empty() ? "" : ", ", 100 * *sitting.busy);
  }
  std::string text = fmt::format("real:      Linux {}, {} CPUs, {} sittings, {:.1f} s together", ran.kernel, ran.cpus,
                                 ran.sittings, static_cast<double>(ran.length.count()) / 1e9);
  if (!busy.empty()) text += fmt::format("; others used {} of the CPUs before", busy);
  return text + fmt::format("\nsimulated: {} on {}, as many replications{}\n", ran.policy, ran.machine,
                            ran.calibrated ? "" : "; costs are not this machine's: --machine");
}

void tell_left_out(const LeftOut& left_out) {
  for (const auto& [name, why] : left_out) tell_note(fmt::format("note: '{}' is not compared: {}\n", name, why));
}

void tell_busy(const RealResult& real) {
  constexpr double kMostBusy = 0.1;
  for (const Sitting& sitting : real.sittings) {
    if (sitting.busy.value_or(0) <= kMostBusy) continue;
    return tell(
        "warning: the real machine was busy: beside other work the same waits read up to forty times as long\n");
  }
}

int sittings_of(const CommandLine& line) {
  constexpr int kUsual = 3;
  return line.has("sittings") ? positive(line, "sittings", 1000) : kUsual;
}

// --- a table beside the simulation --------------------------------------------------------------------------------

/// What ran, in a line below the table's.
std::string about_table(const std::string& table, const models::Scenario& scenario,
                        const std::vector<models::Result>& results, bool calibrated) {
  sim::Nanoseconds length{};
  for (const models::Result& result : results) length += result.sim_time;
  return fmt::format("table:     {}\nsimulated: {} on {}, {} replication{}, {} together{}\n", table,
                     scenario.policies.front().name, scenario.machine.name, results.size(),
                     results.size() == 1 ? "" : "s", human(length),
                     calibrated ? "" : "; costs are not that machine's: --machine");
}

std::string form_in_words(const LockTable& table, const std::string& file) {
  return fmt::format("{}, {} by {}", file, to_string(table.form), to_string(table.by));
}

/// The same for both forms: all that can be wrong with the table is told before anything is simulated.
int validate_with_table(const CommandLine& line, const RunSpec& run) {
  for (const char* const option : {"real", "output", "workload"}) {
    if (line.has(option)) throw UsageError(fmt::format("--{}: --table runs nothing for real", option));
  }
  const std::string file = *line.find("table");
  const TableOptions options = table_options_of(line);
  const AttachedTable table = read_attached_table(file);
  const auto* const locks = std::get_if<LockTable>(&table);
  const models::Scenario scenario = read_run(run).scenario;
  std::vector<HistogramChoice> choices;
  if (locks != nullptr) {
    if (!options.of.empty() || options.unit) {
      throw UsageError("--table-of and --table-unit: expected a histogram of bpftrace, found " +
                       form_in_words(*locks, file));
    }
    (void)compare_locks(*locks, file, options.length, {});
  } else {
    if (options.length) throw UsageError("--table-length: histograms are compared by their shares");
    choices = choose_histograms(std::get<std::vector<AttachedHistogram>>(table), options, scenario);
  }
  std::optional<OutputFile> json;
  if (const auto path = line.find("json")) {
    refuse_own_input(file, *path, "json");
    json.emplace(*path);
  }

  const auto results =
      replicate(scenario, static_cast<std::size_t>(sittings_of(line)), jobs_of(line), engine_options_of(line));
  const bool calibrated = line.has("machine");
  if (locks != nullptr) {
    const ComparedLocks compared = compare_locks(*locks, file, options.length, results);
    print_folded(fmt::format("{}\n{}\n{}", heading(scenario),
                             about_table(form_in_words(*locks, file), scenario, results, calibrated),
                             to_text(compared)));
    if (json) json->commit(to_json_text(compared));
    return kOk;
  }
  std::vector<ComparedHistogram> compared;
  for (const HistogramChoice& choice : choices) compared.push_back(compare_histogram(choice, results));
  print_folded(heading(scenario) + "\n" + about_table(file + ", bpftrace", scenario, results, calibrated));
  for (const ComparedHistogram& each : compared) print_folded("\n" + to_text(each));
  if (json) json->commit(to_json_text(compared));
  return kOk;
}

}  // namespace

int command_validate(const Arguments& arguments) {
  CommandLine line("validate SCENARIO [OPTION]...",
                   "Runs the threads of a scenario for real, simulates the same under the rules of this machine's\n"
                   "kernel, and prints both side by side: how far off the model is. What has no real counterpart\n"
                   "(control groups, devices, reclaim) is named and left out. It locks memory as the scenario says.\n"
                   "With --table, what a tool has printed elsewhere stands in place of the real run.",
                   "SCENARIO", 1);
  line.text("machine", "FILE", "the machine that is simulated, from mlocksim calibrate; by default the scenario's");
  line.text("policy", "NAME|FILE", "by default that of the kernel of the real result; with --table the scenario's");
  line.text("real", "FILE", "take a real result instead of running: of -o, or of mlocksim-probe --run elsewhere");
  line.text("output,o", "FILE", "keep the real result");
  line.text("workload", "FILE", "write what mlocksim-probe --run takes, for another machine, and do nothing else");
  line.number("sittings", "N", "run so many times for real, and simulate as many replications (3)");
  line.text("json", "FILE", "write the comparison as JSON");
  add_table_options(line);
  add_jobs_option(line);
  add_scenario_options(line);
  if (!line.parse(arguments)) return kOk;
  (void)table_options_of(line);
  const auto real_file = line.find("real");
  const auto workload_file = line.find("workload");
  if (real_file && line.has("sittings")) throw UsageError("--sittings: --real runs nothing");
  if (real_file && line.has("output")) throw UsageError("--output: --real runs nothing");

  RunSpec run = run_of(line);
  const auto machine = line.find("machine");
  if (machine) run.sets.insert(run.sets.begin(), "machine=" + *machine);
  if (line.has("table")) return validate_with_table(line, run);
  LeftOut left_out;
  Workload workload = workload_of(read_run(run).scenario, left_out);
  workload.lock_paths = asked_of_kernel(run);
  if (workload_file) {
    OutputFile(*workload_file).commit(to_json_text(workload) + "\n");
    return kOk;
  }
  std::optional<OutputFile> output;
  if (const auto file = line.find("output")) output.emplace(*file);
  std::optional<OutputFile> json;
  if (const auto file = line.find("json")) json.emplace(*file);

  const RealResult real = real_file ? read_real(*real_file, workload) : run_for_real(workload, sittings_of(line));
  if (output) output->commit(to_json_text(real) + "\n");
  const bool named_policy = run.policy.has_value();
  if (!named_policy) run.policy = "linux-" + to_text(release_of(real));
  models::Scenario scenario = read_run(run).scenario;
  if (!named_policy && workload.lock_paths) {
    scenario.policies.front() = told(std::move(scenario.policies.front()), *workload.lock_paths);
  }
  check_machine(scenario.machine, real, named_policy);
  map_the_rest(scenario, real);
  const Validation validation =
      compare_with_real(real, replicate(scenario, real.sittings.size(), jobs_of(line), engine_options_of(line)));
  const ValidatedRun ran = validated(real, scenario, machine.has_value());
  print_folded(fmt::format("{}\n{}\n{}", heading(scenario), about(real, ran), to_text(validation)));
  if (json) json->commit(to_json_text(validation, ran));
  tell_left_out(left_out);
  tell_busy(real);
  return kOk;
}

}  // namespace experiments
