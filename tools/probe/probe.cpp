// mlocksim-probe: measures what the kernel's paths cost on this machine, and writes JSON.
//
// A program of its own, linked statically and with nothing of mlocksim but its values, so that it can be copied to a
// machine that has nothing installed. Started as the first process of a guest it mounts what it reads, and turns the
// guest off when it has written its JSON. It needs no rights, changes no limits and no settings, and makes no files but
// the one it is told to: when it is killed, nothing is left of it. What it touches is bounded by --memory, and by the
// regions of a workload that it is to run.
//
// Trust: costs of long calls are CPU time, so that they survive a busy machine; those of short ones, wake-ups and
// timers are not, and `load`, `noise` and `spin_loop` in the JSON tell how quiet the machine was.
#include <malloc.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>

#include "experiments/host/real_json.h"
#include "tools/probe/host_facts.h"
#include "tools/probe/noise.h"
#include "tools/probe/parts.h"
#include "tools/probe/workload/run_workload.h"

namespace probe {

namespace {

constexpr const char* kUsage = R"(usage: mlocksim-probe [OPTION]... > probe.json

Measures what the kernel's paths cost on this machine, and writes JSON for mlocksim calibrate --from; or runs a
workload for real, for mlocksim validate --real. Needs no rights; changes nothing.

  --memory SIZE  how much memory is used at most, such as 512MiB or 2GiB (default 1GiB, with --quick 256MiB)
  --quick        fewer repetitions: ten seconds instead of two minutes; with --all shorter ones
  --strict       refuse at once where no memory may be locked, or where no CPU is idle
  --seed N       of the order of the measurements (default: another one each time)
  --progress     how far it is, on standard error
  --run FILE     run this workload (mlocksim validate --workload) instead of measuring
  --all FOLDER   run every *.json in the folder, and measure between them; a line of JSON each, what was measured last
  --sittings N   run each workload so many times (default 1)
  --output FILE  write there instead of to standard output
)";

constexpr std::size_t kLeastMemory = std::size_t{16} << 20U;

struct Options {
  std::size_t memory = 0;  ///< 0: not said
  bool quick = false;
  bool strict = false;
  bool progress = false;
  std::string run;  ///< a workload's file; empty: none
  std::string all;  ///< a folder of them; empty: none
  int sittings = 1;
  std::string output;  ///< empty: standard output
  std::uint64_t seed = std::random_device{}();
};

std::size_t memory_of(const std::string& text) {
  char* unit = nullptr;
  const unsigned long long number = std::strtoull(text.c_str(), &unit, 10);
  const bool digits = !text.empty() && text.find_first_of("0123456789") == 0 && number < (1ULL << 30U);
  if (digits && std::strcmp(unit, "MiB") == 0) return number << 20U;
  if (digits && std::strcmp(unit, "GiB") == 0) return number << 30U;
  throw BadInput("--memory: expected a size such as 512MiB or 2GiB, found '" + text + "'");
}

int sittings_of(const std::string& text) {
  constexpr long kMost = 1000;
  char* end = nullptr;
  const long number = std::strtol(text.c_str(), &end, 10);
  if (!text.empty() && *end == '\0' && number >= 1 && number <= kMost) return static_cast<int>(number);
  throw BadInput("--sittings: expected a number from 1 to 1000, found '" + text + "'");
}

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 == argc) throw BadInput(word + ": expected a value");
      return argv[++i];
    };
    if (word == "--memory") {
      options.memory = memory_of(value());
    } else if (word == "--run") {
      options.run = value();
    } else if (word == "--all") {
      options.all = value();
    } else if (word == "--sittings") {
      options.sittings = sittings_of(value());
    } else if (word == "--output") {
      options.output = value();
    } else if (word == "--seed") {
      options.seed = std::strtoull(value().c_str(), nullptr, 10);
    } else if (word == "--quick") {
      options.quick = true;
    } else if (word == "--strict") {
      options.strict = true;
    } else if (word == "--progress") {
      options.progress = true;
    } else if (getpid() != 1) {  // to the first process the kernel gives what it does not know itself
      throw BadInput("unknown option '" + word + "'\n" + kUsage);
    }
  }
  if (options.memory == 0) options.memory = std::size_t{options.quick ? 256U : 1024U} << 20U;
  return options;
}

Settings settings_of(const Options& options) {
  if (options.memory < kLeastMemory) throw BadInput("--memory: expected 16MiB at least");
  const auto available = meminfo("MemAvailable");
  // Page tables, and what the child of a fork copies, come on top.
  if (available && *available < options.memory + options.memory / 8) {
    throw BadInput("too little memory: " + std::to_string(*available >> 20U) + " MiB are available, and --memory " +
                   std::to_string(options.memory >> 20U) + "MiB needs an eighth more than that");
  }
  const std::size_t limit = lock_limit().value_or(options.memory);
  return {options.memory, std::min(limit, options.memory), options.quick, allowed_cpus()};
}

void refuse_what_cannot_be_locked(const Settings& settings) {
  if (settings.lockable >= kLeastToLock) return;
  throw BadInput("RLIMIT_MEMLOCK is too low: with " + std::to_string(settings.lockable >> 10U) +
                 " KiB mlock, munlock, mlockall and munlockall cannot be measured, 1 MiB is the least (ulimit -l)");
}

void refuse_busy_cpus(const nlohmann::ordered_json& load) {
  constexpr double kAll = 0.95;
  if (load["busy"].is_null() || load["busy"] < kAll) return;
  throw BadInput("every CPU of this machine is busy with other work: what is measured now would be the wait for them");
}

// --- as the first process of a guest ------------------------------------------------------------------------

void mount_at(const char* type, const char* folder) {
  (void)mkdir(folder, 0755);
  (void)mount(type, folder, type, 0, nullptr);  // where it is mounted already, or is not to be had, that is fine
}

void mount_what_is_read() {
  mount_at("devtmpfs", "/dev");
  mount_at("proc", "/proc");
  mount_at("sysfs", "/sys");
  mount_at("debugfs", "/sys/kernel/debug");
}

[[noreturn]] void turn_off() {
  std::fflush(nullptr);
  sync();
  (void)reboot(RB_POWER_OFF);
  for (;;) pause();
}

// --- measuring ----------------------------------------------------------------------------------------------

/// A reader that has gone away ends this process (SIGPIPE): it measures for nobody.
void show_progress(const Options& options, std::size_t done, std::size_t all) {
  if (!options.progress) return;
  const std::string line = std::to_string(done) + " of " + std::to_string(all) + "\n";
  (void)!write(STDERR_FILENO, line.data(), line.size());
}

void measure(const Part& part, const Settings& settings, Readings& readings) {
  std::string why = "this kernel does not have it";
  try {
    part.measure(settings, readings);
  } catch (const std::exception& error) {
    why = error.what();
  }
  for (const std::string& quantity : part.quantities) {
    if (!readings.has(quantity)) readings.cannot(quantity, why);
  }
}

void tell_what_may_not_be_locked(const Settings& settings, Readings& readings) {
  if (settings.lockable == settings.memory) return;
  const std::string limit = "RLIMIT_MEMLOCK is " + std::to_string(settings.lockable >> 10U) + " KiB";
  for (const char* const quantity : {"mlock_4k", "mlock_again_4k", "munlock_4k", "mlock_2m", "mlock_again_2m",
                                     "munlock_2m", "munlock_absent_4k", "mlockall_vma", "munlockall_vma"}) {
    readings.cannot(quantity, limit);
  }
}

/// All parts, as often as they are repeated, in random order; a share of them at a time, as the machine may become
/// slower or faster meanwhile.
class Measuring {
 public:
  explicit Measuring(const Options& options)
      : options_(options), settings_(settings_of(options)), parts_(page_parts()) {
    if (options.strict) refuse_what_cannot_be_locked(settings_);
    json_["schema"] = "mlocksim-probe/1";
    json_["options"] = {{"memory", settings_.memory}, {"quick", settings_.quick}, {"seed", options.seed}};
    json_["host"] = host_facts(settings_.cpus);
    json_["load"] = load_of_machine();
    if (options.strict) refuse_busy_cpus(json_["load"]);
    choose_order();
    tell_what_may_not_be_locked(settings_, readings_);
    touch_all_memory(settings_, readings_);
  }

  /// Goes on until `share` (0 .. 1) of it is done.
  void go_on_to(double share) {
    const auto upto = static_cast<std::size_t>(share * static_cast<double>(order_.size()));
    for (; done_ < upto; ++done_) {
      show_progress(options_, done_, order_.size() + 1);
      measure(parts_[order_[done_]], settings_, readings_);
    }
  }

  /// The rest of it, and what it came to.
  nlohmann::ordered_json finish() {
    go_on_to(1);
    show_progress(options_, order_.size(), order_.size() + 1);
    constexpr std::int64_t kSecond = 1'000'000'000;
    // What takes a CPU away for milliseconds comes once in some seconds.
    json_["noise"] = noise_of(settings_.cpus, in_haste() ? 2 * kSecond : 10 * kSecond);
    json_["quantities"] = readings_.quantities();
    json_["not_measured"] = readings_.not_measured();
    return std::move(json_);
  }

 private:
  /// Between workloads there is time enough, and a machine that may become slower needs to be looked at often.
  [[nodiscard]] bool in_haste() const { return settings_.quick && options_.all.empty(); }

  void choose_order() {
    constexpr int kRepetitions = 12;
    constexpr int kQuickRepetitions = 4;
    for (const auto& more : {call_parts(), schedule_parts()}) parts_.insert(parts_.end(), more.begin(), more.end());
    for (int i = 0; i < (in_haste() ? kQuickRepetitions : kRepetitions); ++i) {
      for (std::size_t part = 0; part < parts_.size(); ++part) order_.push_back(part);
    }
    std::mt19937_64 random(options_.seed);
    std::shuffle(order_.begin(), order_.end(), random);
  }

  const Options& options_;
  Settings settings_;
  std::vector<Part> parts_;
  std::vector<std::size_t> order_;
  std::size_t done_ = 0;
  Readings readings_;
  nlohmann::ordered_json json_;
};

// --- running workloads --------------------------------------------------------------------------------------

std::string run_for_real(const std::filesystem::path& file, const Options& options) {
  const std::string text = text_of(file);
  if (text.empty()) throw BadInput(file.string() + ": cannot be read");
  utsname kernel{};
  check(uname(&kernel), "uname");
  const std::vector<int> cpus = allowed_cpus();
  experiments::RealResult result;
  try {
    result.workload = experiments::parse_workload(text);
  } catch (const std::exception& error) {
    throw BadInput(file.string() + ": " + error.what());
  }
  result.kernel = kernel.release;
  result.cpus = static_cast<int>(cpus.size());
  for (int sitting = 0; sitting < options.sittings; ++sitting) {
    show_progress(options, static_cast<std::size_t>(sitting), static_cast<std::size_t>(options.sittings));
    result.sittings.push_back(run_workload(result.workload, cpus));
  }
  return experiments::to_json_text(result);
}

std::vector<std::filesystem::path> workloads_in(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  if (error) throw BadInput(folder + ": " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

/// Where the JSON goes, as it is made: a guest that stops half-way has given what it had.
class Output {
 public:
  explicit Output(const std::string& file) : file_(file.empty() ? stdout : std::fopen(file.c_str(), "w")) {
    if (file_ == nullptr) throw BadInput(file + ": " + std::strerror(errno));
  }
  void put(const std::string& text) const {
    if (std::fputs((text + "\n").c_str(), file_) >= 0 && std::fflush(file_) == 0) return;
    throw std::runtime_error("the output cannot be written");
  }

 private:
  std::FILE* file_;
};

void do_all(const Options& options, const Output& output) {
  if (!options.run.empty()) return output.put(run_for_real(options.run, options));
  if (options.all.empty()) return output.put(Measuring(options).finish().dump(2));
  // Between the workloads, and last what was measured: a machine that becomes slower is measured as slow as it is.
  const std::vector<std::filesystem::path> files = workloads_in(options.all);
  Measuring measuring(options);
  for (std::size_t file = 0; file < files.size(); ++file) {
    measuring.go_on_to(static_cast<double>(file + 1) / static_cast<double>(files.size() + 1));
    output.put(run_for_real(files[file], options));
  }
  output.put(measuring.finish().dump());
}

/// Threads that take few addresses: mlockall counts them.
void use_small_threads() {
  constexpr std::size_t kStack = 32 * kPage;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  mallopt(M_ARENA_MAX, 1);  // otherwise each thread reserves 64 MiB
  // Nothing of the program's own where a workload has unmapped something, to map it again; and few calls of brk.
  constexpr int kMebibyte = 1 << 20;
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TOP_PAD, 8 * kMebibyte);
  mallopt(M_TRIM_THRESHOLD, 64 * kMebibyte);
}

int run(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") != 0 && std::strcmp(argv[i], "-h") != 0) continue;
    std::fputs(kUsage, stdout);
    return 0;
  }
  constexpr int kFailed = 1;
  constexpr int kBadInput = 2;
  try {
    const Options options = options_of(argc, argv);
    do_all(options, Output(options.output));
    return 0;
  } catch (const BadInput& error) {
    std::fprintf(stderr, "mlocksim-probe: %s\n", error.what());
    return kBadInput;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mlocksim-probe: %s\n", error.what());
    return kFailed;
  }
}

}  // namespace

}  // namespace probe

int main(int argc, char** argv) {
  probe::use_small_threads();
  const bool first_process = getpid() == 1;
  if (first_process) probe::mount_what_is_read();
  const int code = probe::run(argc, argv);
  if (first_process) probe::turn_off();
  return code;
}
