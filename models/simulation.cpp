#include "models/simulation.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "models/kernel.h"
#include "models/mm/mm.h"
#include "models/mm/mmap_lock.h"
#include "models/mm/page_writeback.h"
#include "models/mm/rmap.h"
#include "models/mm/vmscan.h"
#include "models/sched/interruptions.h"
#include "models/spec/competitors.h"
#include "models/task.h"
#include "models/workload/background.h"
#include "models/workload/competitors.h"

namespace models {

namespace {

// A process with what its threads need to find.
struct Process {
  Process(const ProcessSpec& spec, Kernel& kernel, Thp thp, std::uint64_t seed)
      : mm(spec.name, kernel.costs, kernel.policy.rwsem, kernel.cpus.spec().tick, seed) {
    mm.memcg = memcg_of(kernel, spec.group);
    mm.anon_owner = kernel.zone.add_owner({.mm = &mm, .group = mm.memcg});
    mm.cap_ipc_lock = spec.cap_ipc_lock;
    mm.rlimit_memlock = spec.rlimit_memlock;
    for (const RegionSpec& region : spec.regions) {
      const Region mapped = region_at(region, place_of(region, spec.regions), thp);
      add_region(mapped, region);
      set_owner(kernel, region, mapped);
      set_up_pages(kernel, region, mapped);
      set_up_anon_vma(region, mapped);
      if (!region.beside.empty()) merge(mapped);
    }
  }

  static Lruvec memcg_of(const Kernel& kernel, int group) {
    const auto found = std::find_if(kernel.memcgs.begin(), kernel.memcgs.end(),
                                    [&](const MemCgroup& each) { return each.group == group; });
    return found == kernel.memcgs.end() ? 0 : found->lruvec;
  }

  // A region and those behind it have their place together.
  static PageCount size_with_those_beside(const RegionSpec& region, const std::vector<RegionSpec>& all) {
    PageCount size = pages_of(region.size);
    for (const RegionSpec& other : all) {
      if (other.beside == region.name) size += size_with_those_beside(other, all);
    }
    return size;
  }

  PageIndex place_of(const RegionSpec& region, const std::vector<RegionSpec>& all) {
    // Whatever its pages are at the start: advice may change that.
    const bool may_be_huge = pages_of(region.size) >= kPagesPerTable;
    const int alignment = std::max(region.folio_order.value_or(0), may_be_huge ? kPmdOrder : 0);
    if (region.beside.empty()) return mm.get_unmapped_area(size_with_those_beside(region, all), alignment);
    const Region& other = regions.at(region.beside);
    return other.start + other.pages;
  }

  // As mmap would have: with those of the same flags beside it one VMA.
  void merge(const Region& region) {
    const VmaPointer vma = mm.find_vma(region.start);
    (void)mm.vma_merge(vma, vma->start, vma->end, vma->flags);
  }

  void add_region(const Region& region, const RegionSpec& spec) {
    for (int index = 0; index < region.vmas; ++index) {
      const RegionPiece piece = piece_of(region, index);
      mm.insert_vma(piece.start, piece.end, piece.flags)->flags.locked = spec.locked;
    }
    if (spec.locked) mm.locked_vm += region.pages;
    if (regions.empty()) first_region = region;
    regions.emplace(spec.name, region);
  }

  // Reclaim tells the pages of a region from others that are touched more often, or have a file.
  void set_owner(Kernel& kernel, const RegionSpec& spec, const Region& region) {
    const bool file = spec.kind == RegionSpec::Kind::file;
    const bool shmem = spec.kind == RegionSpec::Kind::shmem;
    const bool hugetlb = spec.kind == RegionSpec::Kind::hugetlb;
    if (!file && !shmem && !hugetlb && !spec.touched_every) return;
    PageOwner owner{.mm = &mm,
                    .file = file,
                    .shmem = shmem,
                    .group = mm.memcg,
                    .hugetlb = hugetlb,
                    .touched_every = spec.touched_every};
    if (spec.written) {
      owner.mapping = std::make_shared<AddressSpace>(kernel, region.start, region.start + region.pages);
      kernel.mappings.push_back(owner.mapping);
    }
    mm.set_owner(region.start, region.start + region.pages, kernel.zone.add_owner(owner));
    if (hugetlb) kernel.zone.move(&ZoneCounts::free, &ZoneCounts::hugetlb, region.pages, sim::Time{});
  }

  void set_up_pages(Kernel& kernel, const RegionSpec& spec, const Region& region) {
    const PageIndex end = region.start + region.pages;
    switch (spec.pages) {
      case RegionSpec::Pages::absent:
        return;
      case RegionSpec::Pages::swapped:
        kernel.swap.get(region.pages);
        mm.page_table.set(region.start, end, PageState::swapped);
        account_compressed(kernel);
        return;
      case RegionSpec::Pages::cached:
      case RegionSpec::Pages::resident:
        if (spec.kind != RegionSpec::Kind::hugetlb) take_pages(kernel, region.pages);
        const PageState mapped = spec.locked ? PageState::mlocked : PageState::resident;
        change_pages(kernel, mm, region.start, end, PageState::absent,
                     spec.pages == RegionSpec::Pages::resident ? mapped : PageState::cached);
        if (spec.pages == RegionSpec::Pages::resident) set_up_folios(region);
        return;
    }
  }

  void take_pages(Kernel& kernel, PageCount pages) {
    kernel.zone.move(&ZoneCounts::free, &ZoneCounts::in_flight, pages, sim::Time{});
    if (MemCgroup* const group = mem_cgroup_of(kernel, mm.memcg)) group->charge(pages);
  }

  // Each VMA has been faulted in by itself.
  void set_up_folios(const Region& region) {
    const Folio folio = folio_of(region.flags.folio_order);
    if (folio.order == 0) return;
    for (int index = 0; index < region.vmas; ++index) {
      const RegionPiece piece = piece_of(region, index);
      const PageIndex first = folio.first_from(piece.start);
      const PageIndex last = folio.start(piece.end);
      if (first < last) mm.page_table.put_in_folios(first, last, folio);
    }
  }

  // What has been faulted in has an anon_vma.
  void set_up_anon_vma(const RegionSpec& spec, const Region& region) {
    if (spec.kind != RegionSpec::Kind::anon || spec.pages == RegionSpec::Pages::absent) return;
    std::shared_ptr<AnonVma> shared = joined_anon_vma(spec, region);
    const bool joins = shared != nullptr;
    for (int index = 0; index < region.vmas; ++index) {
      const VmaPointer vma = mm.find_vma(piece_of(region, index).start);
      if ((spec.shares_anon_vma || (joins && index == 0)) && shared != nullptr) {
        vma->anon_vma = shared;
        ++shared->vmas;
      } else {
        touch(*vma, spec);
        shared = vma->anon_vma;
      }
    }
  }

  // Where it was touched before it met what is beside it, nothing is taken over from there.
  void touch(Vma& vma, const RegionSpec& spec) const {
    if (spec.beside.empty()) return mm.anon_vma_prepare(vma);
    vma.anon_vma = std::make_shared<AnonVma>();
  }

  // That of the region before, if the two were one; null without.
  [[nodiscard]] std::shared_ptr<AnonVma> joined_anon_vma(const RegionSpec& spec, const Region& region) const {
    if (!spec.joins_anon_vma) return nullptr;
    const VmaPointer before = mm.find_vma(region.start - PageCount(1));
    return before->anon_vma;
  }

  /// The lock of user space of that name.
  Rwsem& mutex(const std::string& name, const Kernel& kernel, std::uint64_t seed) {
    const Rwsem::Settings settings{RwsemFlavour::writer_steal, kernel.cpus.spec().tick, seed, mm.name(),
                                   LockKind::mutex};
    return mutexes.try_emplace(name, name, kernel.costs, settings).first->second;
  }

  [[nodiscard]] Workplace workplace(ClassRecord& record, CallRecords& calls, int threads) {
    return {mm, regions, first_region, record, calls, threads};
  }

  Mm mm;
  std::map<std::string, Rwsem> mutexes;  // of user space
  std::map<std::string, Region> regions;
  Region first_region{};  // what remote readers look at
};

struct Class {
  std::string name;
  ClassRecord record;
  bool locker = false;
  CallRecords calls;
  std::vector<const Task*> tasks;
};

// The control groups, and behind them, with autogroups, one for each process (sched_autogroup_create_attach).
std::vector<GroupSpec> task_groups(const Scenario& scenario) {
  std::vector<GroupSpec> groups = scenario.groups;
  if (!scenario.machine.scheduler.autogroup) return groups;
  for (const ProcessSpec& process : scenario.processes) groups.emplace_back().name = process.name;
  return groups;
}

class Simulation {
 public:
  Simulation(const Scenario& scenario, const Policy& policy, const sim::Engine::Options& options, Observer observer)
      : scenario_(scenario),
        engine_(options),
        kernel_(engine_, scenario.machine, policy, scenario.memory, task_groups(scenario)),
        interruptions_(engine_, kernel_.cpus, scenario.machine.noise, scenario.seed),
        end_(engine_.calendar(), [this] { end(); }) {
    for (const ProcessSpec& spec : scenario.processes) {
      Process& process = processes_.emplace_back(spec, kernel_, scenario.machine.thp, scenario.seed);
      kernel_.mm_list.push_back(&process.mm);
    }
    background_.emplace(kernel_);
    begin_warm_up();
    kernel_.at_out_of_memory = [this] {
      if (!result_) end_measuring();
    };
    kernel_.observer = std::move(observer);
    add_system_tasks();
    for (const ProcessSpec& process : scenario.processes) {
      for (const ThreadSpec& thread : process.threads) add_class(process, thread);
    }
  }

  Result run() {
    if (scenario_.duration) end_.schedule(sim::Time{*scenario_.duration});
    const auto began = std::chrono::steady_clock::now();
    engine_.run();
    if (!result_ && scripts_ > 0) throw std::logic_error("deadlock: " + waits());
    Result result = result_ ? std::move(*result_) : collect();
    for (Task& task : tasks_) task.ledger().settle_lock_times();
    for (std::size_t index = 0; index < classes_.size(); ++index)
      add_samples(classes_[index], sim::Time{result.sim_time}, result.classes[index]);
    result.cool_down = engine_.now().time_since_epoch() - result.sim_time;
    result.events = engine_.events();
    result.wall = std::chrono::steady_clock::now() - began;
    return result;
  }

 private:
  void begin_warm_up() {
    if (!scenario_.warm_up) return;
    constexpr int kAtMostOneIn = 10;
    const auto latest =
        scenario_.duration ? std::optional(sim::Time{*scenario_.duration / kAtMostOneIn}) : std::nullopt;
    kernel_.measurement.begin_warm_up(latest);
  }

  // Nothing that lies beyond this moment counts.
  void end_measuring() {
    kernel_.zone.cut_look_ahead();
    result_ = collect();
  }

  // The end of the run, and then that of its cool-down.
  void end() {
    if (result_) return engine_.stop();
    const sim::Time now = engine_.now();
    end_measuring();
    kernel_.observer = {};  // what it adds up to is what has been collected
    std::uint64_t left = 0;
    for (Class& each : classes_) left += each.record.left = each.record.unfinished(now);
    if (left == 0) return engine_.stop();
    kernel_.measurement.begin_cool_down(now, left, [this] { engine_.stop(); });
    end_.schedule(now + now.time_since_epoch());
  }

  void add_system_tasks() {
    Reclaim& reclaim = kernel_.reclaim;
    reclaim.kswapd = &add_task("kswapd", -1, [&reclaim] { kswapd(*reclaim.kswapd); });
    if (scenario_.memory.background > Bytes(0)) {
      stream_ = &add_task("background", -1, [this] { background_->run_stream(*stream_); });
    }
    if (!kernel_.mappings.empty() && scenario_.memory.dirty_writeback > sim::Nanoseconds{0}) {
      flusher_ = &add_task("flusher", -1, [this] { flusher(*flusher_); });
    }
    if (background_->has_working_set()) {
      working_set_ = &add_task("working_set", -1, [this] { background_->run_working_set(*working_set_); });
    }
    if (kernel_.noise.grace_periods) {
      Rcu& rcu = kernel_.rcu;
      rcu.gp_kthread = &add_task("rcu_gp_kthread", -1, [&rcu] { rcu_gp_kthread(*rcu.gp_kthread); });
    }
    add_interrupting_tasks();
  }

  void add_interrupting_tasks() {
    const std::vector<Interruption>& all = scenario_.machine.noise.interruptions;
    for (std::size_t index = 0; index < all.size(); ++index) {
      if (all[index].by != Interruption::By::task) continue;
      for (int cpu = 0; cpu < scenario_.machine.cpus; ++cpu) {
        Task*& self = interrupting_.emplace_back();
        self = &add_task("interruptions." + std::to_string(index) + "/" + std::to_string(cpu), -1,
                         [&self, &spec = all[index]] { run_interrupting_task(*self, spec); }, {.cpus = {cpu}});
      }
    }
  }

  void add_class(const ProcessSpec& process, const ThreadSpec& thread) {
    const auto class_id = static_cast<ClassId>(classes_.size());
    Class& members = classes_.emplace_back();
    members.name = thread.name;
    members.record.counts_warm_up = comes_once(thread);
    members.locker = std::holds_alternative<LockerSpec>(thread.run);
    const Workplace at =
        process_named(target_of(process, thread)).workplace(members.record, members.calls, thread.count);
    Process& own = process_named(process.name);
    for (int member = 0; member < thread.count; ++member) {
      Task& task = add_member(process, thread, at, class_id, member);
      task.set_mm(own.mm);
      if (!thread.mutex.empty()) task.set_mutex(own.mutex(thread.mutex, kernel_, scenario_.seed));
      members.tasks.push_back(&task);
      if (makes_requests(thread) && !comes_once(thread)) kernel_.measurement.add_thread();
    }
  }

  SchedSpec sched_of(const ProcessSpec& process, const ThreadSpec& thread, int member) const {
    SchedSpec sched = thread.sched;
    if (sched.group < 0 && scenario_.machine.scheduler.autogroup) {
      sched.group = static_cast<int>(scenario_.groups.size()) + static_cast<int>(&process - scenario_.processes.data());
    }
    if (thread.pinned) sched.cpus = {sched.cpus[static_cast<std::size_t>(member) % sched.cpus.size()]};
    return sched;
  }

  Task& add_member(const ProcessSpec& process, const ThreadSpec& thread, const Workplace& at, ClassId class_id,
                   int member) {
    auto self = std::make_shared<Task*>(nullptr);
    const bool has_script = comes_to_an_end(thread);
    if (has_script) ++scripts_;
    Workplace own = at;
    set_up(own, thread.run, member);
    const auto body = [this, self, own, has_script, &thread] {
      run_competitor(**self, own, thread.run);
      if (has_script) script_ended();
    };
    *self = &add_task(thread.name + "." + std::to_string(member), class_id, body, sched_of(process, thread, member),
                      member);
    return **self;
  }

  void script_ended() {
    if (--scripts_ == 0 && !scenario_.duration) end();
  }

  // Nothing is left that could happen, and not everything has been done: a mistake of the model. Who waits for whom.
  [[nodiscard]] std::string waits() const {
    std::string lines;
    for (const Process& process : processes_) {
      lines += process.mm.mmap_sem.waits();
      for (const auto& [name, mutex] : process.mutexes) lines += mutex.waits();
    }
    return lines.empty() ? "nobody waits for a lock, and " + std::to_string(scripts_) + " scripts have not ended"
                         : lines;
  }

  Task& add_task(std::string name, ClassId class_id, sim::Actor::Body body, const SchedSpec& sched = {},
                 int member = 0) {
    return tasks_.emplace_back(kernel_, std::move(name), class_id, scenario_.seed, std::move(body), sched, member);
  }

  Process& process_named(const std::string& name) {
    for (Process& process : processes_) {
      if (process.mm.name() == name) return process;
    }
    throw std::logic_error("no process named " + name);
  }

  Result collect() {
    Result result;
    result.scenario = scenario_.name;
    result.policy = kernel_.policy.name;
    result.seed = scenario_.seed;
    result.outcome = kernel_.outcome;
    result.sim_time = engine_.now().time_since_epoch();
    result.warm_up = std::min(engine_.now(), kernel_.measurement.warm_up_end()).time_since_epoch();
    for (const Class& each : classes_) result.classes.push_back(collect(each));
    for (Process& process : processes_) {
      collect_locks(process, result.locks);
      add_open_waits(process, result.classes);
    }
    result.memory = collect_memory();
    result.preemptions = kernel_.cpus.preemptions();
    return result;
  }

  void collect_locks(Process& process, std::vector<LockResult>& locks) {
    Mm& mm = process.mm;
    if (!mm.mmap_sem.statistics().asked.empty()) {
      locks.push_back({mm.name(), "", statistics_of(mm.mmap_sem), mm.vma_changed, mm.eagain, mm.vma_change_missed});
    }
    for (auto& [name, mutex] : process.mutexes) locks.push_back({mm.name(), name, statistics_of(mutex)});
  }

  RwsemStatistics statistics_of(Rwsem& lock) {
    RwsemStatistics statistics = lock.statistics_with_waiters(engine_.now());
    statistics.queue = statistics.queue.until(engine_.now());
    return statistics;
  }

  // What those who wait at this moment have waited for: their ledgers learn of it when the wait is over.
  void add_open_waits(Process& process, std::vector<ClassResult>& classes) {
    const auto add = [&](const Task& task, const LockBlame& blame, sim::Nanoseconds time) {
      if (task.class_id() < 0) return;
      classes[static_cast<std::size_t>(task.class_id())].lock_waits[blame] += time;
    };
    process.mm.mmap_sem.for_each_open_wait(engine_.now(), add);
    for (auto& [name, mutex] : process.mutexes) mutex.for_each_open_wait(engine_.now(), add);
    for_each_open_vma_wait(process.mm, engine_.now(),
                           [&](const Task& task, const LockWait& wait) { add(task, wait.blame, wait.to - wait.from); });
  }

  MemoryResult collect_memory() const {
    const Zone& zone = kernel_.zone;
    MemoryResult memory{zone.marks(),
                        zone.counts(),
                        zone.allocated(),
                        zone.lowest_free(),
                        kernel_.swap.used(),
                        kernel_.reclaim.statistics,
                        kernel_.device.statistics(),
                        zone.series(),
                        kernel_.reclaim.kswapd_runs,
                        {}};
    const sim::Time end = engine_.now();
    for (sim::TimeSeries* series : {&memory.series.free, &memory.series.anon, &memory.series.file,
                                    &memory.series.unevictable, &memory.kswapd_runs, &memory.device.queue}) {
      *series = series->until(end);
    }
    for (const MemCgroup& group : kernel_.memcgs) {
      memory.groups.push_back(group.statistics);
      memory.groups.back().at_end = group.usage;
    }
    return memory;
  }

  ClassResult collect(const Class& members) const {
    ClassResult result;
    result.name = members.name;
    result.locker = members.locker;
    result.open_loop = members.record.open_loop();
    result.unfinished = members.record.unfinished(engine_.now());
    result.calls = members.calls;
    for (const Task* task : members.tasks) {
      const TimeByCause spent = task->ledger().read(engine_.now());
      for (std::size_t cause = 0; cause < kCauseCount; ++cause) result.time[cause] += spent[cause];
      for (const auto& [blame, time] : task->ledger().lock_times()) result.lock_waits[blame] += time;
      result.spin += task->spin_time();
      result.involuntary_switches += task->involuntary_switches();
    }
    return result;
  }

  // After the cool-down of a run that ended at `end`.
  void add_samples(const Class& members, sim::Time end, ClassResult& result) const {
    result.warm_up = members.record.warm_up;
    result.cut_off = members.record.left;
    const auto oldest = members.record.oldest_in_service();
    if (oldest && *oldest <= end) result.longest_cut_off = engine_.now() - *oldest;
    result.worst = members.record.worst.requests();
    for (WorstRequest& longest : members.record.longest_warm_up.requests()) result.longest_warm_up = std::move(longest);
    for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
      const Samples& samples = members.record.during[phase];
      if (!samples.latency().empty()) result.during.emplace(static_cast<Phase>(phase), samples);
    }
  }

  const Scenario& scenario_;
  sim::Engine engine_;
  Kernel kernel_;
  Interruptions interruptions_;
  sim::Event end_;
  std::deque<Process> processes_;
  std::deque<Class> classes_;
  std::deque<Task> tasks_;
  std::optional<Background> background_;
  Task* stream_ = nullptr;
  Task* working_set_ = nullptr;
  Task* flusher_ = nullptr;
  std::deque<Task*> interrupting_;
  int scripts_ = 0;               // of lockers: those that have not ended
  std::optional<Result> result_;  // as of the end of the run; the samples are added after the cool-down
};

}  // namespace

Result simulate(const Scenario& scenario, const Policy& policy, const sim::Engine::Options& options,
                Observer observer) {
  return Simulation(scenario, policy, options, std::move(observer)).run();
}

}  // namespace models
