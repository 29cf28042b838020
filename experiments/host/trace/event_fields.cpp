#include "experiments/host/trace/event_fields.h"

#include <algorithm>

#include "experiments/host/trace/text_scan.h"
#include "experiments/host/trace/traced_call.h"

namespace experiments {

namespace {

using Kind = TraceEvent::Kind;

/// `true` or, as bpftrace has it, `1`.
std::optional<bool> truth_behind(std::string_view text, std::string_view key) {
  const auto value = value_behind(text, key);
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  return std::nullopt;
}

bool read_mmap_lock(std::string_view text, TraceEvent& event, std::string& expected) {
  const auto mm = value_behind(text, "mm=");
  const auto address = mm ? number_at(*mm, 16) : std::nullopt;
  const auto write = truth_behind(text, "write=");
  const bool tells_success = event.kind == Kind::acquire_returned;
  const auto success = tells_success ? truth_behind(text, "success=") : std::optional(true);
  expected = tells_success ? "mm=ADDRESS, write= and success=true or false" : "mm=ADDRESS and write=true or false";
  if (!address || !write || !success) return false;
  event.address = *address;
  event.mode = *write ? models::LockMode::write : models::LockMode::read;
  event.success = *success;
  return true;
}

bool read_contention(std::string_view text, TraceEvent& event, std::string& expected) {
  const auto address = number_at(text, 16);
  expected = "the lock's address";
  if (!address) return false;
  event.address = *address;
  if (event.kind == Kind::contention_end) return true;
  expected = "(flags=...)";
  const std::size_t flags = text.find("flags=");
  if (flags == std::string_view::npos) return false;
  const std::string_view set = text.substr(flags);
  event.mode = set.find("WRITE") != std::string_view::npos ? models::LockMode::write : models::LockMode::read;
  const bool rwsem_or_lock = event.mode == models::LockMode::write || set.find("READ") != std::string_view::npos;
  event.semaphore = rwsem_or_lock && set.find("SPIN") == std::string_view::npos &&
                    set.find("MUTEX") == std::string_view::npos && set.find("PERCPU") == std::string_view::npos;
  return true;
}

bool read_page_fault(std::string_view text, TraceEvent& event, std::string& expected) {
  const auto value = value_behind(text, "address=");
  const auto address = value ? number_at(*value, 16) : std::nullopt;
  expected = "address=ADDRESS";
  if (!address) return false;
  event.address = *address;
  return true;
}

/// The numbers of `addr: 0x0, len: 0x1000` or `0, 1000`.
void read_arguments(std::string_view text, TraceEvent& event) {
  for (std::uint64_t& argument : event.arguments) {
    const std::size_t comma = text.find(',');
    std::string_view one = text.substr(0, comma);
    if (const std::size_t colon = one.rfind(": "); colon != std::string_view::npos) one.remove_prefix(colon + 2);
    argument = number_at(without_leading_blanks(one), 16).value_or(0);
    if (comma == std::string_view::npos) return;
    text.remove_prefix(comma + 1);
  }
}

bool read_sys_enter(std::string_view text, TraceEvent& event, std::string&) {
  read_arguments(text, event);
  return true;
}

bool read_sys_exit(std::string_view text, TraceEvent& event, std::string& expected) {
  const auto returned = number_at(first_word(text), 16);
  expected = "what the call returned";
  if (!returned && !text.starts_with('-')) return false;
  event.returned = returned.value_or(~std::uint64_t{0});
  return true;
}

/// `NR 9 (0, 801000, ...)` or `NR 9 = 140`.
bool read_raw_syscall(std::string_view text, TraceEvent& event, std::string& expected) {
  expected = "NR and the number of the call";
  if (!text.starts_with("NR ")) return false;
  text.remove_prefix(3);
  const std::string_view word = first_word(text);
  const auto number = number_at(word, 10);
  if (!number) return word.starts_with('-');  // a call that was forbidden
  event.call = call_of_number(*number);
  const std::size_t rest = text.find_first_of("(=");
  if (rest == std::string_view::npos) return true;
  const std::string_view values = without_leading_blanks(text.substr(rest + 1));
  if (event.kind == Kind::sys_enter) {
    read_arguments(values, event);
  } else {
    event.returned = number_at(values, 10).value_or(~std::uint64_t{0});
  }
  return true;
}

/// `name:88 [120]` of trace-cmd's plugin.
bool read_task_of_plugin(std::string_view text, std::string_view& comm, int& tid) {
  const std::size_t bracket = text.find(" [");
  const std::string_view who = text.substr(0, bracket);
  const std::size_t colon = who.rfind(':');
  if (bracket == std::string_view::npos || colon == std::string_view::npos) return false;
  comm = without_leading_blanks(who.substr(0, colon));
  tid = static_cast<int>(number_at(who.substr(colon + 1), 10).value_or(0));
  return true;
}

bool read_switch_of_plugin(std::string_view before, std::string_view next, TraceEvent& event) {
  const std::size_t bracket = before.rfind(']');
  if (bracket == std::string_view::npos) return false;
  event.runnable = first_word(before.substr(bracket + 1)).starts_with('R');
  return read_task_of_plugin(next, event.other_comm, event.other_tid);
}

bool read_switch(std::string_view text, TraceEvent& event, std::string& expected) {
  constexpr std::string_view kArrow = " ==> ";
  expected = "prev_comm=... prev_state=... ==> next_comm=... next_pid=...";
  const std::size_t arrow = text.rfind(kArrow);
  if (arrow == std::string_view::npos) return false;
  const std::string_view before = text.substr(0, arrow);
  const std::string_view next = text.substr(arrow + kArrow.size());
  constexpr std::string_view kComm = "next_comm=";
  constexpr std::string_view kPid = " next_pid=";
  if (!next.starts_with(kComm)) return read_switch_of_plugin(before, next, event);
  const std::size_t pid = next.rfind(kPid);
  const std::size_t state = before.rfind("prev_state=");
  if (pid == std::string_view::npos || state == std::string_view::npos) return false;
  event.other_comm = next.substr(kComm.size(), pid - kComm.size());
  event.other_tid = static_cast<int>(number_at(next.substr(pid + kPid.size()), 10).value_or(0));
  event.runnable = before.substr(state + 11).starts_with('R');
  return true;
}

bool read_wakeup(std::string_view text, TraceEvent& event, std::string& expected) {
  expected = "comm=... pid=...";
  constexpr std::string_view kComm = "comm=";
  constexpr std::string_view kPid = " pid=";
  if (!text.starts_with(kComm)) return read_task_of_plugin(text, event.other_comm, event.other_tid);
  const std::size_t pid = text.rfind(kPid);
  if (pid == std::string_view::npos) return false;
  event.other_comm = text.substr(kComm.size(), pid - kComm.size());
  event.other_tid = static_cast<int>(number_at(text.substr(pid + kPid.size()), 10).value_or(0));
  return true;
}

struct EventRow {
  std::string_view name;
  Kind kind;
  bool (*read)(std::string_view, TraceEvent&, std::string&);
};

constexpr std::array<EventRow, 12> kEvents{{{"mmap_lock_start_locking", Kind::start_locking, read_mmap_lock},
                                            {"mmap_lock_acquire_returned", Kind::acquire_returned, read_mmap_lock},
                                            {"mmap_lock_released", Kind::released, read_mmap_lock},
                                            {"sched_switch", Kind::sched_switch, read_switch},
                                            {"sched_wakeup", Kind::sched_wakeup, read_wakeup},
                                            {"sched_wakeup_new", Kind::sched_wakeup, read_wakeup},
                                            {"page_fault_user", Kind::page_fault, read_page_fault},
                                            {"page_fault_kernel", Kind::page_fault, read_page_fault},
                                            {"contention_begin", Kind::contention_begin, read_contention},
                                            {"contention_end", Kind::contention_end, read_contention},
                                            {"sys_enter", Kind::sys_enter, read_raw_syscall},
                                            {"sys_exit", Kind::sys_exit, read_raw_syscall}}};

/// `sys_enter_mmap`, `sys_exit_mmap`; ftrace prints `sys_mmap(...)` and `sys_mmap -> 0x0`.
bool read_syscall(std::string_view name, std::string_view text, TraceEvent& event, std::string& expected) {
  constexpr std::string_view kEnter = "enter_";
  constexpr std::string_view kExit = "exit_";
  if (name.starts_with(kEnter) || name.starts_with(kExit)) {
    event.kind = name.starts_with(kEnter) ? Kind::sys_enter : Kind::sys_exit;
    event.call = name.substr(event.kind == Kind::sys_enter ? kEnter.size() : kExit.size());
  } else {
    constexpr std::string_view kReturns = "-> ";
    event.call = name;
    event.kind = text.starts_with(kReturns) ? Kind::sys_exit : Kind::sys_enter;
    text.remove_prefix(event.kind == Kind::sys_exit ? kReturns.size() : text.starts_with('(') ? 1 : 0);
  }
  return event.kind == Kind::sys_enter ? read_sys_enter(text, event, expected) : read_sys_exit(text, event, expected);
}

}  // namespace

std::optional<TraceEvent> read_event_of(const TraceLine& line, std::string& expected) {
  TraceEvent event;
  event.time = line.time;
  event.tid = line.tid;
  event.comm = line.comm;
  const auto row =
      std::find_if(kEvents.begin(), kEvents.end(), [&](const EventRow& each) { return each.name == line.event; });
  constexpr std::string_view kSys = "sys_";
  if (row != kEvents.end()) {
    event.kind = row->kind;
    event.in_kernel = line.event == "page_fault_kernel";
    if (!row->read(line.arguments, event, expected)) return std::nullopt;
  } else if (line.event.starts_with(kSys)) {
    if (!read_syscall(line.event.substr(kSys.size()), line.arguments, event, expected)) return std::nullopt;
  }
  return event;
}

}  // namespace experiments
