// What a report is made of: a study's store, or the file that `compare --json` writes; and where each number is in it.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/html.h"
#include "experiments/base/quantity.h"
#include "experiments/compare/policy_answer.h"
#include "experiments/run/coarse_histogram.h"
#include "experiments/study/study_results.h"
#include "models/spec/scenario.h"

namespace experiments {

/// What is kept of one run beside its figures.
struct RunDetails {
  Json result;                  ///< as to_json() of result_json.h; null where there is none
  Distributions distributions;  ///< empty where none are known
};

struct ReportData {
  StudyResults results;                                        ///< one comparison is a study of one point without axes
  bool is_study = true;                                        ///< else one comparison
  bool keeps_distributions = true;                             ///< whether there can be any
  std::vector<PolicyAnswer> answers;                           ///< of a comparison: its verdict, that on top first
  std::vector<Measure> measures;                               ///< what is shown
  std::vector<std::string> policies;                           ///< of all points, in the order of the study
  std::map<std::string, models::Policy> rules;                 ///< what each policy did, where that is known
  std::function<RunDetails(const std::string& run)> details;   ///< of the run of that key
  std::function<std::string(const RunOutcome& run)> resolved;  ///< its scenario as a file; empty where none is known

  /// The keys of the runs of a point under a policy that are done and did not run out of memory.
  [[nodiscard]] std::vector<std::string> runs(std::size_t point, const std::string& policy) const;
  /// How many there are of them.
  [[nodiscard]] std::size_t count_runs() const;
};

/// What a run ran: its scenario with its one policy and its seed, as it was then, whatever the files say today.
[[nodiscard]] Expected<models::Scenario> scenario_of(const ReportData& data, const RunOutcome& run);

/// `input`: a folder with a study, or a file of `compare --json`. Throws InputError: neither of them, or nothing is
/// finished in it.
[[nodiscard]] ReportData read_report_data(const std::filesystem::path& input);

// --- where numbers are ----------------------------------------------------------------------------------------
// Queries to a store; empty for a comparison, which has none.

/// Rows: the measure, of each replication that has it.
[[nodiscard]] std::string query_of(const ReportData& data, std::size_t point, const std::string& policy,
                                   const Measure& measure);
/// Rows: the measure under either policy, of each replication that has both.
[[nodiscard]] std::string query_of_pairs(const ReportData& data, std::size_t point, const std::string& before,
                                         const std::string& after, const Measure& measure);
/// The same of all points: rows of the point and both.
[[nodiscard]] std::string query_of_all_pairs(const ReportData& data, const std::string& before,
                                             const std::string& after, const Measure& measure);
/// Rows: the fact of that name (store.h) of each replication that has it.
[[nodiscard]] std::string query_of_fact(const ReportData& data, std::size_t point, const std::string& policy,
                                        const std::string& name);
/// One row: the fact of that name of one run.
[[nodiscard]] std::string query_of_run(const ReportData& data, const std::string& run, const std::string& name);
/// Rows: of the slowest requests of each replication, the time that they waited for locks, and all of their time.
[[nodiscard]] std::string query_of_tail_blame(const ReportData& data, std::size_t point, const std::string& policy,
                                              const std::string& class_name, const std::string& phase);

// --- in words -------------------------------------------------------------------------------------------------

/// As human() of quantity.h, with the sign for micro and a space that does not break.
[[nodiscard]] std::string time_text(double nanoseconds);
/// The measure's amount: a time, or a number for `count`.
[[nodiscard]] std::string amount_text(const Measure& measure, double amount);
/// `the longest faulter request due during munlock`, `p99 of open_faulter requests`.
[[nodiscard]] std::string measure_text(const Measure& measure);
/// `1 point`, `27 points`.
[[nodiscard]] std::string counted(std::size_t count, const std::string& noun);

}  // namespace experiments
