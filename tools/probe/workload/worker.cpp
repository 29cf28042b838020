#include "tools/probe/workload/worker.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace probe {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// As the simulator names its streams.
std::string name_of(const models::ThreadSpec& spec, int member) { return spec.name + "/" + std::to_string(member); }

void place(const RealProcess& process, const models::ThreadSpec& spec, int member) {
  if (spec.sched.cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  const auto add = [&](int cpu) {
    if (cpu >= static_cast<int>(process.cpus.size())) {
      fail("class '" + spec.name + "' is to run on CPU " + std::to_string(cpu) + ", and there are " +
           std::to_string(process.cpus.size()));
    }
    CPU_SET(process.cpus[static_cast<std::size_t>(cpu)], &set);
  };
  const auto& cpus = spec.sched.cpus;
  if (spec.pinned) {
    add(cpus[static_cast<std::size_t>(member) % cpus.size()]);
  } else {
    for (const int cpu : cpus) add(cpu);
  }
  check(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

}  // namespace

Notes::Notes() {
  constexpr std::size_t kNotes = std::size_t{1} << 16U;
  raw_.resize(kNotes);  // touched
  raw_.clear();
}

void Notes::put_in_order() {
  for (const Note& note : raw_) during_[note.phase].record(sim::Nanoseconds{note.latency});
  raw_.clear();
}

void Notes::move_into(experiments::RealClass& result) {
  put_in_order();
  for (const auto& [phase, latency] : during_) result.during[phase].merge(latency);
  result.warm_up += warm_up_;
  result.longest_warm_up = std::max(result.longest_warm_up, sim::Nanoseconds{longest_warm_up_});
}

Worker::Worker(RealProcess& process, const models::ThreadSpec& spec, int member)
    : process_(process),
      spec_(spec),
      member_(member),
      demand_(process.seed, name_of(spec, member), "demand"),
      pages_(process.seed, name_of(spec, member), "pages"),
      target_(&process.own) {
  if (!spec.mutex.empty()) mutex_ = &process.mutexes.at(spec.mutex);
}

void Worker::get_ready() {
  place(process_, spec_, member_);
  const auto self = static_cast<id_t>(syscall(SYS_gettid));
  if (spec_.sched.nice != 0 && setpriority(PRIO_PROCESS, self, spec_.sched.nice) != 0) {
    fail_with_errno("nice " + std::to_string(spec_.sched.nice) + " of class '" + spec_.name + "'");
  }
  check(prctl(PR_SET_TIMERSLACK, 1), "prctl");
  body_ = body_of(*this);
}

void Worker::run() { body_(); }

void Worker::sleep_until(std::int64_t time) {
  const timespec until{time / kSecond, time % kSecond};
  asleep_ = true;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    if (over()) break;
  }
  asleep_ = false;
}

void Worker::compute(std::int64_t nanoseconds) {
  constexpr std::int64_t kGap = 5'000;  // between two looks at the clock: longer ones are somebody else's
  for (std::int64_t last = now(); nanoseconds > 0;) {
    const std::int64_t next = now();
    if (next - last < kGap) nanoseconds -= next - last;
    last = next;
  }
}

void Worker::note(std::int64_t due, std::int64_t end) {
  SharedState& shared = process_.shared;
  const bool in_warm_up = due < shared.warm_up_end.load(std::memory_order_relaxed);
  if (due <= shared.end.load(std::memory_order_relaxed)) {
    if (in_warm_up) {
      notes_.add_to_warm_up(end - due);
    } else {
      notes_.add(target_->lockers.at(due), end - due);
    }
  }
  if (!std::exchange(served_, true) && shared.unserved.fetch_sub(1) == 1) shared.end_warm_up(end);
}

void Worker::lock() {
  if (mutex_ != nullptr) pthread_mutex_lock(mutex_);
}

void Worker::unlock() {
  if (mutex_ != nullptr) pthread_mutex_unlock(mutex_);
}

void Worker::move_into(experiments::RealClass& result) {
  ++result.threads;
  notes_.move_into(result);
  for (const auto& [name, record] : calls_) result.calls[name].add(record);
}

}  // namespace probe
