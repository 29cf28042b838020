#include "experiments/host/probe_program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "experiments/base/diagnostics.h"
#include "experiments/base/output_file.h"

namespace experiments {

namespace {

constexpr const char* kProbeName = "mlocksim-probe";

bool is_program(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) && access(file.c_str(), X_OK) == 0;
}

/// A file descriptor that is closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] int get() const { return number_; }
  void reset(int number = -1) {
    if (number_ >= 0) close(number_);
    number_ = number;
  }

 private:
  int number_;
};

/// Signals that would end this process wait in a descriptor for as long as this lives.
class Interruptions {
 public:
  Interruptions() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, signal);
    if (sigprocmask(SIG_BLOCK, &ending, &before_) != 0) {
      throw std::system_error(errno, std::generic_category(), "sigprocmask");
    }
    descriptor_.reset(signalfd(-1, &ending, SFD_CLOEXEC));
  }
  ~Interruptions() {
    // What has come is dealt with: it must not end this process before it has cleaned up.
    signalfd_siginfo ignored{};
    for (pollfd one{descriptor_.get(), POLLIN, 0}; poll(&one, 1, 0) > 0;) {
      if (read(descriptor_.get(), &ignored, sizeof ignored) <= 0) break;
    }
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_.get(); }
  [[nodiscard]] const sigset_t& before() const { return before_; }

 private:
  sigset_t before_{};
  Descriptor descriptor_;
};

/// The running probe. Gone at the end, whatever became of it.
class Probe {
 public:
  Probe(const std::filesystem::path& program, const std::vector<std::string>& arguments, const sigset_t& signals) {
    std::array<int, 2> output{};
    std::array<int, 2> errors{};
    if (pipe2(output.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    output_.reset(output[0]);
    const Descriptor output_end(output[1]);
    if (pipe2(errors.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    errors_.reset(errors[0]);
    const Descriptor errors_end(errors[1]);
    start(program, arguments, signals, output[1], errors[1]);
  }
  ~Probe() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    (void)wait();
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  [[nodiscard]] int output() const { return output_.get(); }
  [[nodiscard]] int errors() const { return errors_.get(); }
  /// Waits for its end; returns how it ended, as of waitpid.
  int wait() {
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return status;
  }

 private:
  void start(const std::filesystem::path& program, const std::vector<std::string>& arguments, const sigset_t& signals,
             int output, int errors) {
    std::vector<std::string> words{program.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    posix_spawnattr_t attributes{};
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    const int error = posix_spawn(&process_, words.front().c_str(), &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error == 0) return;
    process_ = 0;
    throw UsageError(fmt::format("'{}': cannot be run: {}", program.string(), std::strerror(error)));
  }

  pid_t process_ = 0;
  Descriptor output_;
  Descriptor errors_;
};

/// Reads what there is; false at the end of it.
bool receive(int pipe, std::string& received) {
  std::array<char, 65536> buffer{};
  const ssize_t count = read(pipe, buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  received.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

struct Step {
  std::size_t done = 0;
  std::size_t all = 0;
};

/// `12 of 60`, and nothing besides.
std::optional<Step> step_of(std::string_view line) {
  constexpr std::string_view kOf = " of ";
  Step step;
  const char* const end = line.data() + line.size();
  const auto done = std::from_chars(line.data(), end, step.done);
  if (done.ec != std::errc{} || !std::string_view(done.ptr, end).starts_with(kOf)) return std::nullopt;
  const auto all = std::from_chars(done.ptr + kOf.size(), end, step.all);
  return all.ec == std::errc{} && all.ptr == end ? std::optional(step) : std::nullopt;
}

/// Takes whole lines off `text`: those that tell how far it is go to `progress`, the others to `words`.
void take_lines(std::string& text, std::string& words,
                const std::function<void(std::size_t done, std::size_t all)>& progress) {
  for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    const std::string line = text.substr(0, end);
    if (const auto step = step_of(line)) {
      progress(step->done, step->all);
    } else {
      words += (words.empty() ? "" : "\n") + line;
    }
  }
}

std::string without_its_name(const std::string& words) {
  constexpr std::string_view kPrefix = "mlocksim-probe: ";
  return words.starts_with(kPrefix) ? words.substr(kPrefix.size()) : words;
}

}  // namespace

std::filesystem::path find_probe() {
  if (const char* const named = std::getenv("MLOCKSIM_PROBE"); named != nullptr) {
    if (is_program(named)) return named;
    throw UsageError(fmt::format("MLOCKSIM_PROBE is '{}', which is no program", named));
  }
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  const std::filesystem::path installed = folder / kProbeName;
  if (is_program(installed)) return installed;
  const std::filesystem::path built = folder.parent_path() / "tools" / "probe" / kProbeName;
  if (is_program(built)) return built;
  throw UsageError(fmt::format("there is no {}: neither '{}' nor '{}' is a program; MLOCKSIM_PROBE can name one",
                               kProbeName, installed.string(), built.string()));
}

void copy_probe(const std::filesystem::path& probe, const std::filesystem::path& file) {
  std::ifstream stream(probe, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  if (bytes.empty()) throw UsageError(fmt::format("'{}': cannot be read", probe.string()));
  OutputFile(file).commit(bytes);
  if (!std::filesystem::is_regular_file(file)) return;  // into a pipe, or a device
  using std::filesystem::perms;
  std::filesystem::permissions(file, perms::owner_exec | perms::group_exec | perms::others_exec,
                               std::filesystem::perm_options::add);
}

std::string run_probe(const std::filesystem::path& probe, const std::vector<std::string>& arguments,
                      const std::function<void(std::size_t done, std::size_t all)>& progress) {
  const Interruptions interruptions;
  Probe running(probe, arguments, interruptions.before());
  std::string output;
  std::string unread;
  std::string words;
  std::array<pollfd, 3> ends{
      {{running.output(), POLLIN, 0}, {running.errors(), POLLIN, 0}, {interruptions.descriptor(), POLLIN, 0}}};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    if (poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "poll");
    }
    if (ends[2].revents != 0) throw std::runtime_error("interrupted: nothing has been written");
    if (ends[0].revents != 0 && !receive(ends[0].fd, output)) ends[0].fd = -1;
    if (ends[1].revents != 0 && !receive(ends[1].fd, unread)) ends[1].fd = -1;
    take_lines(unread, words, progress);
  }
  const int status = running.wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  constexpr int kRefused = 2;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kRefused) throw UsageError(without_its_name(words));
  throw std::runtime_error(fmt::format(
      "{}: {}", probe.string(),
      WIFSIGNALED(status) ? fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))
                          : fmt::format("failed: {}", without_its_name(words))));
}

}  // namespace experiments
