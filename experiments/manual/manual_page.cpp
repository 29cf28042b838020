#include "experiments/manual/manual_page.h"

#include <fmt/format.h>

#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/replace.hpp>

#include <algorithm>
#include <sstream>

#include "experiments/base/installation.h"
#include "experiments/base/terminal.h"

namespace experiments {

namespace {

using Block = ManualPage::Block;

/// No character of it means anything to groff, and a minus stays one.
std::string escaped(std::string text) {
  boost::algorithm::replace_all(text, "\\", "\\e");
  boost::algorithm::replace_all(text, "-", "\\-");
  return text;
}

/// What begins a line must not look like a request.
std::string as_line(const std::string& text) {
  return text.starts_with('.') || text.starts_with('\'') ? "\\&" + text : text;
}

/// Words between backticks in bold.
std::string with_fonts(const std::string& text) {
  std::string line;
  bool bold = false;
  for (const char each : escaped(text)) {
    if (each == '`') {
      line += bold ? "\\fR" : "\\fB";
      bold = !bold;
    } else {
      line += each;
    }
  }
  return as_line(line);
}

std::string example_in_roff(const std::string& text) {
  std::string lines = ".RS 4\n.nf\n";
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines += as_line(escaped(line)) + "\n";
  return lines + ".fi\n.RE\n";
}

/// `first`: of its section, which begins a paragraph.
std::string block_in_roff(const Block& block, bool first) {
  switch (block.kind) {
    case Block::Kind::paragraph:
      return (first ? "" : ".PP\n") + with_fonts(block.text) + "\n";
    case Block::Kind::item:
      return ".TP\n\\fB" + escaped(block.tag) + "\\fR\n" + with_fonts(block.text) + "\n";
    case Block::Kind::example:
      return (first ? "" : ".PP\n") + example_in_roff(block.text);
  }
  return {};
}

constexpr std::size_t kPageIndent = 4;

std::string indented(const std::string& text, std::size_t column) {
  std::string lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines += (line.empty() ? "" : std::string(column, ' ')) + line + "\n";
  }
  return lines;
}

std::string block_in_text(const Block& block, std::size_t width) {
  const std::size_t column = kPageIndent * (static_cast<std::size_t>(block.depth) + 1);
  switch (block.kind) {
    case Block::Kind::paragraph:
      return std::string(column, ' ') + wrapped(block.text, width, column);
    case Block::Kind::item:
      return std::string(column, ' ') + bold(block.tag) + "\n" +
             (block.text.empty()
                  ? ""
                  : std::string(column + kPageIndent, ' ') + wrapped(block.text, width, column + kPageIndent));
    case Block::Kind::example:
      return indented(block.text, column + kPageIndent / 2);
  }
  return {};
}

}  // namespace

std::string to_roff(const ManualPage& page) {
  std::string text = fmt::format(".TH {} {} \"\" \"mlocksim {}\" \"mlocksim\"\n.SH NAME\n{} \\- {}\n",
                                 escaped(boost::algorithm::to_upper_copy(page.name)), page.section, program_version(),
                                 escaped(page.name), escaped(page.about));
  for (const ManualPage::Section& section : page.sections) {
    text += fmt::format(".SH \"{}\"\n", escaped(section.title));
    int depth = 0;
    for (const Block& block : section.blocks) {
      for (; depth < block.depth; ++depth) text += ".RS\n";
      for (; depth > block.depth; --depth) text += ".RE\n";
      text += block_in_roff(block, &block == section.blocks.data());
    }
    for (; depth > 0; --depth) text += ".RE\n";
  }
  return text;
}

std::string to_text(const ManualPage& page, std::size_t width) {
  std::string text = fmt::format("{}\n{}{}", bold("NAME"), std::string(kPageIndent, ' '),
                                 wrapped(page.name + " - " + page.about, width, kPageIndent));
  for (const ManualPage::Section& section : page.sections) {
    text += "\n" + bold(section.title) + "\n";
    for (std::size_t each = 0; each < section.blocks.size(); ++each) {
      const Block& block = section.blocks[each];
      if (each > 0 && block.kind != Block::Kind::item) text += "\n";
      text += block_in_text(block, width);
    }
  }
  return text;
}

std::string joined_lines(const std::string& text) {
  std::istringstream words(text);
  std::string joined;
  for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

}  // namespace experiments
