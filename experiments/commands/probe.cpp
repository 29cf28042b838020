#include <fmt/format.h>

#include "experiments/base/diagnostics.h"
#include "experiments/base/shell.h"
#include "experiments/commands/commands.h"
#include "experiments/host/probe_program.h"

namespace experiments {

int command_probe(const Arguments& arguments) {
  CommandLine line("probe --copy-to FILE",
                   "Writes a copy of the program that `mlocksim calibrate` measures with, for a machine that has\n"
                   "nothing installed: `FILE > probe.json` there, and `mlocksim calibrate --from probe.json` here.",
                   "nothing", 0);
  line.text("copy-to", "FILE", "where to write it");
  if (!line.parse(arguments)) return kOk;
  const auto file = line.find("copy-to");
  if (!file) throw UsageError("missing --copy-to FILE: where to write it");
  copy_probe(find_probe(), *file);
  fmt::print("{}: run it there, and bring back what it writes: {} > probe.json\n", *file, shell_word(*file));
  return kOk;
}

}  // namespace experiments
