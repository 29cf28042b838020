#include "experiments/run/process_pool.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "experiments/base/quantity.h"

namespace experiments {

namespace {

// The first byte tells a result from the reason why there is none.
constexpr std::uint8_t kResult = 'r';
constexpr std::uint8_t kFailure = 'f';

void write_all(int pipe, const ProcessPool::Bytes& bytes) {
  for (std::size_t written = 0; written < bytes.size();) {
    const ssize_t count = write(pipe, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // the reader is gone: nobody is left to tell
    written += static_cast<std::size_t>(count);
  }
}

ProcessPool::Bytes message_of(const ProcessPool::Work& work) {
  ProcessPool::Bytes bytes;
  try {
    bytes = work();
    bytes.insert(bytes.begin(), kResult);
  } catch (const std::exception& error) {
    const std::string_view reason = error.what();
    bytes.assign(reason.begin(), reason.end());
    bytes.insert(bytes.begin(), kFailure);
  }
  return bytes;
}

/// Reads what there is; false at the end of it.
bool receive(int pipe, ProcessPool::Bytes& received) {
  std::array<std::uint8_t, 65536> buffer;  // not filled: what is written to after a fork is copied
  const ssize_t count = read(pipe, buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  received.insert(received.end(), buffer.begin(), buffer.begin() + count);
  return true;
}

int wait_for(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::variant<ProcessPool::Bytes, Failure> outcome_of(const ProcessPool::Bytes& received, int status) {
  if (WIFSIGNALED(status)) {
    return Failure{fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))};
  }
  if (received.empty()) return Failure{fmt::format("ended with code {} and no result", WEXITSTATUS(status))};
  ProcessPool::Bytes message(received.begin() + 1, received.end());
  if (received.front() == kFailure) return Failure{std::string(message.begin(), message.end())};
  return message;
}

}  // namespace

ProcessPool::ProcessPool(int workers, std::optional<std::chrono::nanoseconds> timeout)
    : workers_(static_cast<std::size_t>(workers)), timeout_(timeout) {
  assert(workers >= 1);
}

ProcessPool::~ProcessPool() {
  for (const Worker& worker : running_) {
    kill(worker.process, SIGKILL);
    close(worker.pipe);
    (void)wait_for(worker.process);
  }
}

void ProcessPool::start(std::size_t id, const Work& work) {
  assert(room() > 0);
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::fflush(nullptr);  // or the child would print, too, what is still in the buffers
  const pid_t parent = getpid();
  const pid_t process = fork();
  if (process < 0) {
    const int reason = errno;
    close(ends[0]);
    close(ends[1]);
    throw std::system_error(reason, std::generic_category(), "fork");
  }
  if (process == 0) {
    close(ends[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it died before it could be watched
    write_all(ends[1], message_of(work));
    // Without the parent's exit handlers: what they flush and delete is the parent's.
    _exit(0);
  }
  close(ends[1]);
  running_.push_back({id, process, ends[0], Clock::now(), false, {}});
}

int ProcessPool::patience(std::optional<std::chrono::milliseconds> most) const {
  std::optional<std::chrono::milliseconds> patience = most;
  for (const Worker& worker : running_) {
    if (!timeout_ || worker.timed_out) continue;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(worker.started + *timeout_ - Clock::now());
    patience = std::min(patience.value_or(left), std::max(left, std::chrono::milliseconds(0)));
  }
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(1);
  return patience ? static_cast<int>(std::min(*patience, kLongest).count()) : -1;
}

void ProcessPool::kill_late() {
  for (Worker& worker : running_) {
    if (!timeout_ || worker.timed_out || Clock::now() < worker.started + *timeout_) continue;
    worker.timed_out = true;
    kill(worker.process, SIGKILL);
  }
}

ProcessPool::Finished ProcessPool::finish(const Worker& worker) const {
  close(worker.pipe);
  const int status = wait_for(worker.process);
  const auto wall = Clock::now() - worker.started;
  if (worker.timed_out && WIFSIGNALED(status)) {
    return {worker.id, Failure{fmt::format("timed out after {}", human(*timeout_))}, wall};
  }
  return {worker.id, outcome_of(worker.received, status), wall};
}

std::vector<ProcessPool::Finished> ProcessPool::wait(std::optional<std::chrono::milliseconds> most) {
  std::vector<pollfd> polled;
  for (const Worker& worker : running_) polled.push_back({worker.pipe, POLLIN, 0});
  if (poll(polled.data(), polled.size(), patience(most)) < 0 && errno != EINTR) {
    throw std::system_error(errno, std::generic_category(), "poll");
  }
  kill_late();
  std::vector<Finished> finished;
  for (std::size_t index = running_.size(); index-- > 0;) {
    Worker& worker = running_[index];
    if (polled[index].revents == 0 || receive(worker.pipe, worker.received)) continue;
    finished.push_back(finish(worker));
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  return finished;
}

}  // namespace experiments
