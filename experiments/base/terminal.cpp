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
#include <optional>
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

namespace {

/// What COLUMNS says, if anything.
std::optional<std::size_t> said_columns() {
  const char* const columns = std::getenv("COLUMNS");
  const int said = columns == nullptr ? 0 : std::atoi(columns);
  return said > 0 ? std::optional(static_cast<std::size_t>(said)) : std::nullopt;
}

}  // namespace

std::size_t page_width() {
  constexpr std::size_t kPage = 80;
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    winsize size{};
    if (ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  return said_columns().value_or(kPage);
}

std::size_t line_width() { return on_terminal() || said_columns() ? page_width() : kAnyWidth; }

namespace {

// A number and its unit are one.
std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::array<std::string_view, 9> kUnits{"%", "ns", "us", "ms", "s", "KiB", "MiB", "GiB", "TiB"};
  constexpr std::string_view kBlank = " \n\t";
  std::vector<std::string_view> words;
  std::size_t end = 0;
  for (std::size_t at = 0; (at = text.find_first_not_of(kBlank, end)) != std::string_view::npos;) {
    end = std::min(text.size(), text.find_first_of(kBlank, at));
    const std::string_view word = text.substr(at, end - at);
    const std::string_view bare = word.substr(0, word.find_last_not_of(",;.:)") + 1);
    const bool unit = std::find(kUnits.begin(), kUnits.end(), bare) != kUnits.end();
    if (unit && !words.empty() && std::isdigit(static_cast<unsigned char>(words.back().back())) != 0) {
      const auto number = static_cast<std::size_t>(words.back().data() - text.data());
      words.back() = text.substr(number, end - number);
    } else {
      words.push_back(word);
    }
  }
  return words;
}

}  // namespace

std::string wrapped(const std::string& text, std::size_t width, std::size_t column) {
  if (width == kAnyWidth) return text + "\n";
  constexpr std::size_t kLeast = 20;
  constexpr std::size_t kMost = 160;  // an eye does not find back to the beginning of longer lines
  width = std::min(width, kMost);
  const std::size_t room = width > column + kLeast ? width - column : kLeast;
  std::string one_line = text;
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  std::string line;
  std::vector<std::string> lines;
  for (const std::string_view word : words_of(one_line)) {
    if (!line.empty() && line.size() + 1 + word.size() > room) lines.push_back(std::exchange(line, ""));
    line.append(line.empty() ? "" : " ").append(word);
  }
  lines.push_back(line);
  return fmt::format("{}\n", fmt::join(lines, "\n" + std::string(column, ' ')));
}

namespace {

/// How much of a line it takes on a terminal: its characters, without what makes them bold.
std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  bool colour = false;
  for (const char each : text) {
    const bool goes_on = (static_cast<unsigned char>(each) & 0xC0U) == 0x80;  // UTF-8
    colour = colour || each == '\033';
    if (!colour && !goes_on) ++columns;
    colour = colour && each != 'm';
  }
  return columns;
}

/// How many brackets more `word` opens than it closes; not those of colours.
int opened_by(std::string_view word) {
  int open = 0;
  for (std::size_t at = 0; at < word.size(); ++at) {
    if (word[at] == '[' && (at == 0 || word[at - 1] != '\033')) ++open;
    if (word[at] == ']') --open;
  }
  return open;
}

/// Where the line behind the first one of `width` begins: with a column in the second half of the line, if there is
/// one, and with two words, if there are; 0: it cannot be broken.
std::size_t break_of(std::string_view line, std::size_t width) {
  const std::vector<std::string_view> words = words_of(line);
  std::size_t found = 0;
  std::size_t column = 0;
  int open = 0;
  for (std::size_t each = 1; each < words.size(); ++each) {
    const std::string_view before = words[each - 1];
    const auto begin = static_cast<std::size_t>(words[each].data() - line.data());
    const auto end = static_cast<std::size_t>(before.data() - line.data()) + before.size();
    if (found > 0 && columns_of(line.substr(0, end)) > width) break;
    open += opened_by(before);
    const bool alone = each + 1 == words.size();
    if (open > 0 || (alone && found > 0)) continue;
    found = begin;
    if (begin - end > 1 && columns_of(line.substr(0, begin)) >= width / 2) column = begin;
  }
  return column > 0 ? column : found;
}

std::string folded_line(std::string line, std::size_t width) {
  constexpr std::size_t kFurtherIn = 4;
  const std::string indent(std::min(line.size(), line.find_first_not_of(' ')) + kFurtherIn, ' ');
  std::string text;
  while (columns_of(line) > width) {
    const std::size_t at = break_of(line, width);
    if (at == 0) break;
    text += line.substr(0, line.find_last_not_of(' ', at - 1) + 1) + "\n";
    line.replace(0, at, indent);
  }
  return text + line;
}

}  // namespace

std::string folded(const std::string& text, std::size_t width) {
  if (width == kAnyWidth) return text;
  std::string all;
  std::size_t at = 0;
  for (std::size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    all += folded_line(text.substr(at, end - at), width) + "\n";
  }
  return all + folded_line(text.substr(at), width);
}

std::string with_command(const std::string& sentence, const std::string& command) {
  const bool fit = line_width() == kAnyWidth || columns_of(sentence) + 1 + columns_of(command) <= line_width();
  return fmt::format("{}{}{}\n", sentence, fit ? " " : "\n", command);
}

void print_folded(const std::string& text) { fmt::print("{}", folded(text, line_width())); }

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
