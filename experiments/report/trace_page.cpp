#include "experiments/report/trace_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

#include "experiments/base/html.h"
#include "experiments/base/shell.h"
#include "experiments/report/page_table.h"
#include "experiments/report/report_data.h"
#include "experiments/report/written_json.h"

namespace experiments {

namespace {

void longest_together_first(std::vector<TracedLockUser>& users) {
  std::stable_sort(users.begin(), users.end(), [](const TracedLockUser& a, const TracedLockUser& b) {
    return a.together != b.together ? a.together > b.together : a.count > b.count;
  });
}

// --- tables -------------------------------------------------------------------------------------------------------

std::string figure_cell(const Json& figures, const char* key) {
  const auto found = figures.find(key);
  return time_cell(found == figures.end() || found->is_null() ? std::nullopt : std::optional(number_in(*found, key)));
}

std::string waits_table_of(const Json& import) {
  std::string rows;
  for (const TracedLockUser& user : who_waited(import)) {
    const bool waited = user.waited > 0;
    const auto if_waited = [&](double time) { return time_cell(waited ? std::optional(time) : std::nullopt); };
    rows += "<tr>" + word_cell(user.process) + word_cell(user.who) + count_cell(user.count) + count_cell(user.waited) +
            if_waited(user.together) + if_waited(user.mean) + if_waited(user.longest) + "\n";
  }
  return table_html(
      {"waits",
       "Who asked for mmap_lock",
       "Waits until it was had. A wait is one during which somebody held it in a mode that kept the asker "
       "out, or that slept for it.",
       {{"process", "mmap_lock of", true},
        {"asker", "asked for by", true},
        {"n", "n"},
        {"waited", "waited"},
        {"together", "together"},
        {"mean", "mean wait"},
        {"longest", "longest wait"}},
       true},
      rows);
}

std::string holds_table_of(const Json& import) {
  std::string rows;
  for (const TracedLockUser& user : who_held(import)) {
    rows += "<tr>" + word_cell(user.process) + word_cell(user.who) + count_cell(user.count) + time_cell(user.together) +
            time_cell(user.mean) + time_cell(user.longest) + "\n";
  }
  return table_html({"holds",
                     "Who held mmap_lock",
                     "A hold that was downgraded is two: one for write, one for read.",
                     {{"process", "mmap_lock of", true},
                      {"holder", "held by", true},
                      {"n", "n"},
                      {"together", "together"},
                      {"mean", "mean hold"},
                      {"longest", "longest hold"}},
                     false},
                    rows);
}

std::string classes_table_of(const Json& import) {
  std::string rows;
  for (const auto& [name, of_class] : import.at("classes").items()) {
    for (const auto& [phase, figures] : of_class.at("during").items()) {
      rows += "<tr>" + word_cell(name) + word_cell(phase) + count_cell(number_of(figures, "count")) +
              figure_cell(figures, "mean_ns") + figure_cell(figures, "p50_ns") + figure_cell(figures, "p99_ns") +
              figure_cell(figures, "max_ns") + "\n";
    }
  }
  return table_html(
      {"requests",
       "Requests that asked for mmap_lock",
       "From the beginning of the call or fault to its end, by what a locker of the process was doing when "
       "it began. A dash: too few of them.",
       {{"class", "class", true},
        {"during", "during", true},
        {"n", "n"},
        {"mean", "mean"},
        {"p50", "p50"},
        {"p99", "p99"},
        {"max", "longest"}},
       false},
      rows);
}

std::string calls_table_of(const Json& import) {
  std::string rows;
  for (const auto& [name, of_class] : import.at("classes").items()) {
    const auto calls = of_class.find("syscalls");
    if (calls == of_class.end()) continue;
    for (const auto& [call, figures] : calls->items()) {
      rows += "<tr>" + word_cell(name) + word_cell(call) + count_cell(number_of(figures, "calls")) +
              figure_cell(figures, "mean_ns") + figure_cell(figures, "max_ns") +
              count_cell(number_of(figures, "failed")) + "\n";
    }
  }
  return table_html({"calls",
                     "System calls",
                     "Those that asked for mmap_lock, and have returned.",
                     {{"class", "class", true},
                      {"call", "call", true},
                      {"n", "n"},
                      {"mean", "mean"},
                      {"max", "longest"},
                      {"failed", "failed"}},
                     false},
                    rows);
}

// --- the longest requests -----------------------------------------------------------------------------------------

std::string step_item(const Json& step) {
  return fmt::format("<li>after {}, {}: {}</li>\n", time_text(number_of(step, "after_ns")),
                     time_text(number_of(step, "ns")), html_prose(text_at(step, "what")));
}

std::string longest_html(const Json& longest) {
  if (longest.empty()) return "<h3>The longest requests</h3>\n<p>Nobody made a request.</p>\n";
  std::string items;
  for (const Json& request : longest) {
    std::string steps;
    for (const Json& step : request.at("steps")) steps += step_item(step);
    const std::string shorter = text_at(request, "shorter");
    if (!shorter.empty()) steps += fmt::format("<li>and shorter ones: {}</li>\n", html_prose(shorter));
    items += fmt::format("<li><strong>{}: {}</strong>, {} after the first event, during {}\n<ul>\n{}</ul></li>\n",
                         html_text(text_at(request, "task")), time_text(number_of(request, "latency_ns")),
                         time_text(number_of(request, "due_ns")), html_text(text_at(request, "during")), steps);
  }
  return "<h3>The longest requests: what each went through, and from when on</h3>\n<ol id=\"longest\">\n" + items +
         "</ol>\n";
}

// --- the answer ---------------------------------------------------------------------------------------------------

/// What most of a request's time went into.
const Json* main_step(const Json& request) {
  const Json* longest = nullptr;
  for (const Json& step : request.at("steps")) {
    if (longest == nullptr || number_of(step, "ns") > number_of(*longest, "ns")) longest = &step;
  }
  return longest;
}

std::string longest_sentence(const Json& import) {
  const Json& longest = import.at("longest");
  if (longest.empty()) return "<strong>Nobody asked for mmap_lock</strong> from beginning to end of a request.";
  const Json& request = longest.front();
  std::string text = fmt::format("<strong>The longest request took {}:</strong> {}, due during {}.",
                                 time_text(number_of(request, "latency_ns")), html_text(text_at(request, "task")),
                                 html_text(text_at(request, "during")));
  if (const Json* const step = main_step(request)) {
    text += fmt::format(" For {} of it, it {}.", time_text(number_of(*step, "ns")), html_prose(text_at(*step, "what")));
  }
  return text;
}

std::string waits_sentence(const Json& import) {
  const auto waits = who_waited(import);
  if (waits.empty() || waits.front().waited <= 0) return "<strong>Nobody waited</strong> for mmap_lock.";
  const TracedLockUser& most = waits.front();
  return fmt::format(
      "<strong>Most waiting:</strong> {} waited {} of {} times for mmap_lock of {}, {} together, at "
      "longest {}.",
      html_text(most.who), most.waited, most.count, html_text(most.process), time_text(most.together),
      time_text(most.longest));
}

std::string holds_sentence(const Json& import) {
  const auto holds = who_held(import);
  if (holds.empty()) return "No hold is in it from beginning to end.";
  const auto longest =
      std::max_element(holds.begin(), holds.end(), [](const auto& a, const auto& b) { return a.longest < b.longest; });
  return fmt::format("<strong>Longest hold:</strong> {} held mmap_lock of {} for {}.", html_text(longest->who),
                     html_text(longest->process), time_text(longest->longest));
}

std::string method_html(const Json& import, const std::string& input) {
  const Json& trace = import.at("trace");
  std::vector<std::string> events;
  for (const auto& [name, count] : trace.at("events").items()) {
    events.push_back(fmt::format("{:.0f} {}", number_in(count, "events"), html_text(name)));
  }
  std::string lacks;
  for (const auto& each : trace.value("shortcomings", std::vector<std::string>{})) {
    lacks += fmt::format("<li>{}</li>\n", html_prose(each));
  }
  return fmt::format(
      "<section id=\"method\" aria-labelledby=\"method-title\">\n<h2 id=\"method-title\">Method</h2>\n"
      "<p>Nothing on this page is simulated: it is what a trace of {} shows, over {}: {}. A class is a thread's name "
      "with "
      "its numbers folded. Classes, modes and calls are those of whoever asked for mmap_lock.</p>\n{}"
      "<h3>To reproduce it</h3>\n<pre tabindex=\"0\">mlocksim import TRACE --json {}\nmlocksim report {}</pre>\n"
      "</section>\n",
      html_text(text_at(trace, "form")), time_text(number_of(trace, "length_ns")), fmt::join(events, ", "),
      lacks.empty() ? ""
                    : "<h3>What the trace lacks, and what that costs</h3>\n<ul id=\"lacks\">\n" + lacks + "</ul>\n",
      html_text(shell_word(input)), html_text(shell_word(input)));
}

}  // namespace

bool is_import(const Json& json) { return json.is_object() && json.contains("trace"); }

Json read_import(const std::filesystem::path& file) {
  return read_written(file, "mlocksim import --json", [](const Json& json) {
    const auto has = [&](const char* key, Json::value_t type) {
      return json.contains(key) && json.at(key).type() == type;
    };
    const bool whole = json.value("schema", Json()) == "mlocksim/1" && has("trace", Json::value_t::object) &&
                       has("classes", Json::value_t::object) && has("locks", Json::value_t::object) &&
                       has("longest", Json::value_t::array);
    if (!whole) throw NotAsWritten("`trace`, `classes`, `locks` and `longest` are not all there");
    (void)trace_page(json, {}, {}, {});
  });
}

std::vector<TracedLockUser> who_waited(const Json& import) {
  std::vector<TracedLockUser> users;
  for (const auto& [name, lock] : import.at("locks").items()) {
    for (const Json& asked : lock.at("asked")) {
      const Json& wait = asked.at("wait");
      const double waited = number_of(asked, "contended");
      users.push_back(
          {text_at(lock, "process"),
           fmt::format("{} {} {}", text_at(asked, "class"), text_at(asked, "mode"), text_at(asked, "phase")),
           number_of(asked, "acquisitions"), waited, number_of(wait, "total_ns"),
           waited > 0 ? number_of(wait, "mean_ns") : 0, number_of(asked, "longest_ns")});
    }
  }
  longest_together_first(users);
  return users;
}

std::vector<TracedLockUser> who_held(const Json& import) {
  std::vector<TracedLockUser> users;
  for (const auto& [name, lock] : import.at("locks").items()) {
    for (const auto& [holder, hold] : lock.at("hold").items()) {
      const double count = number_of(hold, "count");
      const double mean = number_of(hold, "mean_ns");
      users.push_back({text_at(lock, "process"), holder, count, 0, count * mean, mean, number_of(hold, "max_ns")});
    }
  }
  longest_together_first(users);
  return users;
}

std::string trace_page(const Json& import, const std::vector<DrawnOrNot>& figures, const std::string& files,
                       const std::string& input) {
  const auto lacks = import.at("trace").value("shortcomings", std::vector<std::string>{});
  std::vector<std::string> not_shown;
  for (const std::string& each : lacks) not_shown.push_back(html_prose(each) + ".");
  const std::string name = text_at(import, "scenario");
  const std::string results =
      "<section id=\"results\" aria-labelledby=\"results-title\">\n<h2 "
      "id=\"results-title\">Results</h2>\n" +
      longest_html(import.at("longest")) + waits_table_of(import) + holds_table_of(import) + classes_table_of(import) +
      calls_table_of(import) + "</section>\n";
  return page_document(
      {"A trace of mmap_lock: " + name, fmt::format("Who waits for mmap_lock in {}, and for whom?", name),
       fmt::format("What a trace of {} shows.", time_text(number_of(import.at("trace"), "length_ns"))),
       "a trace of a real machine"},
      answer_section({longest_sentence(import), waits_sentence(import), holds_sentence(import)}, not_shown) +
          figures_section(figures, files) + method_html(import, input) + results);
}

}  // namespace experiments
