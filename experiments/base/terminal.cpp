#include "experiments/base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/color.h>
#include <fmt/format.h>

#include <cstdlib>

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

bool progress_wanted() { return isatty(STDERR_FILENO) != 0; }

void show_progress(std::size_t done, std::size_t all) {
  if (!progress_wanted()) return;
  fmt::print(stderr, "\r{} of {} runs{}", done, all, done == all ? "\r\033[K" : "");
}

}  // namespace experiments
