// A block device that tasks share: swap or a disk, under kswapd's write-back, direct reclaim and major faults.
//
// Models. A link and, behind it, the media: two FIFO queues in a row. The link carries one request at a time, a page in
// transfer_page; the media are `queue_depth` equal servers (G/G/k), and a request goes to the one that gets free first.
// A request's service time is drawn when it is submitted, so it is known at once when it will be done. At most
// nr_requests are in the queue and in service; whoever wants to submit another sleeps, and gets the slot of the next
// request that is done, in the order of asking: the slot changes hands at that moment, so no newcomer takes it.
// Kernel. block/blk-core.c of 2.6.28: get_request and get_request_wait (a submitter sleeps while the queue is full),
// freed_request (one waiter is woken for each request that is done), blk_queue_congestion_threshold.
// Simplified. One count for reads and writes together, where request_list counts each against nr_requests of its own;
// a read's data crosses the link before the media have found it, which makes the same sum; no batching (a woken task
// may there go on to 3/2 of nr_requests); no elevator, merging or plugging; submission costs nothing of its own: charge
// it to the caller. Interrupts take no CPU time. Validated by tests/models/block/block_device_test.cpp: closed forms of
// waits, M/D/1, saturation, who waits for room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

#include "models/measure/memory_statistics.h"
#include "models/spec/device.h"
#include "models/spec/page.h"
#include "sim/calendar.h"
#include "sim/histogram.h"
#include "sim/time.h"
#include "sim/time_series.h"

namespace sim {
class Engine;
}

namespace models {

class Task;

/// Where a queue begins and ceases to be congested, in requests.
struct CongestionThresholds {
  std::size_t on;   ///< congested when it has grown to this
  std::size_t off;  ///< no longer congested when it has shrunk below this

  bool operator==(const CongestionThresholds&) const = default;
};

/// blk_queue_congestion_threshold of 2.6.28: on = nr - nr/8 + 1, at most nr; off = nr - nr/8 - nr/16 - 1, at least 1.
/// (113 and 103 of 128.) Precondition: nr_requests >= 1.
[[nodiscard]] CongestionThresholds congestion_thresholds(int nr_requests);

/// Every operation settles the caller's clock first.
class BlockDevice {
 public:
  using Statistics = DeviceStatistics;

  BlockDevice(sim::Engine& engine, const DeviceSpec& spec);
  BlockDevice(const BlockDevice&) = delete;
  BlockDevice& operator=(const BlockDevice&) = delete;

  /// Reads `pages` (>= 1) and returns when `current` has them and runs again. It is off its CPU meanwhile, charged to
  /// Cause::device_io. The service time is drawn from its stream for faults.
  void read(Task& current, PageCount pages);
  /// Submits a read of `pages` (>= 1) that nobody waits for. Waits, charged to Cause::device_io, only for room in the
  /// queue. When it is done, `arrived` is called as `written` of a write is. The service time is drawn as read()'s.
  void read_ahead(Task& current, PageCount pages, std::function<void()> arrived);
  /// Submits a write of `pages` (>= 1). Waits, charged to Cause::device_io, only for room in the queue. When the write
  /// is done, `written` is called in no task's turn: it may wake tasks, but not wait or use the device. The service
  /// time is drawn from the stream for reclaim of `current`.
  void write(Task& current, PageCount pages, std::function<void()> written);

  /// Near to full: who writes back for somebody else had better wait.
  [[nodiscard]] bool congested() const { return congested_; }
  /// Requests in the queue and in service, and slots on their way to whoever waited for one; at most nr_requests.
  [[nodiscard]] std::size_t in_queue() const { return in_queue_; }
  /// Tasks that wait for a slot.
  [[nodiscard]] std::size_t waiting_for_room() const { return waiting_.size(); }

  [[nodiscard]] const DeviceSpec& spec() const { return spec_; }
  [[nodiscard]] const Statistics& statistics() const { return statistics_; }

 private:
  /// In the queue or in service: when it will be done is certain already.
  struct Request {
    sim::Time done{};
    std::uint64_t number = 0;  // in the order of submission
    sim::Time submitted{};
    sim::Nanoseconds service;
    PageCount pages;
    Statistics::Direction Statistics::*direction;
    std::function<void()> tell;

    bool operator>(const Request& other) const {
      return done != other.done ? done > other.done : number > other.number;
    }
  };

  /// A task that wants to submit a request and has no slot for it.
  struct Waiter {
    Task* task;
    sim::Time since;
  };

  void get_request(Task& current);
  void submit(Request request);
  Request take_first_done();
  void await_completion();
  void complete_due();
  void complete(const Request& request);
  Task* pass_slot_on();

  sim::Engine& engine_;
  DeviceSpec spec_;
  CongestionThresholds thresholds_;
  // When each server gets free of all that has been submitted so far, the earliest on top.
  std::priority_queue<sim::Time, std::vector<sim::Time>, std::greater<>> servers_;
  sim::Time link_free_{};          // of all that has been submitted so far
  std::vector<Request> requests_;  // a heap: the first to be done in front
  std::uint64_t submitted_ = 0;
  std::deque<Waiter> waiting_;
  std::size_t in_queue_ = 0;
  bool congested_ = false;
  Statistics statistics_;
  sim::Event completion_;
};

}  // namespace models
