#include "experiments/execute.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "experiments/result_json.h"

namespace experiments {

namespace {

struct Worker {
  std::size_t job;
  pid_t process;
  int pipe;
  std::vector<std::uint8_t> received;
};

// The first byte tells a result from the reason why there is none.
constexpr std::uint8_t kResult = 'r';
constexpr std::uint8_t kFailure = 'f';

void write_all(int pipe, const std::vector<std::uint8_t>& bytes) {
  for (std::size_t written = 0; written < bytes.size();) {
    const ssize_t count = write(pipe, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // the reader is gone: nobody is left to tell
    written += static_cast<std::size_t>(count);
  }
}

std::vector<std::uint8_t> run_packed(const Job& job, const sim::Engine::Options& options) {
  std::vector<std::uint8_t> bytes;
  try {
    models::Scenario scenario = *job.scenario;
    scenario.seed = job.seed;
    bytes = pack(models::simulate(scenario, *job.policy, options));
    bytes.insert(bytes.begin(), kResult);
  } catch (const std::exception& error) {
    const std::string_view reason = error.what();
    bytes.assign(reason.begin(), reason.end());
    bytes.insert(bytes.begin(), kFailure);
  }
  return bytes;
}

Worker start(const Job& job, std::size_t index, const sim::Engine::Options& options) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::fflush(nullptr);  // or the child would print, too, what is still in the buffers
  const pid_t process = fork();
  if (process < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process == 0) {
    close(ends[0]);
    write_all(ends[1], run_packed(job, options));
    // Without the parent's exit handlers: what they flush and delete is the parent's.
    _exit(0);
  }
  close(ends[1]);
  return {index, process, ends[0], {}};
}

JobOutcome outcome_of(const Worker& worker, int status) {
  if (WIFSIGNALED(status)) {
    return Failure{fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))};
  }
  if (worker.received.empty()) return Failure{fmt::format("ended with code {} and no result", WEXITSTATUS(status))};
  const std::vector<std::uint8_t> message(worker.received.begin() + 1, worker.received.end());
  if (worker.received.front() == kFailure) return Failure{std::string(message.begin(), message.end())};
  return unpack(message);
}

// Reads what there is; false at the end of it.
bool receive(Worker& worker) {
  std::array<std::uint8_t, 65536> buffer{};
  const ssize_t count = read(worker.pipe, buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  worker.received.insert(worker.received.end(), buffer.begin(), buffer.begin() + count);
  return true;
}

JobOutcome finish(const Worker& worker) {
  close(worker.pipe);
  int status = 0;
  while (waitpid(worker.process, &status, 0) < 0 && errno == EINTR) {
  }
  return outcome_of(worker, status);
}

void wait_for_news(const std::vector<Worker>& running, std::vector<pollfd>& polled) {
  polled.clear();
  for (const Worker& worker : running) polled.push_back({worker.pipe, POLLIN, 0});
  while (poll(polled.data(), polled.size(), -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

std::vector<JobOutcome> execute(const std::vector<Job>& jobs, int workers, const sim::Engine::Options& options,
                                const std::function<void(std::size_t)>& finished) {
  std::vector<JobOutcome> outcomes(jobs.size());
  std::vector<Worker> running;
  std::vector<pollfd> polled;
  std::size_t next = 0;
  std::size_t done = 0;
  while (done < jobs.size()) {
    while (next < jobs.size() && running.size() < static_cast<std::size_t>(workers)) {
      running.push_back(start(jobs[next], next, options));
      ++next;
    }
    wait_for_news(running, polled);
    for (std::size_t index = running.size(); index-- > 0;) {
      Worker& worker = running[index];
      if (polled[index].revents == 0 || receive(worker)) continue;
      outcomes[worker.job] = finish(worker);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(index));
      finished(++done);
    }
  }
  return outcomes;
}

}  // namespace experiments
