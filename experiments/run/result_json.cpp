#include "experiments/run/result_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

#include "experiments/base/statistic_list.h"

namespace experiments {

namespace {

constexpr std::string_view key_of(models::LockKind lock) {
  constexpr std::array<std::string_view, 3> keys{"mmap_sem", "vma", "mutex"};
  return keys[static_cast<std::size_t>(lock)];
}

Json to_json(const models::LockBlame& blame, sim::Nanoseconds wait, const std::vector<std::string>& classes) {
  Json json{{"holder", class_name(blame.holder, classes)},
            {"mode", to_string(blame.mode)},
            {"phase", to_string(blame.phase)},
            {"lock", key_of(blame.lock)},
            {"doing", to_string(blame.doing)}};
  if (blame.cpu_taken_by >= 0) json["cpu_taken_by"] = class_name(blame.cpu_taken_by, classes);
  if (blame.convoy >= 0) json["behind"] = class_name(blame.convoy, classes);
  json["ns"] = wait.count();
  return json;
}

Json to_json(const std::map<models::LockBlame, sim::Nanoseconds>& lock_waits, const std::vector<std::string>& classes) {
  Json by = Json::array();
  for (const auto& [lock, wait] : lock_waits) by.push_back(to_json(lock, wait, classes));
  return by;
}

// Rare causes only where there are any: as a rule machines are quiet.
void add_times(Json& json, const models::TimeByCause& times) {
  for (std::size_t index = 0; index < models::kCauseCount; ++index) {
    const auto cause = static_cast<models::Cause>(index);
    if (index >= models::kFirstRareCause && times[index] == sim::Nanoseconds{0}) continue;
    json[to_string(cause)] = times[index].count();
  }
}

Json to_json(const models::Blame& blame, const std::vector<std::string>& classes) {
  Json json;
  add_times(json, blame.causes);
  json.erase(std::string(to_string(models::Cause::sleep)));
  json["lock_wait_by"] = to_json(blame.lock_waits, classes);
  return json;
}

Json to_json(const sim::Histogram& histogram) {
  Json json;
  for (const NamedStatistic& statistic : kStatistics) {
    const auto value = statistic.read(histogram);
    json[std::string(statistic.column)] = value ? Json(*value) : Json(nullptr);
    if (histogram.empty()) break;  // after the count
  }
  return json;
}

// What the samples beyond a percentile spent their time on; null where there are too few.
Json blame_beyond(const models::Samples& samples, double quantile, const std::vector<std::string>& classes) {
  const auto from = samples.latency().percentile(quantile);
  if (!from) return nullptr;
  const models::Blame blame = samples.blame_from(*from);
  Json json{{"from_ns", from->count()}, {"count", blame.count}};
  json.update(to_json(blame, classes));
  return json;
}

Json to_json(const models::Samples& samples, const std::vector<std::string>& classes) {
  Json json = to_json(samples.latency());
  json["blame"] = to_json(samples.blame(), classes);
  if (samples.latency().empty()) return json;
  const auto from = samples.tail_start();
  Json& tail = json["tail_blame"] = Json::object();
  tail["from_ns"] = from.count();
  tail["count"] = samples.blame_from(from).count;
  tail.update(to_json(samples.blame_from(from), classes));
  json["p99_blame"] = blame_beyond(samples, 0.99, classes);
  json["p999_blame"] = blame_beyond(samples, 0.999, classes);
  return json;
}

Json to_json(const models::CallRecord& call) {
  std::uint64_t failed = 0;
  for (const auto& [error, count] : call.errors) failed += count;
  const auto eagain = call.errors.find(EAGAIN);
  return {{"calls", call.duration.count()},
          {"mean_ns", call.duration.empty() ? Json(nullptr) : Json(std::llround(call.duration.mean()))},
          {"max_ns", call.duration.empty() ? Json(nullptr) : Json(call.duration.max().count())},
          {"pages", call.pages},
          {"failed", failed},
          {"eagain", eagain == call.errors.end() ? 0 : eagain->second}};
}

Json to_json(const models::CallRecords& calls) {
  Json json = Json::object();
  for (const auto& [name, call] : calls) json[name] = to_json(call);
  return json;
}

// What the time of a class went into, over the whole run.
Json time_of(const models::ClassResult& result, const std::vector<std::string>& classes) {
  Json json;
  add_times(json, result.time);
  json["lock_wait_by"] = to_json(result.lock_waits, classes);
  return json;
}

Json to_json(const models::ClassResult& result, const std::vector<std::string>& classes) {
  Json json{{"cpu_ns", result.cpu().count()},
            {"spin_ns", result.spin.count()},
            {"involuntary_switches", result.involuntary_switches},
            {"open_loop", result.open_loop},
            {"warm_up", result.warm_up},
            {"unfinished", result.unfinished},
            {"cut_off", result.cut_off},
            {"longest_ns", result.longest().count()},
            {"time", time_of(result, classes)}};
  if (!result.calls.empty()) json["syscalls"] = to_json(result.calls);
  json["total"] = to_json(result.total(), classes);
  Json& during = json["during"] = Json::object();
  for (const auto& [phase, samples] : result.during) {
    if (call_of(phase) == phase) during[to_string(phase)] = to_json(result.during_call(phase), classes);
  }
  for (const auto& [phase, samples] : result.during) {
    const auto call = models::call_of(phase);
    if (call == phase) continue;
    if (!during.contains(to_string(call))) during[to_string(call)] = to_json(result.during_call(call), classes);
    during[to_string(phase)] = to_json(samples, classes);
  }
  return json;
}

// One array for each of min, max and last: short to write, and what a plotter wants.
Json to_json(const sim::TimeSeries& series) {
  Json json{
      {"every_ns", series.width().count()}, {"min", Json::array()}, {"max", Json::array()}, {"last", Json::array()}};
  for (const sim::TimeSeries::Bucket& bucket : series.buckets()) {
    json["min"].push_back(bucket.min);
    json["max"].push_back(bucket.max);
    json["last"].push_back(bucket.last);
  }
  return json;
}

Json to_json(const models::RwsemStatistics::Waits& waits) {
  return {{"acquisitions", waits.acquisitions}, {"contended", waits.contended()}, {"wait", to_json(waits.wait)}};
}

Json to_json(const models::RwsemStatistics::OffCpu& off_cpu) {
  return {{"preempted", to_json(off_cpu.preempted)}, {"granted", to_json(off_cpu.granted)}};
}

Json to_json(const models::RwsemStatistics::Asker& asker, const models::RwsemStatistics::Waits& waits,
             const std::vector<std::string>& classes) {
  Json json{{"class", class_name(asker.asker, classes)},
            {"phase", to_string(asker.phase)},
            {"mode", to_string(asker.mode)},
            {"longest_ns", waits.longest().count()},
            {"lock_wait_ns", waits.lock_wait.count()},
            {"waiting_at_end", waits.waiting}};
  json.update(to_json(waits));
  json["wait"]["total_ns"] = waits.wait.total().count();
  Json& counts = json["wait"]["by_power_of_two"] = Json::array();
  for (const auto& [from, count] : waits.wait.by_power_of_two()) {
    counts.push_back({{"from_ns", from.count()}, {"count", count}});
  }
  return json;
}

Json to_json(const models::LockResult& lock, sim::Nanoseconds sim_time, const std::vector<std::string>& classes) {
  const models::RwsemStatistics& statistics = lock.statistics;
  Json json{{"process", lock.process},
            {"read", to_json(statistics.all(models::LockMode::read))},
            {"write", to_json(statistics.all(models::LockMode::write))}};
  Json& asked = json["asked"] = Json::array();
  for (const auto& [asker, waits] : statistics.asked) asked.push_back(to_json(asker, waits, classes));
  Json& hold = json["hold"] = Json::object();
  for (const auto& [holds, lengths] : statistics.hold) {
    hold[fmt::format("{} {} {}", class_name(holds.holder, classes), to_string(holds.mode), to_string(holds.call))] =
        to_json(lengths);
  }
  json["holder_off_cpu"] = {{"read", to_json(statistics.read_off_cpu)}, {"write", to_json(statistics.write_off_cpu)}};
  json["handoffs"] = statistics.handoffs;
  json["spin_handoff"] = {{"steals", statistics.steals},
                          {"spins", statistics.spins},
                          {"handoffs_set", statistics.handoffs_set},
                          {"spin_time_ns", statistics.spin_time.count()}};
  json["writer_bypasses"] = statistics.writer_bypasses;
  json["convoys"] = {{"count", statistics.convoys},
                     {"readers", statistics.convoy_waits},
                     {"largest", statistics.largest_convoy},
                     {"length", to_json(statistics.convoy_lengths)}};
  json["queue"] = {{"longest", statistics.longest_queue},
                   {"mean", static_cast<double>(statistics.total_wait.count()) /
                                static_cast<double>(std::max<std::int64_t>(1, sim_time.count()))},
                   {"series", to_json(statistics.queue)}};
  json["window"] = {
      {"vma_changed", lock.vma_changed}, {"eagain", lock.eagain}, {"vma_change_missed", lock.vma_change_missed}};
  return json;
}

Json to_json(const models::ZoneCounts& counts) {
  return {{"free", counts.free.count()},
          {"per_cpu", counts.per_cpu.count()},
          {"inactive_anon", counts.inactive_anon.count()},
          {"active_anon", counts.active_anon.count()},
          {"inactive_file", counts.inactive_file.count()},
          {"active_file", counts.active_file.count()},
          {"unevictable", counts.unevictable.count()},
          {"writeback", counts.writeback.count()},
          {"compressed", counts.compressed.count()},
          {"hugetlb", counts.hugetlb.count()},
          {"slab", counts.slab.count()},
          {"children", counts.children.count()},
          {"in_flight", counts.in_flight.count()}};
}

// What there is of MGLRU, where it has aged anything.
void add_aging(const models::ReclaimStatistics& reclaim, Json& json) {
  if (reclaim.mms_walked + reclaim.generations == 0) return;
  json["aging"] = {{"generations", reclaim.generations},
                   {"processes_walked", reclaim.mms_walked},
                   {"processes_passed_over", reclaim.mms_passed_over}};
}

Json to_json(const models::ReclaimStatistics& reclaim) {
  Json json{{"kswapd",
             {{"wakeups", reclaim.kswapd_wakeups},
              {"scanned_pages", reclaim.kswapd_scanned},
              {"reclaimed_pages", reclaim.kswapd_reclaimed}}},
            {"direct",
             {{"scanned_pages", reclaim.direct_scanned},
              {"reclaimed_pages", reclaim.direct_reclaimed},
              {"stalls", to_json(reclaim.direct_stalls)},
              {"futile_rounds_before_oom", reclaim.futile_rounds}}},
            {"throttled", reclaim.throttled},
            {"pages",
             {{"kept", reclaim.kept},
              {"activated", reclaim.activated},
              {"deactivated", reclaim.deactivated},
              {"culled", reclaim.culled},
              {"swapped_out", reclaim.swapped_out},
              {"swapped_in", reclaim.swapped_in},
              {"files_written", reclaim.files_written},
              {"files_read", reclaim.files_read},
              {"refaults", reclaim.refaults}}}};
  add_aging(reclaim, json);
  return json;
}

Json to_json(const models::DeviceStatistics::Direction& direction) {
  return {{"requests", direction.requests()}, {"pages", direction.pages}, {"latency", to_json(direction.latency)}};
}

Json to_json(const models::DeviceStatistics& device) {
  return {{"read", to_json(device.read)},
          {"write", to_json(device.write)},
          {"waits_for_room", to_json(device.room_waits)},
          {"busy_ns", device.busy.count()},
          {"congestions", device.congestions},
          {"longest_queue", device.longest_queue}};
}

Json to_json(const models::GroupMemory& group) {
  return {{"at_end_pages", group.at_end.count()}, {"peak_pages", group.peak.count()},
          {"scanned_pages", group.scanned},       {"reclaimed_pages", group.reclaimed},
          {"max_events", group.max_events},       {"high_events", group.high_events},
          {"stalls", to_json(group.stalls)},      {"high_sleep_ns", group.high_sleep.count()},
          {"out_of_memory", group.out_of_memory}};
}

Json to_json(const models::MemoryResult& memory) {
  Json json{
      {"watermarks_pages",
       {{"min", memory.marks.min.count()}, {"low", memory.marks.low.count()}, {"high", memory.marks.high.count()}}},
      {"pages_at_end", to_json(memory.at_end)},
      {"lowest_free_pages", memory.lowest_free.count()},
      {"allocated_pages", memory.allocated},
      {"swap_used_pages", memory.swap_used.count()}};
  json.update(to_json(memory.reclaim));
  json["device"] = to_json(memory.device);
  json["series"] = {
      {"free_pages", to_json(memory.series.free)},  {"anon_pages", to_json(memory.series.anon)},
      {"file_pages", to_json(memory.series.file)},  {"unevictable_pages", to_json(memory.series.unevictable)},
      {"kswapd_runs", to_json(memory.kswapd_runs)}, {"device_queue", to_json(memory.device.queue)}};
  for (const models::GroupMemory& group : memory.groups) json["groups"][group.name] = to_json(group);
  return json;
}

// `mmap_sem` of the first process, `mmap_sem.PROCESS` of the others; `mutex.PROCESS/NAME`.
std::string lock_key(const models::LockResult& lock, bool first) {
  if (!lock.mutex.empty()) return fmt::format("mutex.{}/{}", lock.process, lock.mutex);
  return first ? "mmap_sem" : "mmap_sem." + lock.process;
}

}  // namespace

std::string class_name(models::ClassId id, const std::vector<std::string>& classes) {
  return id < 0 ? "kernel" : classes[static_cast<std::size_t>(id)];
}

std::string to_text(const models::LockBlame& blame, const std::vector<std::string>& classes) {
  std::string text =
      fmt::format("{} {} {}", class_name(blame.holder, classes), to_string(blame.mode), to_string(blame.phase));
  if (blame.lock != models::LockKind::mmap_sem) text += fmt::format(" with {}", to_string(blame.lock));
  if (blame.doing != models::Cause::cpu) text += fmt::format(" in {}", to_string(blame.doing));
  if (blame.cpu_taken_by >= 0) text += fmt::format(" ({} has its CPU)", class_name(blame.cpu_taken_by, classes));
  if (blame.convoy >= 0) text += fmt::format(", behind {}", class_name(blame.convoy, classes));
  return text;
}

Json to_json(const models::Result& result) {
  const std::vector<std::string> classes = result.class_names();
  Json json{{"schema", "mlocksim/1"}, {"scenario", result.scenario},          {"policy", result.policy},
            {"seed", result.seed},    {"outcome", to_string(result.outcome)}, {"sim_time_ns", result.sim_time.count()}};
  json["warm_up_ns"] = result.warm_up.count();
  json["cool_down_ns"] = result.cool_down.count();
  Json& by_class = json["classes"] = Json::object();
  for (const models::ClassResult& each : result.classes) by_class[each.name] = to_json(each, classes);
  Json& locks = json["locks"] = Json::object();
  for (const models::LockResult& lock : result.locks) {
    locks[lock_key(lock, locks.empty())] = to_json(lock, result.sim_time, classes);
  }
  json["syscalls"] = to_json(result.calls());
  json["memory"] = to_json(result.memory);
  json["engine"] = {{"events", result.events}, {"preemptions", result.preemptions}, {"wall_ns", result.wall.count()}};
  return json;
}

Json to_json(const models::Machine& machine) {
  const std::string& of = machine.scheduler.of;
  return {{"name", machine.name}, {"cpus", machine.cpus}, {"scheduler", of.empty() ? Json() : Json(of)}};
}

std::string result_text(const models::Result& result) {
  Json json = to_json(result);
  json["engine"].erase("wall_ns");
  return json.dump();
}

}  // namespace experiments
