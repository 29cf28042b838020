// What the pages of reports have in common: the document around their sections, the answer on top, figures, tables that
// sort.
#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "experiments/report/figures/figure.h"

namespace experiments {

/// What stands on top of a page.
struct PageFrame {
  std::string kicker;
  std::string title;
  std::string about;
  std::string made_from = "the results of a simulation";
  std::string more_links{};  ///< to what comes between the answer and the figures, of link_to_section()
};

/// HTML; nothing where the section is empty.
[[nodiscard]] std::string link_to_section(const std::string& id, const std::string& title, const std::string& section);

/// A figure as drawn.
struct DrawnFigure {
  Figure figure;
  std::string svg;  ///< as inline_svg() gives it
};

using DrawnOrNot = std::variant<DrawnFigure, Omission>;

/// Draws them into `folder`. A figure that cannot be drawn becomes an omission that says why.
[[nodiscard]] std::vector<DrawnOrNot> draw_all(const std::vector<FigureOrNot>& figures,
                                               const std::filesystem::path& folder);

/// The whole document. `main`: its sections, as HTML; those named answer, figures, method and results are linked on
/// top, and those of the frame.
[[nodiscard]] std::string page_document(const PageFrame& frame, const std::string& main);

/// Sentences are HTML.
[[nodiscard]] std::string answer_section(const std::vector<std::string>& sentences,
                                         const std::vector<std::string>& not_shown);

/// `files`: the folder of the figures' files as seen from the page.
[[nodiscard]] std::string figures_section(const std::vector<DrawnOrNot>& figures, const std::string& files);

// --- tables -----------------------------------------------------------------------------------------------------

/// A heading of a column. `name`: what rows are filtered by; `more`: attributes.
[[nodiscard]] std::string column_head(const std::string& name, const std::string& html, const std::string& more = "");
/// The field that filters the rows of the table of that id.
[[nodiscard]] std::string table_tools(const std::string& table);
/// Three digits, without an exponent.
[[nodiscard]] std::string three_digits(double value);

}  // namespace experiments
