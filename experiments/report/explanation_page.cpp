#include "experiments/report/explanation_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "experiments/base/change.h"
#include "experiments/base/html.h"
#include "experiments/base/quantity.h"
#include "experiments/base/shell.h"
#include "experiments/explain/class_change.h"
#include "experiments/report/figures/figures.h"
#include "experiments/report/report_data.h"
#include "experiments/report/written_json.h"
#include "experiments/study/study_plan.h"

namespace experiments {

namespace {

// What the command that repeats the run as it is begins with.
constexpr std::string_view kRun = "mlocksim run ";

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

std::string helps_whom(const Json& trial) {
  if (trial.at("helps").get<bool>()) return "yes";
  const auto helped = trial.at("helped").get<std::size_t>();
  return helped == 0 ? "no" : fmt::format("{} of {}", helped, trial.at("victims").size());
}

/// What is said of the measures that are no percentiles.
std::string footnotes(const Json& victims) {
  std::string text;
  for (const Loss loss : {Loss::longest, Loss::lost}) {
    const char* const name = loss == Loss::longest ? "longest" : "lost";
    const bool used =
        std::any_of(victims.begin(), victims.end(), [&](const Json& victim) { return victim.at("statistic") == name; });
    if (used) text += fmt::format("<p><small>{}: {}.</small></p>\n", name, meaning_of(loss));
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
    if (trial.contains("failure")) changes = "cannot be told: " + html_prose(trial.at("failure").get<std::string>());
    const auto worse = trial.at("worse").get<std::vector<std::string>>();
    if (!worse.empty()) changes += "<br>at the cost of " + html_text(fmt::format("{}", fmt::join(worse, ", ")));
    const auto prices = trial.at("prices").get<std::vector<std::string>>();
    if (!prices.empty()) changes += "<br>price: " + html_prose(fmt::format("{}", fmt::join(prices, "; ")));
    rows +=
        fmt::format("<tr><td data-v={0}>{0}<td class=w>{1}<td class=w>{2}<td class=w>{3}<td class=w><code>{4}</code>\n",
                    ++place, html_text(trial.at("remedy").get<std::string>()), helps_whom(trial), changes,
                    html_text(trial.at("command").get<std::string>()));
  }
  return rows;
}

std::string list(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += fmt::format("<li>{}</li>\n", item);
  return "<ul>\n" + text + "</ul>\n";
}

std::string report_html(const Json& incident) {
  std::vector<std::string> items{html_prose(incident.at("observed").get<std::string>())};
  const auto add = [&](const char* what, const std::string& said) {
    if (!said.empty()) items.push_back(fmt::format("<em>{}:</em> {}", what, html_prose(said)));
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
  const auto trials = told_trials(explanation);
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

std::vector<const Json*> told_trials(const Json& explanation) {
  std::vector<const Json*> trials;
  for (const Json& trial : explanation.at("trials")) {
    if (!trial.contains("failure") && !trial.at("victims").empty()) trials.push_back(&trial);
  }
  return trials;
}

bool is_explanation(const Json& json) { return json.is_object() && json.contains("explains"); }

Json read_explanation(const std::filesystem::path& file) {
  return read_written(file, "mlocksim explain --json", [](const Json& json) {
    (void)explanation_page(json, {}, {}, {});
    (void)remedy_figure(json);
  });
}

std::string explanation_section(const Json& explanation) {
  std::string text =
      "<section id=\"explanation\" aria-labelledby=\"explanation-title\">\n<h2 "
      "id=\"explanation-title\">What happens, and what would help</h2>\n";
  if (explanation.at("victims").empty()) return text + "<p>Nobody suffers.</p>\n</section>\n";
  if (const auto incident = explanation.find("incident"); incident != explanation.end()) text += report_html(*incident);
  std::vector<std::string> account;
  for (const auto& sentence : explanation.at("account").get<std::vector<std::string>>()) {
    account.push_back(html_prose(sentence));
  }
  std::vector<std::string> victims;
  for (const Json& victim : explanation.at("victims")) victims.push_back(change_html(victim));
  text += "<h3>Who suffers: from one thread alone on the machine to all together</h3>\n" + list(victims) +
          footnotes(explanation.at("victims"));
  text += "<h3>What happens</h3>\n" + list(account) + "<p>" + best_sentence(explanation) + "</p>\n";
  return text + fmt::format(
                    "<h3>What would help</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                    "aria-label=\"Table of remedies, scrolls sideways\">\n<table id=\"remedies\">\n"
                    "<caption>Each change alone: first those that help every victim, by the one that they help least; "
                    "differences with their 95 % interval over {} "
                    "seeds.</caption>\n<thead><tr>{}{}{}{}{}</tr></thead>\n<tbody>\n{}</tbody>\n"
                    "</table>\n</div>\n</section>\n",
                    explanation.at("replications").get<std::size_t>(), column_head("place", "place (number)"),
                    column_head("remedy", "remedy", " class=\"w\""), column_head("helps", "helps", " class=\"w\""),
                    column_head("victims", "the victims", " class=\"w\""),
                    column_head("command", "to repeat it", " class=\"w\""), rows_of(explanation));
}

std::string explanation_page(const Json& explanation, const std::vector<DrawnOrNot>& figures, const std::string& files,
                             const std::string& input) {
  const auto account = explanation.at("account").get<std::vector<std::string>>();
  std::vector<std::string> answer;
  if (explanation.at("victims").empty()) {
    answer.emplace_back(
        "<strong>Nobody suffers:</strong> no tail is three times what it is alone on the machine, no request stalled, "
        "and nobody waits for locks for much of the time.");
  } else {
    if (!account.empty()) answer.push_back(html_prose(account.front()));
    answer.push_back(best_sentence(explanation));
  }
  const std::string method = fmt::format(
      "<section id=\"method\" aria-labelledby=\"method-title\">\n<h2 id=\"method-title\">Method</h2>\n"
      "<p>A victim is a class whose tail is at least three times what it is with one thread of it alone on the "
      "machine, or one of whose requests took a millisecond, a hundred times what is usual and three times the longest "
      "alone, or whose threads wait for locks for 5 % more of their time. "
      "Every wait is followed to whoever held the lock, and from a holder that waits itself on to those it waits for. "
      "Each remedy is run alone with the same seeds, and held against the run as it is by what makes the victim one; a "
      "difference whose 95 % interval has both signs, or that is less than 5 %, is called none.</p>\n"
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
