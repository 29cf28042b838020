#include <sys/utsname.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/algorithm/string/case_conv.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "experiments/base/output_file.h"
#include "experiments/base/quantity.h"
#include "experiments/base/shell.h"
#include "experiments/base/terminal.h"
#include "experiments/commands/commands.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/scenario_file.h"
#include "experiments/scenario/yaml_text.h"

namespace experiments {

namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20U;
constexpr const char* kBaseMachine = "epyc-zen4-linux-6.18";

/// Who holds mmap_lock for long.
struct Holder {
  const char* name;
  const char* about;
  const char* thread;    ///< lines of the process's threads
  const char* policies;  ///< `{0}`: the kernel
  const char* others;    ///< lines behind the process
};

constexpr std::array<Holder, 3> kHolders{{
    {"locker", "a thread locks and unlocks a large region",
     "      # Locks and unlocks the region, over and over.\n"
     "      locker: {run: locker, region: heap, script: [mlock, hold 100ms, munlock, hold 100ms], repeat: 3}\n",
     "  - {0}\n"
     "  - {{from: {0}, name: munlock_downgrade, munlock: {{mode: downgrade}}}}    # as the patch's question has it\n"
     "  - {{from: {0}, name: munlock_in_pieces, munlock: {{mode: chunked_write, batch: 512, if_contended: true}}}}\n",
     ""},
    {"allocator", "a thread gives memory back to the kernel, piece by piece",
     "      # Gives pieces of the region back, one after another.\n"
     "      allocator: {run: madviser, region: heap, advice: dontneed, size: 2MiB, closed: {think: 1ms}}\n",
     "  - {0}\n"
     "  - {{from: {0}, name: zap_per_vma, fault: {{lock: per_vma}}, madvise: {{zap: per_vma}}}}    # as from 6.17 on\n",
     ""},
    {"monitor", "another process reads smaps of this one", "",
     "  - {0}\n"
     "  - {{from: {0}, name: smaps_per_vma, fault: {{lock: per_vma}}, proc: {{smaps: per_vma}}}}    # under the locks "
     "of VMAs\n",
     "  - name: monitor\n"
     "    threads:\n"
     "      # Reads /proc/PID/smaps of the other process, again and again.\n"
     "      reader: {run: proc_reader, file: smaps, target: service, closed: {think: 100ms}}\n"},
}};

/// What the scenario is made of.
struct Answers {
  std::string kernel;
  models::Bytes memory{};
  models::Bytes region{};
  int cpus = 1;
  const Holder* holder = &kHolders[0];
  bool mapper = false;
};

// --- this machine ---------------------------------------------------------------------------------------------

std::string running_release() {
  utsname system{};
  (void)uname(&system);
  return static_cast<const char*>(system.release);
}

models::Bytes whole_mebibytes(std::int64_t bytes) {
  return models::Bytes{std::max<std::int64_t>(bytes / kMebibyte, 1) * kMebibyte};
}

models::Bytes memory_here() { return whole_mebibytes(sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)); }

// --- questions ------------------------------------------------------------------------------------------------

bool can_ask() { return isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0; }

/// What somebody types; `standard` for nothing. Throws UsageError at the end of input.
std::string ask(const std::string& question, const std::string& standard) {
  tell(fmt::format("{} [{}] ", question, standard));
  std::string answer;
  if (!std::getline(std::cin, answer) && answer.empty()) {
    tell("\n");
    throw UsageError("the input has ended before the last answer, and nothing is written; options answer, too");
  }
  return answer.empty() ? standard : answer;
}

/// What `parse` makes of what an option says, or of what is typed, which is asked for until it can be parsed; without
/// either of `standard`. Throws UsageError.
template <typename Parse>
auto said(const CommandLine& line, const std::string& option, const std::string& question, const std::string& standard,
          Parse parse) -> std::decay_t<decltype(*parse(standard))> {
  const auto value = line.find(option);
  if (value || !can_ask()) {
    const auto parsed = parse(value.value_or(standard));
    if (!parsed) throw UsageError(fmt::format("--{}: {}", option, parsed.message()));
    return *parsed;
  }
  while (true) {
    const auto parsed = parse(ask(question, standard));
    if (parsed) return *parsed;
    tell(fmt::format("{}\n", parsed.message()));
  }
}

Expected<const Holder*> holder_of(const std::string& name) {
  std::vector<std::string> names;
  for (const Holder& each : kHolders) {
    if (each.name == name) return &each;
    names.emplace_back(each.name);
  }
  return Refusal{fmt::format("expected {}, found '{}'{}", fmt::join(names, ", "), name, did_you_mean(name, names))};
}

Expected<std::filesystem::path> kernel_of_answer(const std::string& text) {
  const auto found = find_kernel(text);
  if (found) return *found;
  return Refusal{fmt::format("expected a kernel such as linux-6.1 or debian-12, found '{}'{}", text,
                             did_you_mean(text, kernel_names()))};
}

Expected<models::Bytes> region_of_answer(const std::string& text, models::Bytes memory) {
  const auto size = parse_size(text);
  if (!size) return size;
  if (*size > memory) {
    return Refusal{fmt::format("expected at most the memory's {}, found {}", spell(memory), text)};
  }
  if (size->count() == 0 || size->count() % models::kPageSize != 0) {
    return Refusal{fmt::format("expected a multiple of {}, found {}", spell(models::Bytes(models::kPageSize)), text)};
  }
  return size;
}

Expected<bool> yes(const std::string& text) {
  const std::string lower = boost::algorithm::to_lower_copy(text);
  if (lower == "yes" || lower == "y") return true;
  if (lower == "no" || lower == "n") return false;
  return Refusal{fmt::format("expected yes or no, found '{}'", text)};
}

models::Bytes memory_of(const CommandLine& line) {
  const auto said = line.find("memory");
  if (!said) return memory_here();
  const auto size = parse_size(*said);
  if (!size) throw UsageError("--memory: " + size.message());
  return *size;
}

Answers answers_of(const CommandLine& line) {
  constexpr std::int64_t kShare = 4;
  constexpr std::int64_t kLargest = std::int64_t{16} << 30U;
  Answers answers;
  answers.cpus = line.has("cpus") ? positive(line, "cpus", 4096) : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  answers.memory = memory_of(line);
  const std::filesystem::path kernel =
      said(line, "kernel", "Which kernel? A version, a distribution, or what uname -r prints", running_release(),
           kernel_of_answer);
  answers.kernel = kernel.stem().string();
  for (const std::string& note : read_policy(kernel).notes) tell_note(fmt::format("{}: {}\n", answers.kernel, note));
  std::string holders;
  for (const Holder& each : kHolders) holders += fmt::format("\n  {:<10} {}", each.name, each.about);
  answers.holder =
      said(line, "holder", fmt::format("Who holds mmap_lock for long?{}\n ", holders), "locker", holder_of);
  const auto region = whole_mebibytes(std::min(answers.memory.count() / kShare, kLargest));
  answers.region = said(line, "region", "How large is the region that is worked on?", spell(region),
                        [&](const std::string& text) { return region_of_answer(text, answers.memory); });
  answers.mapper = said(line, "mapper", "Does anybody map and unmap small pieces meanwhile? Yes or no:", "no", yes);
  return answers;
}

// --- the file -------------------------------------------------------------------------------------------------

std::string scenario_text(const Answers& answers, const std::string& name) {
  const Holder& holder = *answers.holder;
  // Somebody has to have a CPU besides those who fault.
  const int faulters = std::clamp(answers.cpus - 1, 1, 16);
  const bool script = std::string_view(holder.name) == "locker";
  return fmt::format(
      "# yaml-language-server: $schema={schema}\n"
      "# Made by `mlocksim new`: {about}.\n"
      "# Change what you like. `mlocksim help scenario` tells what there is, `mlocksim check FILE` what is wrong.\n"
      "schema: mlocksim/1\n"
      "name: {name}\n"
      "machine:\n"
      "  from: {machine}    # its costs; this machine's own: mlocksim calibrate -o machine.yaml\n"
      "  kernel: {kernel}\n"
      "  cpus: {cpus}\n"
      "memory:\n"
      "  size: {memory}\n"
      "  pressure: none    # none, light or heavy; mlocksim help memory\n"
      "policies:    # the first is what runs today; mlocksim list policies\n"
      "{policies}"
      "seed: 1\n"
      "{duration}"
      "processes:\n"
      "  - name: service\n"
      "    regions:\n"
      "      heap: {{size: {region}, kind: anon, pages: resident}}\n"
      "    threads:\n"
      "{thread}"
      "      # Threads that touch fresh pages: their faults need mmap_lock for read.\n"
      "      faulter: {{run: faulter, count: {faulters}, closed: {{think: exponential 50us}}}}\n"
      "      # Maps and unmaps a page: a writer. One of them queued makes all later readers wait.\n"
      "      mapper: {{run: mapper, count: {mappers}, closed: {{think: 1ms}}}}\n"
      "{others}"
      "# What is to hold, under every policy, if that is known: `run` and `compare` then exit with 3 where it does "
      "not.\n"
      "# expect: [p99(faulter) < 1ms]\n",
      fmt::arg("schema", (configs_directory() / "schema" / "scenario.json").string()), fmt::arg("about", holder.about),
      fmt::arg("name", name), fmt::arg("machine", kBaseMachine), fmt::arg("kernel", answers.kernel),
      fmt::arg("cpus", answers.cpus), fmt::arg("memory", spell(answers.memory)),
      fmt::arg("policies", fmt::format(fmt::runtime(holder.policies), answers.kernel)),
      fmt::arg("duration", script ? "" : "duration: 2s\n"), fmt::arg("region", spell(answers.region)),
      fmt::arg("thread", holder.thread), fmt::arg("faulters", faulters), fmt::arg("mappers", answers.mapper ? 1 : 0),
      fmt::arg("others", holder.others));
}

/// Nobody is handed what `check` refuses: a region larger than memory, say.
void check_text(const std::string& text, const std::filesystem::path& file) {
  std::vector<Diagnostic> mistakes;
  YamlNode root = parse_yaml(text, {file.string(), 1, 1}, mistakes);
  (void)read_scenario(std::move(root), file.parent_path(), {}, std::move(mistakes));
}

}  // namespace

int command_new(const Arguments& arguments) {
  CommandLine line(
      "new [-o FILE] [OPTION]...",
      "Writes a scenario to start from, with comments, for this machine: its CPUs, memory and kernel. On a\n"
      "terminal it asks for what no option says; elsewhere it takes what stands between brackets there.",
      "nothing", 0);
  line.text("output,o", "FILE", "the file to write: scenario.yaml by default; - prints it");
  line.text("kernel", "VERSION", "whose rules: by default those of the kernel that runs here");
  line.text("holder", "HOLDER", "who holds mmap_lock for long: locker (the default), allocator or monitor");
  line.text("region", "SIZE",
            "how large the region is that is worked on: by default a quarter of memory, 16GiB at most");
  line.text("mapper", "yes|no", "whether somebody maps and unmaps meanwhile: no by default");
  line.text("memory", "SIZE", "of the machine: by default this one's");
  line.number("cpus", "N", "of the machine: by default this one's");
  if (!line.parse(arguments)) return kOk;
  const std::string file = line.find("output").value_or("scenario.yaml");
  const bool printed = is_standard_output(file);
  if (!printed && std::filesystem::exists(file))
    throw UsageError(fmt::format("'{}' is there already: -o names another file", file));
  OutputFile output(file);
  const std::string text = scenario_text(answers_of(line), printed ? "mine" : name_after(file));
  check_text(text, file);
  output.commit(text);
  if (printed) return kOk;
  fmt::print("{}", with_command(file + ": a scenario to start from.", "Now: mlocksim compare " + shell_word(file)));
  return kOk;
}

}  // namespace experiments
