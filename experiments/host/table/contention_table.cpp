#include "experiments/host/table/contention_table.h"

#include <algorithm>
#include <array>

namespace experiments {

namespace {

enum class ContentionColumn {
  contended,
  total,
  longest,
  shortest,
  mean,
  type,
  caller,
  stack,
  pid,
  comm,
  address,
  symbol
};

struct ContentionHeading {
  std::string_view title;
  ContentionColumn column;
};

constexpr std::array<ContentionHeading, 12> kContentionHeadings{{{"contended", ContentionColumn::contended},
                                                                 {"total wait", ContentionColumn::total},
                                                                 {"max wait", ContentionColumn::longest},
                                                                 {"min wait", ContentionColumn::shortest},
                                                                 {"avg wait", ContentionColumn::mean},
                                                                 {"type", ContentionColumn::type},
                                                                 {"caller", ContentionColumn::caller},
                                                                 {"stacktrace", ContentionColumn::stack},
                                                                 {"pid", ContentionColumn::pid},
                                                                 {"comm", ContentionColumn::comm},
                                                                 {"address", ContentionColumn::address},
                                                                 {"symbol", ContentionColumn::symbol}}};

constexpr std::string_view kSeparatedHeading = "# output: ";
/// What follows is counted otherwise: broken events, and with -o waits by who held the lock.
constexpr std::string_view kNextPart = "===";
constexpr std::string_view kNextSeparatedPart = "# owner";
constexpr const char* kColumnsExpected =
    "the columns of `perf lock contention` by caller, task (-t) or lock (-l), such as `contended  total wait  max wait "
    " avg wait  type  caller`";

struct ContentionLayout {
  std::vector<ContentionColumn> columns;
  std::string separator{};  // empty: for people
};

std::optional<ContentionColumn> column_titled(std::string_view title) {
  const auto found = std::find_if(kContentionHeadings.begin(), kContentionHeadings.end(),
                                  [&](const ContentionHeading& each) { return each.title == title; });
  return found == kContentionHeadings.end() ? std::nullopt : std::optional(found->column);
}

std::string_view trimmed(std::string_view text) { return without_trailing_blanks(without_leading_blanks(text)); }

std::vector<std::string_view> separated(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(separator); end != std::string_view::npos; end = text.find(separator)) {
    parts.push_back(trimmed(text.substr(0, end)));
    text.remove_prefix(end + separator.size());
  }
  parts.push_back(trimmed(text));
  return parts;
}

/// The columns of `# output: contended, total wait, ...`; none: it has others.
std::optional<ContentionLayout> separated_layout(std::string_view line) {
  std::string_view rest = line.substr(kSeparatedHeading.size());
  const auto first = std::find_if(kContentionHeadings.begin(), kContentionHeadings.end(),
                                  [&](const ContentionHeading& each) { return rest.starts_with(each.title); });
  if (first == kContentionHeadings.end()) return std::nullopt;
  const std::string_view behind = rest.substr(first->title.size());
  const std::string_view separator = behind.substr(0, behind.find(' '));
  if (separator.empty()) return std::nullopt;
  ContentionLayout layout{{}, std::string(separator)};
  for (const std::string_view title : separated(rest, separator)) {
    const auto column = column_titled(title);
    if (!column) return std::nullopt;
    layout.columns.push_back(*column);
  }
  return layout;
}

/// The columns of `contended   total wait   ...`; none: it has others.
std::optional<ContentionLayout> printed_layout(std::string_view line) {
  ContentionLayout layout{{}, {}};
  for (std::string_view rest = without_leading_blanks(line); !rest.empty(); rest = without_leading_blanks(rest)) {
    const auto found = std::find_if(kContentionHeadings.begin(), kContentionHeadings.end(),
                                    [&](const ContentionHeading& each) { return rest.starts_with(each.title); });
    if (found == kContentionHeadings.end()) return std::nullopt;
    layout.columns.push_back(found->column);
    rest.remove_prefix(found->title.size());
    if (!rest.empty() && rest.front() != ' ') return std::nullopt;
  }
  return layout;
}

bool has_column(const ContentionLayout& layout, ContentionColumn column) {
  return std::find(layout.columns.begin(), layout.columns.end(), column) != layout.columns.end();
}

/// `kernel_function+0x1f` behind an address.
std::optional<std::string_view> frame_of(std::string_view line) {
  const std::string_view address = first_word(line);
  if (!address.starts_with("0x") || !number_at(address, 16)) return std::nullopt;
  return trimmed(without_leading_blanks(line).substr(address.size()));
}

/// A row, column by column.
class ContentionRow {
 public:
  explicit ContentionRow(std::string_view line) : rest_(without_leading_blanks(line)) {}

  /// Whether the next column could be read as it should.
  bool read(ContentionColumn column) {
    switch (column) {
      case ContentionColumn::contended:
        return set(row_.count, whole_number(word()));
      case ContentionColumn::total:
        return set(row_.total, time());
      case ContentionColumn::longest:
        return set(row_.longest, time());
      case ContentionColumn::mean:
        return set(row_.mean, time());
      case ContentionColumn::shortest:
        return time().has_value();
      case ContentionColumn::type:
        row_.type = word();
        return !row_.type.empty();
      case ContentionColumn::pid:
        return is_number(word());
      case ContentionColumn::address:
        return number_at(word(), 16).has_value();
      case ContentionColumn::caller:
      case ContentionColumn::comm:
        row_.who = without_control_characters(remainder());
        return !row_.who.empty();
      case ContentionColumn::symbol:
        return symbol();
      case ContentionColumn::stack:
        break;
    }
    return false;
  }
  [[nodiscard]] bool is_at_end() const { return rest_.empty(); }
  [[nodiscard]] LockRow row() && { return std::move(row_); }

 private:
  template <class Value>
  static bool set(std::optional<Value>& to, std::optional<Value> value) {
    to = value;
    return to.has_value();
  }
  static bool is_number(std::string_view word) {
    return whole_number(word.starts_with('-') ? word.substr(1) : word).has_value();
  }
  std::string_view word() {
    const std::string_view word = first_word(rest_);
    rest_ = without_leading_blanks(rest_.substr(word.size()));
    return word;
  }
  std::string_view remainder() { return std::exchange(rest_, {}); }
  std::optional<sim::Nanoseconds> time() {
    const std::string_view number = word();
    return time_in_table(number, word());
  }
  /// `mmap_lock (rwsem)`, ` (rwsem)`; before 6.3 without the type.
  bool symbol() {
    std::string_view text = remainder();
    const std::size_t bracket = text.ends_with(')') ? text.rfind('(') : std::string_view::npos;
    if (bracket != std::string_view::npos) row_.type = text.substr(bracket + 1, text.size() - bracket - 2);
    row_.who = without_control_characters(trimmed(text.substr(0, bracket)));
    return true;
  }

  std::string_view rest_;
  LockRow row_{};
};

std::optional<LockRow> printed_row(const ContentionLayout& layout, std::string_view line) {
  ContentionRow row(line);
  for (const ContentionColumn column : layout.columns) {
    if (!row.read(column)) return std::nullopt;
  }
  return row.is_at_end() ? std::optional(std::move(row).row()) : std::nullopt;
}

/// With -x: times in ns.
std::optional<LockRow> separated_row(const ContentionLayout& layout, std::string_view line) {
  const std::vector<std::string_view> parts = separated(line, layout.separator);
  const std::size_t columns = layout.columns.size();
  // -l names the type in a column that the headings have last, and -v a stack that may be empty.
  if (parts.size() != columns && !(parts.size() + 1 == columns && layout.columns.back() == ContentionColumn::stack)) {
    return std::nullopt;
  }
  LockRow row;
  const auto time = [](std::string_view text) { return time_in_table(text, "ns"); };
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string_view text = parts[i];
    switch (layout.columns[i]) {
      case ContentionColumn::contended:
        row.count = whole_number(text);
        if (!row.count) return std::nullopt;
        break;
      case ContentionColumn::total:
        row.total = time(text);
        if (!row.total) return std::nullopt;
        break;
      case ContentionColumn::longest:
        row.longest = time(text);
        if (!row.longest) return std::nullopt;
        break;
      case ContentionColumn::mean:
        row.mean = time(text);
        if (!row.mean) return std::nullopt;
        break;
      case ContentionColumn::shortest:
        if (!time(text)) return std::nullopt;
        break;
      case ContentionColumn::type:
        row.type = text;
        break;
      case ContentionColumn::stack:
        for (const std::string_view frame : separated(text, " : ")) {
          if (const auto name = frame_of(frame)) row.frames.emplace_back(*name);
        }
        break;
      case ContentionColumn::pid:
      case ContentionColumn::address:
        break;
      case ContentionColumn::caller:
      case ContentionColumn::comm:
      case ContentionColumn::symbol:
        row.who = without_control_characters(text);
        break;
    }
  }
  return row;
}

std::optional<LockRow> row_of(const ContentionLayout& layout, std::string_view line) {
  return layout.separator.empty() ? printed_row(layout, line) : separated_row(layout, line);
}

/// Whether what begins at `index` is what somebody has written below the table: no row begins like it, and there are
/// none behind it.
bool is_text_behind(const TableText& table, std::size_t index, const ContentionLayout& layout, bool any_row) {
  const std::string_view first = without_leading_blanks(table.lines[index]);
  if (!any_row || first.empty() || is_digit(first.front()) || first.front() == '-') return false;
  return std::none_of(table.lines.begin() + static_cast<std::ptrdiff_t>(index), table.lines.end(),
                      [&](std::string_view line) { return row_of(layout, line).has_value(); });
}

}  // namespace

bool begins_contention_table(std::string_view line) {
  const bool separated_titles = line.starts_with(kSeparatedHeading);
  const auto has = [&](std::string_view title) { return line.find(title) != std::string_view::npos; };
  if (separated_titles) return has("contended") || has(" wait");
  const bool has_figures = has("total wait") || has("max wait") || has("avg wait") || first_word(line) == "contended";
  return has_figures && (has("caller") || has("comm") || has("symbol") || has("owner") || has("cgroup"));
}

LockTable parse_contention_table(const TableText& table) {
  const auto heading = std::find_if(table.lines.begin(), table.lines.end(), begins_contention_table);
  const auto at = static_cast<std::size_t>(heading - table.lines.begin());
  const auto layout = heading->starts_with(kSeparatedHeading) ? separated_layout(*heading) : printed_layout(*heading);
  if (!layout) table.refuse(at, kColumnsExpected);
  LockTable read{LockTableForm::perf_contention};
  read.by = has_column(*layout, ContentionColumn::caller) ? LockRowsBy::caller
            : has_column(*layout, ContentionColumn::comm) ? LockRowsBy::task
                                                          : LockRowsBy::lock;
  for (std::size_t index = at + 1; index < table.lines.size(); ++index) {
    const std::string_view line = table.lines[index];
    if (line.starts_with(kNextPart) || line.starts_with(kNextSeparatedPart)) break;
    if (line.empty() || line.starts_with('#')) continue;
    if (const auto frame = frame_of(line); frame && !read.waits.empty()) {
      if (!frame->empty()) read.waits.back().frames.emplace_back(*frame);
      continue;
    }
    auto row = row_of(*layout, line);
    if (!row && is_text_behind(table, index, *layout, !read.waits.empty())) break;
    if (!row) table.refuse(index, "a row with a value for each of the columns above");
    read.waits.push_back(*std::move(row));
  }
  if (read.waits.empty()) table.refuse(table.lines.size(), "rows below the headings, found none");
  return read;
}

}  // namespace experiments
