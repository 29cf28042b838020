#include "experiments/report/page_frame.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "experiments/base/html.h"
#include "experiments/base/installation.h"
#include "experiments/report/inline_svg.h"
#include "experiments/report/page_text.h"

namespace experiments {

namespace {

std::string figure_html(const DrawnFigure& drawn, const std::string& files) {
  const std::string& name = drawn.figure.plot.name;
  const auto link = [&](const char* ending, const char* label) {
    return fmt::format("<a href=\"{}/{}.{}\">{}<span hidden> of {}</span></a>", url_part(files), url_part(name), ending,
                       label, html_text(drawn.figure.title));
  };
  return fmt::format(
      "<figure id=\"figure-{0}\" aria-labelledby=\"title-{0}\">\n<h3 id=\"title-{0}\">{1}</h3>\n"
      "<div class=\"drawing\" tabindex=\"0\" role=\"group\" aria-label=\"Drawing, scrolls sideways\">{2}</div>\n"
      "<figcaption>{3} <span class=\"files\">{4} · {5} · {6}</span></figcaption>\n</figure>\n",
      html_text(name), html_text(drawn.figure.title), drawn.svg, drawn.figure.caption, link("svg", "SVG"),
      link("png", "PNG"), link("csv", "CSV"));
}

DrawnOrNot draw_one(const Figure& figure, const std::filesystem::path& folder) {
  auto drawn = draw(figure.plot, folder);
  if (const auto* const svg = std::get_if<std::string>(&drawn)) {
    drawn = inline_svg(*svg, figure.plot.name, figure.description);
  }
  if (const auto* const failure = std::get_if<NotDrawn>(&drawn)) {
    return Omission{figure.title, html_text(failure->reason)};
  }
  return DrawnFigure{figure, std::get<std::string>(drawn)};
}

}  // namespace

std::vector<DrawnOrNot> draw_all(const std::vector<FigureOrNot>& figures, const std::filesystem::path& folder) {
  std::vector<DrawnOrNot> drawn;
  for (const FigureOrNot& each : figures) {
    const auto* const figure = std::get_if<Figure>(&each);
    drawn.push_back(figure != nullptr ? draw_one(*figure, folder) : std::get<Omission>(each));
  }
  return drawn;
}

std::string link_to_section(const std::string& id, const std::string& title, const std::string& section) {
  if (section.empty()) return {};
  return fmt::format("<li><a href=\"#{}\">{}</a></li>", id, html_text(title));
}

std::string page_document(const PageFrame& frame, const std::string& main) {
  return fmt::format(
      R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="mlocksim {0}">
<link rel="icon" href="data:,">
<title>{1}</title>
<style>
{2}</style>
</head>
<body>
<a class="skip" href="#answer">Skip to the answer</a>
<header>
<p class="kicker">{3}</p>
<h1>{1}</h1>
<p class="about">{4}</p>
<nav aria-label="On this page"><ul><li><a href="#answer">Answer</a></li>{8}<li><a href="#figures">Figures</a></li>
<li><a href="#method">Method</a></li><li><a href="#results">Results</a></li></ul></nav>
</header>
<main>
{5}</main>
<footer>
<p>Made by mlocksim {0} report from {7}. Everything on this page is in this file.</p>
</footer>
<script>
{6}</script>
</body>
</html>
)",
      program_version(), html_text(frame.title), kPageStyle, html_text(frame.kicker), html_prose(frame.about), main,
      kPageScript, html_text(frame.made_from), frame.more_links);
}

std::string answer_section(const std::vector<std::string>& sentences, const std::vector<std::string>& not_shown) {
  std::string text = "<section id=\"answer\" aria-labelledby=\"answer-title\">\n<h2 id=\"answer-title\">Answer</h2>\n";
  text += "<div class=\"answer\">\n";
  for (const std::string& sentence : sentences) text += fmt::format("<p>{}</p>\n", sentence);
  text += "</div>\n";
  if (!not_shown.empty()) {
    text += fmt::format("<p class=\"honest\"><strong>Not shown.</strong> {}</p>\n", fmt::join(not_shown, " "));
  }
  return text + "</section>\n";
}

std::string figures_section(const std::vector<DrawnOrNot>& figures, const std::string& files) {
  std::string text =
      "<section id=\"figures\" aria-labelledby=\"figures-title\">\n<h2 id=\"figures-title\">Figures</h2>\n";
  std::string missing;
  for (const DrawnOrNot& each : figures) {
    if (const auto* const drawn = std::get_if<DrawnFigure>(&each)) {
      text += figure_html(*drawn, files);
    } else {
      const auto& omission = std::get<Omission>(each);
      missing += fmt::format("<li>{}: {}.</li>\n", html_text(omission.title), omission.reason);
    }
  }
  if (!missing.empty()) text += fmt::format("<h3>Figures that are not here</h3>\n<ul>\n{}</ul>\n", missing);
  return text + "</section>\n";
}

/// Three digits, without an exponent.
std::string three_digits(double value) {
  if (value == 0) return "0";
  const int decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(std::abs(value)))), 0, 9);
  return fmt::format("{:.{}f}", value, decimals);
}

std::string column_head(const std::string& name, const std::string& html, const std::string& more) {
  return fmt::format("<th scope=\"col\" data-name=\"{}\"{}>{}</th>", html_text(name), more, html);
}

std::string table_tools(const std::string& table) {
  return fmt::format(
      "<p class=\"tools\" id=\"{0}-tools\" hidden><label for=\"{0}-filter\">Filter rows</label> "
      "<input id=\"{0}-filter\" type=\"search\" autocomplete=\"off\" aria-describedby=\"{0}-hint\"> "
      "<output for=\"{0}-filter\"></output> <small id=\"{0}-hint\">words that a row must have; "
      "headings sort</small></p>\n",
      table);
}

}  // namespace experiments
