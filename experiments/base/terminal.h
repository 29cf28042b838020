// What is printed on a terminal, and what where there is none.
#pragma once

#include <cstddef>
#include <string>

namespace experiments {

/// Whether standard output is a terminal.
[[nodiscard]] bool on_terminal();
/// Whether standard output is a terminal that wants colour (NO_COLOR is respected).
[[nodiscard]] bool colour_wanted();
/// `text` in bold on a terminal.
[[nodiscard]] std::string bold(const std::string& text);
/// The width of the terminal, or of a wide page if it is none.
[[nodiscard]] std::size_t page_width();

/// Whether standard error is a terminal: where progress is told.
[[nodiscard]] bool progress_wanted();
/// How many of `all` runs are done, on a line of its own that goes away with the last one. Only on a terminal.
void show_progress(std::size_t done, std::size_t all);

}  // namespace experiments
