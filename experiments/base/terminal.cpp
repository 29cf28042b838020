#include "experiments/base/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/color.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace experiments {

bool on_terminal() { return isatty(STDOUT_FILENO) != 0; }

bool colour_wanted() { return on_terminal() && std::getenv("NO_COLOR") == nullptr; }

std::string bold(const std::string& text) {
  return colour_wanted() ? fmt::format(fmt::emphasis::bold, "{}", text) : text;
}

std::size_t page_width() {
  constexpr std::size_t kWidePage = 200;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kWidePage;
  return size.ws_col;
}

void tell(const std::string& text) noexcept {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
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

bool progress_wanted() { return isatty(STDERR_FILENO) != 0; }

void show_progress(std::size_t done, std::size_t all) { show_progress_of("runs", done, all); }

void show_progress_of(std::string_view things, std::size_t done, std::size_t all) {
  if (!progress_wanted()) return;
  tell(fmt::format("\r{} of {} {}{}", done, all, things, done == all ? "\r\033[K" : ""));
}

}  // namespace experiments
