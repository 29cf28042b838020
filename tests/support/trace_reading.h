// Traces in Chrome's form, read as strictly as their description (experiments/run/trace_file.h) is written.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/time.h"

namespace tests {

struct Slice {
  int tid;
  std::string category;
  std::string name;
  sim::Time from;
  sim::Time to;
  bool unfinished = false;
  std::size_t begun = 0;  // where in the file

  [[nodiscard]] sim::Nanoseconds length() const { return to - from; }
};

struct Arrow {
  int from_tid;
  sim::Time from;
  int to_tid;
  sim::Time to;
  std::size_t written;  // where in the file

  [[nodiscard]] auto key() const { return std::tuple(from_tid, from, to_tid, to); }
};

struct Sample {
  sim::Time at;
  std::int64_t value;
  bool operator==(const Sample&) const = default;
};

/// Reads a trace and complains of everything that is not as it should be.
class Trace {
 public:
  /// `renamed`: processes may get another name later on.
  explicit Trace(const std::string& text, bool renamed = false) : renamed_(renamed) {
    EXPECT_TRUE(text.ends_with("\n]}\n"));
    const nlohmann::json file = nlohmann::json::parse(text, nullptr, false);
    if (file.is_discarded()) throw std::runtime_error("no valid JSON");
    EXPECT_EQ(file.at("displayTimeUnit"), "ns");
    for (const nlohmann::json& event : file.at("traceEvents")) read(event);
    EXPECT_THAT(open_, testing::IsEmpty()) << "slices without an end";
    EXPECT_FALSE(leaving_.has_value()) << "an arrow without an end";
    for (const Arrow& arrow : arrows) check(arrow);
  }

  std::vector<Slice> slices;  // in the order of their ends, for each thread
  std::vector<Arrow> arrows;
  std::map<std::pair<int, std::string>, std::vector<Sample>> counters;
  std::vector<sim::Time> marks;
  std::map<int, std::string> processes;
  std::map<int, std::pair<int, std::string>> threads;  // pid, name

  [[nodiscard]] int pid_of(const std::string& name) const {
    for (const auto& [pid, process] : processes) {
      if (process == name) return pid;
    }
    throw std::runtime_error("no process " + name);
  }
  [[nodiscard]] std::vector<std::string> threads_of(const std::string& process) const {
    std::vector<std::string> names;
    for (const auto& [tid, thread] : threads) {
      if (thread.first == pid_of(process)) names.push_back(thread.second);
    }
    return names;
  }
  template <class Wanted>
  [[nodiscard]] sim::Nanoseconds sum(Wanted wanted) const {
    sim::Nanoseconds total{0};
    for (const Slice& slice : slices) total += wanted(slice) ? slice.length() : sim::Nanoseconds{0};
    return total;
  }

 private:
  void read(const nlohmann::json& event) {
    ++position_;
    const std::string kind = event.at("ph");
    if (kind == "M") return read_metadata(event);
    const double microseconds = event.at("ts");
    const sim::Time time{sim::Nanoseconds{std::llround(microseconds * 1000)}};
    EXPECT_GE(time, sim::Time{});
    const int pid = event.at("pid");
    const int tid = event.at("tid");
    EXPECT_TRUE(processes.contains(pid)) << event;
    if (kind == "i") return marks.push_back(time);
    if (kind == "C") return read_counter(event, pid, time);
    EXPECT_TRUE(threads.contains(tid) && threads[tid].first == pid) << event;
    if (kind == "B") return read_begin(event, tid, time);
    if (kind == "E") return read_end(event, tid, time);
    if (kind == "s" || kind == "f") return read_flow(event, kind, tid, time);
    ADD_FAILURE() << event;
  }

  void read_metadata(const nlohmann::json& event) {
    const std::string name = event.at("name");
    const int pid = event.at("pid");
    const int tid = event.at("tid");
    if (name == "process_name") {
      EXPECT_TRUE(renamed_ || !processes.contains(pid)) << event;
      processes[pid] = event.at("args").at("name");
    } else if (name == "thread_name") {
      EXPECT_TRUE(threads.emplace(tid, std::pair(pid, event.at("args").at("name"))).second) << event;
    } else if (name == "process_sort_index") {
      EXPECT_EQ(event.at("args").at("sort_index"), pid);
    } else {
      EXPECT_EQ(name, "thread_sort_index");
      EXPECT_EQ(event.at("args").at("sort_index"), tid);
    }
  }

  void read_begin(const nlohmann::json& event, int tid, sim::Time time) {
    EXPECT_GE(time, last_end_[tid]) << event;
    const bool first =
        open_.emplace(tid, Slice{tid, event.at("cat"), event.at("name"), time, time, false, position_}).second;
    EXPECT_TRUE(first) << "two at once: " << event;
    EXPECT_NE(event.at("name"), "");
  }

  void read_end(const nlohmann::json& event, int tid, sim::Time time) {
    const auto found = open_.find(tid);
    if (found == open_.end()) {
      ADD_FAILURE() << "nothing to end: " << event;
      return;
    }
    Slice slice = found->second;
    slice.to = time;
    slice.unfinished = event.contains("args");
    EXPECT_GT(slice.to, slice.from) << event;
    slices.push_back(slice);
    last_end_[tid] = time;
    open_.erase(found);
  }

  void read_flow(const nlohmann::json& event, const std::string& kind, int tid, sim::Time time) {
    const int id = event.at("id");
    EXPECT_EQ(event.at("cat"), "wake");
    if (kind == "s") {
      EXPECT_FALSE(leaving_.has_value()) << event;
      EXPECT_TRUE(ids_.insert(id).second) << "an arrow twice: " << event;
      leaving_ = Arrow{tid, time, 0, {}, position_};
      leaving_id_ = id;
      return;
    }
    ASSERT_TRUE(leaving_.has_value()) << event;
    EXPECT_EQ(id, leaving_id_);
    EXPECT_EQ(event.at("bp"), "e");
    leaving_->to_tid = tid;
    leaving_->to = time;
    arrows.push_back(*leaving_);
    leaving_.reset();
  }

  void read_counter(const nlohmann::json& event, int pid, sim::Time time) {
    const nlohmann::json& args = event.at("args");
    ASSERT_EQ(args.size(), 1u);
    std::vector<Sample>& samples = counters[{pid, event.at("name")}];
    const std::int64_t value = args.begin().value();
    EXPECT_GE(value, 0) << event;
    EXPECT_TRUE(samples.empty() || time > samples.back().at) << event;
    samples.push_back({time, value});
  }

  // A reader sorts by time and, at one time, by the order of the file: then it finds these slices open.
  void check(const Arrow& arrow) const {
    EXPECT_LT(arrow.from, arrow.to);
    const auto leaves = [&](const Slice& slice) {
      return slice.tid == arrow.from_tid && slice.from <= arrow.from && arrow.from < slice.to &&
             slice.begun < arrow.written;
    };
    const auto arrives = [&](const Slice& slice) {
      return slice.tid == arrow.to_tid && slice.from == arrow.to && slice.begun < arrow.written &&
             (slice.category == "cpu" || slice.category == "direct_reclaim");
    };
    EXPECT_TRUE(std::any_of(slices.begin(), slices.end(), leaves));
    EXPECT_TRUE(std::any_of(slices.begin(), slices.end(), arrives));
  }

  bool renamed_;
  std::size_t position_ = 0;
  std::map<int, Slice> open_;
  std::map<int, sim::Time> last_end_;
  std::optional<Arrow> leaving_;
  int leaving_id_ = 0;
  std::set<int> ids_;
};

}  // namespace tests
