#include "experiments/run/result_pack.h"

#include <boost/container/flat_map.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "experiments/run/value_json.h"

namespace nlohmann {

// What is always there, and behind it rare causes as far as there are any.
template <>
struct adl_serializer<models::TimeByCause> {
  static void to_json(json& to, const models::TimeByCause& from) {
    std::size_t written = from.size();
    while (written > models::kFirstRareCause && from[written - 1] == sim::Nanoseconds{0}) --written;
    to = json::array();
    for (std::size_t cause = 0; cause < written; ++cause) to.push_back(from[cause]);
  }
  static void from_json(const json& from, models::TimeByCause& to) {
    to = {};
    for (std::size_t cause = 0; cause < std::min(from.size(), to.size()); ++cause) {
      to[cause] = from[cause].get<sim::Nanoseconds>();
    }
  }
};

template <>
struct adl_serializer<sim::TimeSeries> {
  static void to_json(json& to, const sim::TimeSeries& from);
  static void from_json(const json& from, sim::TimeSeries& to);
};

// Spelled out: clang 14 takes a struct that is nested in one that holds a map of it for one without a default
// constructor (CWG 1397).
template <>
struct adl_serializer<models::RwsemStatistics::Waits> {
  static void to_json(json& to, const models::RwsemStatistics::Waits& from) {
    to = {from.acquisitions, from.wait, from.waiting, from.longest_waiting, from.lock_wait};
  }
  static models::RwsemStatistics::Waits from_json(const json& from) {
    return {from.at(0).get<std::uint64_t>(), from.at(1).get<sim::Histogram>(), from.at(2).get<std::uint64_t>(),
            from.at(3).get<sim::Nanoseconds>(), from.at(4).get<sim::Nanoseconds>()};
  }
};

}  // namespace nlohmann

namespace sim {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TimeSeries::Bucket, min, max, last)
}  // namespace sim

namespace models {

// Lists, as there are thousands of these: with a name beside each number they were most of a result. Stores up to
// result version 11 have the names.
static const nlohmann::json& member(const nlohmann::json& from, std::size_t place, const char* name) {
  return from.is_array() ? from.at(place) : from.at(name);
}

void to_json(nlohmann::json& to, const LockBlame& from) {
  to = nlohmann::json::array(
      {from.holder, from.phase, from.mode, from.convoy, from.doing, from.cpu_taken_by, from.lock});
}

void from_json(const nlohmann::json& from, LockBlame& to) {
  member(from, 0, "holder").get_to(to.holder);
  member(from, 1, "phase").get_to(to.phase);
  member(from, 2, "mode").get_to(to.mode);
  member(from, 3, "convoy").get_to(to.convoy);
  member(from, 4, "doing").get_to(to.doing);
  member(from, 5, "cpu_taken_by").get_to(to.cpu_taken_by);
  member(from, 6, "lock").get_to(to.lock);
}

void to_json(nlohmann::json& to, const Blame& from) {
  to = nlohmann::json::array({from.count, from.causes, from.lock_waits});
}

void from_json(const nlohmann::json& from, Blame& to) {
  member(from, 0, "count").get_to(to.count);
  member(from, 1, "causes").get_to(to.causes);
  member(from, 2, "lock_waits").get_to(to.lock_waits);
}

void to_json(nlohmann::json& to, const WorstStep& from) {
  to = nlohmann::json::array({from.from, from.to, from.cause, from.lock});
}

void from_json(const nlohmann::json& from, WorstStep& to) {
  member(from, 0, "from").get_to(to.from);
  member(from, 1, "to").get_to(to.to);
  member(from, 2, "cause").get_to(to.cause);
  member(from, 3, "lock").get_to(to.lock);
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(WorstRequest, task, due, latency, phase, steps, rest)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RwsemStatistics::Holds, holder, call, mode)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RwsemStatistics::Asker, asker, phase, mode)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RwsemStatistics::OffCpu, preempted, granted)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RwsemStatistics, asked, hold, read_off_cpu, write_off_cpu, handoffs, writer_bypasses,
                                   convoys, convoy_waits, convoy_lengths, largest_convoy, queue, longest_queue,
                                   total_wait, steals, spins, handoffs_set, spin_time)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LockResult, process, mutex, statistics, vma_changed, eagain, vma_change_missed)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Watermarks, min, low, high)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ZoneCounts, free, per_cpu, inactive_anon, active_anon, inactive_file, active_file,
                                   unevictable, writeback, compressed, hugetlb, slab, children, in_flight)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ZoneSeries, free, anon, file, unevictable)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ReclaimStatistics, kswapd_wakeups, kswapd_scanned, kswapd_reclaimed, direct_scanned,
                                   direct_reclaimed, kept, activated, deactivated, culled, swapped_out, swapped_in,
                                   files_written, files_read, refaults, throttled, generations, mms_walked,
                                   mms_passed_over, futile_rounds, direct_stalls)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeviceStatistics::Direction, pages, latency)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeviceStatistics, read, write, room_waits, busy, congestions, longest_queue, queue)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GroupMemory, name, at_end, peak, scanned, reclaimed, max_events, high_events, stalls,
                                   high_sleep, out_of_memory)

// The groups are behind the rest, where there are any.
void to_json(nlohmann::json& to, const MemoryResult& from) {
  to = {{"marks", from.marks},
        {"at_end", from.at_end},
        {"allocated", from.allocated},
        {"lowest_free", from.lowest_free},
        {"swap_used", from.swap_used},
        {"reclaim", from.reclaim},
        {"device", from.device},
        {"series", from.series},
        {"kswapd_runs", from.kswapd_runs}};
  if (!from.groups.empty()) to["groups"] = from.groups;
}

void from_json(const nlohmann::json& from, MemoryResult& to) {
  from.at("marks").get_to(to.marks);
  from.at("at_end").get_to(to.at_end);
  from.at("allocated").get_to(to.allocated);
  from.at("lowest_free").get_to(to.lowest_free);
  from.at("swap_used").get_to(to.swap_used);
  from.at("reclaim").get_to(to.reclaim);
  from.at("device").get_to(to.device);
  from.at("series").get_to(to.series);
  from.at("kswapd_runs").get_to(to.kswapd_runs);
  to.groups = from.value("groups", std::vector<GroupMemory>{});
}

void to_json(nlohmann::json& to, const Samples& from) { to = {from.latency(), from.blame_by_size()}; }

void from_json(const nlohmann::json& from, Samples& to) {
  to = Samples::restore(from.at(0).get<sim::Histogram>(), from.at(1).get<std::map<int, Blame>>());
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ClassResult, name, locker, open_loop, warm_up, unfinished, cut_off, longest_cut_off,
                                   time, spin, lock_waits, involuntary_switches, during, worst, longest_warm_up, calls)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Result, scenario, policy, seed, outcome, sim_time, warm_up, cool_down, classes,
                                   locks, memory, preemptions, events, wall)

}  // namespace models

namespace nlohmann {

static std::vector<sim::TimeSeries::Bucket> buckets_of(const std::vector<std::int64_t>& numbers) {
  std::vector<sim::TimeSeries::Bucket> buckets;
  buckets.reserve(numbers.size() / 3);
  for (std::size_t at = 0; at + 2 < numbers.size(); at += 3) {
    buckets.push_back({numbers[at], numbers[at + 1], numbers[at + 2]});
  }
  return buckets;
}

// The buckets as one list of numbers: an object each was the largest part of a short run's result.
void adl_serializer<sim::TimeSeries>::to_json(json& to, const sim::TimeSeries& from) {
  std::vector<std::int64_t> numbers;
  numbers.reserve(from.buckets().size() * 3);
  for (const sim::TimeSeries::Bucket& bucket : from.buckets()) {
    numbers.insert(numbers.end(), {bucket.min, bucket.max, bucket.last});
  }
  to = {from.capacity(), from.width(), std::move(numbers)};
}

void adl_serializer<sim::TimeSeries>::from_json(const json& from, sim::TimeSeries& to) {
  const json& list = from.at(2);
  const bool of_objects = !list.empty() && list.front().is_object();  // in stores up to result version 9
  to = sim::TimeSeries::restore(from.at(0).get<std::size_t>(), from.at(1).get<sim::Nanoseconds>(),
                                of_objects ? list.get<std::vector<sim::TimeSeries::Bucket>>()
                                           : buckets_of(list.get<std::vector<std::int64_t>>()));
}

}  // namespace nlohmann

namespace experiments {

std::vector<std::uint8_t> pack(const models::Result& result) { return nlohmann::json::to_cbor(nlohmann::json(result)); }

std::string complete_text(const models::Result& result) { return nlohmann::json(result).dump(1) + "\n"; }

models::Result unpack(const std::vector<std::uint8_t>& bytes) {
  try {
    return nlohmann::json::from_cbor(bytes).get<models::Result>();
  } catch (const std::invalid_argument& error) {  // a histogram or a series that cannot be
    throw nlohmann::json::other_error::create(501, error.what(), nullptr);
  }
}

}  // namespace experiments
