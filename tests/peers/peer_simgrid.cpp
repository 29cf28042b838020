// The peer as somebody would write it who has SimGrid and no need to hurry: an actor for each thread, and a sleep for
// each page and each step of a request.
//
// Not made slower than it has to be: raw contexts, integers for all that is compared, whoever queues is suspended and
// resumed by the waker. SimGrid's clock is in seconds and wakes actors whose sleeps end together in no useful order:
// each task is offset by 10 ps more than the one before, so they come in the order of the tasks, and rounding is far
// below that.
#include <simgrid/s4u.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/context_factory.h"
#include "tests/peers/peer_model.h"

namespace peers {

namespace {

constexpr double kOffset = 1e-11;
constexpr int kMostTasks = 99;  // together less than a nanosecond

class Thread {
 public:
  Thread(Model& model, std::vector<Thread*>& threads, int task)
      : model_(model), costs_(model.costs), threads_(threads), task_(task) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  void operator()() {
    actor_ = simgrid::s4u::Actor::self();
    work(costs_.wake_up_latency);
    if (task_ == kLocker) {
      run_locker();
    } else {
      run_competitor();
    }
  }

 private:
  void work(Nanoseconds duration) {
    ++model_.events;
    now_ += duration;
    simgrid::s4u::this_actor::sleep_until(sim::to_seconds(now_) + task_ * kOffset);
  }
  void sleep(Nanoseconds duration) {
    if (duration > Nanoseconds{0}) work(duration + costs_.wake_up_latency);
  }

  // After `before`; returns when it holds mmap_sem and has then worked for `under`.
  void down(LockMode mode, Nanoseconds before, Nanoseconds under) {
    work(before);
    if (!model_.semaphore.down(task_, mode, now_)) {
      simgrid::s4u::this_actor::suspend();
      under += costs_.wake_up_latency;
    }
    work(under);
  }
  void up(LockMode mode, Nanoseconds before = {}) {
    work(before + costs_.rwsem_operation);
    release(mode);
  }
  void release(LockMode mode) {
    std::vector<Waiter> granted;
    model_.semaphore.up(mode, granted);
    wake(granted);
  }
  void downgrade() {
    std::vector<Waiter> granted;
    model_.semaphore.downgrade(granted);
    wake(granted);
  }
  void wake(const std::vector<Waiter>& granted) {
    for (const Waiter& waiter : granted) model_.note_granted(waiter, now_);
    for (const Waiter& waiter : granted) {
      work(costs_.rwsem_wake);
      Thread& woken = *threads_[static_cast<std::size_t>(waiter.task)];
      woken.now_ = now_;
      model_.note_woken(waiter, now_);
      woken.actor_->resume();
    }
  }

  void run_competitor() {
    Competitor& self = model_.competitor(task_);
    while (!model_.stopped()) {
      sleep(self.think());
      model_.begin_request(task_, now_);
      const Plan plan = self.plan();
      down(plan.mode, plan.before, plan.under);
      self.take_effect(model_.region);
      up(plan.mode);
      model_.end_request(task_, now_);
    }
    simgrid::s4u::Actor::kill_all();
  }

  void run_locker() {
    model_.begin_call(now_);
    mlock();
    model_.end_call(Call::mlock, now_);
    model_.begin_call(now_);
    munlock();
    model_.end_call(Call::munlock, now_);
    model_.end_run(now_);
    if (model_.stopped()) simgrid::s4u::Actor::kill_all();
  }

  void mlock() {
    const Nanoseconds before = costs_.system_call + costs_.rwsem_operation;
    if (model_.options.policy == Policy::write_held) {
      down(LockMode::write, before, costs_.find_vma + model_.drain());
      model_.region.locked = true;
      populate();
      up(LockMode::write, model_.drain());
      return;
    }
    down(LockMode::write, before, costs_.find_vma + costs_.rwsem_operation);
    model_.region.locked = true;
    downgrade();
    work(model_.drain());
    populate();
    up(LockMode::read, model_.drain());
    down(LockMode::write, costs_.rwsem_operation, costs_.find_vma + costs_.rwsem_operation);
    release(LockMode::write);
  }

  void populate() {
    for (std::int64_t batch = 0; batch < model_.region.pages(); batch += kPagesPerBatch) {
      const std::int64_t end = std::min(batch + kPagesPerBatch, model_.region.pages());
      bring_in(batch, end);
      lock(batch, end);
    }
  }

  // What is absent now is populated, even if a fault is faster meanwhile.
  void bring_in(std::int64_t start, std::int64_t end) {
    for (std::int64_t page = model_.region.find(start, end, PageState::absent); page < end;
         page = model_.region.find(page, end, PageState::absent)) {
      const std::int64_t absent_end = model_.region.end_of_absent(page, end);
      for (std::int64_t each = page; each < absent_end; ++each) work(costs_.populate_page);
      model_.region.populate(page, absent_end);
    }
  }

  void lock(std::int64_t start, std::int64_t end) {
    for (std::int64_t page = start; page < end; ++page) {
      if (model_.region.state(page) == PageState::mlocked) continue;
      work(costs_.mlock_page);
      model_.region.set(page, PageState::mlocked);
    }
  }

  void munlock() {
    down(LockMode::write, costs_.system_call + costs_.rwsem_operation, costs_.find_vma + model_.drain());
    for (std::int64_t page = 0; page < model_.region.pages(); ++page) {
      work(costs_.munlock_page);
      model_.region.set(page, PageState::resident);
    }
    up(LockMode::write, model_.drain());
  }

  Model& model_;
  const Costs& costs_;
  std::vector<Thread*>& threads_;
  int task_;
  Time now_{};
  simgrid::s4u::ActorPtr actor_;
};

Nanoseconds run(Model& model) {
  if (model.tasks() > kMostTasks) throw std::invalid_argument("too many tasks");
  std::array<std::string, 4> arguments{"peer_simgrid", "--log=xbt_cfg.thresh:warning", "--cfg=surf/precision:1e-12",
                                       sim::kContextFactory};
  std::array<char*, 5> pointers{};
  for (std::size_t index = 0; index < arguments.size(); ++index) pointers[index] = arguments[index].data();
  int count = static_cast<int>(arguments.size());
  simgrid::s4u::Engine engine(&count, pointers.data());
  auto* zone = simgrid::s4u::create_full_zone("machine");
  auto* host = zone->create_host("host", 1e9);
  zone->seal();

  std::deque<Thread> all;
  std::vector<Thread*> threads;
  for (int task = 0; task < model.tasks(); ++task) {
    Thread& thread = all.emplace_back(model, threads, task);
    threads.push_back(&thread);
    simgrid::s4u::Actor::create("task", host, [&thread] { thread(); });
  }
  return wall_time([&engine] { engine.run(); });
}

}  // namespace

}  // namespace peers

int main(int argc, char** argv) { return peers::main_of_peer(argc, argv, peers::run); }
