// The simulator's side of docs/validation/: what real kernels did is kept there, and the model is held to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace experiments::validation_results_test {
namespace {

using nlohmann::json;

struct Kept {
  std::string kernel;  // linux-6.12.117
  std::string name;    // of a scenario, or of a variant of it
  double factor;       // what the median wait of who is held up may be off by: chosen anew with each sitting's results

  friend void PrintTo(const Kept& kept, std::ostream* out) { *out << kept.kernel << "/" << kept.name; }
};

std::filesystem::path folder() { return tests::source_tests().parent_path() / "docs" / "validation"; }

json validation_of(const Kept& kept) {
  const json what = json::parse(tests::text_of(folder() / kept.kernel / "sets.json")).at(kept.name);
  const tests::TemporaryFolder output;
  std::vector<std::string> arguments{"validate",  what.at("scenario").get<std::string>(),
                                     "--machine", (folder() / (kept.kernel + ".machine.yaml")).string(),
                                     "--real",    (folder() / kept.kernel / (kept.name + ".json")).string(),
                                     "--json",    output / "validation.json"};
  for (const json& set : what.at("sets")) arguments.insert(arguments.end(), {"--set", set.get<std::string>()});
  const tests::Outcome outcome = tests::mlocksim(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return json::parse(tests::text_of(output / "validation.json"));
}

class KeptValidation : public testing::TestWithParam<Kept> {};

TEST_P(KeptValidation, WhoWaitsOnTheRealKernelWaitsHereAndAsLong) {
  const json validation = validation_of(GetParam());
  std::set<std::pair<std::string, std::string>> held;
  for (const json& wait : validation.at("waits")) {
    const auto name = wait.at("class").get<std::string>();
    const auto during = wait.at("during").get<std::string>();
    EXPECT_TRUE(wait.at("agrees").get<bool>())
        << name << " during " << during << ": " << wait.at("real") << " real, " << wait.at("simulated") << " simulated";
    if (wait.at("real") > 0.2) held.emplace(name, during);
  }
  EXPECT_FALSE(held.empty());
  for (const json& times : validation.at("times")) {
    if (!times.contains("class") || !held.contains({times.at("class"), times.at("during")})) continue;
    const json& ratio = times.at("ratio").at("p50");
    // Where the median request is not held up, it is none of a wait.
    if (ratio.is_null() || times.at("real").at("p50_ns") < 1'000'000) continue;
    EXPECT_LT(ratio, GetParam().factor) << times.at("class") << " during " << times.at("during");
    EXPECT_GT(ratio, 1 / GetParam().factor) << times.at("class") << " during " << times.at("during");
  }
}

INSTANTIATE_TEST_SUITE_P(
    , KeptValidation,
    testing::Values(
        Kept{"linux-6.18.44", "real_neighbour", 1.1}, Kept{"linux-6.18.44", "real_receiver", 1.1},
        Kept{"linux-6.18.44", "real_twice", 1.1}, Kept{"linux-6.18.44", "real_mapper", 1.2},
        Kept{"linux-6.18.44", "real_pieces_64k", 1.3}, Kept{"linux-6.18.44", "real_pieces_64m", 1.3},
        Kept{"linux-6.18.44", "real_pieces_2m", 1.35}, Kept{"linux-6.18.44", "real_populate", 1.35},
        Kept{"linux-6.18.44", "real_crowd", 1.4}, Kept{"linux-6.12.117", "real_neighbour", 1.1},
        Kept{"linux-6.12.117", "real_receiver", 1.1}, Kept{"linux-6.12.117", "real_pieces_64k", 1.1},
        Kept{"linux-6.12.117", "real_populate", 1.1}, Kept{"linux-6.12.117", "real_pieces_2m", 1.1},
        Kept{"linux-6.12.117", "real_twice", 1.15}, Kept{"linux-6.12.117", "real_all", 1.25},
        Kept{"linux-6.1.0", "real_receiver", 1.1}, Kept{"linux-6.1.0", "real_neighbour", 1.1},
        Kept{"linux-6.1.0", "real_pieces_64k", 1.1}, Kept{"linux-6.1.0", "real_twice", 1.15},
        Kept{"linux-6.1.0", "real_pieces_2m", 1.1}, Kept{"linux-6.1.0", "real_mapper", 1.1},
        Kept{"linux-6.1.0", "real_populate", 1.1}, Kept{"linux-6.1.0", "real_all", 1.15},
        // Told how to hold mmap_lock: docs/validation/patched.md.
        Kept{"linux-6.12.117-patched", "handed_512-mapper-4k", 1.1},
        Kept{"linux-6.12.117-patched", "downgraded-mapper-4k", 1.1},
        Kept{"linux-6.12.117-patched", "held-mapper-4k", 1.1},
        Kept{"linux-6.12.117-patched", "contended_512-mapper-4k", 1.1},
        Kept{"linux-6.12.117-patched", "chunked_512-mapper-4k", 1.3},
        Kept{"linux-6.12.117-patched", "held-receiver-4k", 1.1}, Kept{"linux-6.12.117-patched", "held-maps-4k", 1.1},
        Kept{"linux-6.12.117-patched", "held-all-4k", 1.1},
        Kept{"linux-6.12.117-patched", "populate_write_held-all-4k", 1.1},
        Kept{"linux-6.12.117-patched", "populate_drop_and_read-all-4k", 1.1},
        Kept{"linux-6.12.117-patched", "populate_downgrade-all-4k", 1.15},
        Kept{"linux-6.12.117-patched", "held-all-4k-64m", 1.35},
        Kept{"linux-6.1.192-patched", "downgraded-mapper-4k", 1.1}, Kept{"linux-6.1.192-patched", "held-maps-4k", 1.1},
        Kept{"linux-6.1.192-patched", "held-receiver-4k", 1.1}, Kept{"linux-6.1.192-patched", "held-mapper-4k", 1.15},
        Kept{"linux-6.1.192-patched", "contended_512-mapper-4k", 1.1},
        Kept{"linux-6.1.192-patched", "populate_drop_and_read-all-4k", 1.15},
        Kept{"linux-6.1.192-patched", "populate_downgrade-all-4k", 1.15},
        Kept{"linux-6.1.192-patched", "held-all-4k-64m", 1.2},
        Kept{"linux-6.1.192-patched", "chunked_512-all-4k", 1.3}),
    [](const auto& each) {
      std::string name = each.param.kernel + "_" + each.param.name;
      std::replace_if(
          name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
      return name;
    });

}  // namespace
}  // namespace experiments::validation_results_test
