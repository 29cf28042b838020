#include "experiments/host/workload.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <variant>

#include "models/spec/competitors.h"

namespace experiments {

namespace {

using models::ProcessSpec;
using models::RegionSpec;
using models::ThreadSpec;
using Reason = std::optional<std::string>;

Reason why_not(const RegionSpec& region) {
  const bool memory = region.kind == RegionSpec::Kind::anon || region.kind == RegionSpec::Kind::shmem;
  if (!memory) return "its region '" + region.name + "' is neither anon nor shmem";
  if (region.pages == RegionSpec::Pages::swapped) return "its region '" + region.name + "' begins swapped out";
  const int order = region.folio_order.value_or(0);
  if (order != 0 && order != models::kPmdOrder) {
    return "its region '" + region.name + "' is of folios that nobody can ask for one by one";
  }
  return std::nullopt;
}

// The region that a thread works on, if it names one.
template <class Spec>
const std::string* region_name(const Spec& spec) {
  if constexpr (requires { spec.region.has_value(); }) {
    return spec.region ? &*spec.region : nullptr;
  } else if constexpr (requires { spec.region; }) {
    return &spec.region;
  } else {
    return nullptr;
  }
}

bool locks_all(const ProcessSpec& process) {
  using Call = models::ScriptStep::Call;
  constexpr std::array kAll{Call::mlockall, Call::mlockall_onfault, Call::mlockall_future};
  return std::any_of(process.threads.begin(), process.threads.end(), [&](const ThreadSpec& thread) {
    const auto* const locker = std::get_if<models::LockerSpec>(&thread.run);
    return locker != nullptr && std::any_of(locker->script.begin(), locker->script.end(), [&](const auto& step) {
             return std::find(kAll.begin(), kAll.end(), step.call) != kAll.end();
           });
  });
}

// One for each kind of thread.
Reason why_not(const ProcessSpec&, const models::LockerSpec& spec) {
  using Call = models::ScriptStep::Call;
  for (const models::ScriptStep& step : spec.script) {
    switch (step.call) {
      case Call::stack:
        return "the stack of a real program grows at another time";
      case Call::remap_file_pages:
        return "remap_file_pages has been emulated since Linux 4.0";
      case Call::brk:
      case Call::brk_shrink:
        return "the heap of a real program is its allocator's";
      case Call::exit:
        return "its process would take the results with it";
      default:
        break;
    }
  }
  return std::nullopt;
}
Reason why_not(const ProcessSpec& process, const models::FaulterSpec& spec) {
  if (spec.region || !locks_all(process)) return std::nullopt;
  return "mlockall of its process would lock the memory that it faults in";
}
Reason why_not(const ProcessSpec&, const models::ProcReaderSpec& spec) {
  using File = models::ProcReaderSpec::File;
  if (spec.new_process) return "each read is that of a new process";
  if (spec.file == File::pagemap) return "how much of pagemap is read at a time differs from reader to reader";
  return std::nullopt;
}
Reason why_not(const ProcessSpec&, const models::PinnerSpec&) { return "it takes a device to pin memory for"; }
Reason why_not(const ProcessSpec&, const models::MapperSpec&) { return std::nullopt; }
Reason why_not(const ProcessSpec&, const models::MadviserSpec& spec) {
  if (spec.target.empty()) return std::nullopt;
  return "process_madvise of another process takes its descriptor and CAP_SYS_NICE";
}
Reason why_not(const ProcessSpec&, const models::MincoreSpec&) { return std::nullopt; }
Reason why_not(const ProcessSpec&, const models::GetMempolicySpec&) { return std::nullopt; }
Reason why_not(const ProcessSpec&, const models::ProtectorSpec&) { return std::nullopt; }
Reason why_not(const ProcessSpec&, const models::ForkerSpec&) { return std::nullopt; }
Reason why_not(const ProcessSpec&, const models::RemoteReaderSpec&) { return std::nullopt; }
Reason why_not(const ProcessSpec&, const models::MoverSpec&) { return std::nullopt; }
Reason why_not(const ProcessSpec&, const models::MsyncSpec&) { return std::nullopt; }
Reason why_not(const ProcessSpec&, const models::HolderSpec&) {
  return "it stands for what is not modelled, and has no real counterpart";
}
Reason why_not(const ProcessSpec&, const models::KhugepagedSpec&) { return "khugepaged is the kernel's own thread"; }
Reason why_not(const ProcessSpec&, const models::NumaBalancingSpec&) { return "the kernel scans when it sees fit"; }
Reason why_not(const ProcessSpec&, const models::KsmSpec&) { return "ksmd is the kernel's own thread"; }
Reason why_not(const ProcessSpec&, const models::UserfaultSpec&) {
  return "what it fills in comes from another machine";
}
Reason why_not(const ProcessSpec&, const models::ReplaySpec&) { return "what it replays was another program's"; }
Reason why_not(const ProcessSpec&, const models::BusySpec&) { return std::nullopt; }

Reason why_not(const models::Scenario& scenario, const ProcessSpec& process, const ThreadSpec& thread) {
  if (thread.sched.group >= 0) {
    const models::GroupSpec& group = scenario.groups.at(static_cast<std::size_t>(thread.sched.group));
    if (limits_memory(group) || group.cpu_max || group.cpu_weight != models::GroupSpec{}.cpu_weight) {
      return "control group '" + group.name + "' would have to be made, as root";
    }
  }
  if (!process.cap_ipc_lock && process.rlimit_memlock) return "RLIMIT_MEMLOCK of its process is the user's own";
  return std::visit(
      [&](const auto& spec) -> Reason {
        const std::string* const name = region_name(spec);
        const RegionSpec* const region = name == nullptr ? nullptr : models::find_region(process.regions, *name);
        if (region != nullptr) {
          if (const Reason reason = why_not(*region)) return reason;
        }
        return why_not(process, spec);
      },
      thread.run);
}

}  // namespace

Workload workload_of(const models::Scenario& scenario, LeftOut& left_out) {
  Workload workload{scenario.name, scenario.seed, scenario.duration, scenario.warm_up, {}};
  for (const ProcessSpec& process : scenario.processes) {
    ProcessSpec real = process;
    std::erase_if(real.threads, [&](const ThreadSpec& thread) {
      const Reason reason = why_not(scenario, process, thread);
      if (reason) left_out.emplace(thread.name, *reason);
      return reason.has_value();
    });
    real.group = -1;
    for (ThreadSpec& thread : real.threads) thread.sched.group = -1;
    std::erase_if(real.regions, [](const RegionSpec& region) { return why_not(region).has_value(); });
    workload.processes.push_back(std::move(real));
  }
  return workload;
}

models::Bytes memory_of(const Workload& workload) {
  std::int64_t bytes = 0;
  for (const ProcessSpec& process : workload.processes) {
    for (const RegionSpec& region : process.regions) {
      const auto works_on_it = [&](const ThreadSpec& thread) {
        const std::string* const name = std::visit([](const auto& spec) { return region_name(spec); }, thread.run);
        return name != nullptr && *name == region.name;
      };
      const bool touched = region.pages != RegionSpec::Pages::absent || region.locked ||
                           std::any_of(process.threads.begin(), process.threads.end(), works_on_it);
      if (touched) bytes += region.size.count();
    }
  }
  return models::Bytes(bytes);
}

}  // namespace experiments
