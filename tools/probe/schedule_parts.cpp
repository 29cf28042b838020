// How long it takes until somebody runs: wake-ups, timers, context switches; and a cache line's way between CPUs.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <thread>

#include "experiments/host/after_idle.h"
#include "tools/probe/noise.h"
#include "tools/probe/parts.h"

namespace probe {

namespace {

using experiments::AfterIdle;
using experiments::kDeepIdle;
using experiments::kHalted;
using experiments::kHardlyIdle;

long futex(std::atomic<int>& word, int operation, int value) {
  return syscall(SYS_futex, reinterpret_cast<int*>(&word), operation, value, nullptr, nullptr, 0);
}

// What it takes to wake a thread that has slept on another CPU for so long, from before the waker's call to the woken
// thread's first look at the clock. Its CPU is idle meanwhile if nobody else is there. The waker is busy, as who gives
// a lock up has been: after a sleep its call would take several times as long.
void measure_wake_ups_after(const Settings& settings, int rounds, Readings& readings, const AfterIdle& idle) {
  std::atomic<int> turn{0};
  std::atomic<std::int64_t> woken{0};
  std::thread sleeper([&] {
    const OnCpu there(settings.cpus[1]);
    for (int round = 1; round <= rounds; ++round) {
      while (turn.load() < round) futex(turn, FUTEX_WAIT_PRIVATE, round - 1);
      woken = now();
    }
  });
  for (int round = 1; round <= rounds; ++round) {
    woken = 0;
    const std::int64_t busy_until = now() + idle.length;
    std::int64_t start = now();
    while (start < busy_until) start = now();
    turn = round;
    const long slept = futex(turn, FUTEX_WAKE_PRIVATE, 1);
    const std::int64_t end = now();
    while (woken.load() == 0) std::this_thread::yield();
    if (slept != 1) continue;  // it had not gone to sleep yet
    readings.add(idle.quantity("wake_up"), static_cast<double>(woken.load() - start) - clock_cost());
    if (idle.length == kHalted.length) readings.add("futex_wake", static_cast<double>(end - start) - clock_cost());
  }
  sleeper.join();
}

// Where the other CPU has been idle for longer and longer; and a call that finds nobody.
void measure_wake_ups(const Settings& settings, Readings& readings) {
  if (settings.cpus.size() < 2) fail("there is one CPU");
  const OnCpu here(settings.cpus[0]);
  for (const AfterIdle& idle : kHardlyIdle) measure_wake_ups_after(settings, settings.quick ? 20 : 60, readings, idle);
  measure_wake_ups_after(settings, settings.quick ? 50 : 200, readings, kHalted);
  measure_wake_ups_after(settings, settings.quick ? 10 : 40, readings, kDeepIdle.back());
  std::atomic<int> nobodys{0};
  for (int round = 0; round < (settings.quick ? 50 : 200); ++round) {
    readings.add("futex_wake_nobody", time_of([&] { futex(nobodys, FUTEX_WAKE_PRIVATE, 1); }));
  }
}

std::vector<std::string> wake_up_quantities() {
  std::vector<std::string> names{"futex_wake", "futex_wake_nobody", kHalted.quantity("wake_up"),
                                 kDeepIdle.back().quantity("wake_up")};
  for (const AfterIdle& idle : kHardlyIdle) names.push_back(idle.quantity("wake_up"));
  return names;
}

// How much too late a sleep ends that is too short for an idle CPU's deeper states.
void measure_timers(const Settings& settings, Readings& readings) {
  const PunctualTimers punctual;
  const int rounds = settings.quick ? 50 : 200;
  for (int round = 0; round < rounds; ++round) {
    const std::int64_t due = now() + kHalted.length;
    const timespec time{due / 1'000'000'000, due % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
    readings.add("timer_lateness", static_cast<double>(now() - due));
  }
}

/// Both ends of a pipe.
class Pipe {
 public:
  Pipe() { check(pipe(ends_.data()), "pipe"); }
  ~Pipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void put() const { check(write(ends_[1], "x", 1), "write"); }
  void take() const {
    char byte = 0;
    check(read(ends_[0], &byte, 1), "read");
  }

 private:
  std::array<int, 2> ends_{};
};

// Two threads on one CPU, each of which waits for the other: there and back are two switches, two writes and two reads.
// A write and a read without a switch are measured by themselves.
void measure_switches(const Settings& settings, Readings& readings) {
  const OnCpu here(settings.cpus[0]);
  const int batches = settings.quick ? 20 : 50;
  constexpr int kRounds = 50;
  const Pipe there;
  const Pipe back;
  std::thread other([&] {
    const OnCpu same(settings.cpus[0]);
    for (int i = 0; i < (batches + 1) * kRounds; ++i) {
      there.take();
      back.put();
    }
  });
  for (int batch = 0; batch <= batches; ++batch) {
    const double time = time_of([&] {
      for (int i = 0; i < kRounds; ++i) {
        there.put();
        back.take();
      }
    });
    if (batch > 0) readings.add("pipe_switch", time / (2 * kRounds));  // the first one has to wait for the thread
  }
  other.join();
  for (int batch = 0; batch < batches; ++batch) {
    const double time = time_of([&] {
      for (int i = 0; i < kRounds; ++i) {
        there.put();
        there.take();
      }
    });
    readings.add("pipe_alone", time / kRounds);
  }
}

// A variable that two CPUs change in turns.
void measure_cache_lines(const Settings& settings, Readings& readings) {
  if (settings.cpus.size() < 2) fail("there is one CPU");
  const OnCpu here(settings.cpus[0]);
  const int batches = settings.quick ? 20 : 100;
  constexpr int kTurns = 200;
  alignas(64) std::atomic<int> turn{0};
  const int last = batches * kTurns;
  const auto take_turns = [&turn, last](int own, auto after) {
    for (int mine = own; mine < last; mine += 2) {
      while (turn.load(std::memory_order_acquire) != mine) {
      }
      turn.store(mine + 1, std::memory_order_release);
      after(mine);
    }
  };
  std::thread other([&] {
    const OnCpu there(settings.cpus[1]);
    take_turns(1, [](int) {});
  });
  std::int64_t start = now();
  take_turns(0, [&](int mine) {
    if (mine % kTurns != 0) return;
    const std::int64_t end = now();
    if (mine > 0) readings.add("cache_line", static_cast<double>(end - start) / kTurns);
    start = end;
  });
  other.join();
}

// What RCU's thread takes of a CPU, once a tick where grace periods follow each other. One that is seen less often than
// in every tenth tick is somebody else.
void measure_grace_periods(const Settings& settings, Readings& readings) {
  if (settings.cpus.size() < 2) fail("there is one CPU");
  const std::int64_t each = settings.quick ? 250'000'000 : 1'000'000'000;
  const double ticks = 2 * static_cast<double>(each) / 1e9 * 250;  // where HZ is 250 or more
  const std::vector<double> gaps = gaps_beside_a_mapper(settings.cpus[0], settings.cpus[1], each);
  if (static_cast<double>(gaps.size()) < ticks / 10) fail("a thread that spins beside one that maps is left alone");
  for (const double gap : gaps) readings.add("grace_period", gap);
}

// The same work again and again: what it differs by is the machine's.
void measure_spinning(const Settings& settings, Readings& readings) {
  constexpr int kSteps = 400'000;
  for (int i = 0; i < (settings.quick ? 20 : 50); ++i) {
    readings.add("spin_loop", time_of([] {
                   std::uint64_t state = 1;
                   for (int step = 0; step < kSteps; ++step) {
                     state = state * 6364136223846793005U + 1442695040888963407U;
                     asm volatile("" : "+r"(state));
                   }
                 }));
  }
}

}  // namespace

std::vector<Part> schedule_parts() {
  return {{"wake-ups", measure_wake_ups, wake_up_quantities()},
          {"timers", measure_timers, {"timer_lateness"}},
          {"grace periods", measure_grace_periods, {"grace_period"}},
          {"context switches", measure_switches, {"pipe_switch", "pipe_alone"}},
          {"cache lines", measure_cache_lines, {"cache_line"}},
          {"a loop", measure_spinning, {"spin_loop"}}};
}

}  // namespace probe
