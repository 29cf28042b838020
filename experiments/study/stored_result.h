// What a store keeps of a result, computed by the process that ran it: a sweep's own process then reads a few hundred
// numbers for each run instead of making the whole result again beside its workers.
//
// Validated by tests/experiments/study/stored_result_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "experiments/base/statistic_list.h"
#include "models/measure/result.h"

namespace experiments {

struct StoredResult {
  /// A row of the store's table `figure`.
  struct Figure {
    std::string class_name;
    std::string phase;                                                   ///< or call; "total": the whole run
    std::array<std::optional<std::int64_t>, kStatistics.size()> values;  ///< of kStatistics; nothing: too few samples
    std::string blame;                                                   ///< JSON; empty: none is kept
    std::string tail_blame;
  };
  /// A row of its table `fact`.
  struct Fact {
    std::string name;
    std::variant<std::int64_t, double> value;
  };

  std::string outcome;
  std::vector<Figure> figures;
  std::vector<Fact> facts;
  std::vector<std::uint8_t> result;  ///< pack() of result_pack.h
};

[[nodiscard]] StoredResult stored_result(const models::Result& result);

/// As bytes for read_stored_result(), on the way from one process to another of the same program.
[[nodiscard]] std::vector<std::uint8_t> to_bytes(const StoredResult& stored);
/// Throws nlohmann::json::exception if `bytes` did not come from to_bytes().
[[nodiscard]] StoredResult read_stored_result(const std::vector<std::uint8_t>& bytes);

}  // namespace experiments
