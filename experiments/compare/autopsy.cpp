#include "experiments/compare/autopsy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

#include "experiments/base/quantity.h"
#include "experiments/base/terminal.h"
#include "experiments/run/result_json.h"

namespace experiments {

namespace {

using models::Cause;
using models::LockMode;
using models::WorstRequest;
using models::WorstStep;

using Names = std::vector<std::string>;

std::string name_of(models::ClassId id, const Names& classes) {
  return (id < 0 ? "the " : "") + class_name(id, classes);
}

std::string lock_wait(const std::optional<models::LockBlame>& lock, const Names& classes) {
  if (!lock) return "waits for a lock";
  const std::string holder = name_of(lock->holder, classes);
  const std::string held =
      fmt::format("held for {} by {} in {}", to_string(lock->mode), holder, to_string(lock->phase));
  if (lock->convoy >= 0) {
    return fmt::format("stands behind {}, who wants {} for write, {}{}", name_of(lock->convoy, classes),
                       to_string(lock->lock), held, meanwhile(*lock, classes));
  }
  return fmt::format("waits for {}, {}{}", to_string(lock->lock), held, meanwhile(*lock, classes));
}

std::string sentence(const WorstStep& step, const Names& classes) {
  switch (step.cause) {
    case Cause::cpu:
      return "works";
    case Cause::run_queue:
      return "waits for a CPU";
    case Cause::throttled:
      return "is throttled: its group has used up its quota";
    case Cause::wake_up:
      return "is being woken";
    case Cause::lock_wait:
      return lock_wait(step.lock, classes);
    case Cause::direct_reclaim:
      return "reclaims memory for its own allocation";
    case Cause::reclaim_throttle:
      return "waits for reclaim to make progress";
    case Cause::device_io:
      return "waits for the device";
    case Cause::interrupted:
      return "is interrupted: its CPU stands still";
    case Cause::userfault:
      return "waits for userfaultfd's monitor";
    case Cause::sleep:
      break;
  }
  return "sleeps";
}

// What was too short for a line.
std::string rest_of(const WorstRequest& request) {
  std::vector<std::string> parts;
  for (std::size_t cause = 0; cause < models::kCauseCount; ++cause) {
    if (request.rest[cause] == sim::Nanoseconds{0}) continue;
    parts.push_back(fmt::format("{} {}", human(request.rest[cause]), to_string(static_cast<Cause>(cause))));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

LongestRequest told_of(const WorstRequest& request, const Names& classes) {
  LongestRequest told{request.task, request.latency, request.due.time_since_epoch(),
                      std::string(to_string(request.phase))};
  for (const WorstStep& step : request.steps) {
    told.steps.push_back({step.from - request.due, step.to - step.from, sentence(step, classes)});
  }
  told.shorter = rest_of(request);
  return told;
}

std::string report(std::size_t place, const LongestRequest& request) {
  std::string text = fmt::format("{:>3}. {}: {}, due at {} during {}\n", place, request.task, human(request.latency),
                                 human(request.due), request.during);
  for (const LongestRequest::Step& step : request.steps) {
    const std::string when = fmt::format("        +{:<9} {:>8}  ", human(step.after), human(step.length));
    text += when + wrapped(step.what, page_width(), when.size());
  }
  return text + (request.shorter.empty() ? "" : fmt::format("        and shorter ones: {}\n", request.shorter));
}

}  // namespace

std::string meanwhile(const models::LockBlame& lock, const std::vector<std::string>& classes) {
  switch (lock.doing) {
    case Cause::run_queue:
      if (lock.cpu_taken_by < 0) return ", who waits for a CPU";
      return fmt::format(", who waits for the CPU that {} has taken", name_of(lock.cpu_taken_by, classes));
    case Cause::throttled:
      return ", who is throttled: its group has used up its quota";
    case Cause::wake_up:
      return ", who is being woken";
    case Cause::lock_wait:
      return ", who waits for another lock";
    case Cause::direct_reclaim:
      return ", who reclaims memory for itself";
    case Cause::reclaim_throttle:
      return ", who waits for reclaim to make progress";
    case Cause::device_io:
      return ", who waits for the device";
    case Cause::interrupted:
      return ", who is interrupted: its CPU stands still";
    case Cause::userfault:
      return ", who waits for userfaultfd's monitor";
    case Cause::sleep:
      return ", who sleeps";
    case Cause::cpu:
      break;
  }
  return "";
}

std::string mainly(const WorstRequest& request, const std::vector<std::string>& classes) {
  std::map<std::string, sim::Nanoseconds> times;
  for (const WorstStep& step : request.steps) times[sentence(step, classes)] += step.to - step.from;
  const auto most =
      std::max_element(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == times.end() ? "many short steps" : most->first;
}

std::vector<LongestRequest> longest_requests(const models::Result& result, std::size_t count) {
  std::vector<const WorstRequest*> all;
  for (const models::ClassResult& each : result.classes) {
    for (const WorstRequest& request : each.worst) all.push_back(&request);
  }
  std::stable_sort(all.begin(), all.end(), [](const WorstRequest* a, const WorstRequest* b) {
    return a->latency != b->latency ? a->latency > b->latency : a->due < b->due;
  });
  all.resize(std::min(count, all.size()));
  const Names classes = result.class_names();
  std::vector<LongestRequest> told;
  for (const WorstRequest* const request : all) told.push_back(told_of(*request, classes));
  return told;
}

std::string autopsy(const models::Result& result, std::size_t count) {
  const std::vector<LongestRequest> all = longest_requests(result, count);
  if (all.empty()) return "Nobody made a request.\n";
  const std::string longest = all.size() == 1 ? "longest request" : fmt::format("{} longest requests", all.size());
  std::string text =
      fmt::format("The {}: what {} went through, and from when on\n", longest, all.size() == 1 ? "it" : "each");
  for (std::size_t place = 0; place < all.size(); ++place) text += report(place + 1, all[place]);
  return text;
}

}  // namespace experiments
