// What is printed on a terminal, and what where there is none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace experiments {

/// Whether standard output is a terminal.
[[nodiscard]] bool on_terminal();
/// Whether standard output is a terminal that wants colour (NO_COLOR is respected).
[[nodiscard]] bool colour_wanted();
/// `text` in bold on a terminal.
[[nodiscard]] std::string bold(const std::string& text);
/// The width of the terminal; where standard output is none, that of the one behind standard error (`| less`, `| tee`),
/// or what COLUMNS says, or 80.
[[nodiscard]] std::size_t page_width();
/// `text` broken between words where a line of `width` would not hold it, every line after the first behind `column`
/// blanks. Ends with a newline.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t width, std::size_t column = 0);

/// Says something on standard error. Never fails: where nobody can be told, work goes on.
void tell(const std::string& text) noexcept;
/// Makes sure that what has been printed has arrived. Throws std::runtime_error where standard output cannot be
/// written.
void flush_output();
/// Gives this process standard streams that cannot be used in place of those that it was started without, so that no
/// file that it opens is taken for one.
void occupy_standard_streams();

/// Whether standard error is a terminal: where progress is told.
[[nodiscard]] bool progress_wanted();
/// How many of `all` runs are done, on a line of its own that goes away with the last one. Only on a terminal.
void show_progress(std::size_t done, std::size_t all);
/// The same of other things than runs.
void show_progress_of(std::string_view things, std::size_t done, std::size_t all);

}  // namespace experiments
