// Policies side by side: the results of one scenario under several policies, replication by replication.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/base/statistics.h"
#include "models/measure/result.h"
#include "models/spec/scenario.h"

namespace experiments {

/// A class of competitors while the locker was in one system call (or idle).
struct Row {
  std::string class_name;
  models::Phase call;

  auto operator<=>(const Row&) const = default;
};

/// What is compared: a percentile or the maximum.
struct Statistic {
  std::string name;                ///< `p99.9`
  std::optional<double> quantile;  ///< none: the maximum
  std::string key{};               ///< in studies: `p999`

  /// Its value, or nothing where there are too few samples for it.
  [[nodiscard]] std::optional<sim::Nanoseconds> of(const sim::Histogram& histogram) const;
};

[[nodiscard]] const std::vector<Statistic>& all_statistics();  ///< p50, p99, p99.9, max

/// The results of all policies, of the same replications (seeds) in the same order.
class Comparison {
 public:
  /// Precondition: as many lists of results as the scenario has policies, all equally long and not empty.
  Comparison(models::Scenario scenario, std::vector<std::vector<models::Result>> results);

  [[nodiscard]] const models::Scenario& scenario() const { return scenario_; }
  [[nodiscard]] std::size_t policies() const { return results_.size(); }
  [[nodiscard]] const models::Policy& policy(std::size_t index) const { return scenario_.policies[index]; }
  [[nodiscard]] std::size_t replications() const { return results_.front().size(); }
  [[nodiscard]] const std::vector<models::Result>& results(std::size_t policy) const { return results_[policy]; }

  /// The rows in which any policy has samples: classes in the order of the scenario, calls in the order of
  /// models::Phase.
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  /// The samples of all replications together. Empty where there are none.
  [[nodiscard]] const models::Samples& pooled(std::size_t policy, const Row& row) const;
  /// The highest percentile of the tail that every replication under both policies can tell, so that there is a paired
  /// difference. The maximum where there is none, or where that percentile hides a stall that one of the two ends.
  [[nodiscard]] const Statistic& best_statistic(const Row& row, std::size_t policy, std::size_t other) const;
  /// The paired difference `other` - `policy` in nanoseconds, over the replications in which both can tell.
  [[nodiscard]] std::optional<Interval> difference(const Row& row, const Statistic& statistic, std::size_t policy,
                                                   std::size_t other) const;

 private:
  models::Scenario scenario_;  // its own: whoever compares may let go of theirs
  std::vector<std::vector<models::Result>> results_;
  std::vector<Row> rows_;
  std::vector<std::map<Row, models::Samples>> pooled_;
};

/// The table that `compare` prints: rows against policies, or the policies below each other in every row where a line
/// of `width` characters would not hold them all.
[[nodiscard]] std::string table(const Comparison& comparison, std::size_t width);

/// What the tails are spent on: for each row the policies whose tail is mostly waiting, those of one reason together.
[[nodiscard]] std::string blame_lines(const Comparison& comparison);

/// Each policy against the first: paired differences with 95 % confidence. Empty with one replication.
[[nodiscard]] std::string difference_table(const Comparison& comparison);

}  // namespace experiments
