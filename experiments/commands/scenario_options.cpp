#include "experiments/commands/scenario_options.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "experiments/base/diagnostics.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"

namespace experiments {

void add_scenario_options(CommandLine& line) {
  line.text("seed", "N", "seed of all random streams")
      .texts("set", "KEY=VALUE",
             "change a key of the scenario, such as processes[0].regions.heap.size=1GiB; may be repeated")
      .flag("stepwise", "take one event a step: slow, and the same result to the byte")
      .texts("simgrid", "OPTION",
             "an option for SimGrid, such as --cfg=contexts/factory:thread; may be repeated. Its own traces need "
             "--stepwise: otherwise its clock stands still until the end");
}

namespace {

// Not left to boost: it reads -1 as 2^64 - 1.
std::uint64_t seed_of(const std::string& text) {
  std::uint64_t seed = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, seed);
  if (error == std::errc() && rest == end) return seed;
  throw UsageError(fmt::format("--seed: expected a whole number from 0 to {}, found '{}'",
                               std::numeric_limits<std::uint64_t>::max(), text));
}

}  // namespace

RunSpec run_of(const CommandLine& line) {
  RunSpec run{line.first(), line.find("policy"), line.all("set"), std::nullopt};
  if (const auto seed = line.find("seed")) run.seed = seed_of(*seed);
  return run;
}

sim::Engine::Options engine_options_of(const CommandLine& line) { return {line.has("stepwise"), line.all("simgrid")}; }

int report_expectations(const std::vector<ExpectationCheck>& checks) {
  if (checks.empty()) return kOk;
  print_folded("\n" + to_text(checks));
  return all_hold(checks) ? kOk : kExpectationFailed;
}

}  // namespace experiments
