#include "experiments/run/trace/trace_limit.h"

#include <algorithm>

namespace experiments::trace {

void Limit::keep(sim::Time now) {
  latest_ = std::max(latest_, now);
  if (left_out_from_ || events_.bytes() < limit_) return;
  left_out_from_ = latest_;
  windows_.end_at(latest_);
  events_.mark(pid_, latest_, "the file has reached its limit: nothing is shown from here on");
}

}  // namespace experiments::trace
