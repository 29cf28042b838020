#include "experiments/run/trace/trace_writer.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <iterator>
#include <utility>

namespace experiments::trace {

namespace {

constexpr std::size_t kBufferSize = 1U << 16U;

}  // namespace

template <typename... Values>
void Writer::append(fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(buffer_), format, std::forward<Values>(values)...);
}

Writer::Writer(std::ostream& out, const Json& about) : out_(out) {
  append(R"({{"displayTimeUnit":"ns","otherData":{},"traceEvents":[)", about.dump());
}

void Writer::metadata(const char* what, Place place, const Json& args) {
  separate();
  append(R"({{"ph":"M","pid":{},"tid":{},"name":"{}","args":{}}})", place.pid, place.tid, what, args.dump());
}

void Writer::process(int pid, const std::string& name) {
  metadata("process_name", {pid, 0}, {{"name", name}});
  metadata("process_sort_index", {pid, 0}, {{"sort_index", pid}});
}

void Writer::thread(Place place, const std::string& name) {
  metadata("thread_name", place, {{"name", name}});
  metadata("thread_sort_index", place, {{"sort_index", place.tid}});
}

void Writer::begin(Place place, sim::Time at, const std::string& name, std::string_view category,
                   std::string_view phase) {
  event('B', place, at);
  append(R"(,"cat":"{}","name":{})", category, Json(name).dump());
  if (!phase.empty()) append(R"(,"args":{{"phase":"{}"}})", phase);
  append("}}");
}

void Writer::end(Place place, sim::Time at, bool unfinished) {
  event('E', place, at);
  append("{}", unfinished ? R"(,"args":{"unfinished":true}})" : "}");
}

void Writer::flow(const Flow& flow, Place woken, sim::Time at) {
  event('s', flow.waker, flow.at);
  append(R"(,"cat":"wake","name":"wake","id":{}}})", flow.id);
  event('f', woken, at);
  append(R"(,"cat":"wake","name":"wake","id":{},"bp":"e"}})", flow.id);
}

void Writer::counter(int pid, sim::Time at, const char* name, const char* unit, std::int64_t value) {
  event('C', {pid, 0}, at);
  append(R"(,"name":"{}","args":{{"{}":{}}}}})", name, unit, value);
}

void Writer::mark(int pid, sim::Time at, const std::string& name) {
  event('i', {pid, 0}, at);
  append(R"(,"s":"g","name":{}}})", Json(name).dump());
}

void Writer::finish() {
  append("\n]}}\n");
  flush();
}

// What all events with a time have; the caller closes the brace.
void Writer::event(char kind, Place place, sim::Time at) {
  separate();
  const std::int64_t time = at.time_since_epoch().count();
  append(R"({{"ph":"{}","ts":{}.{:03},"pid":{},"tid":{})", kind, time / 1000, time % 1000, place.pid, place.tid);
}

void Writer::separate() {
  if (buffer_.size() > kBufferSize) flush();
  append("{}", std::exchange(first_, false) ? "\n" : ",\n");
}

void Writer::flush() {
  out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  flushed_ += buffer_.size();
  buffer_.clear();
}

}  // namespace experiments::trace
