// Requests, one after another or due at times of their own.
//
// A closed loop thinks, asleep, and then makes a request, whose latency counts from the moment it is made: a timer that
// is late makes fewer of them. An open loop has requests due at times of their own; latency counts from there, so
// nothing is hidden by coordinated omission.
// Validated by tests/models/workload/workload_test.cpp.
#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "models/kernel.h"
#include "models/measure/recorder.h"
#include "models/mm/exit_mmap.h"
#include "models/mm/mm.h"
#include "models/spec/scenario.h"
#include "models/task.h"
#include "models/workload/calls.h"

namespace models {

/// Serves the requests of one thread to the process that owns `mm`: a `call` each. One that returns false was the last.
/// While a request is served the thread holds a reference: the last one may find itself unmapping a process that has
/// exited meanwhile.
template <class Call>
class RequestServer {
 public:
  RequestServer(Task& current, Mm& mm, ClassRecord& record, Call call)
      : current_(current), mm_(mm), record_(record), in_service_(record.in_service.emplace_back()), call_(call) {
    current.ledger().remember();
  }

  /// Returns whether there may be another one: not when the process has gone, and the request was not served.
  bool serve(Request request) {
    gone_ = !get_task_mm(mm_);
    if (gone_) return false;
    in_service_ = request.due();
    bool more = true;
    with_mutex(current_, [&] {
      if constexpr (std::same_as<std::invoke_result_t<Call>, bool>) {
        more = call_();
      } else {
        call_();
      }
    });
    mmput(current_, mm_);
    request.end(record_, mm_.locker_phases);
    in_service_.reset();
    Measurement& measurement = current_.kernel().measurement;
    if (!std::exchange(served_, true) && !record_.counts_warm_up) measurement.first_served(current_.now());
    if (measurement.end() && request.due() <= *measurement.end()) record_.take_off(measurement, 1);
    return more;
  }

  /// Whether the process had gone when the last request came.
  [[nodiscard]] bool gone() const { return gone_; }

  /// There will be no other one.
  void stop() {
    if (!served_ && !record_.counts_warm_up) current_.kernel().measurement.first_served(current_.now());
  }

 private:
  Task& current_;
  Mm& mm_;
  ClassRecord& record_;
  std::optional<sim::Time>& in_service_;
  Call call_;
  bool served_ = false;
  bool gone_ = false;
};

/// Makes requests to the process that owns `mm`, for as long as the run or that process lasts, or `call` returns true.
template <class Call>
void make_requests(Task& current, Mm& mm, const Arrival& arrival, ClassRecord& record, Call call,
                   bool new_process = false) {
  RequestServer server(current, mm, record, call);
  sim::Stream& demand = current.stream(Purpose::demand);
  if (const auto* closed = std::get_if<ClosedLoop>(&arrival)) {
    do {
      const sim::Time due = current.settle() + closed->think.sample(demand);
      if (new_process) {
        current.end_and_fork(due);
      } else {
        current.sleep_on_timer_until(due);
      }
      current.work(closed->compute, Purpose::demand);
    } while (server.serve(Request(current)));
  } else {
    OpenArrivals& arrivals =
        record.open_arrivals.emplace_back(std::get<OpenLoop>(arrival).every, demand, current.settle());
    for (;;) {
      const sim::Time due = arrivals.next();
      Request request = due > current.settle() ? Request::sleep_until(current, due) : Request::overdue(current, due);
      arrivals.begin();
      if (!server.serve(request)) break;
    }
    Measurement& measurement = current.kernel().measurement;
    if (const auto end = measurement.end()) {
      record.take_off(measurement, server.gone() ? arrivals.given_up(*end) : arrivals.left_until(*end));
    }
    arrivals.stop();
  }
  server.stop();
}

}  // namespace models
