#include <sys/utsname.h>
#include <sys/wait.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "experiments/base/command_line.h"
#include "experiments/base/diagnostics.h"
#include "experiments/base/shell.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/host/trace/perf_command.h"
#include "experiments/scenario/kernel_version.h"

namespace experiments {

namespace {

NamedKernel running_kernel() {
  utsname system{};
  (void)uname(&system);
  const auto kernel = parse_uname(static_cast<const char*>(system.release));
  if (!kernel) throw UsageError(fmt::format("the kernel '{}' has no version that is known", system.release));
  return *kernel;
}

PerfRecording recording_of(const CommandLine& line, std::vector<std::string> command) {
  constexpr int kLongest = 3600;
  constexpr int kMostProcesses = 1 << 22;
  PerfRecording recording;
  recording.command = std::move(command);
  if (line.has("pid")) recording.pid = positive(line, "pid", kMostProcesses);
  if (const auto file = line.find("output")) recording.file = *file;
  if (!recording.command.empty() && (line.has("seconds") || recording.pid)) {
    throw UsageError("expected either a command, which is recorded while it runs, or --seconds and --pid, found both");
  }
  if (line.has("seconds")) recording.seconds = positive(line, "seconds", kLongest);
  return recording;
}

std::string for_a_shell(const std::vector<std::string>& words) {
  std::vector<std::string> quoted(words.size());
  std::transform(words.begin(), words.end(), quoted.begin(), shell_word);
  return fmt::format("{}", fmt::join(quoted, " "));
}

/// Runs perf, which ends as the command does that it records: that one may have failed. Throws UsageError where there
/// is no perf, std::runtime_error where it has left nothing.
void run_perf(const std::string& command, const std::string& file) {
  flush_output();
  const int status = std::system(command.c_str());
  constexpr int kNoProgram = 127;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == kNoProgram)
    throw UsageError("there is no perf: Debian has it in linux-perf; --print shows what would be run");
  if (code != 0 && !std::filesystem::exists(file)) throw std::runtime_error("perf has failed: nothing to import");
}

}  // namespace

int command_record(const Arguments& arguments) {
  CommandLine line(
      "record [--seconds N] [--pid P] | record -- COMMAND...",
      "Records with perf who takes and waits for mmap_lock on this machine, for `mlocksim import`: events\n"
      "of mmap_lock, lock contention, page faults, CPUs and the system calls that map and lock memory.\n"
      "Needs the rights of root, or kernel.perf_event_paranoid=-1. An event costs 0.7 us where it happens\n"
      "and 100 bytes of the file: 10,000 faults a second that take mmap_lock are 3 % of a CPU.",
      "nothing", 0);
  line.number("seconds", "N", "for so long: 10 by default");
  line.number("pid", "P", "only the threads of this process: others that read it are not seen then");
  line.text("output,o", "FILE", "perf's file: perf.data by default");
  line.flag("print", "print the command, and do not run it");
  // What stands behind `--` is another program's.
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (!line.parse({arguments.begin(), dashes})) return kOk;
  const bool behind = dashes != arguments.end();
  const PerfRecording recording = recording_of(line, {behind ? dashes + 1 : dashes, arguments.end()});
  const NamedKernel kernel = running_kernel();
  const std::string command = for_a_shell(perf_command(recording, kernel.release));
  fmt::print("{}\n", command);
  if (!line.has("print")) run_perf(command, recording.file);
  fmt::print("Now: perf script --ns --show-lost-events -i {} | mlocksim import - -o DIR --kernel linux-{}\n",
             shell_word(recording.file), to_text(kernel.release));
  return kOk;
}

}  // namespace experiments
