#include "models/block/block_device.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "models/task.h"
#include "sim/engine.h"

namespace models {

CongestionThresholds congestion_thresholds(int nr_requests) {
  assert(nr_requests >= 1);
  const int on = nr_requests - nr_requests / 8 + 1;
  const int off = nr_requests - nr_requests / 8 - nr_requests / 16 - 1;
  return {static_cast<std::size_t>(std::min(on, nr_requests)), static_cast<std::size_t>(std::max(off, 1))};
}

BlockDevice::BlockDevice(sim::Engine& engine, const DeviceSpec& spec)
    : engine_(engine),
      spec_(spec),
      thresholds_(congestion_thresholds(spec.nr_requests)),
      completion_(engine.calendar(), [this] { complete_due(); }) {
  assert(spec.queue_depth >= 1 && spec.transfer_page >= sim::Nanoseconds{0});
  for (int server = 0; server < spec.queue_depth; ++server) servers_.push(sim::Time{});
}

void BlockDevice::read(Task& current, PageCount pages) {
  get_request(current);
  const sim::Nanoseconds service = spec_.read.sample(current.stream(Purpose::fault));
  submit({.service = service, .pages = pages, .direction = &Statistics::read, .tell = [&current] { current.wake(); }});
  current.block(Cause::device_io);
}

void BlockDevice::read_ahead(Task& current, PageCount pages, std::function<void()> arrived) {
  get_request(current);
  const sim::Nanoseconds service = spec_.read.sample(current.stream(Purpose::fault));
  submit({.service = service, .pages = pages, .direction = &Statistics::read, .tell = std::move(arrived)});
}

void BlockDevice::write(Task& current, PageCount pages, std::function<void()> written) {
  get_request(current);
  const sim::Nanoseconds service = spec_.write.sample(current.stream(Purpose::reclaim));
  submit({.service = service, .pages = pages, .direction = &Statistics::write, .tell = std::move(written)});
}

// Returns when `current` has a slot, at the present moment of its own clock.
void BlockDevice::get_request(Task& current) {
  const sim::Time now = current.settle();
  if (in_queue_ == static_cast<std::size_t>(spec_.nr_requests)) {
    waiting_.push_back({&current, now});
    return current.block(Cause::device_io);
  }
  ++in_queue_;
  statistics_.longest_queue = std::max(statistics_.longest_queue, in_queue_);
  statistics_.queue.record(now, static_cast<std::int64_t>(in_queue_));
  if (in_queue_ >= thresholds_.on && !std::exchange(congested_, true)) ++statistics_.congestions;
}

void BlockDevice::submit(Request request) {
  assert(request.pages >= PageCount(1));
  request.number = submitted_++;
  request.submitted = engine_.now();
  link_free_ = std::max(engine_.now(), link_free_) + spec_.transfer_page * request.pages.count();
  request.done = std::max(link_free_, servers_.top()) + request.service;
  servers_.pop();
  servers_.push(request.done);
  requests_.push_back(std::move(request));
  std::push_heap(requests_.begin(), requests_.end(), std::greater<>());
  await_completion();
}

void BlockDevice::await_completion() {
  if (requests_.empty() || completion_.due() == requests_.front().done) return;
  completion_.schedule(requests_.front().done);
}

BlockDevice::Request BlockDevice::take_first_done() {
  std::pop_heap(requests_.begin(), requests_.end(), std::greater<>());
  Request request = std::move(requests_.back());
  requests_.pop_back();
  return request;
}

void BlockDevice::complete_due() {
  while (!requests_.empty() && requests_.front().done <= engine_.now()) complete(take_first_done());
  await_completion();
}

void BlockDevice::complete(const Request& request) {
  Statistics::Direction& direction = statistics_.*request.direction;
  direction.pages += static_cast<std::uint64_t>(request.pages.count());
  direction.latency.record(request.done - request.submitted);
  statistics_.busy += request.service;
  // Before anybody is told, so that they find the queue as the request has left it.
  Task* const next = pass_slot_on();
  request.tell();
  if (next != nullptr) next->wake();
}

// The one that waits for room longest now has the slot of a request that is done; null when nobody waits.
Task* BlockDevice::pass_slot_on() {
  if (waiting_.empty()) {
    --in_queue_;
    statistics_.queue.record(engine_.now(), static_cast<std::int64_t>(in_queue_));
    congested_ = congested_ && in_queue_ >= thresholds_.off;
    return nullptr;
  }
  const Waiter next = waiting_.front();
  waiting_.pop_front();
  statistics_.room_waits.record(engine_.now() - next.since);
  return next.task;
}

}  // namespace models
