// What is printed on a terminal, and what where there is none.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>

namespace experiments {

/// Whether standard output is a terminal.
[[nodiscard]] bool on_terminal();
/// From now on colour is wanted nowhere (--no-colour).
void refuse_colour();
/// From now on no progress and no notes are told (--quiet).
void be_quiet();
/// Whether standard output is a terminal that wants colour (NO_COLOR and refuse_colour() are respected).
[[nodiscard]] bool colour_wanted();
/// `text` in bold on a terminal.
[[nodiscard]] std::string bold(const std::string& text);
/// The width of the terminal; where standard output is none, that of the one behind standard error (`| less`, `| tee`),
/// or what COLUMNS says, or 80.
[[nodiscard]] std::size_t page_width();
/// Lines may be as long as they like.
inline constexpr std::size_t kAnyWidth = std::string::npos;
/// How long a line may be that a program would rather read whole: page_width() on a terminal, or where COLUMNS says
/// something; or else any.
[[nodiscard]] std::size_t line_width();
/// `text` broken between words where a line of `width` would not hold it, every line after the first behind `column`
/// blanks; a number stays with its unit. No line is longer than 160 where words are that short. Ends with a newline.
/// Where `width` is any, the text stays as it is.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t width, std::size_t column = 0);
/// Lines that are laid out already, such as those of a table: each that is longer than `width` is broken where a column
/// begins, or between words, and goes on four blanks further in than it began. An interval stays whole.
[[nodiscard]] std::string folded(const std::string& text, std::size_t width);
/// A sentence and one with a command to copy, in one line, or in two where line_width() does not hold both.
[[nodiscard]] std::string with_command(const std::string& sentence, const std::string& command);
/// Prints `text`, folded where somebody sees it.
void print_folded(const std::string& text);

/// Says something on standard error. Never fails: where nobody can be told, work goes on.
void tell(const std::string& text) noexcept;
/// The same of what nobody needs to know who wants quiet.
void tell_note(const std::string& text) noexcept;
/// Makes sure that what has been printed has arrived. Throws std::runtime_error where standard output cannot be
/// written.
void flush_output();
/// Gives this process standard streams that cannot be used in place of those that it was started without, so that no
/// file that it opens is taken for one.
void occupy_standard_streams();

/// Whether standard error is a terminal and nobody wants quiet: where progress is told.
[[nodiscard]] bool progress_wanted();
/// How many of `all` things are done, on a line of its own that goes away with the last one. Only on a terminal.
void show_progress_of(std::string_view things, std::size_t done, std::size_t all);

/// How far runs are, for work that takes longer than two seconds: on a terminal, on a line of its own that goes away
/// with this.
class RunProgress {
 public:
  RunProgress() : began_(std::chrono::steady_clock::now()) {}
  ~RunProgress();
  RunProgress(const RunProgress&) = delete;
  RunProgress& operator=(const RunProgress&) = delete;

  /// May be called as often as one likes.
  void show(std::size_t done, std::size_t all);

 private:
  std::chrono::steady_clock::time_point began_;
  bool shown_ = false;
};

/// How long something has taken of which nobody knows how much there is of it, once that is two seconds: on a terminal,
/// on a line of its own that goes away with this. Told by a thread, which does nothing else.
class ElapsedProgress {
 public:
  /// `what`: "running".
  explicit ElapsedProgress(std::string what);
  ~ElapsedProgress();
  ElapsedProgress(const ElapsedProgress&) = delete;
  ElapsedProgress& operator=(const ElapsedProgress&) = delete;

 private:
  std::jthread teller_;  // none where nobody is to be told
};

}  // namespace experiments
