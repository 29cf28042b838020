#include "tools/probe/host_facts.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/probe/measuring.h"

namespace probe {

namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(std::strtoll(text.c_str(), nullptr, 10));
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

/// The word in brackets of `always [madvise] never`, or in parentheses of `none voluntary (full)`.
std::string chosen_word(const std::string& text) {
  const std::size_t open = text.find_first_of("[(");
  const std::size_t close = text.find_first_of("])");
  return open == std::string::npos || close == std::string::npos ? "" : text.substr(open + 1, close - open - 1);
}

/// What follows a key up to the end of the line, without blanks before it.
std::string value_after(const std::string& text, const std::string& key) {
  const std::size_t found = ("\n" + text).find("\n" + key);
  if (found == std::string::npos) return "";
  const std::size_t value = text.find_first_not_of(" \t", found + key.size());
  return value == std::string::npos ? "" : text.substr(value, text.find('\n', value) - value);
}

/// The kernel's own configuration; empty where it has not kept it.
std::string kernel_config(const std::string& release) {
  std::string text = text_of("/boot/config-" + release);
  const gzFile file = text.empty() ? gzopen("/proc/config.gz", "rb") : nullptr;
  if (file == nullptr) return text;
  std::array<char, 65536> buffer{};
  for (int got = 0; (got = gzread(file, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  gzclose(file);
  return text;
}

/// Where kernel code can lose its CPU, and how that is known.
struct Preemption {
  std::string mode;
  std::string source;
};

Preemption preemption_of(const utsname& kernel, const std::string& config) {
  if (const std::string mode = chosen_word(text_of("/sys/kernel/debug/sched/preempt")); !mode.empty()) {
    return {mode, "/sys/kernel/debug/sched/preempt"};
  }
  const std::string command_line = " " + text_of("/proc/cmdline") + " ";
  const std::string version = std::string(" ") + kernel.version + " ";
  if (const std::size_t at = command_line.find(" preempt="); at != std::string::npos) {
    const std::size_t word = at + 9;
    return {command_line.substr(word, command_line.find(' ', word) - word), "/proc/cmdline"};
  }
  struct Sign {
    const char* sign;
    const char* mode;
  };
  for (const Sign& each : {Sign{"CONFIG_PREEMPT_RT=y", "full"}, Sign{"CONFIG_PREEMPT_NONE=y", "none"},
                           Sign{"CONFIG_PREEMPT_VOLUNTARY=y", "voluntary"}, Sign{"CONFIG_PREEMPT_LAZY=y", "lazy"},
                           Sign{"CONFIG_PREEMPT=y", "full"}}) {
    if (("\n" + config + "\n").find(std::string("\n") + each.sign + "\n") != std::string::npos) {
      return {each.mode, "the kernel's configuration"};
    }
  }
  for (const Sign& each : {Sign{" PREEMPT_RT ", "full"}, Sign{" PREEMPT_LAZY ", "lazy"}, Sign{" PREEMPT ", "full"}}) {
    if (version.find(each.sign) != std::string::npos) return {each.mode, "uname -v"};
  }
  return {};
}

/// The ticks of the low-resolution clock are the kernel's.
long ticks_per_second() {
  timespec step{};
  if (clock_getres(CLOCK_MONOTONIC_COARSE, &step) != 0 || step.tv_nsec <= 0) return 0;
  return (1'000'000'000 + step.tv_nsec / 2) / step.tv_nsec;
}

/// How many CPUs a list such as `0-3,8` names.
std::size_t count_of_list(const std::string& list) {
  std::size_t count = 0;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t dash = part.find('-');
    const int first = std::atoi(part.c_str());
    const int last = dash == std::string::npos ? first : std::atoi(part.c_str() + dash + 1);
    count += static_cast<std::size_t>(last - first + 1);
  }
  return count;
}

std::size_t bytes_of(const std::string& size) {
  std::size_t bytes = std::strtoul(size.c_str(), nullptr, 10);
  if (size.find('K') != std::string::npos) bytes <<= 10U;
  if (size.find('M') != std::string::npos) bytes <<= 20U;
  return bytes;
}

Json caches_of(int cpu) {
  Json caches = Json::array();
  const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index";
  for (int index = 0;; ++index) {
    const std::string cache = folder + std::to_string(index) + "/";
    const std::string level = text_of(cache + "level");
    if (level.empty()) return caches;
    caches.push_back({{"level", std::atoi(level.c_str())},
                      {"type", text_of(cache + "type")},
                      {"bytes", bytes_of(text_of(cache + "size"))},
                      {"cpus", count_of_list(text_of(cache + "shared_cpu_list"))}});
  }
}

std::string distribution() {
  std::string name = value_after(text_of("/etc/os-release"), "PRETTY_NAME=");
  if (name.size() > 1 && name.front() == '"') name = name.substr(1, name.size() - 2);
  return name;
}

Json size_or_null(const std::optional<std::size_t>& size) { return size ? Json(*size) : Json(); }

/// User, nice, system ... of all CPUs since the machine has been started.
std::vector<double> cpu_times() {
  std::istringstream line(value_after(text_of("/proc/stat"), "cpu "));
  std::vector<double> times;
  for (double time = 0; line >> time;) times.push_back(time);
  times.resize(8);
  return times;
}

}  // namespace

std::optional<std::size_t> meminfo(const std::string& key) {
  const std::string value = value_after(text_of("/proc/meminfo"), key + ":");
  if (value.empty()) return std::nullopt;
  return std::strtoul(value.c_str(), nullptr, 10) << 10U;
}

std::optional<std::size_t> lock_limit() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) == 0 && (data[0].effective & (1U << CAP_IPC_LOCK)) != 0) {
    return std::nullopt;
  }
  rlimit limit{};
  check(getrlimit(RLIMIT_MEMLOCK, &limit), "getrlimit");
  return limit.rlim_cur == RLIM_INFINITY ? std::nullopt : std::optional<std::size_t>(limit.rlim_cur);
}

nlohmann::ordered_json host_facts(const std::vector<int>& cpus) {
  utsname kernel{};
  check(uname(&kernel), "uname");
  int version = 0;
  int patchlevel = 0;
  (void)std::sscanf(kernel.release, "%d.%d", &version, &patchlevel);
  const std::string config = kernel_config(kernel.release);
  const Preemption preemption = preemption_of(kernel, config);
  const long ticks = ticks_per_second();
  const std::string flags = value_after(text_of("/proc/cpuinfo"), "flags");
  const std::string transparent = "/sys/kernel/mm/transparent_hugepage/";
  const std::string autogroup = text_of("/proc/sys/kernel/sched_autogroup_enabled");
  Json facts;
  facts["kernel"] = kernel.release;
  facts["version"] = kernel.version;
  facts["architecture"] = kernel.machine;
  facts["distribution"] = text_or_null(distribution());
  facts["cpu_model"] = text_or_null([&] {
    const std::string model = value_after(text_of("/proc/cpuinfo"), "model name");
    return model.size() > 2 ? model.substr(model.find_first_not_of(": ")) : "";
  }());
  facts["cpus"] = cpus.size();
  facts["cpus_online"] = sysconf(_SC_NPROCESSORS_ONLN);
  facts["caches"] = caches_of(cpus.front());
  facts["hypervisor"] = (flags + " ").find(" hypervisor ") != std::string::npos;
  facts["memory"] = size_or_null(meminfo("MemTotal"));
  facts["available"] = size_or_null(meminfo("MemAvailable"));
  facts["swap"] = size_or_null(meminfo("SwapTotal"));
  facts["lock_limit"] = size_or_null(lock_limit());
  facts["root"] = geteuid() == 0;
  facts["thp"] = text_or_null(chosen_word(text_of(transparent + "enabled")));
  facts["thp_shmem"] = text_or_null(chosen_word(text_of(transparent + "shmem_enabled")));
  facts["mglru"] = text_or_null(text_of("/sys/kernel/mm/lru_gen/enabled"));
  // Whether faults are served under a VMA's lock, by version: no file says so.
  facts["per_vma_locks"] = version > 6 || (version == 6 && patchlevel >= 4);
  facts["preemption"] = text_or_null(preemption.mode);
  facts["preemption_source"] = text_or_null(preemption.source);
  facts["ticks_per_second"] = ticks > 0 ? Json(ticks) : Json();
  // For root only, where debugfs is mounted.
  facts["base_slice_ns"] = number_or_null(text_of("/sys/kernel/debug/sched/base_slice_ns"));
  facts["migration_cost_ns"] = number_or_null(text_of("/sys/kernel/debug/sched/migration_cost_ns"));
  facts["autogroup"] = autogroup.empty() ? Json() : Json(autogroup == "1");
  return facts;
}

nlohmann::ordered_json load_of_machine() {
  const std::string load = text_of("/proc/loadavg");
  const std::vector<double> before = cpu_times();
  constexpr std::int64_t kHalfASecond = 500'000'000;
  sleep_for(kHalfASecond);
  const std::vector<double> after = cpu_times();
  double all = 0;
  for (std::size_t i = 0; i < after.size(); ++i) all += after[i] - before[i];
  constexpr std::size_t kIdle = 3;
  constexpr std::size_t kIoWait = 4;
  constexpr std::size_t kSteal = 7;
  const double idle = after[kIdle] - before[kIdle] + after[kIoWait] - before[kIoWait];
  Json json;
  json["load_average"] = load.empty() ? Json() : Json(std::strtod(load.c_str(), nullptr));
  json["busy"] = all > 0 ? Json(1 - idle / all) : Json();
  json["stolen"] = all > 0 ? Json((after[kSteal] - before[kSteal]) / all) : Json();
  return json;
}

}  // namespace probe
