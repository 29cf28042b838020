#include "experiments/scenario/yaml_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "experiments/scenario/yaml_text.h"

namespace experiments {

namespace {

constexpr std::size_t kStep = 2;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view without_blanks_behind(std::string_view line) {
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

std::size_t blanks_before(std::string_view line) {
  std::size_t count = 0;
  while (count < line.size() && is_blank(line[count])) ++count;
  return count;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// Follows what is between the indentation and the end of lines: quotes, flow maps and lists, comments.
class Tokens {
 public:
  /// The line with the blanks that it is to have within flow maps and lists.
  std::string spaced(std::string_view line) {
    out_.clear();
    value_end_ = 0;
    in_comment_ = false;
    if (quote_ == 0) begins_ = true;
    for (std::size_t at = 0; at < line.size(); ++at) take(line, at);
    if (!in_comment_) value_end_ = out_.size();
    return out_;
  }

  /// Whether what the last line began goes on in the next one.
  [[nodiscard]] bool open() const { return quote_ != 0 || depth_ > 0; }

  /// Whether the last line announces a text that stands as it is on the lines below: `key: |`.
  [[nodiscard]] bool announces_block() const {
    if (open()) return false;
    const std::string_view value = without_blanks_behind(std::string_view(out_).substr(0, value_end_));
    const std::size_t blank = value.find_last_of(" \t");
    if (blank == std::string_view::npos) return false;
    const std::string_view last = value.substr(blank + 1);
    if (last.find_first_of("|>") != 0 || last.find_first_not_of("+-0123456789", 1) != std::string_view::npos) {
      return false;
    }
    const std::string_view before = without_blanks_behind(value.substr(0, blank));
    const std::string_view word = before.substr(before.find_last_of(" \t") + 1);  // all of it: npos + 1 is 0
    return word.ends_with(':') || word == "-" || word.starts_with('!') || word.starts_with('&');
  }

 private:
  void take(std::string_view line, std::size_t& at) {
    const char c = line[at];
    if (in_comment_) {
      out_ += c;
    } else if (quote_ != 0) {
      take_quoted(line, at);
    } else if (c == '#' && (at == 0 || is_blank(line[at - 1]))) {
      in_comment_ = true;
      value_end_ = out_.size();
      out_ += c;
    } else if (begins_ && (c == '"' || c == '\'')) {
      quote_ = c;
      begins_ = false;
      out_ += c;
    } else if (depth_ > 0 || (begins_ && (c == '{' || c == '['))) {
      take_in_flow(line, at);
    } else {
      take_plain(line, at);
    }
  }

  void take_quoted(std::string_view line, std::size_t& at) {
    const char c = line[at];
    out_ += c;
    const bool escapes = quote_ == '"' ? c == '\\' : c == '\'' && at + 1 < line.size() && line[at + 1] == '\'';
    if (escapes && at + 1 < line.size()) {
      out_ += line[++at];
    } else if (c == quote_) {
      quote_ = 0;
    }
  }

  /// A colon with a blank behind it, or a comma, ends what stands before it.
  void take_plain(std::string_view line, std::size_t at) {
    const char c = line[at];
    const bool ends = c == ':' && (at + 1 == line.size() || is_blank(line[at + 1]));
    const bool dash = c == '-' && begins_ && (at + 1 == line.size() || is_blank(line[at + 1]));
    begins_ = ends || dash || (begins_ && is_blank(c));
    out_ += c;
  }

  void take_in_flow(std::string_view line, std::size_t& at) {
    const char c = line[at];
    if (c == '{' || c == '[') {
      ++depth_;
      begins_ = true;
      out_ += c;
      if (!comment_follows(line, at)) skip_blanks(line, at);
    } else if (c == '}' || c == ']' || c == ',') {
      drop_blanks();
      if (c != ',') --depth_;
      begins_ = c == ',';
      out_ += c;
      if (c == ',' && at + 1 < line.size() && !is_blank(line[at + 1])) out_ += ' ';
    } else {
      take_plain(line, at);
    }
  }

  static bool comment_follows(std::string_view line, std::size_t at) {
    const std::size_t next = line.find_first_not_of(" \t", at + 1);
    return next != std::string_view::npos && line[next] == '#';
  }
  static void skip_blanks(std::string_view line, std::size_t& at) {
    while (at + 1 < line.size() && is_blank(line[at + 1])) ++at;
  }
  void drop_blanks() { out_.resize(without_blanks_behind(out_).size()); }

  std::string out_;
  std::size_t value_end_ = 0;  // where the comment of the last line begins
  char quote_ = 0;             // within a text in such quotes
  int depth_ = 0;              // of flow maps and lists
  bool begins_ = true;         // whether a value or a key could begin here
  bool in_comment_ = false;
};

/// Gives the lines of a text their indentation.
class Formatter {
 public:
  std::string format(std::string_view text) {
    for (const std::string_view line : lines_of(text)) take(line);
    take_comments(levels_.empty() ? 0 : levels_.front().from, levels_.empty() ? 0 : levels_.front().to, levels_);
    while (out_.ends_with("\n\n")) out_.pop_back();
    return out_;
  }

  /// False where the text ended within something.
  [[nodiscard]] bool ended() const { return !tokens_.open(); }

 private:
  /// A map or a list that is open: in which column its lines begin, and in which they are to.
  struct Level {
    std::size_t from;
    std::size_t to;
    bool list = false;
  };
  struct Comment {
    std::size_t column;
    std::string_view text;  // empty: an empty line
  };

  void take(std::string_view line) {
    const std::size_t column = blanks_before(line);
    const bool empty = column == line.size();
    if (in_block_) {
      if (empty || column > block_parent_) return take_block_line(line, column, empty);
      in_block_ = false;
    }
    if (tokens_.open()) return take_continued(line, column);
    if (empty || line[column] == '#') {
      comments_.push_back({column, without_blanks_behind(line.substr(column))});
    } else if (line.starts_with("---") || line.starts_with("...") || line.starts_with('%')) {
      take_comments(0, 0, {});
      levels_.clear();
      put(0, without_blanks_behind(tokens_.spaced(line)));
    } else {
      take_content(line, column);
    }
  }

  /// A text between quotes, or a flow map, that goes on: it moves with the line that it began in.
  void take_continued(std::string_view line, std::size_t column) {
    if (column == line.size()) return put(0, "");
    const std::string_view rest = without_blanks_behind(line.substr(column));
    put(moved(column), without_blanks_behind(tokens_.spaced(rest)));
  }

  void take_block_line(std::string_view line, std::size_t column, bool empty) {
    // Blanks at the end of such a line belong to the text.
    empty ? put(0, "") : put(moved(column), line.substr(column));
  }

  [[nodiscard]] std::size_t moved(std::size_t column) const {
    const std::size_t there = column + moved_to_;
    return there > moved_from_ ? there - moved_from_ : 0;
  }

  void take_content(std::string_view line, std::size_t column) {
    const std::vector<Level> before = levels_;
    Level level = level_at(column, is_dash(line, column));
    take_comments(column, level.to, before);
    std::string dashes;
    const std::size_t to = level.to;
    std::size_t parent = column;
    while (is_dash(line, column)) {
      dashes += "- ";
      parent = column;
      column = std::min(line.find_first_not_of(" \t", column + 1), line.size());
      if (column == line.size() || line[column] == '#') break;
      level = {column, level.to + kStep, is_dash(line, column)};
      levels_.push_back(level);
    }
    moved_from_ = column;
    moved_to_ = to + dashes.size();
    const std::string rest(without_blanks_behind(tokens_.spaced(line.substr(column))));
    put(to, without_blanks_behind(dashes + rest));
    in_block_ = tokens_.announces_block() || (!dashes.empty() && is_block_alone(rest));
    // What belongs to a key stands right of the key; what belongs to an item that is nothing else, right of its dash.
    block_parent_ = is_block_alone(rest) ? parent : column;
  }

  /// Of an item that is a text as it stands: `- |`.
  static bool is_block_alone(std::string_view rest) {
    return rest.find_first_of("|>") == 0 && rest.find_first_not_of("+-0123456789", 1) == std::string_view::npos;
  }

  static bool is_dash(std::string_view line, std::size_t column) {
    return column < line.size() && line[column] == '-' && (column + 1 == line.size() || is_blank(line[column + 1]));
  }

  /// The map or list that a line in that column belongs to, which may begin with it. Those further right end.
  Level level_at(std::size_t column, bool dash) {
    while (!levels_.empty() && levels_.back().from > column) levels_.pop_back();
    // A list may stand in the column of its key, and ends where the next key does.
    while (!dash && levels_.size() > 1 && levels_.back().from == column && levels_.back().list &&
           levels_[levels_.size() - 2].from == column) {
      levels_.pop_back();
    }
    if (levels_.empty()) {
      levels_.push_back({column, 0, dash});
    } else if (levels_.back().from < column || (dash && !levels_.back().list)) {
      levels_.push_back({column, levels_.back().to + kStep, dash});
    }
    return levels_.back();
  }

  /// Comments that stand before a line which goes from column `from` to `to`. What stands further right than it, in the
  /// column of what came before, is about that. `before`: the levels there.
  void take_comments(std::size_t from, std::size_t to, const std::vector<Level>& before) {
    for (const auto& [column, text] : std::exchange(comments_, {})) {
      if (text.empty()) {
        if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
      } else {
        put(column > from ? column_of(column, to, before) : to, text);
      }
    }
  }

  static std::size_t column_of(std::size_t column, std::size_t otherwise, const std::vector<Level>& before) {
    if (before.empty()) return otherwise;
    const auto level =
        std::find_if(before.begin(), before.end(), [&](const Level& each) { return each.from >= column; });
    return level == before.end() ? before.back().to : level->to;
  }

  void put(std::size_t column, std::string_view text) { out_ += fmt::format("{}{}\n", std::string(column, ' '), text); }

  std::string out_;
  Tokens tokens_;
  std::vector<Level> levels_;
  std::vector<Comment> comments_;  // and empty lines, that wait for the line they stand before
  std::size_t moved_from_ = 0;     // the column that the last line's content began in
  std::size_t moved_to_ = 0;
  bool in_block_ = false;  // below `key: |`
  std::size_t block_parent_ = 0;
};

/// The first node that differs between two trees; null: none does.
const YamlNode* first_difference(const YamlNode& a, const YamlNode& b) {
  if (a.kind != b.kind || a.scalar != b.scalar || a.entries.size() != b.entries.size()) return &a;
  for (std::size_t item = 0; item < a.entries.size(); ++item) {
    if (a.entries[item].key != b.entries[item].key) return &a;
    if (const YamlNode* const found = first_difference(a.entries[item].value, b.entries[item].value)) return found;
  }
  return nullptr;
}

/// All but blanks and line breaks.
std::string letters_of(std::string_view text) {
  std::string letters;
  for (const std::string_view line : lines_of(text)) {
    std::copy_if(line.begin(), line.end(), std::back_inserter(letters), [](char c) { return !is_blank(c); });
  }
  return letters;
}

void refuse(const Position& at, std::vector<Diagnostic>& diagnostics) {
  diagnostics.push_back({at.file, at.line, at.column, "",
                         "cannot be formatted without changing what it says: left as it is; write this value in one "
                         "line, or indent it by two"});
}

}  // namespace

std::optional<std::string> format_yaml(const std::string& text, const Position& origin,
                                       std::vector<Diagnostic>& diagnostics) {
  const std::size_t before = diagnostics.size();
  const YamlNode tree = parse_yaml(text, origin, diagnostics);
  if (diagnostics.size() > before) return std::nullopt;
  Formatter formatter;
  std::string formatted = formatter.format(text);
  std::vector<Diagnostic> mistakes;
  const YamlNode again = parse_yaml(formatted, origin, mistakes);
  const YamlNode* const different = first_difference(tree, again);
  const bool same = formatter.ended() && mistakes.empty() && different == nullptr;
  if (same && letters_of(formatted) == letters_of(text) && Formatter().format(formatted) == formatted) return formatted;
  refuse(different == nullptr ? origin : different->at, diagnostics);
  return std::nullopt;
}

}  // namespace experiments
