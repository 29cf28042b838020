// What the probe writes of a machine that there is nowhere: figures that are easy to follow.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tests {

/// A quantity whose p10 and p90 are a tenth from its median.
inline nlohmann::ordered_json probe_quantity(double median) {
  return {{"median", median}, {"p10", median * 0.9}, {"p90", median * 1.1}, {"n", 40}};
}

/// 8 CPUs, 4 of which share a cache, under Linux 6.12.
inline nlohmann::ordered_json probe_json() {
  using Json = nlohmann::ordered_json;
  Json json;
  json["schema"] = "mlocksim-probe/1";
  json["options"] = {{"memory", 1 << 30}, {"quick", false}, {"seed", 1}};
  json["host"] = {{"kernel", "6.12.43+deb13-amd64"},
                  {"version", "#1 SMP PREEMPT_DYNAMIC"},
                  {"architecture", "x86_64"},
                  {"distribution", "Debian GNU/Linux 13 (trixie)"},
                  {"cpu_model", "Some CPU"},
                  {"cpus", 8},
                  {"cpus_online", 8},
                  {"caches",
                   {{{"level", 1}, {"type", "Data"}, {"bytes", 32768}, {"cpus", 1}},
                    {{"level", 3}, {"type", "Unified"}, {"bytes", 16 << 20}, {"cpus", 4}}}},
                  {"hypervisor", false},
                  {"memory", std::int64_t{64} << 30},
                  {"available", std::int64_t{60} << 30},
                  {"swap", 0},
                  {"lock_limit", nullptr},
                  {"root", false},
                  {"thp", "always"},
                  {"thp_shmem", "never"},
                  {"mglru", "0x0007"},
                  {"per_vma_locks", true},
                  {"preemption", "voluntary"},
                  {"preemption_source", "/sys/kernel/debug/sched/preempt"},
                  {"ticks_per_second", 1000},
                  {"base_slice_ns", 2'800'000},
                  {"migration_cost_ns", 500'000},
                  {"autogroup", true}};
  json["load"] = {{"load_average", 0.05}, {"busy", 0.01}, {"stolen", 0.0}};
  json["noise"] = Json::array();
  for (int cpu = 0; cpu < 8; ++cpu) {
    json["noise"].push_back({{"cpu", cpu},
                             {"seconds", 2.0},
                             {"threshold_ns", 1000},
                             {"gaps", 500},
                             {"p50_ns", 2000},
                             {"max_ns", 30000},
                             {"lost", 0.001},
                             {"interrupts", {{"gaps", 480}, {"lengths_ns", {1'500, 2'500}}}},
                             {"tasks", {{"gaps", 20}, {"lengths_ns", {20'000}}}}});
  }
  Json& quantities = json["quantities"];
  for (const auto& [name, median] :
       std::initializer_list<std::pair<const char*, double>>{{"cache_line", 60},
                                                             {"clone_vm", 11'000},
                                                             {"cmdline_file", 6'500},
                                                             {"collapse_one_2m", 102'200 + 400},
                                                             {"collapse_present_2m", 204'800},
                                                             {"comm_file", 5'000},
                                                             {"cow_4k", 1'500},
                                                             {"dontneed_2m", 5'000},
                                                             {"dontneed_4k", 260},
                                                             {"fault_4k", 1'060},
                                                             {"fork_2m", 1'200},
                                                             {"fork_4k", 50},
                                                             {"fork_vma", 350},
                                                             {"futex_wake", 2'000},
                                                             {"futex_wake_nobody", 500},
                                                             {"get_mempolicy_call", 400},
                                                             {"look_for_vma", 90},
                                                             {"getppid", 100},
                                                             {"madvise_call", 560},
                                                             {"maps_file", 15'000},
                                                             {"maps_file_vmas", 20},
                                                             {"maps_vma", 240},
                                                             {"remote_read_4k", 450},
                                                             {"mincore_4k", 2},
                                                             {"mlock_2m", 550},
                                                             {"mlock_4k", 300},
                                                             {"mlock_again_2m", 150},
                                                             {"mlock_again_4k", 90},
                                                             {"mlockall_vma", 600},
                                                             {"mmap_call", 1'660},
                                                             {"mprotect_2m", 250},
                                                             {"mprotect_4k", 30},
                                                             {"mprotect_call", 1'290},
                                                             {"mprotect_whole_vma", 800},
                                                             {"mremap_4k", 15},
                                                             {"munlock_2m", 410},
                                                             {"munlock_4k", 120},
                                                             {"munlock_absent_4k", 0.2},
                                                             {"munlockall_vma", 450},
                                                             {"munmap_2m", 5'200},
                                                             {"munmap_4k", 240},
                                                             {"munmap_call", 1'760},
                                                             {"munmap_present_4k", 2'700},
                                                             {"munmap_vma", 520},
                                                             {"numa_maps_2m", 80},
                                                             {"numa_maps_4k", 30},
                                                             {"numa_maps_vma", 370},
                                                             {"pagemap_2m", 1'600},
                                                             {"pagemap_4k", 25},
                                                             {"pipe_alone", 700},
                                                             {"pipe_switch", 2'500},
                                                             {"populate_2m", 100'000},
                                                             {"populate_4k", 900},
                                                             {"populate_all_cpus_2m", 400'000},
                                                             {"populate_all_cpus_4k", 1'500},
                                                             {"populate_first_4k", 1'500},
                                                             {"smaps_2m", 90},
                                                             {"smaps_4k", 35},
                                                             {"smaps_rollup_2m", 70},
                                                             {"smaps_rollup_4k", 33},
                                                             {"smaps_rollup_file", 38'000},
                                                             {"smaps_rollup_vma", 95},
                                                             {"smaps_vma", 2'200},
                                                             {"spin_loop", 433'000},
                                                             {"split_2m", 11'000},
                                                             {"timer_lateness", 50'000},
                                                             {"grace_period", 14'000},
                                                             {"tlb_flush_cpu", 1'800},
                                                             {"vma_merge", 380},
                                                             {"vma_split", 540},
                                                             {"wake_up_after_300us", 6'500},
                                                             {"wake_up_after_30us", 4'000},
                                                             {"wake_up_after_60us", 4'000},
                                                             {"wake_up_after_100us", 4'000},
                                                             {"wake_up_after_150us", 6'500},
                                                             {"wake_up_after_200us", 6'500},
                                                             {"wake_up_after_5ms", 150'000},
                                                             {"mmap_after_300us", 1'860},
                                                             {"munmap_after_300us", 1'960},
                                                             {"fault_after_300us", 1'160},
                                                             {"maps_file_after_300us", 15'500},
                                                             {"cmdline_file_after_300us", 7'000},
                                                             {"each_mmap_after_500us", 1'860},
                                                             {"each_mmap_after_800us", 1'860},
                                                             {"each_mmap_after_1ms", 1'860},
                                                             {"each_mmap_after_1100us", 1'860},
                                                             {"each_mmap_after_1250us", 1'860},
                                                             {"each_mmap_after_1500us", 7'660},
                                                             {"each_mmap_after_2ms", 7'660},
                                                             {"each_mmap_after_3ms", 7'660},
                                                             {"each_mmap_after_5ms", 7'660},
                                                             {"mmap_after_5ms", 7'660},
                                                             {"munmap_after_5ms", 7'760},
                                                             {"fault_after_5ms", 6'060},
                                                             {"maps_file_after_5ms", 35'000},
                                                             {"cmdline_file_after_5ms", 22'500}}) {
    quantities[name] = probe_quantity(median);
  }
  quantities["mmap_call"]["p99"] = 5'160;
  quantities["fault_4k"]["p99"] = 4'060;
  quantities["spin_loop"]["p90"] = 440'000;
  quantities["spin_loop"]["p10"] = 432'000;
  json["not_measured"] = Json::object();
  return json;
}

}  // namespace tests
