// The peer that a simulator has to beat: a hand-written event heap and state machines, nothing else.
//
// No coroutines, no virtual calls, no allocation on the way; an event is eight bytes in a binary heap, and a task that
// makes an appointment in its own turn replaces the heap's top instead of popping it. But one event for each page that
// the locker passes: what it would take to do better is what mlocksim is compared for.
#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "tests/peers/peer_model.h"

namespace peers {

namespace {

/// A binary heap of at most one event for each task, by (time, task).
class EventHeap {
 public:
  static constexpr int kMostTasks = 256;

  [[nodiscard]] Time next_time() const {
    return Time{Nanoseconds{static_cast<std::int64_t>(heap_.front() >> kTaskBits)}};
  }
  [[nodiscard]] int next_task() const { return static_cast<int>(heap_.front() % kMostTasks); }

  void push(Time at, int task) {
    std::size_t hole = heap_.size();
    const std::uint64_t event = make(at, task);
    heap_.push_back(event);
    for (std::size_t parent = (hole - 1) / 2; hole > 0 && event < heap_[parent]; parent = (hole - 1) / 2) {
      heap_[hole] = heap_[parent];
      hole = parent;
    }
    heap_[hole] = event;
  }
  void replace_next(Time at, int task) { sift_down(make(at, task)); }
  void pop() {
    const std::uint64_t last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sift_down(last);
  }

 private:
  static constexpr unsigned kTaskBits = 8;

  static std::uint64_t make(Time at, int task) {
    return (static_cast<std::uint64_t>(at.time_since_epoch().count()) << kTaskBits) | static_cast<std::uint64_t>(task);
  }

  // From the top.
  void sift_down(std::uint64_t event) {
    const std::size_t size = heap_.size();
    std::size_t hole = 0;
    for (std::size_t child = 1; child < size; child = 2 * hole + 1) {
      if (child + 1 < size && heap_[child + 1] < heap_[child]) ++child;
      if (event <= heap_[child]) break;
      heap_[hole] = heap_[child];
      hole = child;
    }
    heap_[hole] = event;
  }

  std::vector<std::uint64_t> heap_;
};

/// What a task does when its event comes. First what all tasks do, then the competitors, then the locker.
enum class Step {
  take_semaphore,
  release_semaphore,
  wake_next,
  start_thinking,
  make_request,
  finish_work,
  end_request,
  start_mlock,
  downgrade,
  drain,
  begin_populating,
  page_populated,
  page_mlocked,
  reacquire,
  end_mlock,
  start_munlock,
  start_unlocking,
  page_munlocked,
  end_munlock,
};

/// What a task is about to do, besides its next step.
struct Task {
  Step step{};
  LockMode mode{};           // in which it asks for mmap_sem, or holds it
  Step when_held{};          // its next step once it holds mmap_sem,
  Nanoseconds until_then{};  // and how long it works first
  Step after_waking{};       // what comes after a release, at once
  std::vector<Waiter> woken;
  std::size_t next_woken = 0;
};

class HeapPeer {
 public:
  explicit HeapPeer(Model& model)
      : model_(model), costs_(model.costs), tasks_(static_cast<std::size_t>(model.tasks())) {
    if (model.tasks() > EventHeap::kMostTasks) throw std::invalid_argument("too many tasks");
    for (int task = 0; task < model.tasks(); ++task) {
      self(task).step = task == kLocker ? Step::start_mlock : Step::start_thinking;
      heap_.push(Time{costs_.wake_up_latency}, task);
    }
  }

  void run() {
    while (!model_.stopped()) {
      ++model_.events;
      now_ = heap_.next_time();
      const int task = heap_.next_task();
      rescheduled_ = false;
      take(task, self(task).step);
      if (!rescheduled_) heap_.pop();
    }
  }

 private:
  Task& self(int task) { return tasks_[static_cast<std::size_t>(task)]; }

  // The task whose turn it is makes its next appointment.
  void go_on(int task, Nanoseconds after, Step step) {
    assert(!rescheduled_);
    rescheduled_ = true;
    self(task).step = step;
    heap_.replace_next(now_ + after, task);
  }

  void take(int task, Step step) {
    switch (step) {
      case Step::take_semaphore:
        return take_semaphore(task);
      case Step::release_semaphore:
        return release_semaphore(task);
      case Step::wake_next:
        return wake_next(task);
      case Step::start_thinking:
        return think(task);
      case Step::make_request:
        return make_request(task);
      case Step::finish_work:
        return finish_work(task);
      case Step::end_request:
        return end_request(task);
      case Step::start_mlock:
        return start_mlock();
      case Step::downgrade:
        return downgrade();
      case Step::drain:
        return go_on(kLocker, model_.drain(), Step::begin_populating);
      case Step::begin_populating:
        return begin_populating();
      case Step::page_populated:
        return page_populated();
      case Step::page_mlocked:
        return page_mlocked();
      case Step::reacquire:
        return reacquire();
      case Step::end_mlock:
        return end_mlock();
      case Step::start_munlock:
        return start_munlock();
      case Step::start_unlocking:
        return go_on(kLocker, costs_.munlock_page, Step::page_munlocked);
      case Step::page_munlocked:
        return page_munlocked();
      case Step::end_munlock:
        return end_munlock();
    }
  }

  // mmap_sem ----------------------------------------------------------------------------------------------------

  // Asks for it after `before`; once it holds it, works for `under` and takes `step`.
  void ask(int task, LockMode mode, Nanoseconds before, Nanoseconds under, Step step) {
    Task& asking = self(task);
    asking.mode = mode;
    asking.until_then = under;
    asking.when_held = step;
    go_on(task, before, Step::take_semaphore);
  }

  // Who queues has no appointment until it is woken.
  void take_semaphore(int task) {
    const Task& asking = self(task);
    if (model_.semaphore.down(task, asking.mode, now_)) go_on(task, asking.until_then, asking.when_held);
  }

  // Gives it away after `before`, wakes whom that lets in, and takes `step`.
  void release(int task, Nanoseconds before, Step step) {
    self(task).after_waking = step;
    go_on(task, before + costs_.rwsem_operation, Step::release_semaphore);
  }

  void release_semaphore(int task) {
    model_.semaphore.up(self(task).mode, self(task).woken);
    wake_those_let_in(task);
  }

  void wake_those_let_in(int task) {
    for (const Waiter& waiter : self(task).woken) model_.note_granted(waiter, now_);
    wake_more(task);
  }

  void wake_more(int task) {
    Task& waker = self(task);
    if (waker.next_woken < waker.woken.size()) return go_on(task, costs_.rwsem_wake, Step::wake_next);
    waker.woken.clear();
    waker.next_woken = 0;
    take(task, waker.after_waking);
  }

  void wake_next(int task) {
    Task& waker = self(task);
    const Waiter& next = waker.woken[waker.next_woken++];
    Task& woken = self(next.task);
    model_.note_woken(next, now_);
    woken.step = woken.when_held;
    heap_.push(now_ + costs_.wake_up_latency + woken.until_then, next.task);
    wake_more(task);
  }

  // The competitors ---------------------------------------------------------------------------------------------

  void think(int task) {
    const Nanoseconds thought = model_.competitor(task).think();
    if (thought == Nanoseconds{0}) return make_request(task);
    go_on(task, thought + costs_.wake_up_latency, Step::make_request);
  }

  void make_request(int task) {
    model_.begin_request(task, now_);
    const Plan plan = model_.competitor(task).plan();
    ask(task, plan.mode, plan.before, plan.under, Step::finish_work);
  }

  void finish_work(int task) {
    model_.competitor(task).take_effect(model_.region);
    release(task, Nanoseconds{0}, Step::end_request);
  }

  void end_request(int task) {
    model_.end_request(task, now_);
    think(task);
  }

  // The locker --------------------------------------------------------------------------------------------------

  [[nodiscard]] bool downgrades() const { return model_.options.policy == Policy::downgrade; }

  void start_mlock() {
    model_.begin_call(now_);
    const Nanoseconds before = costs_.system_call + costs_.rwsem_operation;
    if (downgrades()) {
      ask(kLocker, LockMode::write, before, costs_.find_vma + costs_.rwsem_operation, Step::downgrade);
    } else {
      ask(kLocker, LockMode::write, before, costs_.find_vma + model_.drain(), Step::begin_populating);
    }
  }

  void downgrade() {
    Task& locker = self(kLocker);
    locker.mode = LockMode::read;
    locker.after_waking = Step::drain;
    model_.region.locked = true;  // before anybody else is let in
    model_.semaphore.downgrade(locker.woken);
    wake_those_let_in(kLocker);
  }

  void begin_populating() {
    model_.region.locked = true;
    begin_batch(0);
    lock_pages();
  }

  void begin_batch(std::int64_t start) {
    batch_ = page_ = start;
    batch_end_ = std::min(start + kPagesPerBatch, model_.region.pages());
  }

  // Finds what is to be done next: absent pages from `page_` on in the batch, then its resident pages, then the next
  // batch.
  void lock_pages() {
    const Region& region = model_.region;
    for (;; begin_batch(batch_end_)) {
      page_ = region.find(page_, batch_end_, PageState::absent);
      if (page_ < batch_end_) {
        populated_ = page_;
        absent_end_ = region.end_of_absent(page_, batch_end_);
        return go_on(kLocker, costs_.populate_page, Step::page_populated);
      }
      page_ = region.find(batch_, batch_end_, PageState::resident);
      if (page_ < batch_end_) return go_on(kLocker, costs_.mlock_page, Step::page_mlocked);
      if (batch_end_ == region.pages()) break;
    }
    release(kLocker, model_.drain(), downgrades() ? Step::reacquire : Step::end_mlock);
  }

  void page_populated() {
    if (++populated_ < absent_end_) return go_on(kLocker, costs_.populate_page, Step::page_populated);
    model_.region.populate(page_, absent_end_);
    lock_pages();
  }

  void page_mlocked() {
    model_.region.set(page_, PageState::mlocked);
    page_ = model_.region.find(page_ + 1, batch_end_, PageState::resident);
    if (page_ < batch_end_) return go_on(kLocker, costs_.mlock_page, Step::page_mlocked);
    lock_pages();
  }

  // The patch's window: the release that follows is that of end_mlock.
  void reacquire() {
    ask(kLocker, LockMode::write, costs_.rwsem_operation, costs_.find_vma + costs_.rwsem_operation,
        Step::release_semaphore);
    self(kLocker).after_waking = Step::end_mlock;
  }

  void end_mlock() {
    model_.end_call(Call::mlock, now_);
    start_munlock();
  }

  void start_munlock() {
    model_.begin_call(now_);
    page_ = 0;
    ask(kLocker, LockMode::write, costs_.system_call + costs_.rwsem_operation, costs_.find_vma + model_.drain(),
        Step::start_unlocking);
  }

  void page_munlocked() {
    model_.region.set(page_++, PageState::resident);
    if (page_ < model_.region.pages()) return go_on(kLocker, costs_.munlock_page, Step::page_munlocked);
    release(kLocker, model_.drain(), Step::end_munlock);
  }

  void end_munlock() {
    model_.end_call(Call::munlock, now_);
    model_.end_run(now_);
  }

  Model& model_;
  const Costs& costs_;
  EventHeap heap_;
  std::vector<Task> tasks_;
  Time now_{};
  bool rescheduled_ = false;

  // Of the locker: the batch, where it is in it, and the absent pages that it populates.
  std::int64_t batch_ = 0;
  std::int64_t batch_end_ = 0;
  std::int64_t page_ = 0;
  std::int64_t populated_ = 0;
  std::int64_t absent_end_ = 0;
};

}  // namespace

}  // namespace peers

int main(int argc, char** argv) {
  return peers::main_of_peer(argc, argv, [](peers::Model& model) {
    peers::HeapPeer peer(model);
    return peers::wall_time([&] { peer.run(); });
  });
}
