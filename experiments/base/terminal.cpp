#include "experiments/base/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/color.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

namespace experiments {

bool on_terminal() { return isatty(STDOUT_FILENO) != 0; }

namespace {

bool colour_refused = false;
bool quiet_wanted = false;

}  // namespace

void refuse_colour() { colour_refused = true; }

void be_quiet() { quiet_wanted = true; }

bool colour_wanted() { return on_terminal() && !colour_refused && std::getenv("NO_COLOR") == nullptr; }

std::string bold(const std::string& text) {
  return colour_wanted() ? fmt::format(fmt::emphasis::bold, "{}", text) : text;
}

std::size_t page_width() {
  constexpr std::size_t kPage = 80;
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    winsize size{};
    if (ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  const char* const columns = std::getenv("COLUMNS");
  const int said = columns == nullptr ? 0 : std::atoi(columns);
  return said > 0 ? static_cast<std::size_t>(said) : kPage;
}

namespace {

// A number and its unit are one.
std::vector<std::string> words_of(const std::string& text) {
  constexpr std::array<std::string_view, 9> kUnits{"%", "ns", "us", "ms", "s", "KiB", "MiB", "GiB", "TiB"};
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    const std::string_view bare = std::string_view(word).substr(0, word.find_last_not_of(",;.:)") + 1);
    const bool unit = std::find(kUnits.begin(), kUnits.end(), bare) != kUnits.end();
    if (unit && !words.empty() && std::isdigit(static_cast<unsigned char>(words.back().back())) != 0) {
      words.back() += " " + word;
    } else {
      words.push_back(word);
    }
  }
  return words;
}

}  // namespace

std::string wrapped(const std::string& text, std::size_t width, std::size_t column) {
  constexpr std::size_t kLeast = 20;
  constexpr std::size_t kMost = 160;  // an eye does not find back to the beginning of longer lines
  width = std::min(width, kMost);
  const std::size_t room = width > column + kLeast ? width - column : kLeast;
  std::string line;
  std::vector<std::string> lines;
  for (const std::string& word : words_of(text)) {
    if (!line.empty() && line.size() + 1 + word.size() > room) lines.push_back(std::exchange(line, ""));
    line += (line.empty() ? "" : " ") + word;
  }
  lines.push_back(line);
  return fmt::format("{}\n", fmt::join(lines, "\n" + std::string(column, ' ')));
}

void tell(const std::string& text) noexcept {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}

void tell_note(const std::string& text) noexcept {
  if (!quiet_wanted) tell(text);
}

void flush_output() {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return;
  throw std::runtime_error(fmt::format("standard output cannot be written{}{}", errno != 0 ? ": " : "",
                                       errno != 0 ? std::strerror(errno) : ""));
}

void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest number that is free is this one. What is written to it fails.
    (void)open("/dev/null", O_RDONLY);
  }
}

bool progress_wanted() { return !quiet_wanted && isatty(STDERR_FILENO) != 0; }

void show_progress_of(std::string_view things, std::size_t done, std::size_t all) {
  if (!progress_wanted()) return;
  tell(fmt::format("\r{} of {} {}{}", done, all, things, done == all ? "\r\033[K" : ""));
}

RunProgress::~RunProgress() {
  if (shown_) tell("\r\033[K");
}

void RunProgress::show(std::size_t done, std::size_t all) {
  constexpr std::chrono::seconds kShort{2};
  if (!progress_wanted()) return;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began_;
  if (elapsed < kShort) return;
  shown_ = true;
  const double left = elapsed.count() * static_cast<double>(all - done) / static_cast<double>(done);
  tell(fmt::format("\r{} of {} runs, {:.0f} s{}\033[K", done, all, elapsed.count(),
                   done > 0 ? fmt::format(", about {:.0f} s to go", left) : ""));
}

namespace {

void tell_elapsed(const std::stop_token& stop, const std::string& what) {
  using std::chrono::seconds;
  const auto began = std::chrono::steady_clock::now();
  std::mutex nobody_elses;
  std::condition_variable_any stopped;
  std::unique_lock lock(nobody_elses);
  bool shown = false;
  for (seconds elapsed{2}; !stop.stop_requested(); ++elapsed) {
    stopped.wait_until(lock, stop, began + elapsed, [&] { return stop.stop_requested(); });
    if (stop.stop_requested()) break;
    tell(fmt::format("\r{}, {} s\033[K", what, elapsed.count()));
    shown = true;
  }
  if (shown) tell("\r\033[K");
}

}  // namespace

ElapsedProgress::ElapsedProgress(std::string what) {
  if (!progress_wanted()) return;
  // Signals are for the thread that works.
  sigset_t all{};
  sigset_t before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  teller_ = std::jthread([what = std::move(what)](const std::stop_token& stop) { tell_elapsed(stop, what); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ElapsedProgress::~ElapsedProgress() = default;

}  // namespace experiments
