// What `import` prints of a trace, in the tables that `run` prints of a simulated one.
#pragma once

#include <string>
#include <vector>

#include "experiments/base/json.h"
#include "experiments/host/trace/trace_analysis.h"
#include "experiments/host/trace/trace_reader.h"
#include "models/measure/result.h"

namespace experiments {

/// What could not be told, and what that costs: a sentence each, without a full stop.
[[nodiscard]] std::vector<std::string> shortcomings(const TraceContents& contents, const TraceGaps& gaps);

/// What the trace is, its shortcomings, latencies, what the slowest waited for, system calls, locks, and the `worst`
/// longest requests one by one (1 .. kMostAutopsies).
[[nodiscard]] std::string trace_report(const TraceContents& contents, const TraceGaps& gaps,
                                       const models::Result& result, std::size_t worst);

/// Beside the result in its JSON: form, decimals, events (by kind), length_ns, lock_offset (null: not learnt),
/// faults_with_lock, lost, shortcomings.
[[nodiscard]] Json to_json(const TraceContents& contents, const TraceGaps& gaps);

}  // namespace experiments
