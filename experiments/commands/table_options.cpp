#include "experiments/commands/table_options.h"

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"

namespace experiments {

void add_table_options(CommandLine& line) {
  line.text("table", "FILE",
            "run nothing for real: set what perf lock contention, klockstat or bpftrace have printed beside the "
            "simulated");
  line.texts("table-of", "[MAP=]WHAT",
             "what a histogram of bpftrace is set beside: wait.write, contended.read, hold ..., CLASS or CLASS.PHASE");
  line.text("table-unit", "ns|us|ms|s", "the unit of its histograms, where their names do not end with one (@usecs)");
  line.text("table-length", "DURATION", "for how long it was recorded: then counts and sums are compared, too");
}

TableOptions table_options_of(const CommandLine& line) {
  for (const char* const option : {"table-of", "table-unit", "table-length"}) {
    if (line.has(option) && !line.has("table"))
      throw UsageError(std::string("--") + option + ": expected --table, too");
  }
  TableOptions options{line.all("table-of"), line.find("table-unit")};
  if (const auto text = line.find("table-length")) {
    const auto length = parse_duration(*text);
    if (!length) throw UsageError("--table-length: " + length.message());
    if (length->count() == 0) throw UsageError("--table-length: expected a duration above zero");
    options.length = *length;
  }
  return options;
}

}  // namespace experiments
