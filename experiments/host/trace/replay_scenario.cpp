#include "experiments/host/trace/replay_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "experiments/base/quantity.h"
#include "experiments/scenario/recording_file.h"
#include "models/spec/threads.h"

namespace experiments {

namespace {

using Call = models::RecordedRequest::Call;
using models::Phase;

constexpr auto kPage = static_cast<std::uint64_t>(models::kPageSize);

std::uint64_t page_down(std::uint64_t address) { return address / kPage * kPage; }
std::uint64_t page_up(std::uint64_t address) { return page_down(address + kPage - 1); }

/// The call that it is replayed as: hold where it has no model.
Call call_of(const TracedRequest& request) {
  constexpr std::uint64_t kProtWrite = 2;
  constexpr std::uint64_t kDontneed = 4;
  constexpr std::uint64_t kDontneedLocked = 24;
  switch (request.phase) {
    case Phase::fault:
      return request.in_kernel ? Call::kernel_fault : Call::fault;
    case Phase::mmap:
      return Call::mmap;
    case Phase::munmap:
      return Call::munmap;
    case Phase::mprotect:
      return (request.arguments[2] & kProtWrite) == 0 ? Call::mprotect_read : Call::mprotect_write;
    case Phase::mlock:
      return request.call == "mlockall" ? Call::hold : Call::mlock;
    case Phase::munlock:
      return request.call == "munlockall" ? Call::hold : Call::munlock;
    case Phase::madvise:
      if (request.call != "madvise") return Call::hold;
      if (request.arguments[2] == kDontneed) return Call::dontneed;
      return request.arguments[2] == kDontneedLocked ? Call::dontneed_locked : Call::hold;
    default:
      return Call::hold;
  }
}

/// Whether the range of such a call is a region: it is about what is there.
bool makes_region(Call call) {
  return call == Call::mprotect_read || call == Call::mprotect_write || call == Call::mlock || call == Call::munlock ||
         call == Call::dontneed || call == Call::dontneed_locked;
}

std::string region_name(int number) { return fmt::format("area{}", number); }

/// Quantiles, each as likely as the others; nothing where there are none.
std::string noise_text(const sim::Histogram& wake_ups) {
  if (wake_ups.empty()) return {};
  std::string text = fmt::format(
      "  noise:\n"
      "    # Of who waited for mmap_lock, from being woken to running: {} in the trace.\n"
      "    wake_up: [",
      wake_ups.count());
  constexpr int kInALine = 12;
  for (int each = 0; each < ReplayScenario::kWakeUps; ++each) {
    if (each > 0) text += each % kInALine == 0 ? ",\n              " : ", ";
    text += spell(wake_ups.value_at((each + 0.5) / ReplayScenario::kWakeUps));
  }
  return text + "]\n";
}

/// All but the processes. `memory`: bytes of all regions.
std::string scenario_head(const ReplayOptions& options, std::uint64_t memory) {
  constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30U;
  constexpr std::uint64_t kSpare = 4;
  return fmt::format(
      "# Made by `mlocksim import` of {}: what its threads asked of mmap_lock, repeated.\n"
      "# Costs are those of `machine`: `mlocksim calibrate` on the machine that was recorded makes one of it.\n"
      "schema: mlocksim/1\n"
      "name: {}\n"
      "about: Replays a trace of {} CPUs under its own kernel; other policies tell what they would have changed.\n"
      "machine:\n"
      "  from: machines/epyc-zen4-linux-6.18\n"
      "  cpus: {}\n"
      "{}"
      "memory: {{size: {}GiB, pressure: none}}\n"
      "policy: {}\n"
      "seed: 1\n"
      "processes:\n",
      replayed_name(options.source), replayed_name(options.name), options.cpus, options.cpus,
      noise_text(options.wake_ups), kSpare + 2 * memory / kGibibyte, options.policy);
}

std::string unique_name(const std::string& name, std::set<std::string>& taken) {
  std::string unique = name;
  for (int number = 2; !taken.insert(unique).second; ++number) unique = fmt::format("{}-{}", name, number);
  return unique;
}

}  // namespace

std::string replayed_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '_' && c != '-' && c != '.'; }, '-');
  return name.empty() ? "unnamed" : name;
}

void ReplayScenario::add(const EndedRequest& ended) {
  const TracedRequest& request = ended.request;
  if (ended.mm == 0) return;
  if (rows_.size() == kMostRequests) {
    ++left_out_;
    return;
  }
  const bool held = request.write_hold + request.read_hold > sim::Nanoseconds{0};
  const bool fault = request.phase == Phase::fault;
  Row row{.mm = ended.mm,
          .address = 0,
          .size = 0,
          .due = request.due,
          .end = ended.end,
          .write_hold = request.write_hold,
          .read_hold = request.read_hold,
          .tid = ended.thread.tid,
          .id = ended.thread.id,
          .call = Call::hold,
          .asks_again = request.asks_again,
          .wake_ups = request.wake_ups};
  const Call call = as_holds_ ? Call::hold : call_of(request);
  if (call != Call::hold && (fault || held)) {
    const std::uint64_t start = fault ? request.address : call == Call::mmap ? ended.returned : request.arguments[0];
    row.address = page_down(start);
    row.size = fault ? kPage : page_up(start + request.arguments[1]) - row.address;
    if (row.size > 0 && row.size <= static_cast<std::uint64_t>(kLargestSize.count())) row.call = call;
  }
  if (row.call == Call::hold && !held) return;
  rows_.push_back(row);
}

// What overlaps is one region; what was mapped around it belongs to it.
ReplayScenario::RegionsByMm ReplayScenario::regions() const {
  RegionsByMm cores;
  for (const Row& row : rows_) {
    if (makes_region(row.call)) cores[row.mm].join(row.address, row.address + row.size);
  }
  RegionsByMm all = cores;
  for (const Row& row : rows_) {
    if (row.call != Call::mmap && row.call != Call::munmap) continue;
    const auto core = cores.find(row.mm);
    if (core == cores.end() || !core->second.overlap(row.address, row.address + row.size)) continue;
    all[row.mm].join(row.address, row.address + row.size);
  }
  return all;
}

const AddressRanges& ReplayScenario::regions_of(std::uint64_t mm, const RegionsByMm& regions) {
  static const AddressRanges kNone;
  const auto found = regions.find(mm);
  return found == regions.end() ? kNone : found->second;
}

// Those of the regions, by where they start, that were mapped before anything else came to them.
std::set<std::uint64_t> ReplayScenario::mapped_later(std::uint64_t mm, const AddressRanges& regions) const {
  std::set<std::uint64_t> seen;
  std::set<std::uint64_t> mapped;
  for (const Row& row : rows_) {
    if (row.mm != mm || row.size == 0) continue;
    const auto region = regions.around(row.address, row.address + row.size);
    if (region && seen.insert(region->start).second && row.call == Call::mmap) mapped.insert(region->start);
  }
  return mapped;
}

models::RecordedRequest ReplayScenario::request_of(const Row& row, const AddressRanges& regions) const {
  models::RecordedRequest request;
  request.due = row.due.time_since_epoch();
  request.write_hold = row.write_hold;
  request.read_hold = row.read_hold;
  request.call = row.call;
  request.wake_ups = row.wake_ups;
  if (row.call == Call::hold) {
    if (row.asks_again) request.call = Call::hold_twice;
    return request;
  }
  request.size = models::Bytes(static_cast<std::int64_t>(row.size));
  const auto region = regions.around(row.address, row.address + row.size);
  if (!region) return request;
  const auto place = regions.all().find(region->start);
  request.region = static_cast<std::int32_t>(std::distance(regions.all().begin(), place));
  request.offset = models::Bytes(static_cast<std::int64_t>(row.address - region->start));
  return request;
}

// Each thread's requests in its class, with what it thought between them.
std::map<std::uint64_t, ReplayScenario::ReplayedProcess> ReplayScenario::recordings(
    const RegionsByMm& regions, const std::map<std::uint64_t, std::string>& processes) const {
  std::map<std::uint64_t, ReplayedProcess> all;
  for (const Row& row : rows_) {
    if (!processes.contains(row.mm)) continue;
    ReplayedClass& each = all[row.mm][row.id];
    const auto number = static_cast<std::int32_t>(each.threads.size());
    ReplayedThread& thread = each.threads.try_emplace(row.tid, ReplayedThread{number, {}}).first->second;
    models::RecordedRequest request = request_of(row, regions_of(row.mm, regions));
    request.thread = thread.number;
    request.think = std::max(row.due - thread.end, sim::Nanoseconds{0});
    thread.end = std::max(thread.end, row.end);
    each.recording.push_back(request);
  }
  return all;
}

std::string ReplayScenario::regions_text(std::uint64_t mm, const AddressRanges& ranges) const {
  if (ranges.all().empty()) return "";
  const std::set<std::uint64_t> absent = mapped_later(mm, ranges);
  std::string text = "    regions:\n";
  int number = 0;
  for (const auto& [start, end] : ranges.all()) {
    text += fmt::format("      {}: {{size: {}, kind: anon, pages: {}}}\n", region_name(++number),
                        spell(models::Bytes(static_cast<std::int64_t>(end - start))),
                        absent.contains(start) ? "absent" : "resident");
  }
  return text;
}

std::map<std::string, std::string> ReplayScenario::files(const ReplayOptions& options,
                                                         const std::vector<std::string>& names,
                                                         const std::map<std::uint64_t, std::string>& processes) {
  std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.due < b.due; });
  const RegionsByMm regions_by_mm = regions();
  std::map<std::string, std::string> files;
  std::set<std::string> taken;
  std::string text;
  std::uint64_t memory = 0;
  for (const auto& [mm, classes] : recordings(regions_by_mm, processes)) {
    const AddressRanges& ranges = regions_of(mm, regions_by_mm);
    models::ReplaySpec replay;
    for (const auto& [start, end] : ranges.all()) {
      memory += end - start;
      replay.regions.push_back(region_name(static_cast<int>(replay.regions.size()) + 1));
    }
    text += fmt::format("  - name: {}\n{}    threads:\n", replayed_name(processes.at(mm)), regions_text(mm, ranges));
    for (const auto& [id, each] : classes) {
      const std::string name = unique_name(replayed_name(names[static_cast<std::size_t>(id)]), taken);
      replay.recording = std::make_shared<const models::Recording>(each.recording);
      files[name + ".recording"] = recording_text(replay);
      text +=
          fmt::format("      {}: {{run: replay, count: {}, replay: {}.recording}}\n", name, each.threads.size(), name);
    }
  }
  files[kScenarioFile] = scenario_head(options, memory) + text;
  return files;
}

}  // namespace experiments
