#include "experiments/report/report_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/algorithm/string/replace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "experiments/base/installation.h"
#include "experiments/base/quantity.h"
#include "experiments/base/shell.h"
#include "experiments/base/statistics.h"
#include "experiments/compare/policy_table.h"
#include "experiments/report/figures/styles.h"
#include "experiments/report/verdict_section.h"
#include "experiments/scenario/resolved_scenario.h"
#include "experiments/study/study_plan.h"

namespace experiments {

namespace {

// --- method -------------------------------------------------------------------------------------------------------

std::string entry(const std::string& term, const std::string& html) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", html_text(term), html);
}

std::string seeds_of(const StudyResults& results) {
  std::set<std::uint64_t> seeds;
  for (const PointOutcomes& point : results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      for (const auto& [replication, run] : policy.replications) {
        if (!run.command.empty() || run.seed > 0) seeds.insert(run.seed);
      }
    }
  }
  if (seeds.empty()) return "-";
  const bool in_a_row = *seeds.rbegin() - *seeds.begin() + 1 == seeds.size() && seeds.size() > 2;
  return in_a_row ? fmt::format("{} to {}", *seeds.begin(), *seeds.rbegin())
                  : fmt::format("{}", fmt::join(seeds, ", "));
}

std::string values_of(const StudyResults& results, std::size_t axis) {
  std::vector<std::string> values;
  for (const PointOutcomes& point : results.points) {
    if (!point.labels[axis]) continue;
    if (std::find(values.begin(), values.end(), *point.labels[axis]) == values.end()) {
      values.push_back(*point.labels[axis]);
    }
  }
  return html_text(fmt::format("{}", fmt::join(values, ", ")));
}

/// The first run of those in the figures, or null.
const RunOutcome* run_at(const ReportData& data, const Focus& focus) {
  const PolicyOutcomes* const outcomes = data.results.points[focus.point].policy(focus.before);
  if (outcomes == nullptr || outcomes->replications.empty()) return nullptr;
  return &outcomes->replications.begin()->second;
}

std::string version_text(const ProgramVersion& version) {
  if (version.program.empty()) return "a version that is not known";
  return fmt::format("mlocksim {}, result version {}", version.program, version.result_version);
}

/// Whose numbers these are; and whose the page is, where that is another's.
std::string versions_html(const StudyResults& results) {
  const ProgramVersion own{std::string(program_version()), kResultVersion};
  const auto versions = results.versions();
  std::vector<std::string> parts;
  for (const auto& [version, count] : versions) {
    const std::string runs = versions.size() > 1 ? counted(count, "run") + " by " : "";
    parts.push_back(html_text(runs + version_text(version)));
  }
  const std::string ran = fmt::format("{}", fmt::join(parts, "; "));
  if (versions.size() == 1 && versions.contains(own)) return ran;
  const char* const mixed = versions.size() > 1
                                ? " <strong>The runs are not all of one version: differences between them may be "
                                  "differences of the program.</strong>"
                                : "";
  return fmt::format("{}; <strong>this page: {}.</strong>{}", ran, html_text(version_text(own)), mixed);
}

/// What a line of <pre> holds on a screen, and on paper at the size of page.css.
constexpr std::size_t kPreWidth = 120;

std::string parameters(const ReportData& data, const Focus& focus) {
  const StudyResults& results = data.results;
  std::string text = "<h3>Parameters</h3>\n<dl>\n";
  const RunOutcome* const shown = run_at(data, focus);
  const auto scenario = shown == nullptr ? Expected<models::Scenario>(Refusal{}) : scenario_of(data, *shown);
  if (scenario) {
    text +=
        entry("scenario", fmt::format("<code>{}</code>: {}", html_text(scenario->name), html_prose(scenario->about)));
    text += entry("machine", html_text(fmt::format("{}, {} CPUs, {} of memory{}", scenario->machine.name,
                                                   scenario->machine.cpus, human(scenario->memory.size),
                                                   results.points.size() > 1 ? " (at the point of the figures)" : "")));
  }
  for (std::size_t axis = 0; axis < results.axes.size(); ++axis) {
    text += entry("axis " + results.axes[axis], values_of(results, axis));
  }
  std::vector<std::string> measures;
  for (const Measure& measure : data.measures) {
    measures.push_back(
        fmt::format("<code>{}</code> {}", html_text(to_text(measure)), html_text(measure_text(measure))));
  }
  text += entry("measures", fmt::format("{}", fmt::join(measures, "<br>")));
  text += entry("points", fmt::format("{}", results.points.size()));
  const std::size_t short_of_memory = results.count_out_of_memory();
  text += entry("runs", fmt::format("{} finished{}, {} failed, {} not ended", results.count("done"),
                                    short_of_memory > 0 ? fmt::format(" ({} out of memory)", short_of_memory) : "",
                                    results.count("failed"), results.count("") + results.count("running")));
  text += entry("seeds", seeds_of(results) + ", the same for all policies and points");
  text += entry("version", versions_html(results));
  text += "</dl>\n";
  std::vector<models::Policy> rules;
  for (const std::string& policy : data.policies) {
    if (const auto found = data.rules.find(policy); found != data.rules.end()) {
      rules.push_back(found->second);
      rules.back().name = policy;
    }
  }
  text += "<h3>Policies</h3>\n<ul>\n";
  const auto styles = styles_of(data.policies);
  for (const std::string& policy : data.policies) {
    const auto found = data.rules.find(policy);
    text += fmt::format(
        "<li><span class=\"swatch\" style=\"background:{}\"></span><code>{}</code>{}</li>\n", styles.at(policy).colour,
        html_text(policy),
        found == data.rules.end() || found->second.about.empty() ? "" : " " + html_prose(found->second.about));
  }
  text += "</ul>\n";
  if (!rules.empty()) {
    text += fmt::format("<p>The mode in which each path holds mmap_sem:</p>\n<pre tabindex=\"0\">{}</pre>\n",
                        html_prose(policy_table(rules, kPreWidth)));
  }
  return text;
}

std::string reproduce(const ReportData& data, const Focus& focus, const std::string& input) {
  std::string commands;
  const std::string made = data.results.command;
  if (data.is_study) {
    commands +=
        (made.empty() ? "mlocksim sweep " + shell_word(data.results.name) : made) + " -o " + shell_word(input) + "\n";
  } else if (!made.empty()) {
    commands += made + " --json " + shell_word(input) + "\n";
  }
  commands += "mlocksim report " + shell_word(input) + "\n";
  std::string text = fmt::format(
      "<h3>To reproduce it</h3>\n<p>The same version gives the same bytes.</p>\n<pre tabindex=\"0\">{}</pre>\n",
      html_text(commands));
  const RunOutcome* const shown = run_at(data, focus);
  const std::string one = shown == nullptr ? "" : shown->command;
  if (!one.empty()) {
    text += fmt::format(
        "<p>One run of those in the figures alone, with its ten longest requests explained:</p>\n"
        "<pre tabindex=\"0\">{} --worst 10</pre>\n",
        html_text(one));
  }
  if (data.is_study) {
    text += fmt::format(
        "<p>Every number above carries, as <code>data-sql</code>, the query whose rows it is made of. "
        "To ask the store:</p>\n<pre tabindex=\"0\">mlocksim results {} --sql 'QUERY'</pre>\n",
        html_text(shell_word(input)));
  }
  return text;
}

constexpr const char* kMethod = R"(<p>mlocksim replays the kernel's paths of mlock, munlock, munmap, page faults and
/proc readers, lock operation by lock operation, on a simulated machine; time is whole nanoseconds.</p>
<ul>
<li><strong>Percentiles</strong> need ten requests beyond them, or are not given: p99 takes 1,000 requests, p99.9
takes 10,000. The maximum is always known; it is a single request.</li>
<li><strong>Confidence.</strong> A replication gives one number for a measure. Shown are their mean with Student's
95 % interval; between policies the ratio, paired seed by seed, with the interval of its logarithm. A difference whose
interval has both signs, or that is less than 5 %, is called none; with one seed, less than a factor of 1.5.</li>
<li><strong>Common random numbers.</strong> All policies meet the same demands at the same times.</li>
<li><strong>Warm-up.</strong> Requests of the first crowd are left out, until everybody has been served once or the
locker calls; requests under way at the end are served before the run ends, so the longest are not lost.</li>
<li><strong>Open and closed loops.</strong> A closed loop asks nothing while it waits, so a long stall is one sample of
it; an open loop counts latency from when a request was due.</li>
<li><strong>Blame</strong> adds up: every latency is split without remainder into work, run queue, wake-up, waiting for
mmap_sem by holder, reclaim and device.</li>
</ul>
)";

std::string method_section(const ReportData& data, const Focus& focus, const std::string& input) {
  return fmt::format(
      "<section id=\"method\" aria-labelledby=\"method-title\">\n<h2 "
      "id=\"method-title\">Method</h2>\n{}{}{}</section>\n",
      kMethod, parameters(data, focus), reproduce(data, focus, input));
}

// --- table of results ---------------------------------------------------------------------------------------------

struct Unit {
  const char* name;
  double size;
};

constexpr std::array<Unit, 4> kUnits{{{"ns", 1}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}}};

/// One unit for a column: that of its geometric mean.
Unit unit_of(const Measure& measure, const std::vector<double>& values) {
  if (measure.statistic == "count") return {"requests", 1};
  double sum = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (value <= 0) continue;
    sum += std::log(value);
    ++count;
  }
  const double typical = count == 0 ? 1 : std::exp(sum / static_cast<double>(count));
  Unit unit = kUnits.front();
  for (const Unit& each : kUnits) {
    if (typical >= each.size) unit = each;
  }
  return unit;
}

/// A name that may be broken where its parts meet.
std::string breakable(const std::string& name) {
  std::string html = html_text(name);
  for (const char* const end : {".", "_", "("}) boost::replace_all(html, end, std::string(end) + "<wbr>");
  return html;
}

std::string measure_head(const Measure& measure, const Unit& unit) {
  return column_head(to_text(measure), fmt::format("{} ({})", breakable(to_text(measure)), unit.name),
                     fmt::format(" data-measure=\"{}\"", html_text(to_text(measure))));
}

std::string measure_cell(const std::vector<double>& values, const Unit& unit) {
  if (values.empty()) return "<td>-";
  const double mean = mean_of(values);
  std::string text = fmt::format("<td data-v={:.10g}>{}", mean, three_digits(mean / unit.size));
  if (const auto interval = mean_interval(values)) {
    text += fmt::format(" <small>±{}</small>", three_digits((interval->high - interval->mean) / unit.size));
  }
  return text;
}

/// What an axis' value sorts by: its size, not its spelling.
std::string label_cell(const std::optional<std::string>& label) {
  if (!label) return "<td>-";
  const Value value = value_of(*label);
  if (value.type == ValueType::word || value.type == ValueType::truth) {
    return fmt::format("<td class=w>{}", html_text(*label));
  }
  return fmt::format("<td data-v={:.10g}>{}", value.amount, html_text(*label));
}

std::vector<Unit> units_of(const ReportData& data) {
  std::vector<Unit> units;
  for (const Measure& measure : data.measures) {
    std::vector<double> all;
    for (const PointOutcomes& point : data.results.points) {
      for (const PolicyOutcomes& policy : point.policies) {
        for (const double value : policy.values(measure)) all.push_back(value);
      }
    }
    units.push_back(unit_of(measure, all));
  }
  return units;
}

std::string table_head(const ReportData& data, const Focus& focus, const std::vector<Unit>& units) {
  std::string text = "<tr>" + column_head("point", "point (number)");
  for (std::size_t axis = 0; axis < data.results.axes.size(); ++axis) {
    const std::string& name = data.results.axes[axis];
    text += column_head(name, html_text(name));
  }
  text += column_head("policy", "policy", " class=\"w\"") + column_head("seeds", "seeds (number)");
  for (std::size_t measure = 0; measure < data.measures.size(); ++measure) {
    text += measure_head(data.measures[measure], units[measure]);
  }
  if (!focus.after.empty()) {
    text += column_head(
        "ratio", fmt::format("{} against {} (ratio)", breakable(to_text(focus.headline)), breakable(focus.before)));
  }
  return text + "</tr>\n";
}

std::string ratio_cell(const std::optional<PointEffect>& effect) {
  if (!effect) return "<td>-";
  return fmt::format("<td data-v={:.8g}>{}{}", effect->ratio, three_digits(effect->ratio),
                     effect->change == Change::none ? " <small>none shown</small>" : "");
}

std::string table_rows(const ReportData& data, const Focus& focus, const std::vector<Unit>& units) {
  std::string text;
  for (const PointOutcomes& point : data.results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      const std::size_t done = data.runs(point.number, policy.policy).size();
      if (done == 0) continue;
      text += fmt::format("<tr data-point={} data-policy=\"{}\"><td data-v={}>{}", point.number,
                          html_text(policy.policy), point.number, point.number);
      for (const auto& label : point.labels) text += label_cell(label);
      text += fmt::format("<td class=w>{}<td data-v={}>{}", breakable(policy.policy), done, done);
      for (std::size_t measure = 0; measure < data.measures.size(); ++measure) {
        text += measure_cell(policy.values(data.measures[measure]), units[measure]);
      }
      if (!focus.after.empty()) {
        text += ratio_cell(effect_at(data, point.number, focus.before, policy.policy, focus.headline));
      }
      text += "\n";
    }
  }
  return text;
}

std::string results_section(const ReportData& data, const Focus& focus) {
  const std::vector<Unit> units = units_of(data);
  constexpr std::size_t kMostUpright = 12;
  const std::size_t columns = 4 + data.results.axes.size() + units.size();
  return fmt::format(
      "<section id=\"results\"{} aria-labelledby=\"results-title\">\n<h2 id=\"results-title\">Results</h2>\n{}"
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of results, scrolls sideways\">\n"
      "<table class=\"sortable\" id=\"table\">\n<caption>Means over the seeds ± half of the 95 % confidence interval. "
      "A dash: too few requests, or none.</caption>\n<thead>{}</thead>\n<tbody>\n{}</tbody>\n</table>\n</div>\n"
      "</section>\n",
      columns > kMostUpright ? " class=\"wide\"" : "", table_tools("table"), table_head(data, focus, units),
      table_rows(data, focus, units));
}

// --- what find and sensitivity found, what failed -------------------------------------------------------------------

std::string findings_section(const ReportData& data) {
  const std::string text = study_findings_text(data.results);
  if (text.empty()) return {};
  return fmt::format(
      "<section id=\"findings\" aria-labelledby=\"findings-title\">\n<h2 id=\"findings-title\">What the study searched "
      "for</h2>\n<pre tabindex=\"0\">{}</pre>\n</section>\n",
      html_prose(text));
}

/// A section with the runs that `is_meant`, each once, and what `says` says of it; nothing where there are none.
template <typename IsMeant, typename Says>
std::string section_of_runs(const ReportData& data, const std::string& id, const std::string& title, IsMeant is_meant,
                            Says says) {
  std::string rows;
  std::set<std::string> shown;
  for (const PointOutcomes& point : data.results.points) {
    for (const PolicyOutcomes& policy : point.policies) {
      for (const auto& [replication, run] : policy.replications) {
        if (!is_meant(run) || !shown.insert(run.key).second) continue;
        rows += fmt::format("<li>{}, {}, seed {}: {}<pre tabindex=\"0\">{}</pre></li>\n",
                            html_text(title_of(data.results, point)), html_text(policy.policy), run.seed,
                            html_prose(says(run)), html_text(run.command));
      }
    }
  }
  if (rows.empty()) return {};
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n<ul>\n{2}</ul>\n"
      "</section>\n",
      id, html_text(title), rows);
}

std::string failures_section(const ReportData& data) {
  return section_of_runs(
      data, "failed", "Failed runs", [](const RunOutcome& run) { return run.status == "failed"; },
      [](const RunOutcome& run) { return run.reason; });
}

std::string out_of_memory_section(const ReportData& data) {
  return section_of_runs(
      data, "out-of-memory", "Runs that ran out of memory", [](const RunOutcome& run) { return run.out_of_memory; },
      [](const RunOutcome& run) { return "after " + time_text(static_cast<double>(run.sim_time_ns)); });
}

/// What has to be known before the answer.
std::vector<std::string> with_warning(const ReportData& data, std::vector<std::string> sentences) {
  const std::size_t count = data.results.count_out_of_memory();
  if (count == 0) return sentences;
  sentences.insert(sentences.begin(),
                   fmt::format("<strong>{} of {} ran out of memory</strong> and ended early: no figure on this page{} "
                               "counts what they had come to. <a href=\"#out-of-memory\">Which ones</a>.",
                               count, counted(data.results.count("done"), "run"),
                               data.answers.empty() ? "" : ", but for the verdict,"));
  return sentences;
}

}  // namespace

std::string report_page(const ReportData& data, const Focus& focus, const Answer& answer,
                        const std::vector<DrawnOrNot>& figures, const std::string& files, const std::string& input,
                        const std::string& explanation) {
  const std::string verdict = verdict_section(data);
  const std::string findings = findings_section(data);
  PageFrame frame{fmt::format("mlocksim {}: {}", data.is_study ? "study" : "comparison", data.results.name),
                  focus.question, data.results.about};
  frame.more_links = link_to_section("verdict", "Verdict", verdict) +
                     link_to_section("explanation", "Explanation", explanation) +
                     link_to_section("findings", "Findings", findings);
  return page_document(frame, answer_section(with_warning(data, answer.sentences), answer.not_shown) + verdict +
                                  explanation + findings + figures_section(figures, files) +
                                  method_section(data, focus, input) + results_section(data, focus) +
                                  failures_section(data) + out_of_memory_section(data));
}

// --- two studies ----------------------------------------------------------------------------------------------------

namespace {

std::string list_of(const std::string& title, const std::vector<std::string>& items) {
  if (items.empty()) return {};
  std::string text = fmt::format("<h3>{}</h3>\n<ul>\n", html_text(title));
  for (const std::string& item : items) text += fmt::format("<li>{}</li>\n", html_text(item));
  return text + "</ul>\n";
}

std::vector<std::string> difference_sentences(const StudyDifference& difference) {
  const std::size_t all = difference.rows.size();
  if (all == 0) return {"<strong>Nothing can be compared:</strong> no point, policy, measure and seed is in both."};
  const std::size_t changed = difference.count(Change::shorter) + difference.count(Change::longer);
  std::vector<std::string> sentences{
      changed == 0
          ? fmt::format("<strong>No difference is shown</strong> in any of {}.", counted(all, "measure"))
          : fmt::format("<strong>{} of {} changed:</strong> {} became shorter, {} longer.", changed,
                        counted(all, "measure"), difference.count(Change::shorter), difference.count(Change::longer))};
  if (changed > 0) {
    const auto [best, worst] = std::minmax_element(difference.rows.begin(), difference.rows.end(),
                                                   [](const auto& a, const auto& b) { return a.ratio < b.ratio; });
    const auto words = [](const DifferenceRow& row) {
      return html_text(fmt::format("{} under {} at {}: {}, {} instead of {}", measure_text(row.measure), row.policy,
                                   row.point, factor_text(1, row.ratio), amount_text(row.measure, row.after),
                                   amount_text(row.measure, row.before)));
    };
    if (best->change == Change::shorter) sentences.push_back(fmt::format("Most shortened: {}.", words(*best)));
    if (worst->change == Change::longer) sentences.push_back(fmt::format("Most lengthened: {}.", words(*worst)));
  }
  return sentences;
}

std::string difference_rows(const StudyDifference& difference) {
  std::string text;
  for (const DifferenceRow& row : difference.rows) {
    const auto interval = row.interval;
    const char* const change = row.change == Change::none      ? "none shown"
                               : row.change == Change::shorter ? "shorter"
                                                               : "longer";
    text += fmt::format(
        "<tr><td class=w>{}<td class=w>{}<td class=w>{}<td data-v={:.10g}>{}<td data-v={:.10g}>{}<td "
        "data-v={:.8g}>{}<td "
        "class=w>{}<td>{}<td class=w>{}\n",
        html_text(row.point), html_text(row.policy), html_text(to_text(row.measure)), row.before,
        html_text(amount_text(row.measure, row.before)), row.after, html_text(amount_text(row.measure, row.after)),
        row.ratio, three_digits(row.ratio),
        interval ? fmt::format("{} to {}", three_digits(interval->low), three_digits(interval->high)) : "-", row.seeds,
        change);
  }
  return text;
}

}  // namespace

std::string difference_page(const StudyDifference& difference, const std::vector<DrawnOrNot>& figures,
                            const std::string& files, const std::string& before_input, const std::string& after_input) {
  std::vector<std::string> not_shown;
  const std::size_t alone = difference.only_before.size() + difference.only_after.size();
  if (alone > 0) {
    not_shown.push_back(fmt::format("{} of point and policy {} in one of the studies only: listed below.",
                                    counted(alone, "pair"), alone == 1 ? "is" : "are"));
  }
  not_shown.push_back("Only seeds that both have are compared.");
  if (difference.out_of_memory > 0) {
    not_shown.push_back(fmt::format("{} ran out of memory, and {} in no row.", counted(difference.out_of_memory, "run"),
                                    difference.out_of_memory == 1 ? "is" : "are"));
  }
  const std::string heads = column_head("point", "point", " class=\"w\"") +
                            column_head("policy", "policy", " class=\"w\"") +
                            column_head("measure", "measure", " class=\"w\"") + column_head("before", "before (time)") +
                            column_head("after", "after (time)") + column_head("ratio", "after / before (ratio)") +
                            column_head("interval", "95 % interval (ratio)", " class=\"w\"") +
                            column_head("seeds", "seeds (number)") + column_head("change", "change", " class=\"w\"");
  const std::string table = fmt::format(
      "<section id=\"results\" aria-labelledby=\"results-title\">\n<h2 id=\"results-title\">Results</h2>\n{}"
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of results, scrolls sideways\">\n"
      "<table class=\"sortable\" id=\"table\">\n<caption>Means over the seeds that both studies "
      "have.</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table>\n</div>\n{}{}{}</section>\n",
      table_tools("table"), heads, difference_rows(difference), list_of("Before only", difference.only_before),
      list_of("After only", difference.only_after),
      list_of("Measures that the study after does not show itself", difference.unmeasured));
  const std::string method = fmt::format(
      "<section id=\"method\" aria-labelledby=\"method-title\">\n<h2 id=\"method-title\">Method</h2>\n"
      "<p>Points with the same values of their axes and policies of the same name are the same. Replications of one "
      "seed "
      "saw the same demands and are paired; the ratio is their geometric mean with Student's 95 % interval of its "
      "logarithm. A difference that is not shown with 95 % confidence, or is less than 5 %, is called none; with one "
      "seed, less than a factor of 1.5.</p>\n<h3>To reproduce it</h3>\n<pre tabindex=\"0\">mlocksim report --diff {} "
      "{}</pre>\n</section>\n",
      html_text(shell_word(before_input)), html_text(shell_word(after_input)));
  const std::string names =
      difference.before == difference.after ? difference.before : difference.before + " and " + difference.after;
  return page_document(
      {"mlocksim: two studies", "What changed in " + names + "?",
       fmt::format("Before: {}. After: {}.", before_input, after_input)},
      answer_section(difference_sentences(difference), not_shown) + figures_section(figures, files) + method + table);
}

}  // namespace experiments
