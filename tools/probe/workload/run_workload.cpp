#include "tools/probe/workload/run_workload.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "experiments/host/real_json.h"
#include "models/spec/competitors.h"
#include "tools/probe/host_facts.h"
#include "tools/probe/measuring.h"
#include "tools/probe/workload/lock_paths.h"
#include "tools/probe/workload/worker.h"

namespace probe {

namespace {

using experiments::RealClass;
using experiments::Workload;

// --- what must be there ------------------------------------------------------------------------------------------

int threads_of(const models::ProcessSpec& process) {
  int threads = 0;
  for (const models::ThreadSpec& thread : process.threads) threads += thread.count;
  return threads;
}

template <class Counts>
int count_threads(const Workload& workload, Counts counts) {
  int threads = 0;
  for (const models::ProcessSpec& process : workload.processes) {
    for (const models::ThreadSpec& thread : process.threads) {
      if (counts(thread)) threads += thread.count;
    }
  }
  return threads;
}

bool faults_in_arena(const models::ThreadSpec& thread) {
  const auto* const faulter = std::get_if<models::FaulterSpec>(&thread.run);
  return faulter != nullptr && !faulter->region;
}

bool is_locker(const models::ThreadSpec& thread) { return std::holds_alternative<models::LockerSpec>(thread.run); }

// Of each faulter: large enough not to come to its end, as far as memory goes.
models::PageCount arena_of(const Workload& workload) {
  constexpr std::int64_t kMost = std::int64_t{256} << 20U;
  constexpr std::int64_t kLeast = std::int64_t{2} << 20U;
  const std::int64_t wanted = memory_of(workload).count();
  const std::int64_t available = static_cast<std::int64_t>(meminfo("MemAvailable").value_or(0));
  const int faulters = count_threads(workload, faults_in_arena);
  // Page tables, and what the processes themselves need, come on top.
  const std::int64_t left = available - available / 8 - wanted;
  if (left < faulters * kLeast) {
    throw BadInput("too little memory: " + std::to_string(available >> 20U) +
                   " MiB are available, and the scenario needs " +
                   std::to_string((wanted + faulters * kLeast) * 8 / 7 >> 20U));
  }
  return models::PageCount(std::min(kMost, faulters == 0 ? kLeast : left / 2 / faulters) / models::kPageSize);
}

void check_size(const Workload& workload) {
  constexpr int kMostThreads = 4096;
  if (workload.processes.size() > kMostProcesses) {
    throw BadInput("a scenario of " + std::to_string(workload.processes.size()) + " processes; " +
                   std::to_string(kMostProcesses) + " can be run");
  }
  const int threads = count_threads(workload, [](const auto&) { return true; });
  if (threads == 0) throw BadInput("the scenario has no thread that can be run");
  if (threads > kMostThreads) {
    throw BadInput("a scenario of " + std::to_string(threads) + " threads; " + std::to_string(kMostThreads) +
                   " can be run");
  }
  if (!workload.duration && count_threads(workload, is_locker) == 0) {
    throw BadInput("the scenario has no locker that can be run, and no 'duration': it would not end");
  }
}

void check_lock_limit(const Workload& workload) {
  const auto limit = lock_limit();
  const std::int64_t all = memory_of(workload).count();
  if (count_threads(workload, is_locker) == 0 || !limit || static_cast<std::int64_t>(*limit) >= all) return;
  throw BadInput("RLIMIT_MEMLOCK is too low: the scenario locks up to " + std::to_string(all >> 10U) + " KiB, and " +
                 std::to_string(*limit >> 10U) + " KiB may be locked (ulimit -l)");
}

// --- memory of all processes --------------------------------------------------------------------------------------

struct Unmap {
  void operator()(SharedState* state) const { munmap(state, sizeof(SharedState)); }
};
using Shared = std::unique_ptr<SharedState, Unmap>;

Shared share(const Workload& workload) {
  void* const memory = mmap(nullptr, sizeof(SharedState), kReadWrite, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) fail_with_errno("mmap");
  Shared shared(new (memory) SharedState);
  shared->lockers = count_threads(workload, is_locker);
  shared->unserved = count_threads(workload, [](const models::ThreadSpec& thread) {
    return models::makes_requests(thread) && !models::comes_once(thread);
  });
  return shared;
}

// --- in a child ---------------------------------------------------------------------------------------------------

void ignore_signal(int) {}

// A signal that only ends a sleep.
void let_sleepers_be_woken() {
  struct sigaction action {};
  action.sa_handler = ignore_signal;
  sigaction(SIGUSR1, &action, nullptr);
  action.sa_handler = SIG_IGN;
  action.sa_flags = SA_NOCLDWAIT;  // children of forkers
  sigaction(SIGCHLD, &action, nullptr);
}

struct Thread {
  Worker* worker = nullptr;
  std::string* error = nullptr;
  pthread_t thread{};
  std::atomic<bool> ended{false};
};

void* run_thread(void* argument) {
  auto& thread = *static_cast<Thread*>(argument);
  SharedState& shared = thread.worker->process().shared;
  const auto attempt = [&](auto what) {
    try {
      what();
    } catch (const std::exception& error) {
      if (!shared.failed.exchange(true)) *thread.error = error.what();
    }
  };
  attempt([&] { thread.worker->get_ready(); });
  ++shared.ready;
  while (shared.start == 0) sleep_for(kMillisecond);
  thread.worker->sleep_until(shared.start);
  if (!shared.failed) attempt([&] { thread.worker->run(); });
  thread.ended = true;
  return nullptr;
}

// Until the end, and then until all have seen it.
void wait_for_end(SharedState& shared, const Workload& workload, std::vector<Thread>& threads) {
  const auto alive = [&] {
    return std::any_of(threads.begin(), threads.end(), [](const Thread& each) { return !each.ended; });
  };
  while (alive() && now() <= shared.end) {
    sleep_for(workload.duration ? std::clamp<std::int64_t>(shared.end - now(), 1, 100 * kMillisecond)
                                : 5 * kMillisecond);
  }
  for (; alive(); sleep_for(kMillisecond)) {
    for (Thread& each : threads) {
      if (!each.ended && each.worker->asleep()) pthread_kill(each.thread, SIGUSR1);
    }
  }
  for (Thread& each : threads) pthread_join(each.thread, nullptr);
}

std::vector<RealClass> results_of(const models::ProcessSpec& spec, std::vector<std::unique_ptr<Worker>>& workers) {
  std::vector<RealClass> classes;
  std::size_t next = 0;
  for (const models::ThreadSpec& thread : spec.threads) {
    RealClass& result = classes.emplace_back(RealClass{.name = thread.name});
    for (int member = 0; member < thread.count; ++member) workers[next++]->move_into(result);
  }
  return classes;
}

std::map<std::string, pthread_mutex_t> mutexes_of(const models::ProcessSpec& spec) {
  std::map<std::string, pthread_mutex_t> mutexes;
  for (const models::ThreadSpec& thread : spec.threads) {
    if (!thread.mutex.empty()) mutexes.emplace(thread.mutex, pthread_mutex_t PTHREAD_MUTEX_INITIALIZER);
  }
  return mutexes;
}

void tell_where_first_region_is(const models::ProcessSpec& spec, const RealProcess& process) {
  if (spec.regions.empty()) return;
  const Mapped& first = process.regions.at(spec.regions.front().name);
  process.own.first_region = first.start.index();
  process.own.first_region_pages = first.pages.count();
}

std::vector<RealClass> run_process(const Workload& workload, std::size_t number, const std::vector<int>& cpus,
                                   models::PageCount arena, SharedState& shared) {
  const models::ProcessSpec& spec = workload.processes[number];
  let_sleepers_be_woken();
  RealProcess process{shared, shared.processes.at(number), {},           {}, mutexes_of(spec), arena,
                      cpus,   !workload.duration,          workload.seed};
  for (std::size_t i = 0; i < workload.processes.size(); ++i) {
    process.numbers.emplace(workload.processes[i].name, static_cast<int>(i));
  }
  std::string error;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Thread> threads(static_cast<std::size_t>(threads_of(spec)));
  try {
    process.regions = map_regions(spec.regions);
    tell_where_first_region_is(spec, process);
  } catch (const std::exception& failure) {
    if (!shared.failed.exchange(true)) error = failure.what();
  }
  for (const models::ThreadSpec& thread : spec.threads) {
    for (int member = 0; member < thread.count; ++member) {
      workers.push_back(std::make_unique<Worker>(process, thread, member));
    }
  }
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i].worker = workers[i].get();
    threads[i].error = &error;
    const int failed = pthread_create(&threads[i].thread, nullptr, run_thread, &threads[i]);
    if (failed != 0) throw std::runtime_error(std::string("pthread_create: ") + std::strerror(failed));
  }
  wait_for_end(shared, workload, threads);
  if (!error.empty()) throw std::runtime_error(error);
  return results_of(spec, workers);
}

[[noreturn]] void be_process(const Workload& workload, std::size_t number, const std::vector<int>& cpus,
                             models::PageCount arena, SharedState& shared, int output) {
  int code = 0;
  std::string text;
  try {
    text = experiments::to_json_text(run_process(workload, number, cpus, arena, shared));
  } catch (const std::exception& error) {
    shared.failed = true;
    text = error.what();
    code = 1;
  }
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t more = write(output, text.data() + sent, text.size() - sent);
    if (more <= 0) break;
    sent += static_cast<std::size_t>(more);
  }
  _exit(code);
}

// --- in the parent ------------------------------------------------------------------------------------------------

struct Child {
  std::string name;
  pid_t pid = 0;
  int output = -1;
  std::string text{};
  bool failed = false;
};

class Children {
 public:
  Children() = default;
  ~Children() {
    for (const Child& child : children_) {
      if (child.pid > 0) {
        kill(child.pid, SIGKILL);
        (void)waitpid(child.pid, nullptr, 0);
      }
      if (child.output >= 0) close(child.output);
    }
  }
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  void start(const Workload& workload, std::size_t number, const std::vector<int>& cpus, models::PageCount arena,
             SharedState& shared) {
    std::array<int, 2> pipe_ends{};
    check(pipe(pipe_ends.data()), "pipe");
    const pid_t parent = getpid();
    const pid_t pid = fork();
    check(pid, "fork");
    if (pid == 0) {
      close(pipe_ends[0]);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      be_process(workload, number, cpus, arena, shared, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    shared.processes.at(number).pid = pid;
    children_.push_back({workload.processes[number].name, pid, pipe_ends[0]});
  }

  /// Waits until each has sent all that it had to say, and has ended. When one has failed the others are killed.
  void finish() {
    for (bool open = true; open;) {
      open = false;
      std::vector<pollfd> ends;
      for (const Child& child : children_) ends.push_back({child.output, POLLIN, 0});
      for (const pollfd& end : ends) open = open || end.fd >= 0;
      if (!open) break;
      (void)poll(ends.data(), ends.size(), -1);
      for (std::size_t i = 0; i < ends.size(); ++i) {
        if (ends[i].revents != 0) receive(children_[i]);
      }
    }
  }
  [[nodiscard]] const std::vector<Child>& all() const { return children_; }
  /// Whether one has ended already.
  [[nodiscard]] bool one_has_ended() const {
    for (const Child& child : children_) {
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        return true;
      }
    }
    return false;
  }

 private:
  void receive(Child& child) {
    std::array<char, 65536> buffer{};
    const ssize_t count = read(child.output, buffer.data(), buffer.size());
    if (count > 0) {
      child.text.append(buffer.data(), static_cast<std::size_t>(count));
      return;
    }
    close(std::exchange(child.output, -1));
    int status = 0;
    (void)waitpid(std::exchange(child.pid, 0), &status, 0);
    child.failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (WIFSIGNALED(status)) child.text = std::string("killed by signal ") + std::to_string(WTERMSIG(status));
    if (child.failed) {
      for (const Child& other : children_) {
        if (other.pid > 0) kill(other.pid, SIGKILL);
      }
    }
  }

  std::vector<Child> children_;
};

// Waits until all threads of all processes are ready, or something has gone wrong.
void wait_until_ready(const Workload& workload, const SharedState& shared, const Children& children) {
  const int all = count_threads(workload, [](const auto&) { return true; });
  while (shared.ready < all && !children.one_has_ended()) sleep_for(kMillisecond);
}

// What a process has mapped beside its regions.
int other_vmas(const models::ProcessSpec& process, pid_t pid) {
  int vmas = vmas_of(std::to_string(pid));
  for (const models::RegionSpec& region : process.regions) vmas -= region.vmas;
  return std::max(vmas, 0);
}

// All begin at one moment, for which they wait.
void begin(const Workload& workload, SharedState& shared) {
  const std::int64_t start = now() + 20 * kMillisecond;
  if (!workload.warm_up) shared.end_warm_up(start);
  if (workload.duration) {
    constexpr int kTenth = 10;
    shared.end_run(start + workload.duration->count());
    shared.end_warm_up(start + workload.duration->count() / kTenth);
  }
  shared.start = start;
}

}  // namespace

experiments::Sitting run_workload(const Workload& workload, const std::vector<int>& cpus) {
  check_size(workload);
  check_lock_limit(workload);
  const models::PageCount arena = arena_of(workload);
  choose_lock_paths(workload.lock_paths);
  experiments::Sitting sitting;
  if (const nlohmann::ordered_json busy = load_of_machine()["busy"]; !busy.is_null()) sitting.busy = busy.get<double>();
  const Shared shared = share(workload);
  Children children;
  for (std::size_t i = 0; i < workload.processes.size(); ++i) children.start(workload, i, cpus, arena, *shared);
  wait_until_ready(workload, *shared, children);
  for (std::size_t i = 0; i < workload.processes.size(); ++i) {
    const models::ProcessSpec& process = workload.processes[i];
    sitting.other_vmas[process.name] = other_vmas(process, children.all().at(i).pid);
  }
  begin(workload, *shared);
  children.finish();
  for (const Child& child : children.all()) {
    if (child.failed) throw std::runtime_error("process '" + child.name + "': " + child.text);
  }
  sitting.length = sim::Nanoseconds{std::min(shared->end.load(), now()) - shared->start};
  for (const Child& child : children.all()) {
    for (RealClass& each : experiments::parse_real_classes(child.text)) sitting.classes.push_back(std::move(each));
  }
  return sitting;
}

}  // namespace probe
