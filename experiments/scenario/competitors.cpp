#include "experiments/scenario/competitors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/scenario/locker_file.h"
#include "experiments/scenario/recording_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"
#include "models/spec/page.h"

namespace experiments {

namespace {

models::Arrival read_arrival(YamlMap& thread) {
  const auto closed = thread.find("closed");
  const auto open = thread.find("open");
  if (!closed && !open) thread.refuse("expected `closed: {think: DISTRIBUTION}` or `open: {every: DISTRIBUTION}`");
  if (closed && open) refuse_both(*closed, *open);
  models::ClosedLoop closed_loop;
  if (closed) {
    YamlMap map = closed->map("a map such as {think: exponential 50us}");
    assign(closed_loop.think, map.require("think"), distribution_of);
    assign(closed_loop.compute, map.find("compute"), distribution_of);
    map.refuse_unknown();
  }
  if (!open) return closed_loop;
  models::OpenLoop open_loop;
  YamlMap map = open->map("a map such as {every: exponential 100us}");
  assign(open_loop.every, map.require("every"), inter_arrival_of);
  map.refuse_unknown();
  return open_loop;
}

/// The region that `field` names, or null.
const models::RegionSpec* region_of(const std::optional<YamlField>& field, const Regions& regions) {
  return one_named(field, regions, "a region of this process");
}

/// Where write-back is under way pages are known by their addresses: they do not move.
constexpr const char* kNoMovesOfWrittenFiles =
    "a region without `written: true`: moving a file that is being written back is not modelled";

/// Why mremap cannot move a region as a whole; null if it can.
const char* why_unmovable(const models::RegionSpec& region) {
  using Kind = models::RegionSpec::Kind;
  if (region.kind == Kind::hugetlb || region.kind == Kind::io) return "a region that is neither hugetlb nor io";
  if (region.written) return kNoMovesOfWrittenFiles;
  return region.vmas > 1 ? "a region of one VMA: mremap moves no more" : nullptr;
}

/// A piece of the region has to be in it, and mremap to be able to move it.
void refuse_impossible_steps(const YamlField& field, const std::vector<models::ScriptStep>& script,
                             const models::RegionSpec& region) {
  if (script.empty()) return;
  const auto items = field.items("a list of steps");
  const char* const unmovable = why_unmovable(region);
  for (std::size_t index = 0; items.size() == script.size() && index < items.size(); ++index) {
    const auto& at = script[index].at;
    if (at && *at >= region.size) {
      items[index].refuse_expecting(fmt::format("a place within the region's {}", spell(region.size)));
    } else if (models::is_mremap(script[index].call) && unmovable != nullptr) {
      items[index].refuse_expecting(fmt::format("another step, or {}", unmovable));
    }
  }
}

models::LockerSpec read_locker(YamlMap& thread, const Regions& regions, Targets&) {
  models::LockerSpec locker;
  const auto* region = region_of(thread.require("region"), regions);
  if (region != nullptr) locker.region = region->name;
  const auto script = thread.require("script");
  assign(locker.script, script, script_of);
  if (region != nullptr && script) refuse_impossible_steps(*script, locker.script, *region);
  const auto repeat = thread.find("repeat");
  assign(locker.repeat, repeat, count_up_to(std::numeric_limits<int>::max()));
  const bool exits = !locker.script.empty() && locker.script.back().call == models::ScriptStep::Call::exit;
  if (exits && locker.repeat > 1) repeat->refuse_expecting("1, as the script ends with exit");
  return locker;
}

models::FaulterSpec read_faulter(YamlMap& thread, const Regions& regions, Targets&) {
  models::FaulterSpec faulter;
  if (const auto field = thread.find("region")) {
    if (const auto* region = region_of(field, regions)) faulter.region = region->name;
  }
  using models::FaultMode;
  assign(faulter.by, thread.find("by"), [](const YamlField& field) {
    return choice_of<FaultMode>(field, {{"user", FaultMode::user}, {"kernel", FaultMode::kernel}});
  });
  const auto touch = thread.find("touch");
  assign(faulter.touch, touch, truth_of);
  faulter.arrival = read_arrival(thread);
  if (!faulter.touch) return faulter;
  if (!thread.find("region")) touch->refuse("what it touches are the pages of a region: expected `region`, too");
  if (const auto* closed = std::get_if<models::ClosedLoop>(&faulter.arrival)) {
    if (closed->think.mean() + closed->compute.mean() > 0) return faulter;
    touch->refuse("a touch that is no fault takes no time: expected `think` or `compute` above 0");
  }
  return faulter;
}

std::optional<models::Advice> advice_of(const YamlField& field) {
  using models::Advice;
  return choice_of<Advice>(field, {{"normal", Advice::normal},
                                   {"random", Advice::random},
                                   {"sequential", Advice::sequential},
                                   {"dontfork", Advice::dontfork},
                                   {"dofork", Advice::dofork},
                                   {"willneed", Advice::willneed},
                                   {"dontneed", Advice::dontneed},
                                   {"dontneed_locked", Advice::dontneed_locked},
                                   {"populate_read", Advice::populate_read},
                                   {"populate_write", Advice::populate_write},
                                   {"free", Advice::free},
                                   {"cold", Advice::cold},
                                   {"pageout", Advice::pageout},
                                   {"remove", Advice::remove},
                                   {"hugepage", Advice::hugepage},
                                   {"nohugepage", Advice::nohugepage},
                                   {"collapse", Advice::collapse}});
}

/// Advice that the kernel would refuse for every page of `region` is a mistake in the scenario.
void refuse_senseless(const YamlField& advice, models::Advice given, const models::RegionSpec& region) {
  using Kind = models::RegionSpec::Kind;
  if (given == models::Advice::willneed && region.kind != Kind::file) {
    advice.refuse_expecting("another advice: only files are read ahead, and the region is of another kind");
  }
  const bool of_thp =
      given == models::Advice::hugepage || given == models::Advice::nohugepage || given == models::Advice::collapse;
  if (of_thp && region.kind == Kind::shmem) {
    advice.refuse_expecting("another advice: huge pages of shared memory are not modelled");
  } else if (of_thp && region.kind != Kind::anon) {
    advice.refuse_expecting("another advice: only anonymous memory has transparent huge pages");
  }
  if (given == models::Advice::populate_write && region.kind == Kind::file && !region.written) {
    advice.refuse_expecting(
        "populate_read, as the file is mapped to be read (the region's `written: true` changes that)");
  }
  if (given == models::Advice::remove && region.kind != Kind::shmem) {
    advice.refuse_expecting("another advice: only shared memory (kind: shmem) has pages to take out of a file");
  }
  if (given == models::Advice::free && (region.kind == Kind::file || region.kind == Kind::shmem)) {
    advice.refuse_expecting("cold, pageout or dontneed: only anonymous pages can be freed lazily");
  }
}

void refuse_larger(const std::optional<YamlField>& size, models::Bytes bytes, const models::RegionSpec& region) {
  if (size && bytes > region.size) size->refuse_expecting(fmt::format("at most the region's {}", spell(region.size)));
}

std::optional<models::Visits::Place> place_of(const YamlField& field) {
  using Place = models::Visits::Place;
  return choice_of<Place>(field, {{"in_turn", Place::in_turn}, {"random", Place::random}, {"start", Place::start}});
}

/// Threads that share a region need a piece each.
void refuse_thin_shares(YamlMap& thread, const YamlField& share, models::Bytes size, const models::RegionSpec& region) {
  int count = 1;
  assign(count, thread.find("count"), number_up_to(std::numeric_limits<int>::max()));
  if (size.count() <= region.size.count() / std::max(count, 1)) return;
  share.refuse_expecting(
      fmt::format("all: {} threads have less than {} each of the region's {}", count, spell(size), spell(region.size)));
}

/// Where in `region` a thread makes its calls, of `size` each. Without a word about it: in turn if `once`, else as
/// `visits` is.
void read_visits(YamlMap& thread, models::Visits& visits, models::Bytes size, const models::RegionSpec* region) {
  using Place = models::Visits::Place;
  assign(visits.once, thread.find("once"), truth_of);
  if (visits.once) visits.place = Place::in_turn;
  const auto place = thread.find("place");
  assign(visits.place, place, place_of);
  if (visits.once && visits.place != Place::in_turn) {
    place->refuse_expecting("in_turn: `once` goes through the region from its start to its end");
  }
  const auto share = thread.find("share");
  assign(visits.share_each, share, [](const YamlField& field) {
    return choice_of<bool>(field, {{"all", false}, {"each", true}});
  });
  if (visits.share_each && region != nullptr) refuse_thin_shares(thread, *share, size, *region);
}

/// A madviser, a protector or one that calls mincore or msync: `size` of `region` at a time.
template <typename Spec>
Spec read_region_caller(YamlMap& thread, const Regions& regions, Targets&) {
  Spec spec;
  const auto* region = region_of(thread.require("region"), regions);
  const auto size = thread.find("size");
  assign(spec.size, size, whole_pages_of);
  if (region != nullptr) {
    spec.region = region->name;
    refuse_larger(size, spec.size, *region);
  }
  if constexpr (requires { spec.visits; }) read_visits(thread, spec.visits, spec.size, region);
  spec.arrival = read_arrival(thread);
  return spec;
}

models::MadviserSpec read_own_madviser(YamlMap& thread, const Regions& regions, Targets& targets) {
  auto madviser = read_region_caller<models::MadviserSpec>(thread, regions, targets);
  const auto advice = thread.find("advice");
  assign(madviser.advice, advice, advice_of);
  const auto* const region = find_region(regions, madviser.region);
  if (advice && region != nullptr) refuse_senseless(*advice, madviser.advice, *region);
  return madviser;
}

/// One that gives advice on memory of another process.
models::MadviserSpec read_outside_madviser(YamlMap& thread, const YamlField& target, Targets& targets) {
  models::MadviserSpec madviser;
  assign(madviser.target, target, name_of);
  const auto name = thread.require("region", ": of the process `target`");
  assign(madviser.region, name, name_of);
  const auto size = thread.find("size");
  assign(madviser.size, size, whole_pages_of);
  read_visits(thread, madviser.visits, madviser.size, nullptr);
  const auto share = thread.find("share");
  if (madviser.visits.share_each) share->refuse_expecting("all: the region is another process's");
  const auto advice = thread.require("advice", ": cold, pageout, willneed or collapse");
  assign(madviser.advice, advice, advice_of);
  if (advice && !can_come_from_outside(madviser.advice)) {
    advice->refuse_expecting("cold, pageout, willneed or collapse: process_madvise takes no other from outside");
  }
  madviser.arrival = read_arrival(thread);
  if (!name || !advice || madviser.target.empty() || madviser.region.empty()) return madviser;
  targets.add_region(target, *name,
                     [=, given = madviser.advice, bytes = madviser.size](const models::RegionSpec& region) {
                       refuse_larger(size, bytes, region);
                       refuse_senseless(*advice, given, region);
                     });
  return madviser;
}

models::MadviserSpec read_madviser(YamlMap& thread, const Regions& regions, Targets& targets) {
  const auto target = thread.find("target");
  return target ? read_outside_madviser(thread, *target, targets) : read_own_madviser(thread, regions, targets);
}

/// Those of `kinds` cannot do what the thread does: the kernel refuses it, or it is not modelled.
void refuse_kinds(YamlMap& thread, const models::RegionSpec* region,
                  std::initializer_list<models::RegionSpec::Kind> kinds, const char* expected) {
  if (region != nullptr && std::find(kinds.begin(), kinds.end(), region->kind) != kinds.end())
    thread.find("region")->refuse_expecting(expected);
}

models::MoverSpec read_mover(YamlMap& thread, const Regions& regions, Targets& targets) {
  auto mover = read_region_caller<models::MoverSpec>(thread, regions, targets);
  assign(mover.aligned, thread.find("aligned"), truth_of);
  using Kind = models::RegionSpec::Kind;
  const auto* const region = find_region(regions, mover.region);
  refuse_kinds(thread, region, {Kind::hugetlb, Kind::io}, "a region that is neither hugetlb nor io");
  if (region == nullptr) return mover;
  if (region->written) thread.find("region")->refuse_expecting(kNoMovesOfWrittenFiles);
  const models::PageCount first_vma(models::pages_of(region->size).count() / region->vmas);
  if (models::pages_of(mover.size) > first_vma) {
    thread.refuse(fmt::format("mremap moves pages of one VMA, and the first of the region has {}",
                              spell(models::bytes_of(first_vma))));
  }
  return mover;
}

models::PinnerSpec read_pinner(YamlMap& thread, const Regions& regions, Targets& targets) {
  using By = models::PinnerSpec::By;
  auto pinner = read_region_caller<models::PinnerSpec>(thread, regions, targets);
  assign(pinner.by, thread.find("by"), [](const YamlField& field) {
    return choice_of<By>(field, {{"rdma", By::rdma}, {"io_uring", By::io_uring}, {"vfio", By::vfio}});
  });
  assign(pinner.unpin, thread.find("unpin"), truth_of);
  refuse_kinds(thread, find_region(regions, pinner.region), {models::RegionSpec::Kind::io},
               "a region of memory: pages of I/O cannot be pinned");
  const auto* const region = find_region(regions, pinner.region);
  if (region != nullptr && region->written) {  // writable_file_mapping_allowed, 6.5
    thread.find("region")->refuse_expecting(
        "a region without `written: true`: the kernel pins no file for long to write");
  }
  return pinner;
}

models::GetMempolicySpec read_get_mempolicy(YamlMap& thread, const Regions& regions, Targets&) {
  models::GetMempolicySpec caller;
  if (const auto* region = region_of(thread.require("region"), regions)) caller.region = region->name;
  assign(caller.node, thread.find("node"), truth_of);
  caller.arrival = read_arrival(thread);
  return caller;
}

models::ForkerSpec read_forker(YamlMap& thread, const Regions&, Targets&) {
  models::ForkerSpec forker;
  assign(forker.vfork, thread.find("vfork"), truth_of);
  const auto child = thread.find("child");
  if (child) forker.child = inter_arrival_of(*child);
  if (child && forker.vfork) child->refuse("a child of vfork borrows the address space and execs: expected no `child`");
  forker.arrival = read_arrival(thread);
  return forker;
}

/// Each request has to be about what there is.
void refuse_impossible_requests(const YamlField& file, const models::ReplaySpec& replay, const Regions& regions) {
  std::vector<const models::RegionSpec*> named;
  for (const std::string& name : replay.regions) {
    named.push_back(find_region(regions, name));
    if (named.back() != nullptr) continue;
    return file.refuse(
        fmt::format("the recording has requests on '{}': expected a region of this process of that name{}", name,
                    did_you_mean(name, names_of(regions))));
  }
  for (const models::RecordedRequest& request : *replay.recording) {
    if (request.region < 0) continue;
    const models::RegionSpec& region = *named[static_cast<std::size_t>(request.region)];
    if (region.kind != models::RegionSpec::Kind::anon) {
      return file.refuse(fmt::format("the recording has requests on '{}': expected an anonymous region", region.name));
    }
    if (request.offset.count() + request.size.count() <= region.size.count()) continue;
    return file.refuse(fmt::format("the recording has a {} of {} at {} of '{}', which has {}", to_string(request.call),
                                   spell(request.size), spell(request.offset), region.name, spell(region.size)));
  }
}

models::ReplaySpec read_replay(YamlMap& thread, const Regions& regions, Targets&) {
  models::ReplaySpec replay;
  const auto file = thread.require("replay", ": the file of a recording, as of `mlocksim import`");
  const auto read = [&](const YamlField& field) {
    return field.parsed([&](const std::string& name) { return read_recording(field.folder() / name); },
                        "the file of a recording");
  };
  assign(replay, file, read);
  if (file) refuse_impossible_requests(*file, replay, regions);
  return replay;
}

models::BusySpec read_busy(YamlMap& thread, const Regions&, Targets&) {
  models::BusySpec busy;
  const auto sleep = thread.find("sleep");
  assign(busy.spin, sleep ? thread.require("spin", ": what it does between two sleeps") : thread.find("spin"),
         inter_arrival_of);
  if (sleep) busy.sleep = distribution_of(*sleep);
  return busy;
}

models::MapperSpec read_mapper(YamlMap& thread, const Regions& regions, Targets&) {
  models::MapperSpec mapper;
  const auto size = thread.find("size");
  assign(mapper.size, size, whole_pages_of);
  if (const auto field = thread.find("region")) {
    const auto* region = region_of(field, regions);
    if (region != nullptr) {
      mapper.region = region->name;
      refuse_larger(size, mapper.size, *region);
    }
    read_visits(thread, mapper.visits, mapper.size, region);
    refuse_kinds(thread, region, {models::RegionSpec::Kind::hugetlb},
                 "a region that is not hugetlb: what is mapped over it would be small pages");
  }
  assign(mapper.populate, thread.find("populate"), truth_of);
  mapper.arrival = read_arrival(thread);
  return mapper;
}

models::ProcReaderSpec read_proc_reader(YamlMap& map, const Regions&, Targets& targets) {
  using File = models::ProcReaderSpec::File;
  models::ProcReaderSpec reader;
  const auto proc_file_of = [](const YamlField& field) {
    return choice_of<File>(field,
                           {{"cmdline", File::cmdline},
                            {"maps", File::maps},
                            {"smaps", File::smaps},
                            {"smaps_rollup", File::smaps_rollup},
                            {"numa_maps", File::numa_maps},
                            {"clear_refs", File::clear_refs},
                            {"pagemap", File::pagemap}},
                           {"environ"});
  };
  assign(reader.file, map.find("file"), proc_file_of);
  const auto target = map.require("target");
  assign(reader.target, target, name_of);
  if (!reader.target.empty()) targets.add(*target);
  reader.arrival = read_arrival(map);
  const auto new_process = map.find("new_process");
  assign(reader.new_process, new_process, truth_of);
  if (reader.new_process && std::holds_alternative<models::OpenLoop>(reader.arrival)) {
    new_process->refuse("a shell starts the next process when the last one has ended: expected `closed`");
  }
  return reader;
}

models::RemoteReaderSpec read_remote_reader(YamlMap& map, const Regions&, Targets& targets) {
  models::RemoteReaderSpec reader;
  const auto target = map.require("target");
  assign(reader.target, target, name_of);
  if (!reader.target.empty()) targets.add_with_region(*target);
  int pages = 1;
  assign(pages, map.find("pages"), count_up_to(std::numeric_limits<int>::max()));
  reader.pages = models::PageCount(pages);
  reader.arrival = read_arrival(map);
  return reader;
}

/// The process whose address space it works on; empty: its own.
std::string read_target_if_said(YamlMap& map, Targets& targets) {
  std::string name;
  const auto target = map.find("target");
  assign(name, target, name_of);
  if (!name.empty()) targets.add(*target);
  return name;
}

models::HolderSpec read_holder(YamlMap& map, const Regions&, Targets& targets) {
  using Mode = models::HolderSpec::Mode;
  using Yields = models::HolderSpec::Yields;
  models::HolderSpec holder;
  holder.target = read_target_if_said(map, targets);
  assign(holder.mode, map.find("mode"), [](const YamlField& field) {
    return choice_of<Mode>(field, {{"read", Mode::read}, {"write", Mode::write}});
  });
  assign(holder.hold, map.require("hold", ": how long it has mmap_sem each time"), distribution_of);
  assign(holder.yields, map.find("yields"), [](const YamlField& field) {
    return choice_of<Yields>(field, {{"never", Yields::never}, {"cpu", Yields::cpu}, {"lock", Yields::lock}});
  });
  const auto every = map.find("every");
  if (!every) {
    holder.arrival = read_arrival(map);
    return holder;
  }
  for (const char* other : {"closed", "open"}) {
    if (const auto twice = map.find(other)) refuse_both(*every, *twice);
  }
  models::OpenLoop open;
  assign(open.every, every, inter_arrival_of);
  holder.arrival = open;
  return holder;
}

/// As the kernel does it by default, or as it says.
template <class Spec>
Spec read_kernel_thread(YamlMap& map, Targets& targets) {
  Spec spec;
  spec.target = read_target_if_said(map, targets);
  if (map.find("closed") || map.find("open")) spec.arrival = read_arrival(map);
  return spec;
}

models::KhugepagedSpec read_khugepaged(YamlMap& map, const Regions&, Targets& targets) {
  auto khugepaged = read_kernel_thread<models::KhugepagedSpec>(map, targets);
  auto pages_to_scan = static_cast<int>(khugepaged.pages_to_scan.count());
  auto max_ptes_none = static_cast<int>(khugepaged.max_ptes_none.count());
  assign(pages_to_scan, map.find("pages_to_scan"), count_up_to(std::numeric_limits<int>::max()));
  assign(max_ptes_none, map.find("max_ptes_none"),
         number_up_to(static_cast<int>(models::pages_of_order(models::kPmdOrder).count()) - 1));
  khugepaged.pages_to_scan = models::PageCount(pages_to_scan);
  khugepaged.max_ptes_none = models::PageCount(max_ptes_none);
  return khugepaged;
}

models::NumaBalancingSpec read_numa_balancing(YamlMap& map, const Regions&, Targets& targets) {
  auto balancing = read_kernel_thread<models::NumaBalancingSpec>(map, targets);
  assign(balancing.scan_size, map.find("scan_size"), whole_pages_of);
  assign(balancing.hinting_faults, map.find("hinting_faults"), truth_of);
  return balancing;
}

models::KsmSpec read_ksm(YamlMap& map, const Regions&, Targets& targets) {
  auto ksm = read_kernel_thread<models::KsmSpec>(map, targets);
  auto pages_to_scan = static_cast<int>(ksm.pages_to_scan.count());
  assign(pages_to_scan, map.find("pages_to_scan"), count_up_to(std::numeric_limits<int>::max()));
  ksm.pages_to_scan = models::PageCount(pages_to_scan);
  assign(ksm.page, map.find("page"), distribution_of);
  return ksm;
}

/// Only anonymous memory is filled in, in pieces that it has room for.
void refuse_unfillable(const YamlField& name, const std::optional<YamlField>& size, models::Bytes bytes,
                       const models::RegionSpec& region) {
  if (region.kind != models::RegionSpec::Kind::anon) name.refuse_expecting("an anonymous region (kind: anon)");
  refuse_larger(size, bytes, region);
}

models::UserfaultSpec read_userfault(YamlMap& map, const Regions& regions, Targets& targets) {
  models::UserfaultSpec monitor;
  const auto target = map.find("target");
  if (target) assign(monitor.target, target, name_of);
  const auto name = map.require("region", ": what it fills in");
  assign(monitor.region, name, name_of);
  const auto size = map.find("size");
  assign(monitor.size, size, whole_pages_of);
  assign(monitor.fetch, map.find("fetch"), distribution_of);
  if (const auto push = map.find("push")) monitor.push = inter_arrival_of(*push);
  const auto from = map.find("move_from");
  assign(monitor.move_from, from, name_of);
  if (name && from && monitor.move_from == monitor.region) from->refuse_expecting("another region than it fills in");
  const auto check_with = [&](const std::optional<YamlField>& field, const Targets::RegionCheck& check) {
    if (!field || (target && (monitor.target.empty() || monitor.region.empty()))) return;
    if (target) return targets.add_region(*target, *field, check);
    if (const auto* const region = region_of(field, regions)) check(*region);
  };
  check_with(name, [=, bytes = monitor.size](const models::RegionSpec& region) {
    refuse_unfillable(*name, size, bytes, region);
    if (from && region.touched_every)
      name->refuse_expecting("a region without touched_every: its pages are told apart");
  });
  check_with(from, [=](const models::RegionSpec& region) {
    if (region.kind != models::RegionSpec::Kind::anon) from->refuse_expecting("an anonymous region (kind: anon)");
    if (region.touched_every) from->refuse_expecting("a region without touched_every: its pages are told apart");
  });
  return monitor;
}

/// As one that any kind of thread can come from.
template <auto kRead>
models::Competitor read_as(YamlMap& thread, const Regions& regions, Targets& targets) {
  return kRead(thread, regions, targets);
}

/// The one of that name; null without a diagnostic.
const models::ProcessSpec* process_of(const YamlField& target, const std::vector<models::ProcessSpec>& processes) {
  const auto found = std::find_if(processes.begin(), processes.end(), [&](const models::ProcessSpec& process) {
    return process.name == target.node().scalar;
  });
  return found == processes.end() ? nullptr : &*found;
}

/// What `run:` may say, and who reads the keys that go with it.
const Choices<CompetitorReader>& kinds() {
  static const Choices<CompetitorReader> kinds = {
      {"locker", read_as<read_locker>},
      {"faulter", read_as<read_faulter>},
      {"proc_reader", read_as<read_proc_reader>},
      {"mapper", read_as<read_mapper>},
      {"recycler", read_as<read_region_caller<models::MadviserSpec>>},
      {"madviser", read_as<read_madviser>},
      {"mincore", read_as<read_region_caller<models::MincoreSpec>>},
      {"get_mempolicy", read_as<read_get_mempolicy>},
      {"protector", read_as<read_region_caller<models::ProtectorSpec>>},
      {"forker", read_as<read_forker>},
      {"remote_reader", read_as<read_remote_reader>},
      {"mover", read_as<read_mover>},
      {"pinner", read_as<read_pinner>},
      {"msync", read_as<read_region_caller<models::MsyncSpec>>},
      {"holder", read_as<read_holder>},
      {"khugepaged", read_as<read_khugepaged>},
      {"numa_balancing", read_as<read_numa_balancing>},
      {"ksm", read_as<read_ksm>},
      {"userfaultfd", read_as<read_userfault>},
      {"replay", read_as<read_replay>},
      {"busy", read_as<read_busy>},
  };
  return kinds;
}

}  // namespace

void Targets::add(YamlField target) { named_.push_back(std::move(target)); }

void Targets::add_with_region(YamlField target) {
  read_.push_back(target);
  add(std::move(target));
}

void Targets::add_region(const YamlField& target, YamlField region, RegionCheck check) {
  add(target);
  regions_.push_back({target, std::move(region), std::move(check)});
}

void Targets::check_regions(const std::vector<models::ProcessSpec>& processes) const {
  for (const NamedRegion& each : regions_) {
    const models::ProcessSpec* const process = process_of(each.target, processes);
    if (process == nullptr) continue;  // told by check()
    const auto* const region = one_named(each.region, process->regions, "a region of the process `target`");
    if (region != nullptr) each.check(*region);
  }
}

void Targets::check(const std::vector<models::ProcessSpec>& processes) const {
  check_regions(processes);
  for (const YamlField& target : read_) {
    const models::ProcessSpec* const process = process_of(target, processes);
    if (process != nullptr && process->regions.empty()) {
      target.refuse_expecting("a process with a region to read from");
    }
  }
  for (const YamlField& target : named_) (void)one_named(target, processes, "the name of a process");
}

std::optional<CompetitorReader> competitor_reader(const YamlField& run) { return choice_of(run, kinds()); }

}  // namespace experiments
