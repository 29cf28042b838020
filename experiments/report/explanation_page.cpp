#include "experiments/report/explanation_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <limits>

#include "experiments/base/change.h"
#include "experiments/base/csv.h"
#include "experiments/base/diagnostics.h"
#include "experiments/base/html.h"
#include "experiments/base/quantity.h"
#include "experiments/base/shell.h"
#include "experiments/report/report_data.h"
#include "experiments/study/study_plan.h"

namespace experiments {

namespace {

// What the command that repeats the run as it is begins with.
constexpr std::string_view kRun = "mlocksim run ";
// As many as can be told apart at a glance.
constexpr std::size_t kMostDrawn = 14;

std::vector<std::string> victims_of(const Json& explanation) {
  std::vector<std::string> names;
  for (const Json& victim : explanation.at("victims")) names.push_back(victim.at("class").get<std::string>());
  return names;
}

/// Those that have figures, the best first.
std::vector<const Json*> told(const Json& explanation) {
  std::vector<const Json*> trials;
  for (const Json& trial : explanation.at("trials")) {
    if (!trial.contains("failure") && !trial.at("victims").empty()) trials.push_back(&trial);
  }
  return trials;
}

std::string change_html(const Json& change) {
  const double before = change.at("before_ns").get<double>();
  const double after = change.at("after_ns").get<double>();
  std::string text = fmt::format("{} {}: {} → {}, {}", html_text(change.at("class").get<std::string>()),
                                 html_text(change.at("statistic").get<std::string>()), time_text(before),
                                 time_text(after), factor_text(before, after));
  if (const auto found = change.find("difference_ns"); found != change.end()) {
    text += fmt::format(" <small>[{}, {}]</small>", time_text(found->at("low").get<double>()),
                        time_text(found->at("high").get<double>()));
  }
  return text;
}

std::string rows_of(const Json& explanation) {
  std::string rows;
  std::size_t place = 0;
  for (const Json& trial : explanation.at("trials")) {
    std::string changes;
    for (const Json& change : trial.at("victims")) {
      changes += (changes.empty() ? "" : "<br>") + change_html(change);
    }
    if (trial.contains("failure")) changes = "cannot be told: " + html_text(trial.at("failure").get<std::string>());
    const auto worse = trial.at("worse").get<std::vector<std::string>>();
    if (!worse.empty()) changes += "<br>at the cost of " + html_text(fmt::format("{}", fmt::join(worse, ", ")));
    rows += fmt::format(
        "<tr><td data-v={0}>{0}<td class=w>{1}<td class=w>{2}<td class=w>{3}<td class=w><code>{4}</code>\n", ++place,
        html_text(trial.at("remedy").get<std::string>()), trial.at("helps").get<bool>() ? "yes" : "not every victim",
        changes, html_text(trial.at("command").get<std::string>()));
  }
  return rows;
}

std::string list(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += fmt::format("<li>{}</li>\n", item);
  return "<ul>\n" + text + "</ul>\n";
}

std::string report_html(const Json& incident) {
  std::vector<std::string> items{html_text(incident.at("observed").get<std::string>())};
  const auto add = [&](const char* what, const std::string& said) {
    if (!said.empty()) items.push_back(fmt::format("<em>{}:</em> {}", what, html_text(said)));
  };
  add("Not in it", fmt::format("{}", fmt::join(incident.at("guesses").get<std::vector<std::string>>(), "; ")));
  add("What was done", incident.at("remedy").get<std::string>());
  const auto source = incident.at("source").get<std::vector<std::string>>();
  return fmt::format("<h3>The report: {}</h3>\n", html_text(fmt::format("{}", fmt::join(source, "; ")))) + list(items);
}

/// What wrote the file `input`.
std::string explain_command(const Json& explanation, const std::string& input) {
  const std::string run = explanation.at("command").get<std::string>();
  const std::string what = run.starts_with(kRun) ? run.substr(kRun.size()) : run;
  return fmt::format("mlocksim explain {} --reps {} --json {}", what, explanation.at("replications").get<std::size_t>(),
                     shell_word(input));
}

std::string best_sentence(const Json& explanation) {
  const auto trials = told(explanation);
  if (trials.empty() || !trials.front()->at("helps").get<bool>()) {
    return "<strong>Nothing that was tried helps every victim.</strong>";
  }
  std::vector<std::string> names;
  for (const Json* trial : trials) {
    constexpr std::size_t kNamed = 3;
    if (names.size() < kNamed && trial->at("helps").get<bool>()) {
      names.push_back(html_text(trial->at("remedy").get<std::string>()));
    }
  }
  return fmt::format("<strong>What would help most:</strong> {}. {}.", fmt::join(names, "; then "),
                     change_html(trials.front()->at("victims").front()));
}

}  // namespace

bool is_explanation(const std::filesystem::path& file) {
  const Json json = Json::parse(std::ifstream(file), nullptr, false);
  return json.is_object() && json.contains("explains");
}

Json read_explanation(const std::filesystem::path& file) {
  Json json = Json::parse(std::ifstream(file), nullptr, false);
  const bool whole = json.is_object() && json.contains("explains") && json.contains("victims") &&
                     json.contains("trials") && json.contains("account");
  if (!whole) throw InputError({{file.string(), 0, 0, "", "this is no file of `mlocksim explain --json`"}});
  return json;
}

FigureOrNot remedy_figure(const Json& explanation) {
  const std::string title = "What each remedy does to the victims";
  const std::vector<const Json*> trials = told(explanation);
  if (trials.empty()) return Omission{title, "there is nobody to be helped"};
  std::string rows = csv_line({"place", "remedy", "class", "statistic", "tail_ns"});
  Tics names{{"as it is", 0}};
  double low = std::numeric_limits<double>::max();
  double high = 0;
  const auto add = [&](std::size_t place, const std::string& remedy, const Json& change, const char* which) {
    const double tail = change.at(which).get<double>();
    low = std::min(low, std::max(1.0, tail));
    high = std::max(high, tail);
    rows +=
        csv_line({std::to_string(place), remedy, change.at("class").get<std::string>(),
                  change.at("statistic").get<std::string>(), fmt::format("{}", change.at(which).get<std::int64_t>())});
  };
  for (const Json& victim : explanation.at("victims")) add(0, "as it is", victim, "after_ns");
  const std::size_t drawn = std::min(kMostDrawn, trials.size());
  for (std::size_t place = 1; place <= drawn; ++place) {
    const Json& trial = *trials[place - 1];
    const auto name = trial.at("remedy").get<std::string>();
    names.emplace_back(name, static_cast<double>(place));
    for (const Json& change : trial.at("victims")) add(place, name, change, "after_ns");
  }
  const auto victims = victims_of(explanation);
  const auto styles = styles_of(victims);
  std::string commands =
      log_time_axis("x", low, high) +
      fmt::format("set yrange [{}.6:-0.6]\nset ytics {}\nset grid ytics\n", drawn, tics_list(names)) +
      "set xlabel 'tail of the victims (p99.9 or the longest; time, logarithmic)'\nplot \\\n";
  for (const std::string& victim : victims) {
    const PolicyStyle& style = styles.at(victim);
    commands += fmt::format(
        " DATA using 5:(strcol(3) eq {} ? $1 : NaN) with points pointsize 1.7 linewidth 2 pointtype {} linecolor rgb "
        "'{}' title {}{}",
        gnuplot_string(victim), style.mark, style.colour, gnuplot_string(victim),
        victim == victims.back() ? "\n" : ", \\\n");
  }
  constexpr int kRow = 48;
  constexpr int kAround = 260;
  return Figure{{"remedies", rows, commands, kAround + kRow * static_cast<int>(drawn + 1)},
                title,
                "Each change alone, the one that helps its least helped victim most on top. Further left is better." +
                    std::string(drawn < trials.size() ? fmt::format(" The {} best of {}.", drawn, trials.size()) : ""),
                "The victims' tails on a logarithmic axis, one row for each remedy and one for things as they are."};
}

std::string explanation_section(const Json& explanation) {
  std::string text =
      "<section id=\"explanation\" aria-labelledby=\"explanation-title\">\n<h2 "
      "id=\"explanation-title\">What happens, and what would help</h2>\n";
  if (explanation.at("victims").empty()) return text + "<p>Nobody suffers.</p>\n</section>\n";
  if (const auto incident = explanation.find("incident"); incident != explanation.end()) text += report_html(*incident);
  std::vector<std::string> account;
  for (const auto& sentence : explanation.at("account").get<std::vector<std::string>>()) {
    account.push_back(html_text(sentence));
  }
  std::vector<std::string> victims;
  for (const Json& victim : explanation.at("victims")) victims.push_back(change_html(victim));
  text += "<h3>Who suffers: from one thread alone on the machine to all together</h3>\n" + list(victims);
  text += "<h3>What happens</h3>\n" + list(account) + "<p>" + best_sentence(explanation) + "</p>\n";
  return text + fmt::format(
                    "<h3>What would help</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                    "aria-label=\"Table of remedies, scrolls sideways\">\n<table id=\"remedies\">\n"
                    "<caption>Each change alone, ranked by the victim that it helps least; differences with their "
                    "95 % interval over {} seeds.</caption>\n<thead><tr>{}{}{}{}{}</tr></thead>\n<tbody>\n{}</tbody>\n"
                    "</table>\n</div>\n</section>\n",
                    explanation.at("replications").get<std::size_t>(), column_head("place", "place (number)"),
                    column_head("remedy", "remedy", " class=\"w\""), column_head("helps", "helps", " class=\"w\""),
                    column_head("tails", "the victims' tails", " class=\"w\""),
                    column_head("command", "to repeat it", " class=\"w\""), rows_of(explanation));
}

std::string explanation_page(const Json& explanation, const std::vector<DrawnOrNot>& figures, const std::string& files,
                             const std::string& input) {
  const auto account = explanation.at("account").get<std::vector<std::string>>();
  std::vector<std::string> answer;
  if (account.empty()) {
    answer.emplace_back("<strong>Nobody suffers:</strong> no tail is three times what it is alone on the machine.");
  } else {
    answer = {html_text(account.front()), best_sentence(explanation)};
  }
  const std::string method = fmt::format(
      "<section id=\"method\" aria-labelledby=\"method-title\">\n<h2 id=\"method-title\">Method</h2>\n"
      "<p>A victim is a class whose tail is at least three times what it is with one thread of it alone on the "
      "machine. "
      "Every wait is followed to whoever held the lock, and from a holder that waits itself on to those it waits for. "
      "Each remedy is run alone with the same seeds, and ranked by the victim that it helps least; a difference whose "
      "95 % interval has both signs, or that is less than 5 %, is called none.</p>\n"
      "<h3>To reproduce it</h3>\n<pre tabindex=\"0\">{}\nmlocksim report {}</pre>\n</section>\n",
      html_text(explain_command(explanation, input)), html_text(shell_word(input)));
  return page_document(
      {"mlocksim explains: " + explanation.at("explains").get<std::string>(),
       fmt::format("What happens in {} under {}, and what would help?", explanation.at("explains").get<std::string>(),
                   explanation.at("policy").get<std::string>()),
       explanation.value("about", "")},
      answer_section(answer, {}) + figures_section(figures, files) + method + "<div id=\"results\">" +
          explanation_section(explanation) + "</div>\n");
}

}  // namespace experiments
