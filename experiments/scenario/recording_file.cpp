#include "experiments/scenario/recording_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>
#include <vector>

#include "experiments/base/diagnostics.h"

namespace experiments {

namespace {

using models::RecordedRequest;

constexpr const char* kFirstLine = "# mlocksim recording 1";
constexpr const char* kNoRegion = "-";

std::optional<RecordedRequest::Call> call_named(const std::string& name) {
  for (std::size_t call = 0; call < RecordedRequest::kCallCount; ++call) {
    const auto each = static_cast<RecordedRequest::Call>(call);
    if (to_string(each) == name) return each;
  }
  return std::nullopt;
}

std::vector<std::string> call_names() {
  std::vector<std::string> names;
  for (std::size_t call = 0; call < RecordedRequest::kCallCount; ++call) {
    names.emplace_back(to_string(static_cast<RecordedRequest::Call>(call)));
  }
  return names;
}

std::int32_t index_of(const std::string& region, std::vector<std::string>& regions) {
  if (region == kNoRegion) return -1;
  const auto known = std::find(regions.begin(), regions.end(), region);
  const auto index = static_cast<std::int32_t>(known - regions.begin());
  if (known == regions.end()) regions.push_back(region);
  return index;
}

/// What is wrong with a request; empty: nothing.
std::string mistake_in(const RecordedRequest& request) {
  using RequestCall = RecordedRequest::Call;
  const auto whole_pages = [](models::Bytes bytes) { return bytes.count() % models::kPageSize == 0; };
  const auto impossible = [](sim::Nanoseconds time) { return time.count() < 0 || time > kLongestDuration; };
  const std::array times{request.due, request.think, request.write_hold, request.read_hold};
  if (std::any_of(times.begin(), times.end(), impossible) ||
      std::any_of(request.wake_ups.begin(), request.wake_ups.end(), impossible)) {
    return "expected times of 0 to 30 days in nanoseconds";
  }
  const bool in_range = request.offset.count() >= 0 && request.size.count() >= 0 && request.size <= kLargestSize &&
                        request.offset <= kLargestSize;
  if (!in_range || !whole_pages(request.offset) || !whole_pages(request.size))
    return "expected offset and size of whole pages, in bytes";
  const bool has_size = request.size.count() > 0;
  if (has_size == is_hold(request.call)) return "expected a size above 0 for all but hold";
  const bool on_mapping = !is_hold(request.call) && request.call != RequestCall::fault &&
                          request.call != RequestCall::kernel_fault && request.call != RequestCall::mmap &&
                          request.call != RequestCall::munmap;
  if (on_mapping && request.region < 0) return fmt::format("expected a region for {}", to_string(request.call));
  constexpr int kMostReplayed = 10'000;
  return request.thread < 0 || request.thread >= kMostReplayed ? "expected a thread of 0 to 9999" : "";
}

/// Of `40000,3100000`; empty: of none. None: that is no such list.
std::optional<models::WakeUps> wake_ups_of(const std::string& text) {
  models::WakeUps wake_ups;
  if (text.ends_with(',')) return std::nullopt;
  std::istringstream numbers(text);
  for (std::string number; std::getline(numbers, number, ',');) {
    std::int64_t each = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), each);
    if (error != std::errc{} || end != number.data() + number.size() || each <= 0) return std::nullopt;
    wake_ups.emplace_back(each);
  }
  return wake_ups;
}

/// Adds the request of a line. Returns what is wrong with it; empty: nothing.
std::string add_line(const std::string& text, models::Recording& recording, std::vector<std::string>& regions) {
  std::istringstream words(text);
  std::int64_t due = 0;
  std::int64_t think = 0;
  std::int64_t offset = 0;
  std::int64_t size = 0;
  std::int64_t write = 0;
  std::int64_t read = 0;
  std::string call;
  std::string region;
  RecordedRequest request;
  words >> request.thread >> due >> think >> call >> region >> offset >> size >> write >> read;
  const bool complete = !words.fail();
  std::string wake_ups;
  std::string more;
  words >> wake_ups >> more;
  const auto woken = wake_ups_of(wake_ups);
  if (!complete || !more.empty() || !woken) {
    return fmt::format("expected `thread due think call region offset size write read [wake_ups]`, found '{}'", text);
  }
  const auto known = call_named(call);
  if (!known) return fmt::format("there is no call '{}'{}", call, did_you_mean(call, call_names()));
  request.call = *known;
  request.due = sim::Nanoseconds{due};
  request.think = sim::Nanoseconds{think};
  request.write_hold = sim::Nanoseconds{write};
  request.read_hold = sim::Nanoseconds{read};
  request.offset = models::Bytes(offset);
  request.size = models::Bytes(size);
  request.region = index_of(region, regions);
  request.wake_ups = *woken;
  recording.push_back(request);
  return mistake_in(request);
}

}  // namespace

Expected<models::ReplaySpec> read_recording(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) return Refusal{fmt::format("'{}': cannot be read", file.string())};
  models::ReplaySpec replay;
  models::Recording recording;
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    const auto refuse = [&](const std::string& why) {
      return Refusal{fmt::format("{}:{}: {}", file.string(), number, why)};
    };
    if (++number == 1 && line != kFirstLine) return refuse(fmt::format("expected `{}`, found '{}'", kFirstLine, line));
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (const std::string why = add_line(line, recording, replay.regions); !why.empty()) return refuse(why);
  }
  if (recording.empty()) return Refusal{fmt::format("'{}': expected requests, found none", file.string())};
  replay.recording = std::make_shared<const models::Recording>(std::move(recording));
  return replay;
}

std::string recording_text(const models::ReplaySpec& replay) {
  std::string text = fmt::format("{}\n# thread due think call region offset size write read wake_ups\n", kFirstLine);
  for (const RecordedRequest& request : *replay.recording) {
    const std::string region =
        request.region < 0 ? kNoRegion : replay.regions[static_cast<std::size_t>(request.region)];
    fmt::format_to(std::back_inserter(text), "{} {} {} {} {} {} {} {} {}", request.thread, request.due.count(),
                   request.think.count(), to_string(request.call), region, request.offset.count(), request.size.count(),
                   request.write_hold.count(), request.read_hold.count());
    for (std::size_t each = 0; each < request.wake_ups.size(); ++each) {
      fmt::format_to(std::back_inserter(text), "{}{}", each == 0 ? ' ' : ',', request.wake_ups[each].count());
    }
    text += '\n';
  }
  return text;
}

}  // namespace experiments
