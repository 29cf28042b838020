#include "experiments/scenario/call_releases.h"

#include <variant>
#include <vector>

namespace experiments {

namespace {

using models::Advice;
using models::KernelVersion;
using Call = models::ScriptStep::Call;
using Calls = std::vector<DatedCall>;

// The releases are those of the manual pages madvise(2), process_madvise(2), mlock(2), userfaultfd(2) and proc(5), and
// of the merges of VFIO, io_uring, KSM (its admin-guide) and NUMA balancing.

Calls of_advice(Advice advice) {
  switch (advice) {
    case Advice::hugepage:
      return {{"madvise(MADV_HUGEPAGE)", {2, 6, 38}}};
    case Advice::nohugepage:
      return {{"madvise(MADV_NOHUGEPAGE)", {2, 6, 38}}};
    case Advice::free:
      return {{"madvise(MADV_FREE)", {4, 5}}};
    case Advice::cold:
      return {{"madvise(MADV_COLD)", {5, 4}}};
    case Advice::pageout:
      return {{"madvise(MADV_PAGEOUT)", {5, 4}}};
    case Advice::populate_read:
      return {{"madvise(MADV_POPULATE_READ)", {5, 14}}};
    case Advice::populate_write:
      return {{"madvise(MADV_POPULATE_WRITE)", {5, 14}}};
    case Advice::dontneed_locked:
      return {{"madvise(MADV_DONTNEED_LOCKED)", {5, 18}}};
    case Advice::collapse:
      return {{"madvise(MADV_COLLAPSE)", {6, 1}}};
    case Advice::normal:
    case Advice::random:
    case Advice::sequential:
    case Advice::dontfork:
    case Advice::dofork:
    case Advice::willneed:
    case Advice::dontneed:
    case Advice::remove:
      return {};
  }
  return {};
}

Calls calls_of(const models::LockerSpec& locker) {
  Calls calls;
  for (const models::ScriptStep& step : locker.script) {
    if (step.call == Call::mlock_onfault) calls.push_back({"mlock2(MLOCK_ONFAULT)", {4, 4}});
    if (step.call == Call::mlockall_onfault) calls.push_back({"mlockall(MCL_ONFAULT)", {4, 4}});
  }
  return calls;
}

Calls calls_of(const models::MadviserSpec& madviser) {
  Calls calls = of_advice(madviser.advice);
  if (!madviser.target.empty()) calls.push_back({"process_madvise", {5, 10}});
  return calls;
}

Calls calls_of(const models::KsmSpec& /*any*/) { return {{"KSM", {2, 6, 32}}}; }

Calls calls_of(const models::NumaBalancingSpec& /*any*/) { return {{"NUMA balancing", {3, 8}}}; }

Calls calls_of(const models::UserfaultSpec& monitor) {
  Calls calls{{"userfaultfd", {4, 3}}};
  if (!monitor.move_from.empty()) calls.push_back({"UFFDIO_MOVE", {6, 8}});
  return calls;
}

Calls calls_of(const models::ProcReaderSpec& reader) {
  if (reader.file != models::ProcReaderSpec::File::smaps_rollup) return {};
  return {{"/proc/PID/smaps_rollup", {4, 14}}};
}

Calls calls_of(const models::PinnerSpec& pinner) {
  using By = models::PinnerSpec::By;
  if (pinner.by == By::io_uring) return {{"io_uring", {5, 1}}};
  if (pinner.by == By::vfio) return {{"VFIO", {3, 6}}};
  return {};
}

template <typename Spec>
Calls calls_of(const Spec& /*old*/) {
  return {};
}

}  // namespace

std::optional<DatedCall> call_after(const KernelVersion& kernel, const models::ThreadSpec& thread) {
  for (DatedCall& call : std::visit([](const auto& spec) { return calls_of(spec); }, thread.run)) {
    if (call.since > kernel) return std::move(call);
  }
  return std::nullopt;
}

}  // namespace experiments
