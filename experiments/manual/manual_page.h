// A page of the manual as a value, and what it is written as: for man(1), and for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace experiments {

struct ManualPage {
  struct Block {
    enum class Kind { paragraph, item, example };
    Kind kind = Kind::paragraph;
    std::string text;   ///< words between backticks are what one types; of an example: as it is
    std::string tag{};  ///< of an item: what the text is about
    int depth = 0;      ///< an item within an item
  };
  struct Section {
    std::string title;
    std::vector<Block> blocks{};
  };

  std::string name;   ///< `mlocksim-run`
  int section = 1;    ///< 1: programs, 5: formats of files
  std::string about;  ///< one line
  std::vector<Section> sections{};
};

/// As man(1) reads it: groff's man macros.
[[nodiscard]] std::string to_roff(const ManualPage& page);

/// In lines of at most `width`, where words are that short.
[[nodiscard]] std::string to_text(const ManualPage& page, std::size_t width);

/// A text without the line breaks and the indentation that it has for a terminal.
[[nodiscard]] std::string joined_lines(const std::string& text);

}  // namespace experiments
