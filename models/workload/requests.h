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

/// Makes requests to the process that owns `mm`, for as long as the run or that process lasts. While a request is
/// served it holds a reference: the last one may find itself unmapping a process that has exited meanwhile. A `call`
/// that returns false was the last one.
template <class Call>
void make_requests(Task& current, Mm& mm, const Arrival& arrival, ClassRecord& record, Call call,
                   bool new_process = false) {
  current.ledger().remember();
  Measurement& measurement = current.kernel().measurement;
  bool served = false;
  std::optional<sim::Time>& in_service = record.in_service.emplace_back();
  const auto serve = [&](Request request) {
    if (!get_task_mm(mm)) return false;
    in_service = request.due();
    bool more = true;
    with_mutex(current, [&] {
      if constexpr (std::same_as<std::invoke_result_t<Call>, bool>) {
        more = call();
      } else {
        call();
      }
    });
    mmput(current, mm);
    request.end(record, mm.locker_phases);
    in_service.reset();
    if (!std::exchange(served, true) && !record.counts_warm_up) measurement.first_served(current.now());
    if (measurement.end() && request.due() <= *measurement.end()) record.take_off(measurement, 1);
    return more;
  };

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
    } while (serve(Request(current)));
  } else {
    OpenArrivals& arrivals =
        record.open_arrivals.emplace_back(std::get<OpenLoop>(arrival).every, demand, current.settle());
    for (;;) {
      const sim::Time due = arrivals.next();
      Request request = due > current.settle() ? Request::sleep_until(current, due) : Request::overdue(current, due);
      arrivals.begin();
      if (!serve(request)) break;
    }
    if (const auto end = measurement.end()) record.take_off(measurement, arrivals.given_up(*end));
    arrivals.stop();
  }
  if (!served && !record.counts_warm_up) measurement.first_served(current.now());
}

}  // namespace models
