#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/base/output_file.h"
#include "experiments/base/quantity.h"
#include "experiments/base/shell.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/host/calibration.h"
#include "experiments/host/probe_program.h"
#include "experiments/host/probe_reading.h"
#include "experiments/host/quietness.h"
#include "experiments/scenario/config_catalogue.h"

namespace experiments {

namespace {

/// `--memory`, as the probe takes it.
std::string memory_of(const std::string& text) {
  const auto size = parse_size(text);
  if (!size) throw UsageError("--memory: " + size.message());
  constexpr std::int64_t kMebibyte = std::int64_t{1} << 20U;
  constexpr std::int64_t kLeast = 16 * kMebibyte;
  if (size->count() < kLeast || size->count() % kMebibyte != 0) {
    throw UsageError(fmt::format("--memory: expected whole MiB, 16 at least, found {}", text));
  }
  return fmt::format("{}MiB", size->count() / kMebibyte);
}

ProbeReading measure(const CommandLine& line) {
  std::vector<std::string> arguments{"--progress"};
  if (const auto memory = line.find("memory")) arguments.insert(arguments.end(), {"--memory", memory_of(*memory)});
  if (line.has("quick")) arguments.emplace_back("--quick");
  if (!line.has("anyway")) arguments.emplace_back("--strict");
  const std::filesystem::path probe = find_probe();
  const std::string json = run_probe(
      probe, arguments, [](std::size_t done, std::size_t all) { show_progress_of("measurements", done, all); });
  show_progress_of("measurements", 1, 1);
  return parse_probe(json, probe.string());
}

void tell_whether_quiet(const ProbeReading& reading) {
  const std::vector<QuietSign> signs = signs_of_quiet(reading);
  const bool quiet = std::all_of(signs.begin(), signs.end(), [](const QuietSign& sign) { return sign.quiet; });
  if (!quiet) tell("warning: the machine was not quiet; measure again when it is\n");
  for (const QuietSign& sign : signs) {
    print_folded(fmt::format("  {} {}\n", sign.quiet ? " " : "!", sign.text));
  }
}

}  // namespace

int command_calibrate(const Arguments& arguments) {
  CommandLine line(
      "calibrate -o MACHINE.yaml [OPTION]...",
      "Measures what the kernel's paths cost on this machine, in two minutes, and writes a machine file: `machine:\n"
      "MACHINE.yaml` in a scenario, or --set machine=MACHINE.yaml. Beside each key stands what was measured, or that "
      "it\n"
      "was not, and why. Needs no rights, changes neither limits nor swap, and leaves nothing when it is interrupted.",
      "nothing", 0);
  line.text("output,o", "MACHINE.yaml", "the file to write");
  line.text("memory", "SIZE", "how much memory to measure with, at most: 1GiB, or 256MiB with --quick");
  line.flag("quick", "fewer repetitions: some ten seconds");
  line.flag("anyway", "also where mlock cannot be measured, as RLIMIT_MEMLOCK is too low, or where all CPUs are busy");
  line.text("from", "FILE", "take what mlocksim-probe has written on another machine (mlocksim probe)");
  if (!line.parse(arguments)) return kOk;
  const auto output = line.find("output");
  if (!output) throw UsageError("missing -o MACHINE.yaml: the file to write");
  const auto from = line.find("from");
  for (const char* const option : {"memory", "quick", "anyway"}) {
    if (from && line.has(option)) throw UsageError(fmt::format("--{}: --from measures nothing", option));
  }
  OutputFile file(*output);
  const ProbeReading reading = from ? read_probe(*from) : measure(line);
  const Calibration calibration = calibrate(reading, is_standard_output(*output) ? "mine" : name_after(*output));
  file.commit(calibration.text);
  std::string text = fmt::format("{}: {} keys measured, {} assumed: {}\n", *output, calibration.measured.size(),
                                 calibration.assumed.size(), fmt::join(calibration.assumed, ", "));
  for (const auto& [quantity, why] : reading.not_measured) {
    text += fmt::format("  ! {} was not measured: {}\n", quantity, why);
  }
  print_folded(text);
  tell_whether_quiet(reading);
  if (is_standard_output(*output)) return kOk;
  fmt::print("Now: mlocksim run unlock_question --set machine={}\n", shell_word(*output));
  return kOk;
}

}  // namespace experiments
